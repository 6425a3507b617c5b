//! How much may be deleted without a person saying so: pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::ResourceId;
use crate::resource::Guards;

/// The most deletions of one group, where nothing else is said.
const MAX_DELETES: u64 = 10;
/// The most percent of one group, where nothing else is said.
const MAX_DELETE_PERCENT: u64 = 30;
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

/// What was deleted so far, by resource and group.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// How far back deletions count; none: all of this process.
    pub window: Option<Duration>,
    deleted: BTreeMap<(ResourceId, String), Vec<Timestamp>>,
}

impl Ledger {
    pub(super) fn note(&mut self, id: &ResourceId, group: &str, now: Timestamp) {
        let deleted = self.deleted.entry((id.clone(), group.to_owned()));
        let deleted = deleted.or_default();
        deleted.retain(|it| self.window.is_none_or(|window| now.since(*it) < window));
        deleted.push(now);
    }

    pub(super) fn count(&self, id: &ResourceId, group: &str, now: Timestamp) -> usize {
        let deleted = self.deleted.get(&(id.clone(), group.to_owned()));
        let counts = |it: &&Timestamp| self.window.is_none_or(|window| now.since(**it) < window);
        deleted.map_or(0, |it| it.iter().filter(counts).count())
    }
}

/// The deletions of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deletions {
    /// To be done now.
    pub(super) planned: usize,
    /// Done by this run.
    pub(super) done: usize,
    /// How many objects the group had when this run began.
    pub(super) of: usize,
}

/// The guards of a resource, with the defaults where nothing is written.
pub fn with_defaults(guards: &Guards) -> Guards {
    Guards {
        max_deletes: guards.max_deletes.or(Some(MAX_DELETES)),
        max_delete_percent: guards.max_delete_percent.or(Some(MAX_DELETE_PERCENT)),
    }
}

/// The groups whose deletions are refused, each as a whole, with what a person reads.
pub(super) fn refusals(
    groups: &BTreeMap<String, Deletions>,
    guards: &Guards,
    flags: Flags,
) -> BTreeMap<String, String> {
    let max = flags.max_deletes.or(guards.max_deletes);
    let max = max.unwrap_or(MAX_DELETES);
    let percent = flags.max_delete_percent.or(guards.max_delete_percent);
    let percent = percent.unwrap_or(MAX_DELETE_PERCENT);
    let refusal = |(group, it): (&String, &Deletions)| {
        let message = over(group, it.planned + it.done, it.of, (max, percent))?;
        Some((group.clone(), message))
    };
    let planned = groups.iter().filter(|(_, it)| it.planned > 0);
    planned.filter_map(refusal).collect()
}

fn over(group: &str, deletes: usize, total: usize, (max, percent): (u64, u64)) -> Option<String> {
    let count = deletes as u64;
    if count > max {
        return Some(format!(
            "guard maxDeletes refuses {count} deletions of {group}, {max} are allowed; --max-deletes {count} or policy.guards.maxDeletes: {count} allows them"
        ));
    }
    let of = total as u64;
    if total >= PERCENT_FROM && count * 100 > percent * of {
        let share = (count * 100).div_ceil(of);
        return Some(format!(
            "guard maxDeletePercent refuses {count} of {of} {group}, {share} %, {percent} % are allowed; --max-delete-percent {share} or policy.guards.maxDeletePercent: {share} allows them"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_first_and_takes_the_share_from_ten_objects_on() {
        let refused = |deletes, total| {
            over("images", deletes, total, (10, 30))
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
        let message = over("images", 4, 11, (10, 30)).unwrap_or_default();
        assert!(message.contains("--max-delete-percent 37 "), "{message}");
        assert_eq!(over("images", 4, 11, (10, 37)), None);
    }
}
