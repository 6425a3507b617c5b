//! What to do about idle, overdue and retiring instances.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::kinds::tags;
use crate::plan::{Cause, Health, Notice, Plan, Step, UnknownObject, Unmanaged, Why, pages};
use crate::resource::{Goal, Resource};

use super::judge::{Rule, Verdict, judge, left_alone, marked, unsure_for};
use super::op::{Effect, Op, Reach};
use super::records::{LEFT_AFTER, Records, Work};
use super::seen::{Instance, Phase, Seen, VISIBLE};
use super::spec::Spec;

/// The guarded group: all instances that the policy selects.
const GROUP: &str = "instances";
/// How soon it is worth looking whether an instance has gone.
const LEAVING: Duration = Duration::from_secs(15);
/// How soon it is worth looking whether GitHub still waits for a runner that is lost.
const LOST: Duration = Duration::from_secs(60);

pub(super) fn plan(resource: &Resource<Spec>, seen: &Seen, now: Timestamp) -> Plan<Op> {
    let mut draft = Draft {
        resource,
        seen,
        now,
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
    let reach = Reach::of(resource, seen);
    let instances = seen.instances.iter();
    let touchable = instances.filter(|it| left_alone(&reach, it, now).is_none());
    plan.groups.insert(GROUP.to_owned(), touchable.count());
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
    now: Timestamp,
    plan: Plan<Op>,
}

impl Draft<'_> {
    fn present(&mut self, now: Timestamp) {
        let spec = &self.resource.spec;
        match &self.seen.records {
            Some(Fact::Unknown(fault)) => self.plan.notices.push(Notice {
                kind: "EvidenceUnavailable",
                why: Why::new("RunnersUnknown", format!("{fault}; nothing goes meanwhile")),
            }),
            Some(Fact::Known(records)) => {
                self.plan.listings.extend(records.listings.clone());
                if spec.sweep_runners {
                    self.sweep(records, now);
                }
            }
            None => {}
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
            Verdict::StartsIdling => self.mark(instance, Effect::MarkIdle, "it has no work"),
            Verdict::StopsIdling => self.mark(instance, Effect::ClearIdle, "it may work again"),
            Verdict::Recalled => {
                self.mark(instance, Effect::Recall, "it has work, or may have again");
            }
            Verdict::Idling(rest) => {
                // One second more, since idle is longer than idleAfter.
                let idle_after = &spec.idle_after;
                let message = format!(
                    "{} has no work and goes when that has lasted {idle_after}",
                    instance.id
                );
                self.wait("Idling", message, rest + Duration::from_secs(1));
            }
            Verdict::Lost => {
                let message = format!("{} is down, and GitHub waits for its runner", instance.id);
                self.wait("Lost", message, LOST);
            }
            Verdict::Retires(rest) => {
                let message = format!(
                    "{} goes when no other list shows a runner of it",
                    instance.id
                );
                self.wait("Retiring", message, rest);
            }
            Verdict::Leaving => {
                self.wait(
                    "Leaving",
                    format!("{} is being released", instance.id),
                    LEAVING,
                );
            }
            Verdict::Goes(Rule::Overdue) => {
                self.remove(instance, Cause::Clock(format!("maxAge={}", spec.max_age)));
            }
            Verdict::Goes(Rule::Retiring) => self.remove(instance, Cause::Resume),
        }
    }

    fn mark(&mut self, instance: &Instance, effect: Effect, why: &str) {
        self.step(instance, effect, Cause::Upstream(why.to_owned()));
    }

    fn wait(&mut self, reason: &'static str, message: String, rest: Duration) {
        self.look_again(Some(rest));
        self.plan.worsen(Health::Working(Why::new(reason, message)));
    }

    /// The order is fixed: the mark first, so that whoever dies in between, the next pass goes on; then the runner, for that
    /// alone tells without doubt that it has no job and gets none; then the machine.
    fn remove(&mut self, instance: &Instance, cause: Cause) {
        let now = self.now;
        let unsure = unsure_for(self.resource, self.seen, instance, now);
        let is_marked = instance.tags.contains_key(tags::RETIRING);
        // Where it counts since when, a mark without a time is none.
        if !is_marked || unsure.is_some() && marked(instance, now).is_none() {
            self.step(instance, Effect::Retire, cause.clone());
        }
        if let Some(rest) = unsure {
            let message = format!(
                "{} goes when no other list shows a runner of it",
                instance.id
            );
            return self.wait("Retiring", message, rest);
        }
        let records = match &self.seen.records {
            Some(Fact::Known(records)) => records.by_name.get(&instance.name),
            Some(Fact::Unknown(_)) | None => None,
        };
        for record in records.into_iter().flatten() {
            let deregister = Effect::Deregister {
                of: record.of.clone(),
                runner: record.runner.id,
            };
            self.step(instance, deregister, cause.clone());
        }
        let delete = Effect::Delete {
            machine_type: instance.machine_type.clone(),
            created: instance.created,
            stopped_only: instance.phase == Phase::Stopped,
            keeps_console: instance.work == Fact::Known(Work::Silent),
        };
        self.step(instance, delete, cause);
    }

    fn step(&mut self, instance: &Instance, effect: Effect, cause: Cause) {
        let group = match effect {
            Effect::Retire | Effect::Deregister { .. } | Effect::Delete { .. } => {
                Some(GROUP.to_owned())
            }
            Effect::MarkIdle | Effect::ClearIdle | Effect::Recall | Effect::Sweep { .. } => None,
        };
        let (object, name) = (instance.id.to_string(), instance.name.clone());
        self.push(
            Op {
                effect,
                ..self.op(object, name)
            },
            cause,
            group,
        );
    }

    /// The records of machines that are gone, once that has lasted.
    fn sweep(&mut self, records: &Records, now: Timestamp) {
        let mut known: BTreeSet<String> = BTreeSet::new();
        for record in records.left(&self.seen.names) {
            let key = record.key();
            let since = records.left.get(&key).filter(|it| **it <= now).copied();
            self.plan
                .remember
                .insert(key.clone().into(), Some(since.unwrap_or(now)));
            known.insert(key);
            let lasted = now.since(since.unwrap_or(now));
            let name = record.runner.name.clone();
            if lasted < LEFT_AFTER {
                let message =
                    format!("the runner {name} has no machine and goes when that has lasted");
                self.wait("Left", message, LEFT_AFTER.saturating_sub(lasted));
                continue;
            }
            let effect = Effect::Sweep {
                of: record.of.clone(),
            };
            let op = self.op(record.runner.id.to_string(), name);
            let cause = Cause::Upstream("its machine is gone".to_owned());
            self.push(Op { effect, ..op }, cause, None);
        }
        let past = records.left.keys().filter(|it| !known.contains(*it));
        let past = past.map(|it| (it.clone().into(), None));
        self.plan.remember.extend(past);
    }

    fn op(&self, object: String, name: String) -> Op {
        Op {
            place: self.seen.home.place.clone(),
            reach: Reach::of(self.resource, self.seen),
            object,
            name,
            effect: Effect::Recall,
        }
    }

    fn push(&mut self, op: Op, cause: Cause, group: Option<String>) {
        let chain = op.object.clone();
        self.plan.steps.push(Step {
            op,
            cause,
            chain,
            group,
        });
    }

    fn look_again(&mut self, rest: Option<Duration>) {
        self.plan.look_again = [self.plan.look_again, rest].into_iter().flatten().min();
    }
}
