//! Jobs that wait for a runner (GitHub REST API, "Workflow runs" and "Workflow jobs").

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::GitHub;
use super::call::Call;
use super::packages::encode;
use super::token::Scope;
use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::retry::Effect;

/// Items to a page: the most that GitHub gives.
const PAGE: usize = 100;

/// A job that waits for a runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// GitHub's number of it.
    pub id: u64,
    /// What `runs-on` asks for.
    pub labels: Vec<String>,
    /// Since when it is there.
    pub created: Timestamp,
}

/// The jobs of a repository that wait for a runner, and how many pages told so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The jobs, the oldest first.
    pub jobs: Vec<Job>,
    /// The fewest calls that can tell this, by listing.
    pub listings: BTreeMap<String, u64>,
}

/// A run as a list of runs shows it; while it stays the same, so do its jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    id: u64,
    status: String,
    attempt: u64,
    updated: Timestamp,
}

impl GitHub {
    /// The jobs of a repository, as in `example/app`, that wait for a runner; once a pass.
    ///
    /// Those that wait for an approval or for a group of workflows are not among them (`waiting`, `pending`).
    pub async fn waiting(&self, repository: &str) -> Result<Arc<Waiting>, Fault> {
        let read = || self.read_waiting(repository);
        self.waiting.get(&repository.to_owned(), read).await
    }

    async fn read_waiting(&self, repository: &str) -> Result<Waiting, Fault> {
        let mut jobs = BTreeMap::new();
        let mut listings = BTreeMap::new();
        let mut runs = BTreeMap::new();
        // A run is in progress as soon as one of its jobs is, so that the others may wait in it.
        for status in ["queued", "in_progress"] {
            let call = runs_call(repository, status);
            let listed = self.list(&call, Some("workflow_runs"), read_run).await;
            let listed = listed.map_err(unseen)?;
            let pages = listed.items().len().div_ceil(PAGE).max(1) as u64;
            listings.insert(format!("github runs {repository} {status}"), pages);
            runs.extend(listed.items().iter().map(|it| (it.id, it.clone())));
        }
        for run in runs.values().filter(|it| !self.has_nobody_waiting(it)) {
            let call = jobs_call(repository, run.id);
            let listed = self.list(&call, Some("jobs"), read_job).await;
            let listed = match listed {
                // It was deleted meanwhile.
                Err(fault) if fault.class == Class::Gone => continue,
                listed => listed?,
            };
            let pages = listed.items().len().div_ceil(PAGE).max(1) as u64;
            listings.insert(format!("github jobs {repository} {}", run.id), pages);
            let waiting = listed.items().iter().flatten();
            let before = jobs.len();
            jobs.extend(waiting.map(|it| (it.id, it.clone())));
            self.note_run(run, jobs.len() == before);
        }
        let mut jobs: Vec<Job> = jobs.into_values().collect();
        jobs.sort_by_key(|it| (it.created, it.id));
        Ok(Waiting { jobs, listings })
    }

