//! A simulated cloud: state and a seed behind the wire formats of the real services; no IO, and time is an argument.
//!
//! - `aliyun`: Alibaba Cloud ECS and STS.
//! - `identity`: where keys can be had beside STS.
//! - `registry`: registries of container images.
//! - `github`: packages, workflows and their runs.
//! - `message`: requests and answers.
//! - `principal`: who may become whom.
//! - `network`: where instances are put.
//! - `object`: what exists there.
//! - `invocation`: what instances were told to run.
//! - `shelf`: objects together with all that they ever were, for listings that lag.
//! - `history`: what happened and what was asked, for oracles.
//! - `trouble`: what goes wrong, and when.
//! - `scenario`: what a world begins with.
//! - `admin`: the requests under `/_sim/`.
//! - `time`: world time for a simulator that others talk to.
//! - `server`: puts a world behind a listener.
//!
//! Comments name the public documentation of the behaviour; ASSUMED marks what it does not say.

mod admin;
pub mod aliyun;
pub mod github;
pub mod history;
pub mod identity;
pub mod invocation;
mod message;
pub mod network;
pub mod object;
pub mod principal;
pub mod registry;
pub mod scenario;
pub mod server;
mod shelf;
pub mod time;
pub mod trouble;

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::sim::aliyun::Cloud;
use crate::sim::github::GitHub;
use crate::sim::github::runners::history::{JobSeen, RunnerEvent, RunnerSeen};
use crate::sim::history::{Call, Event};
use crate::sim::identity::Guest;
use crate::sim::invocation::Invocation;
use crate::sim::object::{Image, Instance, Snapshot};
use crate::sim::registry::Registries;
use crate::sim::scenario::{Objects, Scenario};
use crate::sim::trouble::{Trouble, TroubleKind, Troubles};

pub use self::message::{Answer, CallName, Delivery, Moment, Request};

/// The services by the way in.
enum Door {
    Identity,
    /// The registry of this host.
    Registry(String),
    GitHub,
    Aliyun,
}

/// Everything that exists, as one value.
#[derive(Debug)]
pub struct World {
    scenario: Scenario,
    cloud: Cloud,
    guest: Guest,
    registries: Registries,
    github: GitHub,
    /// How far runners have lived.
    lived: Timestamp,
    troubles: Troubles,
    calls: Vec<Call>,
    announced: u64,
}

impl World {
    /// A world as the scenario describes it.
    pub fn from_scenario(scenario: &Scenario) -> Self {
        Self {
            cloud: Cloud::new(scenario),
            guest: Guest::default(),
            registries: Registries::new(scenario),
            github: GitHub::new(scenario),
            lived: scenario.start,
            troubles: Troubles::new(scenario.troubles.clone()),
            calls: Vec::new(),
            announced: 0,
            scenario: scenario.clone(),
        }
    }

    /// Answers one request at `now`, which never goes back from one request to the next.
    pub fn handle(&mut self, request: &Request, now: Timestamp) -> Answer {
        if admin::is_meant(request) {
            return self.administer(request, now);
        }
        let name = self.announce(request);
        self.perform(&name, request, Moment { now, real: now })
    }

    /// Gives a call its number and name; nothing happens yet.
    pub fn announce(&mut self, request: &Request) -> CallName {
        self.announced += 1;
        let (service, action, object) = match self.door(request) {
            Door::Identity => identity::name_of(request).unwrap_or_default(),
            Door::Registry(host) => registry::name_of(&host, request),
            Door::GitHub => github::name_of(request),
            Door::Aliyun => aliyun::name_of(request),
        };
        CallName {
            n: self.announced,
            service,
            action,
            object,
        }
    }

    /// Carries out an announced call and answers it.
    pub fn perform(&mut self, name: &CallName, request: &Request, moment: Moment) -> Answer {
        self.settle(moment.now);
        let answer = match self.troubles.strike(name) {
            None => self.answer(request, name, moment, None),
            Some(trouble) if trouble.fault == TroubleKind::DropBefore => trouble::cut(),
            Some(trouble) if trouble.fault == TroubleKind::Status => {
                self.fail(request, name, &trouble)
            }
            Some(trouble) => trouble.spoil(self.answer(request, name, moment, Some(&trouble))),
        };
        self.log(name, request, moment.now, &answer);
        answer.dated(moment.now)
    }

    fn answer(
        &mut self,
        request: &Request,
        name: &CallName,
        moment: Moment,
        trouble: Option<&Trouble>,
    ) -> Answer {
        match self.door(request) {
            Door::Identity => {
                identity::answer(&mut self.cloud, &mut self.guest, request, moment.now)
            }
            Door::Registry(host) => self.registries.answer(&host, request, moment.now, trouble),
            Door::GitHub => {
                self.github
                    .answer(&mut self.registries, request, (moment.now, trouble))
            }
            Door::Aliyun => self.cloud.answer(request, name, moment, trouble),
        }
    }

