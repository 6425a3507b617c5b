//! Two processes and more: the simulated cloud in one, the program in others; signals and shared status directories.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::place;
use crate::cli::{Place, Run, finish};

/// How often the cloud is asked for what may still happen.
const LOOKS_MAX: u32 = 100_000;

/// A simulated cloud in a process of its own, for as long as this lives.
pub(super) struct Served {
    cloud: Child,
    address: String,
    environment: Vec<(String, String)>,
}

impl Served {
    pub(super) fn of(place: &Place, arguments: &[&str]) -> Self {
        let arguments = [&["simulate"], arguments].concat();
        let mut cloud = place
            .command(&arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let mut line = String::new();
        let output = cloud.stdout.take().expect("its output is piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("it says where it is");
        let said: Value = serde_json::from_str(&line).expect("it says so in JSON");
        let environment = said["env"].as_object().expect("the variables are a map");
        let text = |it: &Value| it.as_str().expect("a variable is text").to_owned();
        Self {
            cloud,
            address: text(&said["hostPort"]),
            environment: environment
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
        }
    }

    /// The program, pointed at this cloud.
    pub(super) fn client(&self, place: &Place, arguments: &[&str]) -> Command {
        let mut command = place.command(arguments);
        command.envs(self.environment.clone());
        command
    }

    fn ask(&self, path: &str) -> Value {
        self.send(("GET", path), "")
    }

    /// What the cloud answers to a request of its own interface.
    pub(super) fn send(&self, (method, path): (&str, &str), body: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address).expect("the cloud listens");
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream
            .write_all(request.as_bytes())
            .expect("the cloud reads");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("the cloud answers");
        let (_, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        serde_json::from_str(body).expect("the cloud answers JSON")
    }

    fn calls(&self) -> Vec<Value> {
        let calls = self.ask("/_sim/calls");
        calls["calls"].as_array().expect("calls are a list").clone()
    }

    pub(super) fn writes(&self) -> usize {
        self.calls().iter().filter(|it| it["write"] == true).count()
    }

    /// Looks until so many writes have taken effect, whether or not they were answered.
    fn wait_for_writes(&self, count: usize) {
        let is_there = (0..LOOKS_MAX).any(|_| self.writes() >= count);
        assert!(is_there, "{count} writes never came");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.cloud.kill();
        let _ = self.cloud.wait();
    }
}

const ONCE: [&str; 6] = ["--once", "--wait", "20m", "--status-dir", "status", "-v"];

/// The number of the write that is answered late: the fifth image is adopted.
const LATE: usize = 5;

/// The examples without what removes machines: in real time, that takes a while.
fn images_alone() -> Place {
    let place = place(&json!({}));
    std::fs::remove_file(place.path("state/instances.yaml")).expect("the example is there");
    place
}

/// A cloud in real time that answers one write only after a while.
fn slow_cloud(place: &Place, seconds: u64) -> Served {
    let slow = json!([{"action": "TagResources", "nth": 5, "fault": "delay", "seconds": seconds}]);
    place.write(
        "world.yaml",
        &super::world(&json!({"troubles": slow})).to_string(),
    );
    Served::of(place, &["--clock", "real", "--scenario", "world.yaml"])
}

fn start(mut command: Command) -> Child {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program can be started")
}

pub(super) fn signal(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(id.expect("a process has a number"), signal).expect("it runs");
}

/// Waits for its end.
fn end(child: Child) -> Run {
    let output = child.wait_with_output().expect("the program ends");
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("stdout is text"),
        stderr: String::from_utf8(output.stderr).expect("stderr is text"),
    }
}

/// The intents in the status directory; each must be whole.
fn intents(place: &Place) -> Vec<Value> {
    let folder = std::fs::read_dir(place.path("status/intents")).expect("the journal is there");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read(entry.expect("the journal can be read").path());
        serde_json::from_slice(&text.expect("an intent can be read")).expect("an intent is whole")
    };
    folder.map(read).collect()
}

