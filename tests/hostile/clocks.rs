//! Our clock is wrong: the service's time counts, from its first answer on.

use reconcile::report::Style;
use reconcile::sim::history::Call;

use super::demo;
use crate::proofs::cases::all;
use crate::proofs::lab::{Lab, state_of};
use crate::proofs::oracle;

const OFF_SECONDS: i64 = 20 * 60;

fn is_untimely(call: &Call) -> bool {
    let code = call.code.as_deref().unwrap_or_default();
    code.starts_with("InvalidTimeStamp")
}

#[test]
fn a_clock_that_is_twenty_minutes_off_changes_nothing() {
    for case in all() {
        let right = Lab::new(&case);
        let expected = right.block_on(async |lab| {
            assert!(lab.converge(1).await.is_converged());
            state_of(lab)
        });
        for seconds in [-OFF_SECONDS, OFF_SECONDS] {
            let mut lab = Lab::new(&case);
            lab.ahead_seconds = seconds;
            lab.block_on(async |lab| {
                let report = lab.converge(1).await;
                assert!(report.is_converged(), "{}: {}", case.name, report.to_json());
                assert_eq!(state_of(lab), expected, "{} {seconds}", case.name);
                oracle::check(&case, lab);
                let refused =
                    lab.with_world(|it| it.calls().iter().filter(|it| is_untimely(it)).count());
                assert_eq!(refused, 1, "the time is learnt from the first answer");
                assert!(lab.once(2).await.actions.is_empty(), "{}", case.name);
            });
        }
    }
}

#[test]
fn the_same_is_planned_whatever_our_clock_says() {
    let plan = |seconds| {
        let mut lab = Lab::new(&demo());
        lab.ahead_seconds = seconds;
        lab.block_on(async |lab| lab.plan(1).await.pass_text(1, Style::Plain))
    };
    let right = plan(0);
    assert!(!right.is_empty());
    // Within a quarter of an hour signatures are accepted, and the answers' time is learnt all the same.
    for seconds in [-OFF_SECONDS, -600, 600, OFF_SECONDS] {
        assert_eq!(plan(seconds), right, "{seconds}");
    }
}
