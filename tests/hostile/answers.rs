//! Answers that are no answers: half a body, a page of HTML, nothing at all.

use serde_json::{Value, json};

use super::reference::Reference;
use super::told::tell;
use super::{demo, place, with_each};

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
const WRITES: [&str; 6] = [
    "TagResources",
    "UntagResources",
    "ModifyImageAttribute",
    "DeleteImage",
    "DeleteSnapshot",
    "DeleteInstance",
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
fn an_answer_that_cannot_be_read_leads_to_the_same_end() {
    let reference = Reference::of(&demo());
    let mut troubles = Vec::new();
    for action in [&READS[..], &WRITES[..]].concat() {
        assert!(
            reference.calls.iter().any(|it| it.action == action),
            "{action}"
        );
        for status in spoilt() {
            troubles
                .push(json!([{"action": action, "fault": "garbage", "status": status, "nth": 2}]));
        }
        // More often than a call is repeated.
        troubles.push(json!([{"action": action, "fault": "garbage", "nth": 2, "times": 8}]));
    }
    // The effect of a write takes place, so the world has it although no answer ever says so. What is tagged before it
    // is deleted is another matter: without an answer it stays.
    for action in &WRITES[1..] {
        for fault in ["garbage", "dropAfter"] {
            troubles.push(json!([{"action": action, "fault": fault, "times": FOREVER}]));
        }
    }
    with_each(&troubles, |it| drop(reference.survives(it)));
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
