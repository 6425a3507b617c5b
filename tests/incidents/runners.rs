//! What went wrong with runners and their machines: A1 to A6, C1, C2, C6, W26 to W29, and what users of other tools met.

use std::time::Duration;

use reconcile::report::State;
use reconcile::sim::history::What;
use serde_json::{Value, json};

use super::{instances, machines, states};
use crate::proofs::lab::Lab;
use crate::runners::{self, job, jobs, launched, nothing_is_left, of, set};

const PAGE: &str = "https://github.com/example/app";

/// A policy over machines with the tag `ci`, which asks who has work.
fn policy(spec: &str) -> String {
    format!(
        "---
apiVersion: reconcile/v1alpha1
kind: InstancePolicy
metadata: {{name: all}}
policy: {{guards: {{maxDeletes: 1000, maxDeletePercent: 100}}}}
spec: {{regionRef: home, selector: {{tags: {{ci: \"yes\"}}}}, runnersOf: [\"{PAGE}\"]{spec}}}
"
    )
}

/// Machines, a line each, and runners: a name, and what GitHub says of it.
fn world(lines: &str, runners: &[(&str, &str)]) -> Value {
    let runner = |(name, words): &(&str, &str)| {
        json!({
            "of": "example/app", "name": name, "online": words.contains("online"), "busy": words.contains("busy"),
            "ephemeral": !words.contains("persistent"),
        })
    };
    let runners: Vec<Value> = runners.iter().map(runner).collect();
    json!({"objects": {"instances": instances(lines), "runners": runners}})
}

fn swept(spec: &str, world: Value) -> Lab {
    of(&policy(spec), world)
}

fn names(lab: &Lab) -> Vec<String> {
    let now = lab.now();
    let all = lab.with_world(|it| it.runners(now));
    all.into_iter().map(|it| it.name).collect()
}

#[test]
fn tf_aws_167_w28_a_busy_runner_on_page_two_is_no_orphan() {
    let many: Vec<String> = (0..35).map(|it| format!("i-{it:02}")).collect();
    let lines: Vec<String> = many
        .iter()
        .map(|it| format!("{it} Running 11-20T02:00:00 ci=yes"))
        .collect();
    let busy: Vec<(&str, &str)> = many.iter().map(|it| (it.as_str(), "online busy")).collect();
    let mut world = world(&lines.join("\n"), &busy);
    world["settings"] = json!({"pageSizeMax": 10});
    swept("", world).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        assert_eq!(machines(lab).len(), 35);
        assert_eq!(lab.writes(), 0);
    });
}

#[test]
fn tf_aws_4724_that_a_runner_is_gone_is_an_answer_and_no_failure() {
    let lines = "i-1 Running 11-20T02:00:00 ci=yes retiring=x reconcile:retiring=true";
    swept("", world(lines, &[])).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(machines(lab), [""; 0]);
    });
}

#[test]
fn tf_aws_4391_a_runner_that_one_list_does_not_show_keeps_its_machine() {
    let lines = "i-1 Running 11-20T02:00:00 ci=yes";
    let mut world = world(lines, &[("i-1", "online busy")]);
    world["troubles"] = json!([{"service": "github", "action": "GET runners", "fault": "stale", "seconds": 100_000_000, "times": 3}]);
    swept("", world).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(machines(lab), ["i-1"]);
        assert_eq!(lab.deleted(), [""; 0]);
    });
}

#[test]
fn pytorch_87500_a_budget_that_is_spent_removes_nobody() {
    let lines = "i-1 Running 11-20T02:00:00 ci=yes\ni-2 Running 11-21T01:00:00 ci=yes\ni-3 Stopped 11-20T02:00:00 ci=yes";
    let mut world = world(lines, &[("i-1", "online busy"), ("i-2", "online")]);
    world["github"] = json!({"perHour": 0});
    swept("", world).block_on(async |lab| {
        for seed in 1..4 {
            let report = lab.once(seed).await;
            assert_ne!(report.exit_code(), 0);
            assert!(report.to_json().to_string().contains("EvidenceUnavailable"));
            lab.wait(Duration::from_secs(1200)).await;
        }
        assert_eq!((machines(lab).len(), lab.writes()), (3, 0));
    });
}

#[test]
fn tf_aws_4376_w29_eight_hundred_offline_records_are_swept_and_a_machine_under_a_desk_is_not() {
    let left: Vec<String> = (0..800).map(|it| format!("left-{it:03}")).collect();
    let mut records: Vec<(&str, &str)> = left.iter().map(|it| (it.as_str(), "")).collect();
    records.push(("i-1", "online busy"));
    records.push(("under-a-desk", "persistent"));
    let lines = "i-1 Running 11-21T01:00:00 ci=yes";
    swept("", world(lines, &records)).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        let mut names = names(lab);
        names.sort();
        assert_eq!(names, ["i-1", "under-a-desk"]);
    });
}

