//! Jobs and their runs (GitHub REST API, "Workflow jobs").

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::sim::Answer;
use crate::sim::github::runs::Runs;
use crate::sim::github::wire::{Ask, Refusal, Reply};
use crate::sim::registry::store::number;

use super::history::JobSeen;
use super::{Runners, written};

/// The workflow that jobs are of.
const FILE: &str = "ci.yml";

/// One job.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) run: u64,
    pub(super) repository: String,
    pub(super) labels: Vec<String>,
    pub(super) queued: Timestamp,
    pub(super) seconds: u64,
    pub(super) conclusion: String,
    pub(super) cancelled: Option<Timestamp>,
    name: String,
    held: Option<String>,
    /// Who has it since when.
    pub(super) taken: Option<Taken>,
    /// When it was over, and how.
    pub(super) ended: Option<(Timestamp, String)>,
}

/// Who has a job.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) at: Timestamp,
    /// The record's place among all.
    pub(super) record: usize,
    pub(super) runner: u64,
    pub(super) runner_name: String,
}

impl Job {
    /// Whether it waits for a runner at a time.
    pub(super) fn is_waiting(&self, at: Timestamp) -> bool {
        self.queued <= at && self.taken.is_none() && self.ended.is_none() && self.held.is_none()
    }

    pub(super) fn seen(&self) -> JobSeen {
        JobSeen {
            id: self.id,
            name: self.name.clone(),
            queued: self.queued,
            began: self.taken.as_ref().map(|it| it.at),
            ended: self.ended.clone(),
        }
    }

    fn show(&self, base: &str, at: Timestamp) -> Value {
        let ended = self.ended.as_ref().filter(|it| it.0 <= at);
        let taken = self.taken.as_ref().filter(|it| it.at <= at);
        let status = match (ended, taken, &self.held) {
            (Some(_), _, _) => "completed",
            (None, Some(_), _) => "in_progress",
            (None, None, Some(held)) => held,
            (None, None, None) => "queued",
        };
        let url = format!("{base}/repos/{}/actions", self.repository);
        json!({
            "id": self.id,
            "run_id": self.run,
            "run_url": format!("{url}/runs/{}", self.run),
            "run_attempt": 1,
            "node_id": format!("CR_{}", self.id),
            "head_sha": format!("{:040x}", number(&self.repository)),
            "url": format!("{url}/jobs/{}", self.id),
            "html_url": format!("https://github.com/{}/actions/runs/{}/job/{}", self.repository, self.run, self.id),
            "status": status,
            "conclusion": ended.map(|it| &it.1),
            "created_at": self.queued,
            "started_at": taken.map_or(self.queued, |it| it.at),
            "completed_at": ended.map(|it| it.0),
            "name": self.name,
            "check_run_url": format!("{base}/repos/{}/check-runs/{}", self.repository, self.id),
            "labels": self.labels,
            // Nobody has it: GitHub says so by null and by 0.
            "runner_id": taken.map_or(Value::from(0), |it| it.runner.into()),
            "runner_name": taken.map_or("", |it| it.runner_name.as_str()),
            "runner_group_id": taken.map(|_| 1),
            "runner_group_name": taken.map(|_| "Default"),
            "workflow_name": FILE,
            "head_branch": "main",
            "steps": [],
        })
    }
}

impl Runners {
    pub(in super::super) fn add_jobs(
        &mut self,
        runs: &mut Runs,
        jobs: &[written::Job],
        now: Timestamp,
    ) {
        for written in jobs {
            let queued = written.queued.unwrap_or(now);
            let count = self.jobs.len();
            let key = written.run.clone().unwrap_or_else(|| format!("of {count}"));
            let key = (written.repository.clone(), key);
            let run = *self
                .shared
                .entry(key)
                .or_insert_with(|| runs.hold((&written.repository, FILE), queued));
            runs.touch(run, queued);
            self.jobs.push(Job {
                id: 41_000_000_000 + u64::try_from(count).unwrap_or_default(),
                run,
                repository: written.repository.clone(),
                labels: written.labels.clone(),
                queued,
                seconds: written.seconds,
                conclusion: written.conclusion.clone(),
                cancelled: written.cancelled,
                name: written.name.clone(),
                held: written.held.clone(),
                taken: None,
                ended: None,
            });
        }
    }

    /// Tells the run of a job what has become of its jobs.
    pub(super) fn tell(&self, runs: &mut Runs, run: u64, at: Timestamp) {
        let all = || self.jobs.iter().filter(|it| it.run == run);
        let is_over = all().all(|it| it.ended.is_some());
        let has_begun = all().any(|it| it.taken.is_some() || it.ended.is_some());
        let worst = all().filter_map(|it| it.ended.as_ref().map(|it| it.1.as_str()));
        let worst = worst.filter(|it| *it != "success").max();
        runs.turn(
            (run, at),
            (has_begun, is_over.then(|| worst.unwrap_or("success"))),
        );
    }

    /// One job.
    pub(in super::super) fn job(&self, ask: &Ask, (repository, id): (&str, &str)) -> Reply {
        let meant = |it: &&Job| it.repository == repository && it.id.to_string() == id;
        let job = self
            .jobs
            .iter()
            .find(meant)
            .filter(|it| it.queued <= ask.now);
        let job = job.ok_or_else(Refusal::not_found)?;
        Ok(Answer::json(200, &job.show(&ask.base, ask.now)))
    }

    /// The jobs of one run.
    pub(in super::super) fn jobs_of(&self, ask: &Ask, (repository, run): (&str, &str)) -> Reply {
        let at = ask.visible();
        let meant = |it: &&Job| it.repository == repository && it.run.to_string() == run;
        let mut shown = self.jobs.iter().filter(meant).peekable();
        if shown.peek().is_none() {
            return Err(Refusal::not_found());
        }
        let shown = shown.filter(|it| it.queued <= at);
        let shown: Vec<Value> = shown.map(|it| it.show(&ask.base, at)).collect();
        let total = shown.len();
        Ok(ask.page(shown, |it| json!({"total_count": total, "jobs": it})))
    }
}
