//! What to do about idle, overdue and retiring instances.

use std::cmp::Reverse;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::kinds::tags;
use crate::plan::{Cause, Health, Notice, Plan, Step, UnknownObject, Unmanaged, Why, pages};
use crate::resource::{Goal, Resource};

use super::judge::{Rule, Verdict, judge};
use super::op::{Effect, Op, Reach};
use super::seen::{Instance, Phase, Seen, VISIBLE};
use super::spec::Spec;

/// The guarded group: all instances that the policy selects.
const GROUP: &str = "instances";
/// How soon it is worth looking whether an instance has gone.
const LEAVING: Duration = Duration::from_secs(15);

pub(super) fn plan(resource: &Resource<Spec>, seen: &Seen, now: Timestamp) -> Plan<Op> {
    let mut draft = Draft {
        resource,
        seen,
        plan: Plan::idle(Health::Ready),
    };
    let plan = &mut draft.plan;
    plan.listings.insert(
        format!("ecs {} instances", seen.home.place),
        pages(seen.listed, 100),
    );
    if seen.proven.is_some() {
        plan.listings
            .insert(format!("ecs {} visibility", seen.home.place), 1);
    }
    // A list that has something needs no proof, and the next one that is empty needs a new one.
    if seen.proven.is_some() || seen.listed > 0 {
        plan.remember.insert(VISIBLE.into(), seen.proven);
    }
    plan.groups.insert(GROUP.to_owned(), seen.instances.len());
    match resource.policy.ensure {
        Goal::Present => draft.present(now),
        // A policy makes no instances, so there are none to remove with it.
        Goal::Absent => {}
    }
    draft.plan
}

struct Draft<'a> {
    resource: &'a Resource<Spec>,
    seen: &'a Seen,
    plan: Plan<Op>,
}

impl Draft<'_> {
    fn present(&mut self, now: Timestamp) {
        let spec = &self.resource.spec;
        if spec.runners_of.is_some() {
            let message = "runner lists are not read yet: who is busy is unknown, and only stopped machines go";
            self.plan.notices.push(Notice {
                kind: "EvidenceUnavailable",
                why: Why::new("RunnersNotRead", message),
            });
        }
        let mut idle = Vec::new();
        for instance in &self.seen.instances {
            let verdict = judge(self.resource, self.seen, instance, now);
            if verdict == Verdict::Idle {
                idle.push(instance);
            }
            self.act(instance, verdict);
        }
        idle.sort_by_key(|it| (Reverse(it.created), it.id.clone()));
        let spared = usize::try_from(spec.max_idle).unwrap_or(usize::MAX);
        for instance in idle.into_iter().skip(spared) {
            self.remove(
                instance,
                Cause::Clock(format!("idleAfter={}", spec.idle_after)),
            );
        }
    }

    fn act(&mut self, instance: &Instance, verdict: Verdict) {
        let spec = &self.resource.spec;
        match verdict {
            Verdict::LeaveAlone(reason) => self.plan.unmanaged.push(Unmanaged {
                kind: "instance",
                object: instance.id.to_string(),
                name: instance.name.clone(),
                reason,
            }),
            Verdict::Unknown(reason) => self.plan.unknown.push(UnknownObject {
                object: instance.id.to_string(),
                reason,
            }),
            // Which of the idle ones may stay is decided when all are known.
            Verdict::Idle => {}
            // One second more, since overdue is older than maxAge: at the very second it would be asked for again and again.
            Verdict::Stays(rest) => self.look_again(rest.map(|it| it + Duration::from_secs(1))),
            Verdict::StartsIdling => {
                let cause = Cause::Upstream("a stopped spot machine".to_owned());
                self.step(instance, Effect::MarkIdle, cause);
            }
            Verdict::StopsIdling => {
                let cause = Cause::Upstream("it runs again".to_owned());
                self.step(instance, Effect::ClearIdle, cause);
            }
            Verdict::Idling(rest) => {
                // One second more, since idle is longer than idleAfter.
                self.look_again(Some(rest + Duration::from_secs(1)));
                let message = format!(
                    "{} is stopped and goes when that has lasted {}",
                    instance.id, spec.idle_after
                );
                self.plan
                    .worsen(Health::Working(Why::new("Idling", message)));
            }
            Verdict::Leaving => {
                self.look_again(Some(LEAVING));
                let message = format!("{} is being released", instance.id);
                self.plan
                    .worsen(Health::Working(Why::new("Leaving", message)));
            }
            Verdict::Goes(Rule::Overdue) => {
                self.remove(instance, Cause::Clock(format!("maxAge={}", spec.max_age)));
            }
            Verdict::Goes(Rule::Retiring) => self.remove(instance, Cause::Resume),
        }
    }

    /// The order is fixed: the mark first, so that whoever dies in between, the next pass goes on.
    fn remove(&mut self, instance: &Instance, cause: Cause) {
        if !instance.tags.contains_key(tags::RETIRING) {
            self.step(instance, Effect::Retire, cause.clone());
        }
        let delete = Effect::Delete {
            machine_type: instance.machine_type.clone(),
            created: instance.created,
            stopped_only: instance.phase == Phase::Stopped,
        };
        self.step(instance, delete, cause);
    }

    fn step(&mut self, instance: &Instance, effect: Effect, cause: Cause) {
        let group = match effect {
            Effect::Retire | Effect::Delete { .. } => Some(GROUP.to_owned()),
            Effect::MarkIdle | Effect::ClearIdle => None,
        };
        self.plan.steps.push(Step {
            op: Op {
                place: self.seen.home.place.clone(),
                reach: Reach::of(self.resource, self.seen),
                object: instance.id.to_string(),
                name: instance.name.clone(),
                effect,
            },
            cause,
            chain: instance.id.to_string(),
            group,
        });
    }

    fn look_again(&mut self, rest: Option<Duration>) {
        self.plan.look_again = [self.plan.look_again, rest].into_iter().flatten().min();
    }
}
