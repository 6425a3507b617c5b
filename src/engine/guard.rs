//! How much may be deleted without a person saying so: pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::ResourceId;
use crate::kind::AnyOp;
use crate::plan::{Plan, Step, Verb};
use crate::resource::Limits;

/// Groups smaller than this know no percentage.
const PERCENT_FROM: usize = 10;

/// What the command line says; it wins over the files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flags {
    /// `--max-deletes`.
    pub max_deletes: Option<u64>,
    /// `--max-delete-percent`.
    pub max_delete_percent: Option<u64>,
}

/// What was deleted and what was there so far, by resource and group.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// How far back it counts; none: all of this process.
    pub window: Option<Duration>,
    groups: BTreeMap<(ResourceId, String), Past>,
}

/// What is remembered of one group.
#[derive(Clone, Debug, Default)]
struct Past {
    deleted: Vec<Timestamp>,
    /// How many objects it had, each more than at any later time.
    sizes: Vec<(Timestamp, usize)>,
}

impl Ledger {
    /// Notes how many objects a group has now.
    pub(super) fn see(&mut self, id: &ResourceId, group: &str, size: usize, now: Timestamp) {
        let past = self.past(id, group, now);
        past.sizes.retain(|(_, it)| *it > size);
        past.sizes.push((now, size));
    }

    /// Notes that an object of a group was deleted.
    pub(super) fn note(&mut self, id: &ResourceId, group: &str, now: Timestamp) {
        self.past(id, group, now).deleted.push(now);
    }

    /// Adds to the deletions of a plan what was before.
    pub(super) fn recall(
        &self,
        id: &ResourceId,
        groups: &mut BTreeMap<String, Deletions>,
        now: Timestamp,
    ) {
        for (group, it) in groups {
            let Some(past) = self.groups.get(&(id.clone(), group.clone())) else {
                continue;
            };
            let deleted = past.deleted.iter();
            let window = self.window;
            it.done = deleted.filter(|at| is_within(window, **at, now)).count();
            let sizes = past
                .sizes
                .iter()
                .filter(|(at, _)| is_within(window, *at, now));
            it.of = sizes.map(|(_, size)| *size).fold(it.existing, usize::max);
        }
    }

    /// What is remembered of a group, without what does not count any more.
    fn past(&mut self, id: &ResourceId, group: &str, now: Timestamp) -> &mut Past {
        let window = self.window;
        let past = self.groups.entry((id.clone(), group.to_owned()));
        let past = past.or_default();
        past.deleted.retain(|at| is_within(window, *at, now));
        past.sizes.retain(|(at, _)| is_within(window, *at, now));
        past
    }
}

fn is_within(window: Option<Duration>, at: Timestamp, now: Timestamp) -> bool {
    window.is_none_or(|window| now.since(at) < window)
}

/// The deletions of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deletions {
    /// To be done now.
    pub(super) planned: usize,
    /// Done before, as far back as it counts.
    pub(super) done: usize,
    /// How many objects the group has.
    pub(super) existing: usize,
    /// The most objects that the group had, as far back as it counts.
    pub(super) of: usize,
}

/// The deletions of a plan, by group. One that `is_settling` was done and still shows: it counts once.
pub(super) fn deletions(
    plan: &Plan<Box<dyn AnyOp>>,
    is_settling: impl Fn(&Step<Box<dyn AnyOp>>) -> bool,
) -> BTreeMap<String, Deletions> {
    let mut groups: BTreeMap<String, Deletions> = BTreeMap::new();
    for (group, size) in &plan.groups {
        groups.entry(group.clone()).or_default().existing = *size;
    }
    for step in &plan.steps {
        let (Verb::Delete, Some(group)) = (step.op.verb(), &step.group) else {
            continue;
        };
        let deletions = groups.entry(group.clone()).or_default();
        if is_settling(step) {
            deletions.existing = deletions.existing.saturating_sub(1);
        } else {
            deletions.planned += 1;
        }
    }
    for it in groups.values_mut() {
        it.of = it.existing;
    }
    groups
}

