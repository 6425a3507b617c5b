//! Starting, stopping, deleting and releasing instances (ECS API reference: `StartInstance`, `StopInstance`,
//! `StopInstances`, `DeleteInstance`, `DeleteInstances`, `ModifyInstanceAutoReleaseTime`).

use std::time::Duration;

use serde_json::json;

use crate::clock::Timestamp;
use crate::ids::RegionId;
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Reply, assistant, token};
use crate::sim::history::{Removal, What};
use crate::sim::invocation::RunError;
use crate::sim::object::{Instance, InstanceChange, InstanceStatus};

/// A release time is at least this far ahead …
const RELEASE_MIN: Duration = Duration::from_secs(30 * 60);

/// … and at most three years.
const RELEASE_MAX: Duration = Duration::from_secs(3 * 366 * 24 * 60 * 60);

const BATCH_MAX: usize = 100;

pub(super) fn start(cloud: &mut Cloud, ask: &Ask) -> Reply {
    let (region, instance) = one(cloud, ask)?;
    if instance.status != InstanceStatus::Stopped || instance.is_going() {
        return Err(wrong_status());
    }
    ask.unless_dry()?;
    let running = ask
        .now
        .plus(Duration::from_secs(cloud.scenario.times.instance_running));
    let mut then = instance.upcoming.clone();
    then.push((running, InstanceChange::Turn(InstanceStatus::Running)));
    turn(
        cloud,
        (&region, &instance),
        ask.now,
        (InstanceStatus::Starting, then),
    );
    let agent = assistant::agent_again(cloud, instance.agent, running);
    let id = instance.instance_id.as_str();
    cloud
        .region_mut(&region)
        .instances
        .change(ask.now, id, |it| it.agent = agent);
    Ok(json!({}))
}

pub(super) fn stop(cloud: &mut Cloud, ask: &Ask) -> Reply {
    let (region, instance) = one(cloud, ask)?;
    check_stoppable(&instance)?;
    ask.unless_dry()?;
    begin_stop(cloud, ask, (&region, &instance));
    Ok(json!({}))
}

/// All together by default: one instance that cannot be stopped keeps all of them running.
pub(super) fn stop_many(cloud: &mut Cloud, ask: &Ask) -> Reply {
    if ask
        .text("BatchOptimization")
        .is_some_and(|it| it != "AllTogether")
    {
        return Err(Refusal::unmodelled(
            "BatchOptimization other than AllTogether",
        ));
    }
    let (region, instances) = many(cloud, ask)?;
    for instance in &instances {
        check_stoppable(instance)?;
    }
    ask.unless_dry_batch()?;
    let mut rows = Vec::new();
    for instance in &instances {
        begin_stop(cloud, ask, (&region, instance));
        rows.push(json!({
            "InstanceId": instance.instance_id,
            "Code": "200",
            "Message": "success",
            "PreviousStatus": instance.status,
            "CurrentStatus": InstanceStatus::Stopping,
        }));
    }
    Ok(json!({"InstanceResponses": {"InstanceResponse": rows}}))
}

fn check_stoppable(instance: &Instance) -> Result<(), Refusal> {
    if instance.status == InstanceStatus::Running && !instance.is_going() {
        return Ok(());
    }
    Err(wrong_status())
}

/// A stopped instance is still there, and its disk is billed.
fn begin_stop(cloud: &mut Cloud, ask: &Ask, (region, instance): (&RegionId, &Instance)) {
    let stopped = ask
        .now
        .plus(Duration::from_secs(cloud.scenario.times.instance_stopped));
    let mut then = instance.upcoming.clone();
    then.push((stopped, InstanceChange::Turn(InstanceStatus::Stopped)));
    turn(
        cloud,
        (region, instance),
        ask.now,
        (InstanceStatus::Stopping, then),
    );
    let why = (&instance.instance_id, RunError::InstanceNotRunning);
    cloud.interrupt(ask.now, region, why);
    let mode = ask.text("StoppedMode").unwrap_or("KeepCharging").to_owned();
    let id = instance.instance_id.as_str();
    cloud
        .region_mut(region)
        .instances
        .change(ask.now, id, |it| it.stopped_mode = mode);
}

