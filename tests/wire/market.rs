//! What machines there are, what is in stock and what it costs: read in full, or not at all; and what a choice takes.

use std::time::Duration;

use reconcile::clock::Clock;
use reconcile::fault::{Class, Fault};
use reconcile::kinds::{aliyun_region, instance_class};
use reconcile::providers::aliyun::Purchase;
use serde_json::{Value, json};

use super::{Cloud, Form, Reply, error, ok};

const ZONES: [&str; 2] = ["cn-beijing-h", "cn-beijing-k"];

/// A market of 250 types of 8 cores and 8 GiB, all in stock in one zone, dearer from one to the next.
fn market(form: &Form) -> Reply {
    match form["Action"].as_str() {
        "DescribeInstanceTypes" => types(form),
        "DescribeAvailableResource" => stock(250, "Available", "WithStock"),
        "DescribeVSwitches" => v_switches(&[("vsw-h", ZONES[0], 9), ("vsw-k", ZONES[1], 9)]),
        _ => prices(
            form,
            "CNY",
            &[(ZONES[0], "2026-11-21T02:00:00Z", json!(0.2), json!(1.0))],
        ),
    }
}

fn types(form: &Form) -> Reply {
    let from: usize = form
        .get("NextToken")
        .map_or(0, |it| it.parse().expect("a number"));
    let item = |number: usize| json!({"InstanceTypeId": format!("ecs.t{number}.2xlarge"), "InstanceTypeFamily": format!("ecs.t{number}"), "CpuArchitecture": "X86", "CpuCoreCount": 8, "MemorySize": 8.0});
    let items: Vec<Value> = (from..250.min(from + 100)).map(item).collect();
    let next = if from + 100 < 250 {
        (from + 100).to_string()
    } else {
        String::new()
    };
    ok(&json!({"InstanceTypes": {"InstanceType": items}, "NextToken": next}))
}

fn stock(count: usize, status: &str, category: &str) -> Reply {
    let item = |number: usize| json!({"Value": format!("ecs.t{number}.2xlarge"), "Status": status, "StatusCategory": category});
    let items: Vec<Value> = (0..count).map(item).collect();
    let resources =
        json!([{"Type": "InstanceType", "SupportedResources": {"SupportedResource": items}}]);
    let zone = json!({"ZoneId": ZONES[0], "Status": "Available", "AvailableResources": {"AvailableResource": resources}});
    ok(&json!({"AvailableZones": {"AvailableZone": [zone]}}))
}

fn v_switches(rows: &[(&str, &str, u64)]) -> Reply {
    let row = |(id, zone, free): &(&str, &str, u64)| json!({"VSwitchId": id, "ZoneId": zone, "Status": "Available", "AvailableIpAddressCount": free});
    let items: Vec<Value> = rows.iter().map(row).collect();
    ok(
        &json!({"VSwitches": {"VSwitch": items}, "TotalCount": rows.len(), "PageNumber": 1, "PageSize": 50}),
    )
}

fn prices(form: &Form, currency: &str, rows: &[(&str, &str, Value, Value)]) -> Reply {
    let row = |(zone, at, spot, list): &(&str, &str, Value, Value)| json!({"InstanceType": form["InstanceType"], "ZoneId": zone, "Timestamp": at, "SpotPrice": spot, "OriginPrice": list, "NetworkType": "vpc", "IoOptimized": "optimized"});
    let rows: Vec<Value> = rows.iter().map(row).collect();
    ok(&json!({"Currency": currency, "NextOffset": 0, "SpotPrices": {"SpotPriceType": rows}}))
}

fn class(written: &Value) -> instance_class::Spec {
    let mut spec = json!({"regionRef": "home", "architecture": "amd64"});
    let fields = written.as_object().expect("a map").clone();
    spec.as_object_mut().expect("a map").extend(fields);
    serde_json::from_value(spec).expect("the spec of a test can be read")
}

fn region(network: &Value) -> aliyun_region::Spec {
    let mut network = network.clone();
    network["vpcId"] = json!("vpc-1");
    let spec = json!({"regionId": "cn-beijing", "scope": "test", "network": network});
    serde_json::from_value(spec).expect("the spec of a test can be read")
}

async fn rank(
    cloud: &Cloud,
    class: &instance_class::Spec,
) -> Result<instance_class::Ranking, Fault> {
    let region = region(&json!({"discoverVSwitches": true}));
    instance_class::rank(class, &region, &cloud.clients).await
}

