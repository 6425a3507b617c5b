//! What time alone changes: images and instances move on, and release times come.

use crate::clock::Timestamp;
use crate::ids::{InstanceId, RegionId};
use crate::sim::aliyun::{Cloud, Region};
use crate::sim::history::{Removal, What};
use crate::sim::invocation::RunError;
use crate::sim::object::{
    Image, ImageChange, ImageStatus, Instance, InstanceChange, InstanceStatus, SnapshotStatus,
};
use crate::sim::scenario::Release;

/// A change that is due, in the order in which changes happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Timestamp,
    region: RegionId,
    id: String,
}

impl Cloud {
    /// Lets everything happen that is due by `now`, each at its own time.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        loop {
            let due = self.next_due().filter(|it| it.at <= now);
            let until = due.as_ref().map_or(now, |it| it.at);
            if let Some(release) = self.releases.pop_if(|it| it.at <= until) {
                self.release(release);
                continue;
            }
            let Some(due) = due else {
                return;
            };
            let region = &self.regions[&due.region];
            if region.images.get(&due.id).is_some() {
                self.move_image(&due);
            } else if region.invocations.get(&due.id).is_some() {
                self.move_invocation(due.at, &due.region, &due.id);
            } else {
                self.move_instance(&due);
            }
        }
    }

    fn release(&mut self, release: Release) {
        let Release { at, mut image } = release;
        let region = self.home(image.region_id.take());
        image.region_id = Some(region.clone());
        self.region_mut(&region).images.put(at, image.clone());
        self.record(at, &region, What::ImagePut(Box::new(image)));
    }

    /// When something in the account changes next by itself, after a time.
    pub(crate) fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let next = self.next_due().map(|it| it.at);
        next.filter(|it| *it > after)
    }

    fn next_due(&self) -> Option<Due> {
        let of_region = |(id, region): (&RegionId, &Region)| {
            let images = region.images.all().filter_map(|it| {
                let at = it.upcoming.iter().map(|it| it.0).min()?;
                Some((at, it.image_id.as_str().to_owned()))
            });
            let instances = region
                .instances
                .all()
                .filter_map(|it| Some((next_of(it)?, it.instance_id.as_str().to_owned())));
            let invocations = region
                .invocations
                .all()
                .filter_map(|it| Some((it.due()?, it.invoke_id.clone())));
            let (at, object) = images.chain(instances).chain(invocations).min()?;
            Some(Due {
                at,
                region: id.clone(),
                id: object,
            })
        };
        self.regions.iter().filter_map(of_region).min()
    }

    fn move_image(&mut self, due: &Due) {
        let region = self.region_mut(&due.region);
        let mut change = None;
        let image = region.images.change(due.at, &due.id, |image| {
            if let Some(index) = image.upcoming.iter().position(|it| it.0 == due.at) {
                change = Some(image.upcoming.remove(index).1);
            }
            match change {
                Some(ImageChange::Turn(status)) => image.status = status,
                Some(ImageChange::Usable) => image.usable = true,
                None => {}
            }
        });
        let (Some(image), Some(change)) = (image.cloned(), change) else {
            return;
        };
        let what = match change {
            ImageChange::Usable => What::ImageUsable {
                image: image.image_id,
            },
            ImageChange::Turn(status) => {
                let snapshots = match status {
                    ImageStatus::CreateFailed => SnapshotStatus::Failed,
                    ImageStatus::Available
                    | ImageStatus::Creating
                    | ImageStatus::Waiting
                    | ImageStatus::UnAvailable
                    | ImageStatus::Deprecated => SnapshotStatus::Accomplished,
                };
                for mapping in image
                    .disk_device_mappings
                    .iter()
                    .filter(|_| !image.is_coming())
                {
                    let id = mapping.snapshot_id.as_str();
                    region
                        .snapshots
                        .change(due.at, id, |it| it.status = snapshots);
                }
                What::ImageTurned {
                    image: image.image_id,
                    status,
                }
            }
        };
        self.record(due.at, &due.region, what);
    }

    fn move_instance(&mut self, due: &Due) {
        let Some(instance) = self.regions[&due.region].instances.get(&due.id).cloned() else {
            return;
        };
        let position = instance.upcoming.iter().position(|it| it.0 == due.at);
        let Some(index) = position else {
            self.remove_instance(due.at, &due.region, (&due.id, Removal::Release));
            return;
        };
        match instance.upcoming[index].1 {
            InstanceChange::Go(by) => self.remove_instance(due.at, &due.region, (&due.id, by)),
            change @ (InstanceChange::Turn(_) | InstanceChange::Recycle) => {
                let region = self.region_mut(&due.region);
                region.instances.change(due.at, &due.id, |it| {
                    it.upcoming.remove(index);
                    match change {
                        InstanceChange::Turn(status) => it.status = status,
                        InstanceChange::Recycle => it.recycling = true,
                        InstanceChange::Go(_) => {}
                    }
                });
                if let InstanceChange::Turn(status) = change {
                    self.turned(due, (instance.instance_id, status));
                }
            }
        }
    }

    fn turned(&mut self, due: &Due, (instance, status): (InstanceId, InstanceStatus)) {
        if status == InstanceStatus::Stopped {
            let why = (&instance, RunError::InstanceNotRunning);
            self.interrupt(due.at, &due.region, why);
        }
        let what = What::InstanceTurned { instance, status };
        self.record(due.at, &due.region, what);
    }

    /// Removes an instance; an image that is being made of it fails (ASSUMED; the documentation only says that the
    /// instance must keep existing until the image is available).
    fn remove_instance(&mut self, at: Timestamp, region_id: &RegionId, (id, by): (&str, Removal)) {
        let region = self.region_mut(region_id);
        let Some(instance) = region.instances.remove(at, id) else {
            return;
        };
        let is_orphan = |image: &&Image| {
            image.is_coming() && image.source.as_ref() == Some(&instance.instance_id)
        };
        let orphans: Vec<String> = region
            .images
            .all()
            .filter(is_orphan)
            .map(|it| it.image_id.as_str().to_owned())
            .collect();
        for image in orphans {
            let fails = vec![(at, ImageChange::Turn(ImageStatus::CreateFailed))];
            region.images.change(at, &image, |it| it.upcoming = fails);
        }
        let why = (&instance.instance_id, RunError::InstanceReleased);
        self.interrupt(at, region_id, why);
        let instance = Box::new(instance);
        self.record(at, region_id, What::InstanceDeleted { instance, by });
    }
}

/// When an instance changes next by itself; a release time counts for every instance (ECS documentation, "Release
/// instances").
fn next_of(instance: &Instance) -> Option<Timestamp> {
    let upcoming = instance.upcoming.iter().map(|it| it.0);
    upcoming.chain(instance.auto_release_time).min()
}
