//! Self-hosted runners and the jobs that they take (GitHub REST API, "Self-hosted runners" and "Workflow jobs").
//!
//! - `written`: as a scenario writes them.
//! - `records`: the records of runners, and what is asked of them.
//! - `jobs`: jobs and their runs.
//! - `life`: what time does to both, and to the machines that they live on.
//! - `history`: what happened.

pub mod history;
mod jobs;
mod life;
mod records;
pub mod written;

use std::collections::BTreeMap;

use crate::clock::Timestamp;

use self::history::{JobSeen, RunnerDeed, RunnerEvent, RunnerSeen};
use self::jobs::Job;
use self::records::Record;
pub(crate) use self::records::configured;

/// All records and jobs that ever were.
#[derive(Clone, Debug, Default)]
pub(super) struct Runners {
    seed: u64,
    records: Vec<Record>,
    jobs: Vec<Job>,
    /// The runs that several jobs share, by what the scenario calls them.
    shared: BTreeMap<(String, String), u64>,
    history: Vec<RunnerEvent>,
}

impl Runners {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.jobs.is_empty()
    }

    pub(super) fn history(&self) -> &[RunnerEvent] {
        &self.history
    }

    /// The records that are there, by number.
    pub(super) fn seen(&self, now: Timestamp) -> Vec<RunnerSeen> {
        let seen = |it: &Record| {
            let state = it.state(now)?;
            Some(RunnerSeen {
                id: it.id,
                of: it.of.clone(),
                name: it.name.clone(),
                is_online: state.is_online,
                is_busy: state.is_busy,
            })
        };
        self.records.iter().filter_map(seen).collect()
    }

    /// All jobs that have come to be queued, in that order.
    pub(super) fn jobs_seen(&self, now: Timestamp) -> Vec<JobSeen> {
        let queued = self.jobs.iter().filter(|it| it.queued <= now);
        let mut jobs: Vec<JobSeen> = queued.map(Job::seen).collect();
        jobs.sort_by_key(|it| (it.queued, it.id));
        jobs
    }

    fn note(&mut self, at: Timestamp, record: Option<usize>, what: RunnerDeed) {
        let record = record.map(|it| &self.records[it]);
        let event = RunnerEvent {
            at,
            runner: record.map_or(0, |it| it.id),
            name: record.map_or_else(String::new, |it| it.name.clone()),
            what,
        };
        self.history.push(event);
    }
}
