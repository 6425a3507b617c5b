//! What became of the builds of a version so far: counted from the cloud, so that a lost data directory does not reset it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::kinds::architecture::Architecture;
use crate::providers::aliyun::Progress;

use super::seen::{Bench, Command};

/// What no command tells of: a machine or an image that was given up, or that a machine was there at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// What became of it.
    pub kind: Loss,
    /// What was built for.
    pub architecture: Architecture,
    /// The version that was built.
    pub version: String,
    /// The machine or the image.
    pub object: String,
    /// When that was seen first.
    pub at: Timestamp,
}

/// What became of a machine or an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It was given up.
    GivenUp,
    /// It was there: a machine that is so no more, and never had a command, was taken away.
    Seen,
}

impl Loss {
    const ALL: [Self; 2] = [Self::GivenUp, Self::Seen];

    /// How the names begin under which it is remembered.
    fn prefix(self) -> &'static str {
        match self {
            Self::GivenUp => "build-failed",
            Self::Seen => "build-machine",
        }
    }
}

impl Lost {
    /// The name under which it is remembered.
    pub(super) fn name(&self) -> String {
        let (prefix, architecture, version) =
            (self.kind.prefix(), self.architecture, &self.version);
        format!("{prefix} {architecture} {version} {}", self.object)
    }
}

/// What was remembered.
pub(super) fn lost(remembered: &BTreeMap<String, Timestamp>) -> Vec<Lost> {
    let read = |(name, at): (&String, &Timestamp)| {
        let mut words = name.split_whitespace();
        let prefix = words.next()?;
        let kind = Loss::ALL.into_iter().find(|it| it.prefix() == prefix)?;
        Some(Lost {
            kind,
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

/// A machine that was seen so long ago and is not seen now is gone: no listing is so much behind. Before that it may be
/// there, and a launch asks by the same token.
const GONE_AFTER: Duration = Duration::from_secs(5 * 60);

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
    (architecture, now): (Architecture, Timestamp),
    version: &str,
) -> History<'a> {
    let commands = bench.commands.iter().flatten();
    let commands: Vec<&Command> = commands
        .filter(|it| it.architecture == Some(architecture) && it.version == version)
        .collect();
    let is_lost = |it: &&Lost| {
        let counts = it.kind == Loss::GivenUp || now.since(it.at) >= GONE_AFTER;
        counts && it.architecture == architecture && it.version == version
    };
    let lost: Vec<&Lost> = bench.lost.iter().filter(is_lost).collect();
    let mut objects: BTreeSet<&str> = lost.iter().map(|it| it.object.as_str()).collect();
    let given_up: BTreeSet<&str> = lost
        .iter()
        .filter(|it| it.kind == Loss::GivenUp)
        .map(|it| it.object.as_str())
        .collect();
    // These tell more than that they were seen.
    let mut told_of = given_up.clone();
    told_of.extend(commands.iter().map(|it| it.instance.as_str()));
    told_of.extend(bench.builders.iter().map(|it| it.id.as_str()));
    objects.extend(commands.iter().map(|it| it.instance.as_str()));
    let end_of = |it: &&Lost| match it.kind {
        Loss::GivenUp => Some((it.at, End::Failed(None))),
        Loss::Seen if told_of.contains(it.object.as_str()) => None,
        Loss::Seen => Some((it.at, End::CutOff)),
    };
    let mut ends: Vec<(Timestamp, End<'a>)> = lost.iter().filter_map(end_of).collect();
    let told = commands
        .iter()
        .filter(|it| !given_up.contains(it.instance.as_str()));
    ends.extend(told.filter_map(|it| end(it)));
    ends.sort_by_key(|(at, _)| *at);
    let mut history = History {
        attempts: objects.len(),
        ..History::default()
    };
    let mut ends = ends.into_iter().peekable();
    while let Some((at, end)) = ends.next() {
        let next = ends.peek().map(|(_, it)| *it);
        history.count(at, end, next);
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
    /// Counts how a build ended; `next`: how the one after it did.
    fn count(&mut self, at: Timestamp, end: End<'a>, next: Option<End<'a>>) {
        match (end, next) {
            // That its script succeeded says nothing yet: its image may be made, or fail next.
            (End::Succeeded, None | Some(End::Failed(None))) => return,
            (End::Succeeded, Some(End::Succeeded | End::Failed(Some(_)) | End::CutOff)) => {
                (self.failed, self.in_vain, self.command) = (0, 0, None);
            }
            (End::Failed(command), _) => {
                self.failed += 1;
                self.in_vain += 1;
                self.command = command;
            }
            (End::CutOff, _) => self.in_vain += 1,
        }
        self.last = Some(at);
    }
}
