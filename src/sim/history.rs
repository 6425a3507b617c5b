//! What happened in the world and what was asked of it: both only ever grow, and oracles read them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::ids::{ImageId, InstanceId, LaunchTemplateId, RegionId};
use crate::sim::invocation::{Invocation, RunStatus};
use crate::sim::object::{Image, ImageStatus, Instance, InstanceStatus, Snapshot};

/// One request that a client made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    /// Its number in the order of arrival, from 1.
    pub n: u64,
    /// World time.
    pub at: Timestamp,
    /// As in `ecs`.
    pub service: &'static str,
    /// As in `DescribeImages`.
    pub action: String,
    /// What it was about, where the request says so: ids, or the name of what is to be made.
    pub object: Option<String>,
    /// Whether it was meant to change something; a dry run was not.
    pub write: bool,
    /// The status that the client saw; 0 when the connection was closed instead.
    pub status: u16,
    /// The error code that the client saw.
    pub code: Option<String>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// World time.
    pub at: Timestamp,
    /// Where.
    pub region: RegionId,
    /// What.
    pub what: What,
}

/// What can happen. Objects are as they were right after it, or right before they were gone.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// An image was made; it is `Creating` as a rule.
    ImageCreated(Box<Image>),
    /// An image has another status.
    ImageTurned { image: ImageId, status: ImageStatus },
    /// An `Available` image can be launched from now on.
    ImageUsable { image: ImageId },
    /// An image has another name.
    ImageRenamed {
        image: ImageId,
        from: String,
        to: String,
    },
    /// An image has another family.
    FamilyChanged {
        image: ImageId,
        from: String,
        to: String,
    },
    /// An image is gone; the instances that still used it, and the launch templates that still named it.
    ImageDeleted {
        image: Box<Image>,
        used_by: Vec<InstanceId>,
        named_by: Vec<LaunchTemplateId>,
    },
    /// An instance was made.
    InstanceCreated(Box<Instance>),
    /// An instance has another status.
    InstanceTurned {
        instance: InstanceId,
        status: InstanceStatus,
    },
    /// A request to delete an instance was accepted.
    InstanceDeleting(Box<Instance>),
    /// An instance is gone.
    InstanceDeleted {
        instance: Box<Instance>,
        by: Removal,
    },
    /// An instance is released at another time; none: never.
    ReleaseTimeChanged {
        instance: InstanceId,
        to: Option<Timestamp>,
    },
    /// A snapshot was made.
    SnapshotCreated(Box<Snapshot>),
    /// A snapshot is gone.
    SnapshotDeleted(Box<Snapshot>),
    /// An object has these tags besides what it had.
    Tagged {
        object: String,
        tags: BTreeMap<String, String>,
    },
    /// An object lacks these tags from now on.
    Untagged { object: String, keys: Vec<String> },
    /// A command was accepted; whether it ever begins on its instances is another matter.
    CommandSent(Box<Invocation>),
    /// A command has begun on an instance.
    CommandBegun {
        invocation: String,
        instance: InstanceId,
    },
    /// A command has come to an end on an instance, or will not begin there; without a code it did not end by itself.
    CommandEnded {
        invocation: String,
        instance: InstanceId,
        status: RunStatus,
        exit_code: Option<i64>,
    },
    /// Somebody else made an image, or made it what it is now; no request was sent for it.
    ImagePut(Box<Image>),
    /// Somebody else made an instance, or made it what it is now.
    InstancePut(Box<Instance>),
    /// Somebody else made a snapshot, or made it what it is now.
    SnapshotPut(Box<Snapshot>),
    /// Somebody else removed an object.
    Taken { object: String },
}

/// Who removed an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Somebody, by a request.
    Request,
    /// The cloud, at its release time.
    Release,
    /// The cloud, for lack of stock or because a spot instance was reclaimed.
    System,
}
