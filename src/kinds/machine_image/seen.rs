//! The images of an account, and where a deletion left something behind, its snapshots.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::{ImageId, SnapshotId};
use crate::kind::Context;
use crate::kinds::aliyun_region::{AliyunRegion, Home};
use crate::kinds::tags::{self, Owner};
use crate::providers::aliyun;
use crate::resource::Resource;

use super::spec::{Architecture, Spec};

/// What was seen for one line of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where, and whose objects are ours.
    pub home: Home,
    /// All custom images of the account in that region, in all statuses.
    pub images: Vec<Image>,
    /// When they were listed, by the service's clock.
    pub at: Timestamp,
    /// All snapshots; none: it was no time to look at them.
    pub snapshots: Option<Vec<Snapshot>>,
}

/// One custom image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Its name.
    pub name: String,
    /// How far it is.
    pub phase: Phase,
    /// Its architecture; none: one that we do not know.
    pub architecture: Option<Architecture>,
    /// When it was created; none: the service does not say.
    pub created: Option<Timestamp>,
    /// Whether an instance uses it.
    pub in_use: bool,
    /// Whether it is shared with other accounts.
    pub shared: bool,
    /// Its size.
    pub size_gib: u64,
    /// Its family; none: it is in no family.
    pub family: Option<String>,
    /// The snapshots behind it.
    pub snapshots: Vec<SnapshotId>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// How far an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is being made, or not usable yet.
    Making,
    /// Machines can be made from it.
    Available,
    /// It could not be made, and will not be.
    Failed,
    /// It was withdrawn (`UnAvailable`, `Deprecated`) or is in a status that we do not know.
    Withdrawn,
}

/// One snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Image {
    /// Whose it is.
    pub fn owner(&self, resource: &Resource<Spec>, home: &Home) -> Owner {
        tags::owner(&self.tags, &home.scope, &resource.id)
    }
}

/// What is remembered between passes: when all snapshots of deleted images were last seen to be gone.
pub(super) const SWEPT: &str = "snapshots-swept";

/// How often snapshots are looked at although nothing was deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn observe(
    resource: &Resource<Spec>,
    context: &Context<'_>,
) -> Result<Seen, Fault> {
    let home = context
        .spec::<AliyunRegion>(resource.spec.region_ref.as_str())
        .home();
    let ecs = &context.clients.aliyun;
    let images = ecs.images(&home.place).await?;
    let swept = context.remembered.get(SWEPT);
    let due = swept.is_none_or(|swept| images.at().since(*swept) >= SWEEP_EVERY);
    let snapshots = if resource.spec.retention.delete_snapshots && due {
        let listed = ecs.snapshots(&home.place).await?;
        Some(listed.items().iter().map(snapshot).collect())
    } else {
        None
    };
    Ok(Seen {
        images: images.items().iter().map(image).collect(),
        at: images.at(),
        snapshots,
        home,
    })
}

fn snapshot(seen: &aliyun::Snapshot) -> Snapshot {
    Snapshot {
        id: seen.id.clone(),
        tags: seen.tags.clone(),
    }
}

pub(super) fn image(seen: &aliyun::Image) -> Image {
    use aliyun::ImageStatus as Status;
    let phase = match &seen.status {
        Status::Creating | Status::Waiting => Phase::Making,
        // ECS reports an image as Available before machines can be made from it (ECS API reference, `Usable`).
        Status::Available if seen.usable == Some(false) => Phase::Making,
        Status::Available => Phase::Available,
        Status::CreateFailed => Phase::Failed,
        Status::UnAvailable | Status::Deprecated | Status::Other(_) => Phase::Withdrawn,
    };
    let architecture = match seen.architecture.as_str() {
        "x86_64" => Some(Architecture::Amd64),
        "arm64" => Some(Architecture::Arm64),
        _ => None,
    };
    Image {
        id: seen.id.clone(),
        name: seen.name.clone(),
        phase,
        architecture,
        created: seen.created,
        in_use: seen.in_use,
        shared: seen.shared,
        size_gib: seen.size_gib,
        family: seen.family.clone(),
        snapshots: seen.snapshots.clone(),
        tags: seen.tags.clone(),
    }
}
