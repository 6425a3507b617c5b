//! Launching a builder: candidate after candidate, each with the same token, until one is there.

use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::ids::{InstanceId, Token};
use crate::kind::Check;
use crate::kinds::architecture::Architecture;
use crate::kinds::instance_class::{Candidate, SystemDisk};
use crate::kinds::tags::{self, Owner};
use crate::providers::Clients;
use crate::providers::aliyun::{Command, Instance, Launch};
use crate::resource::Resource;

use super::super::guest;
use super::super::names;
use super::super::script::script;
use super::super::seen::{self, Phase as ImagePhase};
use super::super::spec::Spec;
use super::base::Base;
use super::history;
use super::op::Op;
use super::seen::{Bench, Builder};

/// Machines that one pass may have accepted and not get.
const ATTEMPTS_MAX: usize = 8;
/// Tokens that earlier passes may have used up.
const TOKENS_MAX: usize = 40;
/// How long a machine that somebody launched may take to show in listings: nothing else tells of it.
const VISIBLE_AFTER: Duration = Duration::from_secs(300);
/// How long a machine that was accepted may take to show, before it is asked whether it is there at all.
const ACCEPTED_AFTER: Duration = Duration::from_secs(60);
/// How long removing all traces takes at most, once the script has ended.
const CLEANING_MAX: Duration = Duration::from_secs(300);
/// The wait between two looks for it.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// A machine to be launched, wherever it can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its name.
    pub name: String,
    /// How long it may live.
    pub ttl: Duration,
    /// Where it can be had, the best first; never empty.
    pub candidates: Vec<Candidate>,
    /// The categories of its disk, the best first; never empty.
    pub disks: Vec<String>,
    /// What is the same wherever it is.
    pub template: Launch,
    /// Machines that were launched for the same of late and that no listing showed as ours: they must be gone.
    pub earlier: Vec<InstanceId>,
}

impl fmt::Display for Order {
    /// Its best candidate, and how many others would do: which one it was shows where the machine is paid for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        let Some((first, others)) = self.candidates.split_first() else {
            return Ok(());
        };
        let (machine, zone, price) = (&first.instance_type, &first.zone, first.price);
        write!(f, ", {machine} in {zone}, {price} CNY/h")?;
        if let Some(limit) = &first.limit {
            write!(f, ", at most {limit}")?;
        }
        match others.len() {
            0 => Ok(()),
            1 => write!(f, ", or another one"),
            count => write!(f, ", or one of {count} others"),
        }
    }
}

impl Order {
    /// What is launched of a candidate on a disk.
    fn launch(&self, candidate: &Candidate, disk: &str, release: Timestamp) -> Launch {
        let mut launch = Launch {
            instance_type: candidate.instance_type.clone(),
            zone: candidate.zone.clone(),
            v_switch: candidate.v_switch.clone(),
            spot_limit: candidate.limit.as_ref().map(ToString::to_string),
            disk_category: disk.to_owned(),
            release,
            ..self.template.clone()
        };
        let price = candidate.price.to_string();
        launch.tags.insert(tags::PRICE.to_owned(), price);
        launch
    }
}

/// Puts an order together.
pub(super) fn order(
    (resource, bench): (&Resource<Spec>, &Bench),
    (architecture, now): (Architecture, Timestamp),
    (version, base, candidates): (&str, &Base, &[Candidate]),
) -> Order {
    let class = &bench.classes[&architecture];
    let region = &bench.region;
    let short = version.get(..8).unwrap_or(version);
    let line = names::line(&resource.spec, architecture);
    let name = format!("{line}-build-{short}");
    let mut all = region.required_tags.clone();
    all.extend(tags::ownership(&region.scope, &resource.id));
    all.insert(tags::VERSION.to_owned(), version.to_owned());
    all.insert(tags::ARCHITECTURE.to_owned(), architecture.to_string());
    let security_group = region
        .network
        .as_ref()
        .and_then(|it| it.security_group_id.clone());
    let template = Launch {
        image: base.id.clone(),
        instance_type: String::new(),
        zone: String::new(),
        v_switch: String::new(),
        security_group: security_group.unwrap_or_default(),
        name: name.clone(),
        disk_category: String::new(),
        disk_gib: disk_gib(&class.system_disk, base.size_gib),
        spot_limit: None,
        role: class.instance_role_name.clone(),
        key_pair: region.key_pair_name.clone(),
        user_data: guest::user_data(class.ttl.0),
        release: Timestamp::EPOCH,
        tags: all,
    };
    Order {
        name,
        ttl: class.ttl.0,
        candidates: candidates.to_vec(),
        disks: class
            .system_disk
            .categories
            .iter()
            .map(|it| it.name().to_owned())
            .collect(),
        template,
        earlier: history::unseen(bench, (architecture, now), version),
    }
}

