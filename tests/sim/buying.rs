//! Where an order may be put, what it may buy, and how what was bought is taken back.

use reconcile::sim::scenario::Scenario;
use serde_json::{Value, json};

use super::{Bench, ORDER, image};

type Parameters = &'static [(&'static str, &'static str)];

/// Two VPCs, and a market that sells one type in two zones.
fn scenario() -> Value {
    json!({
        "objects": {"images": [image("m-one", "one", "2026-11-01T00:00:00Z")]},
        "vSwitches": [
            {"VSwitchId": "vsw-1", "VpcId": "vpc-1", "ZoneId": "cn-hangzhou-h", "AvailableIpAddressCount": 2},
            {"VSwitchId": "vsw-2", "VpcId": "vpc-2", "ZoneId": "cn-hangzhou-k"},
            {"VSwitchId": "vsw-3", "VpcId": "vpc-1", "ZoneId": "cn-hangzhou-b", "Status": "Pending"},
        ],
        "securityGroups": [
            {"SecurityGroupId": "sg-1", "VpcId": "vpc-1"},
            {"SecurityGroupId": "sg-2", "VpcId": "vpc-2"},
        ],
        "roles": [{"name": "ci"}],
        "market": {"offers": [
            {"type": "ecs.c7.large", "zone": "cn-hangzhou-h", "disks": ["cloud_ssd", "cloud_efficiency"]},
            {"type": "ecs.c7.large", "zone": "cn-hangzhou-k"},
            {"type": "ecs.e-c1m1.large", "zone": "cn-hangzhou-k"},
        ]},
        "settings": {"quotas": {"instances": 2, "images": 2}},
    })
}

/// A good order with these parameters instead or besides.
fn changed<'a>(parameters: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let is_kept = |it: &&(&str, &str)| parameters.iter().all(|(name, _)| *name != it.0);
    let kept = ORDER.iter().filter(is_kept);
    kept.chain(parameters).copied().collect()
}

fn spot<'a>(parameters: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let strategy = [("SpotStrategy", "SpotAsPriceGo")];
    strategy.iter().chain(parameters).copied().collect()
}

fn addresses(bench: &mut Bench) -> Vec<(String, u64)> {
    let answer = bench.ok("DescribeVSwitches", &[]);
    let rows = answer["VSwitches"]["VSwitch"].as_array().expect("a list");
    let row = |it: &Value| {
        let id = it["VSwitchId"].as_str().unwrap_or("?").to_owned();
        (id, it["AvailableIpAddressCount"].as_u64().unwrap_or(0))
    };
    rows.iter().map(row).collect()
}

#[test]
fn lists_the_vswitches_of_a_vpc_or_a_region_but_not_of_nowhere() {
    let mut bench = Bench::new(scenario());
    let of_vpc = [("VpcId", "vpc-1"), ("PageSize", "50")];
    assert_eq!(
        bench.list("DescribeVSwitches", &of_vpc, "VSwitchId"),
        ["vsw-1", "vsw-3"]
    );
    assert_eq!(
        bench.list("DescribeVSwitches", &[("VSwitchId", "vsw-2")], "ZoneId"),
        ["cn-hangzhou-k"]
    );
    assert_eq!(
        bench.refused("DescribeVSwitches", &[("PageSize", "51")]),
        "400 InvalidParameter"
    );
    assert_eq!(
        bench.refused("DescribeVSwitches", &[("RegionId", "")]),
        "400 MissingParameter"
    );
    let page = bench.ok(
        "DescribeVSwitches",
        &[("PageSize", "2"), ("PageNumber", "2")],
    );
    assert_eq!(page["TotalCount"], 3);
    assert_eq!(page["VSwitches"]["VSwitch"][0]["VSwitchId"], "vsw-3");
}