#[test]
fn tf_aws_5105_a_list_that_fails_consumes_no_demand() {
    let all: Vec<Value> = (0..10).map(|it| job(&format!("{it}"), 120)).collect();
    let troubles = json!([{"service": "github", "fault": "status", "status": 503, "every": 11}]);
    runners::lab("", json!({"troubles": troubles, "objects": {"jobs": all}})).block_on(
        async |lab| {
            let _ = lab.go_on(1, Duration::from_secs(3 * 3600)).await;
            lab.trouble(&json!([]));
            let report = lab.converge(2).await;
            assert!(report.is_converged(), "{}", report.to_json());
            assert!(
                jobs(lab).iter().all(|it| it.ends_with("success")),
                "{:?}",
                jobs(lab)
            );
            assert_eq!(launched(lab), 10);
            nothing_is_left(lab);
        },
    );
}

#[test]
fn tf_aws_3199_one_list_tells_of_all_runners() {
    let many: Vec<String> = (0..80).map(|it| format!("i-{it:02}")).collect();
    let lines: Vec<String> = many
        .iter()
        .map(|it| format!("{it} Running 11-21T01:00:00 ci=yes"))
        .collect();
    let busy: Vec<(&str, &str)> = many.iter().map(|it| (it.as_str(), "online busy")).collect();
    swept("", world(&lines.join("\n"), &busy)).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        let github = lab.with_world(|it| {
            it.calls()
                .iter()
                .filter(|it| it.service == "github")
                .count()
        });
        assert_eq!(github, 1);
    });
}

#[test]
fn machulav_69_fvdb_core_768_a_run_that_is_cancelled_at_any_moment_leaks_no_machine() {
    for second in (0..600).step_by(15) {
        let mut one = job("one", 300);
        let start = reconcile::clock::Timestamp::parse("2026-11-21T02:00:00Z").expect("a time");
        one["cancelled"] = json!(start.plus(Duration::from_secs(second)).to_string());
        runners::lab("", json!({"objects": {"jobs": [one]}})).block_on(async |lab| {
            let report = lab.converge(1).await;
            assert!(report.is_converged(), "{second}: {}", report.to_json());
            nothing_is_left(lab);
            assert!(launched(lab) <= 1);
        });
    }
}

#[test]
fn runs_on_44_a_runner_whose_own_job_was_cancelled_serves_another_one() {
    let mut first = job("first", 300);
    first["cancelled"] = json!("2026-11-21T02:00:30Z");
    let mut second = job("second", 300);
    second["queued"] = json!("2026-11-21T02:00:20Z");
    runners::lab(
        ", maxRunners: 1",
        json!({"objects": {"jobs": [first, second]}}),
    )
    .block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(jobs(lab), ["first cancelled", "second success"]);
        assert_eq!(launched(lab), 1, "it takes whatever fits");
        nothing_is_left(lab);
    });
}

#[test]
fn arc_4307_every_state_of_a_machine_has_an_end() {
    let ways = [
        json!({"action": "RunInstances", "nth": 2, "fault": "agentNever"}),
        json!({"action": "RunInstances", "nth": 2, "fault": "agentLate", "seconds": 3600}),
        json!({"action": "RunInstances", "nth": 2, "fault": "vanish", "seconds": 40}),
        json!({"action": "RunInstances", "nth": 2, "fault": "vanish", "seconds": 120}),
        json!({"action": "RunInstances", "nth": 2, "fault": "reclaim", "seconds": 200}),
        json!({"action": "DeleteInstance", "fault": "status", "status": 500, "times": 20}),
        json!({"action": "DELETE runner", "fault": "status", "status": 500, "times": 20}),
    ];
    for way in ways {
        let world = json!({"troubles": [way], "objects": {"jobs": [job("one", 120)]}});
        runners::lab("", world).block_on(async |lab| {
            let _ = lab.go_on(1, Duration::from_secs(3 * 3600)).await;
            lab.trouble(&json!([]));
            let report = lab.converge(2).await;
            assert!(report.is_converged(), "{way}: {}", report.to_json());
            nothing_is_left(lab);
        });
    }
}

#[test]
fn karpenter_aws_549_garm_79_a_machine_without_a_record_of_ours_is_found_by_its_tags() {
    runners::lab("", json!({"objects": {"jobs": [job("one", 600)]}})).block_on(async |lab| {
        let _ = lab.go_on(1, Duration::from_secs(200)).await;
        let report = lab.converge_elsewhere(2).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(
            (jobs(lab), launched(lab)),
            (vec!["one success".to_owned()], 1)
        );
        nothing_is_left(lab);
    });
}

#[test]
fn tce_2502_a3_a_machine_has_its_tags_and_its_end_from_its_first_moment() {
    runners::lab("", json!({"objects": {"jobs": [job("one", 60)]}})).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        let history = lab.with_world(|it| it.history().to_vec());
        let mut made = history.iter().filter_map(|it| {
            let What::InstanceCreated(made) = &it.what else {
                return None;
            };
            Some(made)
        });
        let made = made.next();
        let made = made.expect("one was launched");
        for tag in [
            "reconcile:managed-by",
            "reconcile:owner",
            "reconcile:runner-id",
            "GITHUB_RUNNER_TYPE",
        ] {
            assert!(made.tags.contains_key(tag), "{tag}");
        }
        assert!(made.auto_release_time.is_some() && made.runner.is_some());
    });
}

