//! A manifest with all those below it, and the same without its attestations: pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::Digest;
use crate::providers::registry::content::{
    Content, DOCKER_LIST, Descriptor, Image, Index, OCI_INDEX,
};
use crate::providers::registry::{Blob, Manifest};

use super::super::merge::{is_runnable, written};
use super::super::platform::Platform;

/// How deep indexes may be nested. What is deeper is no image, or goes round in a circle.
pub(super) const DEPTH_MAX: usize = 4;
/// How many manifests one tag may have: tens of platforms, each with its attestations, are usual.
pub(super) const MANIFESTS_MAX: usize = 512;

/// A manifest with all those below it, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    /// The topmost one.
    pub(super) root: Digest,
    nodes: BTreeMap<Digest, Node>,
}

/// One manifest of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// To the byte.
    pub(super) manifest: Arc<Manifest>,
    content: Content,
    /// How far below the root; the farthest, where there are several ways.
    depth: usize,
    is_attestation: bool,
}

/// How much of a tree is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Indexes alone: they tell which images are served.
    Indexes,
    /// Everything.
    Whole,
}

impl Tree {
    /// A tree of which nothing is known but the root.
    pub(super) fn of(root: &Digest) -> Self {
        Self {
            root: root.clone(),
            nodes: BTreeMap::new(),
        }
    }

    /// A tree that is one index of images, as merging makes it; or why it is none.
    pub(super) fn of_merged(manifest: &Manifest) -> Result<Self, String> {
        let mut tree = Self::of(&manifest.digest);
        tree.take((0, false), Arc::new(manifest.clone()))?;
        Ok(tree)
    }

    /// The manifests that are to be read at this depth, the root at 0; whether each is an attestation.
    pub(super) fn wanted(&self, depth: usize, extent: Extent) -> BTreeMap<Digest, bool> {
        let Some(above) = depth.checked_sub(1) else {
            return BTreeMap::from([(self.root.clone(), false)]);
        };
        let parents = self.nodes.values().filter(|it| it.depth == above);
        let children = parents.flat_map(Node::children);
        let is_wanted = |it: &&Descriptor| extent == Extent::Whole || is_index(it);
        let children = children.filter(is_wanted);
        children
            .map(|it| (it.digest.clone(), is_attestation(it)))
            .collect()
    }

    /// Takes in what was read at this depth, or tells in words why it cannot be used.
    pub(super) fn take(
        &mut self,
        (depth, is_attestation): (usize, bool),
        manifest: Arc<Manifest>,
    ) -> Result<(), String> {
        let content = manifest.content()?;
        let digest = manifest.digest.clone();
        let node = Node {
            manifest,
            content,
            depth,
            is_attestation,
        };
        self.nodes.insert(digest, node);
        if self.nodes.len() > MANIFESTS_MAX {
            return Err(format!("it has more than {MANIFESTS_MAX} manifests"));
        }
        Ok(())
    }

    /// The manifest at the top. Must be called once that was read.
    pub(super) fn top(&self) -> &Node {
        self.nodes
            .get(&self.root)
            .expect("the root is read before anything else")
    }

