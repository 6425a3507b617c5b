//! Objects that are put into the account or taken out of it by nobody who is a client: what a world begins with, and what
//! somebody does behind the services' backs.

use crate::clock::Timestamp;
use crate::ids::{InstanceId, RegionId};
use crate::sim::aliyun::{Cloud, imaging};
use crate::sim::history::What;
use crate::sim::invocation::RunError;
use crate::sim::object::Snapshot;
use crate::sim::scenario::Objects;
use crate::sim::shelf::{Object, Shelf};

impl Cloud {
    /// Puts objects into the world as if they had been there since they were created, at the latest since `now`; what
    /// was there before changes now. The snapshots of an image that are not listed come with it.
    pub(crate) fn add(&mut self, objects: &Objects, now: Timestamp) {
        for snapshot in objects.snapshots.clone() {
            self.add_snapshot(snapshot, now);
        }
        for mut image in objects.images.clone() {
            let id = self.home(image.region_id.take());
            for mapping in &image.disk_device_mappings {
                let snapshot = imaging::snapshot_of(&image, mapping);
                if !self.regions[&id]
                    .snapshots
                    .has_known(snapshot.snapshot_id.as_str())
                {
                    let region_id = Some(id.clone());
                    self.add_snapshot(
                        Snapshot {
                            region_id,
                            ..snapshot
                        },
                        now,
                    );
                }
            }
            image.region_id = Some(id.clone());
            put(&mut self.region_mut(&id).images, image, now);
        }
        for mut instance in objects.instances.clone() {
            let id = self.home(instance.region_id.take());
            instance.region_id = Some(id.clone());
            put(&mut self.region_mut(&id).instances, instance, now);
        }
        for mut template in objects.launch_templates.clone() {
            let id = self.home(template.region_id.take());
            template.region_id = Some(id.clone());
            self.region_mut(&id)
                .launch_templates
                .put(template.create_time.min(now), template);
        }
    }

    /// Puts objects into the world as somebody would who is no client here.
    pub(crate) fn meddle(&mut self, objects: &Objects, now: Timestamp) {
        self.add(objects, now);
        let images = objects.images.iter().cloned().map(Box::new);
        let instances = objects.instances.iter().cloned().map(Box::new);
        let snapshots = objects.snapshots.iter().cloned().map(Box::new);
        let put = images
            .map(|it| (it.region_id.clone(), What::ImagePut(it)))
            .chain(instances.map(|it| (it.region_id.clone(), What::InstancePut(it))))
            .chain(snapshots.map(|it| (it.region_id.clone(), What::SnapshotPut(it))));
        for (region, what) in put {
            let region = self.home(region);
            self.record(now, &region, what);
        }
    }

    /// Takes an object out of the world as somebody would who is no client here.
    pub(crate) fn take(&mut self, id: &str, now: Timestamp) {
        let regions: Vec<RegionId> = self.regions.keys().cloned().collect();
        for region_id in regions {
            let region = self.region_mut(&region_id);
            let is_taken = region.images.remove(now, id).is_some()
                || region.instances.remove(now, id).is_some()
                || region.snapshots.remove(now, id).is_some();
            if is_taken {
                let why = (&InstanceId::new(id), RunError::InstanceReleased);
                self.interrupt(now, &region_id, why);
                let object = id.to_owned();
                self.record(now, &region_id, What::Taken { object });
            }
        }
    }

    fn add_snapshot(&mut self, mut snapshot: Snapshot, now: Timestamp) {
        let id = self.home(snapshot.region_id.take());
        snapshot.region_id = Some(id.clone());
        put(&mut self.region_mut(&id).snapshots, snapshot, now);
    }
}

fn put<T: Object>(shelf: &mut Shelf<T>, object: T, now: Timestamp) {
    let is_new = !shelf.has_known(object.id());
    let since = if is_new {
        object.created().min(now)
    } else {
        now
    };
    shelf.put(since, object);
}