    /// Whether a job still waits for a runner.
    pub async fn is_waiting(&self, repository: &str, id: u64) -> Result<bool, Fault> {
        let subject = format!("{repository} {id}");
        let path = path(repository, "");
        let call = Call {
            action: "actions/get-job-for-workflow-run",
            doing: "look at a job",
            subject: &subject,
            path: format!(
                "{}/{id}",
                path.trim_end_matches("/runs").to_owned() + "/jobs"
            ),
            is_kept: false,
            ..runs_call(repository, "queued")
        };
        match self.call(&call).await {
            Ok(reply) => match read_job(&reply.body) {
                Ok((_, job)) => Ok(job.is_some()),
                Err(why) => Err(call.unreadable(&why)),
            },
            // It was deleted with its run.
            Err(fault) if fault.class == Class::Gone => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Whether a run has not changed since it was seen to have no job that waits.
    fn has_nobody_waiting(&self, run: &Shown) -> bool {
        let quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.http.now();
        let known = quiet.get(&run.id);
        known.is_some_and(|(shown, at)| shown == run && now.since(*at) < QUIET_FOR)
    }

    fn note_run(&self, run: &Shown, is_quiet: bool) {
        let mut quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        if is_quiet {
            quiet.insert(run.id, (run.clone(), self.http.now()));
        } else {
            quiet.remove(&run.id);
        }
        while quiet.len() > QUIET_MAX {
            quiet.pop_first();
        }
    }
}

/// How long a run that looks the same is not asked for its jobs: nothing says that it looks otherwise whenever one of them
/// comes to wait.
const QUIET_FOR: Duration = Duration::from_secs(300);
/// How many runs are remembered; those that were made first go first.
const QUIET_MAX: usize = 10_000;

fn runs_call<'a>(repository: &'a str, status: &str) -> Call<'a> {
    Call {
        action: "actions/list-workflow-runs-for-repo",
        doing: "list the runs of a repository",
        effect: Effect::Read,
        scope: Scope::Actions,
        subject: repository,
        method: Method::GET,
        path: format!(
            "{}?status={status}&exclude_pull_requests=true&per_page={PAGE}",
            path(repository, "")
        ),
        body: Value::Null,
        is_kept: true,
    }
}

fn jobs_call(repository: &str, run: u64) -> Call<'_> {
    Call {
        action: "actions/list-jobs-for-workflow-run",
        doing: "list the jobs of a run",
        path: format!(
            "{}?filter=latest&per_page={PAGE}",
            path(repository, &format!("/{run}/jobs"))
        ),
        ..runs_call(repository, "queued")
    }
}

fn path(repository: &str, rest: &str) -> String {
    let parts: Vec<String> = repository.split('/').map(encode).collect();
    format!("/repos/{}/actions/runs{rest}", parts.join("/"))
}

/// A 404 on a list is what a token sees that may not look.
fn unseen(fault: Fault) -> Fault {
    if fault.class != Class::Gone {
        return fault;
    }
    let message = format!(
        "{}: there is no such repository, or the token may not see its runs",
        fault.message
    );
    Fault {
        class: Class::Denied,
        message,
        ..fault
    }
}

#[derive(Deserialize)]
struct WrittenRun {
    id: u64,
    status: Option<String>,
    run_attempt: Option<u64>,
    updated_at: Timestamp,
}

fn read_run(item: &Value) -> Result<(u64, Shown), String> {
    let written = WrittenRun::deserialize(item);
    let written = written.map_err(|it| format!("a run cannot be read: {it}"))?;
    let run = Shown {
        id: written.id,
        status: written.status.unwrap_or_default(),
        attempt: written.run_attempt.unwrap_or_default(),
        updated: written.updated_at,
    };
    Ok((written.id, run))
}

#[derive(Deserialize)]
struct WrittenJob {
    id: u64,
    status: String,
    labels: Vec<String>,
    created_at: Timestamp,
    runner_id: Option<u64>,
}

/// The job, where it waits: GitHub says that nobody has it by null or by 0.
fn read_job(item: &Value) -> Result<(u64, Option<Job>), String> {
    let written = WrittenJob::deserialize(item);
    let written = written.map_err(|it| format!("a job cannot be read: {it}"))?;
    let is_waiting = written.status == "queued" && written.runner_id.is_none_or(|it| it == 0);
    let job = is_waiting.then_some(Job {
        id: written.id,
        labels: written.labels,
        created: written.created_at,
    });
    Ok((written.id, job))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_queued_and_nobody_has_waits() {
        let waits = |status: &str, runner: Value| {
            let item = json!({
                "id": 40_000_000_001_u64, "status": status, "labels": ["a"], "runner_id": runner,
                "created_at": "2026-01-01T00:00:00Z",
            });
            read_job(&item).expect("a job").1.is_some()
        };
        assert!(waits("queued", Value::Null) && waits("queued", json!(0)));
        assert!(!waits("queued", json!(7)));
        for status in [
            "waiting",
            "pending",
            "requested",
            "in_progress",
            "completed",
        ] {
            assert!(!waits(status, Value::Null), "{status}");
        }
    }
}
