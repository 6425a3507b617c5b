//! What is said about a manifest beside it: others that refer to it, and signatures under tags that are named after it.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::fault::Fault;
use crate::ids::Digest;
use crate::providers::registry::{Location, Registries};

/// How many manifests are asked about side by side.
const SIDE_BY_SIDE_MAX: usize = 8;

/// What a tag begins with that is named after a digest.
pub(super) const NAMED_AFTER: &str = "sha256-";

/// A manifest that says something about another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Companion {
    /// What it is.
    pub(super) digest: Digest,
    /// The tag that names it after the other; none: it names that as its subject.
    pub(super) tag: Option<String>,
}

impl Companion {
    /// One that names the other as its subject.
    pub(super) fn referring(digest: &Digest) -> Self {
        Self {
            digest: digest.clone(),
            tag: None,
        }
    }

    /// What it is asked for and written by.
    pub(super) fn reference(&self) -> &str {
        self.tag.as_deref().unwrap_or(self.digest.as_str())
    }
}

/// The tag under which a registry that lists no referrers of a manifest has an index of them (OCI distribution
/// specification, "Referrers Tag Schema").
pub(super) fn note_of(subject: &Digest) -> String {
    format!("{NAMED_AFTER}{}", subject.digits())
}

/// How much of what is said is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// All of it.
    Everything,
    /// Signatures and bills of material that cosign writes as ordinary images: registries that refuse attestations
    /// refuse every artifact that names a subject.
    Signatures,
}

impl Said {
    /// What a tag ends with that is named after a digest: the referrers of a registry that lists none (OCI distribution
    /// specification, "Referrers Tag Schema"), and what cosign writes.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Everything => &["", ".sig", ".att", ".sbom"],
            Self::Signatures => &[".sig", ".sbom"],
        }
    }

    /// The tags that may say something about these manifests.
    pub(super) fn tags(self, about: &BTreeSet<Digest>) -> Vec<String> {
        let of = |it: &Digest| {
            let digits = it.digits().to_owned();
            let endings = self.endings().iter();
            endings.map(move |end| format!("{NAMED_AFTER}{digits}{end}"))
        };
        about.iter().flat_map(of).collect()
    }
}

/// Finds what is said about these manifests.
pub(super) async fn find(
    registries: &Registries,
    at: &Location,
    (about, said): (&BTreeSet<Digest>, Said),
) -> Result<BTreeSet<Companion>, Fault> {
    // Where tags cannot be listed, as some registries do not let everybody, each that may be is asked for.
    let listed = registries.tags(at).await.ok();
    let tags = said.tags(about).into_iter().filter(|it| {
        let listed = listed.as_ref();
        listed.is_none_or(|all| all.items().binary_search(it).is_ok())
    });
    let mut found = named(registries, at, tags.collect()).await?;
    match said {
        Said::Everything => found.extend(referring(registries, at, about).await?),
        Said::Signatures => {}
    }
    Ok(found)
}

/// What these tags name, as far as they are there.
pub(super) async fn named(
    registries: &Registries,
    at: &Location,
    tags: Vec<String>,
) -> Result<BTreeSet<Companion>, Fault> {
    let looks = tags.into_iter().map(|tag| async move {
        let head = registries.head(at, &tag).await?;
        let digest = head.as_ref().as_ref().map(|it| it.digest.clone());
        let companion = digest.map(|digest| Companion {
            digest,
            tag: Some(tag),
        });
        Ok::<_, Fault>(companion)
    });
    let looks: Vec<_> = looks.collect();
    let looks = stream::iter(looks).buffered(SIDE_BY_SIDE_MAX);
    let found: Vec<_> = looks.try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// Manifests whose subject is one of these.
async fn referring(
    registries: &Registries,
    at: &Location,
    about: &BTreeSet<Digest>,
) -> Result<BTreeSet<Companion>, Fault> {
    let looks: Vec<_> = about
        .iter()
        .map(|it| registries.referrers(at, it))
        .collect();
    let looks = stream::iter(looks).buffered(SIDE_BY_SIDE_MAX);
    let found: Vec<Vec<Digest>> = looks.try_collect().await?;
    Ok(found.iter().flatten().map(Companion::referring).collect())
}
