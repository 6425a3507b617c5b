//! C1 over thirty hours: the example file builds both architectures from nothing, the next day's base image makes new ones, and
//! the first ones go. Whenever the process dies meanwhile, the world comes to the same.

use std::time::Duration;

use reconcile::sim::history::What;
use reconcile::sim::scenario::Scenario;
use reconcile::sim::server::Side;

use super::{count, launches};
use crate::cli::Place;
use crate::proofs::lab::Lab;
use crate::proofs::state::{difference, state_of};
use crate::proofs::{each, figure, is_all};

/// Where it must be quick, the calls that change something, and of the others one of so many. Else each call dies after it took
/// effect, and those that change something before that and after the answer too.
const QUICK: usize = 40;

/// When a timer starts a process after the first one, in hours: the new base images are there by then, and the end.
const TIMER: [u64; 2] = [26, 30];

/// The example file about builds in the world that the program carries.
fn lab() -> Lab {
    let place = Place::with_examples();
    for file in [
        "images",
        "instances",
        "registries",
        "repositories",
        "runners",
    ] {
        let path = place.path(&format!("state/{file}.yaml"));
        std::fs::remove_file(path).expect("it is an example");
    }
    Lab::of(&place.path("state"), &Scenario::default_past())
}

/// Goes on from where the world is until the end, each time with a new process.
async fn go_on(lab: &Lab, first: u64) {
    let start = lab.with_world(|it| it.scenario().start);
    let due = TIMER.map(|it| start.plus(Duration::from_secs(it * 3600)));
    let later = due.into_iter().filter(|it| *it > lab.now());
    for (process, due) in (first..).zip(later) {
        let report = lab.converge(process).await;
        assert!(report.is_converged(), "{}", report.to_json());
        lab.wait(due.since(lab.now())).await;
    }
}

/// What it has come to: what exists, and how many machines and images were made on the way.
async fn outcome(lab: &Lab, process: u64) -> (Vec<String>, [usize; 2]) {
    let report = lab.converge(process).await;
    assert!(report.is_converged(), "{}", report.to_json());
    lab.check_end(&report);
    let images = count(lab, |it| matches!(it, What::ImageCreated(_)));
    (state_of(lab), [launches(lab), images])
}

#[test]
fn whenever_the_process_dies_in_thirty_hours_the_world_comes_to_the_same() {
    let (calls, expected, made) = lab().block_on(async |lab| {
        go_on(lab, 1).await;
        let (state, made) = outcome(lab, 9).await;
        let calls = lab.with_world(|it| it.calls().to_vec());
        (calls, state, made)
    });
    assert_eq!(made, [4, 4], "two architectures on two base images");
    let mut points: Vec<(u64, Side)> = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        if is_all() || call.write || at % QUICK == 0 {
            points.push((call.n, Side::Applied));
        }
        if is_all() && call.write {
            points.extend([Side::Before, Side::Answered].map(|it| (call.n, it)));
        }
    }
    each(&points, |(n, side)| {
        let (n, side) = (*n, *side);
        let mut lab = lab();
        let mut dead = lab.die_at(n, side);
        lab.block_on(async |lab| {
            tokio::select! {
                biased;
                _ = dead.wait_for(|it| *it) => {}
                () = go_on(lab, 1) => {}
            }
            go_on(lab, 5).await;
            let (state, again) = outcome(lab, 9).await;
            assert_eq!(difference(&state, &expected), [""; 0], "{n} {side:?}");
            assert_eq!(again, made, "{n} {side:?}");
        });
    });
    assert!(points.len() > 30, "only {} points", points.len());
    figure(
        "crash points of thirty hours of both architectures (C1)",
        &points.len().to_string(),
    );
}
