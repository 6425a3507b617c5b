//! Copies a tag from the bottom up: blobs, the manifests that point to them, what is said about those, and the tag last.
//! Whatever was copied before is found there and not sent again, so that it may end anywhere.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use tracing::info;

use crate::fault::Fault;
use crate::ids::Digest;
use crate::kinds::registry::Attestations;
use crate::providers::registry::content::Descriptor;
use crate::providers::registry::fault::refuses_artifacts;
use crate::providers::registry::{Blob, Location, Registries};

use super::companions::{Companion, Said, find, note_of};
use super::op::Op;
use super::read::read;
use super::refer::refer;
use super::tree::{Extent, Node, Tree};

/// How many blobs of one tag are sent side by side: few, for each may take all of the line.
const BLOBS_SIDE_BY_SIDE_MAX: usize = 4;
/// How many manifests of one tag are asked for or written side by side.
const MANIFESTS_SIDE_BY_SIDE_MAX: usize = 8;
/// How often what is said about manifests is looked for, what is said about that included.
const ROUNDS_MAX: usize = 4;

/// Copies a tag with all that it needs, and looks whether it shows there.
pub(super) async fn copy(registries: &Registries, op: &Op) -> Result<(), Fault> {
    let way = Way {
        registries,
        from: &op.from,
        to: &op.to,
    };
    let whole = read(registries, &op.from, (&op.digest, Extent::Whole)).await?;
    let everything = way.tag(&op.tag, &whole, Said::Everything);
    let without = async || {
        let tree = whole.without_attestations();
        way.tag(&op.tag, &tree, Said::Signatures).await
    };
    let sent = match op.attestations {
        Attestations::Keep => everything.await,
        Attestations::Drop => without().await,
        Attestations::Auto if registries.refusals.has(&op.to.site) => without().await,
        Attestations::Auto => match everything.await {
            Err(fault) if refuses_artifacts(&fault) => {
                registries.refusals.note(&op.to.site);
                without().await
            }
            other => other,
        },
    }?;
    info!(tag = op.object, bytes = sent, "mirrored");
    Ok(())
}

/// From where to where.
#[derive(Clone, Copy)]
struct Way<'a> {
    registries: &'a Registries,
    from: &'a Location,
    to: &'a Location,
}

