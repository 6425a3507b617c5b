//! Whether required tags are whole: what we made of them, and what they were all the while (I1, I2).

use std::collections::{BTreeMap, BTreeSet};

use reconcile::engine::Inventory;
use reconcile::ids::{Digest, ResourceId};
use reconcile::kind::AnyResource;
use reconcile::kinds::image_repository::{self, Platform};
use reconcile::kinds::registry;
use reconcile::providers::registry::Manifest;
use reconcile::providers::registry::content::{Content, Descriptor};
use reconcile::report::{Report, State};
use reconcile::resource::Goal;
use reconcile::sim::World;
use reconcile::sim::registry::Manifest as Stored;
use reconcile::sim::registry::history::{By, Deed, Happening};
use serde_json::Value;

/// A repository that is declared.
struct Declared<'a> {
    resource: &'a dyn AnyResource,
    spec: &'a image_repository::Spec,
    host: String,
}

impl<'a> Declared<'a> {
    fn all(inventory: &'a Inventory) -> Vec<Self> {
        let host = |name: &str| {
            let registry = &inventory.resources[&ResourceId::new("Registry", name)];
            let spec: Option<&registry::Spec> = registry.spec().downcast_ref();
            spec.expect("references were checked").host.clone()
        };
        let repository = |resource: &'a dyn AnyResource| {
            let spec: &image_repository::Spec = resource.spec().downcast_ref()?;
            // Of what is not wanted any more nothing is promised.
            let is_wanted = resource.policy().ensure == Goal::Present;
            is_wanted.then(|| Self {
                host: host(spec.registry_ref.as_str()),
                resource,
                spec,
            })
        };
        let resources = inventory.resources.values().map(AsRef::as_ref);
        resources.filter_map(repository).collect()
    }

    fn place(&self) -> (&str, &str) {
        (&self.host, &self.spec.repository)
    }

    fn requires(&self, tag: &str) -> bool {
        self.spec.named_tags().any(|it| it == tag) || self.spec.fits_pattern(tag)
    }
}

/// What a repository held at one time.
#[derive(Clone, Default)]
struct Held {
    tags: BTreeMap<String, Digest>,
    manifests: BTreeSet<Digest>,
    /// All that each tag ever named.
    named: BTreeMap<String, BTreeSet<Digest>>,
}

impl Held {
    fn name(&mut self, tag: &str, digest: &Digest) {
        self.tags.insert(tag.to_owned(), digest.clone());
        let named = self.named.entry(tag.to_owned()).or_default();
        named.insert(digest.clone());
    }

    fn apply(&mut self, deed: &Deed) {
        match deed {
            Deed::ManifestPut { digest } => {
                self.manifests.insert(digest.clone());
            }
            Deed::TagMoved { tag, to, .. } => self.name(tag, to),
            Deed::TagGone { tag, .. } => {
                self.tags.remove(tag);
            }
            Deed::ManifestDeleted { digest, tags } | Deed::VersionDeleted { digest, tags, .. } => {
                self.manifests.remove(digest);
                self.tags.retain(|tag, _| !tags.contains(tag));
            }
            Deed::VersionRestored { digest, tags, .. } => {
                self.manifests.insert(digest.clone());
                for tag in tags {
                    self.name(tag, digest);
                }
            }
            Deed::BlobPushed { .. }
            | Deed::BlobMounted { .. }
            | Deed::BlobDeleted { .. }
            | Deed::RunStarted { .. }
            | Deed::RunEnded { .. } => {}
        }
    }
}

/// What the manifests of a repository say, as far as they can be read.
pub(super) fn manifests(world: &mut World, place: (&str, &str)) -> BTreeMap<Digest, Content> {
    let now = world.scenario().start;
    let read = |(digest, it): (Digest, Stored)| {
        let manifest = Manifest {
            digest: digest.clone(),
            media_type: it.media_type.clone(),
            bytes: it.bytes.to_vec(),
        };
        Some((digest, manifest.content().ok()?))
    };
    world
        .manifests(place, now)
        .into_iter()
        .filter_map(read)
        .collect()
}

/// What manifests say, and the configurations of images.
struct Contents {
    manifests: BTreeMap<Digest, Content>,
    configs: BTreeMap<Digest, Value>,
}

impl Contents {
    fn of((start, world): (&mut World, &mut World), place: (&str, &str)) -> Self {
        let mut contents = Self {
            manifests: BTreeMap::new(),
            configs: BTreeMap::new(),
        };
        for world in [start, world] {
            for (digest, content) in manifests(world, place) {
                if let Content::Image(image) = &content {
                    let config = world.blob(place, &image.config.digest);
                    let config = config.and_then(|it| serde_json::from_slice(&it).ok());
                    contents
                        .configs
                        .extend(config.map(|it| (digest.clone(), it)));
                }
                contents.manifests.insert(digest, content);
            }
        }
        contents
    }

    fn children(&self, digest: &Digest) -> Option<&[Descriptor]> {
        match self.manifests.get(digest)? {
            Content::Index(index) => Some(&index.manifests),
            Content::Image(_) => None,
        }
    }

    /// The images of an index.
    fn images(&self, digest: &Digest) -> Vec<&Descriptor> {
        let is_image = |it: &&Descriptor| !it.annotations.contains_key("vnd.docker.reference.type");
        let children = self.children(digest).unwrap_or_default().iter();
        children.filter(is_image).collect()
    }

    fn revision(&self, image: &Digest) -> Option<&str> {
        let labels = &self.configs.get(image)?["config"]["Labels"];
        labels["org.opencontainers.image.revision"].as_str()
    }

