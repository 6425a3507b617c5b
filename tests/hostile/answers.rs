//! Answers that are no answers: half a body, a page of HTML, nothing at all.

use serde_json::{Value, json};

use super::place;
use super::told::tell;

const FOREVER: u64 = 1_000_000;

/// Half a body; HTML with an error; HTML with a success.
fn spoilt() -> [Value; 3] {
    [json!(null), json!(502), json!(200)]
}

const READS: [&str; 4] = [
    "GetCallerIdentity",
    "DescribeImages",
    "DescribeInstances",
    "DescribeSnapshots",
];
#[test]
fn an_answer_that_can_never_be_read_is_no_empty_list() {
    for action in READS {
        for status in spoilt() {
            let trouble =
                json!([{"action": action, "fault": "garbage", "status": status, "times": FOREVER}]);
            let place = place(&json!({"troubles": trouble}));
            let arguments = ["--once", "--simulate=world.yaml"];
            let told = tell(&place, &arguments).exits(1);
            let told = told.says("the answer is no JSON object of the service: ");
            assert_eq!(told.report["complete"], false);
            // What is not looked at is not deleted; the other half of the account goes on.
            let deleted = match action {
                "DescribeImages" | "DescribeSnapshots" => "i",
                _ => "",
            };
            assert_eq!(told.deleted_sorts(), deleted, "{action} {status}");
            let plan = tell(&place, &["plan", "--simulate=world.yaml"]).exits(1);
            assert_eq!(plan.report["calls"]["writes"], 0);
        }
    }
}

#[test]
fn a_write_that_never_takes_effect_is_told_and_nothing_that_hangs_on_it_is_done() {
    for (action, deleted) in [
        ("TagResources", ""),
        ("ModifyImageAttribute", "i"),
        ("DeleteImage", "i"),
        ("DeleteInstance", "ms"),
    ] {
        for (fault, status) in [("dropBefore", json!(null)), ("status", json!(503))] {
            let trouble =
                json!([{"action": action, "fault": fault, "status": status, "times": FOREVER}]);
            let place = place(&json!({"troubles": trouble}));
            let told = tell(
                &place,
                &["--once", "--simulate=world.yaml", "--wait", "10m"],
            )
            .exits(1);
            let told = told.says("The time ran out before everything was as declared.");
            assert_eq!(told.deleted_sorts(), deleted, "{action} {fault}");
        }
    }
}

#[test]
fn a_plan_says_what_an_earlier_run_had_begun() {
    let trouble =
        json!([{"action": "TagResources", "fault": "status", "status": 503, "times": FOREVER}]);
    let place = place(&json!({"troubles": trouble}));
    let more = ["--simulate=world.yaml", "--status-dir", "status"];
    let before = place.run(&[&["plan"], &more[..]].concat()).exits(0).stdout;
    assert!(!before.contains("[resume]"), "{before}");
    place.run(&[&["--once"], &more[..]].concat()).exits(1);
    let after = place.run(&[&["plan"], &more[..]].concat()).exits(0).stdout;
    let resumed = after.lines().filter(|it| it.ends_with("[resume]"));
    assert!(resumed.count() > 10, "{after}");
}
