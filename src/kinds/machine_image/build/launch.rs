//! Launching a builder, and what it is told to run.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::{InstanceId, Token};
use crate::kind::Check;
use crate::kinds::architecture::Architecture;
use crate::kinds::instance_class::{self, Candidate, Order, Wanted, disk_gib};
use crate::kinds::tags::{self, Owner};
use crate::providers::Clients;
use crate::providers::aliyun::{Command, Instance, Launch, UserData};
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

/// How long removing all traces takes at most, once the script has ended.
const CLEANING_MAX: Duration = Duration::from_secs(300);

/// The machine of a build to be launched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launching {
    /// What is launched.
    pub order: Order,
    /// Machines that were launched for the same of late and that no listing showed as ours: they must be gone.
    pub earlier: Vec<InstanceId>,
}

/// Puts an order together.
pub(super) fn order(
    (resource, bench): (&Resource<Spec>, &Bench),
    (architecture, now): (Architecture, Timestamp),
    (version, base, candidates): (&str, &Base, &[Candidate]),
) -> Launching {
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
        user_data: UserData::open(guest::user_data(class.ttl.0)),
        release: Timestamp::EPOCH,
        tags: all,
    };
    let order = Order {
        name,
        is_named_alone: false,
        ttl: class.ttl.0,
        candidates: candidates.to_vec(),
        disks: instance_class::disks(&class.system_disk),
        template,
    };
    Launching {
        order,
        earlier: history::unseen(bench, (architecture, now), version),
    }
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

/// Looks whether somebody was faster, and asks for everything that can be asked for before money is spent.
pub(super) async fn check(
    clients: &Clients,
    op: &Op,
    launching: &Launching,
) -> Result<Check, Fault> {
    let place = &op.subject.place;
    // Without the permission an empty list looks just like no instances.
    clients.aliyun.prove_instances_visible(place).await?;
    let listed = clients.aliyun.instances_now(place).await?;
    if listed.items().iter().any(|it| is_of(op, &it.tags)) {
        return Ok(Check::AlreadyDone);
    }
    // One that is shown is somebody else's by now.
    let is_listed = |id: &InstanceId| listed.items().iter().any(|it| it.id == *id);
    for id in launching.earlier.iter().filter(|it| !is_listed(it)) {
        if instance_class::exists(clients, place, id).await? {
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
    instance_class::prove(clients, place, &launching.order).await?;
    Ok(Check::Go)
}

/// Launches a machine.
pub(super) async fn launch(
    clients: &Clients,
    op: &Op,
    (launching, token): (&Launching, &Token),
) -> Result<(), Fault> {
    let is_it = |it: &Instance| is_of(op, &it.tags);
    let wanted = Wanted {
        place: &op.subject.place,
        order: &launching.order,
        token: token.as_str(),
        is_it: &is_it,
    };
    instance_class::launch(clients, wanted).await
}

/// Whether something belongs to the line and is of the version that is launched.
fn is_of(op: &Op, all: &std::collections::BTreeMap<String, String>) -> bool {
    let has = |key: &str, value: &str| all.get(key).is_some_and(|it| it == value);
    tags::owner(all, &op.subject.scope, &op.subject.owner) == Owner::Ours
        && has(tags::VERSION, &op.version)
        && has(tags::ARCHITECTURE, op.architecture.name())
}
