//! Makes images of a few words: the same words give the same blobs, manifests and digests, and they are true ones.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::sim::registry::content::{
    Content, DOCKER_LIST, DOCKER_MANIFEST, Descriptor, EMPTY_CONFIG, OCI_INDEX, OCI_MANIFEST,
    Platform, is_index, pointer,
};
use crate::sim::registry::layer;
use crate::sim::registry::written::{Attested, Manifest};

const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const REVISION: &str = "org.opencontainers.image.revision";

/// A manifest together with what it is served as.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
    /// How an index points to it.
    pub(super) pointer: Descriptor,
}

/// Everything that an image is made of; the last manifest is the one that its tags name.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    pub(super) blobs: Vec<Vec<u8>>,
    pub(super) manifests: Vec<Made>,
}

impl Parts {
    fn blob(&mut self, media_type: &str, bytes: Vec<u8>) -> Descriptor {
        let pointer = pointer(media_type, &bytes);
        self.blobs.push(bytes);
        pointer
    }
}

fn made(content: &Content, platform: Option<Platform>) -> Made {
    let bytes = content.bytes();
    let mut pointer = pointer(&content.media_type, &bytes);
    pointer.platform = platform;
    Made {
        media_type: content.media_type.clone(),
        bytes,
        pointer,
    }
}

/// An image, with its attestation and the index of both where it has one.
pub(super) fn image(image: &Manifest, created: Timestamp) -> Parts {
    let mut parts = Parts::default();
    let platform = platform(&image.platform);
    let single = single(image, &platform, created, &mut parts);
    let attestation = match image.attested {
        Attested::Plain(false) => None,
        Attested::Plain(true) => Some(attestation(&single.pointer, true, &mut parts)),
        Attested::Before(_) => Some(attestation(&single.pointer, false, &mut parts)),
    };
    let Some(attestation) = attestation else {
        parts.manifests.push(single);
        return parts;
    };
    let children = [single.pointer.clone(), attestation.pointer.clone()];
    parts.manifests.extend([single, attestation]);
    parts
        .manifests
        .push(index_of(OCI_INDEX, &children, BTreeMap::new()));
    parts
}

/// As in `linux/arm64/v8`.
fn platform(text: &str) -> Platform {
    let mut words = text.split('/').map(str::to_owned);
    Platform {
        os: words.next().unwrap_or_default(),
        architecture: words.next().unwrap_or_default(),
        variant: words.next(),
        ..Platform::default()
    }
}

/// The image itself; an index says nothing of a variant that `BuildKit` would leave out.
fn single(image: &Manifest, platform: &Platform, created: Timestamp, parts: &mut Parts) -> Made {
    let (manifest, config, layer) = if image.docker {
        (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER)
    } else {
        (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER)
    };
    let name = image.tags.first().or(image.name.as_ref());
    let usual = [name.cloned().unwrap_or_default()];
    let texts = if image.layers.is_empty() {
        &usual
    } else {
        image.layers.as_slice()
    };
    let mut diffs = Vec::new();
    let layers = texts.iter().map(|text| {
        let made = if image.estargz {
            layer::estargz(text)
        } else {
            layer::plain(text)
        };
        diffs.push(made.uncompressed);
        let mut pointer = parts.blob(layer, made.bytes);
        if let Some(toc) = made.toc {
            let size = made.uncompressed_bytes.to_string();
            let notes = [
                ("containerd.io/snapshot/stargz/toc.digest", toc.to_string()),
                ("io.containers.estargz.uncompressed-size", size),
            ];
            pointer.annotations = notes.map(|(key, value)| (key.to_owned(), value)).into();
        }
        pointer
    });
    let layers = layers.collect();
    let configured = configuration(image, platform, &diffs, created);
    let config = parts.blob(config, configured.to_string().into_bytes());
    let content = Content {
        schema_version: 2,
        media_type: manifest.to_owned(),
        config: Some(config),
        layers: Some(layers),
        ..Content::default()
    };
    let shown = Platform {
        variant: platform.variant.clone().filter(|it| it != "v8"),
        ..platform.clone()
    };
    made(&content, Some(shown))
}

