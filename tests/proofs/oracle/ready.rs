//! L1 and I3: what is said to be ready is as declared, and nothing is left over.

use reconcile::clock::Timestamp;
use reconcile::kinds::architecture::Architecture;
use reconcile::kinds::tags::{IDLE_SINCE, LATEST, MANAGED_BY, ORPHAN_OF, OWNER};
use reconcile::report::{Report, State};
use reconcile::sim::object::{Image, ImageStatus, InstanceStatus};

use super::builds;
use super::declared::{Declared, Line, Policy, architecture};
use super::known::{Known, is_available, is_making};

/// Names everything that is not as a report says.
pub(super) fn untrue(declared: &Declared<'_>, known: &Known, report: &Report) -> Vec<String> {
    let is_ready = |it: &dyn reconcile::kind::AnyResource| {
        let resource = report.resources.get(it.id());
        resource.is_some_and(|it| it.state == State::Ready) && it.policy().suspend.is_none()
    };
    let mut untrue = Vec::new();
    for line in declared.lines.iter().filter(|it| is_ready(it.resource)) {
        for of in &line.spec.architectures {
            if line.is_wanted() {
                check_line(line, *of, known, &mut untrue);
            } else {
                check_gone(line, *of, known, &mut untrue);
            }
        }
        let left = builds::left(line, known);
        if !left.is_empty() {
            untrue.push(format!(
                "{}: machines are left: {left:?}",
                line.resource.id()
            ));
        }
        check_snapshots(line, known, &mut untrue);
    }
    for policy in declared.policies.iter().filter(|it| is_ready(it.resource)) {
        check_policy(policy, known, report.seen_at, &mut untrue);
    }
    untrue
}

fn check_line(line: &Line<'_>, of: Architecture, known: &Known, untrue: &mut Vec<String>) {
    let mut say = |what: &str| untrue.push(format!("{} {of}: {what}", line.resource.id()));
    let ours = line.ours(known, of);
    let latest = line.latest(of);
    let named: Vec<&Image> = known
        .images
        .values()
        .filter(|it| it.image_name == latest)
        .collect();
    let [serving] = named[..] else {
        return say(&format!("-latest names {} images", named.len()));
    };
    let pinned = ours
        .iter()
        .find(|it| line.spec.pinned() == Some(it.image_id.as_str()));
    let target = pinned.or_else(|| ours.iter().find(|it| is_available(it)));
    if target.is_none_or(|it| it.image_id != serving.image_id) {
        say(&format!("-latest names {}", serving.image_id));
    }
    // What others put into the family is their affair.
    let family = line.spec.family(of);
    let by_family = ours
        .iter()
        .find(|it| it.image_family == family && is_available(it));
    if by_family.is_none_or(|it| it.image_id != serving.image_id) {
        say("the family gives another image than -latest");
    }
    let is_marked = |it: &&&Image| it.tags.contains_key(LATEST) && !is_making(it);
    let marked: Vec<_> = ours
        .iter()
        .filter(is_marked)
        .map(|it| &it.image_id)
        .collect();
    if marked != [&serving.image_id] {
        say(&format!("the tag Latest is on {marked:?}"));
    }
    for image in &ours {
        let is_named = line.digits(of, &image.image_name).is_some()
            || image.image_name == latest
            || is_making(image)
            // What could not be made is deleted or kept, and not named.
            || image.status == ImageStatus::CreateFailed;
        let is_failed = image.status == ImageStatus::CreateFailed && !is_kept(line, known, image);
        if !is_named || is_failed {
            say(&format!(
                "{} is left as {}",
                image.image_id, image.image_name
            ));
        }
    }
    let keep = usize::try_from(line.spec.retention.keep).unwrap_or(usize::MAX);
    let others = ours
        .iter()
        .filter(|it| is_available(it) && it.image_id != serving.image_id);
    for image in others.skip(keep - 1).filter(|it| !is_kept(line, known, it)) {
        say(&format!("{} is more than {keep}", image.image_id));
    }
    for image in known
        .images
        .values()
        .filter(|it| architecture(it) == Some(of) && line.adopts(it))
    {
        say(&format!("{} is nobody's", image.image_id));
    }
}

/// Whether an image stays though it is surplus.
fn is_kept(line: &Line<'_>, known: &Known, image: &Image) -> bool {
    let mut kept = line.spec.retention.keep_ids.iter();
    kept.any(|it| it == image.image_id.as_str())
        || image.is_self_shared
        || known.is_used(image)
        || known.is_named(image)
        || image.creation_time == Timestamp::EPOCH
}

fn check_gone(line: &Line<'_>, of: Architecture, known: &Known, untrue: &mut Vec<String>) {
    let ours = line.ours(known, of);
    untrue.extend(
        ours.iter()
            .map(|it| format!("{} is still there", it.image_id)),
    );
}

fn check_snapshots(line: &Line<'_>, known: &Known, untrue: &mut Vec<String>) {
    for (id, tags) in &known.snapshots {
        let is_ours = tags.get(MANAGED_BY).map(String::as_str) == Some(line.scope)
            && tags.get(OWNER) == Some(&line.resource.id().to_string());
        let is_held = known.images.values().any(|it| {
            let mut disks = it.disk_device_mappings.iter();
            disks.any(|it| it.snapshot_id.as_str() == id)
        });
        let image = tags.get(ORPHAN_OF).filter(|_| is_ours && !is_held);
        let is_leaked = image.is_some_and(|it| !known.images.contains_key(it));
        if is_leaked && line.spec.retention.delete_snapshots {
            untrue.push(format!("{id} is leaked"));
        }
    }
}

fn check_policy(policy: &Policy<'_>, known: &Known, now: Timestamp, untrue: &mut Vec<String>) {
    if !policy.is_active() {
        return;
    }
    let mut idle = 0;
    let touchable = known
        .instances
        .values()
        .filter(|it| policy.hands_off(it, now).is_none());
    for instance in touchable {
        let age = now.since(instance.creation_time);
        if policy.spec.runners_of.is_none() && age > policy.spec.max_age.0 {
            untrue.push(format!("{} is overdue", instance.instance_id));
        }
        let is_stopped = instance.status == InstanceStatus::Stopped;
        let is_noted = instance.tags.contains_key(IDLE_SINCE);
        let is_spot = instance.spot_strategy != "NoSpot";
        if is_stopped && is_spot && !is_noted {
            untrue.push(format!("{} is idle and not noted", instance.instance_id));
        }
        idle += u32::from(is_stopped && is_spot);
    }
    if idle > policy.spec.max_idle {
        untrue.push(format!("{idle} are idle, {} may be", policy.spec.max_idle));
    }
}
