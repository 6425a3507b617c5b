//! Too many requests: each call refused once and three times, and an account that allows only a few a minute.

use std::collections::BTreeSet;

use reconcile::sim::scenario::Throttling;
use serde_json::json;

use super::reference::{Reference, effective_writes};
use super::told::tell;
use super::{demo, place, with_each};
use crate::proofs::cases::all;
use crate::proofs::figure;

#[test]
fn every_call_that_is_throttled_once_or_three_times_is_made_later() {
    let mut count = 0;
    for case in all() {
        let reference = Reference::of(&case);
        let mut troubles = Vec::new();
        if case.name != "demo" {
            for (n, times) in (1..=reference.calls.len()).flat_map(|it| [(it, 1), (it, 3)]) {
                troubles.push(json!([{"nth": n, "times": times, "fault": "status", "status": 429, "seconds": 7}]));
            }
        }
        // The older form, which does not say how long to wait.
        let actions: BTreeSet<&String> = reference.calls.iter().map(|it| &it.action).collect();
        for action in actions {
            troubles.push(json!([{"action": action, "times": 3, "fault": "status", "status": 400, "code": "Throttling.User"}]));
        }
        count += troubles.len();
        with_each(&troubles, |trouble| {
            let survived = reference.survives(trouble);
            assert!(
                survived.report.is_converged(),
                "{}: one process is enough: {trouble}",
                case.name
            );
            // Where listings lag, a later look sees more, and less is repeated.
            let writes = effective_writes(&reference.calls);
            let is_same = survived.writes == writes || case.scenario.times.listing_lag > 0;
            assert!(is_same, "{}: {trouble}: {}", case.name, survived.writes);
        });
    }
    figure(
        "throttled calls enumerated and passed (C4)",
        &count.to_string(),
    );
}

#[test]
fn an_account_that_allows_three_calls_a_minute_comes_to_the_same_end() {
    let reference = Reference::of(&demo());
    for status in [400, 429] {
        let mut case = demo();
        case.scenario.settings.throttling = Some(Throttling {
            per_minute: 3,
            status,
        });
        let slow = Reference::of(&case);
        assert_eq!(slow.state, reference.state, "{status}");
    }
}

#[test]
fn an_account_that_is_always_throttled_is_given_up_without_a_change() {
    for (status, seconds) in [(429, 7), (429, 3600), (400, 0)] {
        let trouble = json!([{"fault": "status", "status": status, "code": "Throttling", "seconds": seconds, "times": 1_000_000}]);
        let place = place(&json!({"troubles": trouble}));
        let told = tell(&place, &["--once", "--simulate=world.yaml", "--wait", "1h"]).exits(1);
        let told = told
            .says("Throttling")
            .says("No changes, but not everything is as declared.");
        assert_eq!(told.report["complete"], false);
        assert_eq!(told.report["calls"]["writes"], 0);
    }
}
