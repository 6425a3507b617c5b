//! C1: whenever the process dies during a build, the next one ends with the same world: one machine, one command, one image,
//! and no machine left. The scripts that this replaces leave one for ever in five of six.

use reconcile::sim::history::What;
use reconcile::sim::server::{Gate, GatePoint, Side, Verdict};
use serde_json::json;
use tokio::sync::watch;

use super::{check_built, commands, count, lab, launches};
use crate::proofs::{each, figure, is_all};

/// Where it must be quick, the calls that change something, and of the others one of so many.
const QUICK: u64 = 9;

fn dies((n, side): &(u64, Side)) {
    let (n, side) = (*n, *side);
    let what = format!("dies at call {n}, {side:?}");
    let (died, mut dead) = watch::channel(false);
    let mut lab = lab("", json!({}));
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
            _ = lab.converge(1) => {}
        }
        let report = lab.converge(2).await;
        check_built(lab, &report);
        let images = count(lab, |it| matches!(it, What::ImageCreated(_)));
        assert_eq!((launches(lab), commands(lab), images), (1, 1, 1), "{what}");
        let again = lab.once(3).await;
        assert!(again.actions.is_empty(), "{what}: {}", again.to_json());
    });
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
    let sides = [Side::Before, Side::Applied, Side::Answered];
    let points: Vec<(u64, Side)> = calls
        .iter()
        .filter(is_meant)
        .flat_map(|(n, _)| sides.map(|side| (*n, side)))
        .collect();
    each(&points, dies);
    assert!(points.len() > 40, "only {} points were found", points.len());
    figure("crash points of a build (C1)", &points.len().to_string());
}
