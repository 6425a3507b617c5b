//! Tags of images, instances and snapshots.
//!
//! Source: ECS API reference, `TagResources`, `UntagResources`.

use std::collections::BTreeMap;

use super::Aliyun;
use super::call::{Call, Parameters, parameters};
use super::launch::named_tags;
use super::place::{Place, Service};
use crate::fault::Fault;
use crate::retry::Effect;

/// A sort of object that can carry tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taggable {
    /// A machine image.
    Image,
    /// An instance.
    Instance,
    /// A snapshot.
    Snapshot,
}

impl Taggable {
    fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Instance => "instance",
            Self::Snapshot => "snapshot",
        }
    }
}

/// Objects that one request may name.
const IDS_MAX: usize = 50;

impl Aliyun {
    /// Sets tags on objects; other tags stay, a tag that is there gets the new value.
    pub async fn tag(
        &self,
        place: &Place,
        sort: Taggable,
        ids: &[String],
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Fault> {
        self.change_tags("TagResources", place, (sort, ids), named_tags(tags))
            .await
    }

    /// Takes tags off objects; a tag that is not there is off already.
    pub async fn untag(
        &self,
        place: &Place,
        sort: Taggable,
        ids: &[String],
        keys: &[&str],
    ) -> Result<(), Fault> {
        let named = (1..)
            .zip(keys)
            .map(|(number, key)| (format!("TagKey.{number}"), (*key).to_owned()));
        self.change_tags("UntagResources", place, (sort, ids), named.collect())
            .await
    }

    async fn change_tags(
        &self,
        action: &'static str,
        place: &Place,
        (sort, ids): (Taggable, &[String]),
        named: Parameters,
    ) -> Result<(), Fault> {
        if named.is_empty() {
            return Ok(());
        }
        for ids in ids.chunks(IDS_MAX) {
            let mut call = Call {
                service: Service::Ecs,
                action,
                doing: "change the tags",
                effect: Effect::Repeatable,
                subject: Some(&ids[0]),
                parameters: parameters([("ResourceType", sort.name())]),
            };
            call.parameters.extend(named.clone());
            let numbered = (1..)
                .zip(ids)
                .map(|(number, id)| (format!("ResourceId.{number}"), id.clone()));
            call.parameters.extend(numbered);
            let outcome = self.call(place, &call).await;
            match sort {
                Taggable::Image => self.images.forget(place),
                Taggable::Instance => self.instances.forget(place),
                Taggable::Snapshot => self.snapshots.forget(place),
            }
            outcome?;
        }
        Ok(())
    }
}
