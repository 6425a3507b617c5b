//! The market of machines: types, stock and prices as they are asked for, and what an order finds of them.

mod prices;

use serde_json::{Value, json};

use self::prices::prices;
use super::{Bench, ORDER, image, text};

type Parameters = &'static [(&'static str, &'static str)];

/// A world with one image and this market.
fn world(market: &Value) -> Bench {
    let images = [image("m-one", "one", "2026-11-01T00:00:00Z")];
    Bench::new(json!({"market": market, "objects": {"images": images}}))
}

fn two_offers() -> Value {
    json!({"offers": [
        {"type": "ecs.c7.large", "zone": "cn-hangzhou-h", "price": 0.0812, "originPrice": 0.4, "disks": ["cloud_ssd"]},
        {"type": "ecs.c7.large", "zone": "cn-hangzhou-k", "stock": "WithoutStock"},
        {"type": "ecs.c8y.large", "zone": "cn-hangzhou-k", "stock": "ClosedWithStock"},
    ]})
}

/// All pages of the types.
fn types(bench: &mut Bench, filter: &[(&str, &str)]) -> (Vec<Value>, usize) {
    let (mut rows, mut pages, mut next) = (Vec::new(), 0, String::new());
    loop {
        let token = (!next.is_empty()).then_some(("NextToken", next.as_str()));
        let parameters: Vec<_> = filter.iter().copied().chain(token).collect();
        let answer = bench.ok("DescribeInstanceTypes", &parameters);
        let page = answer["InstanceTypes"]["InstanceType"].as_array();
        rows.extend(page.expect("a list").clone());
        pages += 1;
        let token = answer["NextToken"].as_str().expect("a token");
        token.clone_into(&mut next);
        if next.is_empty() {
            return (rows, pages);
        }
    }
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter()
        .filter_map(|it| it["InstanceTypeId"].as_str())
        .collect()
}

/// The rows of one call, as `zone type status category`.
fn stock(bench: &mut Bench, parameters: &[(&str, &str)]) -> Vec<String> {
    let destination = [("DestinationResource", "InstanceType")];
    let all: Vec<_> = destination.iter().chain(parameters).copied().collect();
    let answer = bench.ok("DescribeAvailableResource", &all);
    let mut lines = Vec::new();
    for zone in answer["AvailableZones"]["AvailableZone"]
        .as_array()
        .unwrap_or(&Vec::new())
    {
        let resources = &zone["AvailableResources"]["AvailableResource"][0];
        for it in resources["SupportedResources"]["SupportedResource"]
            .as_array()
            .unwrap_or(&Vec::new())
        {
            let word = |name: &str| it[name].as_str().unwrap_or("?").to_owned();
            let zone = zone["ZoneId"].as_str().unwrap_or("?");
            let words = [word("Value"), word("Status"), word("StatusCategory")];
            lines.push(format!("{zone} {}", words.join(" ")));
        }
    }
    lines
}

/// The refusal of a good order with these parameters besides.
fn refused(bench: &mut Bench, parameters: &[(&str, &str)]) -> String {
    let all: Vec<_> = ORDER.iter().chain(parameters).copied().collect();
    bench.refused("RunInstances", &all)
}

#[test]
fn a_thousand_types_come_in_pages_of_a_hundred_and_the_same_for_the_same_seed() {
    let market = json!({"types": [], "generated": 1000});
    let (rows, pages) = types(&mut world(&market), &[]);
    assert_eq!((rows.len(), pages), (1000, 10));
    assert_eq!(
        types(&mut world(&market), &[("MaxResults", "1600")]).0,
        rows
    );
    let mut other = Bench::new(json!({"market": market, "seed": 2}));
    assert_ne!(types(&mut other, &[]).0, rows);
    let arm = rows.iter().filter(|it| it["CpuArchitecture"] == "ARM");
    assert!((100..900).contains(&arm.count()), "both architectures");
}

