//! Launching, against what today's `create-spot-instance.py` did: the cases of `tests/golden/create`.
//!
//! The world calls machines what the cases call them, and has of them what they say. The calls that are compared are those
//! that buy something; before the first one `reconcile` asks by a dry run whether it may.

use std::time::Duration;

use reconcile::report::Report;
use reconcile::sim::history::Call;
use reconcile::sim::object::Instance;
use serde_json::{Value, json};

use super::{edited, instances, networked, recorded, said};
use crate::proofs::lab::Lab;

const CLASS: &str = "requirements: {cpu: {min: 2, max: 4}}";
const BASE: &str = r#"query: {owner: system, distribution: ubuntu, release: "24.04"}"#;

/// What is offered: type, zone, and the limit that the scripts took.
fn candidates(case: &Value) -> Vec<(String, String, f64)> {
    let lines = case["candidates"].as_array().cloned();
    let only = || {
        let limit = case["env"]["SPOT_PRICE_LIMIT"].as_str();
        let limit = limit.filter(|it| !it.is_empty()).unwrap_or("0.4000");
        vec![json!(format!(
            "ecs.c7.2xlarge|cn-hangzhou-h|vsw-h|{limit}|8"
        ))]
    };
    let candidate = |line: &Value| {
        let words: Vec<&str> = line.as_str().expect("a line").split('|').collect();
        let limit = words[3].parse().expect("a limit is a number");
        (words[0].to_owned(), words[1].to_owned(), limit)
    };
    lines.unwrap_or_else(only).iter().map(candidate).collect()
}

/// The highest price of three decimals of which 1.2 times is within a limit.
fn price(limit: f64) -> f64 {
    (limit * 1000.0 / 1.2).floor() / 1000.0
}

/// One type in one zone; where the case has none in stock, only an order finds out.
fn offer(case: &Value, (name, zone, limit): &(String, String, f64)) -> Value {
    let server = &case["server"];
    let mut offer = json!({"type": name, "zone": zone, "price": price(*limit)});
    let stock = server["stock"][zone].as_array();
    if stock.is_some_and(|it| !it.contains(&json!(name))) {
        offer["really"] = json!("WithoutStock");
    }
    if !server["disk_support"][name].is_null() {
        offer["disks"] = server["disk_support"][name].clone();
    }
    offer
}

/// What goes wrong with the first call that buys something.
fn trouble(case: &Value) -> Option<Value> {
    let server = &case["server"];
    if server["faults"][0]["drop"] == true {
        return Some(json!({"action": "RunInstances", "fault": "dropAfter", "nth": 2}));
    }
    // Nobody can know a price of a later moment, so the order is refused in the words of the case.
    server["spot_prices"].is_array().then(|| {
        let code = "InvalidSpotPriceLimit.LowerThanPublicPrice";
        json!({"action": "RunInstances", "fault": "status", "status": 400, "code": code, "nth": 2})
    })
}

fn image(id: &str, architecture: &str, family: &str) -> Value {
    json!({
        "ImageId": id, "ImageName": id, "CreationTime": "2025-11-10T03:00:00Z", "ImageOwnerAlias": "system",
        "Architecture": architecture, "ImageFamily": family, "Size": 20,
    })
}

/// The world of a case, and a class that takes what it offers.
fn lab(case: &Value, edits: &[(&str, &str)]) -> Lab {
    let offered = candidates(case);
    let offers: Vec<Value> = offered.iter().map(|it| offer(case, it)).collect();
    let ubuntu = |arch: &str| format!("ubuntu_24_04_{arch}_20G_alibase_20251110.vhd");
    let world = json!({
        "start": "2025-11-25T12:00:00Z",
        "market": {"offers": offers},
        "troubles": trouble(case).into_iter().collect::<Vec<Value>>(),
        "objects": {"images": [
            image(&ubuntu("x64"), "x86_64", "acs:ubuntu_24_04_x64"),
            image(&ubuntu("arm64"), "arm64", "acs:ubuntu_24_04_arm64"),
        ]},
    });
    let types: Vec<&str> = offered.iter().map(|it| it.0.as_str()).collect();
    let class = format!("requirements: {{cpu: {{min: 8, max: 8}}, instanceTypes: {types:?}}}");
    let mut all = vec![
        (CLASS, class.as_str()),
        ("cn-hangzhou-j: vsw-j", "cn-hangzhou-h: vsw-h"),
    ];
    all.extend_from_slice(edits);
    edited(&all, &networked(world))
}