    /// Answers with the failure that a trouble asks for.
    fn fail(&mut self, request: &Request, name: &CallName, trouble: &Trouble) -> Answer {
        match self.door(request) {
            Door::Identity => identity::fail(trouble),
            Door::Registry(host) => self.registries.fail(&host, request, trouble),
            Door::GitHub => self.github.fail(request, trouble),
            Door::Aliyun => self.cloud.fail(request, name, trouble),
        }
    }

    fn door(&self, request: &Request) -> Door {
        if let Some(host) = self.registries.host_of(request) {
            Door::Registry(host)
        } else if identity::name_of(request).is_some() {
            Door::Identity
        } else if github::is_meant(request) {
            Door::GitHub
        } else {
            Door::Aliyun
        }
    }

    /// Lets time do what it has done by now.
    fn settle(&mut self, now: Timestamp) {
        if !self.github.has_no_runners() {
            self.live(now);
        }
        self.cloud.settle(now);
        self.github.settle(&mut self.registries, now);
    }

    /// Runners and their machines change each other, so both go on together, from one change to the next.
    fn live(&mut self, now: Timestamp) {
        while self.lived < now {
            let in_cloud = self.cloud.next_change(self.lived);
            let on_github = self.github.next_due(self.lived);
            let next = in_cloud.into_iter().chain(on_github).min();
            self.lived = next.map_or(now, |it| it.min(now));
            self.cloud.settle(self.lived);
            self.github.live(&mut self.cloud, self.lived);
        }
        // What was asked for since may be due at once.
        self.github.live(&mut self.cloud, now);
    }

    /// Says the first thing that is wrong with objects that are to be put into this world.
    pub(crate) fn check(&self, objects: &Objects) -> Result<(), String> {
        let hosts = &self.registries.hosts;
        if let Some(host) = objects
            .registries
            .keys()
            .find(|it| !hosts.contains_key(*it))
        {
            return Err(format!(
                "{host} is not among the registries that the world began with"
            ));
        }
        registry::check(&objects.registries, |host, repository, it| {
            self.registries.is_known((host, repository), it)
        })
    }

    /// Carries out one request of the admin interface.
    pub(crate) fn administer(&mut self, request: &Request, now: Timestamp) -> Answer {
        self.settle(now);
        admin::answer(self, request, now).dated(now)
    }

    /// The records of runners that are there.
    pub fn runners(&mut self, now: Timestamp) -> Vec<RunnerSeen> {
        self.settle(now);
        self.github.runners_seen(now)
    }

    /// All jobs that have come to be queued, in that order.
    pub fn jobs(&mut self, now: Timestamp) -> Vec<JobSeen> {
        self.settle(now);
        self.github.jobs_seen(now)
    }

    /// What happened to runners and jobs, in the order in which it happened.
    pub fn runner_history(&self) -> &[RunnerEvent] {
        self.github.runner_history()
    }

    /// How many requests GitHub has counted in its hour.
    pub fn github_used(&self) -> u64 {
        self.github.used()
    }

    /// The images of a region, sorted by id.
    pub fn images(&mut self, region: &str, now: Timestamp) -> Vec<Image> {
        self.settle(now);
        self.cloud
            .region(region)
            .map_or(Vec::new(), |it| it.images.all().cloned().collect())
    }

    /// The instances of a region, sorted by id.
    pub fn instances(&mut self, region: &str, now: Timestamp) -> Vec<Instance> {
        self.settle(now);
        self.cloud
            .region(region)
            .map_or(Vec::new(), |it| it.instances.all().cloned().collect())
    }

    /// The snapshots of a region, sorted by id.
    pub fn snapshots(&mut self, region: &str, now: Timestamp) -> Vec<Snapshot> {
        self.settle(now);
        self.cloud
            .region(region)
            .map_or(Vec::new(), |it| it.snapshots.all().cloned().collect())
    }

    /// The invocations of commands in a region, sorted by id.
    pub fn invocations(&mut self, region: &str, now: Timestamp) -> Vec<Invocation> {
        self.settle(now);
        self.cloud
            .region(region)
            .map_or(Vec::new(), |it| it.invocations.all().cloned().collect())
    }

    /// Puts objects into the world, as somebody does who is no client here; one that is there becomes what it says.
    pub fn meddle(&mut self, objects: &Objects, now: Timestamp) {
        self.settle(now);
        self.cloud.meddle(objects, now);
        self.registries.meddle(&objects.registries, now);
        self.github.meddle(objects, now);
        self.github.live(&mut self.cloud, now);
    }

