//! Whether copies of required tags are whole: after everything that we did there, and where they are said to be ready
//! (I2, L1).

use std::collections::{BTreeMap, BTreeSet};

use reconcile::engine::Inventory;
use reconcile::ids::{Digest, ResourceId};
use reconcile::kinds::{image_repository, registry};
use reconcile::providers::registry::content::{Content, Descriptor, Index};
use reconcile::report::{Report, State};
use reconcile::resource::Goal;
use reconcile::sim::World;
use reconcile::sim::registry::history::{By, Deed};

use super::tags::manifests;

/// A copy that is declared: where from and where to.
struct Copy<'a> {
    resource: &'a ResourceId,
    spec: &'a image_repository::Spec,
    from: (String, String),
    to: (String, String),
}

impl<'a> Copy<'a> {
    fn all(inventory: &'a Inventory) -> Vec<Self> {
        let registry = |name: &str| {
            let registry = &inventory.resources[&ResourceId::new("Registry", name)];
            let spec: Option<&registry::Spec> = registry.spec().downcast_ref();
            spec.expect("references were checked")
        };
        let mut copies = Vec::new();
        for resource in inventory.resources.values() {
            let spec: Option<&image_repository::Spec> = resource.spec().downcast_ref();
            let Some(spec) = spec.filter(|_| resource.policy().ensure == Goal::Present) else {
                continue;
            };
            let home = registry(spec.registry_ref.as_str()).host.clone();
            for mirror in &spec.mirrors {
                let there = registry(mirror.registry_ref.as_str());
                copies.push(Self {
                    resource: resource.id(),
                    spec,
                    from: (home.clone(), spec.repository.clone()),
                    to: (there.host.clone(), flattened(&mirror.repository, there)),
                });
            }
        }
        copies
    }
}

/// The name in a registry that knows only so many parts, 0: any number: what is too many is put together with dashes.
fn flattened(repository: &str, there: &registry::Spec) -> String {
    match (there.max_path_depth as usize, repository.split('/').count()) {
        (0, _) => repository.to_owned(),
        (depth, parts) if parts <= depth => repository.to_owned(),
        (depth, _) => {
            let parts: Vec<&str> = repository.splitn(depth, '/').collect();
            let (last, first) = parts.split_last().expect("a name has a part");
            let last = last.replace('/', "-");
            [first, &[last.as_str()]].concat().join("/")
        }
    }
}

/// What one repository holds now.
struct Held {
    tags: BTreeMap<String, Digest>,
    manifests: BTreeMap<Digest, Content>,
}

impl Held {
    fn of(world: &mut World, place: &(String, String)) -> Self {
        let now = world.scenario().start;
        let place = (place.0.as_str(), place.1.as_str());
        Self {
            tags: world.tags(place, now),
            manifests: manifests(world, place),
        }
    }

    /// What is named from a manifest, at any depth, and is not there.
    fn lacking(&self, world: &mut World, place: &(String, String), digest: &Digest) -> Vec<Digest> {
        match self.manifests.get(digest) {
            None => vec![digest.clone()],
            Some(Content::Image(image)) => {
                let blobs = std::iter::once(&image.config).chain(&image.layers);
                let blobs = blobs.map(|it| it.digest.clone());
                let place = (place.0.as_str(), place.1.as_str());
                blobs.filter(|it| world.blob(place, it).is_none()).collect()
            }
            Some(Content::Index(index)) => {
                let children = index.manifests.iter();
                let below = children.map(|it| self.lacking(world, place, &it.digest));
                below.flatten().collect()
            }
        }
    }

    /// The images that a tag serves.
    fn images(&self, tag: &str) -> Option<BTreeSet<Digest>> {
        let digest = self.tags.get(tag)?;
        Some(match self.manifests.get(digest)? {
            Content::Image(_) => [digest.clone()].into(),
            Content::Index(index) => images(index),
        })
    }
}

fn images(index: &Index) -> BTreeSet<Digest> {
    let entries = index.manifests.iter();
    let is_image = |it: &&Descriptor| !it.annotations.contains_key("vnd.docker.reference.type");
    entries
        .filter(is_image)
        .map(|it| it.digest.clone())
        .collect()
}

/// Every tag that we moved at a copy and that still names the same has all that it needs.
pub(crate) fn watch(inventory: &Inventory, world: &mut World, name: &str) {
    for copy in Copy::all(inventory) {
        let held = Held::of(world, &copy.to);
        let history = world.registry_history().to_vec();
        for happening in history.iter().filter(|it| it.by == By::Client) {
            let is_here = happening.host == copy.to.0 && happening.repository == copy.to.1;
            let Deed::TagMoved { tag, to, .. } = &happening.what else {
                continue;
            };
            if is_here && held.tags.get(tag) == Some(to) {
                let lacking = held.lacking(world, &copy.to, to);
                assert_eq!(lacking, [], "{name}: I2, the copy {tag} in {:?}", copy.to);
            }
        }
    }
}

/// A copy that is said to be ready serves the images that its source serves.
pub(crate) fn check_end(inventory: &Inventory, world: &mut World, (name, report): (&str, &Report)) {
    for copy in Copy::all(inventory) {
        let said = report.resources.get(copy.resource);
        if said.is_none_or(|it| it.state != State::Ready) {
            continue;
        }
        let (from, to) = (Held::of(world, &copy.from), Held::of(world, &copy.to));
        let has_sources = |tag: &str| {
            let mut sources = copy.spec.sources_of(tag).into_iter();
            sources.all(|it| from.tags.contains_key(&it.tag))
        };
        // A pattern requires no tag whose sources are gone.
        let is_required = |tag: &&String| {
            let is_named = copy.spec.named_tags().any(|it| it == *tag);
            is_named || (copy.spec.fits_pattern(tag) && has_sources(tag))
        };
        for tag in from.tags.keys().filter(is_required) {
            assert_eq!(
                from.images(tag),
                to.images(tag),
                "{name}: {tag} in {:?}",
                copy.to
            );
            let lacking = to.lacking(world, &copy.to, &to.tags[tag]);
            assert_eq!(lacking, [], "{name}: {tag} in {:?}", copy.to);
        }
    }
}
