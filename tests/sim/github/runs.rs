//! Runs of workflows: how they are started, what they push, and how they are listed.

use reconcile::sim::registry::history::{By, Deed};
use serde_json::{Value, json};

use super::{DISPATCH, RUNS, ask, get, message, world};
use crate::sim::registry::{GHCR, app, text};

/// A workflow whose first run fails, and whose second one pushes what it was asked for.
fn workflow() -> Value {
    let pushed = json!({"example/app": {"manifests": [{"tags": ["{{tag}}-arm64"], "platform": "linux/arm64", "revision": "abc"}]}});
    json!([{
        "repository": "example/app", "file": "build.yml", "inputs": ["tag"],
        "queuedSeconds": 10, "seconds": 50, "conclusions": ["failure", "success"],
        "pushes": {GHCR: pushed},
    }])
}

#[test]
fn a_dispatched_run_waits_works_and_pushes_what_it_was_asked_for() {
    let mut desk = world(&app(), &json!({"objects": {"workflows": workflow()}}));
    let sent = json!({"ref": "main", "inputs": {"tag": "v2"}, "return_run_details": true});
    let answer = ask(&mut desk, ("POST", DISPATCH), &[], &sent);
    assert_eq!(answer.status, 200, "{}", text(&answer));
    let details: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let run = format!(
        "repos/example/app/actions/runs/{}",
        details["workflow_run_id"]
    );
    assert_eq!(get(&mut desk, &run)["status"], "queued");
    desk.wait(10);
    assert_eq!(get(&mut desk, &run)["status"], "in_progress");
    desk.wait(50);
    let ended = get(&mut desk, &run);
    assert_eq!(
        (&ended["status"], &ended["conclusion"]),
        (&json!("completed"), &json!("failure"))
    );
    assert!(!desk.tags().contains_key("v2-arm64"));

    let without = json!({"ref": "main", "inputs": {"tag": "v2"}});
    assert_eq!(
        ask(&mut desk, ("POST", DISPATCH), &[], &without).status,
        204
    );
    let newer = [("x-github-api-version", "2026-03-10")];
    assert_eq!(
        ask(&mut desk, ("POST", DISPATCH), &newer, &without).status,
        200
    );
    desk.wait(60);
    assert!(desk.tags().contains_key("v2-arm64"));
    let deeds = desk.deeds();
    assert!(
        matches!(deeds[0], (By::Client, Deed::RunStarted { .. })),
        "{deeds:#?}"
    );
    let is_push = |it: &&(By, Deed)| matches!(it, (By::Workflow, Deed::TagMoved { tag, .. }) if tag == "v2-arm64");
    assert_eq!(deeds.iter().filter(is_push).count(), 1);
}

#[test]
fn runs_are_listed_by_branch_event_status_and_time() {
    let mut workflows = workflow();
    workflows[0]["runs"] = json!([
        {"created": "2026-11-21T01:00:00Z"},
        {"created": "2026-11-21T01:30:00Z", "event": "push", "ref": "other"},
    ]);
    let mut desk = world(&app(), &json!({"objects": {"workflows": workflows}}));
    ask(&mut desk, ("POST", DISPATCH), &[], &json!({"ref": "main"}));
    let mut count = |query: &str| {
        let listed = get(&mut desk, &format!("{RUNS}?{query}"));
        let runs = listed["workflow_runs"].as_array().map(Vec::len);
        assert_eq!(listed["total_count"], json!(runs));
        runs.expect("runs")
    };
    for (query, wanted) in [
        ("", 3),
        ("branch=main", 2),
        ("event=push", 1),
        ("status=queued", 1),
        ("status=completed", 2),
        ("status=failure", 1),
        ("created=%3E%3D2026-11-21T01:30:00Z", 2),
        ("branch=main&event=workflow_dispatch&status=success", 0),
    ] {
        assert_eq!(count(query), wanted, "{query}");
    }
    let newest = get(&mut desk, "repos/example/app/actions/runs");
    assert_eq!(newest["workflow_runs"][0]["status"], "queued");
}

#[test]
fn a_dispatch_that_cannot_be_is_refused() {
    let mut desk = world(&app(), &json!({"objects": {"workflows": workflow()}}));
    let mut said = |path: &str, sent: Value| {
        let answer = ask(&mut desk, ("POST", path), &[], &sent);
        (answer.status, message(&answer))
    };
    let no_ref = said(DISPATCH, json!({"ref": "absent"}));
    assert_eq!(no_ref, (422, "No ref found for: absent".to_owned()));
    let unknown = said(DISPATCH, json!({"ref": "main", "inputs": {"tga": "v1"}}));
    assert_eq!(
        unknown,
        (422, "Unexpected inputs provided: [\"tga\"]".to_owned())
    );
    assert_eq!(
        said(&DISPATCH.replace("build", "absent"), json!({"ref": "main"})).0,
        404
    );
    assert_eq!(desk.deeds(), []);
}
