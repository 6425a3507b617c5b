//! What exists in the simulated cloud, in the words of the ECS API reference; this is also the form of a scenario.

mod written;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{AccountId, ImageId, InstanceId, LaunchTemplateId, RegionId, SnapshotId};
use crate::sim::history::Removal;
use crate::sim::shelf::Object;

/// The status of an image (ECS API reference, `DescribeImages`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageStatus {
    Creating,
    Waiting,
    #[default]
    Available,
    UnAvailable,
    CreateFailed,
    Deprecated,
}

/// The status of an instance (ECS documentation, "Instance lifecycle"): a released one has none, it is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceStatus {
    Pending,
    Starting,
    #[default]
    Running,
    Stopping,
    Stopped,
}

/// The status of a snapshot (ECS API reference, `DescribeSnapshots`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotStatus {
    Progressing,
    #[default]
    Accomplished,
    Failed,
}

/// A machine image.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Image {
    #[serde(default)]
    pub region_id: Option<RegionId>,
    pub image_id: ImageId,
    pub image_name: String,
    #[serde(default)]
    pub image_family: String,
    #[serde(default)]
    pub description: String,
    #[serde(default = "written::x86_64")]
    pub architecture: String,
    /// An empty text stands for an image that does not say when it was created; it is kept as the start of 1970.
    #[serde(deserialize_with = "written::time_or_none")]
    pub creation_time: Timestamp,
    #[serde(default)]
    pub status: ImageStatus,
    /// Whether it can be launched; may lag behind `Available`.
    #[serde(default = "written::yes")]
    pub usable: bool,
    /// In GiB.
    #[serde(default = "written::twenty")]
    pub size: u64,
    #[serde(default = "written::own")]
    pub image_owner_alias: String,
    /// Whether it is shared with other accounts, or in a way that names none.
    #[serde(default)]
    pub is_self_shared: bool,
    /// The accounts that it is shared with, and since when.
    #[serde(default)]
    pub shared_with: BTreeMap<AccountId, Timestamp>,
    #[serde(default = "written::linux", rename = "OSType")]
    pub os_type: String,
    #[serde(default = "written::ubuntu")]
    pub platform: String,
    #[serde(default = "written::ubuntu_64", rename = "OSName")]
    pub os_name: String,
    #[serde(default = "written::ubuntu_64", rename = "OSNameEn")]
    pub os_name_en: String,
    #[serde(default, deserialize_with = "written::mappings")]
    pub disk_device_mappings: Vec<DiskDeviceMapping>,
    #[serde(default, deserialize_with = "written::tags")]
    pub tags: BTreeMap<String, String>,
    /// The instance that it was made of in this world.
    #[serde(skip)]
    pub source: Option<InstanceId>,
    /// Whether a command had succeeded there before.
    #[serde(skip)]
    pub provisioned: bool,
    #[serde(skip)]
    pub(crate) upcoming: Vec<(Timestamp, ImageChange)>,
}

/// One disk of an image.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DiskDeviceMapping {
    pub snapshot_id: SnapshotId,
    #[serde(default = "written::first_device")]
    pub device: String,
    /// In GiB.
    #[serde(default = "written::twenty")]
    pub size: u64,
    #[serde(default = "written::system")]
    pub r#type: String,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Instance {
    #[serde(default)]
    pub region_id: Option<RegionId>,
    pub instance_id: InstanceId,
    pub instance_name: String,
    pub image_id: ImageId,
    #[serde(default = "written::small_type")]
    pub instance_type: String,
    #[serde(default)]
    pub status: InstanceStatus,
    pub creation_time: Timestamp,
    /// When the cloud releases it by itself.
    #[serde(default)]
    pub auto_release_time: Option<Timestamp>,
    #[serde(default = "written::post_paid")]
    pub instance_charge_type: String,
    #[serde(default = "written::no_spot")]
    pub spot_strategy: String,
    #[serde(default)]
    pub spot_price_limit: f64,
    /// The protected hours of a spot instance.
    #[serde(default = "written::one_hour")]
    pub spot_duration: i64,
    /// Whether its metadata service wants a token.
    #[serde(default = "written::optional")]
    pub http_tokens: String,
    #[serde(default)]
    pub deletion_protection: bool,
    #[serde(default = "written::first_zone")]
    pub zone_id: String,
    #[serde(default, rename = "VSwitchId")]
    pub v_switch_id: String,
    #[serde(default)]
    pub security_group_ids: Vec<String>,
    #[serde(default)]
    pub key_pair_name: String,
    #[serde(default = "written::keep_charging")]
    pub stopped_mode: String,
    /// The size of the system disk, in GiB.
    #[serde(default = "written::forty")]
    pub system_disk_size: u64,
    /// Whether the cloud has announced that it takes the spot instance back.
    #[serde(default)]
    pub recycling: bool,
    #[serde(default, deserialize_with = "written::tags")]
    pub tags: BTreeMap<String, String>,
    /// The runner on GitHub whose configuration the machine was told.
    #[serde(skip)]
    pub runner: Option<u64>,
    #[serde(skip)]
    pub(crate) agent: Agent,
    #[serde(skip)]
    pub(crate) upcoming: Vec<(Timestamp, InstanceChange)>,
}

