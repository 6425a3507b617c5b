//! What can be done to the machines and runners of a set, and what must be so right before.

use std::fmt;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::ids::{InstanceId, ResourceId, Token};
use crate::kind::{self, Check};
use crate::kinds::tags::{self, Owner};
use crate::plan::Verb;
use crate::providers::Clients;
use crate::providers::aliyun::{Instance, Place};
use crate::providers::github::RunnersOf;

use super::launch::{self, Launching};
use super::seen::{self, Phase, Runner};

/// One effect on one machine or record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Op {
    /// Where the machine is.
    pub place: Place,
    /// The scope it must belong to.
    pub scope: String,
    /// The set it must belong to.
    pub owner: ResourceId,
    /// The id of the machine, or the number of the record; empty before there is one.
    pub object: String,
    /// The name of both.
    pub name: String,
    /// What is done.
    #[serde(flatten)]
    pub effect: Effect,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "effect", rename_all = "camelCase")]
pub enum Effect {
    /// Registers a runner and launches its machine; two reconcilers that do collide by the name.
    Launch(#[serde(skip)] Box<Launching>),
    /// Moves on the time at which the cloud releases it.
    Renew {
        /// That time now.
        from: Timestamp,
        /// And then.
        #[serde(skip)]
        to: Timestamp,
    },
    /// Removes the record of its runner, which GitHub refuses while that has a job, and gives it none afterwards.
    Deregister {
        /// Whose runner it is.
        of: RunnersOf,
        /// The record.
        runner: u64,
        /// When the cloud is to release the machine where its runner has a job after all; none: as it is.
        #[serde(skip)]
        renewed: Option<Timestamp>,
    },
    /// Deletes the machine, whose runner has no record any more.
    Delete {
        /// Where its runner was registered, and its number there; none: nobody knows.
        record: Option<(RunnersOf, u64)>,
        /// Whether what its console said is kept.
        keeps_console: bool,
    },
    /// Removes a record that no machine has.
    Sweep {
        /// Whose runner it was.
        of: RunnersOf,
    },
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.effect {
            Effect::Launch(launching) => write!(f, "launch {}", launching.order),
            Effect::Renew { from, to } => write!(f, "{name}: release at {to}, not at {from}"),
            Effect::Deregister { of, .. } => write!(f, "{name}: remove the runner of {of}"),
            Effect::Delete { .. } => write!(f, "release {name}"),
            Effect::Sweep { of } => write!(f, "runner {name} of {of}, which has no machine"),
        }
    }
}

impl kind::Op for Op {
    fn verb(&self) -> Verb {
        match self.effect {
            Effect::Launch(_) => Verb::Create,
            Effect::Renew { .. } | Effect::Deregister { .. } => Verb::Update,
            Effect::Delete { .. } | Effect::Sweep { .. } => Verb::Delete,
        }
    }

    fn object(&self) -> Option<&str> {
        Some(self.object.as_str()).filter(|it| !it.is_empty())
    }

    async fn check(&self, clients: &Clients) -> Result<Check, Fault> {
        match &self.effect {
            Effect::Launch(launching) => launch::check(clients, self, launching).await,
            Effect::Renew { from, .. } => Ok(match self.machine(clients).await? {
                Found::Gone => stale(GONE),
                Found::Foreign => stale(FOREIGN),
                Found::Ours(machine) if machine.auto_release != Some(*from) => Check::AlreadyDone,
                Found::Ours(_) => Check::Go,
            }),
            Effect::Deregister {
                of,
                runner,
                renewed,
            } => {
                let check = self.check_deregistration(clients, of, *runner).await?;
                // A lease that is nearly over cannot wait for the next pass: GitHub's refusal moves it on.
                let is_late = renewed.is_some() && check == stale(BUSY);
                Ok(if is_late { Check::Go } else { check })
            }
            Effect::Delete { record, .. } => self.check_deletion(clients, record.as_ref()).await,
            Effect::Sweep { of } => self.check_sweep(clients, of).await,
        }
    }

