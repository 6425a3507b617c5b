//! Workflows and their runs (GitHub REST API, "Workflows" and "Workflow runs").

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::sim::Answer;
use crate::sim::github::GitHub;
use crate::sim::github::show;
use crate::sim::github::wire::{Ask, Refusal, Reply, nothing};
use crate::sim::github::written::{Token, Workflow};
use crate::sim::registry::Registries;
use crate::sim::registry::history::{By, Deed};
use crate::sim::registry::store::number;
use crate::sim::registry::written;

/// How many inputs a dispatch may have.
const INPUTS_MAX: usize = 25;
/// How many runs a listing with a filter shows at most.
const RUNS_MAX: usize = 1000;

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) id: u64,
    pub(super) number: usize,
    pub(super) repository: String,
    pub(super) file: String,
    pub(super) reference: String,
    pub(super) event: String,
    pub(super) created: Timestamp,
    inputs: BTreeMap<String, String>,
    begins: Timestamp,
    ends: Timestamp,
    conclusion: String,
    pushes: BTreeMap<String, BTreeMap<String, written::Repository>>,
    is_over: bool,
    /// When any of its jobs changed.
    touched: Vec<Timestamp>,
}

/// Later than anything that happens.
const FAR: Timestamp = Timestamp::from_millis(253_402_300_000_000);

/// All workflows and runs.
#[derive(Clone, Debug)]
pub(super) struct Runs {
    seed: u64,
    workflows: Vec<Workflow>,
    /// In the order in which they were started.
    started: Vec<Run>,
}

/// What starts a run.
struct Start {
    reference: String,
    event: String,
    inputs: BTreeMap<String, String>,
    at: Timestamp,
}

impl Run {
    pub(super) fn status(&self, at: Timestamp) -> &'static str {
        if at >= self.ends {
            "completed"
        } else if at >= self.begins {
            "in_progress"
        } else {
            "queued"
        }
    }

    pub(super) fn conclusion_at(&self, at: Timestamp) -> Option<&str> {
        (at >= self.ends).then_some(self.conclusion.as_str())
    }

    /// When it last became what it is.
    pub(super) fn changed(&self, at: Timestamp) -> Timestamp {
        let past = [self.ends, self.begins].into_iter().find(|it| at >= *it);
        let touched = self.touched.iter().filter(|it| at >= **it).max().copied();
        past.max(touched).unwrap_or(self.created)
    }

    pub(super) fn url(&self, base: &str) -> String {
        format!("{base}/repos/{}/actions/runs/{}", self.repository, self.id)
    }

    pub(super) fn html_url(&self) -> String {
        format!(
            "https://github.com/{}/actions/runs/{}",
            self.repository, self.id
        )
    }

    pub(super) fn workflow_id(&self) -> u64 {
        workflow_id(&self.repository, &self.file)
    }

    fn is_of(&self, workflow: &str) -> bool {
        self.file == workflow || self.workflow_id().to_string() == workflow
    }
}

fn workflow_id(repository: &str, file: &str) -> u64 {
    number(&format!("workflow/{repository}/{file}"))
}

