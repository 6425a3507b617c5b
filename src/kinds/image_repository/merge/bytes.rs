//! The merged index, to the byte as buildx writes it, so that a job that runs `imagetools create` and we agree on the
//! digest instead of fighting: pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ids::Digest;
use crate::providers::registry::Manifest;
use crate::providers::registry::content::{DOCKER_LIST, Descriptor, Index, OCI_INDEX};

/// The fields stand in the order in which buildx writes them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    schema_version: u8,
    media_type: &'a str,
    manifests: &'a [Descriptor],
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// Puts entries together as `buildx imagetools create` does: one that comes twice stays where it came first, with the
/// later platform and the annotations of both (buildx, `util/imagetools/create.go`).
pub(super) fn united(entries: impl Iterator<Item = Descriptor>) -> Vec<Descriptor> {
    let mut united: Vec<Descriptor> = Vec::new();
    for entry in entries {
        let known = united.iter_mut().find(|it| it.digest == entry.digest);
        let Some(known) = known else {
            united.push(entry);
            continue;
        };
        if entry.platform.is_some() {
            known.platform = entry.platform;
        }
        known.annotations.extend(entry.annotations);
    }
    united
}

/// The index of these entries. It is one of Docker's only where every entry is.
pub(super) fn index(entries: &[Descriptor]) -> Manifest {
    let is_docker = |it: &Descriptor| it.media_type.starts_with("application/vnd.docker.");
    let media_type = if entries.iter().all(is_docker) {
        DOCKER_LIST
    } else {
        OCI_INDEX
    };
    let index = Index {
        manifests: entries.to_vec(),
        ..Index::default()
    };
    written(media_type, &index)
}

/// An index to the byte.
pub(in super::super) fn written(media_type: &str, index: &Index) -> Manifest {
    let index = Written {
        schema_version: 2,
        media_type,
        manifests: &index.manifests,
        subject: index.subject.as_ref(),
        annotations: &index.annotations,
    };
    let text = serde_json::to_string_pretty(&index).expect("an index is made of JSON's types");
    let bytes = escaped(&text).into_bytes();
    Manifest {
        digest: Digest::of(&bytes),
        media_type: media_type.to_owned(),
        bytes,
    }
}

/// As Go writes JSON: what HTML or JavaScript would stumble over is escaped (Go, `encoding/json`, `Marshal`). Outside of
/// its strings JSON has none of these.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("\\u0026"),
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn escapes_what_go_escapes_and_nothing_else() {
        let text = "a & <b> \u{2028}\u{2029} é \u{7f} /";
        let expected = "a \\u0026 \\u003cb\\u003e \\u2028\\u2029 é \u{7f} /";
        assert_eq!(escaped(text), expected);
    }
}
