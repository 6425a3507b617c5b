//! What a run says, as a value, and its forms: text for people, JSON for programs, Markdown for workflows. Pure.

mod json;
mod markdown;
mod progress;
mod rent;
mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::ids::{ResourceId, Token};
use crate::plan::{Rent, Underway, UnknownObject, Unmanaged, Verb};
use crate::retry::Waits;
use crate::status::{Condition, Truth};

pub use markdown::escape;
pub use rent::cny;
pub use text::{Style, printable};

/// What a run, or a plan, says.
#[must_use]
#[derive(Debug)]
pub struct Report {
    /// When it began, by the local clock.
    pub started_at: Timestamp,
    /// When the resources were last seen, by the cloud's clock.
    pub seen_at: Timestamp,
    /// The resources, as last seen.
    pub resources: BTreeMap<ResourceId, Resource>,
    /// Everything that was done, or is to be.
    pub actions: Vec<Action>,
    /// Objects about which a fact was missing at the end.
    pub unknown: Vec<(ResourceId, UnknownObject)>,
    /// Objects that were seen and left alone.
    pub unmanaged: Vec<Unmanaged>,
    /// Requests.
    pub calls: Calls,
    /// Whether anything was carried out, or only planned.
    pub applied: bool,
    /// Whether the time ran out before everything was as declared.
    pub ran_out: bool,
}

/// One resource at the end of a run.
#[derive(Debug)]
pub struct Resource {
    /// How it is.
    pub state: State,
    /// What is said of it.
    pub conditions: Vec<Condition>,
    /// What others may use of it.
    pub outputs: BTreeMap<String, String>,
    /// Machines that are paid for by the hour for it, as last seen.
    pub rents: Vec<Rent>,
    /// Work for it that goes on in the cloud until it is done, as last seen.
    pub underway: Vec<Underway>,
}

/// How a resource is at the end of a run, in one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// As declared.
    Ready,
    /// On its way.
    Working,
    /// Held back by `policy.suspend`.
    Suspended,
    /// Somebody must change something.
    Stalled,
    /// A guard refused what is left to do.
    Refused,
    /// A fact about one of its objects is missing.
    FactUnknown,
    /// It could not be looked at.
    Unseen(Fault),
}

/// Requests that were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Those that change nothing.
    pub reads: u64,
    /// Those that may change something.
    pub writes: u64,
    /// By service.
    pub by_service: BTreeMap<String, u64>,
    /// The fewest that could have done it.
    pub lower_bound: u64,
    /// How long they had to wait, and what for.
    pub waits: Waits,
}

/// One effect, and what became of it.
#[derive(Clone, Debug)]
pub struct Action {
    /// Its token.
    pub id: Token,
    /// The pass it belongs to, from 1.
    pub pass: u32,
    /// The resource that wants it.
    pub resource: ResourceId,
    /// What it does to its object.
    pub verb: Verb,
    /// Its object; none before creation.
    pub object: Option<String>,
    /// What changes.
    pub summary: String,
    /// The effect as data, which the id is the hash of.
    pub effect: serde_json::Value,
    /// Why.
    pub cause: Cause,
    /// What became of it.
    pub result: Outcome,
}

/// Why an effect is wanted, with the place in the files where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// One of `file`, `drift`, `clock`, `upstream`, `resume`.
    pub kind: &'static str,
    /// The file and line that ask for it; none: no line of a file does.
    pub at: Option<(String, usize)>,
    /// The rule, or what moved; may be empty.
    pub detail: String,
}

/// What became of an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is still to be done.
    Planned,
    /// It was done.
    Done,
    /// It had been done already.
    AlreadyDone,
    /// The world had moved on; how.
    Stale(String),
    /// It failed.
    Failed(Fault),
    /// A guard refused it; what it said.
    Refused(String),
}

impl Outcome {
    /// Whether what follows it may be done too.
    pub fn goes_on(&self) -> bool {
        match self {
            Self::Done | Self::AlreadyDone => true,
            Self::Planned | Self::Stale(_) | Self::Failed(_) | Self::Refused(_) => false,
        }
    }

    /// In one word, as JSON output shows it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Done => "done",
            Self::AlreadyDone => "already-done",
            Self::Stale(_) => "stale",
            Self::Failed(_) => "failed",
            Self::Refused(_) => "refused",
        }
    }
}

impl Report {
    /// Whether no fact was unknown.
    pub fn is_complete(&self) -> bool {
        let is_known = |it: &Resource| !matches!(it.state, State::Unseen(_) | State::FactUnknown);
        self.unknown.is_empty() && self.resources.values().all(is_known)
    }

