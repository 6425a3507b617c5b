//! What became of the builds of a version so far: counted from the cloud, so that a lost data directory does not reset it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::InstanceId;
use crate::kinds::architecture::Architecture;
use crate::providers::aliyun::Progress;

use super::seen::{Bench, Command};

/// What no command tells of: that a machine or an image was given up, or that it was there at all.
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
    /// Why it was given up, in words; empty: it was not.
    pub why: String,
    /// When that was seen first.
    pub at: Timestamp,
}

/// What became of a machine or an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It was given up.
    GivenUp,
    /// It was there: a machine that is so no more was taken away.
    Seen,
    /// The image was there, as good as done.
    Built,
    /// It was not there any more.
    Missing,
}

impl Loss {
    const ALL: [Self; 4] = [Self::GivenUp, Self::Seen, Self::Built, Self::Missing];

    /// How the names begin under which it is remembered.
    fn prefix(self) -> &'static str {
        match self {
            Self::GivenUp => "build-failed",
            Self::Seen => "build-machine",
            Self::Built => "build-image",
            Self::Missing => "build-missing",
        }
    }
}

impl Lost {
    /// The name under which it is remembered.
    pub(super) fn name(&self) -> String {
        let (prefix, architecture) = (self.kind.prefix(), self.architecture);
        let (version, object, why) = (&self.version, &self.object, &self.why);
        let name = format!("{prefix} {architecture} {version} {object} {why}");
        name.trim_end().to_owned()
    }

    fn read(name: &str, at: Timestamp) -> Option<Self> {
        let mut words = name.splitn(5, ' ');
        let prefix = words.next()?;
        Some(Self {
            kind: Loss::ALL.into_iter().find(|it| it.prefix() == prefix)?,
            architecture: Architecture::named(words.next()?)?,
            version: words.next()?.to_owned(),
            object: words.next()?.to_owned(),
            why: words.next().unwrap_or_default().to_owned(),
            at,
        })
    }
}

/// What was remembered.
pub(super) fn lost(remembered: &BTreeMap<String, Timestamp>) -> Vec<Lost> {
    let read = |(name, at): (&String, &Timestamp)| Lost::read(name, *at);
    remembered.iter().filter_map(read).collect()
}

/// The wait after the first failure; each further one is twice as long.
const BACKOFF_FIRST: Duration = Duration::from_secs(60);
/// The wait that is not grown beyond.
const BACKOFF_MAX: Duration = Duration::from_secs(3600);

/// A machine that was seen so long ago and is not seen now is gone: no listing is so much behind. Before that it may be
/// there, and a launch asks by the same token.
pub(super) const GONE_AFTER: Duration = Duration::from_secs(5 * 60);

/// What became of the builds of one version for one architecture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct History<'a> {
    /// Machines and images so far: each new one needs a token of its own.
    pub(super) attempts: usize,
    /// How many builds failed in a row by the version's own fault.
    pub(super) failed: u32,
    /// How many came to nothing, for whatever reason.
    pub(super) in_vain: u32,
    /// When the last one did.
    pub(super) last: Option<Timestamp>,
    /// The last failure.
    pub(super) failure: Option<Failure<'a>>,
}

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure<'a> {
    /// The script.
    Script(&'a Command),
    /// A machine or an image.
    GivenUp(&'a Lost),
}

impl History<'_> {
    /// When the next attempt may begin; none: at once.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let times = self.in_vain.checked_sub(1)?;
        let wait = BACKOFF_FIRST.saturating_mul(1 << times.min(16));
        Some(self.last?.plus(wait.min(BACKOFF_MAX)))
    }
}

/// No machine of a build lives longer: script and image may take half a day each.
const LIFE_MAX: Duration = Duration::from_secs(48 * 3600);

/// The machines that were there for a version of late and that no listing shows as ours.
pub(super) fn unseen(
    bench: &Bench,
    (architecture, now): (Architecture, Timestamp),
    version: &str,
) -> Vec<InstanceId> {
    let is_of_late = |at: Timestamp| now.since(at) < LIFE_MAX;
    let commands = bench.commands.iter().flatten();
    let commands = commands
        .filter(|it| it.architecture == Some(architecture) && it.version == version)
        .filter(|it| is_of_late(it.created))
        .map(|it| it.instance.as_str());
    let lost = bench.lost.iter().filter(|it| {
        it.kind == Loss::Seen
            && it.architecture == architecture
            && it.version == version
            && is_of_late(it.at)
    });
    let all: BTreeSet<&str> = commands.chain(lost.map(|it| it.object.as_str())).collect();
    let is_shown = |it: &&str| bench.builders.iter().any(|shown| shown.id.as_str() == *it);
    all.into_iter()
        .filter(|it| !is_shown(it))
        .map(InstanceId::new)
        .collect()
}

