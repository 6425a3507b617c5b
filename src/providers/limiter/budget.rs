//! What is known of one kind of calls: how many may be sent in which window. Pure.

use std::time::Duration;

use crate::clock::Timestamp;

/// The window that ECS counts in.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// By how much the service's minute may begin later than its `Date`, which is cut to the second, lets us think.
const MARGIN: Duration = Duration::from_secs(1);
/// The shortest window: who is asked to wait for less may be asked for a pause only.
const WINDOW_MIN: Duration = Duration::from_secs(1);
/// How many windows a limit stays as it is at most, before a higher one is tried.
const REST_MAX: u32 = 8;
/// How long a limit is remembered that nobody had to wait for.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// The right to send one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    window: Timestamp,
}

/// A time by the local clock, which windows are reckoned by: that of the service is only learnt, and may jump.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    /// Until the service's minute is over.
    pub(super) rest: Duration,
}

impl Moment {
    fn minute_begun(self) -> Timestamp {
        self.now.plus(self.rest).minus(MINUTE)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Now(Pass),
    /// Not before then; whether it is one's turn then is to be asked again.
    At(Timestamp),
}

/// What is known of one kind of calls.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    /// When the window begins; ahead of us after a refusal.
    opens: Timestamp,
    lasts: Duration,
    /// Calls that were let through in this window, and those of them that were served.
    sent: u64,
    served: u64,
    /// How many are let through in a window; none: all.
    limit: Option<u64>,
    /// By how much the limit is raised next.
    step: u64,
    /// Used-up windows until that happens, and how many it will be after the next refusal.
    rest: u32,
    next_rest: u32,
    /// The window that the last refusal ended, and how many were served in it.
    ended: Option<(Timestamp, u64)>,
    /// When the limit was last of use.
    needed: Timestamp,
}

impl Budget {
    pub(super) fn new(moment: Moment) -> Self {
        Self {
            opens: moment.minute_begun(),
            lasts: MINUTE,
            sent: 0,
            served: 0,
            limit: None,
            step: 1,
            rest: 0,
            next_rest: 1,
            ended: None,
            needed: moment.now,
        }
    }

    pub(super) fn turn(&mut self, moment: Moment) -> Turn {
        self.go_on(moment);
        let is_used_up = self.limit.is_some_and(|it| self.sent >= it);
        let opens = match (moment.now < self.opens, is_used_up) {
            (true, _) => self.opens,
            (false, true) => self.opens.plus(self.lasts),
            (false, false) => {
                self.sent += 1;
                return Turn::Now(Pass { window: self.opens });
            }
        };
        self.needed = moment.now;
        Turn::At(opens)
    }

    pub(super) fn served(&mut self, pass: Pass, moment: Moment) {
        self.go_on(moment);
        if pass.window == self.opens {
            self.served += 1;
        } else if let Some((window, served)) = &mut self.ended
            && *window == pass.window
        {
            // Its answer came after the refusal of one that was sent later.
            *served += 1;
            self.limit = self.limit.map(|it| it.max(*served));
        }
    }

    pub(super) fn refused(&mut self, pass: Pass, moment: Moment, asked: Option<Duration>) {
        self.go_on(moment);
        // Of those that were under way together the first one tells it all.
        if pass.window != self.opens {
            return;
        }
        let is_of_the_minute = |wait: Duration| wait.abs_diff(moment.rest) <= MARGIN;
        (self.opens, self.lasts) = match asked {
            None => (moment.now.plus(moment.rest + MARGIN), MINUTE),
            Some(wait) if is_of_the_minute(wait) => (moment.now.plus(wait), MINUTE),
            // It counts in windows of its own.
            Some(wait) => (moment.now.plus(wait), wait.clamp(WINDOW_MIN, MINUTE)),
        };
        self.ended = Some((pass.window, self.served));
        self.limit = Some(self.served.max(1));
        (self.sent, self.served) = (0, 0);
        (self.step, self.rest) = (1, self.next_rest);
        self.next_rest = (self.next_rest * 2).min(REST_MAX);
        self.needed = moment.now;
    }

    /// Goes on to the window of `moment`.
    fn go_on(&mut self, moment: Moment) {
        let is_new = moment.now.since(self.opens) >= self.lasts;
        // A local clock that was set back would make everybody wait for it.
        let is_set_back = self.needed.since(moment.now) > MARGIN;
        let is_forgotten = is_new && moment.now.since(self.needed) > FORGOTTEN_AFTER;
        if is_set_back || is_forgotten || (is_new && self.limit.is_none()) {
            *self = Self::new(moment);
        } else if is_new {
            if self.limit.is_some_and(|it| self.sent >= it) {
                self.raise();
            }
            while moment.now.since(self.opens) >= self.lasts {
                self.opens = self.opens.plus(self.lasts);
            }
            (self.sent, self.served) = (0, 0);
        }
    }

