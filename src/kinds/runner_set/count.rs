//! How many machines a set needs and has, and which of them nobody needs: pure.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::resource::{Goal, Resource};

use super::demand::Key;
use super::judge::{Reason, Verdict, judge};
use super::memory::{due, probe};
use super::seen::{Machine, Runner, Seen};
use super::spec::Spec;

/// How long a record may be without a machine: as long as a listing of instances may be late.
pub(super) const STRAY_AFTER: Duration = Duration::from_secs(300);
/// How old a record without a machine is that goes at the first look: no machine takes so long to come up.
pub(super) const STRAY_AGE: Duration = Duration::from_secs(30 * 60);

/// How the machines of a set are, and how many are wanted.
pub(super) struct Count<'a> {
    pub(super) verdicts: Vec<(&'a Machine, Verdict)>,
    /// The keys of machines and records that are on their way to a job.
    pub(super) coming: BTreeSet<String>,
    /// How many more are needed.
    pub(super) missing: usize,
    /// How many starts failed in a row, and when the last one did.
    pub(super) failed: (u32, Option<Timestamp>),
}

/// How many machines are to be launched, before it is known whether they can be.
pub(super) fn launches(resource: &Resource<Spec>, seen: &Seen, now: Timestamp) -> usize {
    let count = count(resource, seen, now);
    if is_held(resource, &count, now).is_some() {
        return 0;
    }
    count.missing
}

/// The most that one pass launches: each may have to be waited for, and meanwhile no lease is moved on.
const LAUNCHES_MAX: usize = 20;

pub(super) fn count<'a>(resource: &Resource<Spec>, seen: &'a Seen, now: Timestamp) -> Count<'a> {
    let spec = &resource.spec;
    let mut verdicts: Vec<_> = seen
        .machines
        .iter()
        .map(|it| (it, judge(resource, it, now)))
        .collect();
    let (jobs, is_known) = match &seen.jobs {
        Fact::Known(jobs) => (jobs.as_slice(), resource.policy.ensure == Goal::Present),
        Fact::Unknown(_) => (&[][..], false),
    };
    let spare = usize::try_from(spec.min_runners).unwrap_or(usize::MAX);
    let needs = Needs {
        needed: jobs.len().max(spare),
        spare,
        is_whole: is_known && seen.unread.is_empty(),
        is_late: jobs
            .iter()
            .any(|it| now.since(it.created) > spec.startup_timeout.0),
    };
    drop_idle(spec, &mut verdicts, &needs);
    let is_coming = |it: &Verdict| matches!(it, Verdict::Comes(_) | Verdict::Waits(_));
    let comes = verdicts.iter().filter(|it| is_coming(&it.1));
    let mut coming: BTreeSet<String> = comes.clone().filter_map(|it| what(&it.0.name)).collect();
    let mut supply = comes.count();
    // A list of instances may be late: what is registered and has no machine yet may have one.
    let mut unlisted = 0;
    for stray in &seen.strays {
        let known = seen.memory.strays.get(&stray.id).copied();
        let since = known.or(stray.registered).unwrap_or(now);
        let may_come = match stray.runner {
            Runner::Offline | Runner::Idle => now.since(since) < STRAY_AFTER,
            Runner::Busy | Runner::Gone => false,
        };
        unlisted += usize::from(may_come || stray.runner == Runner::Busy);
        let is_wanted =
            |it: &String| it.starts_with('h') || jobs.iter().any(|job| job.id.to_string() == *it);
        if let (Some(key), true) = (what(&stray.name).filter(is_wanted), may_come) {
            supply += usize::from(coming.insert(key));
        }
    }
    let most = usize::try_from(spec.max_runners).unwrap_or(usize::MAX);
    let room = most.saturating_sub(seen.machines.len() + unlisted);
    let failed = failures(seen, &verdicts, now);
    // Where too many failed, one is tried.
    let is_probe = failed.0 >= resource.spec.backoff.limit;
    let most = if is_probe { 1 } else { LAUNCHES_MAX };
    let missing = needs.needed.saturating_sub(supply).min(room).min(most);
    Count {
        failed,
        missing: if is_known { missing } else { 0 },
        verdicts,
        coming,
    }
}

