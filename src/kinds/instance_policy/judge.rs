//! What is to become of one instance: evidence, not absence of news.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::kinds::tags::{self, Owner};
use crate::resource::Resource;

use super::op::Reach;
use super::seen::{Instance, Payment, Phase, Seen};
use super::spec::{Purchase, Spec};

/// What is to become of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is none of this policy's business, and why.
    LeaveAlone(String),
    /// A fact is missing, and which.
    Unknown(String),
    /// It may go on; none: nothing will change by itself.
    Stays(Option<Duration>),
    /// It has no work since now.
    StartsIdling,
    /// It has no work; how long until that counts.
    Idling(Duration),
    /// It works again.
    StopsIdling,
    /// It has had no work for long enough.
    Idle,
    /// It goes, and by which rule.
    Goes(Rule),
    /// It is on its way out.
    Leaving,
}

/// Why an instance goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// It was marked by an earlier pass.
    Retiring,
    /// It is older than maxAge and nothing can prove that it works.
    Overdue,
}

/// Judges one selected instance at `now`.
pub(super) fn judge(
    resource: &Resource<Spec>,
    seen: &Seen,
    instance: &Instance,
    now: Timestamp,
) -> Verdict {
    if let Some(why) = left_alone(&Reach::of(resource, seen), instance, now) {
        return Verdict::LeaveAlone(why);
    }
    let spec = &resource.spec;
    let is_retiring = instance.tags.contains_key(tags::RETIRING);
    // A machine that is down has no work, whoever may tell who is busy.
    let may_work = instance.phase != Phase::Stopped && instance.busy != Fact::Known(false);
    match instance.phase {
        Phase::Unknown => {
            return Verdict::Unknown("its status is one that we do not know".to_owned());
        }
        Phase::Stopping if is_retiring => return Verdict::Leaving,
        Phase::Starting | Phase::Running | Phase::Stopping | Phase::Stopped => {}
    }
    if may_work {
        return Verdict::Stays(None);
    }
    if is_retiring {
        return Verdict::Goes(Rule::Retiring);
    }
    let Some(created) = instance.created else {
        return Verdict::Unknown("the service does not say when it was created".to_owned());
    };
    let age = now.since(created);
    if instance.busy == Fact::Known(false) && age > spec.max_age.0 {
        return Verdict::Goes(Rule::Overdue);
    }
    if instance.phase == Phase::Stopped && instance.payment == Payment::Spot {
        return idling(spec, instance, now);
    }
    if instance.phase == Phase::Running && instance.tags.contains_key(tags::IDLE_SINCE) {
        return Verdict::StopsIdling;
    }
    let rest = spec.max_age.0.saturating_sub(age);
    Verdict::Stays((instance.busy == Fact::Known(false)).then_some(rest))
}

/// A stopped spot machine has no work and is billed for its disk. The service does not say since when it is stopped, so
/// the first look leaves a mark on it.
fn idling(spec: &Spec, instance: &Instance, now: Timestamp) -> Verdict {
    let since = instance
        .tags
        .get(tags::IDLE_SINCE)
        .and_then(|it| Timestamp::parse(it));
    let Some(since) = since.filter(|since| *since <= now) else {
        return Verdict::StartsIdling;
    };
    let idle = now.since(since);
    if idle > spec.idle_after.0 {
        Verdict::Idle
    } else {
        Verdict::Idling(spec.idle_after.0.saturating_sub(idle))
    }
}

/// Why an instance is none of the policy's business; none: it may be touched.
pub(super) fn left_alone(reach: &Reach, instance: &Instance, now: Timestamp) -> Option<String> {
    match tags::owner(&instance.tags, &reach.scope, &reach.policy) {
        Owner::Scope(scope) => return Some(format!("it belongs to scope {scope}")),
        Owner::Resource(owner) if instance.release.is_none_or(|release| now < release) => {
            return Some(format!(
                "it belongs to {owner} until its release time has passed"
            ));
        }
        Owner::Resource(_) | Owner::Ours | Owner::Nobody => {}
    }
    if instance.protected {
        return Some("it is protected from deletion".to_owned());
    }
    match (instance.payment, reach.purchase) {
        (Payment::Subscription, _) => Some("it is a subscription".to_owned()),
        (Payment::OnDemand, Purchase::Spot) => {
            Some("it is on-demand, and spec.purchase is Spot".to_owned())
        }
        (Payment::Spot, _) | (Payment::OnDemand, Purchase::PayAsYouGo) => None,
    }
}

/// The instances that no other policy may select as well: all but those of other scopes and other owners.
pub(super) fn claims(resource: &Resource<Spec>, seen: &Seen) -> BTreeSet<String> {
    let is_claimed = |it: &&Instance| match tags::owner(&it.tags, &seen.home.scope, &resource.id) {
        Owner::Ours | Owner::Nobody => true,
        Owner::Resource(_) | Owner::Scope(_) => false,
    };
    let claim = |it: &Instance| format!("instance {} in {}", it.id, seen.home.place);
    seen.instances
        .iter()
        .filter(is_claimed)
        .map(claim)
        .collect()
}
