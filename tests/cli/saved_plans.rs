//! Plans that are saved and carried out later: what both the file and a new plan have, and nothing else.

use serde_json::{Value, json};

use super::{Place, Run};

const PLAN: [&str; 4] = ["plan", "--simulate=world.yaml", "--out", "plan.json"];
const APPLY: [&str; 5] = [
    "apply",
    "plan.json",
    "--simulate=world.yaml",
    "--output",
    "json",
];

/// The example files over a world of this past.
fn place(images: &Value) -> Place {
    let place = Place::with_machines();
    let world = json!({"objects": {"images": images}});
    place.write("world.yaml", &world.to_string());
    place
}

/// Images of both lines, which nobody owns.
fn images(names: &[&str]) -> Value {
    let image = |(index, name): (usize, &&str)| {
        let arm = name.contains("arm64");
        json!({
            "ImageId": format!("m-{}", index + 1),
            "ImageName": format!("demo-runner-{name}"),
            "Architecture": if arm { "arm64" } else { "x86_64" },
            "CreationTime": format!("2026-11-{:02}T02:17:30Z", index + 1),
        })
    };
    names.iter().enumerate().map(image).collect()
}

fn results(run: &Run) -> Vec<String> {
    let report = run.json();
    let actions = report["actions"].as_array().expect("actions are a list");
    let result = |it: &Value| {
        let text = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("object"), text("result"))
    };
    actions.iter().map(result).collect()
}

#[test]
fn what_was_planned_is_done_and_what_follows_from_it_waits_for_another_plan() {
    let place = place(&images(&["amd64-latest", "arm64-latest"]));
    place.run(&PLAN).exits(0);
    let run = place.run(&APPLY).exits(0);
    assert_eq!(results(&run), ["m-1 done", "m-2 done"]);
    // The marks come after the adoption, and were not in the plan.
    assert_eq!(run.json()["converged"], false);
}

#[test]
fn what_only_one_of_the_two_plans_has_is_stale_and_not_done() {
    let place = place(&images(&["amd64-latest", "arm64-latest"]));
    place.run(&PLAN).exits(0);
    // One image has another name by now, and there is one more.
    let now = images(&["amd64-renamed", "arm64-latest", "amd64-202611030217"]);
    let world = json!({"objects": {"images": now}});
    place.write("world.yaml", &world.to_string());
    let run = place.run(&APPLY).exits(1);
    assert_eq!(results(&run), ["m-3 stale", "m-2 done", "m-1 stale"]);
    let text = place.run(&APPLY[..3]).exits(1).stdout;
    for words in [
        "stale: the plan file does not have it",
        "stale: it is not planned any more",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(run.json()["calls"]["writes"], 1);
}

/// A saved plan, changed by hand.
fn changed(place: &Place, change: impl FnOnce(&mut Value)) {
    place.run(&PLAN).exits(0);
    let text = std::fs::read_to_string(place.path("plan.json")).expect("the plan was saved");
    let mut plan = serde_json::from_str(&text).expect("it is JSON");
    change(&mut plan);
    place.write("plan.json", &plan.to_string());
}

#[test]
fn a_plan_that_is_not_of_these_files_this_account_and_this_program_does_nothing() {
    let place = place(&images(&["amd64-latest", "arm64-latest"]));
    let refused = |code, words: &str| {
        let run = place.run(&APPLY).exits(code);
        assert!(run.stderr.contains(words), "{}", run.stderr);
        assert_eq!(run.stdout, "", "nothing was even looked at");
    };
    changed(&place, |plan| {
        plan["actions"][0]["effect"]["object"] = json!("m-9");
    });
    refused(65, "somebody has changed it since it was saved");
    changed(&place, |plan| plan["actions"] = json!([]));
    refused(65, "somebody has changed it since it was saved");
    changed(&place, |plan| plan["more"] = json!(1));
    refused(65, "unknown field `more`");
    changed(&place, |plan| plan["version"] = json!("0.0.9"));
    refused(1, "it is of version 0.0.9, this is");
    place.write("plan.json", "{\"format");
    refused(65, "line 1 is no JSON");
    place.write("plan.json", "[]");
    refused(65, "it is no saved plan");
    std::fs::remove_file(place.path("plan.json")).expect("it is there");
    refused(65, "No such file");
    place.run(&PLAN).exits(0);
    place.edit("state/images.yaml", "keep: 5", "keep: 6");
    refused(1, "the state files are others than those it was made of");
}

#[test]
fn a_plan_from_before_a_script_changed_does_nothing() {
    let place = place(&images(&["amd64-latest", "arm64-latest"]));
    place.write_scripted("#!/bin/sh\n");
    let plan = [&PLAN[..], &["--only", "MachineImage/demo-runner"]].concat();
    place.run(&plan).exits(0);
    place.write_scripted("#!/bin/sh\n# Changed.\n");
    let run = place.run(&APPLY).exits(1);
    let words = "the state files are others than those it was made of";
    assert!(run.stderr.contains(words), "{}", run.stderr);
    // The same bytes again are the same state.
    place.write_scripted("#!/bin/sh\n");
    place.run(&APPLY).exits(0);
}

#[test]
fn a_plan_of_another_account_does_nothing() {
    let place = place(&images(&["amd64-latest", "arm64-latest"]));
    // Which account it is, is asked for: nothing declares it.
    let line = "  accountId: \"1000000000000001\"\n";
    place.edit("state/region.yaml", line, "");
    place.run(&PLAN).exits(0);
    let text = std::fs::read_to_string(place.path("plan.json")).expect("the plan was saved");
    assert!(text.contains("\"account\": \"1000000000000001\""), "{text}");
    place.edit(
        "world.yaml",
        "{\"objects\"",
        "{\"account\":\"2000000000000002\",\"objects\"",
    );
    let run = place.run(&APPLY).exits(77);
    assert!(
        run.stderr.contains("it is of another account"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_plan_says_itself_what_it_is_about() {
    let place = place(&images(&["amd64-latest", "arm64-latest"]));
    let only = [&PLAN[..], &["--only", "InstancePolicy"]].concat();
    place.run(&only).exits(0);
    let run = place.run(&APPLY).exits(0);
    assert_eq!(
        results(&run),
        [""; 0],
        "the image is no business of this plan"
    );
    let refused = [&APPLY[..], &["--only", "MachineImage"]].concat();
    place.run(&refused).exits(64);
}

#[test]
fn a_plan_that_cannot_be_saved_is_said_so_and_leaves_nothing() {
    let place = place(&images(&["amd64-latest", "arm64-latest"]));
    for file in ["missing/plan.json", "/proc/plan.json", "state"] {
        let run = place
            .run(&["plan", "--simulate=world.yaml", "--out", file])
            .exits(78);
        assert!(
            run.stderr.contains("cannot save the plan"),
            "{}",
            run.stderr
        );
        assert!(run.stdout.contains("Plan: "), "the plan itself is shown");
        let left = std::fs::read_dir(place.path(".")).expect("it is there");
        assert_eq!(left.count(), 2, "the state files and the world");
    }
}
