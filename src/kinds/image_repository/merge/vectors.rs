//! What `buildx imagetools create` made of real sources, to the byte.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::ids::Digest;
use crate::kinds::image_repository::platform::Platform;
use crate::providers::registry::Manifest;
use crate::providers::registry::content::{Content, Descriptor};

use super::bytes::{index, united};
use super::part::{Config, entry};

#[derive(Deserialize)]
struct Vector {
    name: String,
    sources: Vec<Source>,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    media_type: String,
    #[serde(rename = "manifest_b64")]
    manifest: String,
    #[serde(rename = "config_b64")]
    config: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    media_type: String,
    digest: Digest,
    #[serde(rename = "body_b64")]
    body: String,
}

fn decoded(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("a vector is base64")
}

fn entries(source: &Source) -> Vec<Descriptor> {
    let bytes = decoded(&source.manifest);
    let manifest = Manifest {
        digest: Digest::of(&bytes),
        media_type: source.media_type.clone(),
        bytes,
    };
    match manifest.content().expect("a source can be read") {
        Content::Index(index) => index.manifests,
        Content::Image(_) => {
            let config = source.config.as_deref().map(decoded);
            let config = config.expect("the configuration of an image is there");
            let config = Config::read(&config).expect("a configuration can be read");
            let platform = Platform::of(&config.platform).expect("it says what it runs on");
            vec![entry(&manifest, &platform)]
        }
    }
}

#[test]
fn writes_to_the_byte_what_buildx_writes() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/registry/merge-vectors.json");
    let text = fs::read_to_string(path).expect("the vectors are there");
    let vectors: Vec<Vector> = serde_json::from_str(&text).expect("the vectors can be read");
    assert_eq!(vectors.len(), 10);
    for Vector {
        name,
        sources,
        expect,
    } in vectors
    {
        let merged = index(&united(sources.iter().flat_map(entries)));
        let body = String::from_utf8(merged.bytes).expect("an index is text");
        let expected = String::from_utf8(decoded(&expect.body)).expect("an index is text");
        assert_eq!(body, expected, "{name}");
        assert_eq!(merged.media_type, expect.media_type, "{name}");
        assert_eq!(merged.digest, expect.digest, "{name}");
    }
}
