//! What went wrong with machines that nobody needed any more: A1c, A1d, A7, W20 to W22.

use std::time::Duration;

use reconcile::report::State;
use serde_json::json;

use super::{instances, lab, machines, policy, states};
use crate::proofs::lab::Lab;

const ALL: &str = "selector: {tags: {ci: \"yes\"}}";

fn with(resources: &str, lines: &str) -> Lab {
    lab(
        resources,
        json!({"objects": {"instances": instances(lines)}}),
    )
}

/// Converges, and compares what there is then.
fn check(spec: &str, lines: &str, expected: &[&str]) {
    with(&policy(spec), lines).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(machines(lab), expected);
    });
}

#[test]
fn a1c_a_machine_without_an_end_of_its_own_ends_at_max_age() {
    check(
        ALL,
        "i-1 Running  11-20T21:59:00 ci=yes
         i-2 Stopped  11-20T20:00:00 ci=yes
         i-3 Running  11-20T22:01:00 ci=yes
         i-4 Running  11-20T20:00:00 ci=no",
        &["i-3", "i-4"],
    );
}

#[test]
fn a1c_a_machine_of_another_resource_is_its_own_until_its_release_time_has_passed() {
    let lines = "
        i-1 Running 11-20T02:00:00 ci=yes owner=RunnerSet/gone
        i-2 Running 11-20T02:00:00 ci=yes owner=RunnerSet/gone release=11-21T04:00:00
        i-3 Running 11-20T02:00:00 ci=yes owner=InstancePolicy/idle";
    with(&policy(ALL), lines).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert_eq!(machines(lab), ["i-1", "i-2"]);
        let alone: Vec<&str> = report
            .unmanaged
            .iter()
            .map(|it| it.object.as_str())
            .collect();
        assert_eq!(alone, ["i-1", "i-2"], "what is left alone is said");
    });
}

#[test]
fn a1d_a_stopped_machine_is_billed_and_so_it_goes() {
    check(
        ALL,
        "i-1 Stopped 11-21T01:00:00 ci=yes
         i-2 Running 11-21T01:00:00 ci=yes",
        &["i-2"],
    );
}

#[test]
fn a7_which_tags_select_a_machine_is_data_so_that_a_wrong_key_can_be_swept_too() {
    let lines = "
        i-1 Running 11-20T02:00:00 GIHUB_RUNNER_TYPE=aliyun-ecs-spot
        i-2 Running 11-20T02:00:00 GITHUB_RUNNER_TYPE=aliyun-ecs-spot
        i-3 Running 11-20T02:00:00 GITHUB_RUNNER_TYPE=other";
    let key = |key: &str| format!("selector: {{tags: {{{key}: aliyun-ecs-spot}}}}");
    check(&key("GITHUB_RUNNER_TYPE"), lines, &["i-1", "i-3"]);
    check(&key("GIHUB_RUNNER_TYPE"), lines, &["i-2", "i-3"]);
}

#[test]
fn w9_machines_on_every_page_are_swept() {
    let old = |number: u32| format!("i-{number} Running 11-20T02:00:00 ci=yes");
    let lines: Vec<String> = (100..130).map(old).collect();
    let world = json!({
        "settings": {"pageSizeMax": 10, "listingOrder": "shuffled"},
        "objects": {"instances": instances(&lines.join("\n"))},
    });
    lab(&policy(ALL), world).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        assert_eq!(machines(lab), [""; 0]);
    });
}

#[test]
fn w20_a_removal_is_over_when_the_machine_is_gone_and_a_failed_one_is_no_success() {
    let lines = "i-1 Running 11-20T02:00:00 ci=yes";
    with(&policy(ALL), lines).block_on(async |lab| {
        let denied = json!([{"action": "DeleteInstance", "times": 1_000_000, "fault": "status", "status": 403, "code": "Forbidden.RAM"}]);
        lab.trouble(&denied);
        let report = lab.converge(1).await;
        assert_eq!(states(&report, "InstancePolicy"), [&State::Stalled]);
        assert_ne!(report.exit_code(), 0);
        assert_eq!(machines(lab), ["i-1"]);
        lab.trouble(&json!([]));
        let report = lab.converge(2).await;
        assert_eq!((machines(lab), report.exit_code()), (vec![], 0));
    });
}

#[test]
fn w21_what_a_dead_builder_left_behind_is_found_by_its_tag() {
    check(
        "selector: {tags: {GITHUB_RUNNER_TYPE: aliyun-ecs-spot}}, maxAge: 2h",
        "i-1 Running 11-20T23:30:00 GITHUB_RUNNER_TYPE=aliyun-ecs-spot
         i-2 Running 11-21T01:30:00 GITHUB_RUNNER_TYPE=aliyun-ecs-spot
         i-3 Running 11-20T23:30:00 GITHUB_RUNNER_TYPE=aliyun-ecs-spot on-demand
         i-4 Running 11-20T23:30:00 GITHUB_RUNNER_TYPE=aliyun-ecs-spot protected",
        &["i-2", "i-3", "i-4"],
    );
}

#[test]
fn w22_an_idle_machine_costs_no_longer_than_max_age() {
    with(&policy(ALL), "i-1 Running 11-21T00:00:00 ci=yes").block_on(async |lab| {
        let _ = lab.converge(1).await;
        assert_eq!(machines(lab), ["i-1"], "it may be at work");
        lab.wait(Duration::from_secs(2 * 3600 + 60)).await;
        let _ = lab.converge(2).await;
        assert_eq!(machines(lab), [""; 0]);
    });
}

#[test]
fn w22_no_machine_goes_while_nobody_can_tell_who_is_at_work() {
    let spec = format!("{ALL}, runnersOf: [\"https://github.com/acme/app\"]");
    let lines = "
        i-1 Running 11-19T00:00:00 ci=yes
        i-2 Stopped 11-19T00:00:00 ci=yes";
    with(&policy(&spec), lines).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert_eq!(machines(lab), ["i-1", "i-2"]);
        assert_ne!(report.exit_code(), 0, "an unknown fact is no success");
        assert!(report.to_json().to_string().contains("EvidenceUnavailable"));
    });
}
