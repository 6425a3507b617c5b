//! What can be done to an image that is there, and what must be so right before.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::{AccountId, ImageId, ResourceId, SnapshotId};
use crate::kind::Check;
use crate::kinds::tags::{self, Owner};
use crate::plan::Verb;
use crate::providers::Clients;
use crate::providers::aliyun::{ImageChange, Place, Taggable};

use super::seen::{self, Image, Phase, Template};
use super::templates::{may_mean, named};

/// One effect on one image or snapshot that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// On what.
    #[serde(flatten)]
    pub subject: Subject,
    /// What.
    #[serde(flatten)]
    pub effect: Effect,
}

/// An image or snapshot, and whose it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Where it is.
    pub place: Place,
    /// The scope it must belong to.
    pub scope: String,
    /// The resource it must belong to.
    pub owner: ResourceId,
    /// Its id.
    pub object: String,
    /// The name it had when this was planned; empty for a snapshot.
    pub name: String,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "effect", rename_all = "camelCase")]
pub enum Effect {
    /// Tags an image that nobody owns as ours.
    Adopt,
    /// Gives an image another name.
    Rename {
        /// The name.
        to: String,
        /// The family that is set in the same call; none: it stays.
        family: Option<String>,
        /// The image that takes over the name that is given up: it must be there to do so.
        successor: Option<ImageId>,
    },
    /// Puts an image into a family.
    Family {
        /// The family.
        to: String,
    },
    /// Tags an image `Latest=true`.
    Mark,
    /// Removes that tag.
    Unmark,
    /// Shares an image with accounts, and no longer with others.
    Share {
        /// The ones.
        add: Vec<AccountId>,
        /// The others.
        remove: Vec<AccountId>,
    },
    /// Tags the snapshots behind an image that is deleted next, so that they are found afterwards.
    Orphan {
        /// The snapshots.
        snapshots: Vec<SnapshotId>,
    },
    /// Deletes an image, never by force.
    Delete {
        /// Its size.
        size_gib: u64,
        /// When it was created.
        created: Option<Timestamp>,
        /// The image that `-latest` must still name then; none: whatever it names.
        serving: Option<ImageId>,
    },
    /// Deletes a snapshot that stood behind a deleted image.
    DeleteSnapshot {
        /// That image.
        image: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.subject.name;
        match &self.effect {
            Effect::Adopt => write!(f, "adopt {name}"),
            Effect::Rename {
                to, family: None, ..
            } => write!(f, "{name} → {to}"),
            Effect::Rename {
                to,
                family: Some(family),
                ..
            } => write!(f, "{name} → {to}, family {family}"),
            Effect::Family { to } => write!(f, "{name} into family {to}"),
            Effect::Mark => write!(f, "{name} gets the tag {}=true", tags::LATEST),
            Effect::Unmark => write!(f, "{name} loses the tag {}", tags::LATEST),
            Effect::Share { add, remove } => {
                let added = add.iter().map(|it| format!("+{it}"));
                let removed = remove.iter().map(|it| format!("-{it}"));
                let accounts: Vec<String> = added.chain(removed).collect();
                write!(f, "{name} is shared: {}", accounts.join(" "))
            }
            Effect::Orphan { snapshots } => {
                let ids: Vec<&str> = snapshots.iter().map(SnapshotId::as_str).collect();
                write!(f, "{name}: mark snapshot {} to go with it", ids.join(", "))
            }
            Effect::Delete {
                size_gib, created, ..
            } => {
                let created = created.map_or("unknown".to_owned(), |it| it.to_string());
                write!(f, "{name}  {size_gib} GiB, created {created}, unused")
            }
            Effect::DeleteSnapshot { image } => write!(f, "snapshot left by {image}"),
        }
    }
}

impl Change {
    /// What it does to its object.
    pub fn verb(&self) -> Verb {
        match self.effect {
            Effect::Adopt
            | Effect::Rename { .. }
            | Effect::Family { .. }
            | Effect::Mark
            | Effect::Unmark
            | Effect::Share { .. }
            | Effect::Orphan { .. } => Verb::Update,
            Effect::Delete { .. } | Effect::DeleteSnapshot { .. } => Verb::Delete,
        }
    }

