//! Launching a machine: candidate after candidate, each with the same token, until one is there.

use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::ids::InstanceId;
use crate::kinds::tags;
use crate::providers::Clients;
use crate::providers::aliyun::{Instance, Launch, Place};

use super::ranking::Candidate;
use super::spec::SystemDisk;

/// Machines that one pass may have accepted and not get.
const ATTEMPTS_MAX: usize = 8;
/// Tokens that earlier passes may have used up.
const TOKENS_MAX: usize = 40;
/// How long a machine that somebody launched may take to show in listings: nothing else tells of it.
const VISIBLE_AFTER: Duration = Duration::from_secs(300);
/// How long a machine that was accepted may take to show, before it is asked whether it is there at all.
const ACCEPTED_AFTER: Duration = Duration::from_secs(60);
/// The wait between two looks for it.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// A machine to be launched, wherever it can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its name.
    pub name: String,
    /// Whether no other machine of ours ever has that name, so that it alone need be looked for.
    pub is_named_alone: bool,
    /// How long it may live.
    pub ttl: Duration,
    /// Where it can be had, the best first; never empty.
    pub candidates: Vec<Candidate>,
    /// The categories of its disk, the best first; never empty.
    pub disks: Vec<String>,
    /// What is the same wherever it is.
    pub template: Launch,
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

    /// What is launched first at a time; none: there is no candidate.
    fn first(&self, now: Timestamp) -> Option<Launch> {
        let (candidate, disk) = (self.candidates.first()?, self.disks.first()?);
        Some(self.launch(candidate, disk, full_minute(now.plus(self.ttl))))
    }
}

/// The categories of a disk, the best first.
pub fn disks(disk: &SystemDisk) -> Vec<String> {
    let categories = disk.categories.iter();
    categories.map(|it| it.name().to_owned()).collect()
}

/// The disk holds the image and some more.
pub fn disk_gib(disk: &SystemDisk, image_gib: u64) -> u64 {
    let size = image_gib + disk.headroom.gib_rounded_up();
    size.max(disk.min_size.gib_rounded_up())
}

/// The start of the next full minute: the service rounds down.
pub fn full_minute(time: Timestamp) -> Timestamp {
    let minutes = time.millis().div_euclid(60_000) + 1;
    Timestamp::from_millis(minutes * 60_000)
}

/// Asks for everything that can be asked for before money is spent: permissions, quota and parameters.
pub async fn prove(clients: &Clients, place: &Place, order: &Order) -> Result<(), Fault> {
    let Some(trial) = order.first(clients.now()) else {
        let message = "there is no candidate";
        return Err(Fault::new(Class::NoCapacity, "launch an instance", message).of(&order.name));
    };
    match clients.aliyun.prove_launchable(place, &trial).await {
        // Another candidate may do.
        Err(fault) if matches!(fault.class, Class::NoCapacity | Class::DiskUnsupported) => Ok(()),
        outcome => outcome,
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

/// What is launched, by which tokens, and what it is known by.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Where it is to be.
    pub place: &'a Place,
    /// What is launched.
    pub order: &'a Order,
    /// What its tokens begin with.
    pub token: &'a str,
    /// Whether a machine is what is wanted, whoever launched it.
    pub is_it: &'a (dyn Fn(&Instance) -> bool + Sync),
}

impl fmt::Debug for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("order", self.order)
            .finish_non_exhaustive()
    }
}

/// Launches a machine; where somebody was faster, that one will do.
pub async fn launch(clients: &Clients, wanted: Wanted<'_>) -> Result<(), Fault> {
    let (began, mut vanished) = (clients.now(), 0);
    for attempt in 0..TOKENS_MAX {
        match try_all(clients, wanted, attempt, began).await? {
            Tried::Launched => return Ok(()),
            Tried::Nowhere(fault) => {
                let count = wanted.order.candidates.len();
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
    Err(Fault::new(Class::NoCapacity, "launch an instance", &message).of(&wanted.order.name))
}

/// Tries one candidate after another with the same token, so that two reconcilers cannot get one each. Later attempts begin
/// with later candidates: the earlier ones were accepted, and had nothing after all. `began`: when the first token was tried.
async fn try_all(
    clients: &Clients,
    wanted: Wanted<'_>,
    attempt: usize,
    began: Timestamp,
) -> Result<Tried, Fault> {
    let Wanted { place, order, .. } = wanted;
    let token = format!("{}-{attempt}", wanted.token);
    let count = order.candidates.len();
    let (mut nowhere, mut is_first) = (None, attempt == 0);
    let release = full_minute(clients.now().plus(order.ttl));
    let all = order.candidates.iter().cycle();
    for candidate in all.skip(attempt % count).take(count) {
        if !is_first && found(clients, wanted).await? {
            return Ok(Tried::Launched);
        }
        is_first = false;
        for disk in &order.disks {
            let launch = order.launch(candidate, disk, release);
            match clients.aliyun.launch(place, &launch, &token).await {
                Ok(id) => return accepted(clients, place, &id).await,
                Err(fault) if fault.class == Class::TokenUsed => {
                    return used(clients, wanted, began).await;
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

async fn accepted(clients: &Clients, place: &Place, id: &InstanceId) -> Result<Tried, Fault> {
    let looks = || async { Ok(clients.aliyun.instance(place, id).await?.is_some()) };
    let is_there =
        appears(clients, ACCEPTED_AFTER, looks).await? || exists(clients, place, id).await?;
    Ok(if is_there {
        Tried::Launched
    } else {
        Tried::Vanished
    })
}

async fn used(clients: &Clients, wanted: Wanted<'_>, began: Timestamp) -> Result<Tried, Fault> {
    let looks = || found(clients, wanted);
    // What was launched before the first token was tried has had the time of all of them.
    let rest = VISIBLE_AFTER.saturating_sub(clients.now().since(began));
    let is_there = appears(clients, rest.max(ACCEPTED_AFTER), looks).await?;
    Ok(if is_there {
        Tried::Launched
    } else {
        Tried::UsedUp
    })
}

/// Whether a machine that no listing shows is there all the same. A listing may be late, a request to delete is not: one for
/// a machine that vanished for lack of stock is answered `InvalidInstanceId.NotFound` (ECS API reference, `DeleteInstance`),
/// a dry run like any other. Where deletions are allowed by tag alone, what is not there has none, and is denied.
pub async fn exists(clients: &Clients, place: &Place, id: &InstanceId) -> Result<bool, Fault> {
    match clients.aliyun.prove_deletable(place, id).await {
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

/// Whether the machine that is wanted is there now.
pub async fn found(clients: &Clients, wanted: Wanted<'_>) -> Result<bool, Fault> {
    let Wanted { place, order, .. } = wanted;
    let instances = if order.is_named_alone {
        clients.aliyun.instances_named(place, &order.name).await?
    } else {
        clients.aliyun.instances_now(place).await?
    };
    Ok(instances.items().iter().any(wanted.is_it))
}
