//! The first commands of the README.

use super::{Place, reconcile};

#[test]
fn the_demo_ends_with_everything_as_declared_and_prints_the_same_each_time() {
    let first = reconcile(&["--once", "--simulate", "--wait", "2h"]).exits(0);
    assert!(
        first.stdout.ends_with("Everything is as declared.\n"),
        "{}",
        first.stdout
    );
    assert!(
        first.stdout.starts_with("pass 1, 2026-11-21T02:00:0"),
        "{}",
        first.stdout
    );
    assert_eq!(first.stderr, "");
    let second = reconcile(&["--once", "--simulate", "--wait", "2h"]).exits(0);
    assert_eq!(first.stdout, second.stdout);
}

#[test]
fn the_demo_says_in_json_what_it_says_in_text() {
    let report = reconcile(&["--once", "--simulate", "--wait", "2h", "--output", "json"])
        .exits(0)
        .json();
    assert_eq!(report["formatVersion"], 1);
    assert_eq!(report["complete"], true);
    assert_eq!(report["converged"], true);
    let actions = report["actions"].as_array().expect("actions are a list");
    assert!(
        actions.iter().all(|it| it["result"] == "done"),
        "{actions:#?}"
    );
    let done = |verb: &str| actions.iter().filter(|it| it["verb"] == verb).count();
    // A mirror is one action, and many writes.
    assert!(report["calls"]["writes"].as_u64() >= Some(actions.len() as u64));
    let calls = &report["calls"];
    assert_eq!(
        calls["total"].as_u64(),
        Some(calls["reads"].as_u64().unwrap_or(0) + calls["writes"].as_u64().unwrap_or(0))
    );
    let text = reconcile(&["--once", "--simulate", "--wait", "2h"]).stdout;
    let lines = |symbol: &str| text.lines().filter(|it| it.starts_with(symbol)).count();
    assert_eq!(
        (lines("+ "), lines("~ "), lines("- ")),
        (done("create"), done("update"), done("delete"))
    );
    let outputs = &report["resources"]
        .as_array()
        .expect("resources are a list")[6]["outputs"];
    assert!(
        outputs["amd64"]
            .as_str()
            .is_some_and(|it| it.starts_with("m-")),
        "{outputs}"
    );
    let ready = |it: &serde_json::Value| {
        it["conditions"][0]["type"] == "Ready" && it["conditions"][0]["status"] == "True"
    };
    assert!(
        report["resources"]
            .as_array()
            .is_some_and(|it| it.len() == 11 && it.iter().all(ready))
    );
}

#[test]
fn a_plan_changes_nothing_and_needs_no_status_directory() {
    let place = Place::with_examples();
    let plan = place
        .run(&["plan", "--simulate", "--output", "json"])
        .exits(0)
        .json();
    assert_eq!(plan["calls"]["writes"], 0);
    assert_eq!(plan["converged"], false);
    let actions = plan["actions"].as_array().expect("actions are a list");
    assert!(!actions.is_empty() && actions.iter().all(|it| it["result"] == "planned"));
    assert!(!place.path(".reconcile").exists());
    let text = place.run(&["plan", "--simulate"]).exits(0).stdout;
    let last = text.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("Plan: 6 to create, ") && last.ends_with(" calls so far."),
        "{text}"
    );
}

#[test]
fn one_pass_says_what_is_left_and_that_is_no_failure() {
    let text = reconcile(&["--once", "--simulate"]).exits(0).stdout;
    assert!(
        text.ends_with("Not everything is as declared yet.\n"),
        "{text}"
    );
    assert!(!text.contains("pass 1"), "{text}");
}

#[test]
fn a_wait_that_runs_out_fails() {
    let text = reconcile(&["--once", "--simulate", "--wait", "30s"])
        .exits(1)
        .stdout;
    assert!(
        text.ends_with("The time ran out before everything was as declared.\n"),
        "{text}"
    );
}

#[test]
fn the_demo_leaves_nothing_behind_and_a_status_directory_that_is_named_is_kept() {
    let place = Place::with_examples();
    place
        .run(&["--once", "--simulate", "--wait", "2h"])
        .exits(0);
    assert!(!place.path(".reconcile").exists());
    place.run(&["status"]).exits(1);
    place
        .run(&[
            "--once",
            "--simulate",
            "--wait",
            "2h",
            "--status-dir",
            "kept",
        ])
        .exits(0);
    let table = place
        .run(&["status", "--status-dir", "kept"])
        .exits(0)
        .stdout;
    assert!(table.contains("MachineImage/demo-runner"), "{table}");
    let open = std::fs::read_dir(place.path("kept/intents")).expect("the journal is there");
    assert_eq!(open.count(), 0, "every intent is closed at the end");
    let one = place.run(&[
        "status",
        "InstancePolicy/demo-ci",
        "--status-dir",
        "kept",
        "--output",
        "json",
    ]);
    assert_eq!(
        one.exits(0).json()["resources"].as_array().map(Vec::len),
        Some(1)
    );
    place
        .run(&["status", "InstancePolicy/none", "--status-dir", "kept"])
        .exits(1);
}
