//! Where things are printed: data to stdout alone, everything else to stderr, and a reader that leaves is no failure.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use super::told::tell;
use super::{key_without, place};
use crate::cli::{Place, finish};

const ALL: [&str; 4] = ["--once", "--simulate=world.yaml", "--wait", "2h"];

#[test]
fn text_and_json_say_the_same_facts() {
    let place = place(&json!({}));
    tell(&place, &ALL).exits(0);
    tell(&place, &ALL[..2]).exits(0);
    tell(&place, &["plan", "--simulate=world.yaml"]).exits(0);
    tell(&place, &[&ALL[..2], &["--wait", "10s"]].concat()).exits(1);
    place.edit("state/images.yaml", "keep: 5", "keep: 1");
    tell(&place, &[&ALL[..], &["--max-deletes", "2"]].concat()).exits(4);
    place.edit(
        "state/images.yaml",
        "spec:\n",
        "policy: {suspend: looking into it}\nspec:\n",
    );
    tell(&place, &ALL).exits(0);
    place.edit("state/region.yaml", "1000000000000001", "2000000000000002");
    tell(&place, &ALL).exits(77);
}

#[test]
fn the_log_is_no_data_in_any_form() {
    let trouble =
        json!([{"action": "DescribeImages", "fault": "status", "status": 503, "times": 2}]);
    let place = place(&json!({"troubles": trouble}));
    let quiet = place.run(&[&ALL[..], &["-q"]].concat()).exits(0);
    assert_eq!(quiet.stderr, "");
    for arguments in [
        &["-v"][..],
        &["-v", "-v"],
        &[],
        &["-v", "--log-format", "json"],
    ] {
        let run = place.run(&[&ALL[..], arguments].concat()).exits(0);
        assert_eq!(run.stdout, quiet.stdout);
        assert!(run.stderr.contains("retrying"), "{}", run.stderr);
    }
    let json = place.run(&[&ALL[..], &["-v", "--log-format", "json"]].concat());
    let log = json.stderr.lines().map(serde_json::from_str::<Value>);
    assert!(
        log.collect::<Result<Vec<_>, _>>()
            .is_ok_and(|it| it.len() > 40)
    );
}

#[test]
fn colours_change_nothing_but_colours() {
    let place = place(&json!({"keys": key_without(&["DeleteImage"])}));
    let plain = place.run(&ALL).exits(1);
    for (arguments, variable) in [
        (["--color", "auto"], None),
        (["--color", "never"], None),
        (["--color", "auto"], Some("1")),
    ] {
        let mut command = place.command(&[&ALL[..], &arguments].concat());
        command.envs(variable.map(|it| ("NO_COLOR", it)));
        assert_eq!(finish(&mut command).stdout, plain.stdout);
    }
    let coloured = place
        .run(&[&ALL[..], &["--color", "always"]].concat())
        .exits(1);
    assert!(
        coloured.stdout.contains("\u{1b}[33m~ "),
        "{}",
        coloured.stdout
    );
    let mut bare = String::new();
    for part in coloured.stdout.split('\u{1b}') {
        let is_escape = part.starts_with('[');
        bare.push_str(if is_escape {
            part.split_once('m').map_or("", |it| it.1)
        } else {
            part
        });
    }
    assert_eq!(bare, plain.stdout);
    let json = place.run(&[&ALL[..], &["--color", "always", "--output", "json"]].concat());
    assert!(!json.stdout.contains('\u{1b}'));
}

