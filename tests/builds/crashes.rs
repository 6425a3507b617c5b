//! C1: whenever the process dies during a build, the next one ends with the same world: one machine, one command, one image,
//! and no machine left. The scripts that this replaces leave one for ever in five of six.

use std::sync::{Mutex, PoisonError};

use reconcile::sim::history::What;
use reconcile::sim::server::{Gate, GatePoint, Side, Verdict};
use serde_json::json;
use tokio::sync::watch;

use super::{check_built, commands, count, lab, launches};
use crate::proofs::{each, figure, is_all};

/// Where it must be quick, the calls that change something, and of the others one of so many.
const QUICK: u64 = 9;

const SIDES: [Side; 3] = [Side::Before, Side::Applied, Side::Answered];

/// A process dies at each of some points, one after the other, and the next one goes on.
fn dies(points: &[Point]) {
    let (died, dead) = watch::channel(0);
    let mut lab = lab("", json!({}));
    let (mine, seen) = (points.to_vec(), Mutex::new(0));
    lab.gate = Some(Gate::new(move |at: &GatePoint| {
        let times = *died.borrow();
        let Some(point) = mine.get(times) else {
            return Verdict::Go;
        };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if point.is_met(at, &mut seen) {
            *seen = 0;
            died.send_replace(times + 1);
            return Verdict::Halt;
        }
        Verdict::Go
    }));
    lab.block_on(async |lab| {
        let mut process = 1;
        for times in 1..=points.len() {
            let mut dead = dead.clone();
            tokio::select! {
                biased;
                _ = dead.wait_for(|it| *it >= times) => {}
                // There was not so much left to do.
                _ = lab.converge(process) => {}
            }
            process += 1;
        }
        let report = lab.converge(process).await;
        check_built(lab, &report);
        let images = count(lab, |it| matches!(it, What::ImageCreated(_)));
        assert_eq!(
            (launches(lab), commands(lab), images),
            (1, 1, 1),
            "{points:?}"
        );
        let again = lab.once(process + 1).await;
        assert!(again.actions.is_empty(), "{points:?}: {}", again.to_json());
    });
}

/// Where a process dies: at its n-th call, or at its n-th one that changes something.
#[derive(Clone, Copy, Debug)]
struct Point {
    n: u64,
    is_write: bool,
    side: Side,
}

impl Point {
    /// Counts the calls of a process.
    fn is_met(&self, at: &GatePoint, seen: &mut u64) -> bool {
        let is_counted = !self.is_write || is_write(&at.call.action);
        if is_counted && at.side == Side::Before {
            *seen += 1;
        }
        is_counted && *seen == self.n && at.side == self.side
    }
}

/// Whether a call may change something; a dry run is one too.
fn is_write(action: &str) -> bool {
    !["Describe", "Get"].iter().any(|it| action.starts_with(it))
}

#[test]
fn whenever_the_process_dies_during_a_build_the_next_one_finishes_it() {
    let lab = lab("", json!({}));
    let calls: Vec<(u64, bool)> = lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        lab.with_world(|it| it.calls().iter().map(|it| (it.n, it.write)).collect())
    });
    figure("calls of a build from nothing", &calls.len().to_string());
    let is_meant = |(n, write): &&(u64, bool)| is_all() || *write || n % QUICK == 0;
    let is_write = false;
    let points: Vec<Point> = calls
        .iter()
        .filter(is_meant)
        .flat_map(|(n, _)| {
            SIDES.map(|side| Point {
                n: *n,
                is_write,
                side,
            })
        })
        .collect();
    each(&points, |it| dies(&[*it]));
    assert!(points.len() > 40, "only {} points were found", points.len());
    figure("crash points of a build (C1)", &points.len().to_string());
}

/// The second one dies too: what the first left half done is taken up by one that does not end it either.
#[test]
fn two_processes_that_die_one_after_the_other_leave_the_same_to_the_third() {
    let lab = lab("", json!({}));
    let writes = lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        lab.with_world(|it| {
            let calls = it.calls().iter();
            calls.filter(|it| is_write(&it.action)).count()
        })
    });
    let writes = u64::try_from(writes).expect("a build has few calls");
    let sides = if is_all() { &SIDES[..] } else { &SIDES[1..2] };
    let is_write = true;
    let at = |last: u64| {
        (1..=last).flat_map(|n| {
            sides.iter().map(move |side| Point {
                n,
                is_write,
                side: *side,
            })
        })
    };
    let pairs: Vec<[Point; 2]> = at(writes)
        .flat_map(|first| at(writes + 1 - first.n).map(move |second| [first, second]))
        .collect();
    each(&pairs, |it| dies(it));
    assert!(pairs.len() > 30, "only {} pairs were found", pairs.len());
    figure(
        "pairs of crashes of a build, one process after the other",
        &pairs.len().to_string(),
    );
}
