//! Sending again: which failures deserve it, how often, and how long to wait in between.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

use crate::clock::Clock;
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
    /// How often a request is sent when it is throttled.
    pub throttled_max: u32,
    /// The wait after the first failure; each further one is twice as long.
    pub first: Duration,
    /// The wait that is not grown beyond.
    pub most: Duration,
    /// The longest wait that a service may ask for; a longer one is a failure.
    pub asked_max: Duration,
}

/// Waits between attempts, and remembers how long that took.
#[derive(Debug)]
pub struct Patience {
    clock: Arc<dyn Clock>,
    random: Random,
    waited_millis: AtomicU64,
}

impl Patience {
    /// Waits by `clock`, with jitter drawn from `seed`.
    pub fn new(clock: Arc<dyn Clock>, seed: u64) -> Self {
        Self {
            clock,
            random: Random(AtomicU64::new(seed)),
            waited_millis: AtomicU64::new(0),
        }
    }

    /// How long all waits so far took together.
    pub fn waited(&self) -> Duration {
        Duration::from_millis(self.waited_millis.load(Ordering::Relaxed))
    }

    async fn wait(&self, wait: Duration) {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.clock.sleep(wait).await;
        self.waited_millis.fetch_add(millis, Ordering::Relaxed);
    }
}

/// Makes attempts until one succeeds, fails for good, or the policy's limits are reached; then the last fault stands.
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
        let asked = asked_wait(&fault.class);
        if number >= attempts_max(policy, effect, &fault.class)
            || asked.is_some_and(|it| it > policy.asked_max)
        {
            return Err(fault);
        }
        let interval = intervals.next_backoff().unwrap_or(policy.most);
        let wait = match asked {
            // Never earlier than asked, and not all at the same moment.
            Some(asked) => asked + policy.first.mul_f64(patience.random.unit()),
            None => interval.mul_f64(0.75 + patience.random.unit() / 2.0),
        };
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(
            doing = fault.doing,
            answer = fault.answer(),
            attempt = number,
            wait_ms,
            "retrying"
        );
        patience.wait(wait).await;
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
        attempts_max: 3,
        throttled_max: 5,
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
        (sent.get(), patience.waited().as_secs_f64())
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
            (unavailable(true), Effect::Repeatable, 3),
            (unavailable(false), Effect::Once, 3),
            (Class::Throttled { wait: None }, Effect::Once, 5),
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
        let (_, waited) = sends(Class::Throttled { wait: None }, Effect::Read).await;
        // 1 + 2 + 3 + 3, each a quarter more or less.
        assert!((6.75..=11.25).contains(&waited), "{waited}");
    }

    #[tokio::test(start_paused = true)]
    async fn obeys_the_wait_that_is_asked_for_unless_it_is_too_long() {
        let asked = |seconds| Class::Throttled {
            wait: Some(Duration::from_secs(seconds)),
        };
        let (sent, waited) = sends(asked(20), Effect::Read).await;
        assert!(
            sent == 5 && (80.0..=84.0).contains(&waited),
            "{sent} {waited}"
        );
        assert_eq!(sends(asked(61), Effect::Read).await, (1, 0.0));
    }
}
