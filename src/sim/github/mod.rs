//! GitHub's REST API: versions of container packages, runs of workflows, and runners.
//!
//! - `written`: GitHub as a scenario writes it.
//! - `wire`: requests taken apart, answers put together.
//! - `apps`: Apps and the tokens of their installations.
//! - `limits`: how much a token may ask.
//! - `packages`: packages and their versions.
//! - `runs`: workflows and their runs.
//! - `runners`: self-hosted runners and the jobs that they take.
//! - `show`: how they look.

mod apps;
mod limits;
mod packages;
pub mod runners;
mod runs;
mod show;
mod wire;
pub mod written;

use std::time::Duration;

use serde_json::json;

use crate::clock::Timestamp;
use crate::sim::github::limits::Limits;
use crate::sim::github::runners::Runners;
use crate::sim::github::runners::history::{JobSeen, RunnerEvent, RunnerSeen};
use crate::sim::github::runs::Runs;
use crate::sim::github::wire::{Ask, Refusal, Reply};
use crate::sim::github::written::Token;
use crate::sim::registry::{Registries, page};
use crate::sim::scenario::{Objects, Scenario};
use crate::sim::trouble::Trouble;
use crate::sim::{Answer, Request};

/// GitHub.
#[derive(Clone, Debug)]
pub(crate) struct GitHub {
    rules: written::GitHub,
    page_max: usize,
    runs: Runs,
    runners: Runners,
    /// The tokens of Apps, and when each of them ends.
    installed: Vec<(Token, Timestamp)>,
    /// How late listings of runners and jobs are.
    lag: Duration,
    limits: Limits,
}

impl GitHub {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut github = Self {
            rules: scenario.github.clone(),
            page_max: page::small(scenario).unwrap_or(wire::PAGE_MAX),
            runs: Runs::new(scenario.seed),
            runners: Runners::new(scenario.seed),
            installed: Vec::new(),
            lag: Duration::from_secs(scenario.times.runner_lag),
            limits: Limits::default(),
        };
        github.add(&scenario.objects, scenario.start);
        github
    }

    /// Adds workflows, runners and jobs, or makes them what is said here.
    pub(crate) fn meddle(&mut self, objects: &Objects, now: Timestamp) {
        self.add(objects, now);
    }

    fn add(&mut self, objects: &Objects, now: Timestamp) {
        self.runs.add(&objects.workflows, now);
        self.runners.add_runners(&objects.runners, now);
        self.runners.add_jobs(&mut self.runs, &objects.jobs, now);
    }

    /// Whether nobody has runners or jobs.
    pub(crate) fn has_no_runners(&self) -> bool {
        self.runners.is_empty()
    }

    /// The records of runners that are there.
    pub(crate) fn runners_seen(&self, now: Timestamp) -> Vec<RunnerSeen> {
        self.runners.seen(now)
    }

    /// All jobs that have come to be queued.
    pub(crate) fn jobs_seen(&self, now: Timestamp) -> Vec<JobSeen> {
        self.runners.jobs_seen(now)
    }

    /// What happened to runners and jobs.
    pub(crate) fn runner_history(&self) -> &[RunnerEvent] {
        self.runners.history()
    }

    /// How many requests of this hour were counted, by whoever asked.
    pub(crate) fn used(&self) -> u64 {
        self.limits.used()
    }

    /// Lets the runs do what they have done by now.
    pub(crate) fn settle(&mut self, registries: &mut Registries, now: Timestamp) {
        self.runs.settle(registries, now);
    }

    /// Answers one request.
    pub(crate) fn answer(
        &mut self,
        registries: &mut Registries,
        request: &Request,
        (now, trouble): (Timestamp, Option<&Trouble>),
    ) -> Answer {
        let mut ask = Ask::read(request, now);
        ask.trouble = trouble;
        ask.page_max = self.page_max;
        ask.lag = self.lag;
        let reply = self.reply(registries, &ask);
        let answer = reply.unwrap_or_else(|it| it.render());
        self.limits.shown(&ask, &self.rules, answer)
    }

    /// Answers with the failure that a trouble asks for. GitHub's gateways answer in HTML (GitHub Docs, "Troubleshooting
    /// the REST API").
    pub(crate) fn fail(&mut self, request: &Request, trouble: &Trouble) -> Answer {
        let ask = Ask::read(request, Timestamp::EPOCH);
        let status = trouble.status.unwrap_or(500);
        if [502, 504].contains(&status) {
            let page =
                "<!DOCTYPE html><html><head><title>Unicorn! &middot; GitHub</title></head></html>";
            return Answer::new(status, "text/html; charset=utf-8", page);
        }
        let message = match status {
            401 => "Bad credentials",
            403 | 429 => limits::SECONDARY,
            404 => "Not Found",
            _ => "Server Error",
        };
        let mut refusal = Refusal::new(status, trouble.code.as_deref().unwrap_or(message));
        refusal.retry_after = Some(trouble.seconds).filter(|it| *it > 0);
        self.limits.shown(&ask, &self.rules, refusal.render())
    }

    fn reply(&mut self, registries: &mut Registries, ask: &Ask) -> Reply {
        // GitHub Docs, "Getting started with the REST API", "User agent".
        if ask.header("user-agent").is_none_or(str::is_empty) {
            let text = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
            return Err(Refusal::new(403, text));
        }
        // GitHub Docs, "API Versions": one that is no longer supported is gone; ASSUMED: so is one that never was.
        let version = ask.header("x-github-api-version");
        if version.is_some_and(|it| !["2022-11-28", "2026-03-10"].contains(&it)) {
            return Err(Refusal::new(
                410,
                "This API version is no longer supported.",
            ));
        }
        if let ["app", "installations", id, "access_tokens"] = ask.parts()[..] {
            let id = id.to_owned();
            return self.install(ask, &id);
        }
        let token = self.token(ask)?;
        self.limits.count(ask, &self.rules)?;
        let parts = ask.parts();
        if let Some(moved) = self.moved(ask) {
            return Ok(moved);
        }
        match parts[..] {
            ["orgs" | "users", _, "packages", ..] | ["user", "packages", ..] => {
                self.packages(registries, ask, &token)
            }
            ["orgs", _, "actions", "runners", ..] | ["repos", _, _, "actions", "runners", ..] => {
                self.runners(ask, &token)
            }
            ["repos", _, _, "actions", ..] => self.actions(registries, ask, &token),
            _ => Err(Refusal::not_found()),
        }
    }

    /// Where a repository is that was renamed (GitHub Docs, "Best practices for using the REST API", "Follow redirects").
    fn moved(&self, ask: &Ask) -> Option<Answer> {
        let parts = ask.parts();
        let ["repos", owner, name, ref rest @ ..] = parts[..] else {
            return None;
        };
        let now = self.rules.renamed.get(&format!("{owner}/{name}"))?;
        let status = if ask.is_read() { 301 } else { 307 };
        let mut query = String::new();
        if !ask.request.query.is_empty() {
            query = format!("?{}", ask.request.query);
        }
        let location = format!("{}/repos/{now}/{}{query}", ask.base, rest.join("/"));
        let mut answer = Answer::json(
            status,
            &json!({"message": "Moved Permanently", "url": location}),
        );
        answer.headers.insert("location".to_owned(), location);
        Some(answer)
    }

    /// Who asks. ASSUMED: nothing here answers without a token, though public runs would.
    fn token(&self, ask: &Ask) -> Result<Token, Refusal> {
        let Some(sent) = ask.header("authorization") else {
            return Err(Refusal::new(401, "Requires authentication"));
        };
        let (scheme, sent) = sent.split_once(' ').unwrap_or_default();
        let is_scheme = ["bearer", "token"].contains(&scheme.to_lowercase().as_str());
        let mut tokens = self.rules.tokens.iter();
        let token = tokens.find(|it| is_scheme && it.token == sent);
        let installed = || self.installed_token(sent, ask.now).filter(|_| is_scheme);
        token
            .cloned()
            .or_else(installed)
            .ok_or_else(|| Refusal::new(401, "Bad credentials"))
    }
}

