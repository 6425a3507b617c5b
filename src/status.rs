//! What is said about a resource, as conditions in the sense of Kubernetes: pure.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::plan::{Health, Notice, Why};

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can tell.
    Unknown,
}

/// One thing that is said about a resource. `Ready` always is; `Reconciling` and `Stalled` only while they hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What it is about, as in `Ready`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it holds.
    pub status: Truth,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence; may be empty.
    pub message: String,
    /// Since when it has had this status.
    pub since: Timestamp,
}

/// What a pass found out about a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It could not be looked at.
    Unseen(&'a Fault),
    /// It was looked at and planned.
    Seen {
        /// How it is.
        health: &'a Health,
        /// What else is to be known.
        notices: &'a [Notice],
        /// What is left to do, and why it is; none: nothing.
        open: Option<Open>,
    },
}

/// What is left to do at the end of a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Open {
    /// So many steps, for the next pass.
    Steps(usize),
    /// So many steps, which were done and do not show yet.
    Settling(usize),
    /// So many steps, which are held back, and why.
    Suspended(usize, String),
    /// A guard refused; what it said.
    Refused(String),
    /// A fact is missing about an object; which.
    Unknown(String),
    /// A step failed; how.
    Failed(Fault),
}

/// Says what is to be said at `now`: of what was found out, and what stands whatever that is. `previous` gives the times
/// of what has not changed.
pub fn conditions(
    previous: &[Condition],
    (outcome, standing): (&Outcome<'_>, &[Notice]),
    now: Timestamp,
) -> Vec<Condition> {
    let mut said = match outcome {
        Outcome::Unseen(fault) => unseen(fault),
        Outcome::Seen {
            health,
            notices,
            open,
        } => {
            let mut said = seen(health, open.as_ref());
            said.extend(noticed(notices));
            said
        }
    };
    said.extend(noticed(standing));
    for it in &mut said {
        let before = previous
            .iter()
            .find(|old| old.kind == it.kind && old.status == it.status);
        it.since = before.map_or(now, |old| old.since);
    }
    said
}

fn condition(kind: &str, status: Truth, why: &Why) -> Condition {
    Condition {
        kind: kind.to_owned(),
        status,
        reason: why.reason.to_owned(),
        message: why.message.clone(),
        since: Timestamp::EPOCH,
    }
}

fn unseen(fault: &Fault) -> Vec<Condition> {
    let why = Why::new(fault.class.name(), fault);
    let mut said = vec![condition("Ready", Truth::Unknown, &why)];
    let kind = if fault.class.is_final() {
        "Stalled"
    } else {
        "Reconciling"
    };
    said.push(condition(kind, Truth::True, &why));
    said
}

fn seen(health: &Health, open: Option<&Open>) -> Vec<Condition> {
    let not_ready = |kind, why: &Why| {
        vec![
            condition("Ready", Truth::False, why),
            condition(kind, Truth::True, why),
        ]
    };
    match (health, open) {
        (Health::Stuck(why), _) => not_ready("Stalled", why),
        (_, Some(Open::Refused(message))) => {
            not_ready("Stalled", &Why::new("GuardRefused", message))
        }
        (_, Some(Open::Suspended(steps, reason))) => {
            let why = Why::new(
                "Suspended",
                format!("{} held back: {reason}", actions(*steps, "is", "are")),
            );
            vec![
                condition("Ready", Truth::False, &why),
                condition("Suspended", Truth::True, &why),
            ]
        }
        (_, Some(Open::Failed(fault))) => {
            let kind = if fault.class.is_final() {
                "Stalled"
            } else {
                "Reconciling"
            };
            not_ready(kind, &Why::new("ActionFailed", fault))
        }
        (_, Some(Open::Steps(steps))) => {
            let message = format!("{} left", actions(*steps, "is", "are"));
            not_ready("Reconciling", &Why::new("ActionsPlanned", message))
        }
        (_, Some(Open::Settling(steps))) => {
            let message = format!(
                "{} done and cannot be seen yet",
                actions(*steps, "was", "were")
            );
            not_ready("Reconciling", &Why::new("Settling", message))
        }
        (Health::Working(why), _) => not_ready("Reconciling", why),
        (Health::Ready, Some(Open::Unknown(message))) => {
            vec![condition(
                "Ready",
                Truth::Unknown,
                &Why::new("FactUnknown", message),
            )]
        }
        (Health::Ready, None) => {
            vec![condition("Ready", Truth::True, &Why::new("AsDeclared", ""))]
        }
    }
}

fn actions(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 action {one}"),
        _ => format!("{count} actions {many}"),
    }
}

/// One condition a type: what is said of several objects goes into one message.
fn noticed(notices: &[Notice]) -> Vec<Condition> {
    let mut said: Vec<Condition> = Vec::new();
    for notice in notices {
        match said.iter_mut().find(|it| it.kind == notice.kind) {
            Some(known) => {
                known.message.push_str("; ");
                known.message.push_str(&notice.why.message);
            }
            None => said.push(condition(notice.kind, Truth::True, &notice.why)),
        }
    }
    said
}
