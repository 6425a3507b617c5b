//! What machines of ours have cost, and what they cost at most if nobody were there any more to release them.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::plan::Rent;
use crate::resource::Decimal;

use super::Report;

impl Report {
    /// A line for each machine that is paid for.
    pub(super) fn rent_lines(&self) -> impl Iterator<Item = String> {
        self.rents().map(|it| line(it, self.seen_at))
    }

    /// The same for programs: an object a machine, prices in CNY as text.
    pub(super) fn rents_json(&self) -> Vec<Value> {
        let rent = |it: &Rent| {
            let (cost, more) = it.by(self.seen_at);
            json!({
                "object": it.object,
                "machine": it.machine,
                "since": it.since,
                "until": it.until,
                "hourly": cny(it.hourly_millionths),
                "cost": cny(cost),
                "atMostMore": more.map(cny),
            })
        };
        self.rents().map(rent).collect()
    }

    fn rents(&self) -> impl Iterator<Item = &Rent> {
        self.resources.values().flat_map(|it| &it.rents)
    }
}

fn line(rent: &Rent, now: Timestamp) -> String {
    let (cost, more) = rent.by(now);
    let (object, hourly, cost) = (&rent.object, cny(rent.hourly_millionths), cny(cost));
    let machine = &rent.machine;
    let begin = format!("rented: {object}  {machine}, {hourly} CNY/h, {cost} CNY so far");
    match (more, rent.until) {
        (Some(more), Some(until)) => {
            format!(
                "{begin}; {} CNY more if nobody released it until {until}",
                cny(more)
            )
        }
        _ => format!("{begin}; nothing releases it but us"),
    }
}

/// Millionths of a CNY as a decimal number, rounded up to four places.
pub fn cny(millionths: u64) -> String {
    Decimal::of_millionths(millionths.div_ceil(100).saturating_mul(100)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_a_machine_cost_and_what_it_costs_at_most() {
        let time = |it: &str| Timestamp::parse(it).expect("a valid time");
        let rent = Rent {
            object: "i-1".to_owned(),
            machine: "ecs.c7.large in cn-hangzhou-k".to_owned(),
            hourly_millionths: 80_000,
            since: time("2026-11-21T02:00:00Z"),
            until: Some(time("2026-11-21T04:00:00Z")),
        };
        let now = time("2026-11-21T02:15:00Z");
        assert_eq!(
            line(&rent, now),
            "rented: i-1  ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, 0.02 CNY so far; 0.14 CNY more if nobody released it until 2026-11-21T04:00:00Z"
        );
    }
}
