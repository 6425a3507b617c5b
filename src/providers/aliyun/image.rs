//! Machine images.
//!
//! Source: ECS API reference, `DescribeImages`, `CreateImage`, `ModifyImageAttribute`, `DeleteImage`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Aliyun;
use super::call::{Call, Parameters, parameters};
use super::index::Images;
use super::launch::named_tags;
use super::listing::Listing;
use super::place::{Place, Service};
use super::wire::Fields;
use crate::clock::Timestamp;
use crate::fact::Complete;
use crate::fault::{Class, Fault};
use crate::ids::{ImageId, InstanceId, SnapshotId};
use crate::retry::Effect;

/// A machine image of this account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Its name, unique in account and region.
    pub name: String,
    /// How far it is.
    pub status: ImageStatus,
    /// As ECS writes it: `x86_64`, `arm64`, …
    pub architecture: String,
    /// When its creation began; none: the service does not say.
    pub created: Option<Timestamp>,
    /// Whether machines can be launched from it; none: the service does not say.
    pub usable: Option<bool>,
    /// Whether an instance uses it.
    pub in_use: bool,
    /// Whether it is shared with other accounts.
    pub shared: bool,
    /// The size of its system disk in GiB; zero: not known yet.
    pub size_gib: u64,
    /// The image family that it is in.
    pub family: Option<String>,
    /// The snapshots behind it.
    pub snapshots: Vec<SnapshotId>,
    /// How much of it is made, as in `45%`; empty: the service does not say.
    pub progress: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// How far an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageStatus {
    /// Its snapshots are being taken.
    Creating,
    /// It waits to be created.
    Waiting,
    /// Done.
    Available,
    /// It cannot be used.
    UnAvailable,
    /// It will never be done.
    CreateFailed,
    /// Somebody took it out of use.
    Deprecated,
    /// A status that we do not know.
    Other(String),
}

impl ImageStatus {
    fn read(text: &str) -> Self {
        match text {
            "Creating" => Self::Creating,
            "Waiting" => Self::Waiting,
            "Available" => Self::Available,
            "UnAvailable" => Self::UnAvailable,
            "CreateFailed" => Self::CreateFailed,
            "Deprecated" => Self::Deprecated,
            _ => Self::Other(text.to_owned()),
        }
    }
}

/// What is changed of an image; none: stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageChange {
    /// The new name.
    pub name: Option<String>,
    /// The new image family; empty takes it out of its family (ASSUMED).
    pub family: Option<String>,
}

/// An image to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewImage {
    /// Its name, unique in account and region.
    pub name: String,
    /// What a person reads of it.
    pub description: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Without this only Available ones are listed.
const ALL_STATUSES: &str = "Creating,Waiting,Available,UnAvailable,CreateFailed,Deprecated";

pub(super) const IMAGES: Listing<Image> = Listing {
    service: Service::Ecs,
    action: "DescribeImages",
    doing: "list the images",
    outer: "Images",
    inner: "Image",
    id: "ImageId",
    page_size: 100,
    read,
};

pub(super) fn read(item: Fields<'_>) -> Result<Image, String> {
    let mut snapshots = Vec::new();
    for disk in item.list("DiskDeviceMappings", "DiskDeviceMapping")? {
        snapshots.extend(disk.optional("SnapshotId")?.map(SnapshotId::new));
    }
    Ok(Image {
        id: ImageId::new(item.id("ImageId")?),
        name: item.text("ImageName")?.to_owned(),
        status: ImageStatus::read(item.id("Status")?),
        architecture: item.text("Architecture")?.to_owned(),
        created: item.time("CreationTime")?,
        usable: item.flag("Usable")?,
        in_use: item.optional("Usage")? == Some("instance"),
        shared: item.flag("IsSelfShared")? == Some(true),
        size_gib: item.number("Size")?,
        family: item.optional("ImageFamily")?.map(str::to_owned),
        snapshots,
        progress: item.optional("Progress")?.unwrap_or_default().to_owned(),
        tags: item.tags()?,
    })
}

/// The images of this account, in all statuses.
fn own() -> Parameters {
    parameters([("ImageOwnerAlias", "self"), ("Status", ALL_STATUSES)])
}

impl Aliyun {
    /// All images of the account, in every status; read once a pass.
    pub async fn images(&self, place: &Place) -> Result<Arc<Images>, Fault> {
        let read = || async {
            let listed = self.list_by_number(place, &IMAGES, &own()).await?;
            Ok(Images::of(listed))
        };
        self.images.get(place, read).await
    }

