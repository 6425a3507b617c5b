//! Instances: machines that are rented.
//!
//! Source: ECS API reference, `DescribeInstances`, `StopInstance`, `ModifyInstanceAutoReleaseTime`, `DeleteInstance`.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::call::{Call, Parameters, parameters};
use super::image::gone_is_done;
use super::listing::Listing;
use super::place::{Place, Service};
use super::wire::Fields;
use super::{Aliyun, fault};
use crate::clock::Timestamp;
use crate::fact::Complete;
use crate::fault::{Class, Fault};
use crate::ids::{ImageId, InstanceId};
use crate::retry::Effect;

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its name, which need not be unique.
    pub name: String,
    /// What it is doing.
    pub status: InstanceStatus,
    /// When it was created; none: the service does not say.
    pub created: Option<Timestamp>,
    /// When the service releases it by itself; none: never.
    pub auto_release: Option<Timestamp>,
    /// What it was launched from.
    pub image: Option<ImageId>,
    /// Its type, as in `ecs.c7.large`.
    pub instance_type: String,
    /// Whether it may be reclaimed at any time.
    pub spot: bool,
    /// Whether it is a subscription, paid in advance.
    pub prepaid: bool,
    /// Whether it refuses to be deleted.
    pub deletion_protected: bool,
    /// The zone that it is in.
    pub zone: String,
    /// Why the service is about to take it, as in `Recycling`; empty: it is not.
    pub locks: Vec<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What an instance is doing. A released one has no status: it disappears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceStatus {
    /// Being created.
    Pending,
    /// Booting.
    Starting,
    /// Up.
    Running,
    /// Going down.
    Stopping,
    /// Down; its disks are billed.
    Stopped,
    /// A status that we do not know.
    Other(String),
}

impl InstanceStatus {
    fn read(text: &str) -> Self {
        match text {
            "Pending" => Self::Pending,
            "Starting" => Self::Starting,
            "Running" => Self::Running,
            "Stopping" => Self::Stopping,
            "Stopped" => Self::Stopped,
            _ => Self::Other(text.to_owned()),
        }
    }
}

const INSTANCES: Listing<Instance> = Listing {
    service: Service::Ecs,
    action: "DescribeInstances",
    doing: "list the instances",
    outer: "Instances",
    inner: "Instance",
    id: "InstanceId",
    page_size: 100,
    read,
};

fn read(item: Fields<'_>) -> Result<Instance, String> {
    let mut locks = Vec::new();
    for lock in item.list("OperationLocks", "LockReason")? {
        locks.extend(lock.optional("LockReason")?.map(str::to_owned));
    }
    Ok(Instance {
        id: InstanceId::new(item.id("InstanceId")?),
        name: item.text("InstanceName")?.to_owned(),
        status: InstanceStatus::read(item.id("Status")?),
        created: item.time("CreationTime")?,
        auto_release: item.time("AutoReleaseTime")?,
        image: item.optional("ImageId")?.map(ImageId::new),
        instance_type: item
            .optional("InstanceType")?
            .unwrap_or_default()
            .to_owned(),
        spot: item
            .optional("SpotStrategy")?
            .is_some_and(|it| it != "NoSpot"),
        prepaid: item.optional("InstanceChargeType")? == Some("PrePaid"),
        deletion_protected: item.flag("DeletionProtection")? == Some(true),
        zone: item.optional("ZoneId")?.unwrap_or_default().to_owned(),
        locks,
        tags: item.tags()?,
    })
}

impl Aliyun {
    /// All instances of the region that the credentials may see; read once a pass.
    ///
    /// Without the permission the service answers an empty list: see [`Aliyun::prove_instances_visible`].
    pub async fn instances(&self, place: &Place) -> Result<Arc<Complete<Instance>>, Fault> {
        let read = || async {
            self.list_by_token(place, &INSTANCES, &Parameters::new())
                .await
        };
        self.instances.get(place, read).await
    }

    /// All instances of the region, as they are now.
    pub async fn instances_now(&self, place: &Place) -> Result<Complete<Instance>, Fault> {
        self.list_by_token(place, &INSTANCES, &Parameters::new())
            .await
    }

    /// One instance as it is now; none: it is not there, or not visible yet.
    pub async fn instance(
        &self,
        place: &Place,
        id: &InstanceId,
    ) -> Result<Option<Instance>, Fault> {
        let ids = serde_json::json!([id]).to_string();
        let filter = parameters([("InstanceIds", &ids)]);
        let found = self
            .list_by_token(place, &INSTANCES, &filter)
            .await
            .map_err(|it| it.of(id.as_str()))?;
        Ok(found.items().iter().find(|it| it.id == *id).cloned())
    }

