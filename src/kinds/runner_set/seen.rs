//! The machines of a set, their runners, and the jobs that wait for them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::fault::{Class, Fault};
use crate::ids::InstanceId;
use crate::kind::Context;
use crate::kinds::aliyun_region::{AliyunRegion, Home};
use crate::kinds::instance_class::{self, InstanceClass};
use crate::kinds::tags::{self, Owner};
use crate::plan::pages;
use crate::providers::aliyun::{self, InstanceStatus};
use crate::providers::github::{self, RunnersOf};
use crate::resource::Resource;

use super::count;
use super::demand::{self, Waiting};
use super::image::{self, Image};
use super::memory::{self, Memory};
use super::spec::{self, Region, Spec};

/// What was seen of one set.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Where, and whose objects are ours.
    pub home: Home,
    /// The region that machines are rented in.
    pub region: Region,
    /// What is rented.
    pub class: instance_class::Spec,
    /// Whose runners they are.
    pub of: RunnersOf,
    /// The machines of the set, by id.
    pub machines: Vec<Machine>,
    /// The records of the set that no machine has, by number.
    pub strays: Vec<Stray>,
    /// The names of all records that begin as those of the set do, whoever made them.
    pub taken: BTreeSet<String>,
    /// The jobs that wait for the set, the oldest first, as far as repositories told.
    pub jobs: Fact<Vec<Waiting>>,
    /// Repositories that did not tell, and why.
    pub unread: Vec<(String, Fault)>,
    /// What is launched from and what there is to launch; none: nothing is to be launched.
    pub market: Option<Fact<Market>>,
    /// What was remembered.
    pub memory: Memory,
    /// When it was proven just now that an empty list means that there are no machines; none: there was no need.
    pub proven: Option<Timestamp>,
    /// How many instances the region has in all.
    pub listed: usize,
    /// The fewest calls that tell all this, by listing.
    pub listings: BTreeMap<String, u64>,
}

/// What a machine can be launched from, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    /// The image; none: there is none, and why.
    pub image: Result<Image, String>,
    /// The machines to try.
    pub offers: instance_class::Ranking,
}

/// One machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its id.
    pub id: InstanceId,
    /// Its name, which is its runner's.
    pub name: String,
    /// Its type and where it is, as in `ecs.c7.large in cn-hangzhou-k`.
    pub sort: String,
    /// What an hour of it costs by its tag; empty: that does not tell.
    pub price: String,
    /// Whether it runs.
    pub phase: Phase,
    /// When it was created; none: the service does not say.
    pub created: Option<Timestamp>,
    /// When the cloud releases it; none: never.
    pub release: Option<Timestamp>,
    /// Where its runner is registered, and its number there; none: its tags do not tell.
    pub record: Option<(RunnersOf, u64)>,
    /// What its runner does.
    pub runner: Fact<Runner>,
}

/// Whether a machine runs. All of these are billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is on its way up.
    Starting,
    /// It runs.
    Running,
    /// It is on its way down, or away.
    Stopping,
    /// It is down; its disk is still billed.
    Stopped,
    /// The cloud is about to take it.
    Reclaimed,
    /// It is in a status that we do not know.
    Unknown,
}

/// What a runner does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// Its record is gone: its work is over.
    Gone,
    /// It is not connected.
    Offline,
    /// It is connected and has no job.
    Idle,
    /// It has a job.
    Busy,
}

/// The record of a runner that no machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// What it does.
    pub runner: Runner,
    /// When it was registered; none: its labels do not tell.
    pub registered: Option<Timestamp>,
}

/// What is remembered: when it was last proven that an empty list means that there are no instances.
pub(super) const VISIBLE: &str = "instances-visible";
/// How often that is proven while the list is empty.
const PROVE_EVERY: Duration = Duration::from_secs(24 * 3600);
/// GitHub's pages, and those of instances.
const PAGE: usize = 100;

