//! GitHub does not answer, answers late, or has had enough of us: nobody with a job pays for that.

use std::time::Duration;

use serde_json::{Value, json};

use super::{job, jobs, lab, launched, machines, nothing_is_left};

fn silent(status: u16) -> Value {
    json!([{"service": "github", "fault": "status", "status": status, "times": 1_000_000}])
}

#[test]
fn an_hour_without_github_ends_no_job_and_launches_nothing() {
    for status in [500, 502, 403, 429] {
        let world = json!({"objects": {"jobs": [job("one", 2 * 3600)]}});
        lab("", world).block_on(async |lab| {
            let _ = lab.go_on(1, Duration::from_secs(600)).await;
            lab.trouble(&silent(status));
            for seed in 2..8 {
                let report = lab.once(seed).await;
                assert!(!report.is_converged(), "{status}");
                lab.wait(Duration::from_secs(900)).await;
            }
            assert_eq!(machines(lab).len(), 1, "{status}: its lease was moved on");
            lab.trouble(&json!([]));
            let _ = lab.go_on(8, Duration::from_secs(3600)).await;
            let report = lab.converge(9).await;
            assert!(report.is_converged(), "{status}: {}", report.to_json());
            assert_eq!(
                (jobs(lab), launched(lab)),
                (vec!["one success".to_owned()], 1)
            );
            nothing_is_left(lab);
        });
    }
}

#[test]
fn a_budget_that_is_spent_stops_us_and_no_job() {
    let world = json!({"github": {"perHour": 30}, "objects": {"jobs": [job("one", 3600), job("two", 3600)]}});
    lab("", world).block_on(async |lab| {
        let _ = lab.go_on(1, Duration::from_secs(5 * 3600)).await;
        let report = lab.converge(2).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(jobs(lab), ["one success", "two success"]);
        assert_eq!(launched(lab), 2);
        nothing_is_left(lab);
    });
}

#[test]
fn lists_that_are_late_double_nothing_and_end_no_job() {
    for lag in [5, 60, 240] {
        let times =
            json!({"agentOnline": 10, "runnerOnline": 60, "runnerLag": lag, "listingLag": lag});
        let all: Vec<Value> = (0..3).map(|it| job(&format!("{it}"), 600)).collect();
        lab("", json!({"times": times, "objects": {"jobs": all}})).block_on(async |lab| {
            lab.wait(Duration::from_secs(lag)).await;
            let report = lab.converge(1).await;
            assert!(report.is_converged(), "{lag}: {}", report.to_json());
            assert!(
                jobs(lab).iter().all(|it| it.ends_with("success")),
                "{lag}: {:?}",
                jobs(lab)
            );
            assert_eq!(launched(lab), 3, "{lag}");
            nothing_is_left(lab);
        });
    }
}