    /// What is wrong with what a required tag names; none: nothing.
    fn flaw(&self, declared: &Declared<'_>, held: &Held, digest: &Digest) -> Option<String> {
        let Some(children) = self.children(digest) else {
            return Some(format!("{digest} is no index"));
        };
        let absent = |it: &&Descriptor| !held.manifests.contains(&it.digest);
        if let Some(child) = children.iter().find(absent) {
            return Some(format!("{} of {digest} is not there", child.digest));
        }
        let images = self.images(digest);
        let platform = |it: &&Descriptor| Platform::of(it.platform.as_ref()?);
        let served: Vec<_> = images.iter().map(platform).collect();
        let wanted = declared.spec.platforms.iter().map(|it| Platform::parse(it));
        if !served.iter().cloned().eq(wanted) {
            return Some(format!("{digest} serves {served:?}"));
        }
        let revisions: BTreeSet<_> = images.iter().map(|it| self.revision(&it.digest)).collect();
        let is_mixed = declared.spec.sources.consistency
            == image_repository::Consistency::SameRevision
            && (revisions.len() > 1 || (revisions.contains(&None) && images.len() > 1));
        is_mixed.then(|| format!("{digest} is of {revisions:?}"))
    }

    /// Whether every image of an index is of what a source names, or once named.
    fn is_of_sources(
        &self,
        declared: &Declared<'_>,
        held: &Held,
        (tag, digest): (&str, &Digest),
    ) -> bool {
        let sources = declared.spec.sources_of(tag);
        let pairs = sources.iter().zip(self.images(digest));
        let is_of = |source: &Digest, image: &Digest| {
            source == image || self.images(source).iter().any(|it| it.digest == *image)
        };
        pairs.into_iter().all(|(source, image)| {
            let named = held.named.get(&source.tag).into_iter().flatten();
            named.into_iter().any(|it| is_of(it, &image.digest))
        })
    }
}

/// Replays what happened, and holds every deed of ours against the promises.
pub(crate) fn watch(inventory: &Inventory, world: &mut World, name: &str) {
    let declared = Declared::all(inventory);
    if declared.is_empty() {
        return;
    }
    let start = &mut World::from_scenario(world.scenario());
    for declared in declared {
        let contents = Contents::of((start, world), declared.place());
        let mut held = held(start, declared.place());
        let history: Vec<Happening> = world.registry_history().to_vec();
        let (host, repository) = declared.place();
        let is_here = |it: &&Happening| it.host == host && it.repository == repository;
        for happening in history.iter().filter(is_here) {
            let before = held.clone();
            held.apply(&happening.what);
            if happening.by == By::Client
                && let Err(promise) = judge(&declared, &contents, (&before, &held), &happening.what)
            {
                panic!("{name}: {promise}: {happening:#?}");
            }
        }
    }
}

/// What a repository holds now.
fn held(world: &mut World, place: (&str, &str)) -> Held {
    let now = world.scenario().start;
    let mut held = Held {
        manifests: world.manifests(place, now).into_keys().collect(),
        ..Held::default()
    };
    for (tag, digest) in world.tags(place, now) {
        held.name(&tag, &digest);
    }
    held
}

fn judge(
    declared: &Declared<'_>,
    contents: &Contents,
    (before, held): (&Held, &Held),
    deed: &Deed,
) -> Result<(), String> {
    if let Deed::TagMoved { tag, to, .. } = deed
        && declared.requires(tag)
    {
        if let Some(flaw) = contents.flaw(declared, held, to) {
            return Err(format!("I2, {tag}: {flaw}"));
        }
        if !contents.is_of_sources(declared, held, (tag, to)) {
            return Err(format!("I2, {tag} is not what its sources ever were"));
        }
    }
    // What was whole stays so, whatever we do anywhere in the repository.
    for (tag, digest) in before.tags.iter().filter(|(tag, _)| declared.requires(tag)) {
        if contents.flaw(declared, before, digest).is_some() {
            continue;
        }
        let Some(digest) = held.tags.get(tag) else {
            return Err(format!("I1, {tag} is required and is gone"));
        };
        if let Some(flaw) = contents.flaw(declared, held, digest) {
            return Err(format!("I2, {tag} was whole: {flaw}"));
        }
    }
    Ok(())
}

/// What is said to be ready is so: every required tag is whole, and of what its sources name now.
pub(crate) fn check_end(inventory: &Inventory, world: &mut World, (name, report): (&str, &Report)) {
    for declared in Declared::all(inventory) {
        let said = report.resources.get(declared.resource.id());
        if said.is_none_or(|it| it.state != State::Ready) {
            continue;
        }
        let start = &mut World::from_scenario(world.scenario());
        let contents = Contents::of((start, world), declared.place());
        let held = held(world, declared.place());
        let are_there = |tag: &str| {
            let sources = declared.spec.sources_of(tag);
            sources.iter().all(|it| held.tags.contains_key(&it.tag))
        };
        let by_pattern = held.tags.keys().filter_map(|it| declared.spec.stem(it));
        let by_pattern = by_pattern.filter(|it| declared.spec.fits_pattern(it) && are_there(it));
        for tag in declared.spec.named_tags().chain(by_pattern) {
            let digest = held.tags.get(tag);
            let digest = digest.unwrap_or_else(|| panic!("{name}: {tag} is said to be there"));
            assert_eq!(
                contents.flaw(&declared, &held, digest),
                None,
                "{name}: {tag}"
            );
            let is_of_sources = contents.is_of_sources(&declared, &held, (tag, digest));
            assert!(
                is_of_sources,
                "{name}: {tag} is said to be what its sources are"
            );
        }
    }
}
