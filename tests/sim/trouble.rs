//! Troubles: which call is struck, and what its client sees.

use std::time::Duration;

use reconcile::sim::Delivery;
use reconcile::sim::object::InstanceStatus;
use serde_json::{Value, json};

use super::{Bench, ORDER, image, instance, small_world, text};

const REGION: &str = "cn-hangzhou";

fn crowd() -> Bench {
    let instances: Vec<Value> = (0..25)
        .map(|n| instance(&format!("i-{n:02}"), "m-00"))
        .collect();
    Bench::new(json!({"objects": {"instances": instances}}))
}

/// All ids of a listing read page by page, and the total of each page.
fn read(bench: &mut Bench) -> (Vec<String>, Vec<u64>) {
    let (mut ids, mut totals) = (Vec::new(), Vec::new());
    for page in ["1", "2", "3"] {
        let answer = bench.ok("DescribeInstances", &[("PageNumber", page)]);
        let rows = answer["Instances"]["Instance"]
            .as_array()
            .expect("rows")
            .clone();
        ids.extend(
            rows.iter()
                .map(|it| it["InstanceId"].as_str().unwrap_or("?").to_owned()),
        );
        totals.extend(answer["TotalCount"].as_u64());
    }
    (ids, totals)
}

#[test]
fn a_cut_before_has_no_effect_and_a_cut_after_has() {
    for (fault, left) in [("dropBefore", 1), ("dropAfter", 0)] {
        let mut bench = small_world();
        bench.trouble(&json!({"service": "ecs", "action": "DeleteImage", "fault": fault}));
        let delete = [("RegionId", REGION), ("ImageId", "m-one")];
        assert_eq!(bench.answer("DeleteImage", &delete).delivery, Delivery::Cut);
        assert_eq!(bench.world.images(REGION, bench.now).len(), left, "{fault}");
        let call = bench.world.calls().last().expect("a call").clone();
        assert_eq!(
            (call.status, call.code, call.object.as_deref()),
            (0, None, Some("m-one"))
        );
    }
}

#[test]
fn a_failure_has_no_effect_and_says_what_it_was_told_to() {
    let mut bench = small_world();
    let trouble = json!({"action": "RunInstances", "fault": "status", "status": 403, "code": "OperationDenied.NoStock"});
    bench.trouble(&trouble);
    assert_eq!(
        bench.refused("RunInstances", &ORDER),
        "403 OperationDenied.NoStock"
    );
    assert!(bench.world.instances(REGION, bench.now).is_empty());
    bench.ok("RunInstances", &ORDER);
    bench.trouble(&json!({"fault": "status", "status": 429, "seconds": 2}));
    let answer = bench.answer("DescribeRegions", &[]);
    assert_eq!(
        (answer.status, answer.headers["x-acs-retry-after"].as_str()),
        (429, "2000")
    );
    bench.trouble(&json!({"fault": "status"}));
    assert_eq!(bench.refused("DescribeRegions", &[]), "500 InternalError");
}

#[test]
fn strikes_the_nth_call_that_matches_and_as_many_as_told() {
    let mut bench = small_world();
    let trouble = json!({"action": "DescribeImages", "object": "m-one", "nth": 2, "times": 2, "fault": "status"});
    bench.trouble(&trouble);
    let ask = |bench: &mut Bench, id: &str| bench.refused("DescribeImages", &[("ImageId", id)]);
    let seen: Vec<String> = ["m-one", "m-two", "m-one", "m-one", "m-one"]
        .iter()
        .map(|it| ask(&mut bench, it))
        .collect();
    let (good, bad) = ("200 no code", "500 InternalError");
    assert_eq!(seen, [good, good, bad, bad, good]);
}

#[test]
fn a_stale_listing_shows_the_past_and_the_world_has_moved_on() {
    let mut bench = small_world();
    bench.wait(600);
    bench.ok("DeleteImage", &[("ImageId", "m-one")]);
    bench.wait(60);
    bench.trouble(&json!({"action": "DescribeImages", "fault": "stale", "seconds": 300}));
    assert_eq!(bench.list("DescribeImages", &[], "ImageId"), ["m-one"]);
    assert_eq!(
        bench.list("DescribeImages", &[], "ImageId"),
        Vec::<String>::new()
    );
}

