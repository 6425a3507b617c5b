//! What the program refuses to do, and with which exit code.

use serde_json::json;

use super::{Place, reconcile};

#[test]
fn a_command_line_that_cannot_be_meant_is_refused() {
    // Its time jumps: nobody could ever stop it.
    let run = reconcile(&["--simulate"]).exits(64);
    assert!(
        run.stderr.contains("--simulate --for 26h") && run.stderr.contains("reconcile simulate"),
        "{}",
        run.stderr
    );
    reconcile(&["--once", "--for", "2h"]).exits(64);
    reconcile(&["--for", "2h", "--simulate", "--interval", "0s"]).exits(64);
    reconcile(&["plan", "--for", "2h"]).exits(64);
    reconcile(&["plan", "--selector", "team"]).exits(64);
    reconcile(&["--wait", "2h"]).exits(64);
    reconcile(&["--once", "--wait", "soon"]).exits(64);
    reconcile(&["--once", "plan"]).exits(64);
    reconcile(&["plan", "--max-delete-percent", "101"]).exits(64);
    reconcile(&["--help"]).exits(0);
    reconcile(&["--version"]).exits(0);
}

#[test]
fn files_of_another_account_change_nothing_and_exit_with_77() {
    let place = Place::with_examples();
    place.edit("state/region.yaml", "1000000000000001", "2000000000000002");
    let run = place
        .run(&["--once", "--simulate", "--output", "json"])
        .exits(77);
    let report = run.json();
    assert_eq!(report["calls"]["writes"], 0);
    // Of the account nothing but its number was even looked at: what is listed would be somebody else's.
    let calls = &report["calls"]["byService"];
    assert_eq!((&calls["sts"], &calls["ecs"]), (&json!(1), &json!(null)));
    assert_eq!(report["complete"], false);
    let text = place.run(&["plan", "--simulate"]).exits(77).stdout;
    assert!(
        text.contains("2000000000000002") && text.contains("1000000000000001"),
        "{text}"
    );
}

#[test]
fn a_region_that_does_not_exist_is_a_fault_and_not_an_empty_account() {
    let place = Place::with_examples();
    place.edit("state/region.yaml", "cn-hangzhou", "cn-nowhere");
    let run = place.run(&["--once", "--simulate"]).exits(1);
    assert!(
        run.stdout.contains("InvalidRegionId.NotFound"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_guard_refuses_a_group_as_a_whole_and_says_what_would_allow_it() {
    let place = Place::with_machines();
    place.edit("state/images.yaml", "keep: 5", "keep: 1");
    let arguments = ["--once", "--simulate", "--wait", "2h", "--max-deletes", "4"];
    let run = place.run(&arguments).exits(4);
    let refused: Vec<&str> = run
        .stdout
        .lines()
        .filter(|it| it.starts_with("! ") && it.contains("GiB"))
        .collect();
    assert!(
        !refused.is_empty() && !run.stdout.contains("- MachineImage"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("--max-deletes ") && run.stdout.contains("policy.guards.maxDeletes: "),
        "{}",
        run.stdout
    );
    place
        .run(&["--once", "--simulate", "--wait", "2h", "--max-deletes", "6"])
        .exits(0);
    place.edit(
        "state/images.yaml",
        "spec:\n",
        "policy:\n  guards: {maxDeletes: 6}\nspec:\n",
    );
    place
        .run(&["--once", "--simulate", "--wait", "2h"])
        .exits(0);
}

#[test]
fn a_suspended_resource_is_planned_and_never_acted_on() {
    let place = Place::with_examples();
    place.edit(
        "state/images.yaml",
        "spec:\n",
        "policy: {suspend: looking into it}\nspec:\n",
    );
    let report = place
        .run(&["--once", "--simulate", "--wait", "2h", "--output", "json"])
        .exits(0)
        .json();
    let actions = report["actions"].as_array().expect("actions are a list");
    let of = |it: &&serde_json::Value| it["resource"] == "MachineImage/demo-runner";
    assert!(actions.iter().filter(of).count() > 0);
    assert!(
        actions
            .iter()
            .filter(of)
            .all(|it| it["result"] == "planned")
    );
    assert_eq!(report["converged"], false);
}

#[test]
fn two_policies_that_select_one_machine_both_stand_still() {
    let place = Place::with_machines();
    place.edit(
        "state/instances.yaml",
        "{GITHUB_RUNNER_TYPE: aliyun-ecs-spot}",
        "{demo-purpose: image-builder}",
    );
    let report = place
        .run(&["--once", "--simulate", "--output", "json"])
        .exits(1)
        .json();
    let resources = report["resources"]
        .as_array()
        .expect("resources are a list");
    let contested = |it: &&serde_json::Value| it["conditions"][0]["reason"] == "Contested";
    assert_eq!(
        resources.iter().filter(contested).count(),
        2,
        "{resources:#?}"
    );
    let actions = report["actions"].as_array().expect("actions are a list");
    assert!(
        actions
            .iter()
            .all(|it| it["resource"] == "MachineImage/demo-runner")
    );
}

#[test]
fn one_prefix_twice_stands_still() {
    let place = Place::with_examples();
    let text =
        std::fs::read_to_string(place.path("state/images.yaml")).expect("the example is there");
    place.write(
        "state/more.yaml",
        &text.replace("name: demo-runner\n", "name: again\n"),
    );
    let run = place.run(&["--once", "--simulate"]).exits(1);
    assert!(
        run.stdout
            .contains("MachineImage/again and MachineImage/demo-runner"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("~ MachineImage"), "{}", run.stdout);
}