    /// All instances that were launched from an image, as they are now.
    pub async fn instances_of_image(
        &self,
        place: &Place,
        image: &ImageId,
    ) -> Result<Complete<Instance>, Fault> {
        let filter = parameters([("ImageId", image.as_str())]);
        let found = self
            .list_by_token(place, &INSTANCES, &filter)
            .await
            .map_err(|it| it.of(image.as_str()))?;
        Ok(found.filtered(|it| it.image.as_ref() == Some(image)))
    }

    /// Makes sure that an empty list means that there are no instances; asked once a pass.
    ///
    /// A RAM user without the permission is answered an empty list instead of an error, but no passed dry run.
    pub async fn prove_instances_visible(&self, place: &Place) -> Result<(), Fault> {
        let prove = || async {
            let call = Call {
                doing: "make sure that instances are visible",
                ..INSTANCES.call(parameters([("DryRun", "true")]))
            };
            match self.call(place, &call).await {
                Err(fault) if fault::dry_run_passed(&fault) => Ok(()),
                Err(fault) => Err(fault),
                Ok(_) => {
                    let refused = call.fault(Class::Denied, "a dry run was not answered as one");
                    Err(refused.hint("the key may lack ecs:DescribeInstances"))
                }
            }
        };
        self.visible.get(place, prove).await.map(|_| ())
    }

    /// Stops a running instance as its system would; one that is stopped stays so.
    pub async fn stop_instance(&self, place: &Place, id: &InstanceId) -> Result<(), Fault> {
        let mut call = on_instance("StopInstance", "stop an instance", id);
        // The disk stays as it is only while it is paid for (`StoppedMode`).
        call.parameters
            .insert("StoppedMode".to_owned(), "KeepCharging".to_owned());
        let outcome = self.call(place, &call).await;
        self.instances.forget(place);
        outcome.map(|_| ())
    }

    /// Moves the time at which the service releases an instance by itself: a full minute, at least half an hour ahead.
    pub async fn release_at(
        &self,
        place: &Place,
        id: &InstanceId,
        release: Timestamp,
    ) -> Result<(), Fault> {
        let doing = "move the release time of an instance";
        let mut call = on_instance("ModifyInstanceAutoReleaseTime", doing, id);
        call.parameters
            .insert("AutoReleaseTime".to_owned(), release.to_string());
        let outcome = self.call(place, &call).await;
        self.instances.forget(place);
        outcome.map(|_| ())
    }

    /// What the console of an instance has said since it was booted last; it takes 20 s at most.
    ///
    /// Source: ECS API reference, `GetInstanceConsoleOutput`.
    pub async fn console(&self, place: &Place, id: &InstanceId) -> Result<String, Fault> {
        let mut call = on_instance(
            "GetInstanceConsoleOutput",
            "read the console of an instance",
            id,
        );
        call.effect = Effect::Read;
        let reply = self.call(place, &call).await?;
        let output = reply.body.get("ConsoleOutput").and_then(Value::as_str);
        let bytes = STANDARD.decode(output.unwrap_or_default());
        let bytes = bytes.map_err(|_| {
            let maybe_applied = false;
            call.fault(
                Class::Unavailable { maybe_applied },
                "the output is no base64",
            )
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// All instances of this name, as they are now.
    pub async fn instances_named(
        &self,
        place: &Place,
        name: &str,
    ) -> Result<Complete<Instance>, Fault> {
        let filter = parameters([("InstanceName", name)]);
        let found = self
            .list_by_token(place, &INSTANCES, &filter)
            .await
            .map_err(|it| it.of(name))?;
        Ok(found.filtered(|it| it.name == name))
    }

    /// Makes sure that an instance could be deleted; nothing is.
    pub async fn prove_deletable(&self, place: &Place, id: &InstanceId) -> Result<(), Fault> {
        let doing = "make sure that an instance can be deleted";
        let mut call = on_instance("DeleteInstance", doing, id);
        call.effect = Effect::Read;
        call.parameters
            .extend(parameters([("Force", "true"), ("DryRun", "true")]));
        match self.call(place, &call).await {
            Err(fault) if fault::dry_run_passed(&fault) => Ok(()),
            Err(fault) => Err(fault),
            Ok(_) => Err(call.fault(Class::Bug, "a dry run was not answered as one")),
        }
    }

    /// Deletes an instance, running or not; one that does not exist is deleted already.
    pub async fn delete_instance(&self, place: &Place, id: &InstanceId) -> Result<(), Fault> {
        let mut call = on_instance("DeleteInstance", "delete an instance", id);
        call.parameters
            .insert("Force".to_owned(), "true".to_owned());
        let outcome = self.call(place, &call).await;
        self.instances.forget(place);
        gone_is_done(outcome.map(|_| ()))
    }
}

fn on_instance<'a>(action: &'static str, doing: &'static str, id: &'a InstanceId) -> Call<'a> {
    Call {
        service: Service::Ecs,
        action,
        doing,
        effect: Effect::Repeatable,
        subject: Some(id.as_str()),
        parameters: parameters([("InstanceId", id.as_str())]),
    }
}
