//! Registering a runner is not repeatable: lost answers, names that are taken, servers that refuse.

use std::time::Duration;

use reconcile::report::State;
use serde_json::{Value, json};

use super::{job, jobs, lab, launched, machines, nothing_is_left, runners};
use crate::incidents::states;
use crate::proofs::lab::Lab;

fn struck(troubles: &Value) -> Lab {
    lab(
        "",
        json!({"troubles": troubles, "objects": {"jobs": [job("one", 60)]}}),
    )
}

fn jit(fault: &str, times: u64) -> Value {
    json!({"service": "github", "action": "POST jitconfig", "fault": fault, "times": times, "status": 503})
}

/// Converges, and says how many machines it took.
fn takes(lab: &Lab) -> usize {
    lab.block_on(async |lab| {
        let _ = lab.go_on(1, Duration::from_secs(1800)).await;
        let report = lab.converge(2).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(jobs(lab), ["one success"]);
        nothing_is_left(lab);
        launched(lab)
    })
}

#[test]
fn a_lost_answer_to_a_registration_leaves_no_record_and_doubles_nothing() {
    assert_eq!(takes(&struck(&json!([jit("dropAfter", 1)]))), 1);
    assert_eq!(takes(&struck(&json!([jit("dropAfter", 5)]))), 1);
    assert_eq!(takes(&struck(&json!([jit("garbage", 2)]))), 1);
}

#[test]
fn a_storm_of_refused_registrations_passes() {
    assert_eq!(takes(&struck(&json!([jit("status", 30)]))), 1);
    assert_eq!(takes(&struck(&json!([jit("dropBefore", 3)]))), 1);
}

#[test]
fn a_lost_answer_to_a_launch_makes_no_second_machine() {
    let lost = |fault: &str| json!([{"action": "RunInstances", "fault": fault, "times": 2}]);
    assert_eq!(takes(&struck(&lost("dropAfter"))), 1);
    assert_eq!(takes(&struck(&lost("dropBefore"))), 1);
    assert_eq!(takes(&struck(&lost("garbage"))), 1);
}

#[test]
fn a_name_that_somebody_has_is_left_to_him() {
    let theirs = json!({"of": "example/app", "name": "ci-41000000000-0", "ephemeral": false});
    let world = json!({"objects": {"jobs": [job("one", 60)], "runners": [theirs]}});
    lab("", world).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(jobs(lab), ["one success"]);
        assert_eq!(runners(lab), ["ci-41000000000-0"]);
    });
}

#[test]
fn where_no_machine_is_to_be_had_nobody_is_registered() {
    let none = json!([{"action": "RunInstances", "fault": "status", "status": 403, "code": "OperationDenied.NoStock", "times": 1_000}]);
    struck(&none).block_on(async |lab| {
        let _ = lab.go_on(1, Duration::from_secs(600)).await;
        assert_eq!((runners(lab), machines(lab)), (vec![], vec![]));
        lab.trouble(&json!([]));
        assert!(lab.converge(2).await.is_converged());
        assert_eq!(jobs(lab), ["one success"]);
    });
}

#[test]
fn a_token_that_may_not_manage_runners_is_told_what_it_lacks() {
    let tokens = json!([{"token": "ghs-of-a-workflow", "login": "bot", "scopes": ["actions"]}]);
    let world = json!({"github": {"tokens": tokens}, "objects": {"jobs": [job("one", 60)]}});
    lab("", world).block_on(async |lab| {
        let report = lab.once(1).await;
        let said = report.to_json().to_string();
        assert!(said.contains("administration=write"), "{said}");
        assert!(said.contains("RECONCILE_GITHUB_APP_ID"), "{said}");
        assert_ne!(report.exit_code(), 0);
        assert_eq!(launched(lab), 0);
    });
}

#[test]
fn a_repository_that_was_renamed_is_followed() {
    let world = json!({
        "github": {"renamed": {"example/app": "example/renamed"}},
        "objects": {"jobs": [{"repository": "example/renamed", "name": "one", "labels": ["spot"], "seconds": 60}]},
    });
    lab("", world).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(jobs(lab), ["one success"]);
        nothing_is_left(lab);
    });
}

#[test]
fn a_set_whose_organization_is_none_says_so() {
    let resources = super::set("ci", "spot", "").replace(
        "https://github.com/example/app\"",
        "https://github.com/nobody\", repositories: [app]",
    );
    super::of(&resources, json!({})).block_on(async |lab| {
        let report = lab.once(1).await;
        assert!(
            report
                .to_json()
                .to_string()
                .contains("no such repository or organization")
        );
        assert!(states(&report, "RunnerSet") != [&State::Ready]);
    });
}

#[test]
fn a_server_of_ones_own_that_is_too_old_is_told_apart_and_nothing_is_launched() {
    // It knows no configuration for one job, as older servers do, or not this version of the API.
    for status in [404, 410] {
        let old = json!([{"service": "github", "action": "POST jitconfig", "fault": "status", "status": status, "times": 1_000}]);
        struck(&old).block_on(async |lab| {
            let report = lab.once(1).await;
            assert_ne!(report.exit_code(), 0, "{status}");
            let said = report.to_json().to_string();
            let words = if status == 410 {
                "a newer reconcile is needed"
            } else {
                "Not Found"
            };
            assert!(said.contains(words), "{status}: {said}");
            assert_eq!((launched(lab), runners(lab)), (0, vec![]), "{status}");
        });
    }
}
