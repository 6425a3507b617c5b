//! Images that others publish, to build upon.
//!
//! Source: ECS API reference, `DescribeImages`, `DescribeImageFromFamily`.

use std::sync::Arc;

use super::Aliyun;
use super::call::{Call, parameters};
use super::image::{IMAGES, Image, read};
use super::place::{Place, Service};
use super::wire::Fields;
use crate::fact::Complete;
use crate::fault::{Class, Fault};
use crate::retry::Effect;

impl Aliyun {
    /// All Available images that `owner` (`system`, `self`, `others`, `marketplace`) publishes for an architecture; read once
    /// a pass.
    pub async fn images_published(
        &self,
        place: &Place,
        (owner, architecture): (&str, &str),
    ) -> Result<Arc<Complete<Image>>, Fault> {
        let key = (place.clone(), owner.to_owned(), architecture.to_owned());
        let read = || self.images_published_now(place, owner, architecture);
        self.published.get(&key, read).await
    }

    async fn images_published_now(
        &self,
        place: &Place,
        owner: &str,
        architecture: &str,
    ) -> Result<Complete<Image>, Fault> {
        let filter = parameters([
            ("ImageOwnerAlias", owner),
            ("Architecture", architecture),
            ("OSType", "linux"),
            ("Status", "Available"),
        ]);
        let images = self.list_by_number(place, &IMAGES, &filter).await?;
        Ok(images.filtered(|it| it.architecture == architecture))
    }

    /// The newest Available image of an image family, asked once a pass; none: it has none.
    pub async fn image_from_family(
        &self,
        place: &Place,
        family: &str,
    ) -> Result<Option<Image>, Fault> {
        let key = (place.clone(), family.to_owned());
        let read = || self.image_from_family_now(place, family);
        let found = self.families.get(&key, read).await?;
        Ok(found.as_ref().clone())
    }

    async fn image_from_family_now(
        &self,
        place: &Place,
        family: &str,
    ) -> Result<Option<Image>, Fault> {
        let call = Call {
            service: Service::Ecs,
            action: "DescribeImageFromFamily",
            doing: "look up an image family",
            effect: Effect::Read,
            subject: Some(family),
            parameters: parameters([("ImageFamily", family)]),
        };
        let reply = self.call(place, &call).await?;
        // How an empty answer looks is not documented: the field is missing, null, or has no id.
        let image = reply.body.get("Image").and_then(|it| it.as_object());
        let Some(image) = image.filter(|it| it.get("ImageId").is_some_and(|id| id != "")) else {
            return Ok(None);
        };
        let unreadable = Class::Unavailable {
            maybe_applied: false,
        };
        let image = read(Fields(image)).map_err(|why| call.fault(unreadable, &why))?;
        Ok(Some(image))
    }
}
