//! What a manifest says: an index of others, or an image or artifact with its blobs. Pure.
//!
//! Keys that are not known here are lost, so nothing read by this is ever written again but what is made anew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Manifest;
use crate::ids::Digest;
use crate::providers::secret::clean;

/// OCI index (OCI image specification, "Media Types").
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Docker manifest list (Docker documentation, "Image Manifest Version 2, Schema 2").
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// How many bytes a manifest may have: what registries take (OCI distribution specification, "Pushing Manifests").
pub const MANIFEST_BYTES_MAX: u64 = 4 << 20;

#[expect(
    clippy::large_enum_variant,
    reason = "it is looked at where it is read, and not kept"
)]
/// What a manifest is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// It points to other manifests.
    Index(Index),
    /// It points to blobs.
    Image(Image),
}

/// An index of manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Index {
    /// In their order.
    pub manifests: Vec<Descriptor>,
    /// What it is about, as a referrer; none: nothing.
    pub subject: Option<Descriptor>,
    /// What is noted on it.
    pub annotations: BTreeMap<String, String>,
}

/// An image or another artifact.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Its configuration.
    pub config: Descriptor,
    /// In their order, the base first.
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    /// What it is about, as a referrer; none: nothing.
    #[serde(default)]
    pub subject: Option<Descriptor>,
    /// What sort of artifact it is; none: an image.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// What is noted on it.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// A pointer to content (OCI image specification, "Content Descriptors"). The fields stand in the order in which buildx
/// writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Where else it can be had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// What is noted on it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The content itself, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What sort of artifact it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

/// What an image runs on, as it is written. The fields stand in the order in which buildx writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Platform {
    /// As in `amd64`.
    pub architecture: String,
    /// As in `linux`.
    pub os: String,
    /// The version of the system.
    #[serde(rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// What the system must have.
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// As in `v8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Manifest {
    /// Reads what it says, or tells in words why it cannot be read. A media type that is not known is such a reason.
    pub fn content(&self) -> Result<Content, String> {
        // It may quote what is there, however long that is.
        let unreadable = |it: serde_json::Error| {
            let why = clean(&it.to_string(), &[]);
            format!("{} cannot be read: {why}", self.digest)
        };
        match self.media_type.as_str() {
            OCI_INDEX | DOCKER_LIST => serde_json::from_slice(&self.bytes)
                .map(Content::Index)
                .map_err(unreadable),
            OCI_MANIFEST | DOCKER_MANIFEST => serde_json::from_slice(&self.bytes)
                .map(Content::Image)
                .map_err(unreadable),
            other => Err(format!(
                "{} is of the media type {other}, which is not known",
                self.digest
            )),
        }
    }
}
