//! The program as a person runs it: the real binary, an empty environment, folders of its own.

mod classes;
mod demo;
mod files;
mod forms;
mod lookup;
mod progress;
mod readme;
mod refusals;
mod saved_plans;
mod schemas;
mod settings;
mod status_folder;
mod why;
mod workflow;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Fails with all that was printed when the exit code is another one.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// The program in a folder, with nothing in its environment but a path; it asks nobody beyond loopback for credentials.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
    command.args(arguments).current_dir(folder).env_clear();
    command.env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command.env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    command
}

pub(crate) fn finish(command: &mut Command) -> Run {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the program can be started");
    Run {
        code: status.code(),
        stdout: String::from_utf8(stdout).expect("stdout is text"),
        stderr: String::from_utf8(stderr).expect("stderr is text"),
    }
}

/// Runs the program in the project's own folder.
pub(crate) fn reconcile(arguments: &[&str]) -> Run {
    finish(&mut command(
        Path::new(env!("CARGO_MANIFEST_DIR")),
        arguments,
    ))
}

/// A folder with state files of its own.
pub(crate) struct Place {
    folder: TempDir,
}

const SCRIPTED: &str = "\
apiVersion: reconcile/v1alpha1
kind: AliyunRegion
metadata: {name: away}
spec:
  regionId: cn-beijing
  scope: demo
  network: {vpcId: vpc-1, securityGroupId: sg-1, vSwitches: {cn-beijing-a: vsw-1}}
---
apiVersion: reconcile/v1alpha1
kind: InstanceClass
metadata: {name: builder}
spec: {regionRef: away, architecture: amd64}
---
apiVersion: reconcile/v1alpha1
kind: MachineImage
metadata: {name: scripted}
spec:
  regionRef: away
  namePrefix: scripted
  architectures: [amd64]
  base: {family: {amd64: base}}
  provision: {script: scripted.sh}
  instanceClassRefs: {amd64: builder}
";

impl Place {
    /// A folder with the project's example files.
    pub(crate) fn with_examples() -> Self {
        let place = Self::empty();
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("state");
        for entry in fs::read_dir(examples).expect("the examples are there") {
            let path = entry.expect("the examples can be read").path();
            let text = fs::read_to_string(&path).unwrap_or_default();
            let name = path
                .file_name()
                .expect("a file has a name")
                .to_string_lossy()
                .into_owned();
            if path.extension().is_some_and(|it| it == "yaml") {
                place.write(&format!("state/{name}"), &text);
            }
        }
        place.write_tools();
        place
    }

    /// Writes the script that the example files name.
    pub(crate) fn write_tools(&self) {
        let script = include_str!("../../state/scripts/tools.sh");
        fs::create_dir(self.path("state/scripts")).expect("it has none yet");
        self.write("state/scripts/tools.sh", script);
    }

    /// The same without what is built and without registries, for tests of machines and images that are there.
    pub(crate) fn with_machines() -> Self {
        let place = Self::with_examples();
        for file in ["builds", "registries", "repositories", "runners"] {
            let path = place.path(&format!("state/{file}.yaml"));
            fs::remove_file(path).expect("it is an example");
        }
        place
    }

    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        fs::create_dir(folder.path().join("state")).expect("a new folder is empty");
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file can be written");
    }

    /// Writes a line of images elsewhere that is built by this script, and what it needs; the script comes whole.
    pub(crate) fn write_scripted(&self, script: &str) {
        self.write("state/.script", script);
        fs::rename(self.path("state/.script"), self.path("state/scripted.sh"))
            .expect("a file can be renamed");
        self.write("state/scripted.yaml", SCRIPTED);
    }

    /// Replaces text in a file, which must be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).expect("the file is there");
        assert!(text.contains(from), "{name} has no {from}");
        self.write(name, &text.replace(from, to));
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        command(self.folder.path(), arguments)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        finish(&mut self.command(arguments))
    }
}
