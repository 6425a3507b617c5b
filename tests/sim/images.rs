//! Images and snapshots: how they come, change and go.

use reconcile::sim::history::What;
use reconcile::sim::object::{ImageStatus, SnapshotStatus};
use serde_json::json;

use super::{Bench, image, instance, small_world};

const REGION: &str = "cn-hangzhou";

fn status(bench: &mut Bench, id: &str) -> Vec<String> {
    bench.list(
        "DescribeImages",
        &[("ImageId", id), ("Status", "ALL")],
        "Status",
    )
}

#[test]
fn an_image_is_creating_then_available_then_usable() {
    let mut bench = small_world();
    let instance = bench.launch("builder");
    let answer = bench.ok(
        "CreateImage",
        &[("InstanceId", &instance), ("ImageName", "two")],
    );
    let id = answer["ImageId"].as_str().expect("an id").to_owned();
    assert_eq!(status(&mut bench, &id), ["Creating"]);
    assert_eq!(bench.list("DescribeImages", &[], "ImageName"), ["one"]);
    bench.wait(299);
    assert_eq!(status(&mut bench, &id), ["Creating"]);
    bench.wait(1);
    assert_eq!(status(&mut bench, &id), ["Available"]);
    let usable = |bench: &mut Bench| {
        bench.ok("DescribeImages", &[("ImageId", &id)])["Images"]["Image"][0]["Usable"].clone()
    };
    assert_eq!(usable(&mut bench), json!(false));
    let order: Vec<_> = super::ORDER
        .iter()
        .skip(1)
        .copied()
        .chain([("ImageId", id.as_str())])
        .collect();
    assert_eq!(
        bench.refused("RunInstances", &order),
        "403 OperationDenied.ImageNotValid"
    );
    bench.wait(20);
    assert_eq!(usable(&mut bench), json!(true));
    bench.ok("RunInstances", &order);
}

#[test]
fn an_image_may_fail() {
    let mut bench = small_world();
    let instance = bench.launch("builder");
    bench.trouble(&json!({"action": "CreateImage", "fault": "createFailed"}));
    bench.ok(
        "CreateImage",
        &[("InstanceId", &instance), ("ImageName", "two")],
    );
    bench.wait(600);
    let images = bench.world.images(REGION, bench.now);
    let failed = images
        .iter()
        .find(|it| it.image_name == "two")
        .expect("the image");
    assert_eq!(failed.status, ImageStatus::CreateFailed);
    assert_eq!(bench.list("DescribeImages", &[], "ImageName"), ["one"]);
    assert_eq!(
        bench.list("DescribeImages", &[("Status", "CreateFailed")], "ImageName"),
        ["two"]
    );
}

#[test]
fn an_image_fails_when_its_instance_goes_before_it_is_available() {
    let mut bench = small_world();
    let instance = bench.launch("builder");
    bench.ok(
        "CreateImage",
        &[("InstanceId", &instance), ("ImageName", "two")],
    );
    bench.ok(
        "DeleteInstance",
        &[("InstanceId", &instance), ("Force", "true")],
    );
    bench.wait(60);
    assert_eq!(
        bench.list("DescribeImages", &[("Status", "CreateFailed")], "ImageName"),
        ["two"]
    );
}

#[test]
fn an_image_is_made_only_of_a_steady_instance_and_one_at_a_time() {
    let mut bench = small_world();
    assert_eq!(bench.refused("CreateImage", &[]), "400 MissingParameter");
    assert_eq!(
        bench.refused("CreateImage", &[("InstanceId", "i-none")]),
        "404 InvalidInstanceId.NotFound"
    );
    let instance = bench.order(&[]);
    let two = [("InstanceId", instance.as_str()), ("ImageName", "two")];
    assert_eq!(
        bench.refused("CreateImage", &two),
        "400 IncorrectInstanceStatus"
    );
    bench.wait(60);
    bench.ok("CreateImage", &two);
    let three = [("InstanceId", instance.as_str()), ("ImageName", "three")];
    assert_eq!(
        bench.refused("CreateImage", &three),
        "403 IncorrectDiskStatus.CreatingSnapshot"
    );
    bench.wait(300);
    bench.ok("CreateImage", &three);
}

