//! Inside a GitHub workflow: its environment, its files, its annotations, and what a pull request may not do.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::json;

use super::{Place, Run, finish};

/// A step of a workflow: the environment that a runner gives it, and its files.
fn step(place: &Place, arguments: &[&str]) -> Command {
    let mut command = place.command(arguments);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_EVENT_NAME", "push")
        .env("GITHUB_WORKSPACE", place.path("."))
        .env("GITHUB_STEP_SUMMARY", place.path("summary.md"))
        .env("GITHUB_OUTPUT", place.path("output"));
    command
}

fn run(place: &Place, arguments: &[&str]) -> Run {
    finish(&mut step(place, arguments))
}

fn read(place: &Place, name: &str) -> String {
    fs::read_to_string(place.path(name)).unwrap_or_default()
}

/// Reads the outputs as a runner does: a name, a delimiter, the value up to it.
fn outputs(place: &Place) -> BTreeMap<String, String> {
    let text = read(place, "output");
    let mut lines = text.lines();
    let mut outputs = BTreeMap::new();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line
            .split_once("<<")
            .expect("a value stands between delimiters");
        let value: Vec<&str> = lines.by_ref().take_while(|it| *it != delimiter).collect();
        assert!(delimiter.len() > 30, "{delimiter} could be guessed");
        assert!(
            outputs.insert(name.to_owned(), value.join("\n")).is_none(),
            "{name} twice"
        );
    }
    outputs
}

fn annotations(run: &Run) -> Vec<&str> {
    run.stderr
        .lines()
        .filter(|it| it.starts_with("::"))
        .collect()
}

#[test]
fn a_run_leaves_a_summary_and_what_later_steps_need() {
    let place = Place::with_examples();
    place.write("summary.md", "from an earlier command\n");
    let done = run(&place, &["--once", "--simulate", "--wait", "2h"]).exits(0);
    let summary = read(&place, "summary.md");
    assert!(
        summary.starts_with("from an earlier command\n### reconcile\n\n**Done: "),
        "{summary}"
    );
    assert!(summary.contains("| MachineImage/demo-runner |") && summary.contains("| done |"));
    let outputs = outputs(&place);
    let names: Vec<&str> = outputs.keys().map(String::as_str).collect();
    let expected = [
        "changed",
        "converged",
        "image_id_demo_runner_amd64",
        "image_id_demo_runner_arm64",
        "image_id_demo_tools_amd64",
        "image_id_demo_tools_arm64",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        (outputs["changed"].as_str(), outputs["converged"].as_str()),
        ("true", "true")
    );
    assert!(
        outputs["image_id_demo_runner_amd64"].starts_with("m-bp1"),
        "{outputs:?}"
    );
    assert_eq!(annotations(&done), [""; 0]);
    assert!(!done.stdout.contains("::"), "workflow commands are no data");
}

#[test]
fn each_step_has_delimiters_of_its_own() {
    let place = Place::with_examples();
    run(&place, &["plan", "--simulate"]).exits(0);
    let first = read(&place, "output");
    fs::remove_file(place.path("output")).expect("it is there");
    run(&place, &["plan", "--simulate"]).exits(0);
    assert_ne!(first, read(&place, "output"));
    assert_eq!(outputs(&place)["changed"], "true");
}

#[test]
fn elsewhere_nothing_of_a_workflow_is_written() {
    let place = Place::with_examples();
    let mut command = step(&place, &["plan", "--simulate"]);
    finish(command.env("GITHUB_ACTIONS", "false")).exits(0);
    assert_eq!(read(&place, "summary.md") + &read(&place, "output"), "");
}

#[test]
fn what_is_wrong_is_marked_at_the_line_that_asks_for_it() {
    let place = Place::with_examples();
    place.edit("state/images.yaml", "keep: 5", "keep: none, 100 %");
    for command in [
        &["check"][..],
        &["plan", "--simulate"],
        &["--once", "--simulate"],
    ] {
        let refused = run(&place, command).exits(65);
        let marks = annotations(&refused);
        let text = read(&place, "state/images.yaml");
        let line = text
            .lines()
            .position(|it| it.contains("keep: none"))
            .expect("it is there")
            + 1;
        let start =
            format!("::error file=state/images.yaml,line={line},col=11,title=invalid state file::");
        assert!(
            marks.len() == 1 && marks[0].starts_with(&start),
            "{marks:?}"
        );
        assert!(marks[0].contains("100 %25"), "{marks:?}");
    }
}

