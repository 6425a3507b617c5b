//! `RunInstances`: what it refuses, and that the same token launches once.

use serde_json::json;

use super::{Bench, ORDER, image, small_world};

/// Replaces, adds, or (with `None`) leaves out one parameter of a good order.
fn with(bench: &mut Bench, name: &str, value: Option<&str>) -> String {
    let rest = ORDER.iter().filter(|(it, _)| *it != name).copied();
    let all: Vec<_> = rest.chain(value.map(|it| (name, it))).collect();
    bench.refused("RunInstances", &all)
}

#[test]
fn refuses_what_the_service_refuses() {
    let mut bench = small_world();
    let cases: [(&str, Option<&str>, &str); 21] = [
        ("ImageId", None, "400 MissingParameter"),
        ("ImageId", Some("m-none"), "404 InvalidImageId.NotFound"),
        (
            "ImageFamily",
            Some("line"),
            "400 UnexpectedImageFamily.ImageIdSupplied",
        ),
        ("InstanceType", None, "400 MissingParameter"),
        (
            "InstanceType",
            Some("ecs.none"),
            "400 InvalidInstanceType.ValueNotSupported",
        ),
        (
            "InstanceType",
            Some("ecs.c8y.large"),
            "400 InvalidParameter.Conflict",
        ),
        ("VSwitchId", None, "400 MissingParameter"),
        ("SecurityGroupId", None, "400 MissingParameter"),
        (
            "SecurityGroupIds.1",
            Some("sg-2"),
            "400 InvalidSecurityGroupId.SingleIdAndMultiIdConflict",
        ),
        ("SpotStrategy", Some("Cheap"), "400 InvalidSpotStrategy"),
        (
            "SpotStrategy",
            Some("SpotWithPriceLimit"),
            "400 InvalidSpotPriceLimit",
        ),
        (
            "InstanceChargeType",
            Some("Never"),
            "404 InvalidInstanceChargeType.NotFound",
        ),
        (
            "SystemDisk.Size",
            Some("19"),
            "404 InvalidSystemDiskSize.LessThanImageSize",
        ),
        (
            "UserData",
            Some("***"),
            "400 InvalidUserData.Base64FormatInvalid",
        ),
        (
            "InstanceName",
            Some("1"),
            "400 InvalidInstanceName.Malformed",
        ),
        ("Amount", Some("0"), "403 InvalidParam.Amount"),
        ("Amount", Some("101"), "403 InvalidParam.Amount"),
        ("MinAmount", Some("2"), "400 InvalidMinAmount.Malformed"),
        (
            "AutoReleaseTime",
            Some("2026-11-21T02:29:59Z"),
            "400 InvalidAutoReleaseTime.Malformed",
        ),
        ("DryRun", Some("true"), "400 DryRunOperation"),
        (
            "ClientToken",
            Some("ü"),
            "400 InvalidClientToken.ValueNotSupported",
        ),
    ];
    for (name, value, refusal) in cases {
        assert_eq!(with(&mut bench, name, value), refusal, "{name} {value:?}");
    }
    assert!(bench.world.instances("cn-hangzhou", bench.now).is_empty());
}

#[test]
fn refuses_a_price_limit_below_the_market_or_with_four_decimals() {
    let mut bench = small_world();
    let refused = |bench: &mut Bench, limit: &str| {
        let spot = [
            ("SpotStrategy", "SpotWithPriceLimit"),
            ("SpotPriceLimit", limit),
        ];
        let all: Vec<_> = ORDER.iter().chain(&spot).copied().collect();
        bench.refused("RunInstances", &all)
    };
    assert_eq!(
        refused(&mut bench, "0.079"),
        "400 InvalidSpotPriceLimit.LowerThanPublicPrice"
    );
    assert_eq!(refused(&mut bench, "0.0801"), "400 InvalidSpotPriceLimit");
    bench.order(&[
        ("SpotStrategy", "SpotWithPriceLimit"),
        ("SpotPriceLimit", "0.08"),
    ]);
    let prepaid = [
        ("SpotStrategy", "SpotAsPriceGo"),
        ("InstanceChargeType", "PrePaid"),
    ];
    let all: Vec<_> = ORDER.iter().chain(&prepaid).copied().collect();
    assert_eq!(
        bench.refused("RunInstances", &all),
        "400 InvalidSpotPrepaid"
    );
}