#[test]
fn names_are_unique_and_well_formed() {
    let mut bench = small_world();
    let create = |bench: &mut Bench, name: &str| {
        bench.refused(
            "CreateImage",
            &[("SnapshotId", "s-of-m-one"), ("ImageName", name)],
        )
    };
    assert_eq!(create(&mut bench, "one"), "400 InvalidImageName.Duplicated");
    for name in ["x", "1x", "acs:x", "aliyun-x", "with space", "a.b", "a/b"] {
        assert_eq!(
            create(&mut bench, name),
            "400 InvalidImageName.Malformed",
            "{name}"
        );
    }
    bench.ok(
        "CreateImage",
        &[("SnapshotId", "s-of-m-one"), ("ImageName", "镜像_2:a-b")],
    );
    bench.wait(600);
    let rename = [("ImageId", "m-one"), ("ImageName", "镜像_2:a-b")];
    assert_eq!(
        bench.refused("ModifyImageAttribute", &rename),
        "400 InvalidImageName.Duplicated"
    );
    bench.ok(
        "ModifyImageAttribute",
        &[("ImageId", "m-one"), ("ImageName", "one")],
    );
}

#[test]
fn an_image_is_renamed_once_it_exists_and_its_family_moves() {
    let mut bench = small_world();
    let answer = bench.ok(
        "CreateImage",
        &[("SnapshotId", "s-of-m-one"), ("ImageName", "two")],
    );
    let id = answer["ImageId"].as_str().expect("an id").to_owned();
    let rename = [
        ("ImageId", id.as_str()),
        ("ImageName", "three"),
        ("ImageFamily", "line"),
    ];
    assert_eq!(
        bench.refused("ModifyImageAttribute", &rename),
        "403 InvalidStatus.ImageIsCreating"
    );
    assert_eq!(
        bench.refused("ModifyImageAttribute", &[("ImageId", "m-none")]),
        "404 InvalidImageId.NotFound"
    );
    bench.wait(600);
    let family = |bench: &mut Bench| {
        bench.ok("DescribeImageFromFamily", &[("ImageFamily", "line")])["Image"]["ImageName"]
            .clone()
    };
    assert_eq!(family(&mut bench), json!(null));
    bench.ok("ModifyImageAttribute", &rename);
    assert_eq!(family(&mut bench), json!("three"));
    bench.ok(
        "ModifyImageAttribute",
        &[("ImageId", &id), ("ImageFamily", "")],
    );
    assert_eq!(family(&mut bench), json!(null));
    let mut names = Vec::new();
    for event in bench.world.history() {
        if let What::ImageRenamed { from, to, .. } = &event.what {
            names.push((from.as_str(), to.as_str()));
        }
    }
    assert_eq!(names, [("two", "three")]);
}

#[test]
fn an_image_in_use_is_deleted_only_by_force() {
    let objects = json!({
        "images": [image("m-one", "one", "2026-11-01T00:00:00Z"), image("m-two", "two", "2026-11-02T00:00:00Z")],
        "instances": [instance("i-one", "m-one")],
    });
    let mut bench = Bench::new(json!({"objects": objects}));
    assert_eq!(
        bench.list("DescribeImages", &[], "Usage"),
        ["none", "instance"]
    );
    assert_eq!(
        bench.list("DescribeImages", &[("Usage", "instance")], "ImageId"),
        ["m-one"]
    );
    assert_eq!(
        bench.refused("DeleteImage", &[("ImageId", "m-one")]),
        "403 ImageUsingByInstance"
    );
    bench.ok("DeleteImage", &[("ImageId", "m-two")]);
    bench.ok("DeleteImage", &[("ImageId", "m-one"), ("Force", "true")]);
    let mut used = Vec::new();
    for event in bench.world.history() {
        if let What::ImageDeleted { image, used_by, .. } = &event.what {
            used.push((image.image_name.clone(), used_by.len()));
        }
    }
    assert_eq!(used, [("two".to_owned(), 0), ("one".to_owned(), 1)]);
}

#[test]
fn a_shared_image_stays() {
    let mut shared = image("m-one", "one", "2026-11-01T00:00:00Z");
    shared["IsSelfShared"] = json!(true);
    let mut bench = Bench::new(json!({"objects": {"images": [shared]}}));
    assert_eq!(
        bench.refused("DeleteImage", &[("ImageId", "m-one"), ("Force", "true")]),
        "403 ImageUseShared"
    );
}