fn configuration(
    image: &Manifest,
    platform: &Platform,
    diffs: &[Digest],
    created: Timestamp,
) -> Value {
    let mut labels = image.labels.clone();
    if let Some(revision) = &image.revision {
        labels.insert(REVISION.to_owned(), revision.clone());
    }
    let mut config = json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "created": created,
        "config": {"Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": diffs},
    });
    if let Some(variant) = &platform.variant {
        config["variant"] = json!(variant);
    }
    config
}

/// `BuildKit`, `exporter/containerimage/writer.go`, `commitAttestationsManifest`.
fn attestation(image: &Descriptor, is_artifact: bool, parts: &mut Parts) -> Made {
    let kind = "https://slsa.dev/provenance/v0.2";
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": kind,
        "subject": [{"digest": {"sha256": image.digest.trim_start_matches("sha256:")}}],
        "predicate": {},
    });
    let mut layer = parts.blob(
        "application/vnd.in-toto+json",
        statement.to_string().into_bytes(),
    );
    layer.annotations = [("in-toto.io/predicate-type".to_owned(), kind.to_owned())].into();
    let config = if is_artifact {
        let mut empty = parts.blob(EMPTY_CONFIG, b"{}".to_vec());
        empty.data = Some(STANDARD.encode("{}"));
        empty
    } else {
        let diffs = [&layer.digest];
        let unknown = json!({
            "architecture": "unknown", "os": "unknown", "config": {},
            "rootfs": {"type": "layers", "diff_ids": diffs},
        });
        parts.blob(OCI_CONFIG, unknown.to_string().into_bytes())
    };
    let subject = Descriptor {
        platform: None,
        ..image.clone()
    };
    let content = Content {
        schema_version: 2,
        media_type: OCI_MANIFEST.to_owned(),
        artifact_type: is_artifact
            .then(|| "application/vnd.docker.attestation.manifest.v1+json".to_owned()),
        config: Some(config),
        layers: Some(vec![layer]),
        subject: is_artifact.then_some(subject),
        ..Content::default()
    };
    let mut made = made(&content, Some(platform("unknown/unknown")));
    let notes = [
        ("vnd.docker.reference.digest", image.digest.as_str()),
        ("vnd.docker.reference.type", "attestation-manifest"),
    ];
    made.pointer.annotations = notes
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    made
}

/// An index of what `find` gives for its children, or the child that it does not know.
pub(super) fn index(index: &Manifest, find: impl Fn(&str) -> Option<Made>) -> Result<Made, String> {
    let mut children = Vec::new();
    for name in index.of.iter().flatten() {
        let child = find(name).ok_or_else(|| name.clone())?;
        let content = Content::read(&child.bytes).unwrap_or_default();
        if is_index(&child.media_type) && !index.nested {
            children.extend_from_slice(content.children());
        } else {
            children.push(child.pointer);
        }
    }
    let media_type = if index.docker { DOCKER_LIST } else { OCI_INDEX };
    Ok(index_of(media_type, &children, index.annotations.clone()))
}

fn index_of(
    media_type: &str,
    children: &[Descriptor],
    annotations: BTreeMap<String, String>,
) -> Made {
    let content = Content {
        schema_version: 2,
        media_type: media_type.to_owned(),
        manifests: Some(children.to_vec()),
        annotations,
        ..Content::default()
    };
    made(&content, None)
}

/// A manifest to the byte.
pub(super) fn raw(raw: &Manifest, base64: &str) -> Result<Made, String> {
    let bytes = STANDARD.decode(base64).map_err(|it| it.to_string())?;
    let said = Content::read(&bytes).unwrap_or_default().media_type;
    let said = Some(said).filter(|it| !it.is_empty());
    let media_type = raw.media_type.clone().or(said);
    Ok(of_bytes(
        media_type.as_deref().unwrap_or(OCI_MANIFEST),
        &bytes,
    ))
}

/// A manifest that is there already.
pub(super) fn of_bytes(media_type: &str, bytes: &[u8]) -> Made {
    Made {
        media_type: media_type.to_owned(),
        pointer: pointer(media_type, bytes),
        bytes: bytes.to_vec(),
    }
}
