//! A source is missing: the workflow that makes it is started, once, and followed by GitHub's own list of runs.

use std::time::Duration;

use reconcile::clock::Timestamp;
use reconcile::report::State;
use reconcile::sim::registry::history::{By, Deed};
use serde_json::{Value, json};

use super::{HERE, condition, lab, shown, sources, tags, world};
use crate::incidents::meddle;
use crate::proofs::lab::Lab;

const SPEC: &str =
    "tags: [v1], onMissing: {dispatch: {workflow: build.yml, ref: main, inputs: {tag: '{{tag}}'}}}";
const FOREVER: u64 = 1_000_000;

/// A workflow that pushes both sources of a tag when it succeeds; `changes` say what is otherwise.
fn workflow(changes: Value) -> Value {
    let (host, name) = HERE;
    let mut workflow = json!({
        "repository": name, "file": "build.yml", "inputs": ["tag"], "queuedSeconds": 5, "seconds": 10,
        "pushes": {host: {name: {"manifests": sources("{{tag}}", "r1")}}},
    });
    super::merge(&mut workflow, changes);
    workflow
}

/// A repository without anything in it but one image, and that workflow.
fn lab_of(changes: Value) -> Lab {
    let there = json!([{"tags": ["other"]}]);
    let workflows = json!([workflow(changes)]);
    lab(
        SPEC,
        world(&there, json!({"objects": {"workflows": workflows}})),
    )
}

/// When we started runs.
fn starts(lab: &Lab) -> Vec<Timestamp> {
    lab.with_world(|it| {
        let started = it
            .registry_history()
            .iter()
            .filter(|it| it.by == By::Client && matches!(&it.what, Deed::RunStarted { .. }));
        started.map(|it| it.at).collect()
    })
}

/// How many seconds were between one start and the next.
fn gaps(starts: &[Timestamp]) -> Vec<u64> {
    let pairs = starts.windows(2);
    pairs.map(|it| it[1].since(it[0]).as_secs()).collect()
}

#[test]
fn a_missing_source_starts_the_workflow_once_and_is_merged_when_it_comes() {
    lab_of(json!({})).block_on(async |lab| {
        let first = lab.once(1).await;
        assert_eq!(starts(lab).len(), 1, "{}", shown(&first));
        assert!(!first.is_converged() && !tags(lab).contains_key("v1"));
        let second = lab.once(2).await;
        let said = condition(&second, "WorkflowRuns").expect("it is told that it runs");
        assert!(
            said.contains("https://github.com/example/app/actions/runs/"),
            "{said}"
        );
        let end = lab.converge(3).await;
        assert!(end.is_converged(), "{}", shown(&end));
        assert!(tags(lab).contains_key("v1"));
        assert_eq!(starts(lab).len(), 1);
        let writes = lab.writes();
        assert!(lab.converge(4).await.is_converged());
        assert_eq!(lab.writes(), writes, "nothing is missing any more");
    });
}

#[test]
fn one_process_that_knows_nothing_starts_no_second_run_of_what_another_one_started() {
    lab_of(json!({"queuedSeconds": 300, "seconds": 600})).block_on(async |lab| {
        let _ = lab.once(1).await;
        // It is queued, and later it runs.
        for seed in [2, 3] {
            let planned = lab.plan(seed).await;
            assert!(planned.actions.is_empty(), "{}", shown(&planned));
            lab.wait(Duration::from_secs(310)).await;
        }
        let end = lab.converge_elsewhere(4).await;
        assert!(end.is_converged(), "{}", shown(&end));
        assert_eq!(starts(lab).len(), 1);
    });
}

#[test]
fn a_run_that_a_person_started_is_waited_for_like_our_own() {
    let started = json!([{"created": "2026-11-21T01:59:00Z", "inputs": {"tag": "v1"}}]);
    lab_of(json!({"seconds": 900, "runs": started})).block_on(async |lab| {
        let end = lab.converge(1).await;
        assert!(end.is_converged(), "{}", shown(&end));
        assert!(tags(lab).contains_key("v1"));
        assert!(starts(lab).is_empty());
    });
}

#[test]
fn a_run_of_another_branch_makes_nothing_of_this_one() {
    let started =
        json!([{"created": "2026-11-21T01:59:00Z", "ref": "feature", "inputs": {"tag": "v2"}}]);
    lab_of(json!({"seconds": 3000, "runs": started})).block_on(async |lab| {
        let report = lab.once(1).await;
        assert_eq!(starts(lab).len(), 1, "{}", shown(&report));
    });
}

#[test]
fn a_run_that_somebody_starts_between_the_look_and_ours_is_the_only_one() {
    let mut lab = lab_of(json!({}));
    let started = json!([{"created": "2026-11-21T02:10:00Z", "inputs": {"tag": "v1"}}]);
    let theirs = json!({"workflows": [workflow(json!({"runs": started}))]});
    // The first listing is the look, the second one is right before the start.
    meddle(&mut lab, ("GET runs", None, 2), theirs);
    lab.block_on(async |lab| {
        let _ = lab.once(1).await;
        assert!(starts(lab).is_empty());
        let end = lab.converge(2).await;
        assert!(end.is_converged(), "{}", shown(&end));
        assert!(starts(lab).is_empty() && tags(lab).contains_key("v1"));
    });
}

