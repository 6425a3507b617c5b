//! What each mirror serves under the required tags.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};

use crate::fact::Fact;
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::kind::Context;
use crate::kinds::registry::{Attestations, Registry};
use crate::providers::registry::{Location, Registries};

use super::super::spec::Spec;
use super::companions::{NAMED_AFTER, Said, named};
use super::names::flattened;
use super::read::read;
use super::tree::{Extent, Tree};
use super::wanted::Wanted;

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
    /// What it serves, by tag: the required ones, and those that are named after what these serve and were pushed later,
    /// such as signatures.
    pub tags: BTreeMap<String, Tag>,
    /// How many tags the source has in all; none: they could not be listed, so that nothing that came later is known.
    pub listed: Option<usize>,
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

/// Looks at the required tags of every mirror, one call each where nothing has changed. Tags are never listed there: the
/// registry of Alibaba Cloud wants another login for that (image-syncer, "FAQs").
pub(in super::super) async fn observe(
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
        let mut tags: BTreeMap<String, Tag> = looks.collect().await;
        let later = look.later(&tags).await.ok();
        let (listed, later) = later.unzip();
        tags.extend(later.unwrap_or_default());
        mirrors.push(Seen {
            declared: mirror.repository.clone(),
            attestations: registry.attestations,
            tags,
            listed,
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

    /// How many tags the source has, and what was seen of those that are named after what the mirror serves already: a
    /// signature comes after what it signs, and may come after its copy.
    async fn later(
        &self,
        tags: &BTreeMap<String, Tag>,
    ) -> Result<(usize, BTreeMap<String, Tag>), Fault> {
        let listed = self.registries.tags(self.source).await?;
        let listed = listed.items();
        let count = listed.len();
        if !listed.iter().any(|it| it.starts_with(NAMED_AFTER)) {
            return Ok((count, BTreeMap::new()));
        }
        let mut later = BTreeMap::new();
        for tag in tags.values() {
            let (about, said) = self.about(tag).await?;
            let names = said.tags(&about).into_iter();
            let names = names.filter(|it| listed.binary_search(it).is_ok());
            let found = named(self.registries, self.source, names.collect()).await?;
            for companion in found {
                let wanted = Wanted {
                    digest: companion.digest.clone(),
                    merged: None,
                };
                let reference = companion.reference().to_owned();
                let (tag, seen) = self.tag((&reference, &wanted)).await;
                later.insert(tag, seen);
            }
        }
        Ok((count, later))
    }

    /// What a mirror serves already that something may be said about, and how much of that it takes.
    async fn about(&self, tag: &Tag) -> Result<(BTreeSet<Digest>, Said), Fault> {
        let (is_whole, said) = match (&tag.serves, self.attestations) {
            (Fact::Known(Serves::Same), Attestations::Keep) => (true, Said::Everything),
            // What a registry may refuse would be tried in every pass.
            (Fact::Known(Serves::Same), Attestations::Drop | Attestations::Auto) => {
                (true, Said::Signatures)
            }
            (Fact::Known(Serves::Reduced), _) => (false, Said::Signatures),
            // It comes with the tag.
            (Fact::Known(Serves::Nothing | Serves::Other(_)) | Fact::Unknown(_), _) => {
                return Ok((BTreeSet::new(), Said::Everything));
            }
        };
        let indexes = (&tag.wanted, Extent::Indexes);
        let mut tree = read(self.registries, self.source, indexes).await?;
        if !is_whole {
            tree = tree.without_attestations();
        }
        let images = tree.serves().into_iter().map(|(digest, _)| digest);
        let all = images.chain(tree.digests().cloned());
        Ok((all.collect(), said))
    }

    async fn wanted(&self, wanted: &Wanted) -> Result<Tree, Fault> {
        if let Some(manifest) = &wanted.merged {
            let bug = |why: String| Fault::new(Class::Bug, "read an index that was merged", &why);
            return Tree::of_merged(manifest).map_err(bug);
        }
        let indexes = (&wanted.digest, Extent::Indexes);
        read(self.registries, self.source, indexes).await
    }
}
