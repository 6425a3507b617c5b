//! What a repository holds, and what it held.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::clock::Timestamp;
use crate::ids::{Digest, hex};
use crate::sim::registry::content::{Content, Descriptor, Platform};
use crate::sim::registry::history::Deed;
use crate::sim::registry::make::{Made, of_bytes};
use crate::sim::registry::past::Past;

/// A manifest as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// GitHub's number of it, as the version of a package.
    pub id: u64,
    /// What it is served as.
    pub media_type: String,
    /// What its digest names.
    pub bytes: Arc<Vec<u8>>,
    /// When it was pushed first.
    pub created: Timestamp,
}

/// A version of a package that was deleted.
#[derive(Clone, Debug)]
pub(crate) struct Deleted {
    pub(crate) digest: Digest,
    pub(crate) manifest: Manifest,
    pub(crate) tags: Vec<String>,
    pub(crate) at: Timestamp,
}

/// A repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repository {
    pub(crate) public: bool,
    manifests: BTreeMap<Digest, Past<Manifest>>,
    tags: BTreeMap<String, Past<Digest>>,
    blobs: BTreeMap<Digest, Arc<Vec<u8>>>,
    /// How often each was downloaded since it was pushed first.
    downloads: BTreeMap<Digest, u64>,
    updated: BTreeMap<Digest, Timestamp>,
    /// By id.
    pub(crate) deleted: BTreeMap<u64, Deleted>,
}

/// When something is put: from when on it is seen, and when it says that it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    pub(super) since: Timestamp,
    pub(super) created: Timestamp,
}

impl Repository {
    /// The digest that a reference names.
    pub(super) fn resolve(&self, reference: &str, at: Timestamp) -> Option<Digest> {
        match Digest::parse(reference) {
            Some(digest) => Some(digest),
            None => self.tags.get(reference)?.at(at).cloned(),
        }
    }

    /// The digest that a reference names now.
    pub(super) fn named(&self, reference: &str) -> Option<Digest> {
        match Digest::parse(reference) {
            Some(digest) => Some(digest),
            None => self.tags.get(reference)?.now().cloned(),
        }
    }

    pub(super) fn manifest_at(&self, digest: &Digest, at: Timestamp) -> Option<&Manifest> {
        self.manifests.get(digest)?.at(at)
    }

    pub(crate) fn manifest(&self, digest: &Digest) -> Option<&Manifest> {
        self.manifests.get(digest)?.now()
    }

    pub(crate) fn manifests_at(&self, at: Timestamp) -> impl Iterator<Item = (&Digest, &Manifest)> {
        let all = self.manifests.iter();
        all.filter_map(move |(digest, past)| Some((digest, past.at(at)?)))
    }

    pub(crate) fn manifests(&self) -> impl Iterator<Item = (&Digest, &Manifest)> {
        let all = self.manifests.iter();
        all.filter_map(|(digest, past)| Some((digest, past.now()?)))
    }

    pub(crate) fn tags_at(&self, at: Timestamp) -> impl Iterator<Item = (&String, &Digest)> {
        let all = self.tags.iter();
        all.filter_map(move |(tag, past)| Some((tag, past.at(at)?)))
    }

    pub(crate) fn tags(&self) -> impl Iterator<Item = (&String, &Digest)> {
        let all = self.tags.iter();
        all.filter_map(|(tag, past)| Some((tag, past.now()?)))
    }

    /// The tags that name a manifest, sorted.
    pub(crate) fn tags_of(&self, digest: &Digest) -> Vec<String> {
        let named = self.tags().filter(|(_, it)| *it == digest);
        named.map(|(tag, _)| tag.clone()).collect()
    }

    pub(crate) fn blob(&self, digest: &Digest) -> Option<&Arc<Vec<u8>>> {
        self.blobs.get(digest)
    }

    pub(crate) fn downloads(&self, digest: &Digest) -> u64 {
        self.downloads.get(digest).copied().unwrap_or(0)
    }

    pub(crate) fn updated(&self, digest: &Digest) -> Timestamp {
        let updated = self.updated.get(digest).copied();
        updated.unwrap_or(Timestamp::EPOCH)
    }

    /// Whether nothing was ever in it, so that nobody can know of it.
    pub(super) fn is_unknown(&self) -> bool {
        self.manifests.is_empty() && self.blobs.is_empty()
    }

    pub(super) fn count_download(&mut self, digest: &Digest, times: u64) {
        *self.downloads.entry(digest.clone()).or_default() += times;
    }