#[test]
fn filters_types_by_shape_family_and_id() {
    let mut bench = world(&json!({}));
    let (rows, _) = types(
        &mut bench,
        &[
            ("CpuArchitecture", "X86"),
            ("MinimumCpuCoreCount", "8"),
            ("MaximumCpuCoreCount", "8"),
            ("MinimumMemorySize", "8"),
            ("MaximumMemorySize", "8"),
        ],
    );
    assert_eq!(ids(&rows), ["ecs.e-c1m1.2xlarge", "ecs.u1-c1m1.2xlarge"]);
    assert_eq!(rows[0]["InstanceTypeFamily"], "ecs.e");
    assert_eq!(rows[0]["MemorySize"].to_string(), "8.0");
    let families = [
        ("InstanceTypeFamilies.1", "ecs.c8y"),
        ("InstanceTypeFamilies.2", "ecs.g8y"),
        ("MaximumCpuCoreCount", "4"),
    ];
    assert_eq!(
        ids(&types(&mut bench, &families).0),
        [
            "ecs.c8y.large",
            "ecs.c8y.xlarge",
            "ecs.g8y.large",
            "ecs.g8y.xlarge"
        ]
    );
    let names: Vec<String> = (1..=11).map(|n| format!("InstanceTypes.{n}")).collect();
    let many: Vec<_> = names
        .iter()
        .map(|it| (it.as_str(), "ecs.c7.large"))
        .collect();
    assert_eq!(ids(&types(&mut bench, &many[..10]).0), ["ecs.c7.large"]);
    assert_eq!(
        bench.refused("DescribeInstanceTypes", &many),
        "400 InvalidParameter"
    );
}

#[test]
fn says_for_all_types_at_once_where_they_are_sold() {
    let mut bench = world(&two_offers());
    assert_eq!(
        stock(&mut bench, &[("SpotStrategy", "SpotWithPriceLimit")]),
        [
            "cn-hangzhou-h ecs.c7.large Available WithStock",
            "cn-hangzhou-k ecs.c7.large SoldOut WithoutStock",
            "cn-hangzhou-k ecs.c8y.large Available ClosedWithStock",
        ]
    );
    assert_eq!(
        stock(
            &mut bench,
            &[
                ("Cores", "2"),
                ("Memory", "4.0"),
                ("ZoneId", "cn-hangzhou-h")
            ]
        ),
        ["cn-hangzhou-h ecs.c7.large Available WithStock"]
    );
    let nowhere = [
        ("DestinationResource", "InstanceType"),
        ("ZoneId", "cn-nowhere-a"),
    ];
    assert_eq!(
        bench.ok("DescribeAvailableResource", &nowhere)["AvailableZones"],
        json!({})
    );
    // A zone that sells nothing of what is asked for has an empty list.
    let arm = [
        ("DestinationResource", "InstanceType"),
        ("InstanceType", "ecs.c8y.large"),
    ];
    let zones = bench.ok("DescribeAvailableResource", &arm);
    let first = &zones["AvailableZones"]["AvailableZone"][0];
    assert_eq!(first["Status"], "SoldOut");
    assert_eq!(first["AvailableResources"]["AvailableResource"], json!([]));
}

#[test]
fn says_which_system_disks_a_type_takes_in_a_zone() {
    let mut bench = world(&two_offers());
    let disks = [
        ("DestinationResource", "SystemDisk"),
        ("InstanceType", "ecs.c7.large"),
        ("ZoneId", "cn-hangzhou-h"),
    ];
    let answer = bench.ok("DescribeAvailableResource", &disks);
    let resources = &answer["AvailableZones"]["AvailableZone"][0]["AvailableResources"];
    assert_eq!(
        resources["AvailableResource"],
        json!([{"Type": "SystemDisk", "SupportedResources": {"SupportedResource": [{
            "Value": "cloud_ssd", "Status": "Available", "StatusCategory": "WithStock",
            "Min": 20, "Max": 2048, "Unit": "GiB",
        }]}}])
    );
}

#[test]
fn refuses_questions_about_stock_that_contradict_themselves() {
    let mut bench = world(&json!({}));
    let cases: [(&str, Parameters, &str); 6] = [
        ("Machine", &[], "404 Invalid.DestinationResource"),
        (
            "InstanceType",
            &[("InstanceType", "ecs.c7.large"), ("Cores", "2")],
            "403 InvalidParam.TypeAndCpuMem.Conflict",
        ),
        ("SystemDisk", &[], "400 Invalid.Param"),
        ("SystemDisk", &[("Memory", "4")], "403 InvalidParam.Memory"),
        (
            "InstanceType",
            &[
                ("SpotStrategy", "SpotAsPriceGo"),
                ("InstanceChargeType", "PrePaid"),
            ],
            "404 Invalid.SpotStrategy",
        ),
        ("Zone", &[], "400 UnsupportedOperation"),
    ];
    for (destination, parameters, refusal) in cases {
        let all: Vec<_> = [("DestinationResource", destination)]
            .iter()
            .chain(parameters)
            .copied()
            .collect();
        let refused = bench.refused("DescribeAvailableResource", &all);
        assert_eq!(refused, refusal, "{destination} {parameters:?}");
    }
}