/// The groups whose deletions are refused, each as a whole, with what a person reads.
pub(super) fn refusals(
    groups: &BTreeMap<String, Deletions>,
    limits: Limits,
    flags: Flags,
) -> BTreeMap<String, String> {
    let max = flags.max_deletes.unwrap_or(limits.max_deletes);
    let percent = flags.max_delete_percent;
    let percent = percent.unwrap_or(limits.max_delete_percent);
    let refusal = |(group, it): (&String, &Deletions)| {
        let message = over(group, it, (max, percent))?;
        Some((group.clone(), message))
    };
    let planned = groups.iter().filter(|(_, it)| it.planned > 0);
    planned.filter_map(refusal).collect()
}

/// The number limits what is deleted, the share what is lost: where as much came as went, nothing is, however long it
/// goes on.
fn over(group: &str, it: &Deletions, (max, percent): (u64, u64)) -> Option<String> {
    let count = (it.planned + it.done) as u64;
    if count > max {
        return Some(format!(
            "guard maxDeletes refuses {count} deletions of {group}, {max} are allowed; --max-deletes {count} or policy.guards.maxDeletes: {count} allows them"
        ));
    }
    let of = it.of as u64;
    // What others took is not ours to count.
    let lost = (it.of + it.planned).saturating_sub(it.existing) as u64;
    let lost = lost.min(count);
    if it.of >= PERCENT_FROM && lost * 100 > percent * of {
        let share = (lost * 100).div_ceil(of);
        return Some(format!(
            "guard maxDeletePercent refuses {lost} of {of} {group}, {share} %, {percent} % are allowed; --max-delete-percent {share} or policy.guards.maxDeletePercent: {share} allows them"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_first_and_takes_the_share_from_ten_objects_on() {
        let refused = |planned, total| {
            over("images", &at_once(planned, total), (10, 30))
                .map(|it| it.split(' ').nth(1).map(str::to_owned))
        };
        let by = |guard: &str| Some(Some(guard.to_owned()));
        assert_eq!(
            refused(9, 9),
            None,
            "nine of nine: too few for a percentage"
        );
        assert_eq!(refused(3, 10), None, "exactly thirty percent");
        assert_eq!(refused(4, 10), by("maxDeletePercent"));
        assert_eq!(
            refused(10, 34),
            None,
            "just under thirty percent, exactly ten"
        );
        assert_eq!(refused(10, 33), by("maxDeletePercent"));
        assert_eq!(refused(11, 1000), by("maxDeletes"));
    }

    #[test]
    fn names_the_least_value_that_would_allow_it() {
        let message = over("images", &at_once(4, 11), (10, 30)).unwrap_or_default();
        assert!(message.contains("--max-delete-percent 37 "), "{message}");
        assert_eq!(over("images", &at_once(4, 11), (10, 37)), None);
    }

    #[test]
    fn what_is_replaced_is_not_lost() {
        let replaced = Deletions {
            planned: 1,
            done: 7,
            existing: 21,
            of: 21,
        };
        assert_eq!(
            over("images", &replaced, (10, 30)),
            None,
            "one of 21 is lost"
        );
        let lost = Deletions {
            existing: 15,
            ..replaced
        };
        let message = over("images", &lost, (10, 30)).unwrap_or_default();
        assert!(message.contains("refuses 7 of 21"), "{message}");
        let taken = Deletions { done: 0, ..lost };
        assert_eq!(
            over("images", &taken, (10, 30)),
            None,
            "others took the six"
        );
    }

    #[test]
    fn a_ledger_knows_the_largest_size_of_its_window() {
        let id = ResourceId::new("MachineImage", "line");
        let hour = |it: u64| Timestamp::EPOCH.plus(Duration::from_secs(it * 3600));
        let mut ledger = Ledger {
            window: Some(Duration::from_secs(24 * 3600)),
            ..Ledger::default()
        };
        let largest = |ledger: &Ledger, at| {
            let mut groups = BTreeMap::from([("images".to_owned(), Deletions::default())]);
            ledger.recall(&id, &mut groups, hour(at));
            groups["images"].of
        };
        assert_eq!(largest(&ledger, 0), 0);
        for (at, size, expected) in [(0, 9, 9), (1, 7, 9), (2, 8, 9), (25, 3, 8), (27, 4, 4)] {
            ledger.see(&id, "images", size, hour(at));
            assert_eq!(largest(&ledger, at), expected, "at hour {at}");
        }
    }

    fn at_once(planned: usize, existing: usize) -> Deletions {
        Deletions {
            planned,
            done: 0,
            existing,
            of: existing,
        }
    }
}