    /// Whether nothing is planned, under way, stalled, refused or unknown.
    pub fn is_converged(&self) -> bool {
        self.unknown.is_empty() && self.resources.values().all(|it| it.state == State::Ready)
    }

    /// The exit code, by the first rule of the table that applies.
    pub fn exit_code(&self) -> u8 {
        let faults = || self.resources.values().filter_map(Resource::fault);
        let failed = || self.last_pass().filter_map(Action::fault);
        let has = |class: &Class| faults().chain(failed()).any(|it| it.class == *class);
        let is_refused = |it: &Resource| it.fault().is_some_and(|it| it.class == Class::Denied);
        let any = |is: fn(&State) -> bool| self.resources.values().any(|it| is(&it.state));
        if has(&Class::Bug) {
            return 70;
        }
        if faults().any(|it| it.class == Class::Denied && it.service.is_none()) {
            return 78;
        }
        if has(&Class::Account)
            || (!self.resources.is_empty() && self.resources.values().all(is_refused))
        {
            return 77;
        }
        if failed().next().is_some()
            || self.ran_out
            || !self.is_complete()
            || any(|it| matches!(it, State::Stalled))
        {
            return 1;
        }
        let is_refused = |it: &Action| matches!(it.result, Outcome::Refused(_));
        if any(|it| matches!(it, State::Refused)) || self.last_pass().any(is_refused) {
            return 4;
        }
        0
    }

    /// Whether a step of a resource failed in the last pass that had any.
    pub fn has_failed(&self, id: &ResourceId) -> bool {
        self.last_pass()
            .any(|it| it.resource == *id && it.fault().is_some())
    }

    /// The actions of the last pass that had any.
    fn last_pass(&self) -> impl Iterator<Item = &Action> {
        let last = self
            .actions
            .iter()
            .map(|it| it.pass)
            .max()
            .unwrap_or_default();
        self.actions.iter().filter(move |it| it.pass == last)
    }

    /// How many actions of one verb came to an end that `is` accepts.
    fn count(&self, verb: Verb, is: fn(&Outcome) -> bool) -> usize {
        self.actions
            .iter()
            .filter(|it| it.verb == verb && is(&it.result))
            .count()
    }
}

impl Resource {
    /// Why it could not be looked at; none: it was.
    pub fn fault(&self) -> Option<&Fault> {
        match &self.state {
            State::Unseen(fault) => Some(fault),
            State::Ready
            | State::Working
            | State::Suspended
            | State::Stalled
            | State::Refused
            | State::FactUnknown => None,
        }
    }

    /// The condition that says whether it is as declared.
    pub fn ready(&self) -> Option<&Condition> {
        self.conditions.iter().find(|it| it.kind == "Ready")
    }

    /// What else is said of it and holds.
    fn others(&self) -> impl Iterator<Item = &Condition> {
        let is_other = |it: &&Condition| {
            it.status == Truth::True
                && !["Ready", "Reconciling", "Stalled"].contains(&it.kind.as_str())
        };
        self.conditions.iter().filter(is_other)
    }
}

impl Action {
    /// What begins its line: what it does, or that it is refused.
    fn symbol(&self) -> char {
        match self.result {
            Outcome::Refused(_) => '!',
            Outcome::Planned
            | Outcome::Done
            | Outcome::AlreadyDone
            | Outcome::Stale(_)
            | Outcome::Failed(_) => self.verb.symbol(),
        }
    }

    fn fault(&self) -> Option<&Fault> {
        match &self.result {
            Outcome::Failed(fault) => Some(fault),
            Outcome::Planned
            | Outcome::Done
            | Outcome::AlreadyDone
            | Outcome::Stale(_)
            | Outcome::Refused(_) => None,
        }
    }
}

impl Calls {
    /// Counts others with these.
    pub fn add(&mut self, others: &Self) {
        self.reads += others.reads;
        self.writes += others.writes;
        self.lower_bound += others.lower_bound;
        self.waits.add(&others.waits);
        for (service, count) in &others.by_service {
            *self.by_service.entry(service.clone()).or_default() += count;
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.reads + self.writes
    }

    /// The seconds that each reason made us wait.
    fn waited_for(&self) -> BTreeMap<&str, u64> {
        let reasons = self.waits.reasons.iter();
        reasons
            .map(|(it, wait)| (it.as_str(), seconds(*wait)))
            .collect()
    }
}

/// Whole seconds, begun ones too, so that no wait is none.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