#[test]
fn an_order_pays_the_price_of_its_hour_and_zone() {
    let mut bench = world(&json!({"moves": true}));
    let (rows, _) = prices(
        &mut bench,
        &[("OSType", "linux"), ("ZoneId", "cn-hangzhou-i")],
    );
    let price: f64 = rows[0]
        .split(' ')
        .nth(2)
        .expect("a price")
        .parse()
        .expect("one");
    let limit = |price: f64| format!("{price:.3}");
    let above = limit((price * 1000.0).ceil() / 1000.0);
    let below = limit((price * 1000.0).ceil() / 1000.0 - 0.001);
    let with = |limit: &str| {
        [
            ("SpotStrategy", "SpotWithPriceLimit".to_owned()),
            ("ZoneId", "cn-hangzhou-i".to_owned()),
            ("SpotPriceLimit", limit.to_owned()),
        ]
    };
    let below = with(&below);
    let below = below.each_ref().map(|it| (it.0, it.1.as_str()));
    assert_eq!(
        refused(&mut bench, &below),
        "400 InvalidSpotPriceLimit.LowerThanPublicPrice"
    );
    let above = with(&above);
    bench.order(&above.each_ref().map(|it| (it.0, it.1.as_str())));
}

#[test]
fn an_order_finds_what_is_there_and_not_what_was_said() {
    let mut bench = world(&json!({"offers": [
        {"type": "ecs.c7.large", "zone": "cn-hangzhou-h", "really": "WithoutStock"},
        {"type": "ecs.c7.large", "zone": "cn-hangzhou-k", "stock": "WithoutStock", "really": "WithStock"},
        {"type": "ecs.g7.large", "zone": "cn-hangzhou-i"},
    ]}));
    let at = |zone: &'static str| [("ZoneId", zone)];
    assert_eq!(
        stock(&mut bench, &at("cn-hangzhou-h")),
        ["cn-hangzhou-h ecs.c7.large Available WithStock"]
    );
    assert_eq!(
        refused(&mut bench, &at("cn-hangzhou-h")),
        "403 OperationDenied.NoStock"
    );
    assert_eq!(
        refused(&mut bench, &at("cn-hangzhou-i")),
        "403 Zone.NotOnSale"
    );
    assert_eq!(
        refused(&mut bench, &at("cn-hangzhou-z")),
        "404 InvalidZoneId.NotFound"
    );
    bench.order(&at("cn-hangzhou-k"));
}

#[test]
fn a_market_that_contradicts_itself_is_no_scenario() {
    let cases = [
        (
            json!({"offers": [{"type": "ecs.none", "zone": "cn-hangzhou-h"}]}),
            "ecs.none is offered, but is not among the types",
        ),
        (
            json!({"offers": [{"type": "ecs.c7.large", "zone": "us-east-1a"}]}),
            "us-east-1a is in none of the regions",
        ),
        (
            json!({"types": [{"id": "a.b", "architecture": "arm64", "cores": 0, "memoryGib": 4}]}),
            "a.b has no cores",
        ),
        (
            json!({"types": [{"id": "a.b", "architecture": "arm64", "cores": 1, "memoryGib": -4}]}),
            "-4 must be positive, with at most six decimals",
        ),
    ];
    for (market, wrong) in cases {
        let scenario = json!({"market": market});
        let found = reconcile::sim::scenario::Scenario::from_value(scenario);
        assert_eq!(found.err().as_deref(), Some(wrong));
    }
}

#[test]
fn the_wire_has_numbers_where_the_api_has_numbers() {
    let mut bench = world(&two_offers());
    let parameters = [
        ("NetworkType", "vpc"),
        ("InstanceType", "ecs.c7.large"),
        ("OSType", "linux"),
        ("ZoneId", "cn-hangzhou-h"),
        ("StartTime", "2026-11-21T02:00:00Z"),
        ("RegionId", "cn-hangzhou"),
    ];
    let answer = bench.answer("DescribeSpotPriceHistory", &parameters);
    let body = text(&answer);
    assert!(
        body.contains(r#""NextOffset":0"#)
            && body.contains(r#""OriginPrice":0.4"#)
            && body.contains(r#""SpotPrice":0.0812"#),
        "{body}"
    );
}
