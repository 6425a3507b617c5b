//! I1, I2 and I4: whether one thing that we did was right in the world as it was then.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use reconcile::clock::Timestamp;
use reconcile::kinds::tags::{
    BUILD_TIMESTAMP, BUILDER, IDLE_SINCE, LATEST, MANAGED_BY, ORPHAN_OF, OWNER, RETIRING,
};
use reconcile::sim::history::{Event, Removal, What};
use reconcile::sim::object::{Image, ImageStatus, Instance, InstanceStatus};

use super::builds;
use super::declared::{Declared, Line, Policy, architecture};
use super::known::{Known, is_available, is_making, minute, whole_minute};
use super::runners;

/// How far what we take for the time may be from the service's: it tells it in whole seconds.
const TICK: Duration = Duration::from_secs(2);

/// How far a dated name may be from an image's minute: names that are taken are stepped over.
const TAKEN_MAX: Duration = Duration::from_secs(3600);

pub(super) type Judgement = Result<(), &'static str>;

pub(super) fn ensure(holds: bool, promise: &'static str) -> Judgement {
    if holds { Ok(()) } else { Err(promise) }
}

/// Says which promise an event breaks. `known` is the world right before it.
pub(super) fn judge(declared: &Declared<'_>, known: &Known, event: &Event) -> Judgement {
    match &event.what {
        What::ImageDeleted {
            image,
            used_by,
            named_by,
        } => {
            ensure(used_by.is_empty(), "I1, deleted in use")?;
            ensure(named_by.is_empty(), "I1, a launch template names it")?;
            deletion(
                declared,
                known,
                known_image(known, image.image_id.as_str())?,
            )
        }
        What::ImageRenamed { image, to, .. } => {
            let image = known_image(known, image.as_str())?;
            renaming(declared, known, (image, to))
        }
        What::FamilyChanged { image, .. } => {
            let image = known_image(known, image.as_str())?;
            acting_line(declared, image).map(drop)
        }
        What::Tagged { object, tags } => tagging(declared, known, (object, tags, event.at)),
        What::Untagged { object, keys } => untagging(declared, known, (object, keys, event.at)),
        What::InstanceDeleting(instance) => {
            let instance = known_instance(known, instance.instance_id.as_str())?;
            if builds::is_builder(declared, instance) {
                return builds::release(declared, known, instance);
            }
            if runners::is_of_a_set(instance) {
                return Ok(());
            }
            removal(declared, instance, event.at)
        }
        What::InstanceDeleted { instance, by } => ensure(
            *by != Removal::System
                || builds::is_builder(declared, instance)
                || runners::is_of_a_set(instance),
            "the cloud takes nothing else in these worlds",
        ),
        What::SnapshotDeleted(snapshot) => {
            let image = snapshot.tags.get(ORPHAN_OF).ok_or("I1, no orphan")?;
            let is_held = known.images.values().any(|it| {
                let mut disks = it.disk_device_mappings.iter();
                disks.any(|it| it.snapshot_id == snapshot.snapshot_id)
            });
            ensure(!known.images.contains_key(image), "I1, its image is there")?;
            ensure(!is_held, "I1, an image holds it")?;
            ensure(
                owner_line(declared, &snapshot.tags).is_some(),
                "I1, a foreign snapshot",
            )
        }
        What::ImageCreated(image) => builds::image(declared, known, image),
        What::InstanceCreated(instance) if runners::is_of_a_set(instance) => Ok(()),
        What::InstanceCreated(instance) => builds::launch(declared, known, (instance, event.at)),
        What::CommandSent(invocation) => builds::command(declared, known, invocation),
        What::ImageShared { image, .. } => {
            let image = known_image(known, image.as_str())?;
            let line = acting_line(declared, image)?;
            ensure(line.spec.share.is_some(), "sharing is not managed")
        }
        // A snapshot comes with its image.
        What::SnapshotCreated(_)
        | What::CommandBegun { .. }
        | What::CommandEnded { .. }
        | What::ImageTurned { .. }
        | What::ImageUsable { .. }
        | What::InstanceTurned { .. }
        | What::ReleaseTimeChanged { .. }
        | What::ImagePut(_)
        | What::InstancePut(_)
        | What::SnapshotPut(_)
        | What::Taken { .. } => Ok(()),
    }
}