impl Cloud {
    /// Lets a running instance switch itself off, as its guest does.
    pub(crate) fn switch_off(&mut self, region: &RegionId, id: &str, at: Timestamp) {
        let found = self.regions[region].instances.get(id).cloned();
        let Some(instance) =
            found.filter(|it| it.status == InstanceStatus::Running && !it.is_going())
        else {
            return;
        };
        let stopped = at.plus(Duration::from_secs(self.scenario.times.instance_stopped));
        let mut then = instance.upcoming.clone();
        then.retain(|it| it.1 != InstanceChange::Turn(InstanceStatus::Stopped));
        then.push((stopped, InstanceChange::Turn(InstanceStatus::Stopped)));
        turn(
            self,
            (region, &instance),
            at,
            (InstanceStatus::Stopping, then),
        );
    }
}

fn turn(
    cloud: &mut Cloud,
    (region, instance): (&RegionId, &Instance),
    now: Timestamp,
    (status, then): (InstanceStatus, Vec<(Timestamp, InstanceChange)>),
) {
    let instance = instance.instance_id.clone();
    cloud
        .region_mut(region)
        .instances
        .change(now, instance.as_str(), |it| {
            it.status = status;
            it.upcoming = then;
        });
    cloud.record(now, region, What::InstanceTurned { instance, status });
}

pub(super) fn delete(cloud: &mut Cloud, ask: &Ask) -> Reply {
    let (region, instance) = one(cloud, ask)?;
    check_deletable(ask, &instance)?;
    ask.unless_dry()?;
    begin_delete(cloud, ask, (&region, &instance));
    Ok(json!({}))
}

/// ASSUMED: all or none, since the documentation does not say.
pub(super) fn delete_many(cloud: &mut Cloud, ask: &Ask) -> Reply {
    token::once(cloud, ask, |cloud| {
        let (region, instances) = many(cloud, ask)?;
        for instance in &instances {
            check_deletable(ask, instance)?;
        }
        ask.unless_dry_batch()?;
        for instance in &instances {
            begin_delete(cloud, ask, (&region, instance));
        }
        Ok(json!({}))
    })
}

/// A stopped instance is deleted as it is, a running one only with `Force`, a starting one not at all.
fn check_deletable(ask: &Ask, instance: &Instance) -> Result<(), Refusal> {
    let refuse = |code: &str, message: &str| Err(Refusal::new(403, code, message));
    if instance.deletion_protection {
        let message = "The operation is not allowed due to deletion protection.";
        return refuse("InvalidOperation.DeletionProtection", message);
    }
    if instance.instance_charge_type == "PrePaid" && !ask.is_true("TerminateSubscription") {
        let message = "The operation is not permitted due to charge type of the instance.";
        return refuse("ChargeTypeViolation", message);
    }
    match instance.status {
        // ASSUMED: deleting once more what is being deleted changes nothing.
        _ if instance.is_going() => Ok(()),
        InstanceStatus::Pending | InstanceStatus::Starting => refuse(
            "IncorrectInstanceStatus.Initializing",
            "The specified instance status does not support this operation.",
        ),
        InstanceStatus::Stopped => Ok(()),
        InstanceStatus::Running | InstanceStatus::Stopping if ask.is_true("Force") => Ok(()),
        InstanceStatus::Running | InstanceStatus::Stopping => Err(wrong_status()),
    }
}

