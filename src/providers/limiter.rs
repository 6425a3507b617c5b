//! How fast calls may be sent: found from the answers that refuse them, and shared by all who send calls of one kind.
//!
//! ECS counts the calls of each action, region and account in fixed windows of a minute, and does not tell how many it
//! allows (Quota Center documentation, "API rate quotas"). So nothing is limited until a first call is refused. That ends
//! the window for everybody, and as many as were served in it may be sent in each of the next ones. A limit that was used
//! up without a refusal is raised by one, two, four, …; a refusal takes that back, and the next try comes after twice as
//! many windows. What was learnt is forgotten once nobody has had to wait for ten minutes.

mod budget;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::http::Http;
use crate::fault::{Class, Fault};
use crate::retry::Patience;

use self::budget::{Budget, MINUTE, Moment, Turn};

pub use self::budget::Pass;

/// The longest that one call waits for its turn.
pub const TURN_MAX: Duration = Duration::from_secs(600);

/// Lets calls through as fast as they will be served.
#[derive(Debug)]
pub struct Limiter {
    http: Arc<Http>,
    patience: Arc<Patience>,
    budgets: Mutex<BTreeMap<String, Budget>>,
}

impl Limiter {
    /// Limits nothing yet.
    pub fn new(http: Arc<Http>, patience: Arc<Patience>) -> Self {
        Self {
            http,
            patience,
            budgets: Mutex::default(),
        }
    }

    /// Waits until a call of this kind, as in `ecs DescribeImages cn-hangzhou`, may be sent. Gives how long that would
    /// take instead, when it is longer than [`TURN_MAX`].
    pub async fn turn(&self, kind: &str) -> Result<Pass, Duration> {
        let begun = self.patience.now();
        loop {
            let moment = self.moment();
            let opens = match self.budget(kind, |it| it.turn(moment)) {
                Turn::Now(pass) => return Ok(pass),
                Turn::At(opens) => opens,
            };
            if opens.since(begun) > TURN_MAX {
                return Err(opens.since(moment.now));
            }
            let reason = format!("throttling ({kind})");
            self.patience.wait(&reason, opens.since(moment.now)).await;
        }
    }

    /// Learns from what became of a call.
    pub fn learn<T>(&self, kind: &str, pass: Pass, outcome: &Result<T, Fault>) {
        let moment = self.moment();
        let class = outcome.as_ref().err().map(|it| &it.class);
        self.budget(kind, |it| match class {
            Some(Class::Throttled { wait }) => it.refused(pass, moment, *wait),
            Some(_) | None => it.served(pass, moment),
        });
    }

    fn moment(&self) -> Moment {
        let minute = i64::try_from(MINUTE.as_millis()).unwrap_or(i64::MAX);
        let gone = self.http.now().millis().rem_euclid(minute);
        let rest = Duration::from_millis((minute - gone).unsigned_abs());
        Moment {
            now: self.patience.now(),
            rest,
        }
    }

    fn budget<T>(&self, kind: &str, change: impl FnOnce(&mut Budget) -> T) -> T {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        match budgets.get_mut(kind) {
            Some(budget) => change(budget),
            None => change(
                budgets
                    .entry(kind.to_owned())
                    .or_insert_with(|| Budget::new(self.moment())),
            ),
        }
    }
}
