//! Sending again: which failures deserve it, how often, and how long to wait in between; and what all waits took.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

use crate::clock::{Clock, Timestamp};
use crate::fault::{Class, Fault, Retry};

/// What sending a request twice does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing, sent once or twice.
    Read,
    /// The second time changes nothing more, by its nature or by its token.
    Repeatable,
    /// The second time may change something more.
    Once,
}

/// How patient one kind of request is.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How often a request is sent when no usable answer comes.
    pub attempts_max: u32,
    /// How often a request is sent when it is throttled; what it waits for then is not decided here.
    pub throttled_max: u32,
    /// The wait after the first failure; each further one is twice as long.
    pub first: Duration,
    /// The wait that is not grown beyond.
    pub most: Duration,
    /// The longest wait that a service may ask for; a longer one is a failure.
    pub asked_max: Duration,
}

/// How long a wait must be to be worth a warning.
const WARNED_FROM: Duration = Duration::from_secs(5);

/// Waits, and remembers how long that took and what for.
#[derive(Debug)]
pub struct Patience {
    clock: Arc<dyn Clock>,
    random: Random,
    waits: Mutex<(Stretch, BTreeMap<String, Stretch>)>,
}

/// The time that waits took. Those who wait side by side wait only once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// All waits together.
    pub total: Duration,
    /// Those for the same reason, as in `throttling (ecs DescribeImages cn-hangzhou)`.
    pub reasons: BTreeMap<String, Duration>,
}

impl Waits {
    /// What was waited since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let reasons = self.reasons.iter().filter_map(|(reason, total)| {
            let rest =
                total.saturating_sub(before.reasons.get(reason).copied().unwrap_or_default());
            (!rest.is_zero()).then(|| (reason.clone(), rest))
        });
        Self {
            total: self.total.saturating_sub(before.total),
            reasons: reasons.collect(),
        }
    }

    /// Counts others with these.
    pub fn add(&mut self, others: &Self) {
        self.total += others.total;
        for (reason, total) in &others.reasons {
            *self.reasons.entry(reason.clone()).or_default() += *total;
        }
    }
}

/// Time that is counted once, however many waits cover it.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    total: Duration,
    until: Timestamp,
}

impl Stretch {
    const NONE: Self = Self {
        total: Duration::ZERO,
        until: Timestamp::EPOCH,
    };

    /// Adds a wait that begins now, and gives how much of it was not counted yet.
    fn add(&mut self, now: Timestamp, wait: Duration) -> Duration {
        let end = now.plus(wait);
        let more = end.since(now.max(self.until));
        self.total += more;
        self.until = self.until.max(end);
        more
    }
}

impl Patience {
    /// Waits by `clock`, with jitter drawn from `seed`.
    pub fn new(clock: Arc<dyn Clock>, seed: u64) -> Self {
        Self {
            clock,
            random: Random(AtomicU64::new(seed)),
            waits: Mutex::new((Stretch::NONE, BTreeMap::new())),
        }
    }

    /// The time that waits are made by.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// All waits so far.
    pub fn waits(&self) -> Waits {
        let (all, reasons) = &*self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let reasons = reasons.iter().map(|(it, all)| (it.clone(), all.total));
        Waits {
            total: all.total,
            reasons: reasons.collect(),
        }
    }

    /// Waits, and says so when it is long and nobody else waits for the same.
    pub async fn wait(&self, reason: &str, wait: Duration) {
        let more = self.note(reason, wait);
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        if more >= WARNED_FROM {
            tracing::warn!(reason, wait_ms, "waiting");
        } else {
            tracing::debug!(reason, wait_ms, "waiting");
        }
        self.clock.sleep(wait).await;
    }

    fn note(&self, reason: &str, wait: Duration) -> Duration {
        let now = self.clock.now();
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, reasons) = &mut *waits;
        all.add(now, wait);
        let mine = reasons.entry(reason.to_owned()).or_insert(Stretch::NONE);
        mine.add(now, wait)
    }
}

/// Makes attempts until one succeeds, fails for good, or the policy's limits are reached; then the last fault stands.
///
/// After one that was throttled the next attempt comes at once: it must itself wait until it may be sent, together with
/// all others of its kind.
pub async fn retry<T, A: Future<Output = Result<T, Fault>>>(
    patience: &Patience,
    policy: &Policy,
    effect: Effect,
    mut attempt: impl FnMut() -> A,
) -> Result<T, Fault> {
    let mut intervals = intervals(policy);
    let mut number = 1;
    loop {
        let fault = match attempt().await {
            Ok(value) => return Ok(value),
            Err(fault) => fault,
        };
        if number >= attempts_max(policy, effect, &fault.class)
            || asked_wait(&fault.class).is_some_and(|it| it > policy.asked_max)
        {
            return Err(fault);
        }
        tracing::warn!(
            doing = fault.doing,
            answer = fault.answer(),
            attempt = number,
            "retrying"
        );
        if !matches!(fault.class, Class::Throttled { .. }) {
            let interval = intervals.next_backoff().unwrap_or(policy.most);
            // Not all at the same moment.
            let wait = interval.mul_f64(0.75 + patience.random.unit() / 2.0);
            let reason = format!("another try to {}", fault.doing);
            patience.wait(&reason, wait).await;
        }
        number += 1;
    }
}

