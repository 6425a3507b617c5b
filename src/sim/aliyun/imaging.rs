//! `CreateImage` (ECS API reference, `CreateImage`): answered at once, done much later.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::clock::Timestamp;
use crate::ids::{ImageId, InstanceId, SnapshotId};
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::images::{check_free, check_texts};
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Region, Reply, names, purchase, token};
use crate::sim::history::What;
use crate::sim::object::{
    DiskDeviceMapping, Image, ImageChange, ImageStatus, Instance, InstanceStatus, Snapshot,
    SnapshotStatus,
};
use crate::sim::trouble::TroubleKind;

pub(super) fn create(cloud: &mut Cloud, ask: &Ask) -> Reply {
    token::once(cloud, ask, |cloud| {
        check_texts(ask)?;
        let tags = names::tags(&ask.parameters)?;
        let material = material_of(cloud, ask)?;
        if let Some(name) = ask.text("ImageName") {
            check_free(ask.region(cloud), name, None)?;
        }
        purchase::check_images(cloud, ask)?;
        ask.unless_dry()?;
        let image = image_of(cloud, ask, &material, tags);
        let (id, region) = (image.image_id.clone(), ask.region_id(cloud));
        if let Origin::Instance(_) = material.origin {
            for mapping in &image.disk_device_mappings {
                let mut snapshot = snapshot_of(&image, mapping);
                snapshot.status = SnapshotStatus::Progressing;
                cloud
                    .region_mut(&region)
                    .snapshots
                    .put(ask.now, snapshot.clone());
                cloud.record(ask.now, &region, What::SnapshotCreated(Box::new(snapshot)));
            }
        }
        cloud.region_mut(&region).images.put(ask.now, image.clone());
        cloud.record(ask.now, &region, What::ImageCreated(Box::new(image)));
        Ok(json!({"ImageId": id}))
    })
}

/// What an image is made of.
struct Material {
    architecture: String,
    /// In GiB.
    size: u64,
    origin: Origin,
}

enum Origin {
    Instance(InstanceId),
    Snapshot(SnapshotId),
}

/// The instance comes before the disk mapping, and that before the snapshot, when several are given.
fn material_of(cloud: &Cloud, ask: &Ask) -> Result<Material, Refusal> {
    let region = ask.region(cloud);
    if let Some(id) = ask.text("InstanceId") {
        let Some(instance) = region.instances.get(id) else {
            let message = format!("The specified instance {id} does not exist.");
            return Err(Refusal::new(404, "InvalidInstanceId.NotFound", &message));
        };
        return of_instance(cloud, region, instance);
    }
    if ask
        .parameters
        .0
        .keys()
        .any(|it| it.starts_with("DiskDeviceMapping."))
    {
        return Err(Refusal::unmodelled("images of several snapshots"));
    }
    let Some(id) = ask.text("SnapshotId") else {
        let message = "The input parameter SnapshotId or InstanceId or DiskDeviceMapping that is mandatory \
                       for processing this request is not supplied.";
        return Err(Refusal::new(400, "MissingParameter", message));
    };
    let Some(snapshot) = region.snapshots.get(id) else {
        let message = "The specified SnapshotId does not exist.";
        return Err(Refusal::new(404, "InvalidSnapshotId.NotFound", message));
    };
    if snapshot.status != SnapshotStatus::Accomplished {
        let message = "The specified snapshot is not ready.";
        return Err(Refusal::new(403, "InvalidSnapshotId.NotReady", message));
    }
    Ok(Material {
        architecture: ask.text("Architecture").unwrap_or("x86_64").to_owned(),
        size: snapshot.source_disk_size,
        origin: Origin::Snapshot(snapshot.snapshot_id.clone()),
    })
}