/// There is no status for a released instance: it is seen for a while, then it is gone.
fn begin_delete(cloud: &mut Cloud, ask: &Ask, (region, instance): (&RegionId, &Instance)) {
    if instance.is_going() {
        return;
    }
    let gone = ask
        .now
        .plus(Duration::from_secs(cloud.scenario.times.instance_gone));
    let status = match instance.status {
        InstanceStatus::Stopped => InstanceStatus::Stopped,
        InstanceStatus::Pending
        | InstanceStatus::Starting
        | InstanceStatus::Running
        | InstanceStatus::Stopping => InstanceStatus::Stopping,
    };
    cloud.record(
        ask.now,
        region,
        What::InstanceDeleting(Box::new(instance.clone())),
    );
    let id = instance.instance_id.as_str();
    cloud
        .region_mut(region)
        .instances
        .change(ask.now, id, |it| {
            it.status = status;
            it.upcoming = vec![(gone, InstanceChange::Go(Removal::Request))];
        });
}

/// Without `AutoReleaseTime` the release is cancelled; ASSUMED: with an empty one too.
pub(super) fn modify_release(cloud: &mut Cloud, ask: &Ask) -> Reply {
    let (region, instance) = one(cloud, ask).map_err(|_| {
        Refusal::new(
            404,
            "NoSuchResource",
            "The specified resource is not found.",
        )
    })?;
    if instance.instance_charge_type == "PrePaid" {
        let message = "The operation is not permitted due to charge type of the instance.";
        return Err(Refusal::new(403, "ChargeTypeViolation", message));
    }
    let to = release_time(ask)?;
    let id = instance.instance_id.as_str();
    cloud
        .region_mut(&region)
        .instances
        .change(ask.now, id, |it| it.auto_release_time = to);
    let instance = instance.instance_id;
    cloud.record(ask.now, &region, What::ReleaseTimeChanged { instance, to });
    Ok(json!({}))
}

/// The release time that a request asks for: at least 30 minutes and at most 3 years ahead; seconds are cut off
/// (ECS API reference, `RunInstances`, `AutoReleaseTime`; the Chinese text says so).
pub(super) fn release_time(ask: &Ask) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = ask.text("AutoReleaseTime") else {
        return Ok(None);
    };
    let is_utc = text.len() == "yyyy-MM-ddTHH:mm:ssZ".len() && text.ends_with('Z');
    let range = ask.now.plus(RELEASE_MIN)..=ask.now.plus(RELEASE_MAX);
    let time = Timestamp::parse(text).filter(|it| is_utc && range.contains(it));
    let Some(time) = time else {
        let message = "The specified parameter AutoReleaseTime is not valid.";
        return Err(Refusal::new(
            400,
            "InvalidAutoReleaseTime.Malformed",
            message,
        ));
    };
    Ok(Some(Timestamp::from_millis(
        time.millis().div_euclid(60_000) * 60_000,
    )))
}

fn one(cloud: &Cloud, ask: &Ask) -> Result<(RegionId, Instance), Refusal> {
    let id = ask.text("InstanceId").unwrap_or_default();
    let region = ask.find(cloud, |it| it.instances.get(id).is_some());
    let found = region.and_then(|region| {
        let instance = cloud.regions[&region].instances.get(id)?.clone();
        Some((region, instance))
    });
    found.ok_or_else(|| {
        Refusal::new(
            404,
            "InvalidInstanceId.NotFound",
            "The specified InstanceId does not exist.",
        )
    })
}

fn many(cloud: &Cloud, ask: &Ask) -> Result<(RegionId, Vec<Instance>), Refusal> {
    let ids = ask.parameters.list("InstanceId");
    if ids.len() > BATCH_MAX {
        let message = "Instance ids cannot be more than 100.";
        return Err(Refusal::new(
            403,
            "InvalidParameter.TooManyInstanceIds",
            message,
        ));
    }
    let region = ask.region_id(cloud);
    let instances = &cloud.regions[&region].instances;
    let found: Option<Vec<Instance>> = ids.iter().map(|id| instances.get(id).cloned()).collect();
    let Some(found) = found else {
        let message = "The specified InstanceIds does not exist.";
        return Err(Refusal::new(404, "InvalidInstanceIds.NotFound", message));
    };
    Ok((region, found))
}

fn wrong_status() -> Refusal {
    let message = "The current status of the resource does not support this operation.";
    Refusal::new(403, "IncorrectInstanceStatus", message)
}
