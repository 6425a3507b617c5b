//! Manifests: what a tag or a digest names, read once, written to the byte, deleted.

use std::sync::Arc;

use http::{HeaderMap, Method};
use serde::Deserialize;

use super::call::{Call, Reply};
use super::content::{DOCKER_LIST, DOCKER_MANIFEST, MANIFEST_BYTES_MAX, OCI_INDEX, OCI_MANIFEST};
use super::fault::{headers_prove_absence, proves_absence};
use super::{Head, Location, Manifest, Registries, is_repository, is_tag};
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::providers::registry::auth::Scopes;
use crate::providers::secret::clean;

const HEAD: &str = "look up a manifest";
const GET: &str = "read a manifest";
const PUT: &str = "write a manifest";
const DELETE: &str = "delete a manifest";
/// Two names of 127 characters each, and the slash.
const MEDIA_TYPE_BYTES_MAX: usize = 255;

/// All that a tag may name: Debian's registry calls an index absent that was not asked for (`MANIFEST_UNKNOWN`, "accept
/// header does not support OCI indexes").
fn accepted() -> String {
    [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST].join(", ")
}

/// A manifest's own word on what it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    media_type: Option<String>,
}

impl Registries {
    /// What a tag or a digest names, once a pass; none only where the registry proves that there is nothing.
    pub async fn head(&self, at: &Location, reference: &str) -> Result<Arc<Option<Head>>, Fault> {
        let key = (at.clone(), reference.to_owned());
        self.heads.get(&key, || self.head_now(at, reference)).await
    }

    /// The same, asked anew.
    pub async fn head_now(&self, at: &Location, reference: &str) -> Result<Option<Head>, Fault> {
        let call = manifest_call(at, HEAD, Method::HEAD, reference)?.answered_by(&[404]);
        let reply = self.call(&call).await?;
        if reply.status == 404 && headers_prove_absence(&reply.headers) {
            return Ok(None);
        }
        if reply.status != 404
            && let Some(head) = head(&call, &reply, reference)?
        {
            return Ok(Some(head));
        }
        // A HEAD without a digest, and one whose 404 may be that of something in between, prove nothing; a body does.
        let manifest = self.get(at, reference).await?;
        Ok(manifest.map(|it| it.head()))
    }

    /// A manifest by its digest, from memory or disk where it was read in this repository before; none: proven not to be
    /// there.
    pub async fn manifest(
        &self,
        at: &Location,
        digest: &Digest,
    ) -> Result<Option<Arc<Manifest>>, Fault> {
        if let Some(known) = self.shelf.manifest(at, digest) {
            return Ok(Some(known));
        }
        self.get(at, digest.as_str()).await
    }

    /// Writes a manifest under a tag or its digest, to the byte; what is there already may be written again.
    pub async fn put_manifest(
        &self,
        at: &Location,
        reference: &str,
        manifest: &Manifest,
    ) -> Result<(), Fault> {
        let call = path(at, PUT, reference)?;
        let call = Call::write(at, PUT, Method::PUT, &call)
            .about(&subject(reference))
            .with("content-type", &manifest.media_type);
        let call = Call {
            body: manifest.bytes.clone(),
            ..call
        };
        let outcome = self.call(&call).await;
        // Whatever came back, it may have been written.
        self.heads.forget(&(at.clone(), reference.to_owned()));
        self.heads
            .forget(&(at.clone(), manifest.digest.to_string()));
        self.tags.forget(at);
        let reply = outcome?;
        match reply.header("docker-content-digest") {
            Some(theirs) if theirs != manifest.digest.as_str() => {
                let message = format!("it was written as {theirs} instead of {}", manifest.digest);
                Err(call.fault(Class::Bug, &message))
            }
            Some(_) | None => {
                self.shelf.put_manifest(at, manifest);
                Ok(())
            }
        }
    }

    /// Deletes a manifest with all its tags; one that is gone is as good.
    pub async fn delete_manifest(&self, at: &Location, digest: &Digest) -> Result<(), Fault> {
        let path = path(at, DELETE, digest.as_str())?;
        let call = Call::write(at, DELETE, Method::DELETE, &path)
            .about(&subject(digest.as_str()))
            .answered_by(&[404]);
        let call = Call {
            scopes: Scopes::of(&at.repository, "delete"),
            ..call
        };
        let outcome = self.call(&call).await;
        // Its tags may be any.
        self.heads.clear();
        self.tags.forget(at);
        self.shelf.forget(at, digest);
        let reply = outcome?;
        if reply.status == 404 && !proves_absence(&reply.body) {
            return Err(call.unusable("404: the answer does not come from a registry"));
        }
        Ok(())
    }

