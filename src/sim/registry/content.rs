//! Manifests as they are written and read (OCI image specification). The fields stand in the order in which `BuildKit` and
//! buildx write them, indented by two spaces.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::Digest;

pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const EMPTY_CONFIG: &str = "application/vnd.oci.empty.v1+json";

/// A pointer to content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) urls: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Platform {
    pub(super) architecture: String,
    pub(super) os: String,
    #[serde(rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub(super) os_version: Option<String>,
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub(super) os_features: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) variant: Option<String>,
}

/// A manifest of either sort: an index has `manifests`, an image `config` and `layers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Content {
    pub(super) schema_version: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) config: Option<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) layers: Option<Vec<Descriptor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) manifests: Option<Vec<Descriptor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Content {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|it| it.to_string())
    }

    /// What it is written as: Go's encoder escapes three signs that JSON does not ask for.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let text = serde_json::to_string_pretty(self).expect("a manifest is JSON");
        let text = text
            .replace('&', "\\u0026")
            .replace('<', "\\u003c")
            .replace('>', "\\u003e");
        text.into_bytes()
    }

    pub(super) fn children(&self) -> &[Descriptor] {
        self.manifests.as_deref().unwrap_or_default()
    }

    pub(super) fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let layers = self.layers.as_deref().unwrap_or_default();
        self.config.iter().chain(layers)
    }

    /// What sort of artifact a listing of referrers says it is (OCI distribution specification, "Listing Referrers").
    pub(super) fn kind_of_artifact(&self) -> Option<String> {
        let config = self.config.as_ref().map(|it| it.media_type.clone());
        self.artifact_type.clone().or(config)
    }
}

/// A pointer to these bytes.
pub(super) fn pointer(media_type: &str, bytes: &[u8]) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(bytes).to_string(),
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        ..Descriptor::default()
    }
}

pub(super) fn is_index(media_type: &str) -> bool {
    media_type == OCI_INDEX || media_type == DOCKER_LIST
}

pub(super) fn is_known(media_type: &str) -> bool {
    is_index(media_type) || media_type == OCI_MANIFEST || media_type == DOCKER_MANIFEST
}
