//! Tells a registry that lists no referrers which manifests refer to another: by an index under a tag named after that.

use crate::fault::Fault;
use crate::ids::Digest;
use crate::providers::registry::content::{Content, Descriptor, Index, OCI_INDEX};
use crate::providers::registry::{Location, Registries};

use super::super::merge::written;
use super::companions::note_of;

/// Makes these referrers of a manifest known where they were copied to. A client must do so itself where the registry does
/// not (OCI distribution specification, "Pushing Manifests with Subject"); what was known there stays.
pub(super) async fn refer(
    registries: &Registries,
    at: &Location,
    (subject, referrers): (&Digest, &[Descriptor]),
) -> Result<(), Fault> {
    let known = registries.referrers(at, subject).await?;
    let new = referrers.iter().filter(|it| !known.contains(&it.digest));
    let new: Vec<Descriptor> = new.cloned().collect();
    if new.is_empty() {
        return Ok(());
    }
    let tag = note_of(subject);
    let mut index = noted(registries, at, &tag).await?;
    index.manifests.extend(new);
    let index = written(OCI_INDEX, &index);
    registries.put_manifest(at, &tag, &index).await
}

/// The index under a tag; an empty one where there is none.
async fn noted(registries: &Registries, at: &Location, tag: &str) -> Result<Index, Fault> {
    let Some(head) = registries.head_now(at, tag).await? else {
        return Ok(Index::default());
    };
    let manifest = registries.manifest(at, &head.digest).await?;
    Ok(match manifest.map(|it| it.content()) {
        Some(Ok(Content::Index(index))) => index,
        Some(Ok(Content::Image(_)) | Err(_)) | None => Index::default(),
    })
}
