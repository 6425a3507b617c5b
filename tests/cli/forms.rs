//! Markdown, completions, the manual, selections and detailed exit codes.

use super::{Place, reconcile};

const DEMO: [&str; 2] = ["plan", "--simulate"];

fn with(more: &[&str]) -> Vec<String> {
    let all = DEMO.iter().chain(more);
    all.map(|it| (*it).to_owned()).collect()
}

fn run(more: &[&str]) -> super::Run {
    let arguments = with(more);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    reconcile(&arguments)
}

#[test]
fn markdown_has_a_row_for_each_action_of_the_json() {
    let json = run(&["--output", "json"]).exits(0).json();
    let markdown = run(&["--output", "markdown"]).exits(0).stdout;
    let actions = json["actions"].as_array().expect("actions are a list");
    let rows = markdown.lines().filter(|it| it.ends_with("| planned |"));
    assert_eq!(rows.count(), actions.len(), "{markdown}");
    for action in actions {
        // What is created has none yet.
        let object = action["object"].as_str().unwrap_or_default();
        assert!(markdown.contains(&format!("| {object} |")), "{markdown}");
    }
    // Every row of a table has as many cells as its head.
    for table in markdown.split("\n\n").filter(|it| it.starts_with('|')) {
        let bars = |line: &str| line.replace("\\|", "").matches('|').count();
        let head = table.lines().next().map(bars);
        assert!(table.lines().all(|it| Some(bars(it)) == head), "{table}");
    }
}

#[test]
fn other_commands_speak_markdown_too() {
    let place = Place::with_examples();
    place
        .run(&[
            "--once",
            "--simulate",
            "--status-dir",
            "status",
            "--output",
            "markdown",
        ])
        .exits(0);
    let status = place.run(&["status", "--status-dir", "status", "--output", "markdown"]);
    let status = status.exits(0).stdout;
    assert!(
        status.contains("| AliyunRegion/hangzhou | Ready | True |"),
        "{status}"
    );
    let show = place
        .run(&["show", "AliyunRegion", "--output", "markdown"])
        .exits(0)
        .stdout;
    assert!(
        show.starts_with("```yaml\n") && show.ends_with("```\n"),
        "{show}"
    );
}

#[test]
fn completions_and_the_manual_know_every_command() {
    let help = reconcile(&["--help"]).exits(0).stdout;
    let commands = help
        .split("Commands:")
        .nth(1)
        .expect("the help lists commands");
    let commands = commands
        .lines()
        .skip(1)
        .take_while(|it| !it.trim().is_empty());
    // A description may go on in the next line.
    let commands = commands.filter(|it| !it.starts_with("   "));
    let commands: Vec<&str> = commands
        .filter_map(|it| it.split_whitespace().next())
        .collect();
    assert!(commands.len() > 10, "{commands:?}");
    let manual = reconcile(&["man"]).exits(0).stdout;
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = reconcile(&["completions", shell]).exits(0).stdout;
        for command in commands.iter().filter(|it| **it != "help") {
            assert!(script.contains(command), "{shell} does not know {command}");
            let page = format!("reconcile\\-{}", command.replace('-', "\\-"));
            assert!(manual.contains(&page), "the manual has no {page}");
        }
    }
}

#[test]
fn a_selection_acts_on_what_it_chooses_and_on_nothing_else() {
    // What is chosen, and what it needs: one line is built, by two classes.
    for (selection, kind, count) in [
        (["--only", "MachineImage"], "MachineImage", 5),
        (["--only", "MachineImage/demo-runner"], "MachineImage", 2),
        (["--selector", "team=ci"], "MachineImage", 6),
        (
            ["--only", "InstancePolicy/demo-builders"],
            "InstancePolicy",
            2,
        ),
    ] {
        let report = run(&[&selection[..], &["--output", "json"]].concat())
            .exits(0)
            .json();
        let actions = report["actions"].as_array().expect("actions are a list");
        assert!(!actions.is_empty(), "{selection:?}");
        for action in actions {
            let resource = action["resource"].as_str().unwrap_or_default();
            assert!(resource.starts_with(kind), "{selection:?}: {action}");
        }
        let resources = report["resources"]
            .as_array()
            .expect("resources are a list");
        assert_eq!(resources.len(), count, "{selection:?}");
        assert_eq!(
            report["calls"]["reads"], report["calls"]["lowerBound"],
            "{selection:?}"
        );
    }
}

#[test]
fn a_selection_of_nothing_is_a_mistake() {
    for (selection, words) in [
        (["--only", "MachineImages"], "did you mean MachineImage?"),
        (
            ["--only", "MachineImage/demo-runer"],
            "did you mean MachineImage/demo-runner?",
        ),
        (["--selector", "team=nobody"], "choose nothing"),
        (["--selector", "team"], "a label is written KEY=VALUE"),
    ] {
        let refused = run(&selection).exits(64);
        assert!(
            refused.stderr.contains(words),
            "{selection:?}: {}",
            refused.stderr
        );
    }
}

#[test]
fn a_rival_that_is_not_chosen_still_contests() {
    let place = Place::with_examples();
    let text = std::fs::read_to_string(place.path("state/images.yaml")).expect("it is there");
    place.write(
        "state/rival.yaml",
        &text.replace("name: demo-runner", "name: rival"),
    );
    let run = place
        .run(&["plan", "--simulate", "--only", "MachineImage/rival"])
        .exits(1);
    assert!(run.stdout.contains("Contested"), "{}", run.stdout);
    assert!(run.stdout.contains("No changes"), "{}", run.stdout);
}

#[test]
fn the_detailed_exit_code_tells_changes_from_none() {
    run(&["--detailed-exitcode"]).exits(2);
    let only = ["--only", "AliyunRegion"];
    run(&[&only[..], &["--detailed-exitcode"]].concat()).exits(0);
    // One pass of the demo leaves machines under way.
    reconcile(&["--once", "--simulate", "--detailed-exitcode"]).exits(3);
    reconcile(&[
        "--once",
        "--simulate",
        "--wait",
        "2h",
        "--detailed-exitcode",
    ])
    .exits(0);
    // A refusal weighs more.
    run(&["--detailed-exitcode", "--max-deletes", "0"]).exits(4);
}

#[test]
fn a_guard_says_which_it_is_both_numbers_and_what_would_allow_it() {
    let text = run(&["--max-deletes", "0"]).exits(4).stdout;
    let words = "guard maxDeletes refuses 1 deletions of instances, 0 are allowed; --max-deletes 1 or policy.guards.maxDeletes: 1 allows them";
    assert!(text.contains(words), "{text}");
    let lines = text.lines().filter(|it| it.starts_with("! "));
    assert_eq!(lines.count(), 2, "the mark and the deletion: {text}");
}
