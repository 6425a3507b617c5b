//! E1, failure paths that nobody had ever taken: every call of every case fails in every way, once and for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::{images, lab, line};
use crate::proofs::cases::{Case, all};
use crate::proofs::figure;
use crate::proofs::lab::{Lab, state_of};
use crate::proofs::oracle;

/// Error before, once and longer than anybody sends again; error after effect, dropped connection on either side, slow,
/// unreadable, and an empty answer.
fn faults() -> [Value; 8] {
    [
        json!({"fault": "status", "status": 500}),
        json!({"fault": "status", "status": 500, "times": 12}),
        json!({"fault": "garbage", "status": 502}),
        json!({"fault": "dropBefore"}),
        json!({"fault": "dropAfter"}),
        json!({"fault": "delay", "seconds": 200}),
        json!({"fault": "garbage"}),
        // The listing shows what there was long before anything was: nothing.
        json!({"fault": "stale", "seconds": 100_000_000}),
    ]
}

/// In how many cases each call site fails.
const CASES: usize = 3;

struct Reference {
    /// Actions on an object and listings.
    calls: BTreeSet<(String, Option<String>)>,
    state: Vec<String>,
}

fn reference(case: &Case) -> Reference {
    Lab::new(case).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged(), "{}", case.name);
        let call = |it: &reconcile::sim::history::Call| (it.action.clone(), it.object.clone());
        Reference {
            calls: lab.with_world(|it| it.calls().iter().map(call).collect()),
            state: state_of(lab),
        }
    })
}

fn fail(case: &Case, reference: &Reference, trouble: &Value) {
    let what = format!("{}: {trouble}", case.name);
    Lab::new(case).block_on(async |lab| {
        lab.trouble(&json!([trouble]));
        let _ = lab.converge(1).await;
        lab.trouble(&json!([]));
        let report = lab.converge(2).await;
        assert!(report.is_converged(), "{what}: {}", report.to_json());
        assert_eq!(state_of(lab), reference.state, "{what}");
        oracle::check(case, lab);
        let writes = lab.writes();
        let again = lab.once(3).await;
        assert!(again.actions.is_empty() && lab.writes() == writes, "{what}");
    });
}

/// What is to fail: each call site in the cases with the fewest calls that come by it.
fn points(references: &[(Case, Reference)]) -> Vec<(&Case, &Reference, Value)> {
    let mut points = Vec::new();
    let mut seen: BTreeMap<(&String, bool), usize> = BTreeMap::new();
    for (case, reference) in references {
        let mut sites = BTreeMap::new();
        for (action, object) in &reference.calls {
            // One object stands for all: the call site is the same.
            sites.entry((action, object.is_some())).or_insert(object);
        }
        for (site, object) in sites {
            let count = seen.entry(site).or_default();
            *count += 1;
            if *count > CASES {
                continue;
            }
            // What an empty listing of snapshots hides is found a day later: see below.
            let is_whole = site.0 != "DescribeSnapshots";
            let faults = faults().into_iter();
            for mut trouble in faults.filter(|it| is_whole || it["fault"] != "stale") {
                trouble["action"] = json!(site.0);
                trouble["object"] = json!(object);
                points.push((case, reference, trouble));
            }
        }
    }
    points
}

#[test]
fn e1_whatever_fails_at_whichever_call_the_work_is_finished_when_it_no_longer_does() {
    let mut references: Vec<(Case, Reference)> = all()
        .into_iter()
        .map(|it| {
            let found = reference(&it);
            (it, found)
        })
        .collect();
    references.sort_by_key(|(_, reference)| reference.calls.len());
    let points = points(&references);
    // Worlds share nothing, so they run side by side; the first that fails ends all.
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((case, reference, trouble)) =
                    points.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    fail(case, reference, trouble);
                }
            });
        }
    });
    assert!(
        points.len() > 200,
        "only {} points were found",
        points.len()
    );
    figure(
        "failing calls enumerated and passed (E1)",
        &points.len().to_string(),
    );
}

#[test]
fn e1_a_snapshot_that_an_empty_listing_hid_goes_a_day_later() {
    let mut all = images(
        "m-1 latest       11-20T02:17:30 ours L family
         m-2 202611190217 11-19T02:17:30 ours",
    );
    all[1]["DiskDeviceMappings"] = json!({"DiskDeviceMapping": [{"SnapshotId": "s-2"}]});
    let world = json!({"objects": {"images": all}});
    lab(&line("retention: {keep: 1}"), world).block_on(async |lab| {
        lab.trouble(&json!([
            {"action": "DescribeSnapshots", "times": 12, "fault": "stale", "seconds": 100_000_000},
        ]));
        assert!(lab.converge(1).await.is_converged());
        assert_eq!(lab.deleted(), ["m-2"]);
        lab.trouble(&json!([]));
        lab.wait(Duration::from_secs(25 * 3600)).await;
        assert!(lab.converge(2).await.is_converged());
        assert_eq!(lab.deleted(), ["m-2", "s-2"]);
    });
}