pub(crate) use self::runners::configured;

/// Whether a request is for GitHub.
pub(crate) fn is_meant(request: &Request) -> bool {
    request.path.starts_with(wire::PREFIX)
}

/// The service, the action and the object of a request: the action as in `GET versions`, the object as in
/// `example/app` or `example/app@123`.
pub(crate) fn name_of(request: &Request) -> (&'static str, String, Option<String>) {
    let ask = Ask::read(request, Timestamp::EPOCH);
    let parts = ask.parts();
    let (noun, object) = match parts[..] {
        ["orgs" | "users", owner, "packages", _, name, ref rest @ ..] => {
            of_package(&format!("{owner}/{name}"), rest)
        }
        ["user", "packages", _, name, ref rest @ ..] => of_package(name, rest),
        ["orgs" | "users", owner, "packages"] => ("packages", Some(owner.to_owned())),
        ["repos", owner, name, "actions", ref rest @ ..] => {
            let repository = format!("{owner}/{name}");
            match rest {
                ["workflows", file, "dispatches"] => {
                    ("dispatch", Some(format!("{repository}@{file}")))
                }
                ["workflows", file, "runs"] => ("runs", Some(format!("{repository}@{file}"))),
                ["runs", run] => ("run", Some(format!("{repository}@{run}"))),
                ["jobs", job] => ("job", Some(format!("{repository}@{job}"))),
                ["runs", run, "jobs"] => ("jobs", Some(format!("{repository}@{run}"))),
                ["runners", rest @ ..] => of_runners(&repository, rest, request),
                _ => ("runs", Some(repository)),
            }
        }
        ["orgs", owner, "actions", "runners", ref rest @ ..] => of_runners(owner, rest, request),
        ["app", "installations", id, "access_tokens"] => ("access token", Some(id.to_owned())),
        _ => ("nothing", None),
    };
    ("github", format!("{} {noun}", request.method), object)
}

/// The object of a registration is the name that is asked for.
fn of_runners(of: &str, rest: &[&str], request: &Request) -> (&'static str, Option<String>) {
    match rest {
        ["generate-jitconfig"] => {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let name = body.get("name").and_then(serde_json::Value::as_str);
            ("jitconfig", name.map(str::to_owned))
        }
        [id] => ("runner", Some(format!("{of}@{id}"))),
        _ => ("runners", Some(of.to_owned())),
    }
}

fn of_package(package: &str, rest: &[&str]) -> (&'static str, Option<String>) {
    match rest {
        ["versions", id, "restore"] => ("restore", Some(format!("{package}@{id}"))),
        ["versions", id] => ("version", Some(format!("{package}@{id}"))),
        ["versions"] => ("versions", Some(package.to_owned())),
        _ => ("package", Some(package.to_owned())),
    }
}

/// What went wrong, as the list of calls says it; GitHub has no codes.
pub(crate) fn code_of(answer: &Answer) -> Option<String> {
    let failed = answer.status >= 400;
    let value: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    let message = value.get("message")?.as_str()?;
    failed.then(|| message.to_owned())
}