    /// All images of the account, as they are now.
    pub async fn images_now(&self, place: &Place) -> Result<Complete<Image>, Fault> {
        self.list_by_number(place, &IMAGES, &own()).await
    }

    /// One image as it is now; none: the account has no such image.
    pub async fn image(&self, place: &Place, id: &ImageId) -> Result<Option<Image>, Fault> {
        self.image_among(place, id, own()).await
    }

    /// One image as it is now, whoever published it; none: it is not there.
    pub async fn any_image(&self, place: &Place, id: &ImageId) -> Result<Option<Image>, Fault> {
        self.image_among(place, id, Parameters::new()).await
    }

    async fn image_among(
        &self,
        place: &Place,
        id: &ImageId,
        mut filter: Parameters,
    ) -> Result<Option<Image>, Fault> {
        filter.insert("ImageId".to_owned(), id.as_str().to_owned());
        let images = self
            .list_by_number(place, &IMAGES, &filter)
            .await
            .map_err(|it| it.of(id.as_str()))?;
        Ok(images.items().iter().find(|it| it.id == *id).cloned())
    }

    /// All images of exactly this name, as they are now.
    pub async fn images_named(&self, place: &Place, name: &str) -> Result<Complete<Image>, Fault> {
        let mut filter = own();
        // The service matches this fuzzily, by rules that it does not tell.
        filter.insert("ImageName".to_owned(), name.to_owned());
        let images = self
            .list_by_number(place, &IMAGES, &filter)
            .await
            .map_err(|it| it.of(name))?;
        Ok(images.filtered(|it| it.name == name))
    }

    /// All images of an image family, as they are now.
    pub async fn images_of_family(
        &self,
        place: &Place,
        family: &str,
    ) -> Result<Complete<Image>, Fault> {
        let mut filter = own();
        filter.insert("ImageFamily".to_owned(), family.to_owned());
        let images = self.list_by_number(place, &IMAGES, &filter).await;
        let images = images.map_err(|it| it.of(family))?;
        Ok(images.filtered(|it| it.family.as_deref() == Some(family)))
    }

    /// Renames an image, or moves it to another family. After a lost answer the image must be looked at again.
    pub async fn modify_image(
        &self,
        place: &Place,
        id: &ImageId,
        change: &ImageChange,
    ) -> Result<(), Fault> {
        let mut call = on_image("ModifyImageAttribute", "change an image", id);
        for (name, value) in [("ImageName", &change.name), ("ImageFamily", &change.family)] {
            call.parameters
                .extend(value.clone().map(|it| (name.to_owned(), it)));
        }
        call.effect = Effect::Once;
        let outcome = self.call(place, &call).await;
        self.images.forget(place);
        outcome.map(|_| ())
    }

    /// Begins to make an image of an instance, once for each token; it is there long before it is Available.
    pub async fn create_image(
        &self,
        place: &Place,
        (instance, image): (&InstanceId, &NewImage),
        token: &str,
    ) -> Result<(), Fault> {
        let mut all = parameters([
            ("InstanceId", instance.as_str()),
            ("ImageName", &image.name),
            ("Description", &image.description),
            ("ClientToken", token),
        ]);
        all.extend(named_tags(&image.tags));
        let call = Call {
            service: Service::Ecs,
            action: "CreateImage",
            doing: "make an image",
            effect: Effect::Repeatable,
            subject: Some(instance.as_str()),
            parameters: all,
        };
        let outcome = self.call(place, &call).await;
        self.images.forget(place);
        outcome.map(|_| ())
    }

    /// Deletes an image that nothing uses; one that does not exist is deleted already. Its snapshots stay.
    pub async fn delete_image(&self, place: &Place, id: &ImageId) -> Result<(), Fault> {
        let outcome = self
            .call(place, &on_image("DeleteImage", "delete an image", id))
            .await;
        self.images.forget(place);
        gone_is_done(outcome.map(|_| ()))
    }
}

/// The outcome of a deletion: what is not there is deleted.
pub(super) fn gone_is_done(outcome: Result<(), Fault>) -> Result<(), Fault> {
    match outcome {
        Err(fault) if fault.class == Class::Gone => Ok(()),
        outcome => outcome,
    }
}

fn on_image<'a>(action: &'static str, doing: &'static str, id: &'a ImageId) -> Call<'a> {
    Call {
        service: Service::Ecs,
        action,
        doing,
        effect: Effect::Repeatable,
        subject: Some(id.as_str()),
        parameters: parameters([("ImageId", id.as_str())]),
    }
}
