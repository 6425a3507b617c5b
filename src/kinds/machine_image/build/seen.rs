//! What is seen of the builds of a line: machines, bases, commands and offers; the latter two only where their word decides.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::fault::Fault;
use crate::ids::{InstanceId, InvocationId, ResourceId};
use crate::kind::Context;
use crate::kinds::aliyun_region::{self, AliyunRegion};
use crate::kinds::architecture::Architecture;
use crate::kinds::instance_class::{self, InstanceClass, Ranking};
use crate::kinds::tags::{self, Owner};
use crate::plan::pages;
use crate::providers::aliyun::{self, Place, Progress};
use crate::resource::Resource;

use super::super::script::script;
use super::super::seen::Seen;
use super::super::spec::Spec;
use super::super::version::{BaseImage, Version};
use super::base::{self, Lookup};
use super::course::course;
use super::history::{Lost, lost};

/// What was seen of the builds of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Bench {
    /// Whose builds these are.
    pub owner: ResourceId,
    /// Where machines are launched.
    pub region: aliyun_region::Spec,
    /// What machines are launched, by architecture.
    pub classes: BTreeMap<Architecture, instance_class::Spec>,
    /// The machines that bear the line's tag, by id.
    pub builders: Vec<Builder>,
    /// How many instances the account has in the region.
    pub instances_listed: usize,
    /// What is built upon.
    pub bases: BTreeMap<Architecture, Lookup>,
    /// All commands that bear the line's tag; none: their word decides nothing.
    pub commands: Option<Vec<Command>>,
    /// How many bear it, by whatever scope.
    pub commands_listed: usize,
    /// The machines that take commands; none: nobody needs to know.
    pub online: Option<BTreeSet<InstanceId>>,
    /// What failed commands printed last.
    pub printed: BTreeMap<InvocationId, String>,
    /// What can be rented, where a machine is to be launched.
    pub offers: BTreeMap<Architecture, Fact<Ranking>>,
    /// Failures that only we remember.
    pub lost: Vec<Lost>,
}

/// A machine that builds, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builder {
    /// Its id.
    pub id: InstanceId,
    /// Its name.
    pub name: String,
    /// What it builds for; none: its tag does not say.
    pub architecture: Option<Architecture>,
    /// The version that it builds; empty: its tag does not say.
    pub version: String,
    /// How far it is.
    pub phase: Phase,
    /// Its type and where it is, as in `ecs.c7.large in cn-hangzhou-k`.
    pub machine: String,
    /// When it was created; none: the service does not say.
    pub created: Option<Timestamp>,
    /// When the service releases it by itself; none: never.
    pub release: Option<Timestamp>,
    /// What an hour of it cost when it was launched, in CNY; empty: its tag does not say.
    pub price: String,
}

/// How far a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It comes up.
    Starting,
    /// It is up.
    Running,
    /// It goes down.
    Stopping,
    /// It is down.
    Stopped,
    /// The service takes it back.
    Reclaimed,
    /// In a status that we do not know.
    Unknown,
}

/// A command that provisions, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its id.
    pub id: InvocationId,
    /// The machine it ran in.
    pub instance: InstanceId,
    /// What it provisioned for; none: its tag does not say.
    pub architecture: Option<Architecture>,
    /// The version that it provisioned.
    pub version: String,
    /// How far it is.
    pub progress: Progress,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it ended; none: it did not yet, or nobody says.
    pub finished: Option<Timestamp>,
}

