//! C6: a person acts in between. Everything that can be done to an object, to every object, before every call.

use std::sync::atomic::{AtomicBool, Ordering};

use reconcile::sim::history::Call;
use reconcile::sim::server::{Gate, GatePoint, Side, Verdict};

use super::change::{Change, changes};
use super::lab::Lab;
use super::reference::{Reference, references};
use super::{each, figure, is_all};

/// How many cases are quick.
const QUICK: usize = 1;

/// The run, the call before which it is done, and what.
type Point<'a> = (&'a Reference, u64, Change);

fn points(references: &[Reference]) -> Vec<Point<'_>> {
    let mut points: Vec<Point> = Vec::new();
    for reference in references {
        let changes = changes(&reference.case.scenario);
        for call in 1..=reference.calls.len() as u64 {
            points.extend(changes.iter().map(|it| (reference, call, it.clone())));
        }
    }
    points
}

fn interfere((reference, n, change): &Point<'_>) {
    let mut case = reference.case.clone();
    case.name = format!("{}: {change:?} before call {n}", case.name);
    let mut lab = Lab::new(&case);
    let (world, n) = (lab.outlook(), *n);
    let deed = change.clone();
    let is_over = AtomicBool::new(false);
    lab.gate = Some(Gate::new(move |point: &GatePoint| {
        let is_meant = point.side == Side::Before && point.call.n == n;
        if is_meant && !is_over.swap(true, Ordering::Relaxed) {
            world().change(&deed);
        }
        Verdict::Go
    }));
    lab.block_on(async |lab| {
        let _ = lab.converge(1).await;
        let report = lab.converge(2).await;
        lab.check_end(&report);
        let writes = lab.writes();
        let _ = lab.once(3).await;
        assert_eq!(lab.writes(), writes, "{}", case.name);
        let calls = lab.with_world(|it| it.calls().to_vec());
        let is_visible = case.scenario.times.listing_lag == 0;
        if is_visible && change.protects() {
            check_heeded(&calls, (n, &change.object), &case.name);
        }
    });
}

/// I1: what somebody protects before the last look at it is not deleted.
pub(super) fn check_heeded(calls: &[Call], (n, object): (u64, &str), name: &str) {
    let is_on = |it: &Call| it.object.as_deref().is_some_and(|it| it.contains(object));
    let deletion = calls.iter().position(|it| {
        it.n > n && it.action.starts_with("Delete") && is_on(it) && it.status == 200
    });
    let Some(deletion) = deletion else { return };
    let mut looks = calls[..deletion].iter().filter(|it| it.n >= n);
    // `DeleteImage` after `DescribeImages`; who uses an image is another question.
    let look = calls[deletion].action.replace("Delete", "Describe") + "s";
    let was_seen = looks.any(|it| it.action == look && is_on(it));
    assert!(
        !was_seen,
        "{name}: I1, deleted though it was seen to be protected"
    );
}

#[test]
fn whatever_a_person_does_between_two_calls_nothing_of_his_goes() {
    let mut references = references();
    references.retain(|it| !it.case.is_long() && !changes(&it.case.scenario).is_empty());
    references.sort_by_key(|it| it.calls.len());
    if !is_all() {
        references.truncate(QUICK);
    }
    let points = points(&references);
    assert!(points.len() > 100, "only {} points", points.len());
    each(&points, interfere);
    let extent = if is_all() {
        "all cases but the long ones"
    } else {
        "the shortest case"
    };
    figure(
        &format!("people's acts between two calls, enumerated and passed (C6), {extent}"),
        &points.len().to_string(),
    );
}