    async fn apply(&self, clients: &Clients, token: &Token) -> Result<(), Fault> {
        let ecs = &clients.aliyun;
        let id = InstanceId::new(&self.object);
        match &self.effect {
            Effect::Launch(launching) => launch::launch(clients, self, (launching, token)).await,
            Effect::Renew { to, .. } => ecs.release_at(&self.place, &id, *to).await,
            Effect::Deregister {
                of,
                runner,
                renewed,
            } => {
                let outcome = clients.github.remove_runner(of, *runner).await;
                let is_busy = outcome.as_ref().is_err_and(|it| it.class == Class::InUse);
                if let Some(to) = renewed.filter(|_| is_busy) {
                    ecs.release_at(&self.place, &id, to).await?;
                }
                outcome
            }
            Effect::Delete { keeps_console, .. } => {
                if *keeps_console {
                    clients.keep_console(&self.place, &id).await;
                }
                ecs.delete_instance(&self.place, &id).await
            }
            Effect::Sweep { of } => clients.github.remove_runner(of, self.record()).await,
        }
    }
}

/// What became of a machine.
enum Found {
    /// It is there.
    Ours(Box<Instance>),
    /// It is somebody else's by now.
    Foreign,
    /// No listing shows it.
    Gone,
}

const GONE: &str = "the machine is gone";
const FOREIGN: &str = "it is not ours any more";
/// Why a runner is not removed.
const BUSY: &str = "its runner has a job by now";

fn stale(why: &str) -> Check {
    Check::Stale(why.to_owned())
}

impl Op {
    fn record(&self) -> u64 {
        self.object.parse().unwrap_or_default()
    }

    /// The machine as it is now.
    async fn machine(&self, clients: &Clients) -> Result<Found, Fault> {
        let id = InstanceId::new(&self.object);
        let Some(machine) = clients.aliyun.instance(&self.place, &id).await? else {
            return Ok(Found::Gone);
        };
        let owner = tags::owner(&machine.tags, &self.scope, &self.owner);
        Ok(if owner == Owner::Ours {
            Found::Ours(Box::new(machine))
        } else {
            Found::Foreign
        })
    }

    async fn check_deregistration(
        &self,
        clients: &Clients,
        of: &RunnersOf,
        runner: u64,
    ) -> Result<Check, Fault> {
        match self.machine(clients).await? {
            Found::Gone => return Ok(stale(GONE)),
            Found::Foreign => return Ok(stale(FOREIGN)),
            Found::Ours(_) => {}
        }
        let found = clients.github.runner(of, runner).await?;
        if found.as_ref().is_some_and(|it| it.name != self.name) {
            return Ok(stale("its number is another runner's"));
        }
        Ok(match found.as_ref().map(seen::state) {
            None => Check::AlreadyDone,
            Some(Runner::Busy) => stale(BUSY),
            Some(Runner::Idle | Runner::Offline | Runner::Gone) => Check::Go,
        })
    }

    async fn check_deletion(
        &self,
        clients: &Clients,
        record: Option<&(RunnersOf, u64)>,
    ) -> Result<Check, Fault> {
        let machine = match self.machine(clients).await? {
            Found::Ours(machine) => machine,
            Found::Foreign => return Ok(stale(FOREIGN)),
            Found::Gone => {
                // Without the permission an empty list looks just like an instance that is gone.
                clients.aliyun.prove_instances_visible(&self.place).await?;
                return Ok(Check::AlreadyDone);
            }
        };
        let Some((of, runner)) = record else {
            return Ok(stale("nobody knows who its runner is"));
        };
        if seen::machine(&machine).phase == Phase::Starting {
            return Ok(stale("it is still starting"));
        }
        // Whoever may not look is answered the same: only beside a list that proves anything.
        clients.github.runners(of).await?;
        Ok(match clients.github.runner(of, *runner).await? {
            None => Check::Go,
            Some(_) => stale("its runner is still registered"),
        })
    }

    /// Looks once more: nobody is this runner, and no machine has its name.
    async fn check_sweep(&self, clients: &Clients, of: &RunnersOf) -> Result<Check, Fault> {
        clients.aliyun.prove_instances_visible(&self.place).await?;
        let machines = clients
            .aliyun
            .instances_named(&self.place, &self.name)
            .await?;
        if !machines.items().is_empty() {
            return Ok(stale("a machine has its name"));
        }
        let found = clients.github.runner(of, self.record()).await?;
        Ok(match found.as_ref().map(seen::state) {
            None => Check::AlreadyDone,
            Some(Runner::Offline) => Check::Go,
            Some(Runner::Busy | Runner::Idle | Runner::Gone) => stale("somebody is this runner"),
        })
    }
}
