//! What one source gives to a required tag: its one image and the attestations of it. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::ids::Digest;
use crate::plan::Why;
use crate::providers::registry::Manifest;
use crate::providers::registry::content::{
    self, DOCKER_LIST, DOCKER_MANIFEST, Descriptor, OCI_INDEX, OCI_MANIFEST,
};

use super::super::platform::Platform;
use super::super::tags::SourceName;

/// Says that an entry of an index is about another one (`BuildKit`, "Image attestation storage").
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
/// Which one that is.
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";
/// The commit that an image was built from (OCI image specification, "Pre-Defined Annotation Keys").
const REVISION: &str = "org.opencontainers.image.revision";

/// What one source gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The source.
    pub source: SourceName,
    /// What its tag names.
    pub digest: Digest,
    /// Its image, then the attestations of that.
    pub entries: Vec<Descriptor>,
    /// Attestations that are left out, since what they are about is not there.
    pub dropped: Vec<Digest>,
    /// The commit that it says it was built from; none: it does not say.
    pub revision: Option<String>,
    /// The layers of its image.
    pub layers: Vec<Descriptor>,
}

/// The parts of an image's configuration that matter here (OCI image specification, "Image Configuration").
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    /// What it runs on.
    #[serde(flatten)]
    pub(super) platform: content::Platform,
    config: Labels,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Labels {
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

impl Config {
    /// Reads it, or tells in words why it cannot be read.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|it| it.to_string())
    }

    /// The commit that it was built from, by its label.
    pub(super) fn revision(&self) -> Option<String> {
        noted(self.config.labels.as_ref()?)
    }
}

/// The commit that is noted; an empty note is none.
pub(super) fn noted(annotations: &BTreeMap<String, String>) -> Option<String> {
    let revision = annotations.get(REVISION)?;
    (!revision.is_empty()).then(|| revision.clone())
}

/// What is to be kept of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picked {
    /// The one image.
    pub(super) image: Descriptor,
    /// What is about it.
    pub(super) attestations: Vec<Descriptor>,
    /// What is about something that is not there.
    pub(super) dropped: Vec<Digest>,
}

/// Picks the one image of the wanted platform out of an index, and what is about it.
pub(super) fn pick(source: &SourceName, entries: &[Descriptor]) -> Result<Picked, Why> {
    let is_index = |it: &&Descriptor| [OCI_INDEX, DOCKER_LIST].contains(&it.media_type.as_str());
    if let Some(nested) = entries.iter().find(is_index) {
        let message = format!(
            "{} has an index in its index, {}, which nothing could run",
            source.tag, nested.digest
        );
        return Err(Why::new("NestedIndex", message));
    }
    let (images, others): (Vec<_>, Vec<_>) = entries.iter().partition(|it| is_runnable(it));
    let mut image: Option<&Descriptor> = None;
    for entry in images {
        fits(source, entry)?;
        match image {
            Some(other) if other.digest != entry.digest => {
                let message = format!(
                    "{} has two images for {}, {} and {}",
                    source.tag, source.platform, other.digest, entry.digest
                );
                return Err(Why::new("PlatformDoubled", message));
            }
            Some(_) | None => image = Some(entry),
        }
    }
    let Some(image) = image else {
        let message = format!("{} has no image for {}", source.tag, source.platform);
        return Err(Why::new("PlatformMissing", message));
    };
    let (attestations, rest): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|it| subject(it) == Some(image.digest.as_str()));
    Ok(Picked {
        image: image.clone(),
        attestations: attestations.into_iter().cloned().collect(),
        dropped: rest.into_iter().map(|it| it.digest.clone()).collect(),
    })
}

/// Whether an entry is an image rather than something about one. Tools that lose the annotations of an attestation leave
/// its platform, `unknown/unknown`.
pub(in super::super) fn is_runnable(entry: &Descriptor) -> bool {
    let is_unknown = |it: &content::Platform| it.os == "unknown" && it.architecture == "unknown";
    !entry.annotations.contains_key(REFERENCE_TYPE)
        && !entry.platform.as_ref().is_some_and(is_unknown)
}

fn subject(entry: &Descriptor) -> Option<&str> {
    entry.annotations.get(REFERENCE_DIGEST).map(String::as_str)
}

/// Refuses an entry that is no image for the platform of its source.
fn fits(source: &SourceName, entry: &Descriptor) -> Result<(), Why> {
    if ![OCI_MANIFEST, DOCKER_MANIFEST].contains(&entry.media_type.as_str()) {
        let message = format!(
            "{} has {} of the media type {}, which is no image",
            source.tag, entry.digest, entry.media_type
        );
        return Err(Why::new("NotAnImage", message));
    }
    let Some(platform) = &entry.platform else {
        let message = format!("{} does not say what {} runs on", source.tag, entry.digest);
        return Err(Why::new("PlatformMissing", message));
    };
    runs_on(source, platform).map(|_| ())
}

/// Refuses a platform that is not that of the source.
pub(super) fn runs_on(source: &SourceName, said: &content::Platform) -> Result<Platform, Why> {
    let tag = &source.tag;
    let Some(platform) = Platform::of(said) else {
        let (os, architecture) = (&said.os, &said.architecture);
        let message = format!("{tag} says that its image runs on `{os}/{architecture}`");
        return Err(Why::new("PlatformEmpty", message));
    };
    if platform != source.platform {
        let message = format!(
            "{tag} serves {platform}, and must serve {}",
            source.platform
        );
        return Err(Why::new("PlatformMismatch", message));
    }
    Ok(platform)
}

/// The entry of a source that is an image itself, as buildx writes it.
pub(super) fn entry(manifest: &Manifest, platform: &Platform) -> Descriptor {
    Descriptor {
        media_type: manifest.media_type.clone(),
        digest: manifest.digest.clone(),
        size: manifest.bytes.len().try_into().unwrap_or(u64::MAX),
        urls: Vec::new(),
        annotations: BTreeMap::new(),
        data: None,
        platform: Some(platform.written()),
        artifact_type: None,
    }
}

/// What two entries must share to be the same to whoever pulls them.
pub(super) fn meaning(
    entry: &Descriptor,
) -> (&str, &Digest, u64, Option<Platform>, [Option<&str>; 2]) {
    let note = |key| entry.annotations.get(key).map(String::as_str);
    (
        &entry.media_type,
        &entry.digest,
        entry.size,
        entry.platform.as_ref().and_then(Platform::of),
        [note(REFERENCE_TYPE), note(REFERENCE_DIGEST)],
    )
}
