//! Registries of container images, by the OCI distribution specification as they really follow it.
//!
//! The reference type, media types, credential and error types are those of oci-client. Its client is not used: it does
//! not follow `Link`, hides status and Retry-After, reads a refused referrers listing as none and a failed token as an
//! anonymous one, cannot mount with both scopes, and cannot delete.

use std::sync::Arc;

use serde::Serialize;

use crate::fact::Complete;
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::plan::Why;
use crate::providers::Settings;
use crate::providers::cache::Cache;
use crate::providers::http::Http;
use crate::retry::Patience;

pub mod content;
mod refusals;
mod shown;

pub use refusals::{Refusals, refuses_attestations};

/// The clients of all registries. What was looked at is remembered until [`Registries::forget`]; manifests, which their
/// digest names for ever, as long as the process lives, and on disk.
#[derive(Debug)]
pub struct Registries {
    settings: Settings,
    http: Arc<Http>,
    patience: Arc<Patience>,
    /// Those that take no attestations.
    pub refusals: Refusals,
    /// What was found wrong with a layer, by its digest and that of its contents, as long as the process lives.
    pub verdicts: Cache<(Digest, Digest), Option<Why>>,
}

/// A registry, and who we are there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Site {
    /// The host, as in `ghcr.io` or `127.0.0.1:5000`.
    pub host: String,
    /// Whether it is spoken to in plain http; on loopback only.
    pub insecure: bool,
    /// The variables that hold the user's name and password; none: Docker's credential files.
    pub login: Option<Login>,
}

/// The names of the variables that hold a user's name and password.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// That of the name.
    pub username_env: String,
    /// That of the password.
    pub password_env: String,
}

/// A repository of a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// The registry.
    pub site: Site,
    /// The name there, as in `example/app`.
    pub repository: String,
}

/// What a registry says of a manifest without giving it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
}

/// A manifest to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The digest of `bytes`.
    pub digest: Digest,
    /// Its media type, by the answer or, where both are there, by both.
    pub media_type: String,
    /// What its digest names.
    pub bytes: Vec<u8>,
}

/// What another manifest points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

impl Registries {
    /// Contacts nothing; fails when the settings name a place that must not be used.
    pub(super) fn new(
        settings: &Settings,
        http: Arc<Http>,
        patience: Arc<Patience>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            settings: settings.clone(),
            http,
            patience,
            refusals: Refusals::default(),
            verdicts: Cache::default(),
        })
    }

    /// Forgets what was looked at: a new pass begins.
    pub fn forget(&self) {}

    /// What a tag or a digest names, once a pass; none only where the registry proves that there is nothing.
    pub async fn head(&self, at: &Location, reference: &str) -> Result<Arc<Option<Head>>, Fault> {
        Err(self.later(at, reference))
    }

    /// The same, asked anew.
    pub async fn head_now(&self, at: &Location, reference: &str) -> Result<Option<Head>, Fault> {
        Err(self.later(at, reference))
    }

    /// A manifest by its digest, from memory or disk where it was read before; none: proven not to be there.
    pub async fn manifest(
        &self,
        at: &Location,
        digest: &Digest,
    ) -> Result<Option<Arc<Manifest>>, Fault> {
        Err(self.later(at, digest.as_str()))
    }

    /// Writes a manifest under a tag or its digest, to the byte; what is there already may be written again.
    pub async fn put_manifest(
        &self,
        at: &Location,
        reference: &str,
        manifest: &Manifest,
    ) -> Result<(), Fault> {
        Err(self.later(at, &format!("{reference} {}", manifest.digest)))
    }

    /// Deletes a manifest with all its tags; one that is gone is as good.
    pub async fn delete_manifest(&self, at: &Location, digest: &Digest) -> Result<(), Fault> {
        Err(self.later(at, digest.as_str()))
    }

    /// The tags of a repository, sorted; those of a repository that is proven not to be there are none.
    pub async fn tags(&self, at: &Location) -> Result<Arc<Complete<String>>, Fault> {
        Err(self.later(at, "tags"))
    }

    /// The manifests whose `subject` this digest is, by the listing or by the fallback tag; none is proven.
    pub async fn referrers(&self, at: &Location, of: &Digest) -> Result<Vec<Digest>, Fault> {
        Err(self.later(at, of.as_str()))
    }

    /// Whether a blob is there.
    pub async fn has_blob(&self, at: &Location, blob: &Blob) -> Result<bool, Fault> {
        Err(self.later(at, blob.digest.as_str()))
    }

    /// A small blob, such as a configuration; remembered like manifests.
    pub async fn blob(&self, at: &Location, blob: &Blob) -> Result<Arc<Vec<u8>>, Fault> {
        Err(self.later(at, blob.digest.as_str()))
    }

    /// A part of a blob, `length` bytes from `first`.
    pub async fn blob_part(
        &self,
        at: &Location,
        blob: &Blob,
        (first, length): (u64, u64),
    ) -> Result<Vec<u8>, Fault> {
        Err(self.later(at, &format!("{} {first} {length}", blob.digest)))
    }

    /// Brings a blob to another repository: nothing where it is there, mounted where both are on one registry, else
    /// streamed. Says how many bytes were sent.
    pub async fn copy_blob(
        &self,
        (from, to): (&Location, &Location),
        blob: &Blob,
    ) -> Result<u64, Fault> {
        Err(self.later(from, &format!("{} {}", to.repository, blob.digest)))
    }

    fn later(&self, at: &Location, subject: &str) -> Fault {
        let _ = (&self.settings, &self.http, &self.patience);
        let subject = format!("{}/{}:{subject}", at.site.host, at.repository);
        Fault::new(Class::NotYet, "ask a registry", "this is not built").of(&subject)
    }
}
