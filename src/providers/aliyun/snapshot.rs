//! Snapshots of disks: what an image is made of, and what is left of it.
//!
//! Source: ECS API reference, `DescribeSnapshots`, `DeleteSnapshot`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Aliyun;
use super::call::{Call, parameters};
use super::image::gone_is_done;
use super::index::Snapshots;
use super::listing::Listing;
use super::place::{Place, Service};
use super::wire::Fields;
use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::SnapshotId;
use crate::retry::Effect;

/// A snapshot of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Its name, which may be empty.
    pub name: String,
    /// When it was begun; none: the service does not say.
    pub created: Option<Timestamp>,
    /// As ECS writes it: `progressing`, `accomplished` or `failed`.
    pub status: String,
    /// The size of the disk in GiB.
    pub size_gib: u64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

const SNAPSHOTS: Listing<Snapshot> = Listing {
    service: Service::Ecs,
    action: "DescribeSnapshots",
    doing: "list the snapshots",
    outer: "Snapshots",
    inner: "Snapshot",
    id: "SnapshotId",
    page_size: 100,
    read,
};

fn read(item: Fields<'_>) -> Result<Snapshot, String> {
    Ok(Snapshot {
        id: SnapshotId::new(item.id("SnapshotId")?),
        name: item
            .optional("SnapshotName")?
            .unwrap_or_default()
            .to_owned(),
        created: item.time("CreationTime")?,
        status: item.id("Status")?.to_owned(),
        size_gib: item.number("SourceDiskSize")?,
        tags: item.tags()?,
    })
}

impl Aliyun {
    /// All snapshots of the region, in every status; read once a pass.
    pub async fn snapshots(&self, place: &Place) -> Result<Arc<Snapshots>, Fault> {
        let filter = parameters([("Status", "all")]);
        let read = || async {
            let listed = self.list_by_token(place, &SNAPSHOTS, &filter).await?;
            Ok(Snapshots::of(listed))
        };
        self.snapshots.get(place, read).await
    }

    /// Deletes a snapshot, even when disks were made from it; one that does not exist is deleted already.
    pub async fn delete_snapshot(&self, place: &Place, id: &SnapshotId) -> Result<(), Fault> {
        let call = Call {
            service: Service::Ecs,
            action: "DeleteSnapshot",
            doing: "delete a snapshot",
            effect: Effect::Repeatable,
            subject: Some(id.as_str()),
            parameters: parameters([("SnapshotId", id.as_str()), ("Force", "true")]),
        };
        let outcome = self.call(place, &call).await;
        self.snapshots.forget(place);
        gone_is_done(outcome.map(|_| ()))
    }
}
