//! What machines cost: the history of their prices.

use serde_json::{Value, json};

use super::{two_offers, world};
use crate::sim::Bench;

/// The rows of one page, as `time zone price`, and where the next one begins.
pub(super) fn prices(bench: &mut Bench, parameters: &[(&str, &str)]) -> (Vec<String>, u64) {
    let usual = [("NetworkType", "vpc"), ("InstanceType", "ecs.c7.large")];
    let all: Vec<_> = usual.iter().chain(parameters).copied().collect();
    let answer = bench.ok("DescribeSpotPriceHistory", &all);
    assert_eq!(answer["Currency"], "CNY");
    let rows = answer["SpotPrices"]["SpotPriceType"].as_array();
    let line = |it: &Value| {
        let word = |name: &str| it[name].as_str().unwrap_or("?").to_owned();
        format!(
            "{} {} {}",
            word("Timestamp"),
            word("ZoneId"),
            it["SpotPrice"]
        )
    };
    let lines = rows.expect("a list").iter().map(line).collect();
    (lines, answer["NextOffset"].as_u64().expect("a number"))
}

#[test]
fn tells_the_prices_of_one_type_in_all_zones_for_each_hour_of_the_window() {
    let mut bench = world(&two_offers());
    bench.wait(1800);
    let window = [("StartTime", "2026-11-21T01:30:00Z"), ("OSType", "linux")];
    assert_eq!(
        prices(&mut bench, &window),
        (
            vec![
                "2026-11-21T02:00:00Z cn-hangzhou-h 0.0812".to_owned(),
                "2026-11-21T02:00:00Z cn-hangzhou-k 0.08".to_owned(),
            ],
            0
        )
    );
    let usual = [("OSType", "linux"), ("ZoneId", "cn-hangzhou-h")];
    assert_eq!(prices(&mut bench, &usual).0.len(), 3, "three hours");
    let both = [("ZoneId", "cn-hangzhou-h")];
    assert_eq!(prices(&mut bench, &both).0.len(), 6, "Linux and Windows");
    let short = [
        ("OSType", "linux"),
        ("SpotDuration", "0"),
        ("ZoneId", "cn-hangzhou-h"),
    ];
    assert_eq!(
        prices(&mut bench, &short).0[0],
        "2026-11-21T02:00:00Z cn-hangzhou-h 0.0731"
    );
}

#[test]
fn a_long_history_comes_in_pages_of_a_thousand() {
    let mut bench = world(&json!({"moves": true}));
    let mut ask = |offset: &str| {
        let window = [
            ("StartTime", "2026-11-01T02:00:00Z"),
            ("OSType", "linux"),
            ("Offset", offset),
        ];
        prices(&mut bench, &window)
    };
    let (first, next) = ask("0");
    assert_eq!((first.len(), next), (1000, 1000));
    let (second, next) = ask("1000");
    // Four zones, and the hours of twenty days, both ends included.
    assert_eq!((second.len(), next), (4 * (20 * 24 + 1) - 1000, 0));
    assert!(first.iter().all(|it| !second.contains(it)));
}

#[test]
fn refuses_windows_that_are_none() {
    let mut bench = world(&json!({}));
    let cases: [(&str, &str, &str); 8] = [
        (
            "InstanceType",
            "ecs.none",
            "400 InvalidInstanceType.ValueNotSupported",
        ),
        ("NetworkType", "moon", "400 InvalidParams.NetworkType"),
        ("OSType", "plan9", "400 InvalidParams.OSType"),
        ("SpotDuration", "2", "400 InvalidSpotDuration"),
        ("ZoneId", "cn-nowhere-a", "400 InvalidZoneId.NotFound"),
        (
            "StartTime",
            "2026-10-01T00:00:00Z",
            "400 InvalidParams.StartTime",
        ),
        (
            "StartTime",
            "2026-11-21 01:00",
            "400 InvalidParams.StartTime",
        ),
        ("Offset", "-1", "400 InvalidParams.Offset"),
    ];
    for (name, value, refusal) in cases {
        let usual = [("NetworkType", "vpc"), ("InstanceType", "ecs.c7.large")];
        let rest = usual.iter().filter(|it| it.0 != name);
        let all: Vec<_> = rest.copied().chain([(name, value)]).collect();
        let refused = bench.refused("DescribeSpotPriceHistory", &all);
        assert_eq!(refused, refusal, "{name} {value}");
    }
}

#[test]
fn moving_prices_depend_on_seed_zone_and_hour_and_nothing_else() {
    let history = |seed: u64| {
        let mut bench = Bench::new(json!({"seed": seed, "market": {"moves": true}}));
        prices(&mut bench, &[("OSType", "linux")]).0
    };
    let first = history(1);
    assert_eq!(history(1), first);
    assert_ne!(history(2), first);
    let mut amounts: Vec<&str> = first.iter().filter_map(|it| it.split(' ').nth(2)).collect();
    assert!(
        amounts
            .iter()
            .all(|it| (0.064..=0.104).contains(&it.parse::<f64>().expect(it)))
    );
    amounts.sort_unstable();
    amounts.dedup();
    assert!(amounts.len() > 8, "{first:?}");
}
