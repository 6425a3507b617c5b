//! The instances of a region that a policy selects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::fault::Fault;
use crate::ids::{ImageId, InstanceId};
use crate::kind::Context;
use crate::kinds::aliyun_region::{AliyunRegion, Home};
use crate::providers::aliyun;
use crate::resource::Resource;

use super::records::{self, Records, Work};
use super::spec::Spec;

/// What was seen for one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where, and whose objects are ours.
    pub home: Home,
    /// The instances that the policy selects, by id.
    pub instances: Vec<Instance>,
    /// The names of all instances of the region, and how many there are.
    pub names: BTreeSet<String>,
    /// How many instances the region has in all.
    pub listed: usize,
    /// What runner lists say; none: the policy names none.
    pub records: Option<Fact<Records>>,
    /// When it was proven just now that an empty list means that there are none; none: there was no need.
    pub proven: Option<Timestamp>,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its name.
    pub name: String,
    /// Its type.
    pub machine_type: String,
    /// Whether it runs.
    pub phase: Phase,
    /// When it was created; none: the service does not say.
    pub created: Option<Timestamp>,
    /// When the cloud releases it; none: never.
    pub release: Option<Timestamp>,
    /// What it was made from.
    pub image: Option<ImageId>,
    /// How it is paid for.
    pub payment: Payment,
    /// Whether it is protected from deletion.
    pub protected: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What it does.
    pub work: Fact<Work>,
}

/// Whether an instance runs. All of these are billed.
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
    /// It is in a status that we do not know.
    Unknown,
}

/// How an instance is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payment {
    /// By the spot market's price.
    Spot,
    /// By the hour.
    OnDemand,
    /// In advance.
    Subscription,
}

/// What is remembered between passes: when it was last proven that an empty list means that there are no instances.
pub(super) const VISIBLE: &str = "instances-visible";

/// How often that is proven while the list is empty. Whatever rests on it is proven again right before.
const PROVE_EVERY: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn observe(
    resource: &Resource<Spec>,
    context: &Context<'_>,
) -> Result<Seen, Fault> {
    let home = context
        .spec::<AliyunRegion>(resource.spec.region_ref.as_str())
        .home();
    let ecs = &context.clients.aliyun;
    let listed = ecs.instances(&home.place).await?;
    let proven = context.remembered.get(VISIBLE);
    let is_due = proven.is_none_or(|it| listed.at().since(*it) >= PROVE_EVERY);
    // Without the permission the listing is empty too.
    let is_proven = listed.items().is_empty() && is_due;
    if is_proven {
        ecs.prove_instances_visible(&home.place).await?;
    }
    let records = records::read(&resource.spec, context).await;
    let selector = &resource.spec.selector;
    let mut instances: Vec<Instance> = listed
        .items()
        .iter()
        .filter(|it| is_selected(&selector.tags, &it.tags))
        .map(|it| Instance {
            work: work(records.as_ref(), &it.name),
            ..instance(it)
        })
        .collect();
    instances.sort_by_key(|it| it.id.clone());
    Ok(Seen {
        home,
        instances,
        names: listed.items().iter().map(|it| it.name.clone()).collect(),
        listed: listed.items().len(),
        records,
        proven: is_proven.then(|| listed.at()),
    })
}

/// Whether an instance with these tags is one of the policy's.
pub(super) fn is_selected(
    selector: &BTreeMap<String, String>,
    tags: &BTreeMap<String, String>,
) -> bool {
    selector
        .iter()
        .all(|(key, value)| tags.get(key) == Some(value))
}

/// Who has work is told by runner lists alone.
fn work(records: Option<&Fact<Records>>, name: &str) -> Fact<Work> {
    match records {
        None => Fact::Known(Work::Untold),
        Some(Fact::Known(records)) => Fact::Known(records.work(name)),
        Some(Fact::Unknown(fault)) => Fact::Unknown(fault.clone()),
    }
}

pub(super) fn instance(seen: &aliyun::Instance) -> Instance {
    use aliyun::InstanceStatus as Status;
    let phase = match &seen.status {
        Status::Pending | Status::Starting => Phase::Starting,
        Status::Running => Phase::Running,
        Status::Stopping => Phase::Stopping,
        Status::Stopped => Phase::Stopped,
        Status::Other(_) => Phase::Unknown,
    };
    let payment = match (seen.prepaid, seen.spot) {
        (true, _) => Payment::Subscription,
        (false, true) => Payment::Spot,
        (false, false) => Payment::OnDemand,
    };
    Instance {
        id: seen.id.clone(),
        name: seen.name.clone(),
        machine_type: seen.instance_type.clone(),
        phase,
        created: seen.created,
        release: seen.auto_release,
        image: seen.image.clone(),
        payment,
        protected: seen.deletion_protected,
        tags: seen.tags.clone(),
        work: Fact::Known(Work::Untold),
    }
}