fn attempts_max(policy: &Policy, effect: Effect, class: &Class) -> u32 {
    match (class.retry(), effect) {
        (Retry::Never, _) | (Retry::IfIdempotent, Effect::Once) => 1,
        (Retry::Always { .. }, _) if matches!(class, Class::Throttled { .. }) => {
            policy.throttled_max
        }
        (Retry::Always { .. }, _) | (Retry::IfIdempotent, Effect::Read | Effect::Repeatable) => {
            policy.attempts_max
        }
    }
}

fn asked_wait(class: &Class) -> Option<Duration> {
    match class.retry() {
        Retry::Always { wait } => wait,
        Retry::Never | Retry::IfIdempotent => None,
    }
}

fn intervals(policy: &Policy) -> ExponentialBackoff {
    ExponentialBackoff {
        current_interval: policy.first,
        initial_interval: policy.first,
        multiplier: 2.0,
        max_interval: policy.most,
        // Its own randomness and its own clock are switched off by these two.
        randomization_factor: 0.0,
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    }
}

/// Random numbers from a seed (the generator `SplitMix64`).
#[derive(Debug)]
struct Random(AtomicU64);

impl Random {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

    /// A number from 0 to 1.
    fn unit(&self) -> f64 {
        let mut mixed = self
            .0
            .fetch_add(Self::STEP, Ordering::Relaxed)
            .wrapping_add(Self::STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let high = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(u32::MAX);
        f64::from(high) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::clock::{Timestamp, VirtualClock};

    const POLICY: Policy = Policy {
        attempts_max: 5,
        throttled_max: 7,
        first: Duration::from_secs(1),
        most: Duration::from_secs(3),
        asked_max: Duration::from_secs(60),
    };

    /// How often a call that always fails like this is sent, and the seconds that all waits took.
    async fn sends(class: Class, effect: Effect) -> (u32, f64) {
        let patience = Patience::new(Arc::new(VirtualClock::starting_at(Timestamp::EPOCH)), 7);
        let sent = Cell::new(0);
        let outcome: Result<(), Fault> = retry(&patience, &POLICY, effect, || {
            sent.set(sent.get() + 1);
            std::future::ready(Err(Fault::new(class.clone(), "try", "no")))
        })
        .await;
        assert!(outcome.is_err());
        (sent.get(), patience.waits().total.as_secs_f64())
    }

    fn unavailable(maybe_applied: bool) -> Class {
        Class::Unavailable { maybe_applied }
    }

    #[tokio::test(start_paused = true)]
    async fn sends_again_only_what_does_no_harm_twice() {
        for (class, effect, expected) in [
            (Class::Invalid, Effect::Read, 1),
            (Class::NotYet, Effect::Repeatable, 1),
            (unavailable(true), Effect::Once, 1),
            (unavailable(true), Effect::Repeatable, 5),
            (unavailable(false), Effect::Once, 5),
            (Class::Throttled { wait: None }, Effect::Once, 7),
        ] {
            assert_eq!(
                sends(class.clone(), effect).await.0,
                expected,
                "{class:?} {effect:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_up_to_the_most() {
        let (_, waited) = sends(unavailable(false), Effect::Read).await;
        // 1 + 2 + 3 + 3, each a quarter more or less.
        assert!((6.75..=11.25).contains(&waited), "{waited}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_throttled_waits_elsewhere_and_not_at_all_when_it_is_too_long() {
        let asked = |seconds| Class::Throttled {
            wait: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(sends(asked(20), Effect::Read).await, (7, 0.0));
        assert_eq!(sends(asked(61), Effect::Read).await, (1, 0.0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_side_by_side_waits_once() {
        let patience = Patience::new(Arc::new(VirtualClock::starting_at(Timestamp::EPOCH)), 7);
        let before = patience.waits();
        let wait = |reason, seconds| patience.wait(reason, Duration::from_secs(seconds));
        tokio::join!(wait("a", 4), wait("a", 6), wait("b", 5));
        wait("a", 1).await;
        let waits = patience.waits().since(&before);
        assert_eq!(waits.total, Duration::from_secs(7));
        let seconds: Vec<_> = waits.reasons.values().map(Duration::as_secs).collect();
        assert_eq!(seconds, [7, 5]);
        let none = patience.waits().since(&patience.waits());
        assert_eq!(none, Waits::default());
    }
}
