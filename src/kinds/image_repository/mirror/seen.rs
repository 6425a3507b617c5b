//! What each mirror serves under the required tags.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use crate::fact::Fact;
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::kind::Context;
use crate::kinds::registry::{Attestations, Registry};
use crate::providers::registry::{Location, Manifest, Registries};

use super::super::spec::Spec;
use super::names::flattened;
use super::read::read;
use super::tree::{Extent, Tree};

/// How many tags of one mirror are asked for side by side.
const SIDE_BY_SIDE_MAX: usize = 16;

/// What was seen of one mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where it is.
    pub at: Location,
    /// Its name as it is declared, which may be deeper than the one that its registry takes.
    pub declared: String,
    /// What becomes of attestations there.
    pub attestations: Attestations,
    /// What it serves, by tag.
    pub tags: BTreeMap<String, Tag>,
}

/// What was seen of one tag of a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What the source serves, or will once it is merged.
    pub wanted: Digest,
    /// What the mirror serves.
    pub serves: Fact<Serves>,
}

/// What a mirror serves under a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serves {
    /// Nothing.
    Nothing,
    /// What the source does.
    Same,
    /// The same images, without the attestations that the source has.
    Reduced,
    /// Something else.
    Other(Digest),
}

/// What a required tag serves, or will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// By its digest.
    pub digest: Digest,
    /// What is merged and not written yet; none: the source serves it.
    pub merged: Option<Manifest>,
}

/// Looks at the required tags of every mirror, one call each where nothing has changed. Tags are never listed there: the
/// registry of Alibaba Cloud wants another login for that (image-syncer, "FAQs").
pub async fn observe(
    (spec, source): (&Spec, &Location),
    context: &Context<'_>,
    wanted: &BTreeMap<String, Wanted>,
) -> Vec<Seen> {
    let mut mirrors = Vec::new();
    for mirror in &spec.mirrors {
        let registry = context.spec::<Registry>(mirror.registry_ref.as_str());
        let at = Location {
            site: registry.site(),
            repository: flattened(&mirror.repository, registry.max_path_depth),
        };
        let look = Look {
            registries: &context.clients.registries,
            source,
            at: &at,
            attestations: registry.attestations,
        };
        let looks: Vec<_> = wanted.iter().map(|it| look.tag(it)).collect();
        let looks = stream::iter(looks).buffered(SIDE_BY_SIDE_MAX);
        let tags = looks.collect().await;
        mirrors.push(Seen {
            declared: mirror.repository.clone(),
            attestations: registry.attestations,
            tags,
            at,
        });
    }
    mirrors
}

/// A look at one mirror.
struct Look<'a> {
    registries: &'a Registries,
    source: &'a Location,
    at: &'a Location,
    attestations: Attestations,
}

impl Look<'_> {
    async fn tag(&self, (tag, wanted): (&String, &Wanted)) -> (String, Tag) {
        let serves = match self.serves(tag, wanted).await {
            Ok(serves) => Fact::Known(serves),
            Err(fault) => Fact::Unknown(fault),
        };
        let seen = Tag {
            wanted: wanted.digest.clone(),
            serves,
        };
        (tag.clone(), seen)
    }

    async fn serves(&self, tag: &str, wanted: &Wanted) -> Result<Serves, Fault> {
        let head = self.registries.head(self.at, tag).await?;
        let Some(head) = head.as_ref() else {
            return Ok(Serves::Nothing);
        };
        if head.digest == wanted.digest {
            return Ok(Serves::Same);
        }
        match self.attestations {
            Attestations::Keep => Ok(Serves::Other(head.digest.clone())),
            Attestations::Drop | Attestations::Auto => self.compare(&head.digest, wanted).await,
        }
    }

    /// Whether the mirror serves the same images, where it may lack attestations, whoever wrote its index.
    async fn compare(&self, there: &Digest, wanted: &Wanted) -> Result<Serves, Fault> {
        let ours = self.wanted(wanted).await?;
        let reduced = ours.without_attestations();
        if reduced.root == *there {
            return Ok(Serves::Reduced);
        }
        let other = Ok(Serves::Other(there.clone()));
        if reduced.root == wanted.digest {
            return other;
        }
        match read(self.registries, self.at, (there, Extent::Indexes)).await {
            Ok(theirs) if ours.serves() == theirs.serves() && !theirs.is_attested() => {
                Ok(Serves::Reduced)
            }
            // What is there cannot be used: it is something else.
            Err(fault) if !matches!(fault.class, Class::Invalid | Class::Gone) => Err(fault),
            Ok(_) | Err(_) => other,
        }
    }

    async fn wanted(&self, wanted: &Wanted) -> Result<Tree, Fault> {
        match &wanted.merged {
            Some(manifest) => Tree::of_merged(manifest)
                .map_err(|why| Fault::new(Class::Bug, "read an index that was merged", &why)),
            None => {
                let indexes = (&wanted.digest, Extent::Indexes);
                read(self.registries, self.source, indexes).await
            }
        }
    }
}
