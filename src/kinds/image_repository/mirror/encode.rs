//! An index to the byte, as buildx writes it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ids::Digest;
use crate::providers::registry::Manifest;
use crate::providers::registry::content::{Descriptor, Index};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    schema_version: u32,
    media_type: &'a str,
    manifests: &'a [Descriptor],
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// Writes an index.
pub(super) fn encoded(media_type: &str, index: &Index) -> Manifest {
    let written = Written {
        schema_version: 2,
        media_type,
        manifests: &index.manifests,
        subject: index.subject.as_ref(),
        annotations: &index.annotations,
    };
    let text = serde_json::to_string_pretty(&written).expect("an index is made of JSON's types");
    // As Go does it, so that the text may stand in a page.
    let escaped = [
        ('&', "\\u0026"),
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ];
    let text = escaped
        .iter()
        .fold(text, |text, (from, to)| text.replace(*from, to));
    let bytes = text.into_bytes();
    Manifest {
        digest: Digest::of(&bytes),
        media_type: media_type.to_owned(),
        bytes,
    }
}
