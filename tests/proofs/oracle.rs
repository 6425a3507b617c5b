//! The promises, checked over the world's own history and not over which calls were made.

use std::collections::{BTreeMap, BTreeSet};

use reconcile::kinds::aliyun_region;
use reconcile::kinds::instance_policy;
use reconcile::kinds::machine_image;
use reconcile::sim::history::{Event, Removal, What};
use reconcile::sim::object::{Image, ImageStatus, Instance, InstanceStatus};

use super::cases::Case;
use super::lab::Lab;

/// What is declared, as far as promises speak of it.
struct Declared<'a> {
    scopes: BTreeSet<&'a str>,
    lines: Vec<Line<'a>>,
    policies: Vec<&'a instance_policy::Spec>,
}

struct Line<'a> {
    latest: String,
    spec: &'a machine_image::Spec,
    is_wanted: bool,
}

fn declared(lab: &Lab) -> Declared<'_> {
    let resources = || lab.inventory.resources.values();
    let lines =
        resources().filter_map(|it| Some((it, it.spec().downcast_ref::<machine_image::Spec>()?)));
    Declared {
        scopes: resources()
            .filter_map(|it| it.spec().downcast_ref::<aliyun_region::Spec>())
            .map(|it| it.scope.as_str())
            .collect(),
        lines: lines
            .flat_map(|(resource, spec)| {
                spec.architectures.iter().map(move |architecture| Line {
                    latest: format!("{}-{architecture}-latest", spec.name_prefix),
                    spec,
                    is_wanted: resource.policy().ensure == reconcile::resource::Goal::Present,
                })
            })
            .collect(),
        policies: resources()
            .filter_map(|it| it.spec().downcast_ref())
            .collect(),
    }
}

/// Replays the history and holds every event against the promises.
pub(crate) fn check(case: &Case, lab: &Lab) {
    let declared = declared(lab);
    let mut images: BTreeMap<String, Image> = BTreeMap::new();
    for image in &case.scenario.objects.images {
        images.insert(image.image_id.to_string(), image.clone());
    }
    let history: Vec<Event> = lab.with_world(|it| it.history().to_vec());
    assert!(!history.is_empty(), "{}: nothing happened", case.name);
    for event in &history {
        let what = || format!("{}: {event:?}", case.name);
        match &event.what {
            What::ImageDeleted {
                image,
                used_by,
                named_by,
            } => {
                assert!(used_by.is_empty(), "I1, deleted in use: {}", what());
                assert!(named_by.is_empty(), "I1, a template names it: {}", what());
                check_deletion(&declared, &images, image, &what());
                images.remove(image.image_id.as_str());
            }
            What::ImageRenamed { image, to, .. } => {
                let image = images
                    .get_mut(image.as_str())
                    .expect("what is renamed exists");
                assert!(
                    is_ours(&declared, &image.tags),
                    "I1, renamed what is not ours: {}",
                    what()
                );
                image.image_name.clone_from(to);
            }
            What::Tagged { object, tags } => {
                if let Some(image) = images.get_mut(object) {
                    image.tags.extend(tags.clone());
                }
            }
            What::Untagged { object, keys } => {
                if let Some(image) = images.get_mut(object) {
                    image.tags.retain(|key, _| !keys.contains(key));
                }
            }
            What::ImageTurned { image, status } => {
                images
                    .get_mut(image.as_str())
                    .expect("what turns exists")
                    .status = *status;
            }
            What::InstanceDeleting(instance) => check_removal(&declared, instance, &what()),
            What::InstanceDeleted { by, .. } => assert_ne!(*by, Removal::System, "{}", what()),
            What::SnapshotDeleted(snapshot) => {
                let image = snapshot.tags.get("reconcile:orphan-of");
                let image = image.unwrap_or_else(|| panic!("I1, no orphan: {}", what()));
                assert!(
                    !images.contains_key(image),
                    "I1, its image is there: {}",
                    what()
                );
                assert!(
                    is_ours(&declared, &snapshot.tags),
                    "I1, not ours: {}",
                    what()
                );
            }
            What::ImageCreated(_) | What::InstanceCreated(_) | What::SnapshotCreated(_) => {
                panic!("I4, nothing is made in these cases: {}", what());
            }
            What::ImageUsable { .. }
            | What::FamilyChanged { .. }
            | What::InstanceTurned { .. }
            | What::ReleaseTimeChanged { .. } => {}
        }
    }
    check_end(&declared, &images, &case.name);
    check_gaps(case, &declared, &history);
}

fn is_ours(declared: &Declared<'_>, tags: &BTreeMap<String, String>) -> bool {
    tags.get("reconcile:managed-by")
        .is_some_and(|it| declared.scopes.contains(it.as_str()))
}

