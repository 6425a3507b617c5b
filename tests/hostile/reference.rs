//! A case as it goes when nothing is wrong, and what must be the same when something is.

use std::time::Duration;

use reconcile::report::Report;
use reconcile::sim::history::Call;
use serde_json::Value;

use crate::proofs::cases::Case;
use crate::proofs::lab::{Lab, state_of};
use crate::proofs::oracle;

const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// A case as it goes when nothing is wrong.
pub(super) struct Reference {
    pub(super) state: Vec<String>,
    pub(super) calls: Vec<Call>,
    case: Case,
    next_day: Vec<String>,
}

/// What became of a case in which something was wrong.
pub(super) struct Survived {
    /// The report of the first process.
    pub(super) report: Report,
    /// How many writes took effect, by both processes.
    pub(super) writes: usize,
}

impl Reference {
    pub(super) fn of(case: &Case) -> Self {
        Lab::new(case).block_on(async |lab| {
            let report = lab.converge(1).await;
            assert!(report.is_converged(), "{}: {}", case.name, report.to_json());
            oracle::check(case, lab);
            let calls = lab.with_world(|it| it.calls().to_vec());
            let state = state_of(lab);
            lab.wait(A_DAY).await;
            // By then a guard may hold something back, with and without troubles.
            drop(lab.converge(2).await);
            Self {
                state,
                calls,
                next_day: state_of(lab),
                case: case.clone(),
            }
        })
    }

    /// Lets the same case go with these troubles: it must come to the same end, and break no promise on the way.
    pub(super) fn survives(&self, troubles: &Value) -> Survived {
        self.with(troubles, async |lab| (state_of(lab), &self.state))
    }

    /// The same, where it may take until the next day.
    pub(super) fn survives_the_day(&self, troubles: &Value) -> Survived {
        self.with(troubles, async |lab| {
            lab.wait(A_DAY).await;
            drop(lab.converge(3).await);
            (state_of(lab), &self.next_day)
        })
    }

    fn with<'a>(
        &'a self,
        troubles: &Value,
        end: impl AsyncFnOnce(&Lab) -> (Vec<String>, &'a Vec<String>),
    ) -> Survived {
        let mut case = self.case.clone();
        case.scenario.troubles =
            serde_json::from_value(troubles.clone()).expect("troubles are written right");
        case.name = format!("{} with {troubles}", case.name);
        Lab::new(&case).block_on(async |lab| {
            let report = lab.converge(1).await;
            // A process may give up; the next one finishes, as it would from a timer.
            let last = lab.converge(2).await;
            assert!(last.is_converged(), "{}: {}", case.name, last.to_json());
            let (state, expected) = end(lab).await;
            assert_eq!(difference(&state, expected), [""; 0], "{}", case.name);
            oracle::check(&case, lab);
            Survived {
                report,
                writes: lab.with_world(|it| effective_writes(it.calls())),
            }
        })
    }
}

/// What only one of two worlds has.
fn difference<'a>(one: &'a [String], other: &'a [String]) -> Vec<&'a str> {
    let more = one.iter().filter(|it| !other.contains(it));
    let less = other.iter().filter(|it| !one.contains(it));
    more.chain(less).map(String::as_str).collect()
}

/// How many writes were answered with success.
pub(super) fn effective_writes(calls: &[Call]) -> usize {
    let is_effective = |it: &&Call| it.write && it.status == 200;
    calls.iter().filter(is_effective).count()
}
