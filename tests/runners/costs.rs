//! What it takes: calls of a pass with nothing to do, GitHub's budget, and the time until a job has a runner.

use serde_json::{Value, json};

use super::{job, lab, of, set};
use crate::proofs::figure;
use crate::proofs::lab::Lab;

/// A policy that asks who has work.
const POLICY: &str = "---
apiVersion: reconcile/v1alpha1
kind: InstancePolicy
metadata: {name: all}
spec: {regionRef: home, selector: {tags: {ci: \"yes\"}}, maxAge: 7d, runnersOf: [\"https://github.com/example/app\"]}
";

/// A world in which so many runners have jobs that last.
fn busy(count: usize) -> Lab {
    let runner = |it: usize| json!({"of": "example/app", "name": format!("m-{it}"), "online": true, "busy": true});
    let machine = |it: usize| {
        json!({
            "InstanceId": format!("i-{it}"), "InstanceName": format!("m-{it}"), "ImageId": "ubuntu", "SpotStrategy": "SpotAsPriceGo",
            "CreationTime": "2026-11-21T01:00Z", "Tags": {"ci": "yes"},
        })
    };
    let runners: Vec<Value> = (0..count).map(runner).collect();
    let machines: Vec<Value> = (0..count).map(machine).collect();
    let resources = format!("{POLICY}{}", set("ci", "spot", ""));
    of(
        &resources,
        json!({"objects": {"runners": runners, "instances": machines}}),
    )
}

#[test]
fn where_nothing_changes_nothing_is_written_and_githubs_budget_is_not_touched() {
    let mut shown = Vec::new();
    for count in [0, 10, 500] {
        busy(count).block_on(async |lab| {
            let report = lab.converge(1).await;
            assert_eq!(report.exit_code(), 0, "{}", report.to_json());
            let _ = lab.converge(2).await;
            let (used, writes) = (lab.with_world(|it| it.github_used()), lab.writes());
            let again = lab.once(3).await;
            assert_eq!(again.calls.reads, again.calls.lower_bound, "{count}");
            let used = lab.with_world(|it| it.github_used()) - used;
            assert_eq!((used, lab.writes()), (0, writes), "{count}");
            shown.push(format!("{} ({used})", again.calls.reads));
        });
    }
    figure(
        "calls of a pass with nothing to do, a RunnerSet and an InstancePolicy, with 0, 10 and 500 runners (of GitHub's budget)",
        &shown.join(", "),
    );
}

/// How long the job waited for a runner.
fn waited(lab: &Lab) -> u64 {
    let now = lab.now();
    let job = lab.with_world(|it| it.jobs(now)).remove(0);
    job.began.expect("it began").since(job.queued).as_secs()
}

#[test]
fn a_job_waits_for_its_runner_no_longer_than_its_machine_takes_to_come_up() {
    let world = || json!({"times": {"agentOnline": 30, "runnerOnline": 60}, "objects": {"jobs": [job("one", 600)]}});
    let ours = lab("", world()).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        waited(lab)
    });
    // The scripts, by what they do: a job on somebody else's machine chooses, launches, and asks every ten seconds; what it
    // builds is another job, which waits for that one (`wait-for-runner.sh`, the job `setup`).
    let (choosing, interval, up) = (3, 10, 5 + 20 + 30 + 60);
    let scripts: u64 = choosing + u64::div_ceil(up, interval) * interval;
    assert!(ours <= scripts, "{ours} s, {scripts} s");
    figure(
        "from a job that waits to its runner with it, where a machine takes 115 s to be a runner; the scripts, but for the two jobs on somebody else's machines before and after",
        &format!("{ours} s; {scripts} s"),
    );
}
