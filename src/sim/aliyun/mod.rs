//! Alibaba Cloud ECS and STS as seen from the wire: signatures, parameters, actions and what they change.
//!
//! - `wire`: requests taken apart, answers and refusals put together.
//! - `authenticate`: who calls, and whether the signature is right.
//! - `metadata`: which parameters an action takes.
//! - `ask`: an accepted request as the actions see it.
//! - `page`: order and paging of listings.
//! - `names`: what names and tags may look like.
//! - `token`: the same `ClientToken`, the same effect.
//! - `meddle`: what is put and taken behind the services' backs.
//! - `passing`: what time alone changes.
//! - `show`: objects as the services answer them.
//! - `roles`: sessions of roles, and their keys.
//! - `market`: instance types, where they are sold, and for how much.
//! - `network`: zones and vSwitches.
//! - `purchase`: what an order finds on the market.
//! - `images`, `imaging`, `snapshots`, `instances`, `launch`, `launch_templates`, `lifecycle`, `tags`, `catalogue`,
//!   `commands`, `invocations`, `assistant`, `sharing`: the actions.

mod ask;
mod assistant;
mod authenticate;
mod catalogue;
mod commands;
mod images;
mod imaging;
mod instances;
mod invocations;
mod launch;
mod launch_templates;
mod lifecycle;
pub mod market;
mod meddle;
mod metadata;
mod names;
mod network;
mod page;
mod passing;
mod purchase;
mod roles;
mod sharing;
mod show;
mod snapshots;
mod tags;
mod token;
mod wire;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::ids::{RegionId, hex};
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::market::Market;
use crate::sim::aliyun::token::Tokens;
use crate::sim::aliyun::wire::{Incoming, Refusal};
use crate::sim::history::{Event, What};
use crate::sim::invocation::Invocation;
use crate::sim::object::{Image, Instance, LaunchTemplate, Snapshot};
use crate::sim::scenario::{Key, Release, Scenario, Span, Throttling};
use crate::sim::shelf::Shelf;
use crate::sim::trouble::Trouble;
use crate::sim::{Answer, CallName, Moment, Request};

/// What an action answers.
type Reply = Result<Value, Refusal>;

/// One region's objects.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) images: Shelf<Image>,
    pub(crate) instances: Shelf<Instance>,
    pub(crate) snapshots: Shelf<Snapshot>,
    pub(crate) launch_templates: Shelf<LaunchTemplate>,
    pub(crate) invocations: Shelf<Invocation>,
}

/// The account: its objects, and what the services remember of its requests.
#[derive(Clone, Debug)]
pub(crate) struct Cloud {
    scenario: Scenario,
    pub(crate) market: Market,
    regions: BTreeMap<RegionId, Region>,
    tokens: Tokens,
    /// What is still to come, the next one last.
    releases: Vec<Release>,
    /// The keys of all sessions so far, by id.
    sessions: BTreeMap<String, Key>,
    nonces: BTreeMap<(String, String), Timestamp>,
    minutes: BTreeMap<String, (i64, u64)>,
    pub(crate) history: Vec<Event>,
}