    /// The id of its object.
    pub fn object(&self) -> &str {
        &self.subject.object
    }

    /// Looks whether it is still right.
    pub(super) async fn check(&self, clients: &Clients) -> Result<Check, Fault> {
        match &self.effect {
            Effect::Adopt => self.check_adopt(clients).await,
            Effect::Rename { to, successor, .. } => {
                self.check_rename(clients, to, successor.as_ref()).await
            }
            Effect::Delete { serving, .. } => self.check_delete(clients, serving.as_ref()).await,
            Effect::DeleteSnapshot { image } => self.check_orphan(clients, image).await,
            Effect::Share { .. } | Effect::Orphan { .. } => self.check_still_ours(clients).await,
            // Setting a tag or a family again changes nothing.
            Effect::Family { .. } | Effect::Mark | Effect::Unmark => Ok(Check::Go),
        }
    }

    /// Brings it about.
    pub(super) async fn apply(&self, clients: &Clients) -> Result<(), Fault> {
        let ecs = &clients.aliyun;
        let place = &self.subject.place;
        let image = self.image();
        let ids = [self.subject.object.clone()];
        let ours = tags::ownership(&self.subject.scope, &self.subject.owner);
        match &self.effect {
            Effect::Adopt => ecs.tag(place, Taggable::Image, &ids, &ours).await,
            Effect::Rename { to, family, .. } => {
                let change = ImageChange {
                    name: Some(to.clone()),
                    family: family.clone(),
                };
                ecs.modify_image(place, &image, &change).await
            }
            Effect::Family { to } => {
                let change = ImageChange {
                    name: None,
                    family: Some(to.clone()),
                };
                ecs.modify_image(place, &image, &change).await
            }
            Effect::Mark => {
                let mark = BTreeMap::from([(tags::LATEST.to_owned(), "true".to_owned())]);
                ecs.tag(place, Taggable::Image, &ids, &mark).await
            }
            Effect::Unmark => {
                ecs.untag(place, Taggable::Image, &ids, &[tags::LATEST])
                    .await
            }
            Effect::Share { add, remove } => ecs.share(place, &image, (add, remove)).await,
            Effect::Orphan { snapshots } => {
                let mut orphan = ours;
                orphan.insert(tags::ORPHAN_OF.to_owned(), self.subject.object.clone());
                let ids: Vec<String> = snapshots.iter().map(ToString::to_string).collect();
                ecs.tag(place, Taggable::Snapshot, &ids, &orphan).await
            }
            Effect::Delete { .. } => ecs.delete_image(place, &image).await,
            Effect::DeleteSnapshot { .. } => {
                ecs.delete_snapshot(place, &SnapshotId::new(&self.subject.object))
                    .await
            }
        }
    }
}

impl Change {
    fn image(&self) -> ImageId {
        ImageId::new(&self.subject.object)
    }

    async fn look(&self, clients: &Clients, id: &ImageId) -> Result<Option<Image>, Fault> {
        let seen = clients.aliyun.image(&self.subject.place, id).await?;
        Ok(seen.as_ref().map(seen::image))
    }

    fn owner(&self, image: &Image) -> Owner {
        tags::owner(&image.tags, &self.subject.scope, &self.subject.owner)
    }

    async fn check_adopt(&self, clients: &Clients) -> Result<Check, Fault> {
        let Some(image) = self.look(clients, &self.image()).await? else {
            return Ok(stale("it is gone"));
        };
        Ok(match self.owner(&image) {
            Owner::Ours => Check::AlreadyDone,
            Owner::Resource(other) | Owner::Scope(other) => {
                stale(&format!("it belongs to {other} by now"))
            }
            Owner::Nobody if image.name != self.subject.name => stale("it has another name by now"),
            Owner::Nobody => Check::Go,
        })
    }