impl Runs {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            workflows: Vec::new(),
            started: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, workflows: &[Workflow], now: Timestamp) {
        for workflow in workflows {
            let same =
                |it: &Workflow| it.repository == workflow.repository && it.file == workflow.file;
            self.workflows.retain(|it| !same(it));
            self.workflows.push(workflow.clone());
            for past in &workflow.runs {
                let start = Start {
                    reference: past.reference.clone(),
                    event: past.event.clone(),
                    inputs: past.inputs.clone(),
                    at: past.created.min(now),
                };
                self.start(workflow, start);
            }
        }
    }

    fn start(&mut self, workflow: &Workflow, start: Start) -> &Run {
        let of_same = self
            .started
            .iter()
            .filter(|it| it.repository == workflow.repository && it.file == workflow.file);
        let earlier = of_same.count();
        let last = workflow.conclusions.last();
        let conclusion = workflow.conclusions.get(earlier).or(last).cloned();
        let begins = start.at.plus(Duration::from_secs(workflow.queued_seconds));
        let subject = format!(
            "{}/{}/{}/{earlier}",
            self.seed, workflow.repository, workflow.file
        );
        self.started.push(Run {
            // Real numbers are past 32 bits.
            id: 30_000_000_000 + number(&subject),
            number: earlier + 1,
            repository: workflow.repository.clone(),
            file: workflow.file.clone(),
            reference: start.reference,
            event: start.event,
            created: start.at,
            inputs: start.inputs,
            begins,
            ends: begins.plus(Duration::from_secs(workflow.seconds)),
            conclusion: conclusion.unwrap_or_else(|| "success".to_owned()),
            pushes: workflow.pushes.clone(),
            is_over: false,
            touched: Vec::new(),
        });
        self.started.last().expect("it was pushed")
    }

    /// A run of a workflow that nobody can start, which is as its jobs are.
    pub(super) fn hold(&mut self, (repository, file): (&str, &str), created: Timestamp) -> u64 {
        let count = self.started.len();
        let id = 30_000_000_000 + number(&format!("{}/{repository}/{file}/{count}", self.seed));
        self.started.push(Run {
            id,
            number: count + 1,
            repository: repository.to_owned(),
            file: file.to_owned(),
            reference: "main".to_owned(),
            event: "push".to_owned(),
            created,
            inputs: BTreeMap::new(),
            begins: FAR,
            ends: FAR,
            conclusion: String::new(),
            pushes: BTreeMap::new(),
            is_over: true,
            touched: Vec::new(),
        });
        id
    }

    /// Notes that a job of a run is another one from a time on.
    pub(super) fn touch(&mut self, run: u64, at: Timestamp) {
        if let Some(run) = self.started.iter_mut().find(|it| it.id == run) {
            run.touched.push(at);
        }
    }

    /// Makes a run what its jobs are: begun, and over with this conclusion.
    pub(super) fn turn(
        &mut self,
        (run, at): (u64, Timestamp),
        (has_begun, conclusion): (bool, Option<&str>),
    ) {
        self.touch(run, at);
        let Some(run) = self.started.iter_mut().find(|it| it.id == run) else {
            return;
        };
        if has_begun {
            run.begins = run.begins.min(at);
        }
        match conclusion {
            Some(conclusion) => {
                run.ends = at;
                conclusion.clone_into(&mut run.conclusion);
            }
            None => run.ends = FAR,
        }
    }

    pub(super) fn settle(&mut self, registries: &mut Registries, now: Timestamp) {
        let due = |it: &Run| !it.is_over && it.ends <= now;
        let mut ended: Vec<usize> = (0..self.started.len())
            .filter(|it| due(&self.started[*it]))
            .collect();
        ended.sort_by_key(|it| self.started[*it].ends);
        for index in ended {
            let run = &mut self.started[index];
            run.is_over = true;
            if run.conclusion == "success" {
                registries.pushed_by_run(&run.pushes, &run.inputs, run.ends);
            }
            let deed = Deed::RunEnded {
                run: run.id,
                conclusion: run.conclusion.clone(),
            };
            registries.note(
                ("github", &run.repository),
                By::Workflow,
                run.ends,
                vec![deed],
            );
        }
    }
}

impl GitHub {
    pub(super) fn actions(
        &mut self,
        registries: &mut Registries,
        ask: &Ask,
        token: &Token,
    ) -> Reply {
        if !token.may("repo") && !token.may("actions") {
            return Err(Refusal::not_found());
        }
        let parts = ask.parts();
        let [_, owner, name, _, ref rest @ ..] = parts[..] else {
            return Err(Refusal::not_found());
        };
        let repository = format!("{owner}/{name}");
        match (ask.request.method.as_str(), rest) {
            ("POST", ["workflows", file, "dispatches"]) => {
                self.dispatch(registries, ask, (&repository, file))
            }
            ("GET", ["workflows", file, "runs"]) => {
                self.workflow(&repository, file)?;
                self.list(ask, &repository, |it| it.is_of(file))
            }
            ("GET", ["runs"]) => self.list(ask, &repository, |_| true),
            ("GET", ["jobs", id]) => self.runners.job(ask, (&repository, id)),
            ("GET", ["runs", id, "jobs"]) => self.runners.jobs_of(ask, (&repository, id)),
            ("GET", ["runs", id]) => {
                let mut runs = self.runs.started.iter();
                let run = runs.find(|it| it.repository == repository && it.id.to_string() == *id);
                let run = run.ok_or_else(Refusal::not_found)?;
                Ok(Answer::json(200, &show::run(ask, run, ask.now)))
            }
            _ => Err(Refusal::not_found()),
        }
    }

    fn workflow(&self, repository: &str, file: &str) -> Result<&Workflow, Refusal> {
        let mut all = self.runs.workflows.iter();
        let found = all.find(|it| {
            let id = workflow_id(&it.repository, &it.file).to_string();
            it.repository == repository && (it.file == file || id == file)
        });
        found.ok_or_else(Refusal::not_found)
    }

