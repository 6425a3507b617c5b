//! What is launched for a job: registered, then rented, so that a machine is somebody from its first second.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::ids::Token;
use crate::kind::Check;
use crate::kinds::instance_class::{self, Order, Wanted, disk_gib};
use crate::kinds::tags::{self, Owner};
use crate::providers::Clients;
use crate::providers::aliyun::{Instance, Launch};
use crate::providers::github::RunnersOf;
use crate::resource::Resource;

use super::demand::{self, Key};
use super::guest;
use super::image::Image;
use super::op::Op;
use super::seen::{self, Seen};
use super::spec::{LEASE_MIN, Spec};

/// A machine for one runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launching {
    /// What is rented; the runner's number and configuration come to it when it is registered.
    pub order: Order,
    /// Where the runner is registered.
    pub of: RunnersOf,
    /// Its labels.
    pub labels: Vec<String>,
    /// The job that waits; none: it is to wait for one.
    pub job: Option<demand::Waiting>,
    /// Whether it is the first of a pass, which asks for what all of them need.
    pub is_first: bool,
}

/// Puts together what is launched.
pub(super) fn launching(
    (resource, seen): (&Resource<Spec>, &Seen),
    (key, job, is_first): (&Key, Option<demand::Waiting>, bool),
    (image, offers): (&Image, &instance_class::Ranking),
) -> Launching {
    let (spec, class, region) = (&resource.spec, &seen.class, &seen.region);
    let name = key.name(&resource.id.name);
    let mut all = region.required_tags.clone();
    all.extend(tags::ownership(&seen.home.scope, &resource.id));
    all.insert(tags::JOB.to_owned(), key.what.clone());
    let network = region.network.as_ref();
    let security_group = network.and_then(|it| it.security_group_id.clone());
    let template = Launch {
        image: image.id.clone(),
        instance_type: String::new(),
        zone: String::new(),
        v_switch: String::new(),
        security_group: security_group.unwrap_or_default(),
        name: name.clone(),
        disk_category: String::new(),
        disk_gib: disk_gib(&class.system_disk, image.size_gib),
        spot_limit: None,
        role: class.instance_role_name.clone(),
        key_pair: region.key_pair_name.clone(),
        user_data: guest::user_data(spec, class, region),
        release: Timestamp::EPOCH,
        tags: all,
    };
    let mut labels = spec.labels.clone();
    labels.push(seen::mark(resource, &seen.home.scope));
    Launching {
        order: Order {
            name,
            is_named_alone: true,
            ttl: spec.lease.0,
            candidates: offers.candidates.clone(),
            disks: instance_class::disks(&class.system_disk),
            template,
        },
        of: seen.of.clone(),
        labels,
        job,
        is_first,
    }
}

/// Looks whether somebody was faster or the job is gone, and asks for what can be asked for before money is spent.
pub(super) async fn check(
    clients: &Clients,
    op: &Op,
    launching: &Launching,
) -> Result<Check, Fault> {
    // Without the permission an empty list looks just like no instances.
    clients.aliyun.prove_instances_visible(&op.place).await?;
    let is_it = |it: &Instance| is_it(op, it);
    if instance_class::found(clients, wanted(op, &launching.order, "", &is_it)).await? {
        return Ok(Check::AlreadyDone);
    }
    if let Some(job) = &launching.job
        && !clients.github.is_waiting(&job.repository, job.id).await?
    {
        return Ok(Check::Stale(format!("the job {} waits no more", job.id)));
    }
    if launching.is_first {
        instance_class::prove(clients, &op.place, &launching.order).await?;
    }
    Ok(Check::Go)
}

/// Registers the runner and launches its machine. Where no machine is to be had, the runner is none any more; whoever dies
/// in between leaves a record without a machine, which a later pass removes.
pub(super) async fn launch(
    clients: &Clients,
    op: &Op,
    (launching, token): (&Launching, &Token),
) -> Result<(), Fault> {
    let github = &clients.github;
    let name = &launching.order.name;
    let mut labels = launching.labels.clone();
    labels.push(seen::since_label(clients.now()));
    let registered = github.register(&launching.of, name, &labels).await?;
    let mut order = launching.order.clone();
    let id = registered.id.to_string();
    let of = format!("{}/{}", launching.of.host, launching.of);
    order.template.tags.insert(tags::RUNNER.to_owned(), id);
    order.template.tags.insert(tags::RUNNER_OF.to_owned(), of);
    order.template.user_data.secret = Some(registered.config);
    let is_it = |it: &Instance| is_it(op, it);
    // Another registration is another request: the name alone keeps two reconcilers apart.
    let token = format!("{}-{}", token.as_str(), registered.id);
    let outcome = instance_class::launch(clients, wanted(op, &order, &token, &is_it)).await;
    // Where a machine may be there all the same, it has its runner; what is left then is found without a machine.
    let is_refused = |it: &Fault| {
        matches!(
            it.class,
            Class::NoCapacity | Class::DiskUnsupported | Class::Invalid | Class::Denied
        )
    };
    if outcome.as_ref().is_err_and(is_refused)
        && let Err(left) = github.remove_runner(&launching.of, registered.id).await
    {
        tracing::warn!(runner = registered.id, %left, "a runner without a machine is left for the next pass");
    }
    outcome
}

fn wanted<'a>(
    op: &'a Op,
    order: &'a Order,
    token: &'a str,
    is_it: &'a (dyn Fn(&Instance) -> bool + Sync),
) -> Wanted<'a> {
    Wanted {
        place: &op.place,
        order,
        token,
        is_it,
    }
}

fn is_it(op: &Op, instance: &Instance) -> bool {
    let all: &BTreeMap<String, String> = &instance.tags;
    instance.name == op.name && tags::owner(all, &op.scope, &op.owner) == Owner::Ours
}

/// The release time of a machine that may have work: a lease from now on, and not beyond what it may live but by the
/// shortest lease, without which its job would end before that. None: it stays.
pub(super) fn renewal(
    spec: &Spec,
    (created, release): (Option<Timestamp>, Option<Timestamp>),
    now: Timestamp,
) -> Option<Timestamp> {
    let release = release?;
    let end = created?.plus(spec.max_lifetime.0);
    if release.since(now) >= spec.renewed_below() || now >= end {
        return None;
    }
    let least = instance_class::full_minute(now.plus(LEASE_MIN.0));
    let next = instance_class::full_minute(now.plus(spec.lease.0)).min(end);
    let next = next.max(least);
    // At the end of its life it is a minute more at each look: only as often as is needed.
    let is_worth = next.since(release) >= WORTH || release.since(now) + WORTH < LEASE_MIN.0;
    (next > release && is_worth).then_some(next)
}

/// What a lease is moved on by at least, unless it is nearly over.
const WORTH: Duration = Duration::from_secs(10 * 60);