/// The disk holds the image and some more.
fn disk_gib(disk: &SystemDisk, image_gib: u64) -> u64 {
    let size = image_gib + disk.headroom.gib_rounded_up();
    size.max(disk.min_size.gib_rounded_up())
}

/// The command that provisions a builder.
pub(super) fn command(resource: &Resource<Spec>, bench: &Bench, builder: &Builder) -> Command {
    let provision = resource.spec.provision.as_ref();
    let provision = provision.expect("a builder is provisioned only where that is declared");
    let script = script(resource).unwrap_or_default();
    let proxy = bench
        .region
        .network
        .as_ref()
        .and_then(|it| it.proxy.as_ref());
    let class = builder.architecture.and_then(|it| bench.classes.get(&it));
    let ttl = class.map_or(provision.timeout.0, |it| it.ttl.0);
    let mut all = bench.region.required_tags.clone();
    all.extend(tags::ownership(&bench.region.scope, &resource.id));
    all.insert(tags::VERSION.to_owned(), builder.version.clone());
    if let Some(architecture) = builder.architecture {
        all.insert(tags::ARCHITECTURE.to_owned(), architecture.to_string());
    }
    Command {
        instance: builder.id.clone(),
        name: format!("{}-provision", resource.spec.name_prefix),
        content: guest::command(provision, &script, proxy, ttl),
        timeout: provision.timeout.0 + CLEANING_MAX,
        tags: all,
    }
}

/// The start of the next full minute: the service rounds down.
pub(super) fn full_minute(time: Timestamp) -> Timestamp {
    let minutes = time.millis().div_euclid(60_000) + 1;
    Timestamp::from_millis(minutes * 60_000)
}

/// Looks whether somebody was faster, and asks for everything that can be asked for before money is spent.
pub(super) async fn check(clients: &Clients, op: &Op, order: &Order) -> Result<Check, Fault> {
    let place = &op.subject.place;
    // Without the permission an empty list looks just like no instances.
    clients.aliyun.prove_instances_visible(place).await?;
    let listed = clients.aliyun.instances_now(place).await?;
    if listed.items().iter().any(|it| is_of(op, &it.tags)) {
        return Ok(Check::AlreadyDone);
    }
    // One that is shown is somebody else's by now.
    let is_listed = |id: &InstanceId| listed.items().iter().any(|it| it.id == *id);
    for id in order.earlier.iter().filter(|it| !is_listed(it)) {
        if exists(clients, op, id).await? {
            return Ok(Check::Stale(format!(
                "{id} is there, though no listing shows it"
            )));
        }
    }
    let images = clients.aliyun.images_now(place).await?;
    let is_built = |it: &&crate::providers::aliyun::Image| {
        let phase = seen::image(it).phase;
        is_of(op, &it.tags) && matches!(phase, ImagePhase::Making | ImagePhase::Available)
    };
    if let Some(image) = images.items().iter().find(is_built) {
        return Ok(Check::Stale(format!(
            "{} is of this version by now",
            image.id
        )));
    }
    let (Some(candidate), Some(disk)) = (order.candidates.first(), order.disks.first()) else {
        return Ok(Check::Stale("there is no candidate".to_owned()));
    };
    let release = full_minute(clients.now().plus(order.ttl));
    let trial = order.launch(candidate, disk, release);
    match clients.aliyun.prove_launchable(place, &trial).await {
        Ok(()) => Ok(Check::Go),
        // Another candidate may do.
        Err(fault) if matches!(fault.class, Class::NoCapacity | Class::DiskUnsupported) => {
            Ok(Check::Go)
        }
        Err(fault) => Err(fault),
    }
}

/// What became of one token.
enum Tried {
    /// There is a machine.
    Launched,
    /// No candidate had one.
    Nowhere(Fault),
    /// A machine was accepted, and is not there.
    Vanished,
    /// Somebody used it for another machine, which is not there any more.
    UsedUp,
}

