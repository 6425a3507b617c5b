//! What became of the builds of a version so far: counted from the cloud, so that a lost data directory does not reset it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::kinds::architecture::Architecture;
use crate::providers::aliyun::Progress;

use super::seen::{Bench, Command};

/// A failure that no command tells of: the machine, or the image, and when it was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// What was built for.
    pub architecture: Architecture,
    /// The version that was built.
    pub version: String,
    /// The machine or the image.
    pub object: String,
    /// When it was given up.
    pub at: Timestamp,
}

/// How the names begin under which such failures are remembered.
const LOST: &str = "build-failed";

impl Lost {
    /// The name under which it is remembered.
    pub(super) fn name(&self) -> String {
        let (architecture, version) = (self.architecture, &self.version);
        format!("{LOST} {architecture} {version} {}", self.object)
    }
}

/// The failures that were remembered.
pub(super) fn lost(remembered: &BTreeMap<String, Timestamp>) -> Vec<Lost> {
    let read = |(name, at): (&String, &Timestamp)| {
        let mut words = name.strip_prefix(LOST)?.split_whitespace();
        Some(Lost {
            architecture: Architecture::named(words.next()?)?,
            version: words.next()?.to_owned(),
            object: words.next()?.to_owned(),
            at: *at,
        })
    };
    remembered.iter().filter_map(read).collect()
}

/// The wait after the first failure; each further one is twice as long.
const BACKOFF_FIRST: Duration = Duration::from_secs(60);
/// The wait that is not grown beyond.
const BACKOFF_MAX: Duration = Duration::from_secs(3600);

/// What became of the builds of one version for one architecture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct History<'a> {
    /// Machines and images so far: each new one needs a token of its own.
    pub(super) attempts: usize,
    /// How many builds failed in a row by the version's own fault.
    pub(super) failed: u32,
    /// How many came to nothing in a row, for whatever reason.
    pub(super) in_vain: u32,
    /// When the last one did.
    pub(super) last: Option<Timestamp>,
    /// The last command that failed.
    pub(super) command: Option<&'a Command>,
}

impl History<'_> {
    /// When the next attempt may begin; none: at once.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let times = self.in_vain.checked_sub(1)?;
        let wait = BACKOFF_FIRST.saturating_mul(1 << times.min(16));
        Some(self.last?.plus(wait.min(BACKOFF_MAX)))
    }
}

/// What became of the builds of a version.
pub(super) fn history<'a>(
    bench: &'a Bench,
    architecture: Architecture,
    version: &str,
) -> History<'a> {
    let commands = bench.commands.iter().flatten();
    let commands: Vec<&Command> = commands
        .filter(|it| it.architecture == Some(architecture) && it.version == version)
        .collect();
    let is_lost = |it: &&Lost| it.architecture == architecture && it.version == version;
    let lost: Vec<&Lost> = bench.lost.iter().filter(is_lost).collect();
    let mut objects: BTreeSet<&str> = lost.iter().map(|it| it.object.as_str()).collect();
    let given_up = objects.clone();
    objects.extend(commands.iter().map(|it| it.instance.as_str()));
    let mut ends: Vec<(Timestamp, End<'a>)> =
        lost.iter().map(|it| (it.at, End::Failed(None))).collect();
    let told = commands
        .iter()
        .filter(|it| !given_up.contains(it.instance.as_str()));
    ends.extend(told.filter_map(|it| end(it)));
    ends.sort_by_key(|(at, _)| *at);
    let mut history = History {
        attempts: objects.len(),
        ..History::default()
    };
    for (at, end) in ends {
        history.count(at, end);
    }
    history
}

/// How a build ended.
#[derive(Clone, Copy)]
enum End<'a> {
    Succeeded,
    /// By the fault of what was built.
    Failed(Option<&'a Command>),
    /// The machine went away under it.
    CutOff,
}

fn end(command: &Command) -> Option<(Timestamp, End<'_>)> {
    let at = command.finished.unwrap_or(command.created);
    let end = match &command.progress {
        Progress::Running => return None,
        Progress::Succeeded => End::Succeeded,
        Progress::Failed {
            exit_code: None,
            why,
        } if !why.starts_with("Timeout") => End::CutOff,
        Progress::Failed { .. } => End::Failed(Some(command)),
    };
    Some((at, end))
}

impl<'a> History<'a> {
    fn count(&mut self, at: Timestamp, end: End<'a>) {
        match end {
            // The image may still fail: what was lost afterwards counts again.
            End::Succeeded => (self.failed, self.in_vain, self.command) = (0, 0, None),
            End::Failed(command) => {
                self.failed += 1;
                self.in_vain += 1;
                self.command = command;
            }
            End::CutOff => self.in_vain += 1,
        }
        self.last = Some(at);
    }
}