#[test]
fn a_torn_listing_misses_one_and_shows_another_twice() {
    let mut bench = crowd();
    bench.trouble(&json!({"action": "DescribeInstances", "nth": 2, "fault": "torn"}));
    let (ids, totals) = read(&mut bench);
    let count = |id: &str| ids.iter().filter(|it| *it == id).count();
    assert_eq!((ids.len(), totals), (25, vec![25, 25, 25]));
    // The newest id comes first, so that the second page begins with the eleventh.
    assert_eq!((count("i-15"), count("i-14"), count("i-13")), (2, 0, 1));
}

#[test]
fn a_listing_that_gets_shorter_misses_one_although_nothing_comes_twice() {
    let mut bench = crowd();
    bench.trouble(
        &json!({"action": "DescribeInstances", "nth": 2, "times": 2, "fault": "tornShorter"}),
    );
    let (ids, totals) = read(&mut bench);
    assert_eq!((ids.len(), totals), (24, vec![25, 24, 24]));
    assert!(!ids.contains(&"i-14".to_owned()));
}

#[test]
fn garbage_is_a_page_of_html_or_half_a_body() {
    let mut bench = small_world();
    bench.trouble(&json!({"fault": "garbage"}));
    let answer = bench.answer("DescribeRegions", &[]);
    assert_eq!(answer.status, 200);
    assert!(
        serde_json::from_slice::<Value>(&answer.body).is_err() && answer.body.starts_with(b"{")
    );
    bench.trouble(&json!({"fault": "garbage", "status": 502}));
    let answer = bench.answer("DescribeRegions", &[]);
    assert_eq!(
        (answer.status, text(&answer).starts_with("<html>")),
        (502, true)
    );
}

#[test]
fn a_delayed_call_has_its_effect_at_once() {
    let mut bench = small_world();
    bench.trouble(&json!({"action": "DeleteImage", "fault": "delay", "seconds": 90}));
    let answer = bench.answer("DeleteImage", &[("RegionId", REGION), ("ImageId", "m-one")]);
    assert_eq!(
        (answer.status, answer.delivery),
        (200, Delivery::Late(Duration::from_secs(90)))
    );
    assert!(bench.world.images(REGION, bench.now).is_empty());
}

#[test]
fn an_accepted_instance_may_vanish() {
    let mut bench = small_world();
    bench.trouble(&json!({"action": "RunInstances", "fault": "vanish", "seconds": 10}));
    bench.order(&[]);
    assert_eq!(bench.world.instances(REGION, bench.now).len(), 1);
    bench.wait(10);
    assert!(bench.world.instances(REGION, bench.now).is_empty());
}

#[test]
fn a_spot_instance_is_taken_back_five_minutes_after_a_warning() {
    let mut bench = small_world();
    bench.trouble(&json!({"action": "RunInstances", "fault": "reclaim", "seconds": 3600}));
    bench.order(&[("SpotStrategy", "SpotAsPriceGo")]);
    bench.wait(3299);
    assert_eq!(
        bench.list(
            "DescribeInstances",
            &[("LockReason", "recycling")],
            "Status"
        ),
        Vec::<String>::new()
    );
    bench.wait(1);
    assert_eq!(
        bench.list(
            "DescribeInstances",
            &[("LockReason", "recycling")],
            "Status"
        ),
        ["Running"]
    );
    assert_eq!(
        bench.world.instances(REGION, bench.now)[0].status,
        InstanceStatus::Running
    );
    bench.wait(300);
    assert!(bench.world.instances(REGION, bench.now).is_empty());
}

#[test]
fn troubles_of_the_scenario_strike_from_the_beginning() {
    let troubles = json!([{"action": "DescribeRegions", "fault": "status", "status": 503}]);
    let images = json!([image("m-one", "one", "2026-11-01T00:00:00Z")]);
    let mut bench = Bench::new(json!({"troubles": troubles, "objects": {"images": images}}));
    assert_eq!(
        bench.refused("DescribeRegions", &[]),
        "503 ServiceUnavailable"
    );
    bench.ok("DescribeRegions", &[]);
    bench.admin("POST", "/_sim/reset", &json!({}));
    assert_eq!(
        bench.refused("DescribeRegions", &[]),
        "503 ServiceUnavailable"
    );
}
