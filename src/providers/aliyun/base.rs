//! Images that others publish, to build upon.
//!
//! Source: ECS API reference, `DescribeImages`.

use std::sync::Arc;

use super::Aliyun;
use super::call::parameters;
use super::image::{IMAGES, Image};
use super::place::Place;
use crate::fact::Complete;
use crate::fault::Fault;

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

    /// All Available images of an image family, this account's and public ones; read once a pass.
    pub async fn images_in_family(
        &self,
        place: &Place,
        family: &str,
    ) -> Result<Arc<Complete<Image>>, Fault> {
        let key = (place.clone(), family.to_owned());
        let read = || self.images_in_family_now(place, family);
        self.families.get(&key, read).await
    }

    async fn images_in_family_now(
        &self,
        place: &Place,
        family: &str,
    ) -> Result<Complete<Image>, Fault> {
        // `DescribeImageFromFamily` is for custom images alone.
        let filter = parameters([("ImageFamily", family), ("Status", "Available")]);
        let images = self.list_by_number(place, &IMAGES, &filter).await;
        let images = images.map_err(|it| it.of(family))?;
        Ok(images.filtered(|it| it.family.as_deref() == Some(family)))
    }
}
