//! One version of a repository: one manifest with its tags, and what it points to.

use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::providers::registry::content::Content;
use crate::providers::registry::{Blob, Manifest};

/// One version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// GitHub's number of it; none: the registry has none.
    pub id: Option<u64>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its tags, sorted; empty: untagged.
    pub tags: Vec<String>,
    /// When it was pushed first; where the registry does not tell, when it was built; none: nothing tells.
    pub created: Option<Timestamp>,
    /// When it was last changed, its tags too; none: nothing tells.
    pub updated: Option<Timestamp>,
    /// What it points to.
    pub links: Links,
}

/// What a manifest points to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// The manifests that it is put together of.
    pub children: Vec<Digest>,
    /// The manifest that it is about.
    pub subject: Option<Digest>,
    /// Its configuration and layers.
    pub blobs: Vec<Blob>,
    /// Its own bytes.
    pub size: u64,
}

impl Links {
    /// What a manifest points to, or in words why that cannot be told.
    pub(super) fn of(manifest: &Manifest) -> Result<Self, String> {
        let size = u64::try_from(manifest.bytes.len()).unwrap_or(u64::MAX);
        Ok(match manifest.content()? {
            Content::Index(index) => Self {
                children: index.manifests.into_iter().map(|it| it.digest).collect(),
                subject: index.subject.map(|it| it.digest),
                blobs: Vec::new(),
                size,
            },
            Content::Image(image) => Self {
                children: Vec::new(),
                subject: image.subject.map(|it| it.digest),
                blobs: std::iter::once(image.config)
                    .chain(image.layers)
                    .map(|it| Blob {
                        digest: it.digest,
                        size: it.size,
                    })
                    .collect(),
                size,
            },
        })
    }
}

/// The manifest that a tag is about by its name alone: the fallback tag of referrers, and the tags of cosign and ko, as in
/// `sha256-<hex>`, `sha256-<hex>.sig`, `.att`, `.sbom` (OCI distribution specification, "Referrers Tag Schema"; cosign,
/// "Signature Specification").
pub(super) fn named_after(tag: &str) -> Option<Digest> {
    let rest = tag.strip_prefix("sha256-")?;
    let (hex, rest) = rest.split_at_checked(64)?;
    let is_companion = rest.is_empty() || rest.starts_with('.');
    is_companion.then(|| Digest::parse(&format!("sha256:{hex}")))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_tags_are_about_a_digest() {
        let digest = Digest::of(b"one");
        let hex = digest.digits();
        for (tag, expected) in [
            (format!("sha256-{hex}"), true),
            (format!("sha256-{hex}.sig"), true),
            (format!("sha256-{hex}.att"), true),
            (format!("sha256-{hex}.sbom"), true),
            (format!("sha256-{hex}0"), false),
            (format!("sha256-{}", &hex[1..]), false),
            (format!("sha512-{hex}"), false),
            ("latest".to_owned(), false),
            ("sha256-é".to_owned(), false),
        ] {
            assert_eq!(named_after(&tag).is_some(), expected, "{tag}");
        }
    }
}
