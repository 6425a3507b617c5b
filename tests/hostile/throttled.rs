//! Too many requests: an account that allows only a few a minute, or none.

use reconcile::sim::scenario::Throttling;
use serde_json::json;

use super::place;
use super::told::tell;
use crate::proofs::cases::Case;
use crate::proofs::reference::Reference;

#[test]
fn an_account_that_allows_three_calls_a_minute_comes_to_the_same_end() {
    let reference = Reference::of(&Case::demo());
    for status in [400, 429] {
        let mut case = Case::demo();
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