#[test]
fn a1a_a2_a4_a5_a6_a_guest_that_does_nothing_at_all_leaks_nothing() {
    let never = json!([{"action": "RunInstances", "fault": "agentNever", "times": 1_000_000}]);
    let world = json!({"troubles": never, "objects": {"jobs": [job("one", 60)]}});
    runners::lab("", world).block_on(async |lab| {
        let report = lab.go_on(1, Duration::from_secs(4 * 3600)).await;
        assert_eq!(states(&report, "RunnerSet"), [&State::Stalled]);
        lab.wait(Duration::from_secs(600)).await;
        nothing_is_left(lab);
    });
}

#[test]
fn a1e_a_cancelled_job_is_cleaned_up_after_like_a_failed_one() {
    for (conclusion, cancelled) in [
        ("failure", None),
        ("success", None),
        ("success", Some("2026-11-21T02:04:00Z")),
    ] {
        let mut one = job("one", 300);
        one["conclusion"] = json!(conclusion);
        one["cancelled"] = json!(cancelled);
        runners::lab("", json!({"objects": {"jobs": [one]}})).block_on(async |lab| {
            assert!(lab.converge(1).await.is_converged());
            nothing_is_left(lab);
        });
    }
}

#[test]
fn c1_names_of_runners_never_meet() {
    let all: Vec<Value> = (0..20).map(|it| job(&format!("{it}"), 300)).collect();
    let resources = format!(
        "{}{}",
        set("ci", "self-hosted, spot", ", maxRunners: 20"),
        set("cj", "gpu", "")
    );
    of(&resources, json!({"objects": {"jobs": all}})).block_on(async |lab| {
        let _ = lab.once(1).await;
        let now = lab.now();
        let mut names: Vec<String> = lab
            .with_world(|it| it.runners(now))
            .into_iter()
            .map(|it| it.name)
            .collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 20);
    });
}

#[test]
fn c2_a_machine_that_comes_up_slowly_is_not_taken_for_dead() {
    let times = json!({"agentOnline": 30, "runnerOnline": 330});
    let world = json!({"times": times, "objects": {"jobs": [job("one", 60)]}});
    runners::lab("", world).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(
            (jobs(lab), launched(lab)),
            (vec!["one success".to_owned()], 1)
        );
    });
}

#[test]
fn c6_the_token_of_a_workflow_is_told_apart_before_anything_is_launched() {
    let tokens = json!([{"token": "ghs-of-a-workflow", "login": "bot", "scopes": ["actions"]}]);
    let world = json!({"github": {"tokens": tokens}, "objects": {"jobs": [job("one", 60)]}});
    runners::lab("", world).block_on(async |lab| {
        let report = lab.once(1).await;
        assert!(
            report
                .to_json()
                .to_string()
                .contains("the token of a workflow cannot have it")
        );
        assert_eq!(lab.writes(), 0);
    });
}

#[test]
fn w26_a_job_of_five_hours_is_not_cut_off_at_four() {
    runners::lab("", json!({"objects": {"jobs": [job("one", 5 * 3600)]}})).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        assert_eq!(jobs(lab), ["one success"]);
        nothing_is_left(lab);
    });
}

#[test]
fn pa3_w28_a_runner_is_found_among_more_than_a_page_of_others() {
    let others: Vec<Value> = (0..120)
        .map(|it| json!({"of": "example/app", "name": format!("other-{it}"), "ephemeral": false}))
        .collect();
    let world = json!({"objects": {"runners": others, "jobs": [job("one", 120)]}});
    runners::lab("", world).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        assert_eq!(
            (jobs(lab), launched(lab)),
            (vec!["one success".to_owned()], 1)
        );
    });
}

#[test]
fn a_busy_runner_on_a_machine_past_its_age_stays_until_its_job_is_over() {
    let lines = "i-1 Running 11-10T02:00:00 ci=yes";
    swept("", world(lines, &[("i-1", "online busy")])).block_on(async |lab| {
        for seed in 1..5 {
            assert!(lab.converge(seed).await.is_converged());
            lab.wait(Duration::from_secs(3600)).await;
        }
        assert_eq!(machines(lab), ["i-1"]);
        lab.put(&json!({"runners": [{"of": "example/app", "name": "i-1", "online": true}]}));
        assert!(lab.converge(9).await.is_converged());
        assert_eq!((machines(lab), names(lab)), (vec![], vec![]));
    });
}

#[test]
fn a_runner_that_has_the_name_of_somebody_elses_machine_changes_nothing_there() {
    let lines = "i-1 Running 11-10T02:00:00 other=yes\ni-2 Running 11-21T01:00:00 ci=yes";
    let records = [("i-1", ""), ("i-2", "online busy")];
    swept("", world(lines, &records)).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        assert_eq!(machines(lab), ["i-1", "i-2"]);
        assert_eq!(lab.writes(), 0);
    });
}