#[test]
fn a_resource_that_is_not_well_is_marked_where_it_is_declared() {
    let place = Place::with_examples();
    place.edit(
        "state/images.yaml",
        "  retention:\n",
        "  latest: {imageId: m-none}\n  retention:\n",
    );
    let told = run(&place, &["--once", "--simulate", "--wait", "1h"]).exits(1);
    let text = read(&place, "state/images.yaml");
    let line = text
        .lines()
        .position(|it| it.contains("name: demo-runner"))
        .expect("it is there")
        + 1;
    let start = format!(
        "::error file=state/images.yaml,line={line},title=MachineImage/demo-runner PinMissing::"
    );
    let marks = annotations(&told);
    assert!(marks.iter().any(|it| it.starts_with(&start)), "{marks:?}");
}

#[test]
fn at_most_ten_annotations_are_written() {
    let place = Place::with_examples();
    for n in 0..14 {
        place.write(&format!("state/{n}.yaml"), "kind: Nothing\n");
    }
    let refused = run(&place, &["check"]).exits(65);
    assert_eq!(annotations(&refused).len(), 10);
}

#[test]
fn a_pull_request_plans_and_never_applies() {
    for event in ["pull_request", "pull_request_target", "pull_request_review"] {
        let place = Place::with_examples();
        place.write("plan.json", "{}");
        for arguments in [
            &["--once"][..],
            &["--for", "2h"],
            &[],
            &["apply", "plan.json"],
        ] {
            let mut command = step(&place, arguments);
            let refused = finish(command.env("GITHUB_EVENT_NAME", event)).exits(78);
            let words = format!("nothing is applied on the event {event}");
            assert!(refused.stderr.contains(&words), "{}", refused.stderr);
            assert_eq!(refused.stdout, "");
        }
        let mut command = step(&place, &["plan", "--simulate"]);
        finish(command.env("GITHUB_EVENT_NAME", event)).exits(0);
        // The simulated cloud is nobody's.
        let mut command = step(&place, &["--once", "--simulate"]);
        finish(command.env("GITHUB_EVENT_NAME", event)).exits(0);
    }
}

#[test]
fn a_summary_is_cut_at_its_limit_and_says_how_much_is_missing() {
    let place = Place::with_machines();
    let image = |n: usize| {
        json!({
            "ImageId": format!("m-{n:05}"),
            "ImageName": format!("demo-runner-amd64-{}", 202_611_010_000_usize + n),
            "CreationTime": "2026-11-01T02:17:30Z",
        })
    };
    place.edit("state/images.yaml", "[amd64, arm64]", "[amd64]");
    let images: Vec<_> = (0..9000).map(image).collect();
    place.write(
        "world.yaml",
        &json!({"objects": {"images": images}}).to_string(),
    );
    run(&place, &["plan", "--simulate=world.yaml"]).exits(0);
    let summary = read(&place, "summary.md");
    assert!(summary.len() <= 1 << 20, "{}", summary.len());
    let rows = summary
        .lines()
        .filter(|it| it.ends_with("| planned |"))
        .count();
    let missing = 9000 - rows;
    assert!(
        missing > 0 && summary.contains(&format!("… and {missing} more\n")),
        "{rows} rows"
    );
}

#[test]
fn a_file_of_the_workflow_that_cannot_be_written_is_said_and_the_work_is_done() {
    let place = Place::with_examples();
    for name in ["GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"] {
        let mut command = step(&place, &["--once", "--simulate", "--wait", "2h"]);
        let told = finish(command.env(name, "/dev/full")).exits(1);
        assert!(
            told.stderr.contains(&format!("cannot write ${name}")),
            "{}",
            told.stderr
        );
        assert!(
            told.stdout.contains("Everything is as declared."),
            "{}",
            told.stdout
        );
    }
}