#[test]
fn a_signal_ends_the_step_under_way_and_the_next_run_does_the_rest() {
    for (kind, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let place = images_alone();
        let served = slow_cloud(&place, 2);
        let child = start(served.client(&place, &ONCE));
        served.wait_for_writes(LATE);
        signal(&child, kind);
        let run = end(child).exits(code);
        assert_eq!(
            served.writes(),
            LATE,
            "nothing was begun after the signal: {}",
            run.stdout
        );
        let done = run
            .stdout
            .lines()
            .filter(|it| it.starts_with(['~', '-']))
            .count();
        assert!(done > LATE, "what is left is shown: {}", run.stdout);
        assert!(
            run.stdout
                .contains("Done: 0 created, 5 changed, 0 deleted, 0 failed"),
            "{}",
            run.stdout
        );
        let open = intents(&place);
        assert!(open.iter().all(|it| it["done_at"].is_string()), "{open:#?}");
        finish(&mut served.client(&place, &ONCE)).exits(0);
        assert!(intents(&place).is_empty());
    }
}

#[test]
fn a_second_signal_ends_it_at_once_and_the_next_run_does_the_rest() {
    let place = images_alone();
    let served = slow_cloud(&place, 600);
    let child = start(served.client(&place, &ONCE));
    served.wait_for_writes(LATE);
    // The answer to the fifth write takes ten minutes: nobody waits for it.
    signal(&child, Signal::TERM);
    signal(&child, Signal::INT);
    let run = end(child);
    // Which of two that are there at once comes last is open.
    assert!([Some(143), Some(130)].contains(&run.code), "{:?}", run.code);
    let words = "interrupted twice, ended at once";
    assert!(run.stderr.contains(words), "{}", run.stderr);
    assert_eq!(served.writes(), LATE);
    finish(&mut served.client(&place, &ONCE)).exits(0);
    assert!(intents(&place).is_empty());
}

#[test]
fn a_signal_between_two_passes_ends_the_run_at_once() {
    let place = place(&json!({}));
    place.write(
        "world.yaml",
        &super::world(&json!({"times": {"instanceGone": 3600}})).to_string(),
    );
    let served = Served::of(&place, &["--clock", "real", "--scenario", "world.yaml"]);
    let mut child = start(served.client(&place, &ONCE));
    let mut log = BufReader::new(child.stderr.take().expect("the log is piped"));
    // The instances take an hour to go: after four passes nothing else is left.
    wait_for_line(&mut log, "pass=5");
    signal(&child, Signal::TERM);
    let run = end(child).exits(143);
    assert!(
        run.stdout
            .contains("InstancePolicy/demo-builders  on its way: "),
        "{}",
        run.stdout
    );
}

fn wait_for_line(log: &mut BufReader<ChildStderr>, words: &str) {
    let mut lines = log.lines().map_while(Result::ok);
    assert!(
        lines.any(|it| it.contains(words)),
        "the log never said {words}"
    );
}

#[test]
fn the_time_limit_ends_a_run_like_a_signal() {
    let place = images_alone();
    let served = slow_cloud(&place, 3);
    let child = start(served.client(&place, &[&ONCE[..], &["--timeout", "2s"]].concat()));
    let run = end(child).exits(1);
    assert_eq!(served.writes(), LATE, "{}", run.stdout);
    assert!(
        run.stdout.contains("Done: 0 created, 5 changed"),
        "{}",
        run.stdout
    );
    finish(&mut served.client(&place, &ONCE)).exits(0);
}

#[test]
fn two_processes_with_one_status_directory_take_turns() {
    let place = images_alone();
    let served = slow_cloud(&place, 3);
    let first = start(served.client(&place, &ONCE));
    served.wait_for_writes(LATE);
    let second = start(served.client(&place, &ONCE));
    end(first).exits(0);
    let writes = served.writes();
    let second = end(second).exits(0);
    assert!(second.stdout.contains("No changes. "), "{}", second.stdout);
    assert_eq!(served.writes(), writes);
}

#[test]
fn two_processes_with_status_directories_of_their_own_come_to_the_same_end() {
    let place = images_alone();
    let served = Served::of(&place, &["--clock", "real", "--scenario", "world.yaml"]);
    let run =
        |status| start(served.client(&place, &["--once", "--wait", "20m", "--status-dir", status]));
    let both = [run("one"), run("two")].map(end);
    let state = served.ask("/_sim/state");
    for run in both {
        // A step fails when the other process takes away what it is about.
        assert!([Some(0), Some(1)].contains(&run.code), "{run:?}");
        let last = run.stdout.lines().last().unwrap_or_default();
        assert!(last.ends_with("Everything is as declared."), "{last}");
    }
    let again = finish(&mut served.client(&place, &["--once", "--status-dir", "three"])).exits(0);
    assert!(again.stdout.contains("No changes. "), "{}", again.stdout);
    assert_eq!(served.ask("/_sim/state")["regions"], state["regions"]);
}
