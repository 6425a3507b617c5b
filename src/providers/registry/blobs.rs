//! Blobs: whether they are there, small ones whole, and parts of large ones.

use std::sync::Arc;

use http::{HeaderMap, Method};
use reqwest::Url;
use tokio::time::timeout;

use super::call::{Call, Reply};
use super::fault::{SERVICE, headers_prove_absence, proves_absence};
use super::manifests::unproven;
use super::places::refuse_way;
use super::{Blob, Location, Registries, is_repository};
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::providers::http::{Opened, Request, TOTAL_MAX};

const HAS: &str = "look up a blob";
const GET: &str = "read a blob";
/// How many bytes a small blob may have, and a part of a large one.
const BYTES_MAX: u64 = 16 << 20;
/// How many bytes are skipped at most where a registry gives a whole blob instead of a part.
const SKIPPED_MAX: u64 = 64 << 20;
/// How often a blob may lead elsewhere.
const REDIRECTS_MAX: u32 = 5;
const REDIRECTS: &[u16] = &[301, 302, 303, 307, 308];

impl Registries {
    /// Whether a blob is there.
    pub async fn has_blob(&self, at: &Location, blob: &Blob) -> Result<bool, Fault> {
        let answers = &[404, 301, 302, 303, 307, 308];
        let call = blob_call(at, HAS, Method::HEAD, &blob.digest)?.answered_by(answers);
        let reply = self.call(&call).await?;
        match reply.status {
            404 if headers_prove_absence(&reply.headers) => Ok(false),
            404 => self.has_blob_with_proof(at, blob).await,
            // What is stored elsewhere is there.
            status if REDIRECTS.contains(&status) => Ok(true),
            _ => match reply.header("content-length").map(str::parse) {
                Some(Ok(size)) if blob.size != size => Err(other_size(&call, blob, size)),
                Some(_) | None => Ok(true),
            },
        }
    }

    /// The headers of a 404 may be those of something in between; a body proves more.
    async fn has_blob_with_proof(&self, at: &Location, blob: &Blob) -> Result<bool, Fault> {
        let answers = &[404, 301, 302, 303, 307, 308];
        let call = blob_call(at, HAS, Method::GET, &blob.digest)?.answered_by(answers);
        let mut opened = self.open(&call).await?;
        if opened.status != 404 {
            return Ok(true);
        }
        let body = opened.body(call.most).await?.unwrap_or_default();
        let reply = Reply {
            status: opened.status,
            headers: std::mem::take(&mut opened.headers),
            body,
        };
        if proves_absence(&reply.body) {
            Ok(false)
        } else {
            Err(unproven(&call, &reply))
        }
    }

    /// A small blob, such as a configuration; remembered like manifests.
    pub async fn blob(&self, at: &Location, blob: &Blob) -> Result<Arc<Vec<u8>>, Fault> {
        if let Some(known) = self.shelf.blob(at, &blob.digest) {
            return Ok(Arc::new(known.bytes.clone()));
        }
        let call = blob_call(at, GET, Method::GET, &blob.digest)?.answered_by(REDIRECTS);
        if blob.size > BYTES_MAX {
            let message = format!(
                "it has {} bytes, {BYTES_MAX} are the most that is read",
                blob.size
            );
            return Err(call.fault(Class::Invalid, &message));
        }
        let most = usize_of(blob.size);
        let reading = || self.read_blob(&call, async |opened| opened.body(most).await);
        let bytes = self.tried(&call, reading).await?.unwrap_or_default();
        if Digest::of(&bytes) != blob.digest {
            return Err(call.unusable("the answer is not what its digest and its size say"));
        }
        self.shelf.put_blob(at, &blob.digest, &bytes);
        Ok(Arc::new(bytes))
    }

    /// A part of a blob, `length` bytes from `first`. It is not verified: a digest is of the whole.
    pub async fn blob_part(
        &self,
        at: &Location,
        blob: &Blob,
        (first, length): (u64, u64),
    ) -> Result<Vec<u8>, Fault> {
        let end = first.saturating_add(length);
        let call = blob_call(at, GET, Method::GET, &blob.digest)?.answered_by(REDIRECTS);
        if length == 0 || length > BYTES_MAX || end > blob.size {
            let message = format!(
                "{length} bytes from {first} are no part of {} bytes, or more than {BYTES_MAX}",
                blob.size
            );
            return Err(call.fault(Class::Invalid, &message));
        }
        let call = call.with("range", &format!("bytes={first}-{}", end - 1));
        let (call, length) = (&call, usize_of(length));
        let reading = || {
            self.read_blob(call, async |opened| {
                let skipped = skipped(call, opened, first)?;
                part(opened, skipped, length).await
            })
        };
        let part = self.tried(call, reading).await?;
        if part.len() == length {
            Ok(part)
        } else {
            Err(call.unusable("the answer ends before its part does"))
        }
    }

