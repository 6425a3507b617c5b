//! A pass of a second reconciler, on another machine, before each call of the first; and machines that are taken away at any moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reconcile::report::Report;
use reconcile::sim::server::{Gate, GatePoint, Side, Verdict};
use serde_json::json;
use tokio::sync::watch;

use super::{job, jobs, lab, launched, nothing_is_left};
use crate::proofs::cases::named;
use crate::proofs::lab::Lab;
use crate::proofs::reference::Reference;
use crate::proofs::state::{difference, state_of};
use crate::proofs::{each, figure};

/// Lets a second process on another machine make a pass right before the n-th call of the first.
fn beside(n: u64, lab: &mut Lab) -> watch::Receiver<bool> {
    let (held, is_held) = watch::channel(false);
    let count = AtomicU64::new(n);
    lab.gate = Some(Gate::new(move |point: &GatePoint| {
        if point.side == Side::Before && count.fetch_sub(1, Ordering::Relaxed) == 1 {
            held.send_replace(true);
        }
        Verdict::Go
    }));
    is_held
}

/// Lets the first go on to its end, and a third to that of both.
async fn to_the_end(lab: &Lab, mut is_held: watch::Receiver<bool>) -> Report {
    let mut first = std::pin::pin!(lab.converge(1));
    tokio::select! {
        biased;
        _ = is_held.wait_for(|it| *it) => {
            let _ = lab.once_elsewhere(2).await;
            let _ = first.await;
        }
        _ = &mut first => {}
    }
    lab.converge(3).await
}

fn two_jobs() -> Lab {
    let all = json!([job("one", 60), job("two", 300)]);
    lab("", json!({"objects": {"jobs": all}}))
}

fn meet(n: u64) {
    let mut lab = two_jobs();
    let is_held = beside(n, &mut lab);
    lab.block_on(async |lab| {
        let report = to_the_end(lab, is_held).await;
        assert!(report.is_converged(), "{n}: {}", report.to_json());
        assert_eq!(jobs(lab), ["one success", "two success"], "{n}");
        assert_eq!(launched(lab), 2, "{n}");
        nothing_is_left(lab);
    });
}

#[test]
fn a_second_reconciler_at_any_call_of_a_sweep_removes_the_same_and_no_more() {
    let reference = Reference::of(&named("swept"));
    let points: Vec<u64> = (1..=reference.calls.len() as u64).collect();
    each(&points, |n| {
        let mut lab = Lab::new(&reference.case);
        let is_held = beside(*n, &mut lab);
        lab.block_on(async |lab| {
            let report = to_the_end(lab, is_held).await;
            assert!(report.is_converged(), "{n}: {}", report.to_json());
            let state = state_of(lab);
            assert_eq!(difference(&state, &reference.state), [""; 0], "{n}");
            lab.check_end(&report);
        });
    });
    figure(
        "a pass of a second reconciler before each call of a sweep by runner lists (C6)",
        &points.len().to_string(),
    );
}

#[test]
fn a_second_reconciler_at_any_call_of_the_first_doubles_nothing() {
    let calls = two_jobs().block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        lab.with_world(|it| it.calls().len() as u64)
    });
    let points: Vec<u64> = (1..=calls).collect();
    each(&points, |n| meet(*n));
    figure(
        "a pass of a second reconciler before each call of the first, two jobs (C6): calls, machines too many",
        &format!("{}, 0", points.len()),
    );
}

#[test]
fn a_machine_that_is_taken_away_at_any_moment_leaves_nothing() {
    let moments: Vec<u64> = (0..900).step_by(15).collect();
    each(&moments, |after| {
        let reclaim =
            json!([{"action": "RunInstances", "nth": 2, "fault": "reclaim", "seconds": after}]);
        let world = json!({"troubles": reclaim, "objects": {"jobs": [job("one", 300)]}});
        lab("", world).block_on(async |lab| {
            let report = lab.converge(1).await;
            assert!(report.is_converged(), "{after}: {}", report.to_json());
            nothing_is_left(lab);
            lab.wait(Duration::from_secs(60)).await;
            assert!(launched(lab) <= 3, "{after}");
        });
    });
    figure(
        "moments at which the machine of a runner was reclaimed (C7)",
        &moments.len().to_string(),
    );
}