#[test]
fn a_run_that_fails_is_told_and_the_next_one_comes_later_each_time() {
    let conclusions = ["failure", "cancelled", "timed_out", "success"];
    lab_of(json!({"conclusions": conclusions})).block_on(async |lab| {
        let _ = lab.once(1).await;
        lab.wait(Duration::from_secs(20)).await;
        // Whoever has lost all that it knew waits as long.
        let waiting = lab.plan(2).await;
        assert!(waiting.actions.is_empty(), "{}", shown(&waiting));
        let said = condition(&waiting, "WorkflowWaits").expect("it is told that one failed");
        let url = "https://github.com/example/app/actions/runs/";
        assert!(
            said.contains("was of no use") && said.contains(url),
            "{said}"
        );
        let end = lab.converge_elsewhere(3).await;
        assert!(end.is_converged(), "{}", shown(&end));
        assert!(tags(lab).contains_key("v1"));
        let gaps = gaps(&starts(lab));
        let expected = [60, 120, 240];
        assert_eq!(gaps.len(), expected.len());
        for (gap, least) in gaps.iter().zip(expected) {
            assert!((least..least + 35).contains(gap), "{gaps:?}");
        }
    });
}

#[test]
fn after_six_runs_that_failed_a_person_is_asked_and_no_process_starts_another_one() {
    lab_of(json!({"conclusions": ["failure"]})).block_on(async |lab| {
        let end = lab.converge(1).await;
        assert_eq!(starts(lab).len(), 6, "{}", shown(&end));
        let elsewhere = lab.converge_elsewhere(2).await;
        assert_eq!(starts(lab).len(), 6);
        for report in [end, elsewhere] {
            let said = condition(&report, "WorkflowFails").expect("it is told");
            assert!(said.contains("the last 6 runs of"), "{said}");
            assert!(said.contains("run it by hand"), "{said}");
            let app = report.resources.iter().find(|(id, _)| id.name == "app");
            assert_eq!(app.expect("it is declared").1.state, State::Stalled);
        }
        // The sources come by another way: nothing is held against them.
        lab.put(&super::objects(&sources("v1", "r2")));
        let end = lab.converge(3).await;
        assert!(end.is_converged(), "{}", shown(&end));
        assert_eq!(starts(lab).len(), 6);
    });
}

#[test]
fn a_run_that_succeeds_and_pushes_nothing_is_of_no_use_and_not_repeated_at_once() {
    lab_of(json!({"pushes": {HERE.0: {HERE.1: {"manifests": []}}}})).block_on(async |lab| {
        let _ = lab.go_on(1, Duration::from_secs(600)).await;
        let gaps = gaps(&starts(lab));
        assert!(gaps.len() >= 2, "{gaps:?}");
        let mut least = 60;
        for gap in &gaps {
            assert!(*gap >= least, "{gaps:?}");
            least *= 2;
        }
    });
}

#[test]
fn runs_that_cannot_be_listed_are_unknown_and_nothing_is_started() {
    for fault in [
        json!({"fault": "status", "status": 500}),
        json!({"fault": "status", "status": 502}),
        json!({"fault": "status", "status": 404}),
        json!({"fault": "status", "status": 403}),
        json!({"fault": "garbage"}),
        json!({"fault": "garbage", "status": 200}),
        json!({"fault": "dropBefore"}),
    ] {
        let mut trouble = fault.clone();
        trouble["action"] = json!("GET runs");
        trouble["times"] = json!(FOREVER);
        lab_of(json!({})).block_on(async |lab| {
            lab.trouble(&json!([trouble]));
            let report = lab.once(1).await;
            assert!(starts(lab).is_empty(), "{fault}");
            let mut unknown = report.unknown.iter();
            assert!(
                unknown.any(|(_, it)| it.object.contains("build.yml")),
                "{fault}: {}",
                shown(&report)
            );
            lab.trouble(&json!([]));
            assert!(lab.converge(2).await.is_converged(), "{fault}");
            assert_eq!(starts(lab).len(), 1, "{fault}");
        });
    }
}

#[test]
fn a_start_whose_answer_is_lost_is_not_repeated() {
    for fault in ["dropAfter", "garbage"] {
        lab_of(json!({})).block_on(async |lab| {
            lab.trouble(&json!([{"action": "POST dispatch", "fault": fault, "times": FOREVER}]));
            let _ = lab.once(1).await;
            assert_eq!(starts(lab).len(), 1, "{fault}");
            let end = lab.converge_elsewhere(2).await;
            assert!(end.is_converged(), "{fault}: {}", shown(&end));
            assert_eq!(starts(lab).len(), 1, "{fault}");
        });
    }
}

#[test]
fn a_workflow_that_is_not_there_is_told_with_its_name() {
    lab_of(json!({"file": "other.yml"})).block_on(async |lab| {
        let report = lab.once(1).await;
        let said = shown(&report);
        assert!(said.contains("build.yml"), "{said}");
        assert!(said.contains("no such repository or workflow"), "{said}");
        assert!(!report.is_converged());
    });
}