    /// All digests.
    pub(super) fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.nodes.keys()
    }

    /// All manifests but the topmost, by the order in which they can be written: what others point to first, and images
    /// before what is said about them. Those of one group can be written side by side.
    pub(super) fn groups(&self) -> Vec<Vec<&Node>> {
        let below = self.nodes.values().filter(|it| it.depth > 0);
        let mut groups: BTreeMap<(usize, bool), Vec<&Node>> = BTreeMap::new();
        for node in below {
            // A manifest may only be farther from the root than any of those that it points to are.
            let rank = (DEPTH_MAX.saturating_sub(node.depth), node.is_attestation);
            groups.entry(rank).or_default().push(node);
        }
        groups.into_values().collect()
    }

    /// The images that it serves, in their order: what a client that pulls it can get.
    pub(super) fn serves(&self) -> Vec<(Digest, Option<Platform>)> {
        let mut served = Vec::new();
        self.gather(&self.root, 0, &mut served);
        served
    }

    fn gather(&self, digest: &Digest, depth: usize, served: &mut Vec<(Digest, Option<Platform>)>) {
        let children = self.nodes.get(digest).map_or(&[][..], Node::children);
        for child in children.iter().filter(|it| !is_attestation(it)) {
            if is_index(child) && depth < DEPTH_MAX {
                self.gather(&child.digest, depth + 1, served);
            } else {
                let platform = child.platform.as_ref().and_then(Platform::of);
                served.push((child.digest.clone(), platform));
            }
        }
    }

    /// Whether it has attestations.
    pub(super) fn is_attested(&self) -> bool {
        let mut children = self.nodes.values().flat_map(Node::children);
        children.any(is_attestation)
    }

    /// The same without attestations: indexes that have any are written anew, images stay what they are. An index of
    /// nothing else stays as it is.
    pub(super) fn without_attestations(&self) -> Self {
        let mut nodes = BTreeMap::new();
        let root = self.reduce(&self.root, &mut nodes);
        let root = root.map_or_else(|| self.root.clone(), |(digest, _)| digest);
        Self { root, nodes }
    }

    /// Puts a manifest without attestations, and those below it, among `nodes`; says what it is then, and how long. None:
    /// it was not read.
    fn reduce(&self, digest: &Digest, nodes: &mut BTreeMap<Digest, Node>) -> Option<(Digest, u64)> {
        let node = self.nodes.get(digest)?;
        let reduced = match &node.content {
            Content::Image(_) => node.clone(),
            Content::Index(index) => {
                let images = index.manifests.iter().filter(|it| !is_attestation(it));
                let images = images.map(|it| {
                    let reduced = self.reduce(&it.digest, nodes);
                    let (digest, size) = reduced.unwrap_or_else(|| (it.digest.clone(), it.size));
                    Descriptor {
                        digest,
                        size,
                        ..it.clone()
                    }
                });
                let images: Vec<Descriptor> = images.collect();
                if images.is_empty() || images == index.manifests {
                    node.clone()
                } else {
                    node.rewritten(Index {
                        manifests: images,
                        ..index.clone()
                    })
                }
            }
        };
        let named = (reduced.manifest.digest.clone(), size(&reduced.manifest));
        nodes.insert(named.0.clone(), reduced);
        Some(named)
    }
}

impl Node {
    /// What it points to; an image points to no manifest.
    fn children(&self) -> &[Descriptor] {
        match &self.content {
            Content::Index(index) => &index.manifests,
            Content::Image(_) => &[],
        }
    }

    /// The blobs that must be there before it; what is to be had elsewhere by its URLs need not be (Docker documentation,
    /// "Image Manifest Version 2, Schema 2"; OCI image specification, "Non-Distributable Layers").
    pub(super) fn blobs(&self) -> Vec<Blob> {
        match &self.content {
            Content::Index(_) => Vec::new(),
            Content::Image(image) => blobs(image),
        }
    }

    /// What it refers to, and how it is listed as that one's referrer (OCI distribution specification, "Listing
    /// Referrers"); none: it refers to nothing.
    pub(super) fn referrer(&self) -> Option<(Digest, Descriptor)> {
        let (subject, kind, annotations) = match &self.content {
            Content::Index(it) => (&it.subject, None, &it.annotations),
            Content::Image(it) => {
                let kind = it.artifact_type.as_ref();
                let kind = kind.unwrap_or(&it.config.media_type);
                (&it.subject, Some(kind.clone()), &it.annotations)
            }
        };
        let descriptor = Descriptor {
            media_type: self.manifest.media_type.clone(),
            digest: self.manifest.digest.clone(),
            size: size(&self.manifest),
            urls: Vec::new(),
            annotations: annotations.clone(),
            data: None,
            platform: None,
            artifact_type: kind,
        };
        Some((subject.as_ref()?.digest.clone(), descriptor))
    }

    fn rewritten(&self, index: Index) -> Self {
        let manifest = written(&self.manifest.media_type, &index);
        Self {
            manifest: Arc::new(manifest),
            content: Content::Index(index),
            ..self.clone()
        }
    }
}

fn blobs(image: &Image) -> Vec<Blob> {
    let is_elsewhere = |it: &&Descriptor| {
        let kind = &it.media_type;
        !it.urls.is_empty() && (kind.contains("foreign") || kind.contains("nondistributable"))
    };
    let layers = image.layers.iter().filter(|it| !is_elsewhere(it));
    let all = std::iter::once(&image.config).chain(layers);
    let blob = |it: &Descriptor| Blob {
        digest: it.digest.clone(),
        size: it.size,
    };
    all.map(blob).collect()
}

fn size(manifest: &Manifest) -> u64 {
    u64::try_from(manifest.bytes.len()).unwrap_or(u64::MAX)
}

fn is_attestation(entry: &Descriptor) -> bool {
    !is_runnable(entry)
}

fn is_index(descriptor: &Descriptor) -> bool {
    [OCI_INDEX, DOCKER_LIST].contains(&descriptor.media_type.as_str())
}