impl Cloud {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let region = |id: &RegionId| {
            let empty = Region {
                images: Shelf::new(),
                instances: Shelf::new(),
                snapshots: Shelf::new(),
                launch_templates: Shelf::new(),
                invocations: Shelf::new(),
            };
            (id.clone(), empty)
        };
        let mut cloud = Self {
            regions: scenario.regions.iter().map(region).collect(),
            scenario: scenario.clone(),
            market: Market::new(scenario),
            tokens: Tokens::default(),
            releases: scenario.releases.clone(),
            sessions: BTreeMap::new(),
            nonces: BTreeMap::new(),
            minutes: BTreeMap::new(),
            history: Vec::new(),
        };
        cloud.releases.sort_by_key(|it| Reverse(it.at));
        cloud.add(&scenario.objects, Timestamp::EPOCH);
        cloud
    }

    pub(crate) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub(crate) fn region(&self, id: &str) -> Option<&Region> {
        self.regions.get(&RegionId::new(id))
    }

    pub(crate) fn regions(&self) -> impl Iterator<Item = (&RegionId, &Region)> {
        self.regions.iter()
    }

    /// Answers one request.
    pub(crate) fn answer(
        &mut self,
        request: &Request,
        name: &CallName,
        moment: Moment,
        trouble: Option<&Trouble>,
    ) -> Answer {
        let incoming = Incoming::read(request);
        let reply = self.reply(request, &incoming, moment, trouble);
        incoming.render(&reply, &self.request_id(name.n))
    }

    /// Answers with the failure that a trouble asks for.
    pub(crate) fn fail(&self, request: &Request, name: &CallName, trouble: &Trouble) -> Answer {
        let status = trouble.status.unwrap_or(500);
        let code = match (&trouble.code, status) {
            (Some(code), _) => code,
            (None, 503) => "ServiceUnavailable",
            (None, 429) => "Throttling",
            (None, _) => "InternalError",
        };
        let mut refusal = Refusal::new(
            status,
            code,
            "The request has failed, as the scenario asks.",
        );
        if status == 429 && trouble.seconds > 0 {
            refusal.retry_after = Some(trouble.duration());
        }
        Incoming::read(request).render(&Err(refusal), &self.request_id(name.n))
    }

    fn reply(
        &mut self,
        request: &Request,
        incoming: &Incoming,
        moment: Moment,
        trouble: Option<&Trouble>,
    ) -> Reply {
        if incoming.service.is_empty() {
            let message = "Specified api is not found, please check your url and method.";
            return Err(Refusal::new(404, "InvalidAction.NotFound", message));
        }
        if (incoming.service, incoming.action.as_str()) == ("sts", "AssumeRoleWithOIDC") {
            authenticate::check_unsigned(incoming, moment)?;
            self.throttle(&incoming.action, moment.now)?;
            metadata::check(incoming)?;
            return roles::assume_by_token(self, incoming, moment.now);
        }
        let key = authenticate::check(self, request, incoming, moment)?;
        self.throttle(&incoming.action, moment.now)?;
        metadata::check(incoming)?;
        let ask = Ask::new(self, (incoming, key), moment.now, trouble)?;
        if ask.key.denied.contains(&incoming.action) {
            return ask.denied();
        }
        self.act(&ask, &incoming.action)
    }

    fn act(&mut self, ask: &Ask, action: &str) -> Reply {
        match action {
            "DescribeImages" => images::describe(self, ask),
            "DescribeImageSharePermission" => sharing::describe(self, ask),
            "ModifyImageSharePermission" => sharing::modify(self, ask),
            "DescribeImageFromFamily" => Ok(images::describe_from_family(self, ask)),
            "CreateImage" => imaging::create(self, ask),
            "ModifyImageAttribute" => images::modify(self, ask),
            "DeleteImage" => images::delete(self, ask),
            "DescribeSnapshots" => snapshots::describe(self, ask),
            "DeleteSnapshot" => snapshots::delete(self, ask),
            "DescribeInstances" => instances::describe(self, ask),
            "DescribeInstanceStatus" => instances::describe_status(self, ask),
            "GetInstanceConsoleOutput" => instances::console(self, ask),
            "RunInstances" => launch::run(self, ask),
            "DescribeLaunchTemplates" => launch_templates::describe(self, ask),
            "DescribeLaunchTemplateVersions" => launch_templates::describe_versions(self, ask),
            "RunCommand" => commands::run(self, ask),
            "DescribeInvocations" => invocations::describe(self, ask),
            "DescribeInvocationResults" => invocations::describe_results(self, ask),
            "DescribeCloudAssistantStatus" => assistant::describe(self, ask),
            "StartInstance" => lifecycle::start(self, ask),
            "StopInstance" => lifecycle::stop(self, ask),
            "StopInstances" => lifecycle::stop_many(self, ask),
            "DeleteInstance" => lifecycle::delete(self, ask),
            "DeleteInstances" => lifecycle::delete_many(self, ask),
            "ModifyInstanceAutoReleaseTime" => lifecycle::modify_release(self, ask),
            "TagResources" => tags::tag(self, ask),
            "UntagResources" => tags::untag(self, ask),
            "ListTagResources" => tags::list(self, ask),
            "DescribeRegions" => Ok(catalogue::regions(self)),
            "DescribeInstanceTypes" => market::types::describe(self, ask),
            "DescribeAvailableResource" => market::stock::describe(self, ask),
            "DescribeZones" => network::describe_zones(self, ask),
            "DescribeVSwitches" => network::describe_switches(self, ask),
            "DescribeSpotPriceHistory" => market::prices::describe(self, ask),
            "AssumeRole" => roles::assume(self, ask),
            "GetCallerIdentity" => Ok(catalogue::caller(self, ask)),
            _ => Err(Refusal::unmodelled(&format!("the action {action}"))),
        }
    }

    /// Fixed windows of one minute for each action (Quota Center documentation, "API rate quotas").
    fn throttle(&mut self, action: &str, now: Timestamp) -> Result<(), Refusal> {
        let Some(Throttling { per_minute, status }) = self.scenario.settings.throttling else {
            return Ok(());
        };
        let minute = now.millis().div_euclid(60_000);
        let window = self.minutes.entry(action.to_owned()).or_insert((minute, 0));
        if window.0 != minute {
            *window = (minute, 0);
        }
        window.1 += 1;
        if window.1 <= per_minute {
            return Ok(());
        }
        let message = "Request was denied due to user flow control.";
        if status != 429 {
            return Err(Refusal::new(status, "Throttling.User", message));
        }
        let mut refusal = Refusal::new(status, "Throttling", message);
        let next = Timestamp::from_millis((minute + 1) * 60_000);
        refusal.retry_after = Some(next.since(now));
        Err(refusal)
    }

    fn home(&self, region: Option<RegionId>) -> RegionId {
        region.unwrap_or_else(|| self.scenario.regions[0].clone())
    }

    fn region_mut(&mut self, id: &RegionId) -> &mut Region {
        self.regions
            .get_mut(id)
            .expect("a request only gets to regions that exist")
    }

    fn record(&mut self, at: Timestamp, region: &RegionId, what: What) {
        self.history.push(Event {
            at,
            region: region.clone(),
            what,
        });
    }

    /// A new id, drawn by the seed and the subject alone, so that requests side by side change nothing.
    fn fresh_id(&self, region: &RegionId, prefix: &str, subject: &str) -> String {
        let region = &self.regions[region];
        let is_known = |id: &String| {
            region.images.has_known(id)
                || region.instances.has_known(id)
                || region.snapshots.has_known(id)
                || region.invocations.has_known(id)
        };
        let mut round = 0_u64;
        loop {
            let digits = self.draw(&format!("{prefix}/{subject}/{round}"));
            let id = format!("{prefix}-bp1{}", &digits[..17]);
            if !is_known(&id) {
                return id;
            }
            round += 1;
        }
    }

    /// 64 hexadecimal digits that the seed and the subject decide.
    pub(crate) fn draw(&self, subject: &str) -> String {
        drawn(self.scenario.seed, subject)
    }

    /// How long something takes that the seed and the subject decide.
    pub(crate) fn lasting(&self, span: Span, subject: &str) -> Duration {
        let digits = self.draw(&format!("lasting/{subject}"));
        let drawn = u64::from_str_radix(&digits[..15], 16).unwrap_or_default();
        let seconds = span.least + drawn % (span.most - span.least).saturating_add(1);
        Duration::from_secs(seconds)
    }

    fn request_id(&self, n: u64) -> String {
        let digits = self.draw(&format!("request/{n}")).to_uppercase();
        let parts = [
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..32],
        ];
        parts.join("-")
    }
}

