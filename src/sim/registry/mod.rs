//! Registries of container images behind the OCI distribution specification, each with the rules of a real one.
//!
//! - `written`: registries as a scenario writes them.
//! - `make`, `layer`: makes images of a few words.
//! - `content`: manifests as they are written and read.
//! - `store`, `past`: what a repository holds and held.
//! - `wire`: requests taken apart, refusals put together.
//! - `login`: who asks, and what they may.
//! - `manifests`, `blobs`, `uploads`, `listing`: the requests.
//! - `history`: what happened.

mod blobs;
mod content;
pub mod history;
mod layer;
mod listing;
mod login;
mod make;
mod manifests;
mod meddle;
pub(crate) mod page;
mod past;
pub(crate) mod store;
mod uploads;
mod view;
mod wire;
pub mod written;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::clock::Timestamp;
use crate::ids::hex;
use crate::sim::github::written::Token;
use crate::sim::registry::history::{By, Deed, Happening};
use crate::sim::registry::store::Repository;
use crate::sim::registry::wire::{Ask, Refusal, Reply, STORAGE, Target};
use crate::sim::registry::written::{Personality, Registry};
use crate::sim::scenario::{ListingOrder, Scenario};
use crate::sim::trouble::Trouble;
use crate::sim::{Answer, CallName, Request};

pub use store::Manifest;

pub(crate) use meddle::check;
pub(crate) use wire::code_of;

/// One registry.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) rules: Registry,
    pub(crate) repositories: BTreeMap<String, Repository>,
    issued: BTreeMap<String, login::Issued>,
    uploads: BTreeMap<String, uploads::Upload>,
}

/// All registries of a world.
#[derive(Clone, Debug)]
pub(crate) struct Registries {
    seed: u64,
    lag: Duration,
    per_minute: Option<u64>,
    order: ListingOrder,
    page_max: usize,
    /// The tokens of GitHub, which GHCR takes for passwords.
    tokens: Vec<Token>,
    pub(crate) hosts: BTreeMap<String, Host>,
    /// Where each host really answers, as in `127.0.0.1:5000`.
    pub(crate) addresses: BTreeMap<String, String>,
    pub(crate) history: Vec<Happening>,
    drawn: u64,
    minutes: BTreeMap<String, (i64, u64)>,
}

