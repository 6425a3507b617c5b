//! What is to be done about one resource, as a value: printed, counted, guarded, and only then carried out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What one kind of change does to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Makes an object.
    Create,
    /// Changes an object.
    Update,
    /// Removes an object.
    Delete,
}

impl Verb {
    /// The symbol that begins a line of a plan.
    pub fn symbol(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update => '~',
            Self::Delete => '-',
        }
    }
}

/// Why a step is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A field of the state file says so; the field's path, as in `spec.latest.imageId`.
    File(&'static str),
    /// Somebody or something changed what we had brought about.
    Drift,
    /// Time has passed, or more has come; the rule.
    Clock(String),
    /// What this resource depends on has moved; what moved.
    Upstream(String),
    /// An earlier pass had begun this step.
    Resume,
}

/// A reason in one word, for programs, and in a sentence, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// One word in `CamelCase`.
    pub reason: &'static str,
    /// What a person reads.
    pub message: String,
}

impl Why {
    /// Puts both together.
    pub fn new(reason: &'static str, message: impl fmt::Display) -> Self {
        Self {
            reason,
            message: message.to_string(),
        }
    }
}

/// How one resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// As declared, as far as it was seen.
    Ready,
    /// On its way: a later pass goes on with it.
    Working(Why),
    /// Nothing will change until somebody changes something.
    Stuck(Why),
}

/// Something else to know about a resource, besides its health: a condition of its own type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The type of the condition, as in `InUse`.
    pub kind: &'static str,
    /// What it says.
    pub why: Why,
}

/// An object about which a fact is missing, so that nothing is done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownObject {
    /// The object.
    pub object: String,
    /// What is missing.
    pub reason: String,
}

/// An object that was seen and left alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unmanaged {
    /// What sort of object, as in `image`.
    pub kind: &'static str,
    /// Its id.
    pub object: String,
    /// Its name, which may be empty.
    pub name: String,
    /// Why it is left alone.
    pub reason: String,
}

/// A machine of ours that is paid for by the hour.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rent {
    /// The machine.
    pub object: String,
    /// Its type and where it is, as in `ecs.c7.large in cn-hangzhou-k`.
    pub machine: String,
    /// What an hour costs, in millionths of a CNY.
    pub hourly_millionths: u64,
    /// Since when.
    pub since: Timestamp,
    /// When the service releases it by itself; none: never.
    pub until: Option<Timestamp>,
}

impl Rent {
    /// What it has cost by `now`, and what it costs from then on at most, were nobody there any more to release it; none:
    /// there is no bound. In millionths of a CNY.
    pub fn by(&self, now: Timestamp) -> (u64, Option<u64>) {
        let of = |time: Duration| {
            let cost = u128::from(self.hourly_millionths) * time.as_millis() / 3_600_000;
            u64::try_from(cost).unwrap_or(u64::MAX)
        };
        let more = self.until.map(|it| of(it.since(now)));
        (of(now.since(self.since)), more)
    }
}

/// Work that goes on in the cloud until it is done, whoever looks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Underway {
    /// What it is done for, as in `runner-amd64`.
    pub object: String,
    /// What is being done, in words that stay the same while it is.
    pub phase: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was over in the past; none: nothing tells.
    pub expected: Option<Timestamp>,
    /// How much of it is done, in percent; none: nothing tells.
    pub percent: Option<u8>,
}

/// One effect, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<Op> {
    /// What is done.
    pub op: Op,
    /// Why.
    pub cause: Cause,
    /// Steps of one chain are taken in their order, and none after one that failed.
    pub chain: String,
    /// The guarded group that this deletion counts against; none: not guarded.
    pub group: Option<String>,
}

/// What is to be done about one resource, in order.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<Op> {
    /// How the resource is, before any step is taken.
    pub health: Health,
    /// What is to be done; empty: nothing.
    pub steps: Vec<Step<Op>>,
    /// When it is worth looking again although nothing is to be done now; none: no reason to.
    pub look_again: Option<Duration>,
    /// What else is to be known.
    pub notices: Vec<Notice>,
    /// Objects about which a fact is missing.
    pub unknown: Vec<UnknownObject>,
    /// Objects that were seen and left alone.
    pub unmanaged: Vec<Unmanaged>,
    /// Machines of ours that are paid for by the hour.
    pub rents: Vec<Rent>,
    /// Work that goes on until it is done.
    pub underway: Vec<Underway>,
    /// How many objects each guarded group has.
    pub groups: BTreeMap<String, usize>,
    /// What to remember for the next observation: a time, or none to forget. Losing it costs calls, and where a registry
    /// lists nothing untagged, what a crash left of a deletion; never what is kept.
    pub remember: BTreeMap<Cow<'static, str>, Option<Timestamp>>,
    /// The fewest calls that could have told what was seen, by listing; equal listings are read once for all.
    pub listings: BTreeMap<String, u64>,
}

impl<Op> Plan<Op> {
    /// A plan that does nothing.
    pub fn idle(health: Health) -> Self {
        Self {
            health,
            steps: Vec::new(),
            look_again: None,
            notices: Vec::new(),
            unknown: Vec::new(),
            unmanaged: Vec::new(),
            rents: Vec::new(),
            underway: Vec::new(),
            groups: BTreeMap::new(),
            remember: BTreeMap::new(),
            listings: BTreeMap::new(),
        }
    }

    /// Makes the health no better than `health`: stuck is worse than working, working worse than ready.
    pub fn worsen(&mut self, health: Health) {
        let is_worse = match (&self.health, &health) {
            (Health::Ready, _) | (Health::Working(_), Health::Stuck(_)) => true,
            (Health::Working(_) | Health::Stuck(_), _) => false,
        };
        if is_worse {
            self.health = health;
        }
    }

    /// The same plan over another type of op.
    pub fn map<T>(self, mut change: impl FnMut(Op) -> T) -> Plan<T> {
        let step = |step: Step<Op>| Step {
            op: change(step.op),
            cause: step.cause,
            chain: step.chain,
            group: step.group,
        };
        Plan {
            health: self.health,
            steps: self.steps.into_iter().map(step).collect(),
            look_again: self.look_again,
            notices: self.notices,
            unknown: self.unknown,
            unmanaged: self.unmanaged,
            rents: self.rents,
            underway: self.underway,
            groups: self.groups,
            remember: self.remember,
            listings: self.listings,
        }
    }
}

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Kept,
    /// It is removed.
    Goes,
    /// It is changed, and stays.
    Changes,
    /// It is none of the resource's business.
    LeftAlone,
    /// A fact is missing, so nothing is done to it.
    Unknown,
}

impl Fate {
    /// In a word or two.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Goes => "goes",
            Self::Changes => "changes",
            Self::LeftAlone => "left alone",
            Self::Unknown => "unknown",
        }
    }
}

/// Why an object is kept or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// The object's id.
    pub object: String,
    /// Its name; may be empty.
    pub name: String,
    /// What becomes of it.
    pub fate: Fate,
    /// The rule that says so.
    pub rule: String,
    /// What would change that.
    pub change: String,
    /// The field of the state file that the rule stands in.
    pub field: &'static str,
}

/// How many pages of `size` a listing of `count` items takes, at least one.
pub fn pages(count: usize, size: usize) -> u64 {
    u64::try_from(count.div_ceil(size).max(1)).unwrap_or(u64::MAX)
}