    /// Takes an object out of the world, as somebody does who is no client here.
    pub fn take(&mut self, id: &str, now: Timestamp) {
        self.settle(now);
        self.cloud.take(id, now);
        self.github.live(&mut self.cloud, now);
    }

    /// All calls so far, in the order in which they were carried out.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// All that happened so far, in the order in which it happened.
    pub fn history(&self) -> &[Event] {
        &self.cloud.history
    }

    /// What the world began with.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    fn log(&mut self, name: &CallName, request: &Request, at: Timestamp, answer: &Answer) {
        let is_cut = answer.delivery == Delivery::Cut;
        if let Some(kept) = self.scenario.settings.calls_kept
            && self.calls.len() >= 2 * kept.max(1)
        {
            self.calls.drain(..kept.max(1));
        }
        let (write, code) = match self.door(request) {
            Door::Identity => (false, aliyun::code_of(answer)),
            Door::Registry(_) => (registry::is_write(name), registry::code_of(answer)),
            Door::GitHub => (request.method != "GET", github::code_of(answer)),
            Door::Aliyun => (
                aliyun::is_write(request, &name.action),
                aliyun::code_of(answer),
            ),
        };
        self.calls.push(Call {
            n: name.n,
            at,
            service: name.service,
            action: name.action.clone(),
            object: name.object.clone(),
            write,
            status: if is_cut { 0 } else { answer.status },
            code,
        });
    }
}

/// The variables that point a client at a world which answers at `base`, as in `http://127.0.0.1:8080`.
///
/// They hold the first key. A world without keys has a job of GitHub instead, or a credentials URI, or else the role of
/// the instance. `RECONCILE_USER_…` and `RECONCILE_PASSWORD_…`, which end with the host, are of the first user of a
/// registry.
pub fn environment(base: &str, world: &World) -> BTreeMap<String, String> {
    let scenario = &world.scenario;
    let mut variables = BTreeMap::new();
    let mut put = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
    for service in ["ECS", "VPC", "STS", "METADATA"] {
        put(&format!("ALIYUN_{service}_ENDPOINT"), base);
    }
    put("NO_PROXY", "127.0.0.1,localhost");
    if let Some(job) = &scenario.job {
        let url = identity::token_request_url(base);
        put("ACTIONS_ID_TOKEN_REQUEST_URL", &url);
        put("ACTIONS_ID_TOKEN_REQUEST_TOKEN", &job.request_token);
    }
    if scenario.credentials_uri.is_some() {
        let url = identity::credentials_uri(base);
        put("ALIBABA_CLOUD_CREDENTIALS_URI", &url);
    }
    let mut by_token = scenario.roles.iter().filter(|_| scenario.job.is_some());
    let trusting = by_token.find_map(|it| Some((it, it.tokens.as_ref()?)));
    let start = format!("acs:ram::{}", scenario.account);
    let registries = world.registry_addresses();
    let registries = registries.iter();
    let registries = registries.map(|(host, address)| format!("{host}=http://{address}"));
    // Whatever this world does not have must not be looked for in the real one.
    let registries = registries.chain([format!("*={base}")]);
    let registries: Vec<String> = registries.collect();
    put("RECONCILE_REGISTRIES", &registries.join(","));
    let token = |scope: &str| scenario.github.tokens.iter().find(|it| it.may(scope));
    put("GITHUB_API_URL", &format!("{base}/github"));
    if let Some(token) = token("repo").or_else(|| token("actions")) {
        put("GITHUB_TOKEN", &token.token);
    }
    if let Some(token) = token("read:packages") {
        put("GHCR_TOKEN", &token.token);
    }
    match (scenario.keys.first(), trusting) {
        (Some(key), _) => {
            put("ALIBABA_CLOUD_ACCESS_KEY_ID", &key.id);
            put("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &key.secret);
            if let Some(token) = &key.token {
                put("ALIBABA_CLOUD_SECURITY_TOKEN", token);
            }
        }
        (None, Some((role, trust))) => {
            let arn = format!("{start}:role/{}", role.name);
            put("ALIBABA_CLOUD_ROLE_ARN", &arn);
            let arn = format!("{start}:oidc-provider/{}", trust.provider);
            put("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", &arn);
        }
        (None, None) => {}
    }
    variables.extend(users(scenario));
    variables
}

/// Who signs in to each registry.
fn users(scenario: &Scenario) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (host, registry) in &scenario.objects.registries {
        if let Some(user) = registry.users.first() {
            let host = host.to_ascii_uppercase().replace(['.', '-', ':'], "_");
            variables.insert(format!("RECONCILE_USER_{host}"), user.name.clone());
            variables.insert(format!("RECONCILE_PASSWORD_{host}"), user.password.clone());
        }
    }
    variables
}