/// A snapshot of a disk.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Snapshot {
    #[serde(default)]
    pub region_id: Option<RegionId>,
    pub snapshot_id: SnapshotId,
    #[serde(default)]
    pub snapshot_name: String,
    pub creation_time: Timestamp,
    #[serde(default)]
    pub status: SnapshotStatus,
    /// In GiB.
    #[serde(default = "written::twenty")]
    pub source_disk_size: u64,
    #[serde(default)]
    pub source_disk_id: String,
    #[serde(default, deserialize_with = "written::tags")]
    pub tags: BTreeMap<String, String>,
}

/// What instances can be launched from by its name alone (ECS API reference, `DescribeLaunchTemplates`).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct LaunchTemplate {
    #[serde(default)]
    pub region_id: Option<RegionId>,
    pub launch_template_id: LaunchTemplateId,
    pub launch_template_name: String,
    #[serde(default = "written::long_ago")]
    pub create_time: Timestamp,
    /// At least one; the last one is the newest, and the default.
    pub versions: Vec<LaunchTemplateVersion>,
    #[serde(default, deserialize_with = "written::tags")]
    pub tags: BTreeMap<String, String>,
}

/// One version of a launch template (ECS API reference, `DescribeLaunchTemplateVersions`).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct LaunchTemplateVersion {
    pub version_number: u64,
    /// An id or a family; empty: the template leaves it to the launch.
    #[serde(default)]
    pub image_id: String,
    /// What its data disks are made from.
    #[serde(default)]
    pub snapshot_ids: Vec<SnapshotId>,
}

/// Since when Cloud Assistant's agent answers while the instance runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Agent {
    /// A while after the instance was created.
    #[default]
    Usual,
    Since(Timestamp),
    Never,
}

/// What time will do to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageChange {
    Turn(ImageStatus),
    Usable,
}

/// What time will do to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstanceChange {
    Turn(InstanceStatus),
    Recycle,
    Go(Removal),
}

impl Image {
    /// Whether it is still being made.
    pub(crate) fn is_coming(&self) -> bool {
        match self.status {
            ImageStatus::Creating | ImageStatus::Waiting => true,
            ImageStatus::Available
            | ImageStatus::UnAvailable
            | ImageStatus::CreateFailed
            | ImageStatus::Deprecated => false,
        }
    }

    /// Whether it belongs to the account.
    pub(crate) fn is_own(&self) -> bool {
        self.image_owner_alias == "self"
    }

    pub(crate) fn holds(&self, snapshot: &SnapshotId) -> bool {
        self.disk_device_mappings
            .iter()
            .any(|it| it.snapshot_id == *snapshot)
    }
}

impl Instance {
    /// Since when its guest is up, once it runs; none: it never comes up.
    pub(crate) fn guest_since(&self) -> Option<Timestamp> {
        match self.agent {
            Agent::Usual => Some(self.creation_time),
            Agent::Since(time) => Some(time),
            Agent::Never => None,
        }
    }

    /// Whether its deletion has begun.
    pub(crate) fn is_going(&self) -> bool {
        let goes = |it: &(Timestamp, InstanceChange)| it.1 == InstanceChange::Go(Removal::Request);
        self.upcoming.iter().any(goes)
    }
}

impl Object for Image {
    fn id(&self) -> &str {
        self.image_id.as_str()
    }

    fn created(&self) -> Timestamp {
        self.creation_time
    }

    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }
}

impl Object for Instance {
    fn id(&self) -> &str {
        self.instance_id.as_str()
    }

    fn created(&self) -> Timestamp {
        self.creation_time
    }

    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }
}

impl Object for LaunchTemplate {
    fn id(&self) -> &str {
        self.launch_template_id.as_str()
    }

    fn created(&self) -> Timestamp {
        self.create_time
    }

    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }
}

impl Object for Snapshot {
    fn id(&self) -> &str {
        self.snapshot_id.as_str()
    }

    fn created(&self) -> Timestamp {
        self.creation_time
    }

    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }
}