/// I1 and B1: what goes was ours, kept by nobody, not what `-latest` names, and enough others stay.
fn check_deletion(
    declared: &Declared<'_>,
    images: &BTreeMap<String, Image>,
    image: &Image,
    what: &str,
) {
    let known = &images[image.image_id.as_str()];
    assert!(is_ours(declared, &known.tags), "I1, not ours: {what}");
    let owner = known
        .tags
        .get("reconcile:owner")
        .map(String::as_str)
        .unwrap_or_default();
    let is_named = |it: &&Line<'_>| {
        let stem = it.latest.trim_end_matches("latest");
        known.image_name.starts_with(stem)
    };
    let is_owned = |it: &&Line<'_>| owner.ends_with(it.spec.name_prefix.as_str());
    // A resource with two architectures has two lines: the name tells which.
    let lines = || declared.lines.iter();
    let line = lines().find(is_named).or_else(|| lines().find(is_owned));
    let line = line.unwrap_or_else(|| panic!("I1, of no line that is declared: {what}"));
    assert!(
        !line
            .spec
            .retention
            .keep_ids
            .iter()
            .any(|it| it == image.image_id.as_str()),
        "I1, listed to be kept: {what}"
    );
    if known.status == ImageStatus::CreateFailed || !line.is_wanted {
        return;
    }
    assert_ne!(known.image_name, line.latest, "I1, -latest: {what}");
    let stem = line.latest.trim_end_matches("latest");
    let stay = images.values().filter(|it| {
        it.image_id != image.image_id
            && it.image_name.starts_with(stem)
            && it.status == ImageStatus::Available
            && is_ours(declared, &it.tags)
    });
    let keep = usize::try_from(line.spec.retention.keep).expect("a small number");
    assert!(stay.count() >= keep, "I1, fewer than {keep} stay: {what}");
    assert!(
        images.values().any(|it| it.image_name == line.latest),
        "I2, deleted while -latest named nothing: {what}"
    );
}

/// I1: what goes is selected, spot unless told otherwise, unprotected, and not perhaps at work.
fn check_removal(declared: &Declared<'_>, instance: &Instance, what: &str) {
    let selects = |it: &&&instance_policy::Spec| {
        it.selector
            .tags
            .iter()
            .all(|(key, value)| instance.tags.get(key) == Some(value))
    };
    let policy = declared.policies.iter().find(selects);
    let policy = policy.unwrap_or_else(|| panic!("I1, no policy selects it: {what}"));
    let scope = instance.tags.get("reconcile:managed-by");
    assert!(
        scope.is_none_or(|it| declared.scopes.contains(it.as_str())),
        "I1, foreign: {what}"
    );
    assert!(!instance.deletion_protection, "I1, protected: {what}");
    assert_ne!(
        instance.instance_charge_type, "PrePaid",
        "I1, a subscription: {what}"
    );
    let is_spot = instance.spot_strategy != "NoSpot";
    assert!(
        is_spot || policy.purchase == instance_policy::Purchase::PayAsYouGo,
        "I1, on-demand: {what}"
    );
    assert!(
        policy.runners_of.is_none() || instance.status == InstanceStatus::Stopped,
        "I1, perhaps busy: {what}"
    );
    assert!(
        instance.tags.contains_key("reconcile:retiring"),
        "the order of a removal: {what}"
    );
}

/// What is wanted is there: one `-latest` a line, Available, with the family and the only mark; no more than are kept.
fn check_end(declared: &Declared<'_>, images: &BTreeMap<String, Image>, name: &str) {
    for line in declared.lines.iter().filter(|it| it.is_wanted) {
        let stem = line.latest.trim_end_matches("latest");
        let of_line = || {
            images
                .values()
                .filter(|it| it.image_name.starts_with(stem) && is_ours(declared, &it.tags))
        };
        let latest: Vec<&Image> = of_line()
            .filter(|it| it.image_name == line.latest)
            .collect();
        assert_eq!(
            latest.len(),
            1,
            "{name}: {} is named by {}",
            line.latest,
            latest.len()
        );
        assert_eq!(
            latest[0].status,
            ImageStatus::Available,
            "{name}: {}",
            line.latest
        );
        let marked: Vec<&str> = of_line()
            .filter(|it| it.tags.contains_key("Latest"))
            .map(|it| it.image_name.as_str())
            .collect();
        assert_eq!(marked, [line.latest.as_str()], "{name}");
    }
}

/// I2: between the two renames of a swap nothing else happens to the images of the line.
fn check_gaps(case: &Case, declared: &Declared<'_>, history: &[Event]) {
    for line in declared.lines.iter().filter(|it| it.is_wanted) {
        let stem = line.latest.trim_end_matches("latest");
        let mut gap = false;
        for event in history {
            if let What::ImageRenamed { from, to, .. } = &event.what {
                gap = (gap || *from == line.latest) && *to != line.latest;
            }
            let What::ImageDeleted { image, .. } = &event.what else {
                continue;
            };
            let is_of_line = image.image_name.starts_with(stem);
            assert!(
                !(gap && is_of_line),
                "I2, {}: {event:?} while {} named nothing",
                case.name,
                line.latest
            );
        }
        assert!(
            !gap,
            "I2, {}: {} names nothing in the end",
            case.name, line.latest
        );
    }
}