    /// Opens a blob once, wherever it is, and reads of it what `read` wants.
    async fn read_blob<T>(
        &self,
        call: &Call<'_>,
        read: impl AsyncFnOnce(&mut Opened) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut opened = self.open_blob_once(call).await?;
        match timeout(TOTAL_MAX, read(&mut opened)).await {
            Ok(outcome) => outcome.map_err(|fault| Fault {
                subject: call.unusable("").subject,
                ..fault
            }),
            Err(_) => Err(call.unusable("the answer did not come to its end in time")),
        }
    }

    /// Opens a blob, again where that helps.
    pub(super) async fn open_blob(&self, call: &Call<'_>) -> Result<Opened, Fault> {
        self.tried(call, || self.open_blob_once(call)).await
    }

    /// Opens a blob, wherever the registry leads. What is there is told nothing of who we are: GitHub's registry leads to a
    /// store whose URL says all that it wants to know. A store that refuses may do so because its URL is no longer good, so
    /// another try begins at the registry.
    async fn open_blob_once(&self, call: &Call<'_>) -> Result<Opened, Fault> {
        let registry = self.places.url(&call.at.site)?;
        let mut opened = self.opened_once(call, None).await?;
        let mut at = call.url(&registry)?;
        for _ in 0..REDIRECTS_MAX {
            if !REDIRECTS.contains(&opened.status) {
                return Ok(opened);
            }
            at = led_to(call, &registry, &at, opened.header("location"))?;
            opened = self.open_elsewhere(call, &at).await?;
        }
        Err(call.unusable(&format!(
            "it leads elsewhere more than {REDIRECTS_MAX} times"
        )))
    }

    async fn open_elsewhere(&self, call: &Call<'_>, url: &Url) -> Result<Opened, Fault> {
        let mut headers = HeaderMap::new();
        if let Some(range) = call.headers.get("range") {
            headers.insert("range", range.clone());
        }
        let opened = self.http.open(Request {
            service: SERVICE,
            action: "GET",
            doing: call.doing,
            effect: call.effect,
            method: Method::GET,
            url: url.clone(),
            headers,
            body: Vec::new(),
            read_max: super::transport::READ_MAX,
        });
        let subject = call.unusable("").subject;
        let opened = opened.await.map_err(|fault| Fault { subject, ..fault })?;
        match opened.status {
            200..400 => Ok(opened),
            status => {
                let host = url.host_str().unwrap_or_default();
                let message = format!("{host}, to where the registry leads, refuses it");
                Err(Fault {
                    status: Some(status),
                    ..call.unusable(&message)
                })
            }
        }
    }
}

/// Where an answer leads.
pub(super) fn led_to(
    call: &Call<'_>,
    registry: &Url,
    from: &Url,
    location: Option<&str>,
) -> Result<Url, Fault> {
    let location =
        location.ok_or_else(|| call.unusable("it leads elsewhere and does not say where"))?;
    let url = from.join(location);
    let url = url.map_err(|_| call.unusable("it leads to what is no URL"))?;
    match refuse_way(registry, &url) {
        Some(why) => Err(call.fault(
            Class::Denied,
            &format!("it leads to where it must not: {why}"),
        )),
        None => Ok(url),
    }
}

pub(super) fn blob_call<'a>(
    at: &'a Location,
    doing: &'static str,
    method: Method,
    digest: &Digest,
) -> Result<Call<'a>, Fault> {
    if !is_repository(&at.repository) {
        let why = format!("`{}` is no name of a repository", at.repository);
        return Err(Fault::new(Class::Invalid, doing, &why).of(&at.site.host));
    }
    let call = Call::read(at, doing, method, &format!("blobs/{digest}"));
    Ok(call.about(&format!("@{digest}")))
}

pub(super) fn other_size(call: &Call<'_>, blob: &Blob, size: u64) -> Fault {
    let message = format!(
        "it has {size} bytes there, and {} by what refers to it",
        blob.size
    );
    call.fault(Class::Invalid, &message)
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// RFC 9110, "Content-Range", as in `bytes 0-99/1000`.
fn begins_at(opened: &Opened, first: u64) -> bool {
    let range = opened.header("content-range").unwrap_or_default();
    let begin = range
        .strip_prefix("bytes ")
        .and_then(|it| it.split('-').next());
    begin.and_then(|it| it.trim().parse().ok()) == Some(first)
}

/// How much of an answer comes before the part that begins at `first`.
fn skipped(call: &Call<'_>, opened: &Opened, first: u64) -> Result<usize, Fault> {
    match opened.status {
        206 if begins_at(opened, first) => Ok(0),
        206 => Err(call.unusable("the answer is another part than was asked for")),
        _ if first <= SKIPPED_MAX => Ok(usize_of(first)),
        _ => Err(call.fault(Class::Invalid, "the registry gives blobs only as a whole")),
    }
}

async fn part(opened: &mut Opened, mut skipped: usize, length: usize) -> Result<Vec<u8>, Fault> {
    let mut part = Vec::new();
    while part.len() < length
        && let Some(bytes) = opened.part().await?
    {
        let begin = skipped.min(bytes.len());
        skipped -= begin;
        let end = bytes.len().min(begin + (length - part.len()));
        part.extend_from_slice(&bytes[begin..end]);
    }
    Ok(part)
}
