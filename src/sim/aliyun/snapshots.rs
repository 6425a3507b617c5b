//! The actions on snapshots (ECS API reference: `DescribeSnapshots`, `DeleteSnapshot`).

use serde_json::json;

use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Reply, page, show};
use crate::sim::history::What;
use crate::sim::object::SnapshotStatus;
use crate::sim::scenario::MissingDeletion;

pub(super) fn describe(cloud: &mut Cloud, ask: &Ask) -> Reply {
    ask.only(&[
        "SnapshotIds",
        "SnapshotName",
        "Status",
        "Usage",
        "SnapshotType",
        "Tag",
    ])?;
    ask.choose(
        "Usage",
        &["image", "disk", "image_disk", "none"],
        "404 InvalidUsage",
    )?;
    let statuses = ["progressing", "accomplished", "failed", "all"];
    ask.choose("Status", &statuses, "404 InvalidStatus.NotFound")?;
    ask.choose(
        "SnapshotType",
        &["auto", "user", "all"],
        "404 InvalidSnapshotType.NotFound",
    )?;
    let ids = ask.id_array("SnapshotIds")?;
    let page = page::by_token(ask, cloud)?;
    ask.unless_dry()?;
    let region = ask.region(cloud);
    let imaged = show::imaged_snapshots(region.images.all_at(ask.view));
    let status = ask.text("Status").filter(|it| *it != "all");
    let mut snapshots = page::listing(cloud, ask, &region.snapshots)?;
    snapshots.retain(|it| {
        ids.as_ref()
            .is_none_or(|ids| ids.contains(it.snapshot_id.as_str()))
            && status.is_none_or(|status| json!(it.status) == status)
            && ask.passes("SnapshotName", &it.snapshot_name)
            && ask.passes("Usage", show::snapshot_usage(it, &imaged))
            && ask.text("SnapshotType") != Some("auto")
    });
    let page = page.cut(ask, snapshots);
    Ok(page.answer("Snapshots", "Snapshot", |it| show::snapshot(it, &imaged)))
}

/// A snapshot that an image holds stays, even with `Force`.
pub(super) fn delete(cloud: &mut Cloud, ask: &Ask) -> Reply {
    let id = ask.text("SnapshotId").unwrap_or_default();
    let Some(region_id) = ask.find(cloud, |it| it.snapshots.get(id).is_some()) else {
        return match cloud.scenario.settings.missing_deletion {
            MissingDeletion::Ignored => Ok(json!({})),
            MissingDeletion::NotFound => Err(Refusal::new(
                404,
                "InvalidSnapshotId.NotFound",
                "The specified snapshot is not found.",
            )),
        };
    };
    let region = cloud.region_mut(&region_id);
    let is_held = region.images.all().any(|it| {
        it.disk_device_mappings
            .iter()
            .any(|it| it.snapshot_id.as_str() == id)
    });
    if is_held {
        let message = "The snapshot has been used to create user defined image(s).";
        return Err(Refusal::new(403, "SnapshotCreatedImage", message));
    }
    let is_busy = region
        .snapshots
        .get(id)
        .is_some_and(|it| it.status == SnapshotStatus::Progressing);
    if is_busy {
        let message = "A previous snapshot creation is in process.";
        return Err(Refusal::new(
            403,
            "IncorrectDiskStatus.CreatingSnapshot",
            message,
        ));
    }
    if let Some(snapshot) = region.snapshots.remove(ask.now, id) {
        cloud.record(
            ask.now,
            &region_id,
            What::SnapshotDeleted(Box::new(snapshot)),
        );
    }
    Ok(json!({}))
}