#[test]
fn a_reader_that_leaves_early_neither_stops_the_work_nor_fails_it() {
    let place = place(&json!({}));
    for arguments in [
        &ALL[..],
        &["plan", "--simulate"],
        &["show"],
        &["schema"],
        &["--help"],
    ] {
        let mut child = place
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let mut first = String::new();
        let mut output = BufReader::with_capacity(1, child.stdout.take().expect("it is piped"));
        output.read_line(&mut first).expect("there is a line");
        drop(output);
        let output = child.wait_with_output().expect("the program ends");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}

#[test]
fn every_command_prints_json_or_says_on_stderr_why_not() {
    let place = place(&json!({}));
    let kept = ["--status-dir", "status"];
    place.run(&[&ALL[..], &kept].concat()).exits(0);
    let commands: [&[&str]; 7] = [
        &ALL,
        &["plan", "--simulate"],
        &["check"],
        &["show"],
        &["status", "--status-dir", "status"],
        &["schema"],
        &["image-id", "demo-runner-amd64-latest", "--simulate"],
    ];
    for command in commands {
        let run = place
            .run(&[command, &["--output", "json"]].concat())
            .exits(0);
        assert!(run.json().is_object() || run.json().is_array());
    }
    let failing: [(&[&str], i32); 6] = [
        (&["--once", "--simulate=nowhere.yaml"], 65),
        (&["show", "MachineImage/none"], 1),
        (&["status"], 1),
        (&["schema", "Nothing"], 64),
        (&["image-id", "none", "--simulate"], 1),
        (&["plan", "--state", "nowhere", "--simulate"], 65),
    ];
    for (command, code) in failing {
        let run = place
            .run(&[command, &["--output", "json"]].concat())
            .exits(code);
        assert_eq!(run.stdout, "", "{command:?}");
        assert!(!run.stderr.is_empty(), "{command:?}");
    }
}

#[test]
fn odd_arguments_are_refused_with_64_and_never_panic() {
    let place = Place::with_examples();
    let odd: [&[&str]; 16] = [
        &["--wait"],
        &["--once", "--wait", "-5m"],
        &["--once", "--wait", "99999999999999999999d"],
        &["--once", "--timeout", "0"],
        &["--once", "--max-deletes", "-1"],
        &["--once", "--max-deletes", "18446744073709551616"],
        &["--once", "--output", "yaml"],
        &["--once", "--color", "sometimes"],
        &["--once", "-q", "-v"],
        &["show", "a/b/c/d"],
        &["show", ""],
        &["show", "/"],
        &["status", "Ma\u{301}schine/\u{1f4a5}"],
        &["image-id"],
        &["simulate", "--listen", "127.0.0.1:65536"],
        &["\u{202e}nalp"],
    ];
    for arguments in odd {
        let run = place.run(arguments).exits(64);
        assert_eq!(run.stdout, "", "{arguments:?}");
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn names_and_tags_of_others_cannot_forge_lines_or_steer_a_terminal() {
    let evil = "evil\n::stop-commands::x\n- MachineImage/demo-runner  m-x  gone\u{1b}[31m\u{202e}";
    let mut world = super::world(&json!({}));
    let images = &mut world["objects"]["images"];
    images[14]["Tags"] = json!({"reconcile:managed-by": evil});
    images[15]["Tags"] = json!({"reconcile:owner": evil});
    // One that is ours by its tags, and gets a name of the line.
    images[16]["ImageName"] = json!(evil);
    images[16]["Tags"] =
        json!({"reconcile:managed-by": "demo", "reconcile:owner": "MachineImage/demo-runner"});
    world["objects"]["instances"][0]["InstanceName"] = json!(evil);
    let place = Place::with_examples();
    place.write("world.yaml", &world.to_string());
    for arguments in [&ALL[..], &["plan", "--simulate=world.yaml"]] {
        let told = tell(&place, arguments);
        let log = place.run(&[arguments, &["-v"]].concat()).stderr;
        for text in [&told.text.stdout, &log] {
            let is_harmful = |it: char| (it.is_control() && it != '\n') || it == '\u{202e}';
            assert!(!text.contains(is_harmful), "{text}");
            assert!(
                !text.contains("\n::") && !text.contains("\n- MachineImage/demo-runner  m-x"),
                "{text}"
            );
        }
        assert!(
            told.text.stdout.contains("evil\u{fffd}::stop-commands"),
            "{}",
            told.text.stdout
        );
        // As it is, for those who compare.
        assert!(told.report.to_string().contains("evil\\n::stop-commands"));
    }
}

#[test]
fn data_that_cannot_be_printed_is_a_failure_and_the_work_is_done_all_the_same() {
    let place = place(&json!({}));
    for arguments in [
        &["check"][..],
        &["schema"],
        &["image-id", "demo-runner-amd64-latest", "--simulate"],
        &[&ALL[..], &["--status-dir", "status"]].concat(),
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let mut command = place.command(arguments);
        command
            .stdout(full.expect("the device is there"))
            .stderr(Stdio::piped());
        let child = command.spawn().expect("the program can be started");
        let output = child.wait_with_output().expect("the program ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(
            stderr.contains("cannot write to stdout: "),
            "{arguments:?}: {stderr}"
        );
    }
    let status = place
        .run(&["status", "--status-dir", "status"])
        .exits(0)
        .stdout;
    assert!(
        status.contains("AsDeclared") && !status.contains("Reconciling"),
        "{status}"
    );
}

/// Runs the program on a terminal of so many columns; `script` (of util-linux) has one.
fn on_terminal(place: &Place, columns: u32, arguments: &str) -> String {
    let program = env!("CARGO_BIN_EXE_reconcile");
    let line = format!("stty rows 24 cols {columns}; exec {program} {arguments}");
    let mut command = std::process::Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.current_dir(place.path("."));
    let run = crate::cli::finish(command.stdin(Stdio::null())).exits(0);
    run.stdout.replace('\r', "")
}

#[test]
fn a_terminal_of_forty_columns_gets_no_table_and_the_same_facts() {
    let place = Place::with_examples();
    let once = ["--once", "--simulate", "--status-dir", "status"];
    place.run(&once).exits(0);
    let wide = on_terminal(&place, 300, "status --status-dir status");
    let narrow = on_terminal(&place, 40, "status --status-dir status");
    assert!(wide.starts_with("RESOURCE"), "{wide}");
    assert!(
        narrow.starts_with("AliyunRegion/hangzhou\n  Ready: True, AsDeclared\n"),
        "{narrow}"
    );
    for word in wide.split_whitespace().skip(6) {
        assert!(narrow.contains(word), "{word} is not in\n{narrow}");
    }
    let help = on_terminal(&place, 40, "plan --help");
    let longest = help.lines().map(|it| it.chars().count()).max();
    assert!(longest.is_some_and(|it| it <= 60), "{help}");
}