/// How many runners without a job there should be.
struct Needs {
    /// For jobs that wait, or to wait for some.
    needed: usize,
    /// To wait for some.
    spare: usize,
    /// Whether all repositories told what waits.
    is_whole: bool,
    /// Whether a job has waited for longer than a machine takes to come up.
    is_late: bool,
}

/// Who waits for a job in vain goes: those who are more than are needed once they did for long enough, the oldest first; all
/// others when jobs wait all the same, for then something is wrong with them; and who has waited for half of his life, so
/// that whatever job he gets has the other half.
fn drop_idle(spec: &Spec, verdicts: &mut [(&Machine, Verdict)], needs: &Needs) {
    let mut idle: Vec<usize> = Vec::new();
    let mut supply = 0_usize;
    for (index, (_, verdict)) in verdicts.iter().enumerate() {
        match verdict {
            Verdict::Waits(_) => idle.push(index),
            Verdict::Comes(_) => supply += 1,
            Verdict::Unknown(_) | Verdict::Works | Verdict::Leaves | Verdict::Goes(_) => {}
        }
    }
    supply += idle.len();
    idle.sort_by_key(|it| (verdicts[*it].0.created, verdicts[*it].0.id.clone()));
    for index in idle {
        let Verdict::Waits(age) = verdicts[index].1 else {
            continue;
        };
        let is_long = age > spec.idle_after.0 + spec.startup_timeout.0;
        let is_surplus = if needs.is_whole {
            supply > needs.needed && age > spec.idle_after.0
        } else {
            supply > needs.spare && is_long
        };
        if is_surplus || age > spec.max_lifetime.0 / 2 {
            supply -= 1;
            verdicts[index].1 = Verdict::Goes(Reason::Idle);
        } else if is_long && needs.is_late {
            verdicts[index].1 = Verdict::Goes(Reason::Ignored);
        }
    }
}

/// How many starts failed since the last one that did not, and when the last one did.
fn failures(
    seen: &Seen,
    verdicts: &[(&Machine, Verdict)],
    now: Timestamp,
) -> (u32, Option<Timestamp>) {
    // That it is online proves the start, and not that it is given jobs.
    let is_quiet = matches!(&seen.jobs, Fact::Known(jobs) if jobs.is_empty());
    let is_fine = |it: &Verdict| match it {
        Verdict::Works => true,
        Verdict::Waits(_) => is_quiet,
        Verdict::Unknown(_) | Verdict::Comes(_) | Verdict::Leaves | Verdict::Goes(_) => false,
    };
    if verdicts.iter().any(|it| is_fine(&it.1)) {
        return (0, None);
    }
    let mut failed = seen.memory.failed.clone();
    for (machine, verdict) in verdicts {
        if let Verdict::Goes(reason) = verdict
            && reason.is_failure()
        {
            failed.entry(machine.name.clone()).or_insert(now);
        }
    }
    let count = u32::try_from(failed.len()).unwrap_or(u32::MAX);
    (count, failed.values().max().copied())
}

/// What keeps machines from being launched for now, until when, and whether a person had better look; none: nothing does.
pub(super) fn is_held(
    resource: &Resource<Spec>,
    count: &Count<'_>,
    now: Timestamp,
) -> Option<(Timestamp, bool)> {
    let (failed, Some(last)) = count.failed else {
        return None;
    };
    let is_stuck = failed >= resource.spec.backoff.limit;
    let until = if is_stuck {
        probe(last)
    } else {
        due(failed, last)
    };
    (until > now).then_some((until, is_stuck))
}

/// How many machines are there or on their way that have no job.
pub(super) fn coming(count: &Count<'_>) -> usize {
    let is_coming = |it: &Verdict| matches!(it, Verdict::Comes(_) | Verdict::Waits(_));
    count.verdicts.iter().filter(|it| is_coming(&it.1)).count()
}

/// What the machine of this name was launched for.
pub(super) fn what(name: &str) -> Option<String> {
    Key::read(name).map(|it| it.what)
}