    async fn check_rename(
        &self,
        clients: &Clients,
        to: &str,
        successor: Option<&ImageId>,
    ) -> Result<Check, Fault> {
        if let Some(successor) = successor {
            let found = self.look(clients, successor).await?;
            let takes_over =
                |it: &Image| it.phase == Phase::Available && self.owner(it) == Owner::Ours;
            if !found.as_ref().is_some_and(takes_over) {
                return Ok(stale(&format!(
                    "{successor} cannot take over the name any more"
                )));
            }
        }
        let Some(image) = self.look(clients, &self.image()).await? else {
            return Ok(stale("it is gone"));
        };
        Ok(if self.owner(&image) != Owner::Ours {
            stale("it is not ours any more")
        } else if image.name == to {
            Check::AlreadyDone
        } else if image.name == self.subject.name {
            Check::Go
        } else {
            stale(&format!("its name is {} by now", image.name))
        })
    }

    /// A snapshot that bears our mark goes with its image, whoever deletes that.
    async fn check_still_ours(&self, clients: &Clients) -> Result<Check, Fault> {
        let found = self.look(clients, &self.image()).await?;
        let is_lost = found.is_some_and(|it| self.owner(&it) != Owner::Ours);
        Ok(if is_lost {
            stale("it is not ours any more")
        } else {
            Check::Go
        })
    }

    /// The service refuses to delete a snapshot that an image holds (ECS API reference, `DeleteSnapshot`); that its own
    /// image is gone is looked at here.
    async fn check_orphan(&self, clients: &Clients, image: &str) -> Result<Check, Fault> {
        let found = self.look(clients, &ImageId::new(image)).await?;
        Ok(found.map_or(Check::Go, |it| stale(&format!("{} is there", it.id))))
    }

    async fn templates(&self, clients: &Clients) -> Result<Vec<Template>, Fault> {
        let place = &self.subject.place;
        let listed = clients.aliyun.launch_templates_again(place).await?;
        Ok(listed.items().iter().map(seen::template).collect())
    }

    /// How a launch template names an image; who else is in its family is asked for only where one may mean that.
    async fn named(
        &self,
        clients: &Clients,
        image: &Image,
        templates: &[Template],
    ) -> Result<Option<String>, Fault> {
        let mut images = Vec::new();
        let mut versions = templates.iter().flat_map(|it| &it.versions);
        if let Some(family) = &image.family
            && versions.any(|it| may_mean(it, family))
        {
            let place = &self.subject.place;
            let listed = clients.aliyun.images_of_family(place, family).await?;
            images.extend(listed.items().iter().map(seen::image));
        }
        Ok(named(image, templates, &images))
    }

    async fn check_delete(
        &self,
        clients: &Clients,
        serving: Option<&ImageId>,
    ) -> Result<Check, Fault> {
        // What takes longest comes first, so that the rest is right before the effect.
        let templates = self.templates(clients).await?;
        let Some(image) = self.look(clients, &self.image()).await? else {
            return Ok(Check::AlreadyDone);
        };
        if self.owner(&image) != Owner::Ours {
            return Ok(stale("it is not ours any more"));
        }
        if image.name != self.subject.name {
            return Ok(stale(&format!("its name is {} by now", image.name)));
        }
        if image.in_use || image.shared {
            return Ok(stale("it is used or shared by now"));
        }
        if let Some(serving) = serving {
            let serves = |it: Image| it.phase == Phase::Available && it.name.ends_with("-latest");
            if !self.look(clients, serving).await?.is_some_and(serves) {
                return Ok(stale(&format!(
                    "{serving} is not what -latest names any more"
                )));
            }
        }
        if let Some(how) = self.named(clients, &image, &templates).await? {
            return Ok(stale(&how));
        }
        // Without the permission an empty list of instances looks just like no instances.
        clients
            .aliyun
            .prove_instances_visible(&self.subject.place)
            .await?;
        let users = clients
            .aliyun
            .instances_of_image(&self.subject.place, &image.id)
            .await?;
        Ok(match users.items().first() {
            Some(instance) => stale(&format!("{} uses it by now", instance.id)),
            None => Check::Go,
        })
    }
}

/// The world has moved on.
pub(super) fn stale(why: &str) -> Check {
    Check::Stale(why.to_owned())
}
