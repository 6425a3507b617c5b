//! Machines whose runner comes late or never, whose job takes long, hangs, or is taken away with them.

use std::time::Duration;

use reconcile::report::State;
use reconcile::sim::history::{Removal, What};
use serde_json::{Value, json};

use super::{REGION, job, jobs, lab, launched, machines, nothing_is_left};
use crate::incidents::states;

/// One job, and troubles; the first `RunInstances` is the dry run.
fn struck(troubles: &Value, spec: &str, seconds: u64) -> crate::proofs::lab::Lab {
    lab(
        spec,
        json!({"troubles": troubles, "objects": {"jobs": [job("one", seconds)]}}),
    )
}

#[test]
fn a_machine_whose_runner_never_comes_online_is_replaced_in_time() {
    let never = json!([{"action": "RunInstances", "nth": 2, "fault": "agentNever"}]);
    struck(&never, "", 60).block_on(async |lab| {
        let _ = lab.go_on(1, Duration::from_secs(6 * 60)).await;
        assert_eq!(launched(lab), 1, "slow is not failed");
        let report = lab.converge(2).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(
            (jobs(lab), launched(lab)),
            (vec!["one success".to_owned()], 2)
        );
        let taken =
            lab.with_world(|it| it.jobs(it.scenario().start.plus(Duration::from_secs(86_400))));
        let began = taken[0].began.expect("it began").since(taken[0].queued);
        assert!(began < Duration::from_secs(11 * 60), "{began:?}");
        let console = |it: &reconcile::sim::history::Call| it.action == "GetInstanceConsoleOutput";
        assert_eq!(
            lab.with_world(|it| it.calls().iter().filter(|it| console(it)).count()),
            1
        );
        nothing_is_left(lab);
    });
}

#[test]
fn starts_that_fail_one_after_the_other_come_later_and_later_and_then_somebody_must_look() {
    let never = json!([{"action": "RunInstances", "fault": "agentNever", "times": 1_000_000}]);
    struck(&never, ", backoff: {limit: 3}", 60).block_on(async |lab| {
        let report = lab.go_on(1, Duration::from_secs(3600)).await;
        assert_eq!(
            states(&report, "RunnerSet"),
            [&State::Stalled],
            "{}",
            report.to_json()
        );
        assert_eq!(launched(lab), 3);
        assert_ne!(report.exit_code(), 0);
        assert_eq!(machines(lab), [], "nobody pays for what does not work");
        // An hour later it is tried once more, and then it works.
        lab.trouble(&json!([]));
        lab.wait(Duration::from_secs(3600)).await;
        let report = lab.converge(2).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(
            (jobs(lab), launched(lab)),
            (vec!["one success".to_owned()], 4)
        );
    });
}

#[test]
fn a_long_job_keeps_its_machine_as_long_as_somebody_looks_every_twenty_minutes() {
    struck(&json!([]), "", 5 * 3600).block_on(async |lab| {
        for seed in 1..20 {
            let _ = lab.once(seed).await;
            lab.wait(Duration::from_secs(20 * 60 - 30)).await;
        }
        let report = lab.converge(99).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(
            (jobs(lab), launched(lab)),
            (vec!["one success".to_owned()], 1)
        );
        nothing_is_left(lab);
    });
}

#[test]
fn a_job_that_hangs_ends_with_the_life_of_its_machine() {
    let lab = struck(&json!([]), ", maxLifetime: 2h", 40 * 3600);
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(jobs(lab), ["one failure"], "GitHub gives a lost runner up");
        let history = lab.with_world(|it| it.history().to_vec());
        let mut lived = history.iter().filter_map(|it| {
            let What::InstanceDeleted { instance, .. } = &it.what else {
                return None;
            };
            Some(it.at.since(instance.creation_time))
        });
        let lived = lived.next();
        let lived = lived.expect("it is gone");
        assert!(lived < Duration::from_secs(2 * 3600 + 36 * 60), "{lived:?}");
        nothing_is_left(lab);
    });
}

#[test]
fn a_machine_that_is_taken_away_with_its_job_leaves_nothing() {
    let reclaim = json!([{"action": "RunInstances", "nth": 2, "fault": "reclaim", "seconds": 900}]);
    struck(&reclaim, "", 3600).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(
            (jobs(lab), launched(lab)),
            (vec!["one failure".to_owned()], 1)
        );
        nothing_is_left(lab);
    });
}

#[test]
fn a_machine_that_is_taken_away_before_it_has_a_job_is_replaced() {
    let reclaim = json!([{"action": "RunInstances", "nth": 2, "fault": "reclaim", "seconds": 60}]);
    struck(&reclaim, "", 300).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(
            (jobs(lab), launched(lab)),
            (vec!["one success".to_owned()], 2)
        );
        nothing_is_left(lab);
    });
}

#[test]
fn a_machine_is_paid_for_no_longer_than_its_job_and_one_look_takes() {
    struck(&json!([]), "", 600).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        let now = lab.now();
        let ended = lab.with_world(|it| it.jobs(now))[0]
            .ended
            .clone()
            .expect("it is over")
            .0;
        let history = lab.with_world(|it| it.history().to_vec());
        let deleting = history
            .iter()
            .find(|it| matches!(it.what, What::InstanceDeleting(_)));
        let late = deleting.expect("it was deleted").at.since(ended);
        assert!(late < Duration::from_secs(60), "{late:?}");
    });
}

#[test]
fn a_machine_ends_by_itself_when_nobody_is_left() {
    struck(&json!([]), "", 10 * 3600).block_on(async |lab| {
        let _ = lab.go_on(1, Duration::from_secs(600)).await;
        assert_eq!(machines(lab).len(), 1);
        lab.wait(Duration::from_secs(61 * 60)).await;
        assert_eq!(machines(lab), []);
        let now = lab.now();
        let by_release = |it: &reconcile::sim::history::Event| {
            matches!(
                &it.what,
                What::InstanceDeleted {
                    by: Removal::Release,
                    ..
                }
            )
        };
        let count = lab.with_world(|it| {
            it.instances(REGION, now);
            it.history().iter().filter(|it| by_release(it)).count()
        });
        assert_eq!(count, 1);
    });
}