pub(super) async fn observe(
    resource: &Resource<Spec>,
    context: &Context<'_>,
) -> Result<Seen, Fault> {
    let spec = &resource.spec;
    let class = context.spec::<InstanceClass>(spec.instance_class_ref.as_str());
    let region = context.spec::<AliyunRegion>(class.region_ref.as_str());
    let (home, of) = (region.home(), spec.runners_of());
    let ecs = &context.clients.aliyun;
    let listed = ecs.instances(&home.place).await?;
    let proven = context.remembered.get(VISIBLE);
    let is_due = proven.is_none_or(|it| listed.at().since(*it) >= PROVE_EVERY);
    let is_proven = listed.items().is_empty() && is_due;
    if is_proven {
        ecs.prove_instances_visible(&home.place).await?;
    }
    let is_ours =
        |it: &&aliyun::Instance| tags::owner(&it.tags, &home.scope, &resource.id) == Owner::Ours;
    let mut seen = Seen {
        machines: listed.items().iter().filter(is_ours).map(machine).collect(),
        strays: Vec::new(),
        taken: BTreeSet::new(),
        jobs: Fact::Known(Vec::new()),
        unread: Vec::new(),
        market: None,
        memory: Memory::read(context.remembered, &memory::hash(spec)),
        proven: is_proven.then(|| listed.at()),
        listed: listed.items().len(),
        listings: BTreeMap::new(),
        region: region.clone(),
        class: class.clone(),
        home,
        of,
    };
    seen.machines.sort_by_key(|it| it.id.clone());
    let place = &seen.home.place;
    seen.listings
        .insert(format!("ecs {place} instances"), pages(seen.listed, PAGE));
    if is_proven {
        seen.listings.insert(format!("ecs {place} visibility"), 1);
    }
    let names = listed.items().iter().map(|it| it.name.as_str()).collect();
    look_at_runners(&mut seen, (resource, context), &names).await;
    look_at_jobs(&mut seen, resource, context).await;
    let now = context.clients.now();
    if count::launches(resource, &seen, now) > 0 {
        let market = image::market(resource, &seen, context).await;
        if let Ok(market) = &market {
            seen.listings.extend(market.offers.listings.clone());
        }
        seen.market = Some(match market {
            Ok(market) => Fact::Known(market),
            Err(fault) => Fact::Unknown(fault),
        });
    }
    Ok(seen)
}

/// The label that only runners of this set have.
pub(super) fn mark(resource: &Resource<Spec>, scope: &str) -> String {
    format!("reconcile-{scope}-{}", resource.id.name)
}

/// What the label that tells when a runner was registered begins with: GitHub itself does not tell, and what we remember may be
/// lost.
const SINCE: &str = "reconcile-since-";

/// The label of a runner that is registered at a time.
pub(super) fn since_label(at: Timestamp) -> String {
    format!("{SINCE}{}", at.millis().div_euclid(1000))
}

fn since(label: &str) -> Option<Timestamp> {
    let seconds: i64 = label.strip_prefix(SINCE)?.parse().ok()?;
    Some(Timestamp::from_millis(seconds.checked_mul(1000)?))
}