impl Registries {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut registries = Self {
            seed: scenario.seed,
            lag: Duration::from_secs(scenario.times.registry_lag),
            per_minute: scenario
                .settings
                .throttling
                .as_ref()
                .map(|it| it.per_minute),
            order: scenario.settings.listing_order,
            page_max: page::small(scenario).unwrap_or(listing::PAGE_MAX),
            tokens: scenario.github.tokens.clone(),
            hosts: BTreeMap::new(),
            addresses: BTreeMap::new(),
            history: Vec::new(),
            drawn: 0,
            minutes: BTreeMap::new(),
        };
        registries.begin(&scenario.objects.registries, scenario.start);
        registries
    }

    /// The hosts that need an address each: the registries, and where GHCR's blobs are.
    pub(crate) fn hosts_to_reach(&self) -> Vec<String> {
        let is_ghcr = |it: &Host| it.rules.personality == Personality::Ghcr;
        let storage = self.hosts.values().any(is_ghcr);
        let storage = storage.then(|| STORAGE.to_owned());
        self.hosts.keys().cloned().chain(storage).collect()
    }

    /// The host that a request is for; none: it is for no registry.
    pub(crate) fn host_of(&self, request: &Request) -> Option<String> {
        let host = request.headers.get("host")?;
        let is_storage = host == STORAGE && self.hosts_to_reach().contains(host);
        (self.hosts.contains_key(host) || is_storage).then(|| host.clone())
    }

    /// Answers one request to `host`.
    pub(crate) fn answer(
        &mut self,
        host: &str,
        request: &Request,
        now: Timestamp,
        trouble: Option<&Trouble>,
    ) -> Answer {
        let mut ask = Ask::read(host, request, now);
        ask.trouble = trouble;
        let reply = self.reply(&ask);
        let mut answer = reply.unwrap_or_else(|it| it.render());
        let version = "registry/2.0".to_owned();
        answer
            .headers
            .insert("docker-distribution-api-version".to_owned(), version);
        if request.method == "HEAD" {
            let length = answer.body.len().to_string();
            let headers = &mut answer.headers;
            headers.entry("content-length".to_owned()).or_insert(length);
            answer.body.clear();
        }
        answer
    }

    /// Answers with the failure that a trouble asks for.
    pub(crate) fn fail(&self, host: &str, request: &Request, trouble: &Trouble) -> Answer {
        let ask = Ask::read(host, request, Timestamp::EPOCH);
        let status = trouble.status.unwrap_or(500);
        if status == 429 {
            return self.too_many(host, trouble.duration()).render();
        }
        let code = match (&trouble.code, status) {
            (Some(code), _) => code,
            (None, 401) => "UNAUTHORIZED",
            (None, 403) => "DENIED",
            (None, 404) => "MANIFEST_UNKNOWN",
            (None, _) => "UNKNOWN",
        };
        let refusal = Refusal::new(status, code, "the request has failed, as the scenario asks");
        if status == 401 {
            return self.challenged(&ask, refusal).render();
        }
        // GHCR refuses pushes by a secondary limit of GitHub (`refchecker`, issue 67).
        if status == 403 && trouble.seconds > 0 {
            let text = "You have exceeded a secondary rate limit.";
            let refusal = Refusal::new(403, "DENIED", text);
            return refusal
                .with("retry-after", &trouble.seconds.to_string())
                .render();
        }
        refusal.render()
    }

    /// GHCR says when to come again in the message alone (`chainguard-images/images`, issue 173; `dependabot/cli`, issue
    /// 380); ASSUMED: others say it in a header (RFC 9110, "Retry-After"), rounded up.
    fn too_many(&self, host: &str, wait: Duration) -> Refusal {
        let is_ghcr = |it: &Host| it.rules.personality == Personality::Ghcr;
        if self.hosts.get(host).is_none_or(is_ghcr) {
            let wait = if wait.is_zero() {
                Duration::from_micros(10_300)
            } else {
                wait
            };
            let text = format!("retry-after: {wait:?}, allowed: 2000/minute");
            return Refusal::new(429, "TOOMANYREQUESTS", &text);
        }
        let refusal = Refusal::new(429, "TOOMANYREQUESTS", "too many requests");
        if wait.is_zero() {
            return refusal;
        }
        refusal.with("retry-after", &wait.as_millis().div_ceil(1000).to_string())
    }

    fn reply(&mut self, ask: &Ask) -> Reply {
        self.throttle(ask)?;
        if ask.host == STORAGE {
            return self.elsewhere(ask);
        }
        if ask.target == Target::Token {
            return self.token(ask);
        }
        self.admit(ask)?;
        if !ask.repository.is_empty() && !wire::is_name(&ask.repository) {
            return Err(Refusal::new(400, "NAME_INVALID", "invalid repository name"));
        }
        match &ask.target {
            Target::Base => Ok(Answer::json(200, &json!({}))),
            Target::Manifest { reference } => self.manifest(ask, reference),
            Target::Blob { digest } => self.blob(ask, digest),
            Target::Uploads => self.begin_upload(ask),
            Target::Upload { id } => self.upload(ask, id),
            Target::Tags => self.list_tags(ask),
            Target::Referrers { digest } => self.list_referrers(ask, digest),
            Target::Token | Target::Storage { .. } | Target::Nothing => {
                Ok(Answer::new(404, "text/plain", "404 page not found\n"))
            }
        }
    }

    /// Windows of one minute for each action and host. ASSUMED: that GHCR counts so; it says `allowed: 2000/minute`.
    fn throttle(&mut self, ask: &Ask) -> Result<(), Refusal> {
        let Some(per_minute) = self.per_minute else {
            return Ok(());
        };
        let minute = ask.now.millis().div_euclid(60_000);
        let key = format!("{} {}", ask.host, ask.action());
        let window = self.minutes.entry(key).or_insert((minute, 0));
        if window.0 != minute {
            *window = (minute, 0);
        }
        window.1 += 1;
        if window.1 <= per_minute {
            return Ok(());
        }
        let next = Timestamp::from_millis((minute + 1) * 60_000);
        Err(self.too_many(&ask.host, next.since(ask.now)))
    }

    fn host(&self, ask: &Ask) -> &Host {
        &self.hosts[&ask.host]
    }

    fn personality(&self, ask: &Ask) -> Personality {
        self.host(ask).rules.personality
    }

    fn repository(&self, ask: &Ask) -> Option<&Repository> {
        self.host(ask).repositories.get(&ask.repository)
    }

    /// The repository, which a push brings into being. ASSUMED: it is private then, as packages of GitHub are.
    fn repository_mut(&mut self, ask: &Ask) -> &mut Repository {
        let host = self.hosts.get_mut(&ask.host);
        let host = host.expect("a request only gets to hosts that exist");
        host.repositories.entry(ask.repository.clone()).or_default()
    }

    /// What reads see: what was there before the lag, and before what a trouble takes off. GHCR: `NVIDIA/k8s-test-infra`,
    /// issue 390.
    fn visible(&self, ask: &Ask) -> Timestamp {
        self.visible_at(ask.now.minus(ask.staleness()))
    }

    /// What reads see at `at`.
    pub(crate) fn visible_at(&self, at: Timestamp) -> Timestamp {
        at.minus(self.lag)
    }

    fn record(&mut self, ask: &Ask, deeds: Vec<Deed>) {
        self.note((&ask.host, &ask.repository), By::Client, ask.now, deeds);
    }

    pub(crate) fn note(
        &mut self,
        (host, repository): (&str, &str),
        by: By,
        at: Timestamp,
        deeds: Vec<Deed>,
    ) {
        let happenings = deeds.into_iter().map(|what| Happening {
            at,
            by,
            host: host.to_owned(),
            repository: repository.to_owned(),
            what,
        });
        self.history.extend(happenings);
    }

    /// Where something is for whoever follows a link.
    fn url(&self, host: &str, path: &str) -> String {
        match self.addresses.get(host) {
            Some(address) => format!("http://{address}{path}"),
            None => format!("https://{host}{path}"),
        }
    }

    /// 64 hexadecimal digits that the seed and the subject decide.
    fn draw(&self, subject: &str) -> String {
        hex(&Sha256::digest(format!("{}/{subject}", self.seed)))
    }

    /// Everything that is in the registries, as `GET /_sim/state` shows it.
    pub(crate) fn state(&self) -> Value {
        let repository = |it: &Repository| {
            let tags: BTreeMap<_, _> = it.tags().collect();
            let manifests: Vec<_> = it.manifests().map(|(digest, _)| digest).collect();
            json!({"tags": tags, "manifests": manifests})
        };
        let host = |it: &Host| {
            let all = it.repositories.iter();
            let all: BTreeMap<_, _> = all.map(|(name, it)| (name, repository(it))).collect();
            json!(all)
        };
        let hosts = self.hosts.iter();
        let hosts: BTreeMap<_, _> = hosts.map(|(name, it)| (name, host(it))).collect();
        json!(hosts)
    }
}

/// The service, the action and the object of a request to `host`.
pub(crate) fn name_of(host: &str, request: &Request) -> (&'static str, String, Option<String>) {
    let ask = Ask::read(host, request, Timestamp::EPOCH);
    ("registry", ask.action(), ask.object())
}

/// Whether a call is meant to change something.
pub(crate) fn is_write(name: &CallName) -> bool {
    let writes = ["PUT ", "POST ", "PATCH ", "DELETE "];
    let is_meant = writes.iter().any(|it| name.action.starts_with(it));
    is_meant && name.action != "POST token"
}
