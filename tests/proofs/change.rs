//! What somebody does to an object behind everybody's back.

use std::collections::BTreeMap;

use reconcile::clock::Timestamp;
use reconcile::kinds::tags::{LATEST, MANAGED_BY, OWNER, RETIRING};
use reconcile::sim::World;
use reconcile::sim::object::{Image, ImageStatus, Instance, InstanceStatus, Snapshot};
use reconcile::sim::scenario::{Objects, Scenario};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Remove,
    /// Takes off all tags that say whose it is.
    Disown,
    /// Gives it to another scope.
    GiveAway,
    Rename,
    /// Sets the tag `Latest`, or takes it off.
    FlipLatest,
    LeaveFamily,
    Share,
    Withdraw,
    /// Makes an instance of an image.
    Use,
    Protect,
    /// Takes off all tags.
    Unselect,
    /// Starts what is stopped, and stops what runs.
    FlipPower,
    /// Takes off the mark that it is on its way out.
    Unretire,
}

/// What can be done to an image.
pub(crate) const TO_IMAGES: [Deed; 9] = [
    Deed::Remove,
    Deed::Disown,
    Deed::GiveAway,
    Deed::Rename,
    Deed::FlipLatest,
    Deed::LeaveFamily,
    Deed::Share,
    Deed::Withdraw,
    Deed::Use,
];

/// What can be done to an instance.
pub(crate) const TO_INSTANCES: [Deed; 6] = [
    Deed::Remove,
    Deed::GiveAway,
    Deed::Protect,
    Deed::Unselect,
    Deed::FlipPower,
    Deed::Unretire,
];

/// What can be done to a snapshot.
pub(crate) const TO_SNAPSHOTS: [Deed; 3] = [Deed::Remove, Deed::Disown, Deed::GiveAway];

/// Something that is done to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) object: String,
    pub(crate) deed: Deed,
}

/// Everything that can be done to one object of a scenario.
pub(crate) fn changes(scenario: &Scenario) -> Vec<Change> {
    let objects = &scenario.objects;
    let mut changes = Vec::new();
    let mut add = |object: &str, deeds: &[Deed]| {
        changes.extend(deeds.iter().map(|deed| Change {
            object: object.to_owned(),
            deed: *deed,
        }));
    };
    for image in &objects.images {
        add(image.image_id.as_str(), &TO_IMAGES);
    }
    for instance in &objects.instances {
        add(instance.instance_id.as_str(), &TO_INSTANCES);
    }
    for snapshot in &objects.snapshots {
        add(snapshot.snapshot_id.as_str(), &TO_SNAPSHOTS);
    }
    changes
}

/// One object as it is; none where it is gone.
pub(crate) fn one(world: &mut World, id: &str, now: Timestamp) -> Objects {
    let region = world.scenario().regions[0].to_string();
    let images = world.images(&region, now).into_iter();
    let instances = world.instances(&region, now).into_iter();
    let snapshots = world.snapshots(&region, now).into_iter();
    Objects {
        images: images.filter(|it| it.image_id.as_str() == id).collect(),
        instances: instances
            .filter(|it| it.instance_id.as_str() == id)
            .collect(),
        snapshots: snapshots
            .filter(|it| it.snapshot_id.as_str() == id)
            .collect(),
        ..Objects::default()
    }
}

impl Change {
    /// Makes it; an object that is gone stays gone.
    pub(crate) fn make(&self, world: &mut World, now: Timestamp) {
        let mut objects = one(world, &self.object, now);
        if objects.images.is_empty() && objects.instances.is_empty() && objects.snapshots.is_empty()
        {
            return;
        }
        match self.deed {
            Deed::Remove => return world.take(&self.object, now),
            Deed::Use => objects.instances = vec![user(&self.object, now)],
            Deed::Disown
            | Deed::GiveAway
            | Deed::Rename
            | Deed::FlipLatest
            | Deed::LeaveFamily
            | Deed::Share
            | Deed::Withdraw
            | Deed::Protect
            | Deed::Unselect
            | Deed::FlipPower
            | Deed::Unretire => {}
        }
        objects.images.iter_mut().for_each(|it| self.of_image(it));
        objects
            .instances
            .iter_mut()
            .for_each(|it| self.of_instance(it));
        objects
            .snapshots
            .iter_mut()
            .for_each(|it| self.of_snapshot(it));
        world.meddle(&objects, now);
    }