fn known_image<'k>(known: &'k Known, id: &str) -> Result<&'k Image, &'static str> {
    known.images.get(id).ok_or("I1, it is not there")
}

fn known_instance<'k>(known: &'k Known, id: &str) -> Result<&'k Instance, &'static str> {
    known.instances.get(id).ok_or("I1, it is not there")
}

/// The line whose image this is, if it may act.
fn acting_line<'d>(
    declared: &'d Declared<'_>,
    image: &Image,
) -> Result<&'d Line<'d>, &'static str> {
    let line = declared
        .line_of(image)
        .ok_or("I1, it is no image of ours")?;
    ensure(!line.is_suspended(), "it is suspended")?;
    Ok(line)
}

fn owner_line<'d>(
    declared: &'d Declared<'_>,
    tags: &BTreeMap<String, String>,
) -> Option<&'d Line<'d>> {
    declared.lines.iter().find(|it| {
        tags.get(MANAGED_BY).map(String::as_str) == Some(it.scope)
            && tags.get(OWNER) == Some(&it.resource.id().to_string())
            && !it.is_suspended()
    })
}

/// I1 and I2: what goes was ours, kept by nobody, not what `-latest` names, and more than enough others stay.
fn deletion(declared: &Declared<'_>, known: &Known, image: &Image) -> Judgement {
    let line = acting_line(declared, image)?;
    let of = architecture(image).ok_or("I1, of an architecture that we do not know")?;
    let mut kept = line.spec.retention.keep_ids.iter();
    ensure(
        !kept.any(|it| it == image.image_id.as_str()),
        "I1, listed to be kept",
    )?;
    ensure(!is_making(image), "I1, it is being made")?;
    if image.status == ImageStatus::CreateFailed {
        return Ok(());
    }
    ensure(!known.is_used(image), "I1, it is in use")?;
    ensure(!image.is_self_shared, "I1, it is shared")?;
    if !line.is_wanted() {
        return Ok(());
    }
    ensure(is_available(image), "I1, it was withdrawn")?;
    ensure(
        image.creation_time != Timestamp::EPOCH,
        "I1, its age is unknown",
    )?;
    let ours = line.ours(known, of);
    let latest = line.latest(of);
    ensure(image.image_name != latest, "I1, it is -latest")?;
    let mut available = ours.iter().filter(|it| is_available(it));
    let serving = available.clone().find(|it| it.image_name == latest);
    let serving = serving.ok_or("I2, deleted while -latest named nothing")?;
    let age = |it: &Image| (Reverse(it.creation_time), it.image_id.clone());
    let newer = available
        .by_ref()
        .filter(|it| it.image_id != serving.image_id && age(it) < age(image));
    let keep = usize::try_from(line.spec.retention.keep).map_err(|_| "keep is too large")?;
    ensure(
        newer.count() + 1 >= keep,
        "I1, it is among those that are kept",
    )
}

/// I2: `-latest` goes to the pinned or else the newest; other names tell the minute of creation, in UTC.
fn renaming(declared: &Declared<'_>, known: &Known, (image, to): (&Image, &str)) -> Judgement {
    let line = acting_line(declared, image)?;
    ensure(line.is_wanted(), "a line that goes gives no names")?;
    let of = architecture(image).ok_or("I1, of an architecture that we do not know")?;
    if to == line.latest(of) {
        let ours = line.ours(known, of);
        let newest = ours.iter().find(|it| is_available(it));
        let is_pinned = line.spec.pinned() == Some(image.image_id.as_str());
        let is_newest = newest.is_some_and(|it| it.image_id == image.image_id);
        ensure(is_available(image), "I2, it is not Available")?;
        return ensure(is_pinned || is_newest, "I2, it is not the one");
    }
    let digits = line
        .digits(of, to)
        .ok_or("a name that is none of its line")?;
    // Of what we built, its builder's.
    let built = image
        .tags
        .get(BUILD_TIMESTAMP)
        .and_then(|it| it.parse().ok());
    let built = built.map(|it: i64| Timestamp::from_millis(it * 1000));
    let of = built.filter(|_| image.tags.contains_key(BUILDER));
    let time = of.unwrap_or(image.creation_time);
    let earliest = minute(time);
    let latest = minute(time.plus(TAKEN_MAX));
    let is_dated = (earliest.as_str()..=latest.as_str()).contains(&digits);
    ensure(is_dated, "its name is not the minute of its creation")
}

