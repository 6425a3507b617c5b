//! Images that are not the account's: base images of the cloud, and how new ones come.

use reconcile::sim::history::What;
use reconcile::sim::scenario::Scenario;
use reconcile::sim::{World, environment};
use serde_json::{Value, json};

use super::Bench;

/// The world that a demonstration begins with.
fn past() -> Bench {
    let text = include_str!("../../src/sim/default.json");
    Bench::new(serde_json::from_str(text).expect("JSON"))
}

fn base(id: &str, created: &str) -> Value {
    json!({
        "ImageId": id, "ImageName": id, "CreationTime": created, "ImageOwnerAlias": "system",
        "ImageFamily": "acs:ubuntu_24_04_x64", "OSNameEn": "Ubuntu  24.04 64 bit",
    })
}

#[test]
fn base_images_are_listed_by_owner_architecture_and_system_in_pages() {
    let mut bench = past();
    let system = [("ImageOwnerAlias", "system"), ("PageSize", "100")];
    let names = |bench: &mut Bench, more: &[(&str, &str)]| {
        let all: Vec<_> = system.iter().chain(more).copied().collect();
        bench.list("DescribeImages", &all, "ImageName")
    };
    assert_eq!(names(&mut bench, &[]).len(), 18);
    let arm = names(&mut bench, &[("Architecture", "arm64")]);
    assert_eq!(arm.len(), 8);
    assert!(arm.iter().all(|it| it.contains("_arm64_")), "{arm:?}");
    let windows = names(&mut bench, &[("OSType", "windows")]);
    assert_eq!(
        windows,
        ["win2025_24H2_x64_dtc_en-us_40G_alibase_20261112.vhd"]
    );
    let first = bench.ok("DescribeImages", &system[..1]);
    assert_eq!(first["TotalCount"], json!(18));
    assert_eq!(first["Images"]["Image"].as_array().map(Vec::len), Some(10));
}

#[test]
fn own_images_are_listed_without_those_of_others() {
    let mut bench = past();
    let own = [("ImageOwnerAlias", "self"), ("PageSize", "100")];
    assert_eq!(bench.list("DescribeImages", &own, "ImageName").len(), 19);
    let others = [("ImageOwnerAlias", "others")];
    assert_eq!(
        bench.list("DescribeImages", &others, "ImageName"),
        ["ubuntu_24_04_x64_20G_alibase_20261118"]
    );
}

#[test]
fn a_family_of_base_images_is_listed_and_looked_up_only_where_that_is_set() {
    let family = ("ImageFamily", "acs:ubuntu_24_04_arm64");
    let mut bench = past();
    let names = bench.list("DescribeImages", &[family], "ImageName");
    assert_eq!(names[0], "ubuntu_24_04_arm64_20G_alibase_20261110.vhd");
    assert_eq!(names.len(), 4);
    let unknown = bench.ok("DescribeImageFromFamily", &[family]);
    assert_eq!(unknown.get("Image"), None);
    let mut bench = Bench::new(json!({
        "settings": {"publicFamilies": true},
        "objects": {"images": [base("new.vhd", "2026-11-02T00:00:00Z"), base("old.vhd", "2026-11-01T00:00:00Z")]},
    }));
    let known = bench.ok(
        "DescribeImageFromFamily",
        &[("ImageFamily", "acs:ubuntu_24_04_x64")],
    );
    assert_eq!(known["Image"]["ImageId"], json!("new.vhd"));
}

#[test]
fn a_machine_is_launched_from_a_base_image_that_nobody_here_can_delete_or_rename() {
    let mut bench = past();
    let id = "ubuntu_24_04_x64_20G_alibase_20261110.vhd";
    let order = [
        ("ImageId", id),
        ("InstanceType", "ecs.c7.large"),
        ("VSwitchId", "vsw-bp1demok"),
        ("SecurityGroupId", "sg-bp1demo"),
    ];
    bench.ok("RunInstances", &order);
    let one = [("ImageId", id)];
    assert_eq!(bench.list("DescribeImages", &one, "Usage"), ["instance"]);
    for action in ["DeleteImage", "ModifyImageAttribute"] {
        let refused = bench.refused(action, &[("ImageId", id), ("ImageName", "ours")]);
        assert!(
            ["404 InvalidImageId.NotFound", "400 UnsupportedParameter"].contains(&refused.as_str()),
            "{action}: {refused}"
        );
    }
}

#[test]
fn a_base_image_is_released_at_its_time() {
    let mut bench = Bench::new(json!({
        "times": {"listingLag": 10},
        "objects": {"images": [base("old.vhd", "2026-11-01T00:00:00Z")]},
        "releases": [
            {"at": "2026-11-21T04:00:00Z", "image": base("newest.vhd", "2026-11-21T03:50:00Z")},
            {"at": "2026-11-21T03:00:00Z", "image": base("new.vhd", "2026-11-21T02:50:00Z")},
        ],
    }));
    let names = |bench: &mut Bench| {
        bench.list(
            "DescribeImages",
            &[("ImageOwnerAlias", "system")],
            "ImageName",
        )
    };
    bench.wait(3609);
    assert_eq!(names(&mut bench), ["old.vhd"]);
    bench.wait(1);
    assert_eq!(names(&mut bench), ["new.vhd", "old.vhd"]);
    bench.wait(10_000);
    assert_eq!(names(&mut bench), ["newest.vhd", "new.vhd", "old.vhd"]);
    let history = bench.world.history();
    let times: Vec<String> = history.iter().map(|it| it.at.to_string()).collect();
    assert_eq!(times, ["2026-11-21T03:00:00Z", "2026-11-21T04:00:00Z"]);
    assert!(matches!(&history[0].what, What::ImagePut(it) if it.image_id.as_str() == "new.vhd"));
}

#[test]
fn the_default_past_sees_a_new_base_image_the_next_day() {
    let scenario = Scenario::default_past();
    let mut world = World::from_scenario(&scenario);
    assert!(environment("http://127.0.0.1:1", &world).contains_key("ALIYUN_ECS_ENDPOINT"));
    let mut newest = |hours: u64| {
        let now = scenario
            .start
            .plus(std::time::Duration::from_secs(hours * 3600));
        let images = world.images("cn-hangzhou", now).into_iter();
        let of_line = images.filter(|it| it.image_family == "acs:ubuntu_24_04_x64");
        of_line
            .max_by_key(|it| it.creation_time)
            .map(|it| it.image_name)
    };
    let name = |date| Some(format!("ubuntu_24_04_x64_20G_alibase_{date}.vhd"));
    assert_eq!(newest(24), name("20261110"));
    assert_eq!(newest(30), name("20261121"));
}

#[test]
fn a_release_of_what_is_there_already_is_refused() {
    let image = base("one.vhd", "2026-11-01T00:00:00Z");
    let refused = Scenario::from_value(json!({
        "objects": {"images": [image]},
        "releases": [{"at": "2026-11-21T03:00:00Z", "image": image}],
    }));
    assert_eq!(refused.err().as_deref(), Some("one.vhd is there twice"));
}