    /// The texts of refusals are as they are known to be; the documentation has none.
    fn dispatch(
        &mut self,
        registries: &mut Registries,
        ask: &Ask,
        (repository, file): (&str, &str),
    ) -> Reply {
        let workflow = self.workflow(repository, file)?.clone();
        let body: Value = serde_json::from_slice(&ask.request.body)
            .map_err(|_| Refusal::new(400, "Problems parsing JSON"))?;
        let (reference, inputs) = read(&workflow, &body)?;
        // Since the version of 2026-03-10 details always come, and the field is gone.
        let asked = body.get("return_run_details").and_then(Value::as_bool);
        if ask.is_of_2026() && asked.is_some() {
            let text = "Invalid request.\n\n\"return_run_details\" is not a permitted key.";
            return Err(Refusal::new(422, text));
        }
        let start = Start {
            reference,
            event: "workflow_dispatch".to_owned(),
            inputs,
            at: ask.now,
        };
        let run = self.runs.start(&workflow, start);
        let details = json!({
            "workflow_run_id": run.id,
            "run_url": run.url(&ask.base),
            "html_url": run.html_url(),
        });
        let deed = Deed::RunStarted {
            workflow: run.file.clone(),
            run: run.id,
        };
        registries.note(("github", repository), By::Client, ask.now, vec![deed]);
        if ask.is_of_2026() || asked == Some(true) {
            return Ok(Answer::json(200, &details));
        }
        Ok(nothing())
    }

    /// Newest first.
    fn list(&self, ask: &Ask, repository: &str, is_meant: impl Fn(&Run) -> bool) -> Reply {
        let at = ask.visible();
        let created = match ask.parameter("created") {
            None => None,
            Some(text) => {
                let since = text.strip_prefix(">=").and_then(Timestamp::parse);
                // Other forms of the search syntax are not modelled: better refused than wrong.
                Some(since.ok_or_else(|| Refusal::new(422, "created is not >= and a time"))?)
            }
        };
        let fits = |name: &str, is: &str| ask.parameter(name).is_none_or(|it| it == is);
        let of_status = |run: &Run| {
            let conclusion = run.conclusion_at(at);
            ask.parameter("status")
                .is_none_or(|it| it == run.status(at) || Some(it) == conclusion)
        };
        let mut runs: Vec<&Run> = self
            .runs
            .started
            .iter()
            .filter(|it| it.repository == repository && is_meant(it) && it.created <= at)
            .filter(|it| fits("branch", &it.reference) && fits("event", &it.event))
            .filter(|it| of_status(it) && created.is_none_or(|since| it.created >= since))
            .collect();
        runs.sort_by_key(|it| Reverse((it.created, it.number)));
        let total = runs.len();
        runs.truncate(RUNS_MAX);
        let shown = runs.into_iter().map(|it| show::run(ask, it, at)).collect();
        Ok(ask.page(
            shown,
            |it| json!({"total_count": total, "workflow_runs": it}),
        ))
    }
}

/// The branch and the inputs of a dispatch.
fn read(workflow: &Workflow, body: &Value) -> Result<(String, BTreeMap<String, String>), Refusal> {
    let refuse = |text: &str| Err(Refusal::new(422, text));
    let Some(reference) = body.get("ref").and_then(Value::as_str) else {
        return refuse("Invalid request.\n\n\"ref\" wasn't supplied.");
    };
    if !workflow.refs.contains(reference) {
        return refuse(&format!("No ref found for: {reference}"));
    }
    let inputs = body.get("inputs").cloned().unwrap_or_else(|| json!({}));
    let inputs: BTreeMap<String, Value> = serde_json::from_value(inputs)
        .map_err(|_| Refusal::new(422, "Invalid request.\n\n\"inputs\" is not an object."))?;
    if inputs.len() > INPUTS_MAX {
        return refuse("Invalid request.\n\nNo more than 25 properties are allowed.");
    }
    let unknown = inputs.keys().filter(|it| !workflow.inputs.contains(*it));
    let unknown: Vec<&String> = unknown.collect();
    if !unknown.is_empty() {
        return refuse(&format!("Unexpected inputs provided: {}", json!(unknown)));
    }
    let text = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    let inputs = inputs.iter().map(|(name, it)| (name.clone(), text(it)));
    Ok((reference.to_owned(), inputs.collect()))
}