impl Bench {
    /// The fewest calls that tell this, by listing.
    pub fn listings(&self, place: &Place) -> BTreeMap<String, u64> {
        let listing = |what: &str| format!("ecs {place} {what}");
        let mut listings = BTreeMap::new();
        listings.insert(listing("instances"), pages(self.instances_listed, 100));
        for Lookup {
            listing: (what, calls),
            ..
        } in self.bases.values()
        {
            listings.insert(listing(what), *calls);
        }
        if self.commands.is_some() {
            let what = format!("commands of {}", self.owner);
            listings.insert(listing(&what), pages(self.commands_listed, 50));
        }
        if self.online.is_some() {
            listings.insert(listing(&format!("agents for {}", self.owner)), 1);
        }
        for id in self.printed.keys() {
            listings.insert(listing(&format!("output of {id}")), 1);
        }
        for offers in self.offers.values() {
            if let Fact::Known(ranking) = offers {
                let mine = ranking.listings.iter();
                listings.extend(mine.map(|(what, calls)| (listing(what), *calls)));
            }
        }
        listings
    }
}

/// Looks at all that the builds of a line depend on; none: the line builds nothing, and left no machine of a build.
pub(in super::super) async fn observe(
    resource: &Resource<Spec>,
    context: &Context<'_>,
    seen: &Seen,
) -> Option<Fact<Bench>> {
    if resource.spec.provision.is_none() && lost(context.remembered).is_empty() {
        return None;
    }
    Some(match look(resource, context, seen).await {
        Ok(bench) => Fact::Known(bench),
        Err(fault) => Fact::Unknown(fault),
    })
}

async fn look(
    resource: &Resource<Spec>,
    context: &Context<'_>,
    seen: &Seen,
) -> Result<Bench, Fault> {
    let ecs = &context.clients.aliyun;
    let place = &seen.home.place;
    let instances = ecs.instances(place).await?;
    let mut bench = Bench {
        owner: resource.id.clone(),
        region: context
            .spec::<AliyunRegion>(resource.spec.region_ref.as_str())
            .clone(),
        classes: classes(&resource.spec, context),
        builders: builders(resource, seen, instances.items()),
        instances_listed: instances.items().len(),
        bases: BTreeMap::new(),
        commands: None,
        commands_listed: 0,
        online: None,
        printed: BTreeMap::new(),
        offers: BTreeMap::new(),
        lost: lost(context.remembered),
    };
    for architecture in &resource.spec.architectures {
        if let Some(written) = &resource.spec.base {
            let found = base::look(written, ecs, (place, *architecture)).await?;
            bench.bases.insert(*architecture, found);
        }
    }
    look_closer(resource, context, seen, &mut bench).await?;
    Ok(bench)
}

/// Reads what only some stages of a build depend on.
async fn look_closer(
    resource: &Resource<Spec>,
    context: &Context<'_>,
    seen: &Seen,
    bench: &mut Bench,
) -> Result<(), Fault> {
    let ecs = &context.clients.aliyun;
    let place = &seen.home.place;
    let now = context.clients.now();
    let architectures = &resource.spec.architectures;
    let asks = |it: &Architecture| course(resource, seen, bench, (*it, now)).asks_commands();
    if architectures.iter().any(asks) {
        let owner = resource.id.to_string();
        let listed = ecs.invocations(place, (tags::OWNER, &owner)).await?;
        bench.commands_listed = listed.items().len();
        bench.commands = Some(commands(resource, seen, listed.items()));
    }
    let asked: Vec<InstanceId> = architectures
        .iter()
        .filter_map(|it| course(resource, seen, bench, (*it, now)).awaits_agent())
        .collect();
    if !asked.is_empty() {
        bench.online = Some(ecs.guests_online(place, &asked).await?);
    }
    for architecture in architectures {
        let course = course(resource, seen, bench, (*architecture, now));
        let (failed, launches) = (course.failed_command(), course.launches());
        if let Some(id) = failed {
            // It is told and nothing else: what there is to do does not wait for it.
            let printed = match ecs.output(place, &id).await {
                Ok(output) => tail(&output),
                Err(fault) => format!("(what it printed could not be read: {fault})"),
            };
            bench.printed.insert(id, printed);
        }
        if let (true, Some(class)) = (launches, bench.classes.get(architecture)) {
            let offer = instance_class::rank(class, &bench.region, context.clients).await;
            let offer = offer.map_or_else(Fact::Unknown, Fact::Known);
            bench.offers.insert(*architecture, offer);
        }
    }
    Ok(())
}