#[test]
fn a_snapshot_outlives_its_image_and_not_the_other_way_round() {
    let mut bench = small_world();
    let delete = [("SnapshotId", "s-of-m-one"), ("Force", "true")];
    assert_eq!(
        bench.list("DescribeSnapshots", &[("MaxResults", "10")], "Usage"),
        ["image"]
    );
    assert_eq!(
        bench.refused("DeleteSnapshot", &delete),
        "403 SnapshotCreatedImage"
    );
    bench.ok("DeleteImage", &[("ImageId", "m-one")]);
    assert_eq!(
        bench.list("DescribeSnapshots", &[("Usage", "none")], "SnapshotId"),
        ["s-of-m-one"]
    );
    bench.ok("DeleteSnapshot", &delete);
    assert_eq!(
        bench.refused("DeleteSnapshot", &delete),
        "404 InvalidSnapshotId.NotFound"
    );
}

#[test]
fn a_snapshot_is_finished_with_its_image() {
    let mut bench = small_world();
    let instance = bench.launch("builder");
    bench.ok(
        "CreateImage",
        &[("InstanceId", &instance), ("ImageName", "two")],
    );
    let statuses = |bench: &mut Bench| bench.list("DescribeSnapshots", &[], "Status");
    assert_eq!(statuses(&mut bench), ["progressing", "accomplished"]);
    bench.wait(300);
    assert_eq!(statuses(&mut bench), ["accomplished", "accomplished"]);
    let snapshots = bench.world.snapshots(REGION, bench.now);
    assert!(
        snapshots
            .iter()
            .all(|it| it.status == SnapshotStatus::Accomplished)
    );
}

#[test]
fn deleting_what_is_not_there_is_a_setting() {
    let mut bench = small_world();
    assert_eq!(
        bench.refused("DeleteImage", &[("ImageId", "m-none")]),
        "404 InvalidImageId.NotFound"
    );
    let mut bench = Bench::new(json!({"settings": {"missingDeletion": "ignored"}}));
    bench.ok("DeleteImage", &[("ImageId", "m-none")]);
    bench.ok("DeleteSnapshot", &[("SnapshotId", "s-none")]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut bench = small_world();
    let dry = ("DryRun", "true");
    assert_eq!(
        bench.refused("DeleteImage", &[("ImageId", "m-one"), dry]),
        "400 DryRunOperation"
    );
    let create = [("SnapshotId", "s-of-m-one"), ("ClientToken", "t"), dry];
    assert_eq!(bench.refused("CreateImage", &create), "400 DryRunOperation");
    assert_eq!(bench.world.images(REGION, bench.now).len(), 1);
    assert!(bench.world.history().is_empty());
    assert!(bench.world.calls().iter().all(|it| !it.write));
}

#[test]
fn the_same_token_makes_the_same_image() {
    let mut bench = small_world();
    let create = [
        ("SnapshotId", "s-of-m-one"),
        ("ImageName", "two"),
        ("ClientToken", "t"),
    ];
    let first = bench.ok("CreateImage", &create);
    let second = bench.ok("CreateImage", &create);
    assert_eq!(first["ImageId"], second["ImageId"]);
    assert_ne!(first["RequestId"], second["RequestId"]);
    let other = [
        ("SnapshotId", "s-of-m-one"),
        ("ImageName", "three"),
        ("ClientToken", "t"),
    ];
    assert_eq!(
        bench.refused("CreateImage", &other),
        "400 IdempotenceParamNotMatch"
    );
}

#[test]
fn an_image_of_the_system_cannot_be_changed() {
    let mut system = image("m-one", "one", "2026-11-01T00:00:00Z");
    system["ImageOwnerAlias"] = json!("system");
    let mut bench = Bench::new(json!({"objects": {"images": [system]}}));
    assert_eq!(
        bench.refused("DeleteImage", &[("ImageId", "m-one")]),
        "404 InvalidImageId.NotFound"
    );
    assert_eq!(
        bench.list("DescribeImages", &[("ImageOwnerAlias", "self")], "ImageId"),
        Vec::<String>::new()
    );
    assert_eq!(
        bench.list(
            "DescribeImages",
            &[("ImageOwnerAlias", "system")],
            "ImageId"
        ),
        ["m-one"]
    );
}

#[test]
fn an_image_can_be_deprecated_and_brought_back() {
    let mut bench = small_world();
    let turn = |status| [("ImageId", "m-one"), ("Status", status)];
    assert_eq!(
        bench.refused("ModifyImageAttribute", &turn("Available")),
        "403 ImageStatus.NotDeprecated"
    );
    bench.ok("ModifyImageAttribute", &turn("Deprecated"));
    assert_eq!(status(&mut bench, "m-one"), ["Deprecated"]);
    bench.ok("ModifyImageAttribute", &turn("Available"));
    assert_eq!(status(&mut bench, "m-one"), ["Available"]);
}
