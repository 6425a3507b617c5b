//! A simulated cloud in a process of its own, and what it was asked.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The program, as it is released.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_reconcile");

/// A cloud that stays until this is dropped.
pub(crate) struct Cloud {
    child: Child,
    /// What it said of itself when it started.
    pub(crate) line: Value,
    _folder: TempDir,
}

/// Calls that a cloud has answered.
pub(crate) struct Calls {
    pub(crate) reads: usize,
    pub(crate) writes: usize,
    /// The number of the last one.
    pub(crate) last: u64,
}

impl Cloud {
    /// Starts a cloud as a scenario describes it.
    pub(crate) fn of(scenario: &Value) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let file = folder.path().join("scenario.yaml");
        fs::write(&file, scenario.to_string()).expect("there is room for a file");
        let mut command = Command::new(PROGRAM);
        command
            .args(["simulate", "--clock", "real", "--scenario"])
            .arg(file);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the cloud says where it is");
        let line = serde_json::from_str(&line).expect("the cloud speaks JSON");
        Self {
            child,
            line,
            _folder: folder,
        }
    }

    /// Puts objects into it.
    pub(crate) fn add(&self, objects: &Value) {
        self.administer("POST", "/_sim/objects", &objects.to_string());
    }

    /// What it was asked after call number `after`.
    pub(crate) fn calls_after(&self, after: u64) -> Calls {
        let answer = self.administer("GET", &format!("/_sim/calls?after={after}"), "");
        let calls = answer["calls"].as_array().expect("calls are a list");
        let writes = calls.iter().filter(|it| it["write"] == true).count();
        Calls {
            reads: calls.len() - writes,
            writes,
            last: answer["last"].as_u64().expect("calls have numbers"),
        }
    }

    /// The variables that lead a client to it.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (String, String)> {
        let variables = self.line["env"]
            .as_object()
            .expect("the environment is an object");
        let text = |value: &Value| value.as_str().expect("a variable is text").to_owned();
        variables
            .iter()
            .map(move |(name, value)| (name.clone(), text(value)))
    }

    fn administer(&self, method: &str, path: &str, body: &str) -> Value {
        let address = self.line["hostPort"]
            .as_str()
            .expect("the cloud has an address");
        let mut stream = TcpStream::connect(address).expect("the cloud listens");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream
            .write_all(head.as_bytes())
            .expect("the cloud listens");
        stream
            .write_all(body.as_bytes())
            .expect("the cloud listens");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("the cloud answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(body).expect("the cloud speaks JSON")
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