async fn look_at_runners(
    seen: &mut Seen,
    (resource, context): (&Resource<Spec>, &Context<'_>),
    names: &BTreeSet<&str>,
) {
    let github = &context.clients.github;
    let listed = match github.runners(&seen.of).await {
        Ok(listed) => listed,
        Err(fault) => {
            for machine in &mut seen.machines {
                machine.runner = Fact::Unknown(fault.clone());
            }
            // Nobody knows what is on its way.
            seen.jobs = Fact::Unknown(fault);
            return;
        }
    };
    let count = listed.items().len();
    seen.listings
        .insert(format!("github runners {}", seen.of), pages(count, PAGE));
    for machine in &mut seen.machines {
        if let Some((of, id)) = machine.record.clone() {
            let (listings, context) = (&mut seen.listings, context);
            machine.runner = match look_at_runner(listings, context, (&of, id, &machine.name)).await
            {
                Ok(runner) => Fact::Known(runner),
                Err(fault) => Fact::Unknown(fault),
            };
        }
    }
    let mark = mark(resource, &seen.home.scope);
    let is_stray =
        |it: &&github::Runner| it.labels.contains(&mark) && !names.contains(it.name.as_str());
    let stray = |it: &github::Runner| Stray {
        id: it.id,
        name: it.name.clone(),
        runner: state(it),
        registered: it.labels.iter().find_map(|it| since(it)),
    };
    let all = listed.items().iter().map(|it| it.name.clone());
    // Long names of sets are cut in those of runners.
    let begin: String = resource.id.name.chars().take(40).collect();
    seen.taken = all.filter(|it| it.starts_with(&begin)).collect();
    seen.strays = listed.items().iter().filter(is_stray).map(stray).collect();
    seen.strays.sort_by_key(|it| it.id);
}

/// What one runner does, by the list of where it was registered; what that lacks is asked for by its number, for a list may be
/// late.
async fn look_at_runner(
    listings: &mut BTreeMap<String, u64>,
    context: &Context<'_>,
    (of, id, name): (&RunnersOf, u64, &str),
) -> Result<Runner, Fault> {
    let github = &context.clients.github;
    let listed = github.runners(of).await?;
    let listing = format!("github runners {of}");
    listings.insert(listing, pages(listed.items().len(), PAGE));
    let known = listed.items().iter().find(|it| it.id == id).cloned();
    let found = if known.is_some() {
        known
    } else {
        listings.insert(format!("github runner {of} {id}"), 1);
        github.runner(of, id).await?
    };
    match found {
        None => Ok(Runner::Gone),
        Some(found) if found.name == name => Ok(state(&found)),
        Some(found) => {
            let message = format!("the runner {id} is {}", found.name);
            Err(Fault::new(Class::Invalid, "tell who its runner is", &message).of(name))
        }
    }
}

async fn look_at_jobs(seen: &mut Seen, resource: &Resource<Spec>, context: &Context<'_>) {
    if matches!(seen.jobs, Fact::Unknown(_)) {
        return;
    }
    let now = context.clients.now();
    let sets = spec::all(context.resources);
    let mut jobs: BTreeMap<u64, Waiting> = BTreeMap::new();
    let repositories = resource.spec.job_repositories();
    for repository in &repositories {
        match context.clients.github.waiting(repository).await {
            Ok(waiting) => {
                seen.listings.extend(waiting.listings.clone());
                let all = (repository.as_str(), waiting.jobs.as_slice());
                let mine = demand::share(&resource.id.name, &sets, all);
                let mine = mine.into_iter().filter(|it| demand::is_real(it, now));
                jobs.extend(mine.map(|it| (it.id, it)));
            }
            Err(fault) => seen.unread.push((repository.clone(), fault)),
        }
    }
    let mut jobs: Vec<Waiting> = jobs.into_values().collect();
    jobs.sort_by_key(|it| (it.created, it.id));
    seen.jobs = Fact::Known(jobs);
}

pub(super) fn state(runner: &github::Runner) -> Runner {
    match (runner.is_busy, runner.is_online) {
        (true, _) => Runner::Busy,
        (false, true) => Runner::Idle,
        (false, false) => Runner::Offline,
    }
}

/// One machine, before its runner was looked at.
pub(super) fn machine(seen: &aliyun::Instance) -> Machine {
    let is_reclaimed = seen
        .locks
        .iter()
        .any(|it| it.eq_ignore_ascii_case("recycling"));
    let phase = match &seen.status {
        InstanceStatus::Stopping => Phase::Stopping,
        InstanceStatus::Stopped => Phase::Stopped,
        InstanceStatus::Pending | InstanceStatus::Starting => Phase::Starting,
        InstanceStatus::Running if is_reclaimed => Phase::Reclaimed,
        InstanceStatus::Running => Phase::Running,
        InstanceStatus::Other(_) => Phase::Unknown,
    };
    let tag = |key: &str| seen.tags.get(key).map_or("", String::as_str);
    let nobody = "its tag names no runner";
    Machine {
        id: seen.id.clone(),
        name: seen.name.clone(),
        sort: format!("{} in {}", seen.instance_type, seen.zone),
        price: tag(tags::PRICE).to_owned(),
        phase,
        created: seen.created,
        release: seen.auto_release,
        record: RunnersOf::parse(&format!("https://{}", tag(tags::RUNNER_OF)))
            .and_then(|of| Some((of, tag(tags::RUNNER).parse().ok()?))),
        runner: Fact::Unknown(Fault::new(Class::Invalid, "tell who its runner is", nobody)),
    }
}
