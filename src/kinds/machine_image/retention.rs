//! Which images of a line are more than are kept, and what deleted ones leave behind.

use std::collections::BTreeSet;

use crate::ids::{ImageId, SnapshotId};
use crate::kinds::tags;
use crate::plan::{Cause, Notice, Plan, Step, Why};
use crate::resource::Resource;

use super::change::{Change, Effect, Subject};
use super::op::Op;
use super::seen::{Image, Phase, SWEPT, Seen, Snapshot};
use super::spec::Spec;

/// What retention says of the Available images of one architecture.
#[derive(Debug)]
pub(super) struct Verdict<'a> {
    /// To be deleted, the oldest first.
    pub surplus: Vec<&'a Image>,
    /// Kept beyond the number, and why.
    pub notices: Vec<Notice>,
}

/// Judges our images, which come newest first. `serving` is the one that `-latest` names; `wanted`: the version that is
/// built, whose image stays beside one that a pin names: it would be built anew.
pub(super) fn judge<'a>(
    spec: &Spec,
    ours: &[&'a Image],
    (serving, wanted): (&ImageId, Option<&str>),
) -> Verdict<'a> {
    let others = ours
        .iter()
        .filter(|it| it.phase == Phase::Available && it.id != *serving);
    let is_wanted =
        |it: &Image| wanted.is_some() && it.tags.get(tags::VERSION).map(String::as_str) == wanted;
    let is_served = ours.iter().any(|it| it.id == *serving && is_wanted(it));
    let built = others.clone().find(|it| !is_served && is_wanted(it));
    let others = others.filter(|it| built.is_none_or(|built| built.id != it.id));
    let keep = usize::try_from(spec.retention.keep).unwrap_or(usize::MAX);
    let mut surplus: Vec<&Image> = Vec::new();
    let mut notices = Vec::new();
    for image in others.skip((keep - 1).saturating_sub(usize::from(built.is_some()))) {
        match kept_because(spec, image) {
            Some((kind, because)) => {
                let message = format!(
                    "{} ({}) is kept beyond keep={keep}: {because}",
                    image.id, image.name
                );
                notices.push(Notice {
                    kind,
                    why: Why::new(kind, message),
                });
            }
            None => surplus.push(image),
        }
    }
    surplus.reverse();
    Verdict { surplus, notices }
}

/// Why an image is never deleted; none: nothing speaks for it.
pub(super) fn kept_because(spec: &Spec, image: &Image) -> Option<(&'static str, &'static str)> {
    if spec
        .retention
        .keep_ids
        .iter()
        .any(|it| it == image.id.as_str())
    {
        return Some(("Kept", "spec.retention.keepIds names it"));
    }
    if image.in_use {
        return Some(("InUse", "an instance uses it"));
    }
    // What we share ourselves is unshared before it is deleted.
    if image.shared && spec.share.is_none() {
        return Some(("Shared", "it is shared with other accounts"));
    }
    if image.created.is_none() {
        return Some(("AgeUnknown", "the service does not say when it was created"));
    }
    None
}

/// Deletes the snapshots that deleted images left behind, and remembers when there were none.
pub(super) fn sweep(plan: &mut Plan<Op>, resource: &Resource<Spec>, seen: &Seen) {
    let orphans = orphans(resource, seen);
    for (snapshot, image) in &orphans {
        plan.steps.push(Step {
            op: Op::Change(Change {
                subject: Subject {
                    place: seen.home.place.clone(),
                    scope: seen.home.scope.clone(),
                    owner: resource.id.clone(),
                    object: snapshot.id.to_string(),
                    name: String::new(),
                },
                effect: Effect::DeleteSnapshot {
                    image: (*image).to_owned(),
                },
            }),
            cause: Cause::Upstream(format!("image {image} is gone")),
            chain: snapshot.id.to_string(),
            group: None,
        });
    }
    let is_clean = seen.snapshots.is_some() && orphans.is_empty();
    if is_clean && !plan.remember.contains_key(SWEPT) {
        plan.remember.insert(SWEPT.into(), Some(seen.at));
    }
}

/// Whether an image is never deleted, in whatever state it is.
pub(super) fn stays(spec: &Spec, image: &Image) -> bool {
    let kept = kept_because(spec, image);
    kept.is_some_and(|(kind, _)| kind != "AgeUnknown")
}

/// Snapshots of ours whose image is proven gone; none of them stands behind any image.
pub(super) fn orphans<'a>(
    resource: &Resource<Spec>,
    seen: &'a Seen,
) -> Vec<(&'a Snapshot, &'a str)> {
    let left_by = |snapshot: &'a Snapshot| {
        let owner = tags::owner(&snapshot.tags, &seen.home.scope, &resource.id);
        let image = snapshot.tags.get(tags::ORPHAN_OF)?;
        (owner == tags::Owner::Ours).then_some((snapshot, image.as_str()))
    };
    let mut left: Vec<(&Snapshot, &str)> = seen
        .snapshots
        .iter()
        .flatten()
        .filter_map(left_by)
        .collect();
    if left.is_empty() {
        return left;
    }
    let images: BTreeSet<&str> = seen.images.iter().map(|it| it.id.as_str()).collect();
    let used: BTreeSet<&SnapshotId> = seen.images.iter().flat_map(|it| &it.snapshots).collect();
    left.retain(|(snapshot, image)| !images.contains(image) && !used.contains(&snapshot.id));
    left.sort_by_key(|(snapshot, _)| &snapshot.id);
    left
}
