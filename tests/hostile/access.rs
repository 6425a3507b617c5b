//! Wrong keys, ended tokens, missing permissions: what cannot be seen is never taken for absent.

use serde_json::json;

use super::processes::Served;
use super::told::tell;
use super::{key_without, place};
use crate::cli::{Place, finish};

const ALL: [&str; 4] = ["--once", "--simulate=world.yaml", "--wait", "2h"];

#[test]
fn a_wrong_secret_is_said_to_be_one_and_is_not_printed() {
    let place = Place::with_machines();
    let served = Served::of(&place, &["--clock", "manual"]);
    for arguments in [["plan", "-v"], ["--once", "-v"]] {
        let mut command = served.client(&place, &arguments);
        command.env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "another-secret");
        let run = finish(&mut command).exits(77);
        let words = "the secret in ALIBABA_CLOUD_ACCESS_KEY_SECRET is not the one of the key in ALIBABA_CLOUD_ACCESS_KEY_ID";
        assert!(run.stdout.contains(words), "{}", run.stdout);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.contains("another-secret"), "{said}");
    }
    let mut command = served.client(&place, &["image-id", "demo-runner-amd64-latest"]);
    command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI-unknown");
    let run = finish(&mut command).exits(77);
    assert_eq!(run.stdout, "");
    assert!(
        run.stderr.contains("does not exist or is switched off"),
        "{}",
        run.stderr
    );
    assert_eq!(served.writes(), 0);
}

#[test]
fn an_ended_token_does_nothing() {
    let keys = json!([{
        "id": "STS.demo", "secret": "temporary-secret", "token": "temporary-token",
        "expires": "2026-11-21T01:59:00Z",
    }]);
    let told = tell(&place(&json!({"keys": keys})), &ALL).exits(77);
    let told = told.says(
        "the security token that goes with the key in ALIBABA_CLOUD_ACCESS_KEY_ID has expired",
    );
    assert_eq!(told.report["calls"]["writes"], 0);
}

#[test]
fn a_token_that_ends_between_two_calls_ends_the_work_cleanly() {
    let keys = json!([{
        "id": "STS.demo", "secret": "temporary-secret", "token": "temporary-token",
        "expires": "2026-11-21T02:00:05Z",
    }]);
    let slow = json!([{"action": "TagResources", "nth": 6, "fault": "delay", "seconds": 8}]);
    let place = place(&json!({"keys": keys, "troubles": slow}));
    let told = tell(&place, &ALL)
        .exits(77)
        .says("has expired, get a new one");
    assert_eq!(told.report["complete"], false);
}

#[test]
fn a_region_that_does_not_exist_is_said_to_be_one() {
    let place = place(&json!({}));
    place.edit("state/region.yaml", "cn-hangzhou", "cn-nowhere");
    let told = tell(&place, &ALL).exits(1).says("InvalidRegionId.NotFound");
    let told = told.says("is the region's name right, and does its endpoint go with it?");
    assert_eq!(told.report["calls"]["writes"], 0);
}

/// An action without permission; the exit code; the sorts of objects that are deleted all the same; whether anything
/// is written.
const DENIED: [(&str, i32, &str, bool); 11] = [
    ("GetCallerIdentity", 77, "", false),
    // Its listings are empty instead of refused, so nothing is known of who uses what.
    ("DescribeInstances", 1, "", true),
    ("DescribeImages", 1, "i", true),
    ("DescribeSnapshots", 1, "i", true),
    // Nothing says that no template names the images.
    ("DescribeLaunchTemplates", 1, "i", true),
    // No instance goes before it is marked, no image before it is owned.
    ("TagResources", 1, "", true),
    ("UntagResources", 1, "i", true),
    ("ModifyImageAttribute", 1, "i", true),
    ("DeleteImage", 1, "i", true),
    ("DeleteSnapshot", 1, "im", true),
    ("DeleteInstance", 1, "ms", true),
];

#[test]
fn a_missing_permission_is_named_and_deletes_nothing_that_depends_on_it() {
    for (action, code, deleted, writes) in DENIED {
        let place = place(&json!({"keys": key_without(&[action])}));
        let service = if action == "GetCallerIdentity" {
            "sts"
        } else {
            "ecs"
        };
        let hint = format!("the key in ALIBABA_CLOUD_ACCESS_KEY_ID lacks {service}:{action}");
        let told = tell(&place, &ALL).exits(code).says(&hint);
        assert_eq!(told.deleted_sorts(), deleted, "{action}");
        assert_eq!(told.report["calls"]["writes"] != 0, writes, "{action}");
        assert_eq!(told.report["converged"], false, "{action}");
        let plan = tell(&place, &["plan", "--simulate=world.yaml"]);
        assert_eq!(plan.report["calls"]["writes"], 0, "{action}");
    }
}

#[test]
fn what_could_not_be_looked_at_is_counted_as_unknown() {
    let place = place(&json!({"keys": key_without(&["DescribeImages"])}));
    for (arguments, sum) in [
        (
            &["plan", "--simulate=world.yaml"][..],
            "0 refused, 1 unknown. ",
        ),
        (&ALL, "0 failed, 0 refused, 1 unknown. "),
    ] {
        tell(&place, arguments).exits(1).says(sum);
    }
}

#[test]
fn an_empty_list_without_permission_is_no_proof_that_there_are_no_instances() {
    // Nothing but a policy is declared: nobody else would notice.
    let place = place(&json!({"keys": key_without(&["DescribeInstances"])}));
    std::fs::remove_file(place.path("state/images.yaml")).expect("the example is there");
    for arguments in [&ALL[..], &["plan", "--simulate=world.yaml"]] {
        let told = tell(&place, arguments)
            .exits(1)
            .says("lacks ecs:DescribeInstances");
        assert_eq!(told.report["complete"], false);
        assert_eq!(told.report["calls"]["writes"], 0);
    }
}

#[test]
fn no_permission_at_all_is_one_refusal_and_not_an_empty_account() {
    let place = place(&json!({"keys": key_without(&[
        "GetCallerIdentity", "DescribeImages", "DescribeInstances", "DescribeSnapshots",
    ])}));
    place.edit(
        "state/region.yaml",
        "  accountId: \"1000000000000001\"\n",
        "",
    );
    let told = tell(&place, &ALL).exits(1);
    assert_eq!(told.report["calls"]["writes"], 0);
    assert!(told.deleted().is_empty());
}
