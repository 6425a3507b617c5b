//! Provisioning: scripts that fail, hang, or shut the machine down; agents that come late or never.

use std::time::Duration;

use reconcile::report::State;
use serde_json::{Value, json};

use super::{check_built, commands, instances, lab, launches, said};

fn script(fault: &str, times: u64, more: &Value) -> Value {
    let mut trouble = json!({"action": "RunCommand", "fault": fault, "nth": 1, "times": times});
    for (key, value) in more.as_object().expect("a test writes an object") {
        trouble[key] = value.clone();
    }
    json!({"troubles": [trouble]})
}

#[test]
fn a_script_that_fails_once_is_tried_again_on_another_machine_after_a_minute() {
    let world = script(
        "scriptEnds",
        1,
        &json!({"exitCode": 3, "output": 40_000, "seconds": 60}),
    );
    let lab = lab("", world);
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        assert_eq!((launches(lab), commands(lab)), (2, 2));
    });
}

#[test]
fn a_version_that_fails_so_often_is_given_up_and_says_how_it_ended() {
    let world = script(
        "scriptEnds",
        99,
        &json!({"exitCode": 3, "output": 400, "seconds": 60}),
    );
    let lab = lab("\n  backoff: {limit: 3}\n", world);
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        let line = report
            .resources
            .values()
            .find(|it| it.state == State::Stalled);
        assert!(line.is_some(), "{}", report.to_json());
        let said = said(&report);
        assert!(
            said.contains("3 builds of version") && said.contains("exit code 3"),
            "{said}"
        );
        assert_eq!((launches(lab), commands(lab)), (3, 3));
        assert_eq!(instances(lab), []);
    });
}

#[test]
fn failures_are_counted_from_the_cloud_whoever_comes_next() {
    let world = script("scriptEnds", 99, &json!({"exitCode": 3, "seconds": 60}));
    let lab = lab("\n  backoff: {limit: 3}\n", world);
    lab.block_on(async |lab| {
        for seed in 1..=12 {
            // Another machine, which shares nothing but the world.
            let _ = lab.converge_elsewhere(seed).await;
        }
        assert_eq!((launches(lab), commands(lab)), (3, 3));
        assert_eq!(instances(lab), []);
    });
}

#[test]
fn a_script_that_hangs_ends_at_its_deadline() {
    let lab = lab("", script("scriptHangs", 1, &json!({})));
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        assert_eq!(launches(lab), 2);
    });
}

#[test]
fn a_guest_that_shuts_itself_down_in_the_middle_is_given_up() {
    let lab = lab("", script("shutsDown", 1, &json!({"seconds": 90})));
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        assert_eq!(launches(lab), 2);
    });
}

#[test]
fn an_agent_that_comes_late_is_waited_for_and_one_that_never_comes_is_not() {
    for (fault, seconds, machines) in [("agentLate", 400, 1), ("agentNever", 0, 2)] {
        let lab = lab(
            "",
            json!({"troubles": [
                {"action": "RunInstances", "fault": fault, "nth": 2, "times": 1, "seconds": seconds},
            ]}),
        );
        lab.block_on(async |lab| {
            let before = lab.now();
            let report = lab.converge(1).await;
            check_built(lab, &report);
            assert_eq!(launches(lab), machines, "{fault}");
            assert!(
                lab.now().since(before) < Duration::from_secs(3600),
                "{fault}"
            );
        });
    }
}