/// How often each action was called.
fn count(cloud: &Cloud, action: &str) -> usize {
    cloud
        .requests()
        .iter()
        .filter(|it| it["Action"] == action)
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_choice_takes_pages_stock_v_switches_and_a_price_a_type_and_no_page_within_a_day() {
    let folder = tempfile::tempdir().expect("a folder");
    let cloud = Cloud::new(|_, form| market(form)).await;
    cloud.clients.aliyun.keep_in(folder.path());
    let class = class(&json!({}));
    let ranking = rank(&cloud, &class).await.expect("a ranking");
    assert_eq!((ranking.candidates.len(), ranking.asked.len()), (5, 250));
    let best = &ranking.candidates[0];
    assert_eq!(
        (best.zone.as_str(), best.v_switch.as_str()),
        (ZONES[0], "vsw-h")
    );
    assert_eq!(best.limit.map(|it| it.to_string()).as_deref(), Some("0.24"));
    assert_eq!(cloud.requests().len(), 3 + 2 + 250);
    // Who asks again in the same pass asks for nothing.
    drop(rank(&cloud, &class).await.expect("a ranking"));
    assert_eq!(cloud.requests().len(), 3 + 2 + 250);
    cloud.clients.forget();
    drop(rank(&cloud, &class).await.expect("a ranking"));
    assert_eq!(cloud.requests().len(), 3 + 2 * (2 + 250));
    // Another process reads the file; the day after nobody does.
    let next = Cloud::new(|_, form| market(form)).await;
    next.clients.aliyun.keep_in(folder.path());
    drop(rank(&next, &class).await.expect("a ranking"));
    assert_eq!(count(&next, "DescribeInstanceTypes"), 0);
    next.clock.sleep(Duration::from_secs(24 * 3600)).await;
    next.clients.forget();
    drop(rank(&next, &class).await.expect("a ranking"));
    assert_eq!(count(&next, "DescribeInstanceTypes"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_price_that_is_old_is_asked_for_again_within_a_pass() {
    let cloud = Cloud::new(|_, form| market(form)).await;
    let types = ["ecs.t1.2xlarge".to_owned()];
    for (wait, sent) in [(0, 1), (599, 1), (2, 2)] {
        cloud.clock.sleep(Duration::from_secs(wait)).await;
        let quotes = cloud.clients.aliyun.quotes(&cloud.place, &types).await;
        quotes.expect("a price");
        assert_eq!(cloud.requests().len(), sent);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_is_filtered_by_the_service() {
    let cloud = Cloud::new(|_, form| market(form)).await;
    let class = class(&json!({
        "architecture": "arm64",
        "requirements": {"cpu": {"min": 2, "max": 4}, "memory": {"max": "512Gi"}, "memoryPerCpu": "1536Mi", "families": ["ecs.c8y", "ecs.g8y"]},
    }));
    let ranking = rank(&cloud, &class).await.expect("a ranking");
    // The service filtered nothing, so that all of it was refused here.
    assert!(ranking.candidates.is_empty() && ranking.dropped.types == 0);
    let requests = cloud.requests();
    let asked = |action: &str| {
        requests
            .iter()
            .find(|it| it["Action"] == action)
            .expect(action)
    };
    let types = asked("DescribeInstanceTypes");
    for (name, value) in [
        ("CpuArchitecture", "ARM"),
        ("MinimumCpuCoreCount", "2"),
        ("MaximumCpuCoreCount", "4"),
        ("MinimumMemorySize", "3"),
        ("MaximumMemorySize", "512"),
        ("MaxResults", "100"),
        ("InstanceTypeFamilies.1", "ecs.c8y"),
        ("InstanceTypeFamilies.2", "ecs.g8y"),
    ] {
        assert_eq!(types[name], value, "{name}");
    }
    let stock = asked("DescribeAvailableResource");
    assert_eq!(
        (
            stock["SpotStrategy"].as_str(),
            stock["SpotDuration"].as_str()
        ),
        ("SpotWithPriceLimit", "1")
    );
    let v_switches = asked("DescribeVSwitches");
    assert_eq!(
        (v_switches["Version"].as_str(), v_switches["VpcId"].as_str()),
        ("2016-04-28", "vpc-1")
    );
}

#[tokio::test(start_paused = true)]
async fn only_what_is_sold_and_there_is_in_stock() {
    for (status, category, is_there) in [
        ("Available", "WithStock", true),
        ("Available", "ClosedWithStock", true),
        ("Available", "WithoutStock", false),
        ("Available", "ClosedWithoutStock", false),
        ("SoldOut", "WithStock", false),
    ] {
        let cloud = Cloud::new(move |_, _| stock(1, status, category)).await;
        let found = cloud
            .clients
            .aliyun
            .stock(&cloud.place, Purchase::Spot)
            .await;
        assert_eq!(
            found.expect("an answer").len(),
            usize::from(is_there),
            "{status} {category}"
        );
    }
    let empty = Cloud::new(|_, _| ok(&json!({"AvailableZones": {}}))).await;
    let found = empty
        .clients
        .aliyun
        .stock(&empty.place, Purchase::OnDemand)
        .await;
    assert!(found.expect("an answer").is_empty());
    assert_eq!(empty.requests()[0]["SpotStrategy"], "NoSpot");
}

#[tokio::test(start_paused = true)]
async fn the_latest_price_of_each_zone_counts_in_whatever_order_they_come() {
    let rows = [
        (ZONES[0], "2026-11-21T00:00:00Z", json!(0.9), json!(1.0)),
        (ZONES[0], "2026-11-21T01:00:00Z", json!("0.123"), json!(1.0)),
        (ZONES[1], "2026-11-21T01:00:00Z", json!(0), json!(1.0)),
        (ZONES[0], "2026-11-20T23:00:00Z", json!(0.8), json!(1.0)),
    ];
    for turn in 0..rows.len() {
        let mut rows = rows.clone();
        rows.rotate_left(turn);
        let cloud = Cloud::new(move |_, form| prices(form, "CNY", &rows)).await;
        let types = ["ecs.t1.2xlarge".to_owned()];
        let quotes = cloud.clients.aliyun.quotes(&cloud.place, &types).await;
        let quotes = &quotes.expect("a price")[0].by_zone;
        let spot = |zone: &str| quotes[zone].spot.map(|it| it.to_string());
        assert_eq!(
            (spot(ZONES[0]).as_deref(), spot(ZONES[1])),
            (Some("0.123"), None)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_answer_that_is_missing_or_says_too_little_is_a_fault_of_the_choice() {
    let refused = error(403, "Forbidden.RAM", "no");
    let nameless = ok(
        &json!({"SpotPrices": {"SpotPriceType": [{"InstanceType": "ecs.t7.2xlarge", "SpotPrice": 0.1}]}}),
    );
    let wrong = ok(
        &json!({"SpotPrices": {"SpotPriceType": [{"InstanceType": "ecs.t7.2xlarge", "ZoneId": "z", "Timestamp": "2026-11-21T01:00:00Z", "SpotPrice": -1}]}}),
    );
    let dollars = ok(&json!({"Currency": "USD", "SpotPrices": {}}));
    let stuck = ok(
        &json!({"NextOffset": 5, "SpotPrices": {"SpotPriceType": [{"InstanceType": "ecs.other", "ZoneId": "z"}, {"InstanceType": "ecs.t7.2xlarge", "ZoneId": "z", "Timestamp": "2026-11-21T01:00:00Z"}]}}),
    );
    for (action, reply, words) in [
        ("DescribeSpotPriceHistory", refused.clone(), "403"),
        ("DescribeSpotPriceHistory", nameless, "is missing"),
        (
            "DescribeSpotPriceHistory",
            wrong,
            "SpotPrice is no price: -1",
        ),
        ("DescribeSpotPriceHistory", dollars, "the prices are in USD"),
        ("DescribeSpotPriceHistory", stuck, "NextOffset is 5 after 5"),
        (
            "DescribeSpotPriceHistory",
            ok(&json!({})),
            "SpotPrices is missing",
        ),
        ("DescribeAvailableResource", refused.clone(), "403"),
        (
            "DescribeAvailableResource",
            ok(&json!({})),
            "AvailableZones is missing",
        ),
        ("DescribeInstanceTypes", refused.clone(), "403"),
        ("DescribeVSwitches", refused, "(vpc-1)"),
    ] {
        let cloud = Cloud::new(move |_, form| {
            let is_meant = form["Action"] == action
                && form
                    .get("InstanceType")
                    .is_none_or(|it| it == "ecs.t7.2xlarge");
            if is_meant {
                reply.clone()
            } else {
                market(form)
            }
        })
        .await;
        let fault = rank(&cloud, &class(&json!({}))).await.expect_err(words);
        assert!(fault.to_string().contains(words), "{action}: {fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_price_that_is_throttled_is_asked_for_again() {
    let mut left = 3;
    let cloud = Cloud::new(move |_, form| {
        if form["Action"] == "DescribeSpotPriceHistory" && left > 0 {
            left -= 1;
            return error(400, "Throttling.User", "too many");
        }
        market(form)
    })
    .await;
    let ranking = rank(&cloud, &class(&json!({}))).await.expect("a ranking");
    assert_eq!(ranking.asked.len(), 250);
    assert_eq!(count(&cloud, "DescribeSpotPriceHistory"), 250 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_v_switch_of_another_vpc_or_zone_is_named() {
    let cloud = Cloud::new(|_, form| market(form)).await;
    let network = json!({"vSwitches": {"cn-beijing-h": "vsw-k", "cn-beijing-i": "vsw-x"}});
    let ranked = instance_class::rank(&class(&json!({})), &region(&network), &cloud.clients).await;
    let fault = ranked.expect_err("neither is right");
    assert_eq!(fault.class, Class::Invalid);
    let said = fault.to_string();
    assert!(
        said.contains("vsw-k of spec.network.vSwitches.cn-beijing-h is in cn-beijing-k")
            && said.contains("vsw-x of spec.network.vSwitches.cn-beijing-i is not in this VPC"),
        "{said}"
    );
}
