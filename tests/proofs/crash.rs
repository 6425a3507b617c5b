//! C1: the process dies before a call is sent, after it took effect but before the answer, or after the answer. Every
//! call of every case's reference run, on every side; where it must be quick, the long ones only on the middle one.

use reconcile::sim::server::Side;

use super::cases::all;
use super::lab::Lab;
use super::reference::{Reference, effective_writes};
use super::state::{difference, state_of};
use super::{each, figure, is_all};

/// Kills the process at one point, starts another one, and holds the world against the reference.
fn crash((reference, n, side): &(&Reference, u64, Side)) {
    let (case, n, side) = (&reference.case, *n, *side);
    let what = format!("{}: dies at call {n}, {side:?}", case.name);
    let mut lab = Lab::new(case);
    let mut dead = lab.die_at(n, side);
    lab.block_on(async |lab| {
        tokio::select! {
            biased;
            _ = dead.wait_for(|it| *it) => {}
            // A process that has nothing left to do after its last answer cannot be killed any more.
            _ = lab.converge(1) => {}
        }
        let report = lab.converge(2).await;
        assert!(report.is_converged(), "{what}: {}", report.to_json());
        let state = state_of(lab);
        assert_eq!(difference(&state, &reference.state), [""; 0], "{what}");
        lab.check_end(&report);
        // One call at most is made twice: the one whose answer nobody read.
        // Where listings lag, the second process cannot see what the first one did; repeating that changes nothing.
        let is_seen = case.scenario.times.listing_lag == 0;
        // A registration whose answer nobody read is of no use to anybody: it is removed, and made anew.
        let registers = reference
            .calls
            .iter()
            .any(|it| it.action == "POST jitconfig");
        let most = 1 + usize::from(registers);
        let took_effect = lab.with_world(|it| effective_writes(it.calls()));
        assert!(
            !is_seen || took_effect <= reference.writes() + most,
            "{what}: {took_effect} writes, {} without the crash",
            reference.writes()
        );
        let writes = lab.writes();
        let again = lab.once(3).await;
        assert!(
            again.actions.is_empty() && lab.writes() == writes,
            "{what}: {}",
            again.to_json()
        );
    });
}

#[test]
fn whenever_the_process_dies_the_next_run_finishes_the_work() {
    let sides = [Side::Before, Side::Applied, Side::Answered];
    let references = each(&all(), Reference::of);
    let mut points = Vec::new();
    for reference in &references {
        for n in 1..=reference.calls.len() as u64 {
            let sides = sides
                .into_iter()
                .filter(|it| is_all() || !reference.case.is_long() || *it == Side::Applied);
            points.extend(sides.map(|side| (reference, n, side)));
        }
    }
    each(&points, crash);
    assert!(
        points.len() > 300,
        "only {} points were found",
        points.len()
    );
    let extent = if is_all() {
        "every case on every side"
    } else {
        "every case, the long ones on one side"
    };
    figure(
        &format!("crash points enumerated and passed (C1), {extent}"),
        &points.len().to_string(),
    );
}
