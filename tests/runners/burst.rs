//! A thousand jobs at once.

use std::collections::BTreeSet;

use reconcile::sim::github::runners::history::RunnerDeed;
use serde_json::{Value, json};

use super::{job, lab, launched, nothing_is_left};
use crate::proofs::figure;

#[test]
fn of_a_thousand_jobs_at_once_none_is_lost_and_none_is_done_twice() {
    let in_run = |it: u64| {
        let mut job = job(&format!("{it:04}"), 600 + it % 300);
        // A matrix has at most 256 jobs.
        job["run"] = json!(format!("run {}", it / 250));
        job
    };
    let all: Vec<Value> = (0..1000).map(in_run).collect();
    let world = json!({"github": {"perHour": 15_000}, "objects": {"jobs": all}});
    lab(", maxRunners: 1000", world).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.closing_text(reconcile::report::Style::Plain));
        let now = lab.now();
        let jobs = lab.with_world(|it| it.jobs(now));
        let is_done = |it: &&reconcile::sim::github::runners::history::JobSeen| {
            it.ended.as_ref().is_some_and(|it| it.1 == "success")
        };
        assert_eq!(jobs.iter().filter(is_done).count(), 1000);
        let began: Vec<u64> = lab.with_world(|it| {
            let began = |it: &reconcile::sim::github::runners::history::RunnerEvent| {
                let RunnerDeed::Began { job } = it.what else {
                    return None;
                };
                Some(job)
            };
            it.runner_history().iter().filter_map(began).collect()
        });
        let once: BTreeSet<&u64> = began.iter().collect();
        assert_eq!((began.len(), once.len()), (1000, 1000));
        nothing_is_left(lab);
        let machines = launched(lab);
        assert_eq!(machines, 1000);
        let waits = jobs.iter().filter_map(|it| Some(it.began?.since(it.queued).as_secs()));
        let longest = waits.max().unwrap_or_default();
        figure(
            "a thousand jobs at once: lost, done twice, machines, seconds that the last one waited (GitHub wants a second between writes)",
            &format!("0, 0, {machines}, {longest}"),
        );
    });
}