fn case(name: &str) -> Value {
    recorded(&format!("create/{name}.json"))
}

/// What the calls that buy something came to, in the words of the cases.
fn attempts(lab: &Lab) -> Vec<String> {
    let result = |it: &Call| match (it.status, &it.code) {
        (0, _) => "DROPPED-AFTER".to_owned(),
        (_, Some(code)) => code.clone(),
        (_, None) => "OK".to_owned(),
    };
    let is_meant = |it: &&Call| it.action == "RunInstances" && it.write;
    lab.with_world(|it| it.calls().iter().filter(is_meant).map(result).collect())
}

fn one(lab: &Lab) -> Instance {
    let mut all = instances(lab);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn is_about(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}

/// All of this is said of the line.
fn says(report: &Report, words: &[&str]) {
    let said = said(report);
    assert!(words.iter().all(|it| said.contains(it)), "{said}");
}

/// 01 to 04, 11: the same calls with the same ends, and in the end the same machine at the same limit.
#[test]
fn a_machine_is_had_where_the_scripts_had_it_after_as_many_attempts() {
    let names = [
        "01-first-candidate",
        "02-no-stock-next-candidate",
        "03-disk-fallback",
        "04-no-disk-category-next-candidate",
        "11-price-moved",
    ];
    for name in names {
        let case = case(name);
        let theirs = case["upstream"]["attempts"].as_array().expect("a list");
        lab(&case, &[]).block_on(async |lab| {
            let _ = lab.once(1).await;
            let results: Vec<&Value> = theirs.iter().map(|it| &it["result"]).collect();
            assert_eq!(json!(attempts(lab)), json!(results), "{name}");
            let (mine, last) = (one(lab), theirs.last().expect("an attempt"));
            assert_eq!(mine.instance_type, last["type"], "{name}");
            assert_eq!(mine.v_switch_id, last["vsw"], "{name}");
            assert_eq!(mine.image_id.as_str(), last["image"], "{name}");
            assert_eq!(mine.spot_strategy, last["strategy"], "{name}");
            let limit: f64 = last["limit"]
                .as_str()
                .and_then(|it| it.parse().ok())
                .expect("a limit");
            assert!(
                is_about(mine.spot_price_limit, limit),
                "{name}: {}",
                mine.spot_price_limit
            );
        });
    }
}

/// 05, 10: as many attempts as the scripts made, and no other disk where there is no stock; it is said which it was.
#[test]
fn where_nothing_is_to_be_had_it_is_said_and_no_machine_is_there() {
    for (name, candidates) in [("05-all-fail", 2), ("10-single-no-candidates", 1)] {
        let case = case(name);
        lab(&case, &[]).block_on(async |lab| {
            let report = lab.once(1).await;
            assert_eq!(
                attempts(lab),
                vec!["OperationDenied.NoStock"; candidates],
                "{name}"
            );
            assert_eq!(instances(lab), []);
            says(&report, &["launch an instance", "OperationDenied.NoStock"]);
        });
    }
}

/// The same where the cloud says beforehand that it has none: no order is needed to find out.
#[test]
fn what_is_known_to_be_out_of_stock_is_not_ordered() {
    let mut case = case("05-all-fail");
    case["server"] = json!({});
    let offers = candidates(&case);
    let sold_out = |it| {
        let mut offer = offer(&case, it);
        offer["stock"] = json!("WithoutStock");
        offer
    };
    let offers: Vec<Value> = offers.iter().map(sold_out).collect();
    let world = json!({
        "market": {"offers": offers},
        "objects": {"images": [super::base("20251110", "2025-11-10T03:00:00Z")]},
    });
    let class = "requirements: {cpu: {min: 8, max: 8}}";
    edited(&[(CLASS, class)], &networked(world)).block_on(async |lab| {
        let report = lab.once(1).await;
        assert_eq!(attempts(lab), [""; 0]);
        assert!(
            said(&report).contains("NoCapacity") && said(&report).contains("nowhere in stock"),
            "{}",
            said(&report)
        );
    });
}

/// 06: the scripts went on to the next candidate and had two; ours asks again with the same token.
#[test]
fn an_answer_that_gets_lost_is_asked_for_again() {
    let case = case("06-lost-response");
    assert_eq!(case["upstream"]["leaked"], json!(["i-fake00000001"]));
    lab(&case, &[]).block_on(async |lab| {
        let _ = lab.once(1).await;
        assert_eq!(attempts(lab), ["DROPPED-AFTER", "OK"]);
        let mine = one(lab);
        assert_eq!(mine.instance_type, "ecs.c7.2xlarge", "the same machine");
        assert_eq!(case["intended"]["instances_alive"], 1);
    });
}

/// 07: the scripts took a family and an image, and the family won; here only one of them can be written.
#[test]
fn a_family_is_built_upon() {
    let case = case("07-family-first");
    let family = [(BASE, "family: {amd64: \"acs:ubuntu_24_04_x64\"}")];
    lab(&case, &family).block_on(async |lab| {
        let _ = lab.once(1).await;
        let theirs = &case["upstream"]["attempts"][0]["image"];
        assert_eq!(one(lab).image_id.as_str(), theirs);
    });
}

/// 08: the scripts fell back to another image with a warning that nobody read. On purpose not so here: what is built upon
/// is what is written, or nothing.
///
/// 09: the scripts tried every candidate with an image of the other architecture.
#[test]
fn a_family_that_is_missing_or_of_the_other_architecture_is_refused_before_any_launch() {
    for (name, family) in [
        ("08-family-missing-falls-back", "acs:none"),
        ("09-family-arch-mismatch", "acs:ubuntu_24_04_arm64"),
    ] {
        let case = case(name);
        let written = format!("family: {{amd64: \"{family}\"}}");
        lab(&case, &[(BASE, &written)]).block_on(async |lab| {
            let report = lab.converge(1).await;
            assert!(!report.is_converged() && report.exit_code() != 0, "{name}");
            let asked =
                lab.with_world(|it| it.calls().iter().any(|it| it.action == "RunInstances"));
            assert!(!asked, "{name}: not even a dry run");
            says(
                &report,
                &["NoBase", &format!("of the family {family} for amd64")],
            );
        });
    }
}

/// 12: without a limit the scripts paid whatever the market asked. On purpose not so here: a spot machine always has a
/// limit, and who wants none pays the list price, for a machine that nobody takes back.
#[test]
fn a_machine_without_a_limit_is_no_spot_machine_and_ends_all_the_same() {
    let case = case("12-no-limit");
    let strategy = &case["upstream"]["attempts"][0]["strategy"];
    assert_eq!(strategy, "SpotAsPriceGo");
    let on_demand = [("selection:", "spot: {enabled: false}\n  selection:")];
    lab(&case, &on_demand).block_on(async |lab| {
        let _ = lab.once(1).await;
        let mine = one(lab);
        assert_eq!(mine.spot_strategy, "NoSpot");
        assert!(is_about(mine.spot_price_limit, 0.0));
        assert!(mine.auto_release_time.is_some());
    });
}

/// 13: the scripts' successor rounds the moment up to the minute and adds the time; here the sum is rounded up. Its 30
/// minutes are refused: the least that is surely accepted when a request is slow is 35.
#[test]
fn the_release_time_is_the_first_full_minute_after_the_time_to_live() {
    let case = case("13-successor-ttl");
    let theirs = &case["upstream"]["attempts"][0]["AutoReleaseTime"];
    assert_eq!(theirs, "2025-11-25T12:30:00Z");
    let ttl = [
        ("selection:", "ttl: 35m\n  selection:"),
        ("provision: {", "provision: {timeout: 20m, "),
    ];
    lab(&case, &ttl).block_on(async |lab| {
        let _ = lab.once(1).await;
        let mine = one(lab);
        let release = mine.auto_release_time.expect("it always has one");
        let lives = release.since(mine.creation_time);
        let most = Duration::from_secs(36 * 60);
        assert!(
            lives > Duration::from_secs(35 * 60) && lives <= most,
            "{lives:?}"
        );
        assert_eq!(release.millis() % 60_000, 0);
    });
}
