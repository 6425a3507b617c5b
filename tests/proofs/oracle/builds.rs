//! I3 and I4 of what is built: one machine and one image of a version at a time, and each machine bound to end.

use std::collections::BTreeMap;
use std::time::Duration;

use reconcile::clock::Timestamp;
use reconcile::kinds::tags::{ARCHITECTURE, BUILDER, MANAGED_BY, OWNER, VERSION};
use reconcile::sim::invocation::Invocation;
use reconcile::sim::object::{Image, ImageStatus, Instance};

use super::declared::{Declared, Line, architecture};
use super::deeds::{Judgement, ensure};
use super::known::{Known, is_making};

/// A machine that builds is bound to end within this.
const LEASE_MAX: Duration = Duration::from_secs(24 * 3600);

type Tags = BTreeMap<String, String>;

/// The line that builds what has these tags.
fn builder_line<'d>(declared: &'d Declared<'_>, tags: &Tags) -> Option<&'d Line<'d>> {
    let tag = |key: &str| tags.get(key).map(String::as_str);
    declared.lines.iter().find(|it| {
        it.spec.provision.is_some()
            && tag(MANAGED_BY) == Some(it.scope)
            && tag(OWNER) == Some(it.resource.id().to_string().as_str())
            && !it.is_suspended()
    })
}

/// Whether an instance builds, or did.
pub(super) fn is_builder(declared: &Declared<'_>, instance: &Instance) -> bool {
    builder_line(declared, &instance.tags).is_some()
}

/// Whether two things are of one version, line and architecture.
fn is_alike(one: &Tags, other: &Tags) -> bool {
    [MANAGED_BY, OWNER, VERSION, ARCHITECTURE]
        .iter()
        .all(|key| one.get(*key).is_some() && one.get(*key) == other.get(*key))
}

/// I4: no second machine of a version, and none of one whose image is there. I3: it ends by itself.
pub(super) fn launch(
    declared: &Declared<'_>,
    known: &Known,
    (instance, at): (&Instance, Timestamp),
) -> Judgement {
    let line = builder_line(declared, &instance.tags).ok_or("launched for nobody")?;
    ensure(line.is_wanted(), "launched for a line that goes")?;
    let mut others = known.instances.values();
    let twin = others.any(|it| is_alike(&it.tags, &instance.tags));
    ensure(!twin, "I4, a second machine of a version")?;
    let is_there = |it: &&Image| {
        is_alike(&it.tags, &instance.tags) && (is_making(it) || it.status == ImageStatus::Available)
    };
    let built = known.images.values().find(is_there);
    ensure(built.is_none(), "I4, a machine for what is built")?;
    let release = instance.auto_release_time.ok_or("I3, it never ends")?;
    ensure(release.since(at) <= LEASE_MAX, "I3, it ends too late")
}

/// I4: a machine is provisioned once.
pub(super) fn command(
    declared: &Declared<'_>,
    known: &Known,
    invocation: &Invocation,
) -> Judgement {
    ensure(
        builder_line(declared, &invocation.tags).is_some(),
        "a command for nobody",
    )?;
    for run in &invocation.runs {
        let instance = known.instances.get(run.instance.as_str());
        let instance = instance.ok_or("a command for what is not there")?;
        ensure(
            is_builder(declared, instance),
            "I1, a command for what is not ours",
        )?;
        ensure(
            !known.commanded.contains(run.instance.as_str()),
            "I4, provisioned twice",
        )?;
    }
    Ok(())
}

/// I4: no second image of a version; its name is one of its line.
pub(super) fn image(declared: &Declared<'_>, known: &Known, image: &Image) -> Judgement {
    let line = builder_line(declared, &image.tags).ok_or("an image for nobody")?;
    let of = architecture(image).ok_or("an image of an unknown architecture")?;
    ensure(
        line.digits(of, &image.image_name).is_some(),
        "an image without a dated name",
    )?;
    let mut others = known.images.values();
    let twin = others.any(|it| {
        is_alike(&it.tags, &image.tags) && (is_making(it) || it.status == ImageStatus::Available)
    });
    ensure(!twin, "I4, a second image of a version")?;
    let builder = image.tags.get(BUILDER).ok_or("an image of no machine")?;
    ensure(
        known.succeeded.contains(builder),
        "an image of a machine that was not provisioned",
    )
}

/// I1: a machine goes once it is ours, and no image is being made of it.
pub(super) fn release(declared: &Declared<'_>, known: &Known, instance: &Instance) -> Judgement {
    ensure(is_builder(declared, instance), "I1, no builder of ours")?;
    let id = instance.instance_id.as_str();
    let mut images = known.images.values();
    let is_imaged =
        images.any(|it| is_making(it) && it.tags.get(BUILDER).map(String::as_str) == Some(id));
    ensure(!is_imaged, "its image is being made")
}

/// I3: machines that a line has left although it is as declared.
pub(super) fn left<'k>(line: &Line<'_>, known: &'k Known) -> Vec<&'k str> {
    let is_of = |it: &&Instance| {
        let tag = |key: &str| it.tags.get(key).map(String::as_str);
        line.spec.provision.is_some()
            && tag(MANAGED_BY) == Some(line.scope)
            && tag(OWNER) == Some(line.resource.id().to_string().as_str())
    };
    let machines = known.instances.values().filter(is_of);
    machines.map(|it| it.instance_id.as_str()).collect()
}
