//! Reads a manifest and those below it, level by level.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::providers::registry::{Location, Registries};

use super::names::written;
use super::tree::{DEPTH_MAX, Extent, MANIFESTS_MAX, Tree};

/// How many manifests are read side by side.
const SIDE_BY_SIDE_MAX: usize = 8;

/// Reads a manifest and those below it. What cannot be read, or is not there, fails the whole.
pub(super) async fn read(
    registries: &Registries,
    at: &Location,
    (root, extent): (&Digest, Extent),
) -> Result<Tree, Fault> {
    let mut tree = Tree::of(root);
    for depth in 0.. {
        let wanted = tree.wanted(depth, extent);
        if wanted.is_empty() {
            break;
        }
        if depth > DEPTH_MAX {
            let why = format!("its indexes are nested deeper than {DEPTH_MAX} levels");
            return Err(unusable(at, root, &why));
        }
        if wanted.len() > MANIFESTS_MAX {
            let why = format!("it has more than {MANIFESTS_MAX} manifests");
            return Err(unusable(at, root, &why));
        }
        let reads = wanted.iter().map(|(digest, is_attestation)| async move {
            let found = registries.manifest(at, digest).await?;
            let found = found.ok_or_else(|| missing(at, root, digest))?;
            Ok::<_, Fault>((*is_attestation, found))
        });
        let reads: Vec<_> = reads.collect();
        let reads = stream::iter(reads).buffered(SIDE_BY_SIDE_MAX);
        let found: Vec<_> = reads.try_collect().await?;
        for (is_attestation, manifest) in found {
            tree.take((depth, is_attestation), manifest)
                .map_err(|why| unusable(at, root, &why))?;
        }
    }
    Ok(tree)
}

fn unusable(at: &Location, root: &Digest, why: &str) -> Fault {
    let subject = format!("{}@{root}", written(at));
    Fault::new(Class::Invalid, "read a manifest with all below it", why).of(&subject)
}

fn missing(at: &Location, root: &Digest, digest: &Digest) -> Fault {
    let subject = format!("{}@{root}", written(at));
    let why = if digest == root {
        "it is not there".to_owned()
    } else {
        format!("it points to {digest}, which is not there")
    };
    Fault::new(Class::Gone, "read a manifest with all below it", &why)
        .of(&subject)
        .hint("somebody deleted it, perhaps as an untagged version; push the image again")
}
