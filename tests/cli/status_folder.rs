//! The status directory: where it must not be, who holds it, and what a death leaves in it.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::{Place, finish};

fn once(place: &Place) -> Command {
    place.command(&[
        "--once",
        "--simulate",
        "--wait",
        "2h",
        "--status-dir",
        "status",
    ])
}

#[test]
fn one_that_cannot_be_made_is_refused_and_a_plan_works_all_the_same() {
    let place = Place::with_examples();
    place.write("file", "");
    for folder in ["file", "file/below", "/proc/reconcile"] {
        let run = place
            .run(&["--once", "--simulate", "--status-dir", folder])
            .exits(78);
        assert!(
            run.stderr.contains("--status-dir") && run.stderr.contains(folder),
            "{}",
            run.stderr
        );
        assert_eq!(run.stdout, "");
        place
            .run(&["plan", "--simulate", "--status-dir", folder])
            .exits(0);
    }
}

#[test]
fn one_that_others_may_write_in_is_refused() {
    let place = Place::with_examples();
    fs::create_dir(place.path("status")).expect("a new folder");
    fs::set_permissions(place.path("status"), Permissions::from_mode(0o777)).expect("it is ours");
    let run = finish(&mut once(&place)).exits(78);
    assert!(
        run.stderr.contains("others may write in it"),
        "{}",
        run.stderr
    );
}

#[test]
fn one_that_git_tracks_is_refused_and_a_new_one_is_ignored_by_git() {
    let git = |place: &Place, arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.invalid"])
            .args(arguments);
        git.current_dir(place.path("."))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git is installed")
    };
    let place = Place::with_examples();
    git(&place, &["init", "-q"]);
    finish(&mut once(&place)).exits(0);
    git(&place, &["add", "-A"]);
    let listed = git(&place, &["ls-files", "--", "status"]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "");
    git(&place, &["add", "-f", "status/status.json"]);
    let run = finish(&mut once(&place)).exits(78);
    assert!(
        run.stderr.contains("git tracks files in it"),
        "{}",
        run.stderr
    );
}

#[test]
fn one_on_a_full_disk_stops_the_run_before_anything_is_done() {
    let place = Place::with_examples();
    // No file may grow: to the program that is a disk without room.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" --once --simulate --status-dir status";
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", script, env!("CARGO_BIN_EXE_reconcile")])
        .current_dir(place.path("."))
        .env_clear();
    let run = finish(&mut shell).exits(78);
    assert!(run.stderr.contains("status directory"), "{}", run.stderr);
    assert_eq!(run.stdout, "");
}

#[test]
fn one_that_another_process_holds_is_left_to_it() {
    let place = Place::with_examples();
    finish(&mut once(&place)).exits(0);
    let held = File::options()
        .write(true)
        .open(place.path("status/lock"))
        .expect("the lock is a file");
    held.lock().expect("nobody holds it");
    let run = finish(&mut once(&place)).exits(75);
    assert!(
        run.stderr.contains("another process has held it for 10 s"),
        "{}",
        run.stderr
    );
    drop(held);
    finish(&mut once(&place)).exits(0);
}

#[test]
fn damage_in_it_costs_nothing_but_time() {
    let place = Place::with_examples();
    finish(&mut once(&place)).exits(0);
    place.write("status/status.json", "{\"formatVersion\": 1, \"reso");
    place.write("status/.status.json.new", "{");
    place.write("status/intents/none.json", "{");
    place.write("status/intents/.x.json.new", "\0");
    finish(&mut once(&place)).exits(0);
    let left: Vec<_> = fs::read_dir(place.path("status/intents"))
        .expect("it is there")
        .collect();
    assert!(left.is_empty(), "{left:?}");
    place.run(&["status", "--status-dir", "status"]).exits(0);
}

#[test]
fn a_program_that_is_killed_at_any_line_of_its_log_leaves_a_status_that_can_be_read() {
    let place = Place::with_machines();
    let mut lines = 0;
    loop {
        let mut child = once(&place)
            .args(["-v", "-v"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let log = BufReader::new(child.stderr.take().expect("the log is piped"));
        let is_over = log.lines().take(lines + 1).count() <= lines;
        // On Unix this is SIGKILL.
        let _ = child.kill();
        child.wait().expect("a killed program ends");
        if let Ok(text) = fs::read(place.path("status/status.json")) {
            serde_json::from_slice::<serde_json::Value>(&text).expect("the status is whole");
        }
        if is_over {
            break;
        }
        lines += 23;
    }
    assert!(lines > 100, "the log had only {lines} lines");
    finish(&mut once(&place)).exits(0);
}
