//! The daemon as a person runs it: files that change under it, files that are broken, emptied or gone, probes, signals.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, ChildStdout, Stdio};

use rustix::process::Signal;
use serde_json::json;

use super::place;
use super::processes::{Served, signal};
use crate::cli::{Place, finish};

/// Nothing but a change or a signal ends an hour of waiting; a test that waits in vain ends by the second.
const ARGUMENTS: [&str; 9] = [
    "--interval",
    "1h",
    "--timeout",
    "180s",
    "--status-dir",
    "status",
    "-v",
    "--listen",
    "127.0.0.1:0",
];

/// A daemon in a process of its own.
struct Daemon {
    child: Child,
    out: BufReader<ChildStdout>,
    log: BufReader<ChildStderr>,
}

impl Daemon {
    fn start(served: &Served, place: &Place, more: &[&str]) -> Self {
        let mut command = served.client(place, &[&ARGUMENTS, more].concat());
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        Self {
            out: BufReader::new(child.stdout.take().expect("it is piped")),
            log: BufReader::new(child.stderr.take().expect("it is piped")),
            child,
        }
    }

    /// Reads what it prints until a line has these words.
    fn prints(&mut self, words: &str) -> String {
        until(&mut self.out, words)
    }

    /// Reads its log until a line has these words.
    fn logs(&mut self, words: &str) -> String {
        until(&mut self.log, words)
    }

    /// The address that it answers on.
    fn address(&mut self) -> String {
        let line = self.logs("listening");
        let (_, address) = line.split_once("at=").expect("it says where");
        address.trim().to_owned()
    }

