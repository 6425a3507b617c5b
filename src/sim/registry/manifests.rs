//! Manifests: reading, writing and deleting them (OCI distribution specification, "Pull", "Push", "Content Management").

use serde_json::json;

use crate::ids::Digest;
use crate::sim::registry::Registries;
use crate::sim::registry::content::{
    Content, DOCKER_LIST, DOCKER_MANIFEST, Descriptor, EMPTY_CONFIG, OCI_INDEX, OCI_MANIFEST,
    is_index, is_known,
};
use crate::sim::registry::history::Deed;
use crate::sim::registry::make::of_bytes;
use crate::sim::registry::store::{Repository, When};
use crate::sim::registry::wire::{Ask, Refusal, Reply, answer, digest, is_tag};
use crate::sim::registry::written::{Personality, Referrers};

/// What registries take (OCI distribution specification, "Pushing Manifests").
const BYTES_MAX: usize = 4 << 20;

impl Registries {
    pub(super) fn manifest(&mut self, ask: &Ask, reference: &str) -> Reply {
        match ask.method() {
            "GET" | "HEAD" => self.get_manifest(ask, reference),
            "PUT" => self.put_manifest(ask, reference),
            "DELETE" => self.delete_manifest(ask, reference),
            _ => Err(Refusal::unsupported()),
        }
    }

    fn get_manifest(&mut self, ask: &Ask, reference: &str) -> Reply {
        let at = self.visible(ask);
        let known = self.repository(ask).filter(|it| !it.is_unknown());
        let Some(repository) = known else {
            return Err(unknown_repository(self.personality(ask), ask));
        };
        let digest = repository.resolve(reference, at);
        let found = digest.and_then(|it| Some((repository.manifest_at(&it, at)?.clone(), it)));
        let Some((manifest, digest)) = found else {
            return Err(Refusal::manifest_unknown(reference));
        };
        accept(ask, &manifest.media_type)?;
        let etag = format!("\"{digest}\"");
        if ask.header("if-none-match") == Some(&etag) {
            return Ok(answer(304, &[("etag", &etag)], Vec::new()));
        }
        // ghcr-cleanup-action, README: every GET counts; ASSUMED: a HEAD does not.
        if ask.method() == "GET" {
            self.repository_mut(ask).count_download(&digest, 1);
        }
        let headers = [
            ("content-type", manifest.media_type.as_str()),
            ("docker-content-digest", digest.as_str()),
            ("etag", &etag),
        ];
        Ok(answer(200, &headers, manifest.bytes.to_vec()))
    }

    fn put_manifest(&mut self, ask: &Ask, reference: &str) -> Reply {
        let bytes = &ask.request.body;
        if bytes.len() > BYTES_MAX {
            return Err(Refusal::new(413, "SIZE_INVALID", "manifest is too large"));
        }
        let by_digest = Digest::parse(reference);
        if by_digest.is_none() && !is_tag(reference) {
            let text = "invalid tag or digest";
            return Err(Refusal::new(400, "TAG_INVALID", text).about(json!(reference)));
        }
        if by_digest.is_some_and(|it| it != Digest::of(bytes)) {
            return Err(Refusal::digest_invalid(reference));
        }
        let media_type = ask.header("content-type").unwrap_or_default().to_owned();
        let content = readable(&media_type, bytes)?;
        self.judge(ask, &content)?;
        let subject = self.subject(ask);
        let when = When {
            since: ask.now,
            created: ask.now,
        };
        let repository = self.repository_mut(ask);
        let (digest, mut deeds) = repository.put(&of_bytes(&media_type, bytes), when, &subject);
        if reference != digest.as_str() {
            deeds.extend(repository.tag(reference, &digest, when));
        }
        self.record(ask, deeds);
        let location = format!("/v2/{}/manifests/{digest}", ask.repository);
        let mut headers = vec![
            ("location", location.as_str()),
            ("docker-content-digest", digest.as_str()),
        ];
        let subject = content.subject.filter(|_| {
            // Without a listing of referrers there is no such header (OCI distribution specification, "Pushing Manifests
            // with Subject").
            self.host(ask).rules.referrers() == Referrers::Listed
        });
        if let Some(subject) = &subject {
            headers.push(("oci-subject", &subject.digest));
        }
        Ok(answer(201, &headers, Vec::new()))
    }