#[test]
fn refuses_user_data_of_more_than_32_kib() {
    let mut bench = small_world();
    assert_eq!(
        with(&mut bench, "UserData", Some(&"AAAA".repeat(10_923))),
        "400 InvalidUserData.SizeExceeded"
    );
    bench.order(&[("UserData", &"AAAA".repeat(10_922))]);
}

#[test]
fn launches_as_many_as_asked_for_with_tags_and_names() {
    let mut bench = small_world();
    bench.order(&[
        ("Amount", "3"),
        ("InstanceName", "ci-"),
        ("UniqueSuffix", "true"),
        ("Tag.1.Key", "k"),
        ("Tag.1.Value", "v"),
    ]);
    let mut names = bench.list("DescribeInstances", &[("Tag.1.Key", "k")], "InstanceName");
    names.sort();
    assert_eq!(names, ["ci-001", "ci-002", "ci-003"]);
    let id = bench.order(&[]);
    let ids = format!("[\"{id}\"]");
    assert_eq!(
        bench.list(
            "DescribeInstances",
            &[("InstanceIds", &ids)],
            "InstanceName"
        ),
        [id]
    );
}

#[test]
fn launches_the_newest_image_of_a_family() {
    let (mut old, mut new) = (
        image("m-old", "old", "2026-11-01T00:00:00Z"),
        image("m-new", "new", "2026-11-02T00:00:00Z"),
    );
    old["ImageFamily"] = json!("line");
    new["ImageFamily"] = json!("line");
    let mut bench = Bench::new(json!({"objects": {"images": [new, old]}}));
    let order = |family: &'static str| -> Vec<(&str, &str)> {
        ORDER
            .iter()
            .skip(1)
            .copied()
            .chain([("ImageFamily", family)])
            .collect()
    };
    bench.ok("RunInstances", &order("line"));
    assert_eq!(bench.list("DescribeInstances", &[], "ImageId"), ["m-new"]);
    assert_eq!(
        bench.refused("RunInstances", &order("none")),
        "403 InvalidImageFamily.MissingAvailableImage"
    );
}

#[test]
fn the_same_token_launches_once_and_never_something_else() {
    let mut bench = small_world();
    let first = bench.order(&[("ClientToken", "t"), ("InstanceName", "one")]);
    bench.wait(3600);
    assert_eq!(
        bench.order(&[("ClientToken", "t"), ("InstanceName", "one")]),
        first
    );
    assert_eq!(bench.world.instances("cn-hangzhou", bench.now).len(), 1);
    let other: Vec<_> = ORDER
        .iter()
        .copied()
        .chain([("ClientToken", "t"), ("InstanceName", "two")])
        .collect();
    assert_eq!(
        bench.refused("RunInstances", &other),
        "400 IdempotentParameterMismatch"
    );
    assert_ne!(
        bench.order(&[("ClientToken", "T"), ("InstanceName", "one")]),
        first
    );
}

#[test]
fn whether_a_refused_call_binds_its_token_is_a_setting() {
    for (binds, outcome) in [
        (false, "200 no code"),
        (true, "400 IdempotentParameterMismatch"),
    ] {
        let images = json!([image("m-one", "one", "2026-11-01T00:00:00Z")]);
        let mut bench = Bench::new(
            json!({"settings": {"refusedBindsToken": binds}, "objects": {"images": images}}),
        );
        let wrong: Vec<_> = ORDER
            .iter()
            .copied()
            .chain([("ClientToken", "t"), ("Amount", "101")])
            .collect();
        assert_eq!(
            bench.refused("RunInstances", &wrong),
            "403 InvalidParam.Amount"
        );
        let right: Vec<_> = ORDER
            .iter()
            .copied()
            .chain([("ClientToken", "t")])
            .collect();
        assert_eq!(bench.refused("RunInstances", &right), outcome);
    }
}

#[test]
fn ids_depend_on_the_seed_and_the_subject_alone() {
    let launch = |seed: u64, names: [&str; 2]| {
        let images = json!([image("m-one", "one", "2026-11-01T00:00:00Z")]);
        let mut bench = Bench::new(json!({"seed": seed, "objects": {"images": images}}));
        let mut ids = names.map(|it| (it.to_owned(), bench.order(&[("InstanceName", it)])));
        ids.sort();
        ids
    };
    assert_eq!(launch(1, ["one", "two"]), launch(1, ["two", "one"]));
    assert_ne!(launch(1, ["one", "two"]), launch(2, ["one", "two"]));
}
