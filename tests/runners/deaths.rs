//! Everything of ours dies at any call and nobody comes back: what is left ends by itself.

use std::time::Duration;

use reconcile::sim::history::What;
use reconcile::sim::server::Side;
use serde_json::json;

use super::{REGION, job, lab};
use crate::proofs::lab::Lab;
use crate::proofs::{each, figure, is_all};

/// Longer than anything of ours may live.
const AGES: Duration = Duration::from_secs(30 * 3600);

fn two_jobs() -> Lab {
    let jobs = json!([job("short", 300), job("long", 4 * 3600)]);
    lab(", maxLifetime: 6h", json!({"objects": {"jobs": jobs}}))
}

/// Dies at one call, and says how long after that the last machine was there.
fn left_for((n, side): &(u64, Side)) -> Duration {
    let mut lab = two_jobs();
    let mut dead = lab.die_at(*n, *side);
    lab.block_on(async |lab| {
        tokio::select! {
            biased;
            _ = dead.wait_for(|it| *it) => {}
            _ = lab.converge(1) => {}
        }
        let died = lab.now();
        lab.wait(AGES).await;
        let now = lab.now();
        let history = lab.with_world(|it| {
            assert_eq!(it.instances(REGION, now), [], "dies at call {n}, {side:?}");
            it.history().to_vec()
        });
        let ends = history
            .iter()
            .filter(|it| matches!(it.what, What::InstanceDeleted { .. }));
        let last = ends.map(|it| it.at).max();
        last.map_or(Duration::ZERO, |it| it.since(died))
    })
}

#[test]
fn whenever_everything_of_ours_dies_for_ever_no_machine_outlives_its_lease() {
    let calls: Vec<(u64, bool)> = two_jobs().block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        lab.with_world(|it| it.calls().iter().map(|it| (it.n, it.write)).collect())
    });
    let sides = [Side::Before, Side::Applied, Side::Answered];
    // Looks while jobs go on are alike.
    let every = if is_all() { 1 } else { 40 };
    let is_meant = |(n, writes): &&(u64, bool)| *writes || n % every == 0;
    let numbers = calls.iter().filter(is_meant).map(|it| it.0);
    let points: Vec<(u64, Side)> = numbers.flat_map(|n| sides.map(|it| (n, it))).collect();
    let longest = each(&points, left_for)
        .into_iter()
        .max()
        .unwrap_or_default();
    let minutes = longest.as_secs().div_ceil(60);
    assert!(minutes <= 61, "{minutes} minutes");
    assert!(points.len() > 60, "only {} points", points.len());
    figure(
        "how long a machine lives after everything of ours has died, at most, over all of so many crash points",
        &format!("{minutes} minutes, {}", points.len()),
    );
}

#[test]
fn a_record_that_a_dead_process_left_holds_no_job_up_though_nothing_is_remembered() {
    let mut lab = lab("", json!({"objects": {"jobs": [job("one", 60)]}}));
    let jit = lab.block_on(async |lab| {
        let _ = lab.once(1).await;
        let is_jit = |it: &&reconcile::sim::history::Call| it.action == "POST jitconfig";
        lab.with_world(|it| it.calls().iter().find(is_jit).map(|it| it.n))
    });
    let mut dead = lab.die_at(jit.expect("it was registered"), Side::Applied);
    lab.block_on(async |lab| {
        tokio::select! {
            biased;
            _ = dead.wait_for(|it| *it) => {}
            _ = lab.converge(1) => {}
        }
        assert_eq!(super::runners(lab).len(), 1);
        lab.wait(Duration::from_secs(600)).await;
        let _ = lab.converge_elsewhere(2).await;
        assert_eq!(super::jobs(lab), ["one success"]);
        lab.wait(Duration::from_secs(1800)).await;
        let _ = lab.converge_elsewhere(3).await;
        super::nothing_is_left(lab);
    });
}
