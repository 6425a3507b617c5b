//! Objects as the services answer them (ECS API reference, `DescribeImages`, `DescribeInstances`, `DescribeSnapshots`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::sim::aliyun::Cloud;
use crate::sim::object::{
    DiskDeviceMapping, Image, ImageStatus, Instance, LaunchTemplate, LaunchTemplateVersion,
    Snapshot, SnapshotStatus,
};

/// The images that instances use.
pub(super) fn used_images<'a>(instances: impl Iterator<Item = &'a Instance>) -> BTreeSet<String> {
    instances
        .map(|it| it.image_id.as_str().to_owned())
        .collect()
}

/// The snapshots that images hold.
pub(super) fn imaged_snapshots<'a>(images: impl Iterator<Item = &'a Image>) -> BTreeSet<String> {
    let ids = |it: &'a Image| {
        it.disk_device_mappings
            .iter()
            .map(|it| it.snapshot_id.as_str().to_owned())
    };
    images.flat_map(ids).collect()
}

/// The field `Usage` of an image.
pub(super) fn image_usage(image: &Image, used: &BTreeSet<String>) -> &'static str {
    if used.contains(image.image_id.as_str()) {
        "instance"
    } else {
        "none"
    }
}

/// The field `Usage` of a snapshot.
pub(super) fn snapshot_usage(snapshot: &Snapshot, imaged: &BTreeSet<String>) -> &'static str {
    if imaged.contains(snapshot.snapshot_id.as_str()) {
        "image"
    } else {
        "none"
    }
}

pub(super) fn image(image: &Image, used: &BTreeSet<String>) -> Value {
    let progress = match image.status {
        ImageStatus::Creating | ImageStatus::Waiting | ImageStatus::CreateFailed => "45%",
        ImageStatus::Available | ImageStatus::UnAvailable | ImageStatus::Deprecated => "100%",
    };
    let disks: Vec<Value> = image
        .disk_device_mappings
        .iter()
        .map(|it| mapping(it, progress))
        .collect();
    json!({
        "ImageId": image.image_id,
        "ImageName": image.image_name,
        "ImageFamily": image.image_family,
        "ImageVersion": "",
        "ImageOwnerAlias": image.image_owner_alias,
        "Description": image.description,
        "Architecture": image.architecture,
        "CreationTime": creation(image),
        "Status": image.status,
        "Usable": image.usable,
        "Usage": image_usage(image, used),
        "Progress": progress,
        "Size": image.size,
        "OSType": "linux",
        "OSName": "Ubuntu 24.04 64 bit",
        "OSNameEn": "Ubuntu 24.04 64 bit",
        "Platform": "Ubuntu",
        "ProductCode": "",
        "ResourceGroupId": "",
        "IsCopied": false,
        "IsPublic": false,
        "IsSelfShared": if image.is_self_shared { "True" } else { "" },
        "IsSubscribed": false,
        "IsSupportCloudinit": true,
        "IsSupportIoOptimized": true,
        "DiskDeviceMappings": {"DiskDeviceMapping": disks},
        "Tags": tags(&image.tags),
    })
}

/// An image as `DescribeImageFromFamily` answers it: with fewer fields.
pub(super) fn family_image(image: &Image, used: &BTreeSet<String>) -> Value {
    let mut shown = self::image(image, used);
    if let Value::Object(fields) = &mut shown {
        let missing = ["Usable", "OSNameEn", "IsPublic", "ResourceGroupId"];
        fields.retain(|name, _| !missing.contains(&name.as_str()));
    }
    if let Some(Value::Array(disks)) = shown.pointer_mut("/DiskDeviceMappings/DiskDeviceMapping") {
        disks
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .for_each(|it| drop(it.remove("Progress")));
    }
    shown
}

fn mapping(mapping: &DiskDeviceMapping, progress: &str) -> Value {
    json!({
        "SnapshotId": mapping.snapshot_id,
        "Device": mapping.device,
        // A number in text, unlike the size of the image itself.
        "Size": mapping.size.to_string(),
        "Type": mapping.r#type,
        "Format": "",
        "Progress": progress,
        "ImportOSSBucket": "",
        "ImportOSSObject": "",
    })
}