/// 64 hexadecimal digits that a seed and a subject decide.
fn drawn(seed: u64, subject: &str) -> String {
    hex(&Sha256::digest(format!("{seed}/{subject}")))
}

/// A number below another one, which must not be 0, that a seed and a subject decide.
fn drawn_below(seed: u64, subject: &str, below: u64) -> u64 {
    let digits = drawn(seed, subject);
    let number = u64::from_str_radix(&digits[..15], 16).expect("15 hexadecimal digits");
    number % below
}

/// The service, the action and the object of a request, without believing it.
pub(crate) fn name_of(request: &Request) -> (&'static str, String, Option<String>) {
    let incoming = Incoming::read(request);
    let object = incoming.object();
    (incoming.service, incoming.action, object)
}

/// Whether a request is meant to change something.
pub(crate) fn is_write(request: &Request, action: &str) -> bool {
    let reads = ["Describe", "List", "Get", "AssumeRole"];
    let is_dry = Incoming::read(request).parameters.is_true("DryRun");
    !is_dry && !reads.iter().any(|it| action.starts_with(it))
}

/// Decodes a value of a query or a form.
pub(crate) fn decode(text: &str) -> String {
    wire::decode(text)
}

/// The error code of an answer.
pub(crate) fn code_of(answer: &Answer) -> Option<String> {
    wire::code_of(answer)
}

/// Everything that exists in a region, as `GET /_sim/state` shows it.
pub(crate) fn state(cloud: &Cloud, region: &Region, now: Timestamp) -> Value {
    let used = show::used_images(region.instances.all());
    let images: Vec<Value> = region
        .images
        .all()
        .map(|it| show::image(it, &used, now))
        .collect();
    let instances = region.instances.all();
    let instances: Vec<Value> = instances.map(|it| show::instance(cloud, it)).collect();
    let kept = show::imaged_snapshots(region.images.all());
    let snapshots: Vec<Value> = region
        .snapshots
        .all()
        .map(|it| show::snapshot(it, &kept))
        .collect();
    let templates: Vec<Value> = region
        .launch_templates
        .all()
        .map(show::whole_template)
        .collect();
    json!({"images": images, "instances": instances, "snapshots": snapshots, "launchTemplates": templates})
}