impl Way<'_> {
    /// Sends a tree and what is said about it, and only then the tag. Says how many bytes of blobs were sent.
    async fn tag(&self, tag: &str, tree: &Tree, said: Said) -> Result<u64, Fault> {
        let mut sent = self.below(tree).await?;
        sent += self.companions(tree, said).await?;
        sent += self.top(tree, tag).await?;
        let digest = &tree.top().manifest.digest;
        self.registries.shown(self.to, tag, digest).await?;
        Ok(sent)
    }

    /// Sends all of a tree but its topmost manifest.
    async fn below(&self, tree: &Tree) -> Result<u64, Fault> {
        let mut sent = 0;
        for group in tree.groups() {
            let missing = self.missing(group).await?;
            sent += self.blobs(&missing).await?;
            let puts = missing.into_iter().map(|it| {
                let digest = it.manifest.digest.as_str();
                self.registries.put_manifest(self.to, digest, &it.manifest)
            });
            let puts: Vec<_> = puts.collect();
            let puts = stream::iter(puts).buffer_unordered(MANIFESTS_SIDE_BY_SIDE_MAX);
            let () = puts.try_collect().await?;
        }
        Ok(sent)
    }

    /// Sends the topmost manifest of a tree, once all below it is there, under a tag or its digest.
    async fn top(&self, tree: &Tree, reference: &str) -> Result<u64, Fault> {
        let top = tree.top();
        let sent = self.blobs(&[top]).await?;
        let put = self
            .registries
            .put_manifest(self.to, reference, &top.manifest);
        put.await?;
        Ok(sent)
    }

    /// The manifests that are not there. A registry takes an image only once its blobs are there, and then holds them,
    /// while those that an index points to may have been deleted since: each of them is asked for.
    async fn missing<'n>(&self, group: Vec<&'n Node>) -> Result<Vec<&'n Node>, Fault> {
        let looks = group.into_iter().map(|node| async move {
            let is_there = self.names(node.manifest.digest.as_str(), &node.manifest.digest);
            Ok::<_, Fault>((!is_there.await?).then_some(node))
        });
        let looks: Vec<_> = looks.collect();
        let looks = stream::iter(looks).buffered(MANIFESTS_SIDE_BY_SIDE_MAX);
        let found: Vec<_> = looks.try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Whether a tag or digest names this manifest there.
    async fn names(&self, reference: &str, digest: &Digest) -> Result<bool, Fault> {
        let found = self.registries.head_now(self.to, reference).await?;
        Ok(found.is_some_and(|it| it.digest == *digest))
    }

    /// Sends the blobs of these manifests, each once.
    async fn blobs(&self, nodes: &[&Node]) -> Result<u64, Fault> {
        let blobs = nodes.iter().flat_map(|it| it.blobs());
        let blobs: BTreeMap<Digest, Blob> = blobs.map(|it| (it.digest.clone(), it)).collect();
        let way = (self.from, self.to);
        let copies = blobs.values().map(|it| self.registries.copy_blob(way, it));
        let copies: Vec<_> = copies.collect();
        let copies = stream::iter(copies).buffer_unordered(BLOBS_SIDE_BY_SIDE_MAX);
        copies.try_fold(0, async |sum, it| Ok(sum + it)).await
    }

    /// Sends what is said about a tree, and what is said about that.
    async fn companions(&self, tree: &Tree, said: Said) -> Result<u64, Fault> {
        let mut sent = 0;
        // An attestation names its image as its subject, and is in the tree already.
        let in_tree = tree.digests().map(Companion::referring);
        let mut known: BTreeSet<Companion> = in_tree.collect();
        let mut referrers: BTreeMap<Digest, Vec<Descriptor>> = BTreeMap::new();
        let mut about: BTreeSet<Digest> = tree.digests().cloned().collect();
        for round in 0..ROUNDS_MAX {
            let found = find(self.registries, self.from, (&about, said)).await?;
            let new: Vec<_> = found.difference(&known).cloned().collect();
            if new.is_empty() {
                break;
            }
            if round == 0 {
                // Some registries take nothing about a manifest that is not there.
                sent += self.top(tree, tree.root.as_str()).await?;
            }
            about.clear();
            for companion in new {
                let (bytes, referrer) = self.companion(&companion).await?;
                sent += bytes;
                if let Some((subject, referrer)) = referrer {
                    referrers.entry(subject).or_default().push(referrer);
                }
                about.insert(companion.digest.clone());
                known.insert(companion);
            }
        }
        for (subject, all) in &referrers {
            let note = note_of(subject);
            let is_noted = |it: &Companion| it.tag.as_ref() == Some(&note);
            if !known.iter().any(is_noted) {
                refer(self.registries, self.to, (subject, all)).await?;
            }
        }
        Ok(sent)
    }

    /// Sends what is said about another manifest. Says how many bytes were sent, and to which other it refers, as what.
    async fn companion(
        &self,
        companion: &Companion,
    ) -> Result<(u64, Option<(Digest, Descriptor)>), Fault> {
        let whole = (&companion.digest, Extent::Whole);
        let tree = read(self.registries, self.from, whole).await?;
        let reference = companion.reference();
        let mut sent = 0;
        if !self.names(reference, &companion.digest).await? {
            sent += self.below(&tree).await?;
            sent += self.top(&tree, reference).await?;
        }
        let referrer = companion.tag.is_none().then(|| tree.top().referrer());
        Ok((sent, referrer.flatten()))
    }
}