    fn of_image(&self, image: &mut Image) {
        match self.deed {
            Deed::Disown => disown(&mut image.tags),
            Deed::GiveAway => give_away(&mut image.tags),
            Deed::Rename => image.image_name = format!("mine-{}", image.image_id),
            Deed::FlipLatest => {
                if image.tags.remove(LATEST).is_none() {
                    image.tags.insert(LATEST.to_owned(), "true".to_owned());
                }
            }
            Deed::LeaveFamily => image.image_family = String::new(),
            Deed::Share => image.is_self_shared = true,
            Deed::Withdraw => image.status = ImageStatus::Deprecated,
            Deed::Remove
            | Deed::Use
            | Deed::Protect
            | Deed::Unselect
            | Deed::FlipPower
            | Deed::Unretire => {}
        }
    }

    fn of_instance(&self, instance: &mut Instance) {
        match self.deed {
            Deed::GiveAway => give_away(&mut instance.tags),
            Deed::Protect => instance.deletion_protection = true,
            Deed::Unselect => instance.tags.clear(),
            Deed::FlipPower => {
                instance.status = match instance.status {
                    InstanceStatus::Stopped => InstanceStatus::Running,
                    InstanceStatus::Running => InstanceStatus::Stopped,
                    other @ (InstanceStatus::Pending
                    | InstanceStatus::Starting
                    | InstanceStatus::Stopping) => other,
                }
            }
            Deed::Unretire => drop(instance.tags.remove(RETIRING)),
            Deed::Remove
            | Deed::Disown
            | Deed::Rename
            | Deed::FlipLatest
            | Deed::LeaveFamily
            | Deed::Share
            | Deed::Withdraw
            | Deed::Use => {}
        }
    }

    fn of_snapshot(&self, snapshot: &mut Snapshot) {
        match self.deed {
            Deed::Disown => disown(&mut snapshot.tags),
            Deed::GiveAway => give_away(&mut snapshot.tags),
            Deed::Remove
            | Deed::Rename
            | Deed::FlipLatest
            | Deed::LeaveFamily
            | Deed::Share
            | Deed::Withdraw
            | Deed::Use
            | Deed::Protect
            | Deed::Unselect
            | Deed::FlipPower
            | Deed::Unretire => {}
        }
    }

    /// Whether it means that the object stays.
    pub(crate) fn protects(&self) -> bool {
        match self.deed {
            Deed::GiveAway | Deed::Share | Deed::Protect | Deed::Unselect => true,
            // The service refuses to delete an image that is used; what nobody owns is adopted again.
            Deed::Use
            | Deed::Disown
            | Deed::Remove
            | Deed::Rename
            | Deed::FlipLatest
            | Deed::LeaveFamily
            | Deed::Withdraw
            | Deed::FlipPower
            | Deed::Unretire => false,
        }
    }
}

fn disown(tags: &mut BTreeMap<String, String>) {
    tags.remove(MANAGED_BY);
    tags.remove(OWNER);
}

fn give_away(tags: &mut BTreeMap<String, String>) {
    tags.insert(MANAGED_BY.to_owned(), "another".to_owned());
}

/// A machine of nobody's that was made from an image.
fn user(image: &str, now: Timestamp) -> Instance {
    let value = serde_json::json!({
        "InstanceId": format!("i-of-{image}"),
        "InstanceName": "somebody",
        "ImageId": image,
        "CreationTime": now,
    });
    serde_json::from_value(value).expect("an instance is written right")
}
