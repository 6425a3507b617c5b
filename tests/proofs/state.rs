//! What exists, in a form that two runs can be compared by.

use std::collections::BTreeMap;

use reconcile::clock::Timestamp;
use reconcile::kinds::tags::{BUILD_TIMESTAMP, BUILDER, IDLE_SINCE};
use reconcile::sim::World;
use reconcile::sim::object::{Image, Instance, Snapshot};

use super::lab::Lab;

/// Everything that exists: no times, for they differ after a crash, and no ids of what was built meanwhile.
pub(crate) fn state_of(lab: &Lab) -> Vec<String> {
    let now = lab.now();
    lab.with_world(|world| {
        let mut state = machines(world, now);
        let runners = world.runners(now).into_iter();
        state.extend(runners.map(|it| format!("runner {} {} {}", it.of, it.name, it.is_busy)));
        let jobs = world.jobs(now).into_iter();
        state.extend(jobs.map(|it| format!("job {} {:?}", it.name, it.ended.map(|it| it.1))));
        for (host, name) in world.repositories() {
            for (tag, digest) in world.tags((&host, &name), now) {
                state.push(format!("{host}/{name}:{tag} {digest}"));
            }
            for digest in world.manifests((&host, &name), now).into_keys() {
                state.push(format!("{host}/{name}@{digest}"));
            }
        }
        state
    })
}

/// Images, instances and snapshots, in all regions.
fn machines(world: &mut World, now: Timestamp) -> Vec<String> {
    let (start, regions) = (world.scenario().start, world.scenario().regions.clone());
    let mut state = Vec::new();
    for region in &regions {
        let region = region.as_str();
        state.extend(world.images(region, now).iter().map(image));
        state.extend(world.instances(region, now).iter().map(instance));
        let snapshots = world.snapshots(region, now);
        state.extend(snapshots.iter().map(|it| snapshot(it, start)));
    }
    state
}

/// An image that was once in the way of its family stays out of it; what the family gives, the oracle holds against what is
/// declared.
fn image(image: &Image) -> String {
    let family = image.image_family.trim_end_matches("-retired");
    let (name, status) = (&image.image_name, image.status);
    if image.source.is_none() {
        let (id, tags) = (&image.image_id, &image.tags);
        return format!("{id} {name} {status:?} {family} {tags:?}");
    }
    let name = name.trim_end_matches(|it: char| it.is_ascii_digit());
    let mut tags = image.tags.clone();
    tags.retain(|key, _| ![BUILDER, BUILD_TIMESTAMP].contains(&key.as_str()));
    format!("built {name} {status:?} {family} {tags:?}")
}

fn instance(instance: &Instance) -> String {
    let tags = instance.tags.iter().filter(|(key, _)| *key != IDLE_SINCE);
    let tags: BTreeMap<_, _> = tags.collect();
    format!(
        "{} {} {:?} {tags:?}",
        instance.instance_id, instance.instance_name, instance.status
    )
}

/// One that came after the `start` of the world came with an image that was built.
fn snapshot(snapshot: &Snapshot, start: Timestamp) -> String {
    let tags = &snapshot.tags;
    if snapshot.creation_time > start {
        return format!("made {tags:?}");
    }
    format!("{} {tags:?}", snapshot.snapshot_id)
}

/// What only one of two worlds has; of what is alike in a world, each counts.
pub(crate) fn difference<'a>(one: &'a [String], other: &'a [String]) -> Vec<&'a str> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for (world, by) in [(one, 1), (other, -1)] {
        for line in world {
            *counts.entry(line).or_default() += by;
        }
    }
    counts.retain(|_, count| *count != 0);
    counts.into_keys().collect()
}
