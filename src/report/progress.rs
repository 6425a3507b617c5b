//! Work that goes on in the cloud: a line each, the same until something else is done, and on a terminal a bar.

use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::ids::ResourceId;
use crate::plan::Underway;

use super::text::printable;
use super::{Report, Resource, State};

/// How many cells a bar has.
const CELLS: u64 = 24;

impl Report {
    /// A line for each thing that goes on; it changes only when something else does.
    pub fn underway_lines(&self) -> impl Iterator<Item = String> {
        self.underway()
            .map(|(id, it)| printable(&format!("{id}: {}", line(it))))
    }

    /// A line for each resource that is waited for without anything that goes on.
    pub fn waiting_lines(&self) -> impl Iterator<Item = String> {
        let is_waited_for = |(_, it): &(&ResourceId, &Resource)| {
            it.state == State::Working && it.underway.is_empty()
        };
        let waiting = self.resources.iter().filter(is_waited_for);
        waiting.filter_map(|(id, it)| {
            let first = it.ready()?.message.lines().next()?;
            Some(printable(&format!("{id}: {first}")))
        })
    }

    /// A bar for each thing that goes on, for a terminal of so many columns.
    pub fn bars(&self, columns: usize) -> Vec<String> {
        let bar = |it: &Underway| {
            let text = printable(&bar(it, self.seen_at));
            text.chars().take(columns).collect()
        };
        self.underway().map(|(_, it)| bar(it)).collect()
    }

    /// The same for programs.
    pub(super) fn underway_json(&self) -> Vec<Value> {
        let underway = self.underway().map(|(resource, it)| {
            json!({
                "resource": resource,
                "object": it.object,
                "phase": it.phase,
                "since": it.since,
                "expected": it.expected,
                "percent": it.percent,
            })
        });
        underway.collect()
    }

    fn underway(&self) -> impl Iterator<Item = (&ResourceId, &Underway)> {
        let resources = self.resources.iter();
        resources.flat_map(|(id, it)| it.underway.iter().map(move |it| (id, it)))
    }
}

fn line(it: &Underway) -> String {
    let Underway {
        object,
        phase,
        since,
        expected,
        percent: _,
    } = it;
    let usually = expected.map(|it| format!(", usually until {it}"));
    format!(
        "{object}: {phase} since {since}{}",
        usually.unwrap_or_default()
    )
}

fn bar(it: &Underway, now: Timestamp) -> String {
    let elapsed = now.since(it.since);
    let usual = it.expected.map(|end| end.since(it.since));
    let percent = it.percent.map(u64::from).or_else(|| share(elapsed, usual?));
    let done = percent.map(|it| CELLS * it.min(100) / 100);
    let cell = |n| {
        if done.is_some_and(|it| n < it) {
            '█'
        } else {
            '░'
        }
    };
    let cells: String = (0..CELLS).map(cell).collect();
    let of = usual.map(|it| format!(" of about {}", minutes(it)));
    format!(
        "{cells}  {}{}  {}: {}",
        minutes(elapsed),
        of.unwrap_or_default(),
        it.object,
        it.phase
    )
}

/// How much of what it usually takes is over, in percent: not all before it is.
fn share(elapsed: Duration, usual: Duration) -> Option<u64> {
    let percent = elapsed.as_secs() * 100 / Some(usual.as_secs()).filter(|it| *it > 0)?;
    Some(percent.min(99))
}

fn minutes(it: Duration) -> String {
    match it.as_secs() {
        seconds @ ..60 => format!("{seconds}s"),
        seconds => format!("{}m", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a valid time")
    }

    #[test]
    fn a_line_stays_the_same_while_a_bar_grows() {
        let it = Underway {
            object: "runner-amd64".to_owned(),
            phase: "i-1 is being provisioned".to_owned(),
            since: time("2026-11-21T02:00:00Z"),
            expected: Some(time("2026-11-21T02:08:00Z")),
            percent: None,
        };
        assert_eq!(
            line(&it),
            "runner-amd64: i-1 is being provisioned since 2026-11-21T02:00:00Z, usually until 2026-11-21T02:08:00Z"
        );
        for (now, cells, text) in [
            ("2026-11-21T02:00:00Z", 0, "0s of about 8m"),
            ("2026-11-21T02:04:00Z", 12, "4m of about 8m"),
            // It takes longer than usual: it is not over.
            ("2026-11-21T02:20:00Z", 23, "20m of about 8m"),
        ] {
            let bar = bar(&it, time(now));
            assert_eq!(bar.matches('█').count(), cells, "{bar}");
            assert!(bar.contains(&format!("  {text}  runner-amd64: ")), "{bar}");
        }
        let known = Underway {
            percent: Some(50),
            expected: None,
            ..it
        };
        let bar = bar(&known, time("2026-11-21T02:20:00Z"));
        assert_eq!(bar.matches('█').count(), 12, "{bar}");
    }
}