/// Only of a running or a stopped instance, and one image at a time.
fn of_instance(cloud: &Cloud, region: &Region, instance: &Instance) -> Result<Material, Refusal> {
    let is_steady = match instance.status {
        InstanceStatus::Running | InstanceStatus::Stopped => !instance.is_going(),
        InstanceStatus::Pending | InstanceStatus::Starting | InstanceStatus::Stopping => false,
    };
    if !is_steady {
        let message = "The current status of the instance does not support this operation.";
        return Err(Refusal::new(400, "IncorrectInstanceStatus", message));
    }
    let is_imaging = |it: &Image| {
        it.status == ImageStatus::Creating && it.source.as_ref() == Some(&instance.instance_id)
    };
    if region.images.all().any(is_imaging) {
        let message = "A previous snapshot creation is in process.";
        return Err(Refusal::new(
            403,
            "IncorrectDiskStatus.CreatingSnapshot",
            message,
        ));
    }
    let machine = cloud.market.find(&instance.instance_type);
    Ok(Material {
        architecture: machine
            .map_or("x86_64", |it| it.architecture.of_image())
            .to_owned(),
        size: instance.system_disk_size,
        origin: Origin::Instance(instance.instance_id.clone()),
    })
}

fn image_of(
    cloud: &Cloud,
    ask: &Ask,
    material: &Material,
    tags: BTreeMap<String, String>,
) -> Image {
    let region = ask.region_id(cloud);
    let name = ask.text("ImageName");
    let subject = name.or(ask.text("ClientToken")).unwrap_or_default();
    let image_id = ImageId::new(&cloud.fresh_id(&region, "m", subject));
    let (snapshot_id, source) = match &material.origin {
        Origin::Snapshot(id) => (id.clone(), None),
        Origin::Instance(id) => {
            let fresh = cloud.fresh_id(&region, "s", image_id.as_str());
            (SnapshotId::new(&fresh), Some(id.clone()))
        }
    };
    Image {
        region_id: Some(region),
        // ASSUMED: an image without a name is called like its id.
        image_name: name.unwrap_or(image_id.as_str()).to_owned(),
        image_id,
        image_family: ask.text("ImageFamily").unwrap_or_default().to_owned(),
        description: ask.text("Description").unwrap_or_default().to_owned(),
        architecture: material.architecture.clone(),
        creation_time: ask.now,
        status: ImageStatus::Creating,
        usable: false,
        size: material.size,
        image_owner_alias: "self".to_owned(),
        is_self_shared: false,
        disk_device_mappings: vec![DiskDeviceMapping {
            snapshot_id,
            device: "/dev/xvda".to_owned(),
            size: material.size,
            r#type: "system".to_owned(),
        }],
        tags,
        source,
        upcoming: upcoming(cloud, ask, subject),
    }
}

/// An image is Available some time after it was asked for, and can be launched some time after that.
fn upcoming(cloud: &Cloud, ask: &Ask, subject: &str) -> Vec<(Timestamp, ImageChange)> {
    let times = &cloud.scenario.times;
    let done = ask.now.plus(cloud.lasting(times.image_available, subject));
    if ask
        .trouble
        .as_ref()
        .is_some_and(|it| it.fault == TroubleKind::CreateFailed)
    {
        return vec![(done, ImageChange::Turn(ImageStatus::CreateFailed))];
    }
    let usable = done.plus(Duration::from_secs(times.image_usable));
    vec![
        (done, ImageChange::Turn(ImageStatus::Available)),
        (usable, ImageChange::Usable),
    ]
}

/// The snapshot behind one disk of an image.
pub(super) fn snapshot_of(image: &Image, mapping: &DiskDeviceMapping) -> Snapshot {
    Snapshot {
        region_id: image.region_id.clone(),
        snapshot_id: mapping.snapshot_id.clone(),
        snapshot_name: format!("Created_from_{}", image.image_id),
        creation_time: image.creation_time,
        status: SnapshotStatus::Accomplished,
        source_disk_size: mapping.size,
        source_disk_id: String::new(),
        tags: BTreeMap::new(),
    }
}