    /// Raises the limit after a window in which it was used up and nothing was refused, unless it is too early.
    fn raise(&mut self) {
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        self.limit = self.limit.map(|it| it.saturating_add(self.step));
        if self.step > 1 {
            // The last raise went well.
            self.next_rest = 1;
        }
        self.step = self.step.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that serves so many calls a minute, and callers that always have another one.
    struct Service {
        per_minute: u64,
        says_when: bool,
        seconds: u64,
        minute: (u64, u64),
        served: u64,
        refused: u64,
    }

    impl Service {
        fn new(per_minute: u64, says_when: bool) -> Self {
            Self {
                per_minute,
                says_when,
                seconds: 20,
                minute: (0, 0),
                served: 0,
                refused: 0,
            }
        }

        fn moment(&self) -> Moment {
            let seconds = Duration::from_secs(self.seconds);
            Moment {
                now: Timestamp::EPOCH.plus(seconds),
                rest: Duration::from_secs(60 - self.seconds % 60),
            }
        }

        /// Sends calls, `at_once` at a time, until so many seconds have passed.
        fn run(&mut self, budget: &mut Budget, at_once: usize, seconds: u64) {
            let end = self.seconds + seconds;
            while self.seconds < end {
                let turns = (0..at_once).map(|_| budget.turn(self.moment()));
                let turns: Vec<Turn> = turns.collect();
                for turn in &turns {
                    if let Turn::Now(pass) = turn {
                        self.answer(budget, *pass);
                    }
                }
                if turns.iter().all(|it| matches!(it, Turn::At(_))) {
                    self.seconds += 1;
                }
            }
        }

        fn answer(&mut self, budget: &mut Budget, pass: Pass) {
            let minute = self.seconds / 60;
            if self.minute.0 != minute {
                self.minute = (minute, 0);
            }
            let moment = self.moment();
            if self.minute.1 < self.per_minute {
                self.minute.1 += 1;
                self.served += 1;
                budget.served(pass, moment);
            } else {
                self.refused += 1;
                budget.refused(pass, moment, self.says_when.then_some(moment.rest));
            }
        }
    }

    #[test]
    fn finds_the_rate_and_keeps_to_it() {
        for (per_minute, says_when, at_once) in [
            (1, false, 1),
            (3, false, 8),
            (3, true, 8),
            (100, false, 16),
            (100, true, 4),
        ] {
            let mut service = Service::new(per_minute, says_when);
            let mut budget = Budget::new(service.moment());
            service.run(&mut budget, at_once, 6 * 3600);
            let (served, refused) = (service.served, service.refused);
            let what = format!("{per_minute} {says_when} {at_once}: {served} {refused}");
            assert!(served * 100 > per_minute * 360 * 97, "{what}");
            // Those that were under way at first, and one for each try.
            assert!(refused < 16 + 360 / 8, "{what}");
        }
    }

    #[test]
    fn recovers_within_minutes_when_more_is_allowed() {
        let mut service = Service::new(2, false);
        let mut budget = Budget::new(service.moment());
        service.run(&mut budget, 8, 3600);
        service.per_minute = 1000;
        service.run(&mut budget, 8, 20 * 60);
        let before = service.served;
        service.run(&mut budget, 8, 5 * 60);
        let rate = (service.served - before) / 5;
        assert!(rate > 900, "{rate}");
    }

    #[test]
    fn limits_nothing_before_a_refusal_and_forgets_it_when_nobody_minds() {
        let mut service = Service::new(50, true);
        let mut budget = Budget::new(service.moment());
        for _ in 0..50 {
            let Turn::Now(pass) = budget.turn(service.moment()) else {
                panic!("nothing was refused");
            };
            service.answer(&mut budget, pass);
        }
        let Turn::Now(pass) = budget.turn(service.moment()) else {
            panic!("nothing was refused");
        };
        service.answer(&mut budget, pass);
        assert_eq!(budget.limit, Some(50));
        assert!(matches!(budget.turn(service.moment()), Turn::At(_)));
        service.seconds += 601;
        assert!(matches!(budget.turn(service.moment()), Turn::Now(_)));
        assert_eq!(budget.limit, None);
    }

    #[test]
    fn one_that_is_asked_to_pause_for_seconds_does_not_wait_for_a_minute() {
        let mut service = Service::new(1, false);
        let mut budget = Budget::new(service.moment());
        let Turn::Now(pass) = budget.turn(service.moment()) else {
            panic!("nothing was refused");
        };
        budget.refused(pass, service.moment(), Some(Duration::from_secs(7)));
        service.per_minute = 1_000_000;
        service.run(&mut budget, 4, 60);
        assert!(service.served > 40, "{}", service.served);
    }

    #[test]
    fn an_answer_that_comes_late_counts_for_its_own_window() {
        let moment = Service::new(1, false).moment();
        let mut budget = Budget::new(moment);
        let passes: Vec<Turn> = (0..4).map(|_| budget.turn(moment)).collect();
        let Turn::Now(pass) = passes[0] else {
            panic!("nothing was refused");
        };
        budget.refused(pass, moment, None);
        let opens = budget.opens;
        budget.refused(pass, moment, None);
        assert_eq!((budget.limit, budget.opens), (Some(1), opens));
        for _ in 0..3 {
            budget.served(pass, moment);
        }
        assert_eq!((budget.limit, budget.opens), (Some(3), opens));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait() {
        let mut service = Service::new(1, false);
        service.seconds = 7200;
        let mut budget = Budget::new(service.moment());
        service.run(&mut budget, 2, 60);
        assert!(budget.limit.is_some());
        service.seconds = 60;
        assert!(matches!(budget.turn(service.moment()), Turn::Now(_)));
    }
}
