//! C1: the process dies before a call is sent, after it took effect but before the answer, or after the answer. Every
//! call of every case's reference run, on every side.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use reconcile::sim::server::{Gate, GatePoint, Side, Verdict};

use super::cases::{Case, all};
use super::figure;
use super::lab::{Lab, state_of};
use super::oracle;

/// What a run came to.
struct Reference {
    calls: u64,
    writes: usize,
    state: Vec<String>,
}

fn reference(case: &Case) -> Reference {
    Lab::new(case).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", case.name);
        Reference {
            calls: lab.with_world(|it| it.calls().len() as u64),
            writes: lab.writes(),
            state: state_of(lab),
        }
    })
}

/// Kills the process at one point, starts another one, and holds the world against the reference.
fn crash(case: &Case, reference: &Reference, n: u64, side: Side) {
    let what = format!("{}: dies at call {n}, {side:?}", case.name);
    let (died, mut dead) = watch::channel(false);
    let mut lab = Lab::new(case);
    lab.gate = Some(Gate::new(move |point: &GatePoint| {
        if point.call.n != n || point.side != side || *died.borrow() {
            return Verdict::Go;
        }
        died.send_replace(true);
        Verdict::Halt
    }));
    lab.block_on(async |lab| {
        tokio::select! {
            biased;
            _ = dead.wait_for(|it| *it) => {}
            // A process that has nothing left to do after its last answer cannot be killed any more.
            _ = lab.converge(1) => {}
        }
        let report = lab.converge(2).await;
        assert!(report.is_converged(), "{what}: {}", report.to_json());
        assert_eq!(state_of(lab), reference.state, "{what}");
        oracle::check(case, lab);
        // One call at most is made twice: the one whose answer nobody read.
        // Where listings lag, the second process cannot see what the first one did; repeating that changes nothing.
        let is_seen = case.scenario.times.listing_lag == 0;
        assert!(
            !is_seen || lab.writes() <= reference.writes + 1,
            "{what}: {} writes, {} without the crash",
            lab.writes(),
            reference.writes
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
    let mut points = Vec::new();
    let references: Vec<(Case, Reference)> = all()
        .into_iter()
        .map(|it| {
            let found = reference(&it);
            (it, found)
        })
        .collect();
    for (case, reference) in &references {
        for n in 1..=reference.calls {
            points.extend(sides.map(|side| (case, reference, n, side)));
        }
    }
    // Worlds share nothing, so they run side by side; the first that fails ends all.
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((case, reference, n, side)) =
                    points.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    crash(case, reference, *n, *side);
                }
            });
        }
    });
    assert!(
        points.len() > 300,
        "only {} points were found",
        points.len()
    );
    figure(
        "crash points enumerated and passed (C1)",
        &points.len().to_string(),
    );
}