    /// Whether what a manifest points to is there. Distribution looks for it; ASSUMED: GHCR and ACR do, and all of them
    /// look at sizes.
    fn judge(&self, ask: &Ask, content: &Content) -> Result<(), Refusal> {
        let config = content.config.as_ref().map(|it| it.media_type.as_str());
        if self.personality(ask).is_acr() && config == Some(EMPTY_CONFIG) {
            // `k8m`, issue 478; `koordinator`, issue 3194; ASSUMED: the status.
            let text = format!("unknown manifest class for {EMPTY_CONFIG}");
            return Err(Refusal::new(403, "DENIED", &text));
        }
        let none = Repository::default();
        let repository = self.repository(ask).unwrap_or(&none);
        let size = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
        for child in content.children() {
            let manifest = repository.manifest(&digest(&child.digest)?);
            let found = manifest.map(|it| size(it.bytes.len()));
            same_size(child, found)?;
        }
        for blob in content.blobs().filter(|it| it.urls.is_empty()) {
            let found = repository.blob(&digest(&blob.digest)?);
            same_size(blob, found.map(|it| size(it.len())))?;
        }
        Ok(())
    }

    fn delete_manifest(&mut self, ask: &Ask, reference: &str) -> Reply {
        let refuses = self.host(ask).rules.refuses_deletion;
        match self.personality(ask) {
            // GHCR: `skopeo`, issue 1880; ASSUMED: nor can ACR.
            Personality::Ghcr | Personality::AcrPersonal | Personality::AcrEnterprise => {
                return Err(Refusal::unsupported());
            }
            Personality::Distribution if refuses => return Err(Refusal::unsupported()),
            Personality::Distribution => {}
        }
        // Distribution 2.8 knows no deletion of a tag.
        let digest = digest(reference)?;
        let deleted = self.repository_mut(ask).remove(&digest, ask.now);
        let Some(deleted) = deleted else {
            return Err(Refusal::manifest_unknown(reference));
        };
        let tags = deleted.tags;
        self.record(ask, vec![Deed::ManifestDeleted { digest, tags }]);
        Ok(answer(202, &[], Vec::new()))
    }

    /// What keeps the numbers of two repositories apart.
    fn subject(&self, ask: &Ask) -> String {
        format!("{}/{}/{}", self.seed, ask.host, ask.repository)
    }
}

/// ASSUMED: GHCR and ACR speak of the manifest.
fn unknown_repository(personality: Personality, ask: &Ask) -> Refusal {
    match personality {
        Personality::Distribution => Refusal::name_unknown(&ask.repository),
        Personality::Ghcr | Personality::AcrPersonal | Personality::AcrEnterprise => {
            Refusal::manifest_unknown(&ask.repository)
        }
    }
}

/// Distribution 2.8 hides what the client does not say to accept, and `*/*` says nothing; ASSUMED: all do so with every
/// type, where distribution would make another one of Docker's.
fn accept(ask: &Ask, media_type: &str) -> Result<(), Refusal> {
    let accepted = ask.header("accept").unwrap_or_default().split(',');
    let mut accepted = accepted.map(|it| it.split(';').next().unwrap_or_default().trim());
    if !is_known(media_type) || accepted.any(|it| it == media_type) {
        return Ok(());
    }
    let (found, plural) = match media_type {
        OCI_INDEX => ("OCI index", "OCI indexes"),
        OCI_MANIFEST => ("OCI manifest", "OCI manifests"),
        DOCKER_LIST => ("manifest list", "manifest lists"),
        _ => ("manifest", "manifests of schema 2"),
    };
    let text = format!("{found} found, but accept header does not support {plural}");
    Err(Refusal::new(404, "MANIFEST_UNKNOWN", &text))
}

/// What a manifest says, where it is one and is what it is said to be.
fn readable(media_type: &str, bytes: &[u8]) -> Result<Content, Refusal> {
    let invalid = |detail: &str| {
        Refusal::new(400, "MANIFEST_INVALID", "manifest invalid").about(json!(detail))
    };
    if !is_known(media_type) {
        return Err(invalid("unknown content type"));
    }
    let content = Content::read(bytes).map_err(|it| invalid(&it))?;
    if !content.media_type.is_empty() && content.media_type != media_type {
        return Err(invalid("mediaType and Content-Type differ"));
    }
    let is_docker = [DOCKER_LIST, DOCKER_MANIFEST].contains(&media_type);
    if content.media_type.is_empty() && is_docker {
        return Err(invalid("mediaType is missing"));
    }
    let is_whole = if is_index(media_type) {
        content.manifests.is_some() && content.config.is_none()
    } else {
        content.manifests.is_none() && content.config.is_some()
    };
    if content.schema_version != 2 || !is_whole {
        return Err(invalid("it is not what its type says"));
    }
    Ok(content)
}

fn same_size(pointer: &Descriptor, found: Option<u64>) -> Result<(), Refusal> {
    match found {
        Some(size) if size == pointer.size => Ok(()),
        Some(_) => {
            let refusal = Refusal::new(400, "SIZE_INVALID", "size of content does not match");
            Err(refusal.about(json!(pointer.digest)))
        }
        None => {
            let text = "manifest references a manifest or blob unknown to registry";
            let refusal = Refusal::new(400, "MANIFEST_BLOB_UNKNOWN", text);
            Err(refusal.about(json!({ "digest": pointer.digest })))
        }
    }
}