#[test]
fn lists_the_zones_of_the_market_and_of_the_vswitches() {
    let mut bench = Bench::new(scenario());
    assert_eq!(
        bench.list("DescribeZones", &[], "ZoneId"),
        ["cn-hangzhou-b", "cn-hangzhou-h", "cn-hangzhou-k"]
    );
    let zones = bench.ok("DescribeZones", &[]);
    assert_eq!(
        zones["Zones"]["Zone"][2]["AvailableInstanceTypes"]["InstanceTypes"],
        json!(["ecs.c7.large", "ecs.e-c1m1.large"])
    );
}

#[test]
fn refuses_orders_that_the_network_or_the_market_cannot_take() {
    let mut bench = Bench::new(scenario());
    let cases: [(Parameters, &str); 16] = [
        (&[("VSwitchId", "vsw-9")], "404 InvalidVSwitchId.NotFound"),
        (
            &[("ZoneId", "cn-hangzhou-k")],
            "400 InvalidParameter.VSwitchId",
        ),
        (&[("ZoneId", "cn-hangzhou-z")], "404 InvalidZoneId.NotFound"),
        (
            &[("SpotStrategy", "SpotAsPriceGo")],
            "400 InvalidSpotParam.EmptyZoneID",
        ),
        (&[("VSwitchId", "vsw-3")], "400 IncorrectVSwitchStatus"),
        (&[("Amount", "3")], "403 QuotaExceeded.PrivateIpAddress"),
        (
            &[("SecurityGroupId", "sg-9")],
            "404 InvalidSecurityGroupId.NotFound",
        ),
        (
            &[("SecurityGroupId", "sg-2")],
            "403 OperationDenied.InconsistentNetwork",
        ),
        (&[("InstanceType", "ecs.g7.large")], "403 Zone.NotOnSale"),
        (
            &[("SystemDisk.Category", "cloud_essd")],
            "400 InvalidSystemDiskCategory.ValueNotSupported",
        ),
        (
            &[("SystemDisk.Category", "floppy")],
            "400 InvalidSystemDiskCategory.ValueNotSupported",
        ),
        (
            &[("SystemDisk.PerformanceLevel", "PL9")],
            "400 InvalidPerformanceLevel.ValueNotSupported",
        ),
        (
            &[("HttpTokens", "maybe")],
            "400 InvalidHttpTokens.NotSupported",
        ),
        (
            &[("SecurityEnhancementStrategy", "Maybe")],
            "400 InvalidParameter",
        ),
        (&[("RamRoleName", "nobody")], "404 InvalidRamRole.NotFound"),
        (
            &[
                ("VSwitchId", "vsw-2"),
                ("SecurityGroupId", "sg-2"),
                ("Amount", "3"),
            ],
            "403 QuotaExceed.ElasticQuota",
        ),
    ];
    for (parameters, refusal) in cases {
        let refused = bench.refused("RunInstances", &changed(parameters));
        assert_eq!(refused, refusal, "{parameters:?}");
    }
    assert!(bench.world.instances("cn-hangzhou", bench.now).is_empty());
}

#[test]
fn entry_disks_are_for_the_cheapest_families_only() {
    let mut bench = Bench::new(scenario());
    let order = |kind| {
        changed(&[
            ("VSwitchId", "vsw-2"),
            ("SecurityGroupId", "sg-2"),
            ("SystemDisk.Category", "cloud_essd_entry"),
            ("InstanceType", kind),
        ])
    };
    assert_eq!(
        bench.refused("RunInstances", &order("ecs.c7.large")),
        "400 InvalidSystemDiskCategory.ValueNotSupported"
    );
    bench.ok("RunInstances", &order("ecs.e-c1m1.large"));
}

#[test]
fn an_instance_takes_an_address_until_it_is_gone() {
    let mut bench = Bench::new(scenario());
    let id = bench.order(&[("ZoneId", "cn-hangzhou-h")]);
    let left = |bench: &mut Bench| addresses(bench)[0].clone();
    assert_eq!(left(&mut bench), ("vsw-1".to_owned(), 1));
    bench.wait(60);
    bench.ok("DeleteInstance", &[("InstanceId", &id), ("Force", "true")]);
    bench.wait(60);
    assert_eq!(left(&mut bench), ("vsw-1".to_owned(), 2));
}