/// Launches a machine.
pub(super) async fn launch(
    clients: &Clients,
    op: &Op,
    (order, token): (&Order, &Token),
) -> Result<(), Fault> {
    let (began, mut vanished) = (clients.now(), 0);
    for attempt in 0..TOKENS_MAX {
        let token = format!("{token}-{attempt}");
        match try_all(clients, op, (order, &token, attempt), began).await? {
            Tried::Launched => return Ok(()),
            Tried::Nowhere(fault) => {
                let count = order.candidates.len();
                return Err(fault.hint(&format!("that was the last of {count} candidates")));
            }
            Tried::Vanished => vanished += 1,
            Tried::UsedUp => {}
        }
        if vanished == ATTEMPTS_MAX {
            break;
        }
    }
    let message = format!("{vanished} machines were accepted and did not appear");
    Err(Fault::new(Class::NoCapacity, "launch an instance", &message).of(&order.name))
}

/// Tries one candidate after another with the same token, so that two reconcilers cannot get one each. Later attempts begin
/// with later candidates: the earlier ones were accepted, and had nothing after all. `began`: when the first token was tried.
async fn try_all(
    clients: &Clients,
    op: &Op,
    (order, token, attempt): (&Order, &str, usize),
    began: Timestamp,
) -> Result<Tried, Fault> {
    let count = order.candidates.len();
    let (mut nowhere, mut is_first) = (None, attempt == 0);
    let release = full_minute(clients.now().plus(order.ttl));
    let all = order.candidates.iter().cycle();
    for candidate in all.skip(attempt % count).take(count) {
        if !is_first && found(clients, op).await?.is_some() {
            return Ok(Tried::Launched);
        }
        is_first = false;
        for disk in &order.disks {
            let launch = order.launch(candidate, disk, release);
            let outcome = clients
                .aliyun
                .launch(&op.subject.place, &launch, token)
                .await;
            match outcome {
                Ok(id) => {
                    let place = &op.subject.place;
                    let looks =
                        || async { Ok(clients.aliyun.instance(place, &id).await?.is_some()) };
                    let is_there = appears(clients, ACCEPTED_AFTER, looks).await?
                        || exists(clients, op, &id).await?;
                    return Ok(if is_there {
                        Tried::Launched
                    } else {
                        Tried::Vanished
                    });
                }
                Err(fault) if fault.class == Class::TokenUsed => {
                    let looks = || async { Ok(found(clients, op).await?.is_some()) };
                    // What was launched before the first token was tried has had the time of all of them.
                    let rest = VISIBLE_AFTER.saturating_sub(clients.now().since(began));
                    let is_there = appears(clients, rest.max(ACCEPTED_AFTER), looks).await?;
                    return Ok(if is_there {
                        Tried::Launched
                    } else {
                        Tried::UsedUp
                    });
                }
                Err(fault) if fault.class == Class::DiskUnsupported => nowhere = Some(fault),
                Err(fault) if fault.class == Class::NoCapacity => {
                    nowhere = Some(fault);
                    break;
                }
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok(nowhere.map_or(Tried::UsedUp, Tried::Nowhere))
}

/// Whether a machine that no listing shows is there all the same. A listing may be late, a request to delete is not: one for
/// a machine that vanished for lack of stock is answered `InvalidInstanceId.NotFound` (ECS API reference, `DeleteInstance`),
/// a dry run like any other. Where deletions are allowed by tag alone, what is not there has none, and is denied.
async fn exists(clients: &Clients, op: &Op, id: &InstanceId) -> Result<bool, Fault> {
    match clients.aliyun.prove_deletable(&op.subject.place, id).await {
        Ok(()) => Ok(true),
        Err(fault) if matches!(fault.class, Class::Gone | Class::Denied) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Looks until something shows, for so long at most.
async fn appears<L: Future<Output = Result<bool, Fault>>>(
    clients: &Clients,
    most: Duration,
    mut look: impl FnMut() -> L,
) -> Result<bool, Fault> {
    let since = clients.now();
    loop {
        if look().await? {
            return Ok(true);
        }
        if clients.now().since(since) >= most {
            return Ok(false);
        }
        clients.wait("a machine to appear", LOOK_EVERY).await;
    }
}

/// The machine of this version that is there now.
async fn found(clients: &Clients, op: &Op) -> Result<Option<Instance>, Fault> {
    let instances = clients.aliyun.instances_now(&op.subject.place).await?;
    let mut instances = instances.items().iter();
    Ok(instances.find(|it| is_of(op, &it.tags)).cloned())
}

/// Whether something belongs to the line and is of the version that is launched.
fn is_of(op: &Op, all: &std::collections::BTreeMap<String, String>) -> bool {
    let has = |key: &str, value: &str| all.get(key).is_some_and(|it| it == value);
    tags::owner(all, &op.subject.scope, &op.subject.owner) == Owner::Ours
        && has(tags::VERSION, &op.version)
        && has(tags::ARCHITECTURE, op.architecture.name())
}