fn classes(spec: &Spec, context: &Context<'_>) -> BTreeMap<Architecture, instance_class::Spec> {
    let class = |(architecture, name): (&Architecture, &crate::resource::Reference)| {
        let class = context.spec::<InstanceClass>(name.as_str()).clone();
        (*architecture, class)
    };
    spec.instance_class_refs.iter().map(class).collect()
}

fn builders(
    resource: &Resource<Spec>,
    seen: &Seen,
    instances: &[aliyun::Instance],
) -> Vec<Builder> {
    let is_ours = |it: &&aliyun::Instance| {
        tags::owner(&it.tags, &seen.home.scope, &resource.id) == Owner::Ours
    };
    let mut builders: Vec<Builder> = instances.iter().filter(is_ours).map(builder).collect();
    builders.sort_by(|a, b| a.id.cmp(&b.id));
    builders
}

pub(super) fn builder(seen: &aliyun::Instance) -> Builder {
    use aliyun::InstanceStatus as Status;
    let is_recycled = |it: &String| it.eq_ignore_ascii_case("recycling");
    let phase = match &seen.status {
        _ if seen.locks.iter().any(is_recycled) => Phase::Reclaimed,
        Status::Pending | Status::Starting => Phase::Starting,
        Status::Running => Phase::Running,
        Status::Stopping => Phase::Stopping,
        Status::Stopped => Phase::Stopped,
        Status::Other(_) => Phase::Unknown,
    };
    let tag = |name: &str| seen.tags.get(name).cloned().unwrap_or_default();
    Builder {
        id: seen.id.clone(),
        name: seen.name.clone(),
        architecture: Architecture::named(&tag(tags::ARCHITECTURE)),
        version: tag(tags::VERSION),
        phase,
        machine: format!("{} in {}", seen.instance_type, seen.zone),
        created: seen.created,
        release: seen.auto_release,
        price: tag(tags::PRICE),
    }
}

fn commands(resource: &Resource<Spec>, seen: &Seen, listed: &[aliyun::Invocation]) -> Vec<Command> {
    let is_ours = |it: &&aliyun::Invocation| {
        tags::owner(&it.tags, &seen.home.scope, &resource.id) == Owner::Ours
    };
    let mut commands: Vec<Command> = listed.iter().filter(is_ours).filter_map(command).collect();
    commands.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    commands
}

fn command(seen: &aliyun::Invocation) -> Option<Command> {
    let tag = |name: &str| seen.tags.get(name).cloned().unwrap_or_default();
    Some(Command {
        id: seen.id.clone(),
        instance: seen.instance.clone()?,
        architecture: Architecture::named(&tag(tags::ARCHITECTURE)),
        version: tag(tags::VERSION),
        progress: seen.progress.clone(),
        created: seen.created?,
        finished: seen.finished,
    })
}

/// How much of what a command printed is shown.
const TAIL_MAX: usize = 600;

fn tail(output: &aliyun::Output) -> String {
    let text = output.text.trim_end();
    let skipped = text.chars().count().saturating_sub(TAIL_MAX);
    let tail: String = text.chars().skip(skipped).collect();
    // Half a line says something else than the whole one.
    match tail.split_once('\n') {
        Some((_, whole)) if skipped > 0 => whole.to_owned(),
        Some(_) | None => tail,
    }
}

/// The version that a line wants of an architecture; none: nothing fits what is to be built upon.
pub(super) fn version(
    resource: &Resource<Spec>,
    bench: &Bench,
    architecture: Architecture,
) -> Option<Version> {
    let base = bench.bases.get(&architecture)?.base.as_ref()?;
    let script = script(resource)?;
    let base = BaseImage {
        id: base.id.clone(),
        created: base.created?,
    };
    Some(super::super::version::version(
        &resource.spec,
        &script,
        &base,
        architecture,
    ))
}