#[test]
fn an_instance_shows_how_it_was_bought() {
    let mut bench = Bench::new(scenario());
    bench.order(&spot(&[
        ("ZoneId", "cn-hangzhou-h"),
        ("SpotDuration", "0"),
        ("HttpTokens", "required"),
        ("RamRoleName", "ci"),
        ("SecurityEnhancementStrategy", "Deactive"),
    ]));
    let answer = bench.ok("DescribeInstances", &[]);
    let shown = &answer["Instances"]["Instance"][0];
    assert_eq!(shown["SpotDuration"], 0);
    assert_eq!(shown["MetadataOptions"]["HttpTokens"], "required");
    assert_eq!(shown["VpcAttributes"]["VpcId"], "vpc-1");
    assert_eq!((&shown["Cpu"], &shown["Memory"]), (&json!(2), &json!(4096)));
    assert_eq!(shown["InstanceTypeFamily"], "ecs.c7");
}

#[test]
fn an_image_beyond_the_quota_is_refused() {
    let mut bench = Bench::new(scenario());
    let id = bench.launch("one");
    let two = [("InstanceId", id.as_str()), ("ImageName", "two")];
    bench.ok("CreateImage", &two);
    bench.wait(1000);
    let three = [("InstanceId", id.as_str()), ("ImageName", "three")];
    assert_eq!(
        bench.refused("CreateImage", &three),
        "403 QuotaExceed.Image"
    );
}

#[test]
fn spot_instances_are_taken_back_with_five_minutes_notice_and_others_are_not() {
    let mut scenario = scenario();
    scenario["market"]["reclaims"] = json!({"seconds": 3600});
    let mut bench = Bench::new(scenario);
    let taken = bench.order(&spot(&[("ZoneId", "cn-hangzhou-h")]));
    let kept = bench.order(&[]);
    let locked = |bench: &mut Bench| {
        bench.list(
            "DescribeInstances",
            &[("LockReason", "recycling")],
            "InstanceId",
        )
    };
    bench.wait(3299);
    assert!(locked(&mut bench).is_empty());
    bench.wait(1);
    assert_eq!(locked(&mut bench), [taken]);
    bench.wait(300);
    assert_eq!(bench.list("DescribeInstances", &[], "InstanceId"), [kept]);
}

#[test]
fn the_seed_decides_which_spot_instances_are_taken_back() {
    let survivors = |seed: u64| {
        let reclaims = json!({"percent": 50, "seconds": 600, "spread": 600});
        let objects = json!({"images": [image("m-one", "one", "2026-11-01T00:00:00Z")]});
        let market = json!({"reclaims": reclaims});
        let mut bench = Bench::new(json!({"seed": seed, "objects": objects, "market": market}));
        for name in ["a1", "b2", "c3", "d4", "e5", "f6", "g7", "h8", "i9", "j0"] {
            bench.order(&spot(&[("InstanceName", name)]));
        }
        bench.wait(1200);
        bench.list("DescribeInstances", &[], "InstanceName")
    };
    let left = survivors(1);
    assert_eq!(survivors(1), left);
    assert!((1..10).contains(&left.len()), "{left:?}");
    assert_ne!(survivors(2), left);
}

#[test]
fn a_network_that_contradicts_itself_is_no_scenario() {
    let switch = |zone: &str| json!({"VSwitchId": "vsw-1", "VpcId": "vpc-1", "ZoneId": zone});
    let twice = json!({"vSwitches": [switch("cn-hangzhou-h"), switch("cn-hangzhou-k")]});
    assert_eq!(
        Scenario::from_value(twice).err().as_deref(),
        Some("vsw-1 is there twice")
    );
    let far = json!({"vSwitches": [switch("us-east-1a")]});
    assert_eq!(
        Scenario::from_value(far).err().as_deref(),
        Some("us-east-1a is in none of the regions")
    );
}
