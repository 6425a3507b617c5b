//! What can be done to an instance, and what must be so right before.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::{InstanceId, ResourceId, Token};
use crate::kind::{self, Check};
use crate::kinds::tags;
use crate::plan::Verb;
use crate::providers::Clients;
use crate::providers::aliyun::{Place, Taggable};
use crate::providers::github::RunnersOf;
use crate::resource::Resource;

use super::judge::left_alone;
use super::records;
use super::seen::{self, Instance, Phase, Seen, is_selected};
use super::spec::{Purchase, Spec};

/// One effect on one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Op {
    /// Where it is.
    pub place: Place,
    /// What it must still be.
    #[serde(flatten)]
    pub reach: Reach,
    /// Its id.
    pub object: String,
    /// Its name.
    pub name: String,
    /// What is done.
    #[serde(flatten)]
    pub effect: Effect,
}

/// Which instances a policy may touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// The scope; those of another one are foreign.
    pub scope: String,
    /// The policy itself.
    pub policy: ResourceId,
    /// The tags that they have.
    pub selector: BTreeMap<String, String>,
    /// How they are paid for.
    pub purchase: Purchase,
    /// Where runners of their names may be registered.
    pub runners_of: Vec<RunnersOf>,
}

impl Reach {
    /// That of a policy.
    pub(super) fn of(resource: &Resource<Spec>, seen: &Seen) -> Self {
        Self {
            scope: seen.home.scope.clone(),
            policy: resource.id.clone(),
            selector: resource.spec.selector.tags.clone(),
            purchase: resource.spec.purchase,
            runners_of: records::lists(&resource.spec),
        }
    }
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "effect", rename_all = "camelCase")]
pub enum Effect {
    /// Notes on it since when it has no work: now.
    MarkIdle,
    /// Removes that note.
    ClearIdle,
    /// Notes on it that its removal has begun.
    Retire,
    /// Removes both notes: it has work, or the reason is none any more.
    Recall,
    /// Removes the record of its runner, which GitHub refuses while that has a job, and gives it none afterwards.
    Deregister {
        /// Whose runner it is.
        of: RunnersOf,
        /// The record.
        runner: u64,
    },
    /// Removes the record of a runner whose machine is gone.
    Sweep {
        /// Whose runner it was.
        of: RunnersOf,
    },
    /// Deletes it.
    Delete {
        /// Its type.
        machine_type: String,
        /// When it was created.
        created: Option<Timestamp>,
        /// Whether it may only go while it is stopped, since it may have work otherwise.
        stopped_only: bool,
        /// Whether what its console said is kept: it goes although nobody knows what it did.
        keeps_console: bool,
    },
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.effect {
            Effect::MarkIdle => write!(f, "{name}: mark idle from now"),
            Effect::ClearIdle => write!(f, "{name}: clear the idle mark"),
            Effect::Retire => write!(f, "{name}: mark retiring"),
            Effect::Recall => write!(f, "{name}: recall, it is not to be removed"),
            Effect::Deregister { of, .. } => write!(f, "{name}: remove the runner of {of}"),
            Effect::Sweep { of } => write!(f, "runner {name} of {of}, its machine is gone"),
            Effect::Delete {
                machine_type,
                created,
                ..
            } => {
                let created = created.map_or("unknown".to_owned(), |it| it.to_string());
                write!(f, "{name}  {machine_type}, created {created}")
            }
        }
    }
}

impl kind::Op for Op {
    fn verb(&self) -> Verb {
        match self.effect {
            Effect::MarkIdle
            | Effect::ClearIdle
            | Effect::Retire
            | Effect::Recall
            | Effect::Deregister { .. } => Verb::Update,
            Effect::Sweep { .. } | Effect::Delete { .. } => Verb::Delete,
        }
    }

    fn object(&self) -> Option<&str> {
        Some(&self.object)
    }

    async fn check(&self, clients: &Clients) -> Result<Check, Fault> {
        match &self.effect {
            // A mark changes nothing that a later look would not put right.
            Effect::MarkIdle | Effect::ClearIdle | Effect::Recall => Ok(Check::Go),
            Effect::Sweep { of } => self.check_sweep(clients, of).await,
            Effect::Deregister { of, runner } => {
                self.check_deregistration(clients, of, *runner).await
            }
            Effect::Retire => self.check_removal(clients, None).await,
            Effect::Delete { stopped_only, .. } => {
                self.check_removal(clients, Some(*stopped_only)).await
            }
        }
    }

