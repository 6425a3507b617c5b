//! How fast calls may be sent: writes one a second, and none at all while GitHub asks for a pause.
//!
//! GitHub asks for a second between writes, and tells by `retry-after`, by `x-ratelimit-reset`, or in words alone when
//! the next call is welcome; then a minute at least, twice as long each time (GitHub Docs, "Best practices for using the
//! REST API").

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::retry::{Effect, Patience};

/// How long after a write the next one comes.
const BETWEEN_WRITES: Duration = Duration::from_secs(1);
/// The longest that one call waits for its turn. A longer pause is left to a later pass.
pub(super) const TURN_MAX: Duration = Duration::from_secs(300);
/// The first pause where GitHub does not say how long, and the longest.
const PAUSE_FIRST: Duration = Duration::from_secs(60);
const PAUSE_MOST: Duration = Duration::from_secs(960);

/// Lets calls through.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<State>);

#[derive(Clone, Copy, Debug)]
struct State {
    /// No call before.
    opens: Timestamp,
    /// No write before.
    next_write: Timestamp,
    /// The pauses in a row of which GitHub did not say how long they are.
    pauses: u32,
}

impl Default for State {
    fn default() -> Self {
        Self {
            opens: Timestamp::EPOCH,
            next_write: Timestamp::EPOCH,
            pauses: 0,
        }
    }
}

impl Pace {
    /// Waits until a call may be sent. Gives how long that would take instead, when it is longer than [`TURN_MAX`].
    pub(super) async fn turn(&self, patience: &Patience, effect: Effect) -> Result<(), Duration> {
        let begun = patience.now();
        loop {
            let now = patience.now();
            let opens = match effect {
                Effect::Read => self.change(|it| it.opens),
                Effect::Repeatable | Effect::Once => self.change(|it| it.slot(now)),
            };
            let wait = opens.since(now);
            if wait.is_zero() {
                return Ok(());
            }
            if opens.since(begun) > TURN_MAX {
                return Err(wait);
            }
            let reason = if self.change(|it| it.opens) > now {
                "throttling (github)"
            } else {
                "a write a second (github)"
            };
            patience.wait(reason, wait).await;
        }
    }

    /// Notes that a call was refused for now, and gives the pause that all calls make.
    pub(super) fn refused(&self, now: Timestamp, asked: Option<Duration>) -> Duration {
        self.change(|it| {
            let pause = asked.unwrap_or_else(|| it.pause());
            it.opens = it.opens.max(now.plus(pause));
            pause
        })
    }

    /// How long everybody pauses; none: not at all, or no longer than a call waits for its turn.
    pub(super) fn pause(&self, now: Timestamp) -> Option<Duration> {
        let pause = self.change(|it| it.opens).since(now);
        (pause > TURN_MAX).then_some(pause)
    }

    /// Notes that a call was served.
    pub(super) fn served(&self) {
        self.change(|it| it.pauses = 0);
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// When a write may be sent. When that is now, it is taken.
    fn slot(&mut self, now: Timestamp) -> Timestamp {
        let opens = self.opens.max(self.next_write);
        // A clock that was set back makes nobody wait for it.
        if opens <= now || self.next_write.since(now) > BETWEEN_WRITES && self.opens <= now {
            self.next_write = now.plus(BETWEEN_WRITES);
            return now;
        }
        opens
    }

    fn pause(&mut self) -> Duration {
        let pause = PAUSE_FIRST * 2_u32.saturating_pow(self.pauses.min(4));
        self.pauses += 1;
        pause.min(PAUSE_MOST)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::VirtualClock;

    fn patience() -> Patience {
        Patience::new(Arc::new(VirtualClock::starting_at(Timestamp::EPOCH)), 7)
    }

    #[tokio::test(start_paused = true)]
    async fn writes_come_one_a_second_and_reads_at_once() {
        let (pace, patience) = (Pace::default(), patience());
        for _ in 0..5 {
            pace.turn(&patience, Effect::Read).await.expect("a turn");
        }
        assert_eq!(patience.now(), Timestamp::EPOCH);
        for _ in 0..60 {
            pace.turn(&patience, Effect::Repeatable)
                .await
                .expect("a turn");
        }
        assert_eq!(patience.now().since(Timestamp::EPOCH).as_secs(), 59);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_for_all_and_a_long_one_is_left_to_a_later_pass() {
        let (pace, patience) = (Pace::default(), patience());
        pace.refused(patience.now(), Some(Duration::from_secs(7)));
        pace.turn(&patience, Effect::Read).await.expect("a turn");
        assert_eq!(patience.now().since(Timestamp::EPOCH).as_secs(), 7);
        let hour = Duration::from_secs(3600);
        pace.refused(patience.now(), Some(hour));
        assert_eq!(pace.turn(&patience, Effect::Once).await, Err(hour));
        assert_eq!(
            patience.now().since(Timestamp::EPOCH).as_secs(),
            7,
            "nobody waited"
        );
    }

    #[test]
    fn pauses_double_until_a_call_is_served() {
        let pace = Pace::default();
        let pause = || pace.refused(Timestamp::EPOCH, None).as_secs();
        assert_eq!([pause(), pause(), pause()], [60, 120, 240]);
        assert_eq!([pause(), pause(), pause()], [480, 960, 960]);
        pace.served();
        assert_eq!(pace.refused(Timestamp::EPOCH, None).as_secs(), 60);
    }
}
