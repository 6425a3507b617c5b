//! What is to become of one machine: pure.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::resource::{Goal, Resource};

use super::seen::{Machine, Phase, Runner};
use super::spec::Spec;

/// What is to become of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A fact is missing, and which.
    Unknown(String),
    /// It comes up; how long it still may.
    Comes(Duration),
    /// Its runner has a job.
    Works,
    /// Its runner waits for a job; for how long the machine is there.
    Waits(Duration),
    /// It is on its way out, or GitHub still waits for it: nothing can be done yet.
    Leaves,
    /// It goes, and why.
    Goes(Reason),
}

/// Why a machine goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Its job is over.
    Done,
    /// It switched itself off before it had a job.
    SwitchedOff,
    /// Its runner did not come online in time.
    Silent,
    /// Its runner was online for long, and got no job although some wait.
    Ignored,
    /// No job waits for it, or it has waited for so long that another one had better.
    Idle,
    /// The cloud is about to take it.
    Reclaimed,
    /// The set is to go.
    Unwanted,
}

impl Reason {
    /// Whether the start is to be counted as one that failed.
    pub(super) fn is_failure(self) -> bool {
        match self {
            Self::SwitchedOff | Self::Silent | Self::Ignored => true,
            Self::Done | Self::Idle | Self::Reclaimed | Self::Unwanted => false,
        }
    }

    /// In words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Done => "its job is over",
            Self::SwitchedOff => "it switched itself off before it had a job",
            Self::Silent => "its runner did not come online in time",
            Self::Ignored => "its runner got no job although some wait",
            Self::Idle => "no job waits for it",
            Self::Reclaimed => "the cloud is about to take it",
            Self::Unwanted => "the set is to go",
        }
    }
}

/// Judges one machine at `now`, as far as that does not depend on how many are wanted.
pub(super) fn judge(resource: &Resource<Spec>, machine: &Machine, now: Timestamp) -> Verdict {
    let spec = &resource.spec;
    let runner = match &machine.runner {
        Fact::Known(runner) => *runner,
        Fact::Unknown(fault) => return Verdict::Unknown(fault.to_string()),
    };
    let age = machine.created.map_or(Duration::ZERO, |it| now.since(it));
    match (machine.phase, runner) {
        (Phase::Unknown, _) => Verdict::Unknown("its status is one that we do not know".to_owned()),
        // It can be deleted once it runs. GitHub gives a lost runner up after a while, and refuses to before.
        (Phase::Starting, Runner::Gone) | (Phase::Stopping, _) | (Phase::Stopped, Runner::Busy) => {
            Verdict::Leaves
        }
        (_, Runner::Gone) => Verdict::Goes(Reason::Done),
        (_, Runner::Busy) => Verdict::Works,
        // One that has waited for all of its life switched itself off as it must.
        (Phase::Stopped, Runner::Offline | Runner::Idle) if age >= spec.max_lifetime.0 => {
            Verdict::Goes(Reason::Idle)
        }
        (Phase::Stopped, Runner::Offline | Runner::Idle) => Verdict::Goes(Reason::SwitchedOff),
        (Phase::Reclaimed, Runner::Offline | Runner::Idle) => Verdict::Goes(Reason::Reclaimed),
        (Phase::Starting | Phase::Running, Runner::Offline | Runner::Idle)
            if resource.policy.ensure == Goal::Absent && machine.phase != Phase::Starting =>
        {
            Verdict::Goes(Reason::Unwanted)
        }
        (Phase::Starting | Phase::Running, Runner::Offline) => {
            let rest = spec.startup_timeout.0.saturating_sub(age);
            if rest.is_zero() && machine.phase == Phase::Running {
                Verdict::Goes(Reason::Silent)
            } else {
                Verdict::Comes(rest)
            }
        }
        (Phase::Starting | Phase::Running, Runner::Idle) => Verdict::Waits(age),
    }
}
