//! A world as far as promises speak of it, replayed event by event.

use std::collections::{BTreeMap, BTreeSet};

use reconcile::clock::Timestamp;
use reconcile::kinds::tags::IDLE_SINCE;
use reconcile::sim::history::{Event, What};
use reconcile::sim::object::{Image, ImageStatus, Instance};
use reconcile::sim::scenario::Scenario;

type Tags = BTreeMap<String, String>;

/// Everything that exists, by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) images: BTreeMap<String, Image>,
    pub(super) instances: BTreeMap<String, Instance>,
    /// The tags of snapshots; those that came with their image are here once they are tagged.
    pub(super) snapshots: BTreeMap<String, Tags>,
    /// Since when an instance was noted to be idle, by the first note of those that followed each other.
    pub(super) idle_since: BTreeMap<String, Timestamp>,
    /// The ids of images and snapshots, and the families, that launch templates name.
    named: BTreeSet<String>,
}

impl Known {
    pub(super) fn at_start(scenario: &Scenario) -> Self {
        let mut known = Self::default();
        for image in &scenario.objects.images {
            known.put_image(image);
        }
        for instance in &scenario.objects.instances {
            known.put_instance(instance);
        }
        for snapshot in &scenario.objects.snapshots {
            let id = snapshot.snapshot_id.to_string();
            known.snapshots.insert(id, snapshot.tags.clone());
        }
        let versions = scenario.objects.launch_templates.iter();
        for version in versions.flat_map(|it| &it.versions) {
            known.named.insert(version.image_id.clone());
            let snapshots = version.snapshot_ids.iter().map(ToString::to_string);
            known.named.extend(snapshots);
        }
        known
    }

    /// Whether a launch template names an image, a snapshot of it, or a family that gives it.
    pub(super) fn is_named(&self, image: &Image) -> bool {
        let mut disks = image.disk_device_mappings.iter();
        self.named.contains(image.image_id.as_str())
            || disks.any(|it| self.named.contains(it.snapshot_id.as_str()))
            || self.is_given_by_family(image)
    }

    fn is_given_by_family(&self, image: &Image) -> bool {
        let family = &image.image_family;
        let is_newer = |it: &Image| {
            it.image_family == *family
                && it.status == ImageStatus::Available
                && it.creation_time > image.creation_time
        };
        !family.is_empty()
            && self.named.iter().any(|it| it.ends_with(family.as_str()))
            && !self.images.values().any(is_newer)
    }

    fn put_image(&mut self, image: &Image) {
        self.images
            .insert(image.image_id.to_string(), image.clone());
    }

    fn put_instance(&mut self, instance: &Instance) {
        let id = instance.instance_id.to_string();
        self.idle_since.remove(&id);
        self.note_idle(&id, &instance.tags);
        self.instances.insert(id, instance.clone());
    }

    fn note_idle(&mut self, id: &str, tags: &Tags) {
        let since = tags.get(IDLE_SINCE).and_then(|it| Timestamp::parse(it));
        if let Some(since) = since {
            self.idle_since.entry(id.to_owned()).or_insert(since);
        }
    }

    fn tags(&mut self, object: &str) -> &mut Tags {
        if let Some(image) = self.images.get_mut(object) {
            return &mut image.tags;
        }
        if let Some(instance) = self.instances.get_mut(object) {
            return &mut instance.tags;
        }
        self.snapshots.entry(object.to_owned()).or_default()
    }

    fn change_image(&mut self, id: &str, change: impl FnOnce(&mut Image)) {
        // Where somebody else's doing is left out, so is what became of it.
        if let Some(image) = self.images.get_mut(id) {
            change(image);
        }
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match &event.what {
            What::ImageCreated(image) | What::ImagePut(image) => self.put_image(image),
            What::ImageTurned { image, status } => {
                self.change_image(image.as_str(), |it| it.status = *status);
            }
            What::ImageUsable { image } => self.change_image(image.as_str(), |it| it.usable = true),
            What::ImageRenamed { image, to, .. } => {
                self.change_image(image.as_str(), |it| it.image_name.clone_from(to));
            }
            What::FamilyChanged { image, to, .. } => {
                self.change_image(image.as_str(), |it| it.image_family.clone_from(to));
            }
            What::ImageDeleted { image, .. } => {
                self.images.remove(image.image_id.as_str());
            }
            What::InstanceCreated(instance) | What::InstancePut(instance) => {
                self.put_instance(instance);
            }
            What::InstanceTurned { instance, status } => {
                if let Some(instance) = self.instances.get_mut(instance.as_str()) {
                    instance.status = *status;
                }
            }
            What::InstanceDeleted { instance, .. } => {
                self.instances.remove(instance.instance_id.as_str());
            }
            What::SnapshotCreated(snapshot) | What::SnapshotPut(snapshot) => {
                let id = snapshot.snapshot_id.to_string();
                self.snapshots.insert(id, snapshot.tags.clone());
            }
            What::SnapshotDeleted(snapshot) => {
                self.snapshots.remove(snapshot.snapshot_id.as_str());
            }
            What::Tagged { object, tags } => {
                self.note_idle(object, tags);
                self.tags(object).extend(tags.clone());
            }
            What::Untagged { object, keys } => {
                if keys.iter().any(|it| it == IDLE_SINCE) {
                    self.idle_since.remove(object);
                }
                self.tags(object).retain(|key, _| !keys.contains(key));
            }
            What::Taken { object } => {
                self.images.remove(object);
                self.instances.remove(object);
                self.snapshots.remove(object);
            }
            What::InstanceDeleting(_)
            | What::ReleaseTimeChanged { .. }
            | What::CommandSent(_)
            | What::CommandBegun { .. }
            | What::CommandEnded { .. } => {}
        }
    }

    pub(super) fn is_used(&self, image: &Image) -> bool {
        self.instances
            .values()
            .any(|it| it.image_id == image.image_id)
    }
}

/// Whether machines can be made of it.
pub(super) fn is_available(image: &Image) -> bool {
    image.status == ImageStatus::Available && image.usable
}

/// Whether it is still being made.
pub(super) fn is_making(image: &Image) -> bool {
    match image.status {
        ImageStatus::Creating | ImageStatus::Waiting => true,
        ImageStatus::Available => !image.usable,
        ImageStatus::UnAvailable | ImageStatus::CreateFailed | ImageStatus::Deprecated => false,
    }
}

/// A time as services tell it that know whole minutes alone.
pub(super) fn whole_minute(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.millis().div_euclid(60_000) * 60_000)
}

/// The minute of a time in UTC, read off its text.
pub(super) fn minute(time: Timestamp) -> String {
    let digits = time.to_string();
    digits
        .chars()
        .filter(char::is_ascii_digit)
        .take(12)
        .collect()
}
