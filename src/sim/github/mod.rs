//! GitHub's REST API: the versions of container packages, and runs of workflows.
//!
//! - `written`: GitHub as a scenario writes it.
//! - `wire`: requests taken apart, answers put together.
//! - `limits`: how much a token may ask.
//! - `packages`: packages and their versions.
//! - `runs`: workflows and their runs.
//! - `show`: how they look.

mod limits;
mod packages;
mod runs;
mod show;
mod wire;
pub mod written;

use crate::clock::Timestamp;
use crate::sim::github::limits::Limits;
use crate::sim::github::runs::Runs;
use crate::sim::github::wire::{Ask, Refusal, Reply};
use crate::sim::github::written::Token;
use crate::sim::registry::{Registries, page};
use crate::sim::scenario::Scenario;
use crate::sim::trouble::Trouble;
use crate::sim::{Answer, Request};

/// GitHub.
#[derive(Clone, Debug)]
pub(crate) struct GitHub {
    rules: written::GitHub,
    page_max: usize,
    runs: Runs,
    limits: Limits,
}

impl GitHub {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut github = Self {
            rules: scenario.github.clone(),
            page_max: page::small(scenario).unwrap_or(wire::PAGE_MAX),
            runs: Runs::new(scenario.seed),
            limits: Limits::default(),
        };
        github.runs.add(&scenario.objects.workflows, scenario.start);
        github
    }

    /// Adds workflows, or makes them what is said here.
    pub(crate) fn meddle(&mut self, workflows: &[written::Workflow], now: Timestamp) {
        self.runs.add(workflows, now);
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
        let token = self.token(ask)?;
        self.limits.count(ask, &self.rules)?;
        let parts = ask.parts();
        match parts[..] {
            ["orgs" | "users", _, "packages", ..] | ["user", "packages", ..] => {
                self.packages(registries, ask, &token)
            }
            ["repos", _, _, "actions", ..] => self.actions(registries, ask, &token),
            _ => Err(Refusal::not_found()),
        }
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
        token
            .cloned()
            .ok_or_else(|| Refusal::new(401, "Bad credentials"))
    }
}

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
                _ => ("runs", Some(repository)),
            }
        }
        _ => ("nothing", None),
    };
    ("github", format!("{} {noun}", request.method), object)
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
