//! C3: a change between two passes that nobody saw. Every object of every case, after every pass; where it must be
//! quick, after the first two and the last.

use std::collections::{BTreeMap, BTreeSet};

use reconcile::clock::Timestamp;
use reconcile::kinds::tags::{LATEST, MANAGED_BY, ORPHAN_OF, OWNER};
use reconcile::sim::World;
use reconcile::sim::object::Image;
use reconcile::sim::scenario::Objects;
use serde_json::{Value, json};

use super::change::{Change, Deed, changes, one};
use super::reference::{Reference, Wrong, references};
use super::{each, extent, figure, is_all};

/// What happens between two passes.
#[derive(Clone, Debug)]
enum Unseen {
    /// It is changed, and changed back.
    ThereAndBack(Change),
    /// An object comes and goes.
    ComesAndGoes(&'static str),
    /// The tag `Latest` goes from where it is to this image; where it is already, it goes.
    TagMoves(String),
    /// The name `-latest` goes to this image of ours, and the one that had it is called something else.
    NameMoves(String),
}

/// The run, the pass, and what happens after it.
type Point<'a> = (&'a Reference, u32, Unseen);

fn points(references: &[Reference]) -> Vec<Point<'_>> {
    let mut points: Vec<Point> = Vec::new();
    for reference in references {
        let scenario = &reference.case.scenario;
        let mut unseen: Vec<Unseen> = changes(scenario)
            .into_iter()
            .map(Unseen::ThereAndBack)
            .collect();
        unseen.extend(["images", "instances", "snapshots"].map(Unseen::ComesAndGoes));
        let declared = reference.case.inventory.resources.keys();
        let declared: BTreeSet<String> = declared.map(ToString::to_string).collect();
        // What somebody else changes of what is not ours is not put back.
        let is_foreign = |it: &&Image| it.tags.get(OWNER).is_some_and(|it| !declared.contains(it));
        for image in scenario.objects.images.iter().filter(|it| !is_foreign(it)) {
            unseen.push(Unseen::TagMoves(image.image_id.to_string()));
            unseen.push(Unseen::NameMoves(image.image_id.to_string()));
        }
        let last = reference.passes;
        let passes = (1..=last).filter(|it| is_all() || *it <= 2 || *it == last);
        for pass in passes {
            points.extend(unseen.iter().map(|it| (reference, pass, it.clone())));
        }
    }
    points
}

impl Unseen {
    fn happen(&self, world: &mut World, now: Timestamp) {
        match self {
            Self::ThereAndBack(change) => {
                let before = one(world, &change.object, now);
                change.make(world, now);
                world.meddle(&before, now);
                if change.deed == Deed::Use {
                    world.take(&format!("i-of-{}", change.object), now);
                }
            }
            Self::ComesAndGoes(sort) => {
                let newcomer = newcomer(world, sort, now);
                world.meddle(&newcomer, now);
                world.take("m-newcomer", now);
                world.take("i-newcomer", now);
                world.take("s-newcomer", now);
            }
            Self::TagMoves(id) => {
                let mut images = images(world, now).into_iter();
                let is_owned =
                    |it: Image| it.image_id.as_str() == id && it.tags.contains_key(OWNER);
                if !images.any(is_owned) {
                    return;
                }
                for image in ours_beside(world, id, now) {
                    flip_latest(world, &image, now);
                }
                flip_latest(world, id, now);
            }
            Self::NameMoves(id) => move_name(world, id, now),
        }
    }
}

fn flip_latest(world: &mut World, id: &str, now: Timestamp) {
    let change = Change {
        object: id.to_owned(),
        deed: Deed::FlipLatest,
    };
    change.make(world, now);
}

fn images(world: &mut World, now: Timestamp) -> Vec<Image> {
    let region = world.scenario().regions[0].to_string();
    world.images(&region, now)
}

/// The images that bear the tag `Latest`, but for this one.
fn ours_beside(world: &mut World, id: &str, now: Timestamp) -> Vec<String> {
    let marked = images(world, now).into_iter();
    let marked = marked.filter(|it| it.tags.contains_key(LATEST) && it.image_id.as_str() != id);
    marked.map(|it| it.image_id.to_string()).collect()
}

/// Lets an image of a line take its name from the one that is called `-latest`.
fn move_name(world: &mut World, id: &str, now: Timestamp) {
    let images = images(world, now);
    let Some(image) = images.iter().find(|it| it.image_id.as_str() == id) else {
        return;
    };
    let is_alike = |it: &&Image| {
        it.image_name.ends_with("-latest")
            && it.architecture == image.architecture
            && it.tags.contains_key(OWNER)
            && it.tags.get(OWNER) == image.tags.get(OWNER)
    };
    let Some(latest) = images.iter().find(is_alike) else {
        return;
    };
    let (mut image, mut latest) = (image.clone(), latest.clone());
    if image.image_id == latest.image_id {
        return;
    }
    image.image_name = latest.image_name;
    latest.image_name = format!("moved-{}", latest.image_id);
    let images = vec![latest, image];
    world.meddle(
        &Objects {
            images,
            ..Objects::default()
        },
        now,
    );
}

/// Something that would concern us, if it stayed.
fn newcomer(world: &World, sort: &str, now: Timestamp) -> Objects {
    let owned: Value = json!({MANAGED_BY: "test", OWNER: "MachineImage/line", ORPHAN_OF: "m-gone"});
    let object = match sort {
        "images" => {
            json!({"ImageId": "m-newcomer", "ImageName": "line-amd64-209901010000", "Tags": owned})
        }
        "instances" => {
            let mut instances = world.scenario().objects.instances.iter();
            let tags = instances
                .next()
                .map_or_else(BTreeMap::new, |it| it.tags.clone());
            let id = "i-newcomer";
            json!({"InstanceId": id, "InstanceName": id, "ImageId": "ubuntu", "Tags": tags, "SpotStrategy": "SpotAsPriceGo"})
        }
        _ => json!({"SnapshotId": "s-newcomer", "Tags": owned}),
    };
    let mut object = object;
    object["CreationTime"] = json!(now.minus(std::time::Duration::from_secs(30 * 24 * 3600)));
    serde_json::from_value(json!({sort: [object]})).expect("an object is written right")
}

fn pass_by((reference, after, unseen): &Point<'_>) {
    let (after, unseen) = (*after, unseen.clone());
    reference.survives(Wrong {
        what: format!("{unseen:?} after pass {after}"),
        after_pass: Some(Box::new(move |served, pass| {
            if pass == after {
                let now = served.now();
                served.with_world(|it| unseen.happen(it, now));
            }
        })),
        ..Wrong::default()
    });
}

#[test]
fn what_nobody_saw_between_two_passes_changes_nothing_in_the_end() {
    let references = references();
    let points = points(&references);
    assert!(points.len() > 100, "only {} points", points.len());
    each(&points, pass_by);
    figure(
        &format!(
            "changes that nobody saw, enumerated and passed (C3), {}",
            extent()
        ),
        &points.len().to_string(),
    );
}
