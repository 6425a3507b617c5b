//! A case as it goes when nothing is wrong, and what must be the same when something is.

use std::collections::BTreeMap;
use std::time::Duration;

use reconcile::report::Report;
use reconcile::sim::history::Call;
use serde_json::{Value, json};

use super::cases::{self, Case};
use super::lab::{AfterPass, Lab, PATIENCE};
use super::state::{difference, state_of};
use super::{each, is_all};

const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// A case as it goes when nothing is wrong.
pub(crate) struct Reference {
    pub(crate) case: Case,
    pub(crate) state: Vec<String>,
    pub(crate) calls: Vec<Call>,
    pub(crate) passes: u32,
    next_day: Vec<String>,
}

/// What is wrong with a case.
#[derive(Default)]
pub(crate) struct Wrong {
    /// Troubles, in the form of a scenario. They end with the first process.
    pub(crate) troubles: Value,
    /// What else goes wrong, in words.
    pub(crate) what: String,
    /// Is called after every pass with its number.
    pub(crate) after_pass: Option<AfterPass>,
    /// How long the first process may go on; none: long enough for everything.
    pub(crate) patience: Option<Duration>,
    /// Whether it may take until the next day.
    pub(crate) takes_a_day: bool,
}

/// What became of a case in which something was wrong.
pub(crate) struct Survived {
    /// The report of the first process.
    pub(crate) report: Report,
    /// How many writes took effect.
    pub(crate) writes: usize,
    /// How many passes it took until all was as declared.
    pub(crate) passes: u32,
}

/// The references of all cases that are enumerated.
pub(crate) fn references() -> Vec<Reference> {
    let cases = cases::all().into_iter();
    let cases: Vec<Case> = cases.filter(|it| is_all() || !it.is_long()).collect();
    each(&cases, Reference::of)
}

impl Reference {
    pub(crate) fn of(case: &Case) -> Self {
        Lab::new(case).block_on(async |lab| {
            let report = lab.converge(1).await;
            assert!(report.is_converged(), "{}: {}", case.name, report.to_json());
            lab.check_end(&report);
            let calls = lab.with_world(|it| it.calls().to_vec());
            let (state, passes) = (state_of(lab), lab.passes());
            lab.wait(A_DAY).await;
            // By then a guard may hold something back, with and without troubles.
            drop(lab.converge(2).await);
            Self {
                state,
                calls,
                passes,
                next_day: state_of(lab),
                case: case.clone(),
            }
        })
    }

    /// How many writes took effect.
    pub(crate) fn writes(&self) -> usize {
        effective_writes(&self.calls)
    }

    /// Each call by service, action, object and occurrence, as troubles choose calls.
    pub(crate) fn points(&self) -> Vec<(&Call, Value)> {
        let mut seen: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
        let mut points = Vec::new();
        for call in &self.calls {
            let object = call.object.as_deref().unwrap_or_default();
            let count = seen
                .entry((call.service, &call.action, object))
                .or_default();
            *count += 1;
            let (service, action) = (call.service, &call.action);
            let point =
                json!({"service": service, "action": action, "object": object, "nth": *count});
            points.push((call, point));
        }
        points
    }

    /// Lets the same case go with something wrong: it must come to the same end, break no promise on the way, and then
    /// have nothing more to do.
    pub(crate) fn survives(&self, wrong: Wrong) -> Survived {
        let mut case = self.case.clone();
        if wrong.troubles != Value::Null {
            case.scenario.troubles =
                serde_json::from_value(wrong.troubles.clone()).expect("troubles are written right");
        }
        case.name = format!("{}: {} {}", case.name, wrong.what, wrong.troubles);
        let name = &case.name;
        let mut lab = Lab::new(&case);
        lab.after_pass = wrong.after_pass;
        let patience = wrong.patience.unwrap_or(PATIENCE);
        lab.block_on(async |lab| {
            let report = lab.go_on(1, patience).await;
            lab.trouble(&json!([]));
            let lag = case.scenario.times.listing_lag;
            lab.wait(Duration::from_secs(lag)).await;
            // A process may give up; the next one finishes, as it would from a timer.
            let mut last = lab.converge(2).await;
            assert!(last.is_converged(), "{name}: {}", last.to_json());
            let passes = lab.passes();
            let mut expected = &self.state;
            if wrong.takes_a_day {
                lab.wait(A_DAY).await;
                last = lab.converge(3).await;
                expected = &self.next_day;
            }
            let state = state_of(lab);
            assert_eq!(difference(&state, expected), [""; 0], "{name}");
            lab.check_end(&last);
            let writes = lab.writes();
            let again = lab.once(4).await;
            let is_quiet = lab.writes() == writes && again.actions.len() == refused(&again);
            assert!(is_quiet, "{name}: {}", again.to_json());
            Survived {
                report,
                writes: lab.with_world(|it| effective_writes(it.calls())),
                passes,
            }
        })
    }
}

fn refused(report: &Report) -> usize {
    let is_refused = |it: &&reconcile::report::Action| {
        matches!(it.result, reconcile::report::Outcome::Refused(_))
    };
    report.actions.iter().filter(is_refused).count()
}

/// Whether a call lists what is there or says what a name stands for: what answers from the past somewhere.
pub(crate) fn is_listing(call: &Call) -> bool {
    let listings = ["GET tags", "HEAD manifest", "GET versions"];
    call.action.starts_with("Describe") || listings.contains(&call.action.as_str())
}

/// How many writes took effect. Where the upload of a blob begins nothing is there yet, which is what a registry says with
/// 202 (OCI distribution specification, "Pushing a blob monolithically"), and where it is given up nothing was.
pub(crate) fn effective_writes(calls: &[Call]) -> usize {
    let is_upload = |it: &Call| {
        let begins = it.action.starts_with('P') && it.status == 202;
        it.service == "registry" && (begins || it.action == "DELETE upload")
    };
    let is_effective = |it: &&Call| it.write && (200..300).contains(&it.status) && !is_upload(it);
    calls.iter().filter(is_effective).count()
}
