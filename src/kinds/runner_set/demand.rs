//! Which jobs wait for which set, and how many machines that takes: pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::providers::github::Job;

use super::spec::Spec;

/// A job that waits for a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The repository that it is of, as in `example/app`.
    pub repository: String,
    /// GitHub's number of it.
    pub id: u64,
    /// Since when it is there.
    pub created: Timestamp,
}

/// Whether a set serves a job that asks for these labels. One that asks for none asks for a group of runners.
pub(super) fn serves(spec: &Spec, labels: &[String]) -> bool {
    let has = |label: &String| spec.labels.iter().any(|it| it.eq_ignore_ascii_case(label));
    !labels.is_empty() && labels.iter().all(has)
}

/// How long a job waits before GitHub lets it fail (GitHub Docs, "Usage limits for self-hosted runners"). What is there for
/// longer is the shadow of one.
const QUEUED_MAX: Duration = Duration::from_secs(24 * 3600);

/// Whether a job can still be given to anybody.
pub(super) fn is_real(job: &Waiting, now: Timestamp) -> bool {
    now.since(job.created) <= QUEUED_MAX
}

/// The jobs of one repository that wait for the set `mine` out of all sets: each waits for exactly one, that with the fewest
/// labels, then by name.
pub(super) fn share(
    mine: &str,
    sets: &BTreeMap<&str, &Spec>,
    (repository, jobs): (&str, &[Job]),
) -> Vec<Waiting> {
    let there: Vec<(&&str, &&Spec)> = sets
        .iter()
        .filter(|(_, spec)| {
            spec.job_repositories()
                .iter()
                .any(|it| it.eq_ignore_ascii_case(repository))
        })
        .collect();
    let chosen = |job: &&Job| {
        let serving = there.iter().filter(|(_, spec)| serves(spec, &job.labels));
        let best = serving.min_by_key(|(name, spec)| (spec.labels.len(), **name));
        best.is_some_and(|(name, _)| **name == mine)
    };
    let waiting = |job: &Job| Waiting {
        repository: repository.to_owned(),
        id: job.id,
        created: job.created,
    };
    jobs.iter().filter(chosen).map(waiting).collect()
}

/// What a machine is launched for: its name says so, so that two reconcilers launch it once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The job's number, or what stands for none.
    pub(super) what: String,
    /// How many were launched for the same before.
    pub(super) attempt: u32,
}

/// The longest name of a runner. ASSUMED: nothing documents it; longer ones were seen to be refused.
const NAME_MAX: usize = 64;

impl Key {
    /// The name of its machine and runner.
    pub(super) fn name(&self, set: &str) -> String {
        let rest = format!("-{}-{}", self.what, self.attempt);
        let set: String = set
            .chars()
            .take(NAME_MAX.saturating_sub(rest.len()))
            .collect();
        format!("{set}{rest}")
    }

    /// What a name was made of.
    pub(super) fn read(name: &str) -> Option<Self> {
        let (rest, attempt) = name.rsplit_once('-')?;
        let (_, what) = rest.rsplit_once('-')?;
        Some(Self {
            what: what.to_owned(),
            attempt: attempt.parse().ok()?,
        })
    }
}

/// The next `count` machines: for the jobs that wait longest, of those for which none is on its way (`coming`), and then for
/// nobody. `known`: every name that was used, as far as that is known.
pub(super) fn keys(
    jobs: &[Waiting],
    (count, now): (usize, Timestamp),
    (coming, known): (&BTreeSet<String>, &BTreeSet<Key>),
) -> Vec<(Key, Option<Waiting>)> {
    let next = |what: &str| {
        let used = known.iter().filter(|it| it.what == what);
        let last = used.map(|it| it.attempt).max();
        Key {
            what: what.to_owned(),
            attempt: last.map_or(0, |it| it + 1),
        }
    };
    let waiting = jobs
        .iter()
        .filter(|it| !coming.contains(&it.id.to_string()));
    let for_jobs = waiting.map(|it| (next(&it.id.to_string()), Some(it.clone())));
    // Named after the hour, so that a name is not used twice by those who launch at once, nor again the next day.
    let hour = now.millis().div_euclid(3_600_000);
    let spare = (0..1000).map(|slot| format!("h{hour}s{slot}"));
    let spare = spare.filter(|it| !coming.contains(it));
    let for_nobody = spare.map(|it| (next(&it), None));
    for_jobs.chain(for_nobody).take(count).collect()
}
