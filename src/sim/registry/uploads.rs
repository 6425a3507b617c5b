//! Uploads of blobs: whole, in chunks, resumed and given up (OCI distribution specification, "Pushing blobs").

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use crate::ids::{Digest, hex};
use crate::sim::Answer;
use crate::sim::registry::Registries;
use crate::sim::registry::history::Deed;
use crate::sim::registry::wire::{Ask, Refusal, Reply, answer};
use crate::sim::registry::written::Personality;

/// GHCR refuses chunks that are larger (`rust-oci-client`, issue 35; `ocx`, issue 237).
const GHCR_CHUNK_MAX: usize = 4 << 20;

/// An upload under way.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    repository: String,
    bytes: Vec<u8>,
    chunks: u32,
}

impl Registries {
    /// `POST` mounts, or begins; a digest that comes with it is not looked at, as in distribution 2.8.
    pub(super) fn begin_upload(&mut self, ask: &Ask) -> Reply {
        if ask.method() != "POST" {
            return Err(Refusal::unsupported());
        }
        if let Some(digest) = self.mount(ask) {
            return Ok(created(ask, &digest));
        }
        self.drawn += 1;
        let id = self.draw(&format!("upload/{}", self.drawn))[..32].to_owned();
        let upload = Upload {
            repository: ask.repository.clone(),
            bytes: Vec::new(),
            chunks: 0,
        };
        let shown = progress(ask, &id, &upload, 202);
        self.uploads(ask).insert(id, upload);
        Ok(shown)
    }

    pub(super) fn upload(&mut self, ask: &Ask, id: &str) -> Reply {
        let uploads = self.uploads(ask);
        let known = uploads.get(id).filter(|it| it.repository == ask.repository);
        let Some(upload) = known else {
            let text = "blob upload unknown to registry";
            return Err(Refusal::new(404, "BLOB_UPLOAD_UNKNOWN", text));
        };
        match ask.method() {
            "GET" => Ok(progress(ask, id, upload, 204)),
            "DELETE" => {
                uploads.remove(id);
                Ok(answer(204, &[], Vec::new()))
            }
            "PATCH" => self.append(ask, id),
            "PUT" => self.end_upload(ask, id),
            _ => Err(Refusal::unsupported()),
        }
    }

    fn append(&mut self, ask: &Ask, id: &str) -> Reply {
        let is_ghcr = self.personality(ask) == Personality::Ghcr;
        let chunk = &ask.request.body;
        let range = ask.header("content-range");
        let upload = self.uploads(ask).get_mut(id).expect("it was looked up");
        let start = range.and_then(|it| it.split_once('-')).map(|(it, _)| it);
        let fits = start.is_none_or(|it| it.parse() == Ok(upload.bytes.len()));
        let is_too_large = is_ghcr && range.is_some() && chunk.len() > GHCR_CHUNK_MAX;
        if !fits || is_too_large {
            let code = "REQUESTED_RANGE_NOT_SATISFIABLE";
            return Err(Refusal::new(416, code, "requested range not satisfiable"));
        }
        // Documentation of ocync: GHCR keeps the last chunk alone; not verified, so better lost here than there.
        if is_ghcr && upload.chunks > 0 {
            upload.bytes.clear();
        }
        upload.chunks += 1;
        upload.bytes.extend_from_slice(chunk);
        let upload = upload.clone();
        Ok(progress(ask, id, &upload, 202))
    }

    fn end_upload(&mut self, ask: &Ask, id: &str) -> Reply {
        let wanted = ask.parameter("digest").unwrap_or_default();
        let wanted = Digest::parse(wanted).ok_or_else(|| Refusal::digest_invalid(wanted))?;
        let upload = self.uploads(ask).remove(id).expect("it was looked up");
        let mut bytes = upload.bytes;
        bytes.extend_from_slice(&ask.request.body);
        let digest = Digest::of(&bytes);
        if digest != wanted {
            return Err(Refusal::digest_invalid(wanted.as_str()));
        }
        let sent = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.repository_mut(ask).put_blob(Arc::new(bytes));
        let deed = Deed::BlobPushed {
            digest: digest.clone(),
            bytes: sent,
        };
        self.record(ask, vec![deed]);
        Ok(created(ask, &digest))
    }

    fn uploads(&mut self, ask: &Ask) -> &mut BTreeMap<String, Upload> {
        let host = self.hosts.get_mut(&ask.host);
        &mut host
            .expect("a request only gets to hosts that exist")
            .uploads
    }
}

fn created(ask: &Ask, digest: &Digest) -> Answer {
    let location = format!("/v2/{}/blobs/{digest}", ask.repository);
    let headers = [
        ("location", location.as_str()),
        ("docker-content-digest", digest.as_str()),
    ];
    answer(201, &headers, Vec::new())
}

/// How far an upload is. The place to go on at holds a query, which clients must keep.
fn progress(ask: &Ask, id: &str, upload: &Upload, status: u16) -> Answer {
    let done = upload.bytes.len();
    let state = hex(json!({"offset": done}).to_string().as_bytes());
    let location = format!("/v2/{}/blobs/uploads/{id}?_state={state}", ask.repository);
    let range = format!("0-{}", done.saturating_sub(1));
    let headers = [
        ("location", location.as_str()),
        ("range", &range),
        ("docker-upload-uuid", id),
    ];
    answer(status, &headers, Vec::new())
}
