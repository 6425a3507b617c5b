//! What is to become of one instance: evidence, not absence of news.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::kinds::tags::{self, Owner};
use crate::resource::Resource;

use super::op::Reach;
use super::records::Work;
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
    /// It works again, or nothing says any more that it does not.
    StopsIdling,
    /// It was to be removed, and has work, or the reason is none any more.
    Recalled,
    /// It is down, and GitHub still says that it has a job.
    Lost,
    /// It has had no work for long enough.
    Idle,
    /// It goes, and by which rule.
    Goes(Rule),
    /// It was marked by an earlier pass, and no list shows a runner of its name: how long until that is sure.
    Retires(Duration),
    /// It is on its way out.
    Leaving,
}

/// Why an instance goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// It was marked by an earlier pass.
    Retiring,
    /// It is older than maxAge and nothing proves that it works.
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
    let is_marked = instance.tags.contains_key(tags::IDLE_SINCE);
    let work = match &instance.work {
        Fact::Known(work) => *work,
        Fact::Unknown(fault) => return Verdict::Unknown(format!("who has work: {fault}")),
    };
    match instance.phase {
        Phase::Unknown => {
            return Verdict::Unknown("its status is one that we do not know".to_owned());
        }
        Phase::Stopping if is_retiring => return Verdict::Leaving,
        Phase::Starting | Phase::Running | Phase::Stopping | Phase::Stopped => {}
    }
    if work == Work::Busy {
        return match (instance.phase == Phase::Stopped, is_retiring, is_marked) {
            (true, _, _) => Verdict::Lost,
            (false, true, _) => Verdict::Recalled,
            (false, false, true) => Verdict::StopsIdling,
            (false, false, false) => Verdict::Stays(None),
        };
    }
    if is_retiring && has_no_record(seen, instance) {
        let rest = unsure_for(resource, seen, instance, now);
        let rest = rest.filter(|_| marked(instance, now).is_some());
        return rest.map_or(Verdict::Goes(Rule::Retiring), Verdict::Retires);
    }
    let verdict = by_rules(spec, (instance, work), now);
    if !is_retiring {
        return verdict;
    }
    // It may have been started again since it was marked: then the mark has outlived its reason.
    match verdict {
        Verdict::Goes(_) | Verdict::Idle => Verdict::Goes(Rule::Retiring),
        Verdict::Stays(_)
        | Verdict::StartsIdling
        | Verdict::Idling(_)
        | Verdict::StopsIdling
        | Verdict::Recalled => Verdict::Recalled,
        Verdict::LeaveAlone(_)
        | Verdict::Unknown(_)
        | Verdict::Lost
        | Verdict::Retires(_)
        | Verdict::Leaving => verdict,
    }
}

/// Whether runner lists show none of its name, as after its record was removed.
fn has_no_record(seen: &Seen, instance: &Instance) -> bool {
    match &seen.records {
        Some(Fact::Known(records)) => !records.by_name.contains_key(&instance.name),
        Some(Fact::Unknown(_)) | None => false,
    }
}

/// What the rules say of an instance that is not known to have work.
fn by_rules(spec: &Spec, (instance, work): (&Instance, Work), now: Timestamp) -> Verdict {
    let Some(created) = instance.created else {
        return Verdict::Unknown("the service does not say when it was created".to_owned());
    };
    let age = now.since(created);
    if age > spec.max_age.0 {
        return Verdict::Goes(Rule::Overdue);
    }
    if is_idle(instance, work) {
        return idling(spec, instance, now);
    }
    let is_up = matches!(instance.phase, Phase::Starting | Phase::Running);
    if is_up && instance.tags.contains_key(tags::IDLE_SINCE) {
        return Verdict::StopsIdling;
    }
    Verdict::Stays(Some(spec.max_age.0.saturating_sub(age)))
}

/// How late a list of runners may be.
const LATE_MAX: Duration = Duration::from_secs(300);

/// How long it is until a machine may go of which no list shows a runner: a list may be late, so two must show that, one
/// before it was marked and one so long afterwards. None: it may go now.
pub(super) fn unsure_for(
    resource: &Resource<Spec>,
    seen: &Seen,
    instance: &Instance,
    now: Timestamp,
) -> Option<Duration> {
    let Some(Fact::Known(records)) = &seen.records else {
        return None;
    };
    let is_told = records.by_name.contains_key(&instance.name) || instance.phase == Phase::Stopped;
    if is_told || resource.spec.runners_of.is_none() {
        return None;
    }
    let Some(since) = marked(instance, now) else {
        return Some(LATE_MAX);
    };
    let rest = LATE_MAX.saturating_sub(now.since(since));
    (!rest.is_zero()).then_some(rest)
}

/// When an instance was marked to be removed; none: it was not, or by somebody who wrote no time.
pub(super) fn marked(instance: &Instance, now: Timestamp) -> Option<Timestamp> {
    let mark = instance.tags.get(tags::RETIRING)?;
    Timestamp::parse(mark).filter(|it| *it <= now)
}

/// Whether a machine has no work for sure: a stopped spot machine, which is billed for its disk, and one whose runner is
/// connected and has no job.
fn is_idle(instance: &Instance, work: Work) -> bool {
    match instance.phase {
        Phase::Stopped => instance.payment == Payment::Spot,
        Phase::Running => work == Work::Idle,
        Phase::Starting | Phase::Stopping | Phase::Unknown => false,
    }
}

/// Nobody says since when a machine has no work, so the first look leaves a mark on it.
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
