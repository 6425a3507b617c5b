//! The versions of a repository and how they hang together: pure.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::providers::registry::content::{Content, Descriptor};
use crate::providers::registry::{Blob, Manifest};

/// One version: a manifest with all its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The digest of the manifest.
    pub digest: Digest,
    /// GitHub's number of it; none: another registry's, which names it by its digest.
    pub id: Option<u64>,
    /// Its tags, sorted; empty: untagged.
    pub tags: Vec<String>,
    /// When it was pushed or last tagged; none: nothing tells.
    pub changed: Option<Timestamp>,
    /// What it points to.
    pub links: Links,
}

/// What a manifest points to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// The manifests of an index.
    pub children: Vec<Digest>,
    /// What it is about, as a referrer.
    pub subject: Option<Digest>,
    /// Its configuration and layers; the manifest itself too.
    pub blobs: Vec<Blob>,
}

impl Links {
    /// Reads them from a manifest, or says why it cannot be read.
    pub fn of(manifest: &Manifest) -> Result<Self, String> {
        let itself = Blob {
            digest: manifest.digest.clone(),
            size: u64::try_from(manifest.bytes.len()).unwrap_or(u64::MAX),
        };
        let subject = |it: &Option<Descriptor>| it.as_ref().map(|it| it.digest.clone());
        Ok(match manifest.content()? {
            Content::Index(index) => Self {
                children: index.manifests.iter().map(|it| it.digest.clone()).collect(),
                subject: subject(&index.subject),
                blobs: vec![itself],
            },
            Content::Image(image) => {
                let blobs = std::iter::once(&image.config).chain(&image.layers);
                let blobs = blobs.map(|it| Blob {
                    digest: it.digest.clone(),
                    size: it.size,
                });
                Self {
                    children: Vec::new(),
                    subject: subject(&image.subject),
                    blobs: std::iter::once(itself).chain(blobs).collect(),
                }
            }
        })
    }
}

/// The manifest that a tag stands for because it is about it: the referrers of a registry that lists none
/// (`sha256-<digits>`; OCI distribution specification, "Referrers Tag Schema"), and what cosign writes
/// (`sha256-<digits>.sig`, `.att`, `.sbom`). None: an ordinary tag.
pub fn about(tag: &str) -> Option<Digest> {
    let digits = tag.strip_prefix("sha256-")?;
    let digits = digits
        .strip_suffix(".sig")
        .or_else(|| digits.strip_suffix(".att"))
        .or_else(|| digits.strip_suffix(".sbom"))
        .unwrap_or(digits);
    Digest::parse(&format!("sha256:{digits}"))
}

/// Versions by their place in a list, and what leads from each to which others.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    pub(super) versions: &'a [Version],
    places: BTreeMap<&'a Digest, usize>,
    /// What is kept because a version is: who is about it.
    about: BTreeMap<Digest, Vec<usize>>,
}

impl<'a> Graph<'a> {
    pub(super) fn of(versions: &'a [Version]) -> Self {
        let places = versions.iter().enumerate();
        let places = places.map(|(place, it)| (&it.digest, place)).collect();
        let mut graph = Self {
            versions,
            places,
            about: BTreeMap::new(),
        };
        for (place, version) in versions.iter().enumerate() {
            let tags = version.tags.iter().filter_map(|it| about(it));
            let subjects = version.links.subject.iter().cloned().chain(tags);
            for subject in subjects.filter(|it| *it != version.digest) {
                graph.about.entry(subject).or_default().push(place);
            }
        }
        graph
    }

    /// What a version needs to be whole.
    pub(super) fn children(&self, place: usize) -> impl Iterator<Item = usize> {
        let children = self.versions[place].links.children.iter();
        children.filter_map(|it| self.places.get(it).copied())
    }

    /// What is about a version.
    pub(super) fn companions(&self, place: usize) -> &[usize] {
        let companions = self.about.get(&self.versions[place].digest);
        companions.map_or(&[], Vec::as_slice)
    }
}
