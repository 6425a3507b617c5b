//! What goes wrong: which call is struck, by what.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sim::{Answer, CallName, Delivery};

/// What can go wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TroubleKind {
    /// The connection is closed, nothing has happened.
    DropBefore,
    /// The connection is closed, but it has happened.
    DropAfter,
    /// Nothing happens, and the answer is `status` with `code`.
    Status,
    /// A listing shows what was `seconds` ago.
    Stale,
    /// Between two pages an entry moves to the front: one is missed, another one is seen twice.
    Torn,
    /// Between two pages an entry of an earlier page goes: one is missed, and the total is one less.
    TornShorter,
    /// Between two pages an entry comes in front of all others: one is seen twice, and the total is one more.
    TornLonger,
    /// It happens, but the answer cannot be read: with `status` a page of HTML, without it half a body.
    Garbage,
    /// It happens, but the answer takes `seconds`.
    Delay,
    /// `RunInstances` accepts, and `seconds` later the instances are gone (no stock after all).
    Vanish,
    /// `RunInstances` accepts, and `seconds` later the spot instances are reclaimed, five minutes after a warning.
    Reclaim,
    /// `CreateImage` accepts, and the image ends as `CreateFailed`.
    CreateFailed,
    /// `RunInstances` accepts, and Cloud Assistant's agent never comes online.
    AgentNever,
    /// `RunInstances` accepts, and Cloud Assistant's agent comes online `seconds` later than usual.
    AgentLate,
    /// `RunCommand` accepts, and `seconds` after the script began it ends with `exitCode`, having written `output`.
    ScriptEnds,
    /// `RunCommand` accepts, and the script does not end before its time is up.
    ScriptHangs,
    /// `RunCommand` accepts, and `seconds` after the script began the instance shuts itself down.
    ShutsDown,
}

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trouble {
    /// As in `ecs`; left out: any.
    #[serde(default)]
    pub service: Option<String>,
    /// As in `DescribeImages`; left out: any.
    #[serde(default)]
    pub action: Option<String>,
    /// As in the list of calls; left out: any; empty: only calls that name none.
    #[serde(default)]
    pub object: Option<String>,
    /// The first call to strike among those that match, from 1, counted since the trouble was set.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many to strike in a row.
    #[serde(default = "one")]
    pub times: u64,
    /// Strikes again each time that so many more have matched; 0: never.
    #[serde(default)]
    pub every: u64,
    /// What happens.
    pub fault: TroubleKind,
    /// For `status` and `garbage`.
    #[serde(default)]
    pub status: Option<u16>,
    /// For `status`: the error code.
    #[serde(default)]
    pub code: Option<String>,
    /// For `stale`, `delay`, `vanish`, `reclaim`, `agentLate`, `scriptEnds`, `shutsDown`; for a `status` of 429 when to
    /// come again.
    #[serde(default)]
    pub seconds: u64,
    /// For `scriptEnds`.
    #[serde(default = "one_code")]
    pub exit_code: i64,
    /// For `scriptEnds`: how many bytes.
    #[serde(default)]
    pub output: usize,
}

fn one() -> u64 {
    1
}

fn one_code() -> i64 {
    1
}

impl Trouble {
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    fn is_meant(&self, name: &CallName) -> bool {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|it| it == is);
        fits(&self.service, name.service)
            && fits(&self.action, &name.action)
            && fits(&self.object, name.object.as_deref().unwrap_or_default())
    }

    /// Whether the call that matched as number `seen` is one to strike.
    fn strikes(&self, seen: u64) -> bool {
        let Some(after) = seen.checked_sub(self.nth) else {
            return false;
        };
        let after = after.checked_rem(self.every).unwrap_or(after);
        after < self.times
    }

    /// What the client gets of an answer after the call had its effect.
    pub(crate) fn spoil(&self, mut answer: Answer) -> Answer {
        match self.fault {
            TroubleKind::DropAfter | TroubleKind::DropBefore => cut(),
            TroubleKind::Delay => {
                answer.delivery = Delivery::Late(self.duration());
                answer
            }
            TroubleKind::Garbage => {
                let half = answer.body.len() / 2;
                answer.body.truncate(half);
                let page =
                    |it| Answer::new(it, "text/html", "<html><body>Bad Gateway</body></html>");
                self.status.map_or(answer, page)
            }
            TroubleKind::Status
            | TroubleKind::Stale
            | TroubleKind::Torn
            | TroubleKind::TornShorter
            | TroubleKind::TornLonger
            | TroubleKind::Vanish
            | TroubleKind::Reclaim
            | TroubleKind::CreateFailed
            | TroubleKind::AgentNever
            | TroubleKind::AgentLate
            | TroubleKind::ScriptEnds
            | TroubleKind::ScriptHangs
            | TroubleKind::ShutsDown => answer,
        }
    }
}

/// No answer: the connection is closed.
pub(crate) fn cut() -> Answer {
    let mut answer = Answer::new(0, "text/plain", "");
    answer.delivery = Delivery::Cut;
    answer
}

/// All troubles of a world, each with the number of calls that it has matched.
#[derive(Clone, Debug)]
pub(crate) struct Troubles(Vec<(Trouble, u64)>);

impl Troubles {
    pub(crate) fn new(troubles: Vec<Trouble>) -> Self {
        Self(troubles.into_iter().map(|it| (it, 0)).collect())
    }

    /// Counts the call for every trouble that matches, and says which strikes: the first in the list.
    pub(crate) fn strike(&mut self, name: &CallName) -> Option<Trouble> {
        let mut struck = None;
        for (trouble, seen) in &mut self.0 {
            if !trouble.is_meant(name) {
                continue;
            }
            *seen += 1;
            if struck.is_none() && trouble.strikes(*seen) {
                struck = Some(trouble.clone());
            }
        }
        struck
    }
}