/// What became of the builds of a version of which there is no image.
pub(super) fn history<'a>(
    bench: &'a Bench,
    (architecture, now): (Architecture, Timestamp),
    version: &str,
) -> History<'a> {
    let mut records: BTreeMap<&str, Record<'a>> = BTreeMap::new();
    for command in bench.commands.iter().flatten() {
        if command.architecture == Some(architecture) && command.version == version {
            let record = records.entry(command.instance.as_str()).or_default();
            record.command = Some(command);
        }
    }
    for lost in &bench.lost {
        if lost.architecture == architecture && lost.version == version {
            let is_old = now.since(lost.at) >= GONE_AFTER;
            match lost.kind {
                Loss::GivenUp => records.entry(&lost.object).or_default().given_up = Some(lost),
                Loss::Seen if is_old => records.entry(&lost.object).or_default().seen = Some(lost),
                Loss::Seen | Loss::Built | Loss::Missing => {}
            }
        }
    }
    let is_there = |it: &str| bench.builders.iter().any(|there| there.id.as_str() == it);
    let ends = records.iter().filter_map(|(id, it)| it.end(is_there(id)));
    let mut ends: Vec<(Timestamp, End<'a>)> = ends.collect();
    ends.sort_by_key(|(at, _)| *at);
    let mut history = History {
        attempts: records.len(),
        ..History::default()
    };
    for (index, (at, end)) in ends.iter().enumerate() {
        history.count(*at, *end, ends.get(index + 1).map(|(_, next)| *next));
    }
    history
}

impl<'a> History<'a> {
    /// Counts how a build came to nothing; `next`: how the one after it did.
    fn count(&mut self, at: Timestamp, end: End<'a>, next: Option<End<'a>>) {
        self.in_vain += 1;
        self.last = Some(at);
        match (end, next) {
            (End::Failed(failure), _) => {
                self.failed += 1;
                self.failure = Some(failure);
            }
            // The images of a machine whose script worked may fail all the same.
            (End::Worked, Some(End::Failed(Failure::GivenUp(_)))) | (End::CutOff, _) => {}
            (End::Worked, _) => (self.failed, self.failure) = (0, None),
        }
    }
}

/// Whether the service says that the machine went away under a command (Cloud Assistant API reference,
/// `DescribeInvocations`, `ErrorCode`).
fn is_of_machine(why: &str) -> bool {
    [
        "InstanceReleased",
        "InstanceNotRunning",
        "InstanceNotExists",
    ]
    .iter()
    .any(|it| why.contains(it))
}

/// How a build came to nothing.
#[derive(Clone, Copy)]
enum End<'a> {
    /// By the fault of what was built.
    Failed(Failure<'a>),
    /// The machine went away under its script, or before.
    CutOff,
    /// Its script worked; the machine is gone, and no image is there any more.
    Worked,
}

/// What is known of a machine or an image.
#[derive(Default)]
struct Record<'a> {
    command: Option<&'a Command>,
    given_up: Option<&'a Lost>,
    seen: Option<&'a Lost>,
}

impl<'a> Record<'a> {
    /// When it came to nothing, and how; none: it is under way.
    fn end(&self, is_there: bool) -> Option<(Timestamp, End<'a>)> {
        if let Some(lost) = self.given_up {
            return Some((lost.at, End::Failed(Failure::GivenUp(lost))));
        }
        let Some(command) = self.command else {
            return self
                .seen
                .filter(|_| !is_there)
                .map(|it| (it.at, End::CutOff));
        };
        let end = match &command.progress {
            Progress::Failed {
                exit_code: None,
                why,
            } if is_of_machine(why) || !(is_there || why.starts_with("Timeout")) => End::CutOff,
            Progress::Failed { .. } => End::Failed(Failure::Script(command)),
            Progress::Running | Progress::Succeeded if is_there => return None,
            Progress::Running => End::CutOff,
            Progress::Succeeded => End::Worked,
        };
        Some((command.finished.unwrap_or(command.created), end))
    }
}
