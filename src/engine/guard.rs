//! How much may be deleted without a person saying so: pure.

use std::collections::BTreeMap;

use crate::ids::ResourceId;
use crate::kind::AnyOp;
use crate::plan::{Plan, Verb};
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

/// What was deleted so far by this run, by resource and group.
pub(super) type Ledger = BTreeMap<(ResourceId, String), usize>;

/// The guards of a resource, with the defaults where nothing is written.
pub fn with_defaults(guards: &Guards) -> Guards {
    Guards {
        max_deletes: guards.max_deletes.or(Some(MAX_DELETES)),
        max_delete_percent: guards.max_delete_percent.or(Some(MAX_DELETE_PERCENT)),
    }
}

/// The groups of a plan whose deletions are refused, each as a whole, with what a person reads.
pub(super) fn refusals(
    plan: &Plan<Box<dyn AnyOp>>,
    guards: &Guards,
    flags: Flags,
    done: &BTreeMap<&str, usize>,
) -> BTreeMap<String, String> {
    let mut planned: BTreeMap<&String, usize> = BTreeMap::new();
    for step in plan.steps.iter().filter(|it| it.op.verb() == Verb::Delete) {
        if let Some(group) = &step.group {
            *planned.entry(group).or_default() += 1;
        }
    }
    let max = flags.max_deletes.or(guards.max_deletes);
    let max = max.unwrap_or(MAX_DELETES);
    let percent = flags.max_delete_percent.or(guards.max_delete_percent);
    let percent = percent.unwrap_or(MAX_DELETE_PERCENT);
    let refusal = |(group, count): (&String, usize)| {
        let done = done.get(group.as_str()).copied().unwrap_or_default();
        // What is gone already belonged to the group when this run began.
        let total = plan.groups.get(group).copied().unwrap_or_default() + done;
        let message = over(group, count + done, total, (max, percent))?;
        Some((group.clone(), message))
    };
    planned.into_iter().filter_map(refusal).collect()
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
