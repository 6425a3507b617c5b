//! As many machines as jobs wait for, and none otherwise.

use std::time::Duration;

use serde_json::json;

use super::{job, jobs, lab, launched, machines, nothing_is_left, of, runners, set};

#[test]
fn a_job_that_waits_gets_a_machine_of_which_nothing_is_left_afterwards() {
    lab("", json!({"objects": {"jobs": [job("one", 600)]}})).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(jobs(lab), ["one success"]);
        assert_eq!(launched(lab), 1);
        nothing_is_left(lab);
        lab.check_end(&report);
    });
}

#[test]
fn nothing_is_launched_for_jobs_that_may_not_begin_or_ask_for_other_labels() {
    let others = json!([
        {"repository": "example/app", "labels": ["spot"], "held": "waiting"},
        {"repository": "example/app", "labels": ["spot"], "held": "pending"},
        {"repository": "example/app", "labels": ["spot", "gpu"]},
        {"repository": "example/other", "labels": ["spot"]},
    ]);
    lab("", json!({"objects": {"jobs": others}})).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!((launched(lab), lab.writes()), (0, 0));
    });
}

#[test]
fn labels_match_whatever_their_case() {
    let shouted =
        json!({"repository": "example/app", "name": "a", "labels": ["Self-Hosted", "LINUX"]});
    lab("", json!({"objects": {"jobs": [shouted]}})).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        assert_eq!(jobs(lab), ["a success"]);
    });
}

#[test]
fn each_job_is_counted_for_one_set_that_with_the_fewest_labels() {
    let resources = format!(
        "{}{}{}",
        set("wide", "self-hosted, spot, linux, gpu", ""),
        set("narrow", "self-hosted, spot", ""),
        set("twin", "self-hosted, spot", ""),
    );
    let world = json!({"objects": {"jobs": [job("a", 60), job("b", 60), {
        "repository": "example/app", "name": "c", "labels": ["gpu"], "seconds": 60,
    }]}});
    of(&resources, world).block_on(async |lab| {
        let _ = lab.once(1).await;
        let mut names: Vec<String> = machines(lab)
            .into_iter()
            .map(|it| it.instance_name)
            .collect();
        names.sort();
        let sets: Vec<&str> = names.iter().filter_map(|it| it.split('-').next()).collect();
        assert_eq!(sets, ["narrow", "narrow", "wide"]);
        assert!(lab.converge(2).await.is_converged());
        assert_eq!(launched(lab), 3);
        nothing_is_left(lab);
    });
}

#[test]
fn there_are_never_more_machines_than_allowed_and_every_job_is_done() {
    let all: Vec<_> = (0..12).map(|it| job(&format!("{it:02}"), 120)).collect();
    lab(", maxRunners: 3", json!({"objects": {"jobs": all}})).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert!(
            jobs(lab).iter().all(|it| it.ends_with("success")),
            "{:?}",
            jobs(lab)
        );
        assert_eq!(launched(lab), 12);
        nothing_is_left(lab);
    });
}

#[test]
fn a_runner_that_waits_for_a_job_when_there_is_none_is_replaced_when_it_got_one() {
    let later = json!({"repository": "example/app", "name": "later", "labels": ["spot"], "seconds": 300, "queued": "2026-11-21T05:00:00Z"});
    lab(", minRunners: 1", json!({"objects": {"jobs": [later]}})).block_on(async |lab| {
        let report = lab.once(1).await;
        assert_eq!(report.exit_code(), 0, "{}", report.to_json());
        let first = runners(lab);
        assert_eq!((first.len(), machines(lab).len()), (1, 1));
        for seed in 2..14 {
            lab.wait(Duration::from_secs(20 * 60)).await;
            let _ = lab.once(seed).await;
            assert!(!machines(lab).is_empty(), "its lease is moved on");
        }
        assert_eq!(jobs(lab), ["later success"]);
        assert_ne!(runners(lab), first);
        assert_eq!((machines(lab).len(), launched(lab)), (1, 2));
    });
}

#[test]
fn a_set_that_is_to_go_removes_its_machines_once_their_jobs_are_over() {
    let lab = lab(
        ", minRunners: 2",
        json!({"objects": {"jobs": [job("one", 1200)]}}),
    );
    lab.block_on(async |lab| {
        let _ = lab.go_on(1, Duration::from_secs(300)).await;
        assert_eq!(machines(lab).len(), 3, "two wait beside the one that works");
        let text = format!(
            "{}{}",
            super::HOME,
            set("ci", "self-hosted, linux, spot", ", minRunners: 2")
        );
        let text = text.replace(
            "metadata: {name: ci}",
            "metadata: {name: ci}\npolicy: {ensure: Absent}",
        );
        let folder = tempfile::tempdir().expect("there is room for a folder");
        std::fs::write(folder.path().join("state.yaml"), text).expect("there is room for a file");
        let gone =
            reconcile::engine::load(folder.path(), reconcile::kinds::KINDS).expect("right files");
        let report = lab.converge_to(&gone, 2).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(jobs(lab), ["one success"]);
        nothing_is_left(lab);
    });
}