    async fn apply(&self, clients: &Clients, _: &Token) -> Result<(), Fault> {
        let ecs = &clients.aliyun;
        let ids = [self.object.clone()];
        let mark = |key: &str, value: String| BTreeMap::from([(key.to_owned(), value)]);
        match &self.effect {
            Effect::MarkIdle => {
                let since = mark(tags::IDLE_SINCE, clients.now().to_string());
                ecs.tag(&self.place, Taggable::Instance, &ids, &since).await
            }
            Effect::ClearIdle => {
                ecs.untag(&self.place, Taggable::Instance, &ids, &[tags::IDLE_SINCE])
                    .await
            }
            Effect::Retire => {
                let retiring = mark(tags::RETIRING, clients.now().to_string());
                ecs.tag(&self.place, Taggable::Instance, &ids, &retiring)
                    .await
            }
            Effect::Recall => {
                let marks = [tags::RETIRING, tags::IDLE_SINCE];
                ecs.untag(&self.place, Taggable::Instance, &ids, &marks)
                    .await
            }
            Effect::Deregister { of, runner } => clients.github.remove_runner(of, *runner).await,
            Effect::Sweep { of } => {
                let runner = self.object.parse().unwrap_or_default();
                clients.github.remove_runner(of, runner).await
            }
            Effect::Delete { keeps_console, .. } => {
                let id = InstanceId::new(&self.object);
                if *keeps_console {
                    clients.keep_console(&self.place, &id).await;
                }
                ecs.delete_instance(&self.place, &id).await
            }
        }
    }
}

impl Op {
    /// Looks once more: it is there, the policy may touch it, and what made it go still holds.
    /// `stopped_only` is none before the mark is set.
    async fn check_removal(
        &self,
        clients: &Clients,
        stopped_only: Option<bool>,
    ) -> Result<Check, Fault> {
        let found = clients
            .aliyun
            .instance(&self.place, &InstanceId::new(&self.object))
            .await?;
        let Some(instance) = found.as_ref().map(seen::instance) else {
            // Without the permission an empty list looks just like an instance that is gone.
            clients.aliyun.prove_instances_visible(&self.place).await?;
            return Ok(Check::AlreadyDone);
        };
        let stale = left_alone(&self.reach, &instance, clients.now());
        let stale = stale.or_else(|| self.stale(&instance, stopped_only).map(str::to_owned));
        if let (None, Some(_)) = (&stale, stopped_only) {
            // Whoever registered meanwhile may have work.
            for of in &self.reach.runners_of {
                if clients.github.runner_named(of, &self.name).await?.is_some() {
                    return Ok(Check::Stale(format!("{of} has a runner of its name")));
                }
            }
        }
        Ok(match stale {
            Some(why) => Check::Stale(why),
            None => Check::Go,
        })
    }

    /// Looks once more: the machine may be removed, and its runner has no job.
    async fn check_deregistration(
        &self,
        clients: &Clients,
        of: &RunnersOf,
        runner: u64,
    ) -> Result<Check, Fault> {
        let id = InstanceId::new(&self.object);
        let found = clients.aliyun.instance(&self.place, &id).await?;
        let Some(instance) = found.as_ref().map(seen::instance) else {
            return Ok(Check::Stale("the machine is gone by itself".to_owned()));
        };
        if let Some(why) = left_alone(&self.reach, &instance, clients.now()) {
            return Ok(Check::Stale(why));
        }
        if !instance.tags.contains_key(tags::RETIRING) {
            let why = "somebody removed the mark that it retires";
            return Ok(Check::Stale(why.to_owned()));
        }
        Ok(match clients.github.runner(of, runner).await? {
            None => Check::AlreadyDone,
            Some(runner) if runner.is_busy => {
                Check::Stale("its runner has a job by now".to_owned())
            }
            Some(_) => Check::Go,
        })
    }

    /// Looks once more: nobody is this runner, and no machine has its name.
    async fn check_sweep(&self, clients: &Clients, of: &RunnersOf) -> Result<Check, Fault> {
        // Without the permission an empty list looks just like no machines.
        clients.aliyun.prove_instances_visible(&self.place).await?;
        let machines = clients.aliyun.instances_named(&self.place, &self.name);
        if !machines.await?.items().is_empty() {
            return Ok(Check::Stale("a machine has its name".to_owned()));
        }
        let runner = self.object.parse().unwrap_or_default();
        Ok(match clients.github.runner(of, runner).await? {
            None => Check::AlreadyDone,
            Some(runner) if records::is_over(&runner) => Check::Go,
            Some(_) => Check::Stale("somebody is this runner again".to_owned()),
        })
    }

    fn stale(&self, instance: &Instance, stopped_only: Option<bool>) -> Option<&'static str> {
        if !is_selected(&self.reach.selector, &instance.tags) {
            return Some("its tags are no longer those of the selector");
        }
        if stopped_only == Some(true) && instance.phase != Phase::Stopped {
            return Some("it is not stopped any more, so it may have work");
        }
        if stopped_only.is_some() && !instance.tags.contains_key(tags::RETIRING) {
            return Some("somebody removed the mark that it retires");
        }
        None
    }
}