fn tagging(
    declared: &Declared<'_>,
    known: &Known,
    (object, tags, at): (&str, &BTreeMap<String, String>, Timestamp),
) -> Judgement {
    if let Some(instance) = known.instances.get(object) {
        for key in tags.keys() {
            match key.as_str() {
                IDLE_SINCE => touch(declared, instance, at).map(drop)?,
                RETIRING => retirement(declared, known, (instance, at))?,
                _ => return Err("a tag that is none of ours"),
            }
        }
        return Ok(());
    }
    let Some(image) = known.images.get(object) else {
        let image = tags.get(ORPHAN_OF).ok_or("I1, it is not there")?;
        let image = known.images.get(image);
        return match image {
            Some(image) => acting_line(declared, image).map(drop),
            None => ensure(owner_line(declared, tags).is_some(), "I1, not ours"),
        };
    };
    if tags.contains_key(OWNER) {
        let line = owner_line(declared, tags).ok_or("adopted for nobody")?;
        ensure(line.is_wanted(), "adopted by a line that goes")?;
        return ensure(
            line.owns(image) || line.adopts(image),
            "I1, it is not to be adopted",
        );
    }
    ensure(
        tags.keys().all(|it| it == LATEST),
        "a tag that is none of ours",
    )?;
    let line = acting_line(declared, image)?;
    let of = architecture(image).ok_or("I1, of an architecture that we do not know")?;
    ensure(
        image.image_name == line.latest(of),
        "marked before it is named",
    )
}

fn untagging(
    declared: &Declared<'_>,
    known: &Known,
    (object, keys, at): (&str, &[String], Timestamp),
) -> Judgement {
    if let Some(instance) = known.instances.get(object) {
        ensure(
            keys.iter().all(|it| it == IDLE_SINCE || it == RETIRING),
            "a tag that is not ours to take",
        )?;
        return touch(declared, instance, at).map(drop);
    }
    let image = known_image(known, object)?;
    ensure(
        keys.iter().all(|it| it == LATEST),
        "a tag that is not ours to take",
    )?;
    acting_line(declared, image).map(drop)
}

/// The policy that may touch an instance: exactly one.
fn touch<'d>(
    declared: &'d Declared<'_>,
    instance: &Instance,
    at: Timestamp,
) -> Result<&'d Policy<'d>, &'static str> {
    let mut policies = declared.policies.iter().filter(|it| it.is_active());
    let policy = policies.find(|it| it.hands_off(instance, at).is_none());
    policy.ok_or("I1, no policy may touch it")
}

/// I1: it has been idle or there for too long, by the service's time, and is not perhaps at work.
fn retirement(
    declared: &Declared<'_>,
    known: &Known,
    (instance, at): (&Instance, Timestamp),
) -> Judgement {
    let policy = touch(declared, instance, at)?;
    let is_stopped = instance.status == InstanceStatus::Stopped;
    let at = at.plus(TICK);
    // The service tells the minute of creation (ECS API reference, `DescribeInstances`, `CreationTime`).
    let age = at.since(whole_minute(instance.creation_time));
    let is_overdue = age > policy.spec.max_age.0;
    let idle_since = known.idle_since.get(instance.instance_id.as_str());
    // Whether a runner has a job is another oracle's.
    let may_idle = policy.spec.runners_of.is_some() && instance.status == InstanceStatus::Running;
    let is_idle = (may_idle || is_stopped && instance.spot_strategy != "NoSpot")
        && idle_since.is_some_and(|it| at.since(*it) > policy.spec.idle_after.0);
    ensure(is_overdue || is_idle, "I1, neither idle nor overdue")
}

/// I1: its removal was announced, and it is still no one's business but ours.
fn removal(declared: &Declared<'_>, instance: &Instance, at: Timestamp) -> Judgement {
    touch(declared, instance, at)?;
    ensure(
        instance.tags.contains_key(RETIRING),
        "the order of a removal",
    )
}
