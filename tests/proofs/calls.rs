//! C4: throttled, an error, timed out but applied, the connection cut on either side, garbage. Every call of every
//! reference run, once, three times, for ever. E1 of the record: failure paths that nobody had ever taken.

use std::time::Duration;

use serde_json::{Value, json};

use super::reference::{Reference, Wrong, references};
use super::{each, extent, figure, is_all, spread};

/// How often a call is struck when it never comes right.
const FOR_EVER: u64 = 1_000_000;

/// How long a process goes on where a call never comes right.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Everything that can become of a call.
fn faults() -> [Value; 10] {
    [
        json!({"fault": "status", "status": 429, "seconds": 7}),
        // The older form, which does not say how long to wait.
        json!({"fault": "status", "status": 400, "code": "Throttling.User"}),
        json!({"fault": "status", "status": 500}),
        json!({"fault": "status", "status": 503}),
        json!({"fault": "delay", "seconds": 200}),
        json!({"fault": "dropBefore"}),
        json!({"fault": "dropAfter"}),
        json!({"fault": "garbage"}),
        json!({"fault": "garbage", "status": 502}),
        json!({"fault": "garbage", "status": 200}),
    ]
}

/// One without an effect, one with.
const QUICK: [usize; 2] = [2, 6];

/// The long cases of registries, the build and the runners: what lasts is tried as where it must be quick, for like calls stand side by side
/// there.
const SAMPLED: [&str; 5] = ["built", "mirrored", "retained", "runners", "tags"];

/// A trouble, how often it strikes, and the run that it strikes.
type Point<'a> = (&'a Reference, Value, u64);

fn points(references: &[Reference]) -> Vec<Point<'_>> {
    let mut points: Vec<Point> = Vec::new();
    for reference in references {
        let is_whole = is_all() && !SAMPLED.contains(&reference.case.name.as_str());
        for (_, at) in reference.points() {
            for (number, fault) in faults().into_iter().enumerate() {
                for times in [1, 3, FOR_EVER] {
                    if times > 1 && !is_whole && !QUICK.contains(&number) {
                        continue;
                    }
                    let mut trouble = at.clone();
                    let fields = fault.as_object().expect("a fault is a map");
                    for (key, value) in fields {
                        trouble[key] = value.clone();
                    }
                    trouble["times"] = json!(times);
                    points.push((reference, trouble, times));
                }
            }
        }
    }
    points
}

fn strike((reference, trouble, times): &Point<'_>) -> u32 {
    let lags = reference.case.scenario.times.listing_lag > 0;
    let survived = reference.survives(Wrong {
        troubles: json!([trouble]),
        patience: (*times == FOR_EVER).then_some(PATIENCE),
        // What a lagging listing of snapshots did not show yet goes with the daily sweep.
        takes_a_day: lags && *times == FOR_EVER,
        ..Wrong::default()
    });
    let name = &reference.case.name;
    // Only Alibaba Cloud throttles with 400.
    let is_of_cloud = trouble["service"] != "registry" && trouble["service"] != "github";
    let is_throttled = trouble["status"] == 429 || (trouble["status"] == 400 && is_of_cloud);
    if is_throttled && *times < FOR_EVER {
        let is_done = survived.report.is_converged();
        assert!(is_done, "{name}: one process is enough: {trouble}");
        // Where listings lag, a later look sees more, and less is repeated.
        let is_same = survived.writes == reference.writes();
        assert!(is_same || lags, "{name}: {trouble}: {}", survived.writes);
    }
    survived.passes
}

#[test]
fn e1_whatever_becomes_of_a_call_the_work_is_finished_when_it_is_over() {
    let references = references();
    let points = points(&references);
    assert!(points.len() > 1000, "only {} points", points.len());
    let passes = each(&points, strike);
    figure(
        &format!("calls that fail, enumerated and passed (C4), {}", extent()),
        &points.len().to_string(),
    );
    figure("passes to converge when one call fails", &spread(passes));
}
