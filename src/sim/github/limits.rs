//! How much a token may ask (GitHub Docs, "Rate limits for the REST API").

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::ids::hex;
use crate::sim::Answer;
use crate::sim::github::wire::{Ask, Refusal};
use crate::sim::github::written::GitHub;

/// What the refusal by a secondary limit says.
pub(super) const SECONDARY: &str =
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";

/// What was used in a window: its number and how much.
type Window = (i64, u64);

/// What tokens have used, by the header that they were sent in.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    hours: BTreeMap<String, Window>,
    minutes: BTreeMap<String, Window>,
}

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

fn sender(ask: &Ask) -> String {
    ask.header("authorization").unwrap_or_default().to_owned()
}

fn window(windows: &mut BTreeMap<String, Window>, ask: &Ask, length: i64) -> u64 {
    let number = ask.now.millis().div_euclid(length);
    let window = windows.entry(sender(ask)).or_insert((number, 0));
    if window.0 != number {
        *window = (number, 0);
    }
    window.1
}

impl Limits {
    /// How many requests were counted in the last window of each.
    pub(super) fn used(&self) -> u64 {
        self.hours.values().map(|it| it.1).sum()
    }

    /// Counts a request, or refuses it.
    pub(super) fn count(&mut self, ask: &Ask, rules: &GitHub) -> Result<(), Refusal> {
        let used = window(&mut self.hours, ask, HOUR);
        if used >= rules.per_hour {
            return Err(Refusal::new(403, "API rate limit exceeded."));
        }
        let points = if ask.is_read() { 1 } else { 5 };
        if window(&mut self.minutes, ask, MINUTE) + points > rules.points_per_minute {
            let mut refusal = Refusal::new(403, SECONDARY);
            let left = MINUTE - ask.now.millis().rem_euclid(MINUTE);
            refusal.retry_after = Some(left.unsigned_abs().div_ceil(1000));
            return Err(refusal);
        }
        let add = |windows: &mut BTreeMap<String, Window>, by: u64| {
            windows.entry(sender(ask)).or_default().1 += by;
        };
        add(&mut self.hours, 1);
        add(&mut self.minutes, points);
        Ok(())
    }

    /// The answer with its limits; 304 where the client has it already, which costs nothing (GitHub Docs, "Best practices
    /// for using the REST API"). `ETag`s differ from token to token (`otterdog`, issue 201).
    pub(super) fn shown(&mut self, ask: &Ask, rules: &GitHub, mut answer: Answer) -> Answer {
        if answer.status == 200 && ask.is_read() {
            let seed = [sender(ask).as_bytes(), &answer.body].concat();
            let etag = format!("W/\"{}\"", hex(&Sha256::digest(seed)[..16]));
            if ask.header("if-none-match") == Some(&etag) {
                answer.status = 304;
                answer.body.clear();
                let used = &mut self.hours.entry(sender(ask)).or_default().1;
                *used = used.saturating_sub(1);
            }
            answer.headers.insert("etag".to_owned(), etag);
        }
        let used = window(&mut self.hours, ask, HOUR);
        let reset = (ask.now.millis().div_euclid(HOUR) + 1) * HOUR / 1000;
        let numbers = [
            ("limit", rules.per_hour.to_string()),
            ("remaining", rules.per_hour.saturating_sub(used).to_string()),
            ("used", used.to_string()),
            ("reset", reset.to_string()),
            ("resource", "core".to_owned()),
        ];
        let numbers = numbers.map(|(name, value)| (format!("x-ratelimit-{name}"), value));
        answer.headers.extend(numbers);
        answer
    }
}