    /// Tells it to end, and gives its exit code.
    fn ends(mut self, by: Signal) -> Option<i32> {
        signal(&self.child, by);
        let mut rest = String::new();
        let _ = self.log.read_to_string(&mut rest);
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(from: &mut impl BufRead, words: &str) -> String {
    let mut all = String::new();
    loop {
        let mut line = String::new();
        let read = from.read_line(&mut line).expect("it can be read");
        assert!(read > 0, "no {words} in\n{all}");
        if line.contains(words) {
            return line;
        }
        all.push_str(&line);
    }
}

fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the daemon listens");
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    (status.expect("an answer has a status"), body.to_owned())
}

/// A place without images, and the images apart.
fn without_images() -> (Place, String) {
    let place = place(&json!({}));
    let images = fs::read_to_string(place.path("state/images.yaml")).expect("it is there");
    fs::remove_file(place.path("state/images.yaml")).expect("it is there");
    (place, images)
}

fn cloud(place: &Place) -> Served {
    Served::of(place, &["--clock", "real", "--scenario", "world.yaml"])
}

/// Writes a file as editors do: another one first, which then takes its place.
fn replace(place: &Place, name: &str, text: &str) {
    place.write("state/.swap", text);
    fs::rename(place.path("state/.swap"), place.path(name)).expect("a file can be renamed");
}

#[test]
fn a_change_of_the_files_is_acted_on_at_once() {
    let (place, images) = without_images();
    let served = cloud(&place);
    let mut daemon = Daemon::start(&served, &place, &[]);
    daemon.logs("converged=");
    // A burst: only the last of these is what is meant.
    for keep in ["keep: 7", "keep: 6", "keep: 5"] {
        replace(
            &place,
            "state/images.yaml",
            &images.replace("keep: 5", keep),
        );
    }
    daemon.prints("adopt demo-runner-amd64-latest");
    let deletion = daemon.prints("unused");
    assert!(deletion.contains("retention.keep=5"), "{deletion}");
    assert_eq!(daemon.ends(Signal::TERM), Some(143));
    let status = place
        .run(&["status", "--status-dir", "status"])
        .exits(0)
        .stdout;
    assert!(status.contains("MachineImage/demo-runner"), "{status}");
}

#[test]
fn a_script_that_changes_is_read_again_at_once() {
    let (place, images) = without_images();
    place.write("state/images.yaml", &images);
    place.write_scripted("#!/bin/sh\n");
    let served = cloud(&place);
    let mut daemon = Daemon::start(&served, &place, &["--only", "MachineImage/demo-runner"]);
    daemon.logs("converged=");
    place.write_scripted("no script\n");
    let said = daemon.logs("does not say what runs it");
    assert!(said.contains("scripted.yaml:"), "{said}");
    place.write_scripted("#!/bin/bash\n");
    daemon.logs("the state files are valid again, and in force");
    assert_eq!(daemon.ends(Signal::TERM), Some(143));
}

#[test]
fn broken_files_leave_the_last_good_ones_in_force_and_are_said_to_be_broken() {
    let (place, images) = without_images();
    let served = cloud(&place);
    let mut daemon = Daemon::start(&served, &place, &[]);
    let address = daemon.address();
    daemon.logs("converged=");
    assert_eq!(get(&address, "/readyz"), (200, "ok\n".to_owned()));
    // A file that is half written.
    place.write("state/images.yaml", &images[..images.len() / 2]);
    daemon.logs("the state files before these stay in force");
    daemon.prints("StateFilesInvalid: ");
    let metrics = get(&address, "/metrics").1;
    assert!(
        metrics.contains("reconcile_state_files_valid 0\n"),
        "{metrics}"
    );
    let status = place.run(&["status", "--status-dir", "status", "--output", "json"]);
    let status = status.exits(0).stdout;
    assert!(
        status.contains("\"type\": \"StateFilesInvalid\""),
        "{status}"
    );
    assert!(
        status.contains("those of 20"),
        "it says since when: {status}"
    );
    place.write("state/images.yaml", &images);
    daemon.logs("the state files are valid again, and in force");
    daemon.prints("adopt demo-runner-amd64-latest");
    let metrics = get(&address, "/metrics").1;
    assert!(
        metrics.contains("reconcile_state_files_valid 1\n"),
        "{metrics}"
    );
    assert_eq!(daemon.ends(Signal::INT), Some(130));
    let status = fs::read_to_string(place.path("status/status.json")).expect("it is there");
    assert!(!status.contains("StateFilesInvalid"), "{status}");
}

#[test]
fn a_folder_that_is_emptied_or_removed_stops_nothing_and_is_followed_when_it_comes_back() {
    let (place, images) = without_images();
    let served = cloud(&place);
    let mut daemon = Daemon::start(&served, &place, &[]);
    let address = daemon.address();
    daemon.logs("converged=");
    fs::rename(place.path("state"), place.path("elsewhere")).expect("a folder can be renamed");
    daemon.logs("there is no such folder");
    fs::create_dir(place.path("state")).expect("the name is free");
    daemon.logs("nothing that is managed here is declared any more");
    let metrics = get(&address, "/metrics").1;
    assert!(
        metrics.contains("kind=\"InstancePolicy\",name=\"demo-ci\""),
        "{metrics}"
    );
    fs::remove_dir(place.path("state")).expect("it is empty");
    fs::rename(place.path("elsewhere"), place.path("state")).expect("a folder can be renamed");
    daemon.prints("as declared");
    // The folder is another one now, and is listened to.
    place.write("state/images.yaml", &images);
    daemon.prints("adopt demo-runner-amd64-latest");
    assert_eq!(daemon.ends(Signal::TERM), Some(143));
}

#[test]
fn probes_and_metrics_say_how_it_is() {
    let place = place(&json!({}));
    let served = cloud(&place);
    let mut daemon = Daemon::start(&served, &place, &["--output", "json"]);
    let address = daemon.address();
    assert_eq!(get(&address, "/healthz"), (200, "ok\n".to_owned()));
    let line = daemon.prints("\"formatVersion\":1");
    let report: serde_json::Value = serde_json::from_str(&line).expect("a report is one line");
    assert_eq!(report["complete"], true);
    assert_eq!(get(&address, "/readyz").0, 200);
    let (status, metrics) = get(&address, "/metrics");
    assert_eq!(status, 200);
    for line in [
        "reconcile_passes_total 1",
        "reconcile_status_written 1",
        "reconcile_calls_total{service=\"ecs\"} ",
        "reconcile_actions_total{kind=\"MachineImage\",verb=\"update\",result=\"done\"} ",
        "reconcile_resource{kind=\"AliyunRegion\",name=\"hangzhou\",state=\"ready\"} 1",
        "reconcile_last_pass_timestamp_seconds ",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "no {line} in\n{metrics}");
    }
    assert_eq!(get(&address, "/").0, 404);
    // Whoever holds the status directory is alone with it.
    let mut other = served.client(&place, &["--once", "--status-dir", "status"]);
    finish(&mut other).exits(75);
    assert_eq!(daemon.ends(Signal::TERM), Some(143));
}

#[test]
fn what_cannot_be_listened_on_is_said_before_anything_is_done() {
    let place = place(&json!({}));
    let served = cloud(&place);
    let mut command = served.client(
        &place,
        &["--listen", "192.0.2.1:1", "--status-dir", "status"],
    );
    let run = finish(&mut command).exits(78);
    assert!(
        run.stderr.contains("cannot listen on 192.0.2.1:1"),
        "{}",
        run.stderr
    );
    assert_eq!(served.writes(), 0);
    // So are files that are invalid at the start.
    place.write("state/images.yaml", "kind: Nothing\n");
    finish(&mut served.client(&place, &["--status-dir", "status"])).exits(65);
}
