//! What can be done to a builder, and what must be so right before.

use std::fmt;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::{InstanceId, Token};
use crate::kind::Check;
use crate::kinds::architecture::Architecture;
use crate::kinds::instance_class::full_minute;
use crate::kinds::tags::{self, Owner};
use crate::plan::Verb;
use crate::providers::Clients;
use crate::providers::aliyun::{Command, Instance, InstanceStatus, NewImage};
use crate::resource::Span;

use super::super::change::{Subject, stale};
use super::super::seen::{self, Phase as ImagePhase};
use super::launch::{self, Launching};

/// How long a machine is kept from now on when its release time is moved.
const PROLONGED: std::time::Duration = std::time::Duration::from_secs(3600);

/// One effect on one machine that builds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Op {
    /// The machine; no object before it is launched.
    #[serde(flatten)]
    pub subject: Subject,
    /// What it builds for.
    pub architecture: Architecture,
    /// The version that it builds.
    pub version: String,
    /// What is done.
    #[serde(flatten)]
    pub effect: Effect,
}

/// What is done. What is not serialized follows from the rest, or may change without making it another effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "effect", rename_all = "camelCase")]
pub enum Effect {
    /// Launches a machine; two reconcilers that do collide.
    Launch {
        /// How many there were for this version before.
        attempt: usize,
        /// What is launched.
        #[serde(skip)]
        launching: Box<Launching>,
    },
    /// Runs the script in it.
    Provision(#[serde(skip)] Box<Command>),
    /// Stops it.
    Stop,
    /// Makes an image of it.
    Image {
        /// How many could not be made before.
        attempt: usize,
        /// The image.
        #[serde(skip)]
        image: Box<NewImage>,
    },
    /// Moves on the time at which the service releases it.
    Prolong {
        /// That time now.
        from: Timestamp,
    },
    /// Deletes it.
    Release,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.subject.name;
        match &self.effect {
            Effect::Launch { launching, .. } => write!(f, "launch {}", launching.order),
            Effect::Provision(command) => {
                write!(f, "provision {name}, at most {}", Span(command.timeout))
            }
            Effect::Stop => write!(f, "stop {name}"),
            Effect::Image { image, .. } => write!(f, "{name} → image {}", image.name),
            Effect::Prolong { from } => write!(f, "keep {name} beyond {from}"),
            Effect::Release => write!(f, "release {name}"),
        }
    }
}

impl Op {
    /// What it does to its object.
    pub fn verb(&self) -> Verb {
        match &self.effect {
            Effect::Launch { .. } | Effect::Image { .. } => Verb::Create,
            Effect::Provision(_) | Effect::Stop | Effect::Prolong { .. } => Verb::Update,
            Effect::Release => Verb::Delete,
        }
    }

    /// The id of the machine; none before it is launched.
    pub fn object(&self) -> Option<&str> {
        Some(self.subject.object.as_str()).filter(|it| !it.is_empty())
    }

    /// Looks whether it is still right.
    pub(in super::super) async fn check(&self, clients: &Clients) -> Result<Check, Fault> {
        if let Effect::Launch { launching, .. } = &self.effect {
            return launch::check(clients, self, launching).await;
        }
        let place = &self.subject.place;
        let found = clients.aliyun.instance(place, &self.machine()).await?;
        let Some(machine) = found else {
            return Ok(match self.effect {
                Effect::Release => Check::AlreadyDone,
                Effect::Launch { .. }
                | Effect::Provision(_)
                | Effect::Stop
                | Effect::Image { .. }
                | Effect::Prolong { .. } => stale("it is gone"),
            });
        };
        let owner = tags::owner(&machine.tags, &self.subject.scope, &self.subject.owner);
        if owner != Owner::Ours {
            return Ok(stale("it is not ours any more"));
        }
        match &self.effect {
            Effect::Provision(_) => self.check_provision(clients, &machine).await,
            Effect::Stop => Ok(check_stop(&machine)),
            Effect::Image { image, .. } => self.check_image(clients, &machine, image).await,
            Effect::Prolong { from } if machine.auto_release != Some(*from) => {
                Ok(Check::AlreadyDone)
            }
            Effect::Launch { .. } | Effect::Prolong { .. } => Ok(Check::Go),
            Effect::Release => self.check_release(clients).await,
        }
    }