    /// Reads a manifest from the registry.
    async fn get(&self, at: &Location, reference: &str) -> Result<Option<Arc<Manifest>>, Fault> {
        let call = manifest_call(at, GET, Method::GET, reference)?.answered_by(&[404]);
        let call = Call {
            most: usize::try_from(MANIFEST_BYTES_MAX).unwrap_or(usize::MAX),
            ..call
        };
        let reply = self.call(&call).await?;
        if reply.status == 404 {
            if !proves_absence(&reply.body) {
                return Err(unproven(&call, &reply));
            }
            return Ok(None);
        }
        let manifest = manifest(&call, reply, reference)?;
        self.shelf.put_manifest(at, &manifest);
        Ok(Some(Arc::new(manifest)))
    }
}

impl Manifest {
    /// What a registry would say of it without giving it.
    pub fn head(&self) -> Head {
        Head {
            digest: self.digest.clone(),
            media_type: self.media_type.clone(),
            size: u64::try_from(self.bytes.len()).unwrap_or(u64::MAX),
        }
    }
}

/// A 404 that no registry wrote.
pub(super) fn unproven(call: &Call<'_>, reply: &Reply) -> Fault {
    let begin: String = String::from_utf8_lossy(&reply.body)
        .chars()
        .take(80)
        .collect();
    Fault {
        status: Some(reply.status),
        ..call
            .unusable(&format!(
                "the answer does not come from a registry: {}",
                clean(&begin, &[])
            ))
            .hint("is the host right, and does no proxy answer in its place?")
    }
}

fn subject(reference: &str) -> String {
    match Digest::parse(reference) {
        Some(digest) => format!("@{digest}"),
        None => format!(":{reference}"),
    }
}

/// Nothing is sent where the names could make another path.
fn path(at: &Location, doing: &str, reference: &str) -> Result<String, Fault> {
    let refuse = |why: String| Err(Fault::new(Class::Invalid, doing, &why).of(&at.site.host));
    if !is_repository(&at.repository) {
        return refuse(format!("`{}` is no name of a repository", at.repository));
    }
    if !is_tag(reference) && Digest::parse(reference).is_none() {
        return refuse(format!("`{reference}` is neither a tag nor a digest"));
    }
    Ok(format!("manifests/{reference}"))
}

fn manifest_call<'a>(
    at: &'a Location,
    doing: &'static str,
    method: Method,
    reference: &str,
) -> Result<Call<'a>, Fault> {
    let path = path(at, doing, reference)?;
    let call = Call::read(at, doing, method, &path).about(&subject(reference));
    Ok(call.with("accept", &accepted()))
}

/// The media type of an answer, without its parameters; none: it does not say.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("content-type")?.to_str().ok()?;
    let value = value.split(';').next().unwrap_or_default().trim();
    Some(value).filter(|it| !it.is_empty())
}

/// What a HEAD says; none: not enough.
fn head(call: &Call<'_>, reply: &Reply, reference: &str) -> Result<Option<Head>, Fault> {
    let digest = reply
        .header("docker-content-digest")
        .and_then(Digest::parse);
    let size = reply
        .header("content-length")
        .and_then(|it| it.parse().ok());
    let (Some(digest), Some(size), Some(media_type)) = (digest, size, media_type(&reply.headers))
    else {
        return Ok(None);
    };
    if Digest::parse(reference).is_some_and(|it| it != digest) {
        return Err(call.unusable(&format!("the answer is about {digest}")));
    }
    if media_type.starts_with("text/") || size == 0 {
        return Ok(None);
    }
    Ok(Some(Head {
        digest,
        media_type: media_type.to_owned(),
        size,
    }))
}

/// Whether a text may be a media type (RFC 6838, "Naming Requirements"): it is shown, sent and kept in files.
fn is_media_type(text: &str) -> bool {
    text.len() <= MEDIA_TYPE_BYTES_MAX && text.bytes().all(|it| it.is_ascii_graphic())
}

/// A manifest whose bytes are what the reference and the registry say.
fn manifest(call: &Call<'_>, reply: Reply, reference: &str) -> Result<Manifest, Fault> {
    let digest = Digest::of(&reply.body);
    let said = reply
        .header("docker-content-digest")
        .and_then(Digest::parse);
    for expected in [Digest::parse(reference), said].into_iter().flatten() {
        if expected != digest {
            let message =
                format!("the answer is not what its digest says: {digest} instead of {expected}");
            return Err(call.unusable(&message));
        }
    }
    let typed: Typed = serde_json::from_slice(&reply.body).map_err(|_| unproven(call, &reply))?;
    if typed
        .media_type
        .as_ref()
        .is_some_and(|it| !is_media_type(it))
    {
        return Err(call.fault(Class::Invalid, "what it calls itself is no media type"));
    }
    let media_type = match (media_type(&reply.headers), typed.media_type) {
        (Some(header), Some(body)) if header != body => {
            let message = format!("the answer is called {header}, and calls itself {body}");
            return Err(call.fault(Class::Invalid, &message));
        }
        (Some(header), _) => header.to_owned(),
        (None, Some(body)) => body,
        (None, None) => {
            return Err(call.fault(
                Class::Invalid,
                "nothing says what it is: there is no media type",
            ));
        }
    };
    Ok(Manifest {
        digest,
        media_type,
        bytes: reply.body,
    })
}