pub(super) fn instance(cloud: &Cloud, instance: &Instance) -> Value {
    let machine = cloud.market.find(&instance.instance_type);
    let locks: Vec<Value> = instance
        .recycling
        .then(|| json!({"LockReason": "Recycling", "LockMsg": ""}))
        .into_iter()
        .collect();
    json!({
        "InstanceId": instance.instance_id,
        "InstanceName": instance.instance_name,
        "HostName": instance.instance_name,
        "Description": "",
        "ImageId": instance.image_id,
        "InstanceType": instance.instance_type,
        "InstanceTypeFamily": machine.map_or("", |it| &it.family),
        "Cpu": machine.map_or(0, |it| it.cores),
        "Memory": machine.map_or(0, |it| it.memory.mebi()),
        "Status": instance.status,
        "RegionId": instance.region_id,
        "ZoneId": instance.zone_id,
        "CreationTime": minute(instance.creation_time),
        "StartTime": minute(instance.creation_time),
        "ExpiredTime": "2099-12-31T15:59Z",
        "AutoReleaseTime": instance.auto_release_time.map_or(String::new(), minute),
        "InstanceChargeType": instance.instance_charge_type,
        "SpotStrategy": instance.spot_strategy,
        "SpotPriceLimit": instance.spot_price_limit,
        "SpotDuration": if instance.spot_strategy == "NoSpot" { 0 } else { instance.spot_duration },
        "DeletionProtection": instance.deletion_protection,
        "StoppedMode": instance.stopped_mode,
        "Recyclable": false,
        "KeyPairName": instance.key_pair_name,
        "OSType": "linux",
        "OSName": "Ubuntu 24.04 64 bit",
        "InstanceNetworkType": "vpc",
        "IoOptimized": true,
        "OperationLocks": {"LockReason": locks},
        "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": instance.http_tokens},
        "SecurityGroupIds": {"SecurityGroupId": instance.security_group_ids},
        "VpcAttributes": {
            "VSwitchId": instance.v_switch_id, "VpcId": cloud.vpc_of(&instance.v_switch_id), "NatIpAddress": "", "PrivateIpAddress": {"IpAddress": []},
        },
        "Tags": tags(&instance.tags),
    })
}

pub(super) fn snapshot(snapshot: &Snapshot, imaged: &BTreeSet<String>) -> Value {
    let is_done = snapshot.status == SnapshotStatus::Accomplished;
    json!({
        "SnapshotId": snapshot.snapshot_id,
        "SnapshotName": snapshot.snapshot_name,
        "Description": "",
        "CreationTime": snapshot.creation_time,
        "Status": snapshot.status,
        "Available": is_done,
        "Progress": if is_done { "100%" } else { "45%" },
        "SnapshotType": "user",
        "SourceDiskId": snapshot.source_disk_id,
        "SourceDiskSize": snapshot.source_disk_size.to_string(),
        "SourceDiskType": "system",
        "Usage": snapshot_usage(snapshot, imaged),
        "Encrypted": false,
        "ResourceGroupId": "",
        "RetentionDays": 65_536,
        "Tags": tags(&snapshot.tags),
    })
}

pub(super) fn template(template: &LaunchTemplate) -> Value {
    let newest = template.versions.last().map(|it| it.version_number);
    json!({
        "LaunchTemplateId": template.launch_template_id,
        "LaunchTemplateName": template.launch_template_name,
        "CreateTime": template.create_time,
        "ModifiedTime": template.create_time,
        "CreatedBy": "1000000000000001",
        "DefaultVersionNumber": newest,
        "LatestVersionNumber": newest,
        "ResourceGroupId": "",
        "Tags": tags(&template.tags),
    })
}

pub(super) fn template_version(
    template: &LaunchTemplate,
    version: &LaunchTemplateVersion,
    is_detailed: bool,
) -> Value {
    let newest = template.versions.last().map(|it| it.version_number);
    let mut shown = json!({
        "LaunchTemplateId": template.launch_template_id,
        "LaunchTemplateName": template.launch_template_name,
        "CreateTime": template.create_time,
        "ModifiedTime": template.create_time,
        "CreatedBy": "1000000000000001",
        "DefaultVersion": newest == Some(version.version_number),
        "VersionNumber": version.version_number,
        "VersionDescription": "",
    });
    if is_detailed {
        let disk = |it| json!({"SnapshotId": it, "Category": "cloud_essd"});
        let disks: Vec<Value> = version.snapshot_ids.iter().map(disk).collect();
        shown["LaunchTemplateData"] = json!({
            "ImageId": version.image_id,
            "InstanceType": "ecs.c7.large",
            "DataDisks": {"DataDisk": disks},
        });
    }
    shown
}

/// A launch template with all its versions, as no single action answers it.
pub(super) fn whole_template(template: &LaunchTemplate) -> Value {
    let mut shown = self::template(template);
    let versions = template.versions.iter();
    let versions = versions.map(|it| template_version(template, it, true));
    shown["LaunchTemplateVersionSets"] =
        json!({"LaunchTemplateVersionSet": versions.collect::<Vec<_>>()});
    shown
}

pub(super) fn tags(tags: &BTreeMap<String, String>) -> Value {
    let rows: Vec<Value> = tags
        .iter()
        .map(|(key, value)| json!({"TagKey": key, "TagValue": value}))
        .collect();
    json!({"Tag": rows})
}

/// Times of instances come without seconds (ECS API reference, `DescribeInstances`, examples).
/// ASSUMED: the field is there and empty where the service does not know; seen by users of the API.
fn creation(image: &Image) -> String {
    if image.creation_time == Timestamp::EPOCH {
        return String::new();
    }
    image.creation_time.to_string()
}

fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", &text[..16])
}