    pub(super) fn put_blob(&mut self, bytes: Arc<Vec<u8>>) -> Digest {
        let digest = Digest::of(&bytes);
        self.blobs.insert(digest.clone(), bytes);
        digest
    }

    pub(super) fn remove_blob(&mut self, digest: &Digest) -> bool {
        self.blobs.remove(digest).is_some()
    }

    /// Puts a manifest, and says what happened by it. `subject` keeps the numbers of two repositories apart.
    pub(super) fn put(&mut self, made: &Made, when: When, subject: &str) -> (Digest, Vec<Deed>) {
        let digest = Digest::of(&made.bytes);
        let past = self.manifests.entry(digest.clone()).or_default();
        if past.now().is_some() {
            return (digest, Vec::new());
        }
        let id = number(&format!("{subject}@{digest}/{}", past.births()));
        let manifest = Manifest {
            id,
            media_type: made.media_type.clone(),
            bytes: Arc::new(made.bytes.clone()),
            created: when.created,
        };
        past.set(when.since, Some(manifest));
        self.updated.insert(digest.clone(), when.created);
        let deed = Deed::ManifestPut {
            digest: digest.clone(),
        };
        (digest, vec![deed])
    }

    /// Lets a tag name a manifest, and says what happened by it.
    pub(super) fn tag(&mut self, tag: &str, digest: &Digest, when: When) -> Vec<Deed> {
        let past = self.tags.entry(tag.to_owned()).or_default();
        let from = past.now().cloned();
        if from.as_ref() == Some(digest) {
            return Vec::new();
        }
        past.set(when.since, Some(digest.clone()));
        for changed in from.iter().chain([digest]) {
            self.updated.insert(changed.clone(), when.created);
        }
        let to = digest.clone();
        let tag = tag.to_owned();
        vec![Deed::TagMoved { tag, from, to }]
    }

    pub(super) fn untag(&mut self, tag: &str, now: Timestamp) -> Option<Deed> {
        let past = self.tags.get_mut(tag)?;
        let from = past.now()?.clone();
        past.set(now, None);
        self.updated.insert(from.clone(), now);
        let tag = tag.to_owned();
        Some(Deed::TagGone { tag, from })
    }

    /// Removes a manifest with all its tags.
    pub(crate) fn remove(&mut self, digest: &Digest, now: Timestamp) -> Option<Deleted> {
        let past = self.manifests.get_mut(digest)?;
        let manifest = past.now()?.clone();
        past.set(now, None);
        let tags = self.tags_of(digest);
        for tag in &tags {
            let past = self.tags.get_mut(tag);
            past.expect("it names the manifest").set(now, None);
        }
        Some(Deleted {
            digest: digest.clone(),
            manifest,
            tags,
            at: now,
        })
    }

    /// Brings back what was removed; tags that name something else by now stay with that.
    pub(crate) fn restore(&mut self, deleted: &Deleted, now: Timestamp) -> Vec<String> {
        let past = self.manifests.entry(deleted.digest.clone()).or_default();
        past.set(now, Some(deleted.manifest.clone()));
        self.updated.insert(deleted.digest.clone(), now);
        let mut back = Vec::new();
        for tag in &deleted.tags {
            let past = self.tags.entry(tag.clone()).or_default();
            if past.now().is_none() {
                past.set(now, Some(deleted.digest.clone()));
                back.push(tag.clone());
            }
        }
        back
    }

    /// What a scenario's index makes of a manifest that is there: it points to it with the platform of its configuration.
    pub(super) fn made(&self, reference: &str) -> Option<Made> {
        let digest = self.named(reference)?;
        let manifest = self.manifest(&digest)?;
        let mut made = of_bytes(&manifest.media_type, &manifest.bytes);
        let content = Content::read(&manifest.bytes).unwrap_or_default();
        made.pointer.platform = content.config.and_then(|it| self.platform(&it));
        Some(made)
    }

    fn platform(&self, config: &Descriptor) -> Option<Platform> {
        let bytes = self.blob(&Digest::parse(&config.digest)?)?;
        let config: Value = serde_json::from_slice(bytes).ok()?;
        let text = |name: &str| Some(config.get(name)?.as_str()?.to_owned());
        Some(Platform {
            architecture: text("architecture")?,
            os: text("os")?,
            variant: text("variant").filter(|it| it != "v8"),
            ..Platform::default()
        })
    }
}

/// Nine digits that the subject decides, so that requests side by side change nothing.
pub(crate) fn number(subject: &str) -> u64 {
    let digits = hex(&Sha256::digest(subject));
    let drawn = u64::from_str_radix(&digits[..12], 16).unwrap_or(0);
    100_000_000 + drawn % 900_000_000
}