    /// Brings the effect about.
    pub(in super::super) async fn apply(
        &self,
        clients: &Clients,
        token: &Token,
    ) -> Result<(), Fault> {
        let ecs = &clients.aliyun;
        let place = &self.subject.place;
        let machine = self.machine();
        match &self.effect {
            Effect::Launch { launching, .. } => {
                launch::launch(clients, self, (launching, token)).await
            }
            Effect::Provision(command) => ecs.run_command(place, command, token.as_str()).await,
            Effect::Stop => ecs.stop_instance(place, &machine).await,
            Effect::Image { image, .. } => {
                ecs.create_image(place, (&machine, image), token.as_str())
                    .await
            }
            Effect::Prolong { .. } => {
                let release = full_minute(clients.now().plus(PROLONGED));
                ecs.release_at(place, &machine, release).await
            }
            Effect::Release => ecs.delete_instance(place, &machine).await,
        }
    }

    fn machine(&self) -> InstanceId {
        InstanceId::new(&self.subject.object)
    }

    /// Before a machine is worked on, it must be sure that it can be deleted: tag conditions of a policy may forbid it.
    async fn check_provision(&self, clients: &Clients, machine: &Instance) -> Result<Check, Fault> {
        if machine.status != InstanceStatus::Running {
            return Ok(stale("it does not run any more"));
        }
        let place = &self.subject.place;
        let before = clients.aliyun.invocations_in(place, &machine.id).await?;
        if !before.items().is_empty() {
            return Ok(Check::AlreadyDone);
        }
        clients.aliyun.prove_deletable(place, &machine.id).await?;
        Ok(Check::Go)
    }

    async fn check_image(
        &self,
        clients: &Clients,
        machine: &Instance,
        image: &NewImage,
    ) -> Result<Check, Fault> {
        if machine.status != InstanceStatus::Stopped {
            return Ok(stale("it is not stopped any more"));
        }
        let images = clients.aliyun.images_now(&self.subject.place).await?;
        let is_named = |it: &crate::providers::aliyun::Image| it.name == image.name;
        if images.items().iter().any(|it| self.is_made_of_it(it)) {
            return Ok(Check::AlreadyDone);
        }
        Ok(match images.items().iter().find(|it| is_named(it)) {
            Some(other) => stale(&format!("{} has the name {} by now", other.id, image.name)),
            None => Check::Go,
        })
    }

    /// Deleting a machine while an image is made of it spoils the image.
    async fn check_release(&self, clients: &Clients) -> Result<Check, Fault> {
        let images = clients.aliyun.images_now(&self.subject.place).await?;
        let is_making = |it: &&crate::providers::aliyun::Image| {
            self.is_made_of_it(it) && seen::image(it).phase == ImagePhase::Making
        };
        Ok(match images.items().iter().find(is_making) {
            Some(image) => stale(&format!("{} is being made of it", image.id)),
            None => Check::Go,
        })
    }

    fn is_made_of_it(&self, image: &crate::providers::aliyun::Image) -> bool {
        let is_of_it = image
            .tags
            .get(tags::BUILDER)
            .is_some_and(|it| *it == self.subject.object);
        is_of_it
            && match seen::image(image).phase {
                ImagePhase::Making | ImagePhase::Available => true,
                ImagePhase::Failed | ImagePhase::Withdrawn => false,
            }
    }
}

fn check_stop(machine: &Instance) -> Check {
    match &machine.status {
        InstanceStatus::Running => Check::Go,
        InstanceStatus::Stopping | InstanceStatus::Stopped => Check::AlreadyDone,
        InstanceStatus::Pending | InstanceStatus::Starting | InstanceStatus::Other(_) => {
            stale("it does not run")
        }
    }
}
