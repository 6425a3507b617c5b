//! The program as it is released: how large it is, how soon it asks, and what it needs while it runs.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::cloud::PROGRAM;
use crate::figures::{Figures, tell};

const MEGABYTE: f64 = 1e6;
/// Megabytes.
const BINARY_MAX: f64 = 17.0;
const STARTS: usize = 20;
/// How long anything may take at all.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the memory of a process is looked at.
const GLANCE: Duration = Duration::from_millis(1);

/// A folder with state files, and what a program left there.
pub(crate) struct Place(TempDir);

/// What became of a run of the program.
pub(crate) struct Ended {
    pub(crate) report: serde_json::Value,
    /// Megabytes that it held at most.
    pub(crate) memory: f64,
    pub(crate) took: Duration,
}

impl Place {
    /// A folder with one state file.
    pub(crate) fn declaring(state: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        fs::create_dir(folder.path().join("state")).expect("there is room for a folder");
        fs::write(folder.path().join("state/all.yaml"), state).expect("there is room for a file");
        Self(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear();
        command.env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        command
    }

    /// Runs the program to its end, with these variables.
    pub(crate) fn run(
        &self,
        environment: impl Iterator<Item = (String, String)>,
        arguments: &[&str],
    ) -> Ended {
        let printed = self.0.path().join("printed");
        let file = fs::File::create(&printed).expect("there is room for a file");
        let mut command = self.command(arguments);
        command
            .args(["--output", "json"])
            .envs(environment)
            .stdout(file);
        let (memory, took) = watched(&mut command);
        let printed = fs::read_to_string(printed).expect("the program printed text");
        let report = serde_json::from_str(&printed).unwrap_or_else(|it| panic!("{it}: {printed}"));
        Ended {
            report,
            memory,
            took,
        }
    }
}

/// Runs a program to its end, and looks at the most megabytes it held until then; the system forgets that with it.
pub(crate) fn watched(command: &mut Command) -> (f64, Duration) {
    let begun = Instant::now();
    let mut child = command.spawn().expect("the program can be started");
    let status = format!("/proc/{}/status", child.id());
    let (sender, receiver) = channel();
    let waiting = thread::spawn(move || {
        let code = child.wait().expect("a child can be waited for").code();
        let _ = sender.send((code, begun.elapsed()));
    });
    let mut kibibytes = 0.0;
    let (code, took) = loop {
        match receiver.recv_timeout(GLANCE) {
            Ok(ended) => break ended,
            Err(RecvTimeoutError::Timeout) => {
                kibibytes = peak(Path::new(&status)).unwrap_or(kibibytes);
            }
            Err(RecvTimeoutError::Disconnected) => panic!("nobody waits for the program"),
        }
        assert!(begun.elapsed() < PATIENCE, "the program does not end");
    };
    waiting.join().expect("it has ended");
    assert_eq!(code, Some(0), "the program fails");
    (kibibytes * 1024.0 / MEGABYTE, took)
}

fn peak(status: &Path) -> Option<f64> {
    let status = fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

pub(crate) fn measure(figures: &mut Figures) {
    let size = fs::metadata(PROGRAM).expect("the program was built").len();
    #[expect(clippy::cast_precision_loss, reason = "a program is not that large")]
    let size = size as f64 / MEGABYTE;
    tell("release binary, MB", format!("{size:.1}"));
    figures.hold(
        size < BINARY_MAX,
        &format!("the binary has {size:.1} MB, {BINARY_MAX} are allowed"),
    );
    let place = Place::declaring(&example());
    // The first one makes the status directory, and waits for the disk.
    first_request(&place);
    let mut starts: Vec<f64> = (0..STARTS).map(|_| first_request(&place)).collect();
    starts.sort_by(f64::total_cmp);
    tell(
        "process start to first request, median of 20, ms",
        format!("{:.1} (best {:.1})", starts[STARTS / 2], starts[0]),
    );
}

/// From the start of a pass over the example's files to the first byte that a server gets of it, in milliseconds.
fn first_request(place: &Place) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
    let base = format!(
        "http://{}",
        listener.local_addr().expect("a listener has an address")
    );
    let (sender, receiver) = channel();
    let mut command = place.command(&["--once"]);
    for endpoint in ["ALIYUN_ECS_ENDPOINT", "ALIYUN_STS_ENDPOINT"] {
        command.env(endpoint, &base);
    }
    command
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "nobody")
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "nothing");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn().expect("the program can be started");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection comes");
        stream.read_exact(&mut [0]).expect("a request comes");
        let _ = sender.send((begun.elapsed(), stream));
    });
    let asked = receiver.recv_timeout(PATIENCE);
    child.kill().expect("a child can be killed");
    child.wait().expect("a child can be waited for");
    let (took, _) = asked.expect("the program asks for something");
    took.as_secs_f64() * 1e3
}

fn example() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("state");
    let files = ["region.yaml", "images.yaml", "instances.yaml"];
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("the examples are there");
    files.map(read).join("\n---\n")
}
