//! The actions on images (ECS API reference: `DescribeImages`, `DescribeImageFromFamily`, `CreateImage`,
//! `ModifyImageAttribute`, `DeleteImage`).

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::ids::{InstanceId, SnapshotId};
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Region, Reply, launch_templates, names, page, show};
use crate::sim::history::What;
use crate::sim::object::{Image, ImageStatus};
use crate::sim::scenario::{MissingDeletion, NameMatch};

const MODELLED: [&str; 13] = [
    "ImageId",
    "ImageName",
    "ImageFamily",
    "Architecture",
    "Status",
    "ImageOwnerAlias",
    "Usage",
    "Usable",
    "SnapshotId",
    "Tag",
    "Filter",
    "OSType",
    "ActionType",
];

pub(super) fn describe(cloud: &mut Cloud, ask: &Ask) -> Reply {
    ask.only(&MODELLED)?;
    ask.choose(
        "Architecture",
        &["i386", "x86_64", "arm64"],
        "404 InvalidArchitecture",
    )?;
    ask.choose("Usage", &["instance", "none"], "404 InvalidUsage")?;
    ask.choose("OSType", &["linux", "windows"], "404 InvalidOSType")?;
    let owners = ["system", "self", "others", "marketplace"];
    ask.choose(
        "ImageOwnerAlias",
        &owners,
        "400 InvalidImageOwnerAlias.ValueNotSupported",
    )?;
    let page = page::by_number(ask, 100)?;
    let filter = Filter::read(cloud, ask)?;
    ask.unless_dry()?;
    let region = ask.region(cloud);
    let used = show::used_images(region.instances.all_at(ask.view));
    let mut images = page::listing(cloud, ask, &region.images)?;
    let usage = ask.text("Usage");
    images.retain(|it| {
        filter.lets_pass(it) && usage.is_none_or(|usage| usage == show::image_usage(it, &used))
    });
    let mut answer = page
        .cut(ask, images)
        .answer("Images", "Image", |it| show::image(it, &used, ask.view));
    answer["RegionId"] = json!(ask.region_id(cloud));
    Ok(answer)
}

/// What a listing of images is narrowed by. The request is read once: a listing may be long.
struct Filter<'a> {
    name: Option<(&'a str, NameMatch)>,
    statuses: Option<Vec<ImageStatus>>,
    usable: Option<bool>,
    /// What fields must hold, of those that were asked for.
    fields: Vec<(&'a str, Field)>,
    snapshot: Option<SnapshotId>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

type Field = fn(&Image) -> &str;

const FIELDS: [(&str, Field); 5] = [
    ("ImageId", |it| it.image_id.as_str()),
    ("ImageFamily", |it| &it.image_family),
    ("Architecture", |it| &it.architecture),
    ("ImageOwnerAlias", |it| &it.image_owner_alias),
    ("OSType", |it| &it.os_type),
];

impl<'a> Filter<'a> {
    fn read(cloud: &Cloud, ask: &'a Ask) -> Result<Self, Refusal> {
        let status = |it: &str| serde_json::from_value(json!(it)).ok();
        let mut filter = Self {
            // "Fuzzy search is supported", without saying how: what it matches is a setting.
            name: ask
                .text("ImageName")
                .map(|it| (it, cloud.scenario.settings.image_name_match)),
            // "Available" is the default; a comma list; newer SDKs know ALL.
            statuses: match ask.text("Status").unwrap_or("Available") {
                "ALL" => None,
                list => Some(list.split(',').filter_map(status).collect()),
            },
            usable: ask.text("Usable").map(|_| ask.is_true("Usable")),
            fields: FIELDS
                .into_iter()
                .filter_map(|(name, field)| Some((ask.text(name)?, field)))
                .collect(),
            snapshot: ask.text("SnapshotId").map(SnapshotId::new),
            since: None,
            until: None,
        };
        if ask.text("Usable").is_some() && ask.text("Status").is_none() {
            return Err(Refusal::missing("Status"));
        }
        for (key, value) in ask.parameters.pairs("Filter") {
            let time = || {
                let message = "The specified Filter Value is not valid.";
                let time = value.and_then(Timestamp::parse);
                time.ok_or_else(|| Refusal::new(404, "InvalidFilterValue", message))
                    .map(Some)
            };
            match key {
                "CreationStartTime" => filter.since = time()?,
                "CreationEndTime" => filter.until = time()?,
                "NetworkType" => {}
                _ => {
                    let message = "The specified Filter Key is not found.";
                    return Err(Refusal::new(404, "InvalidFilterKey.NotFound", message));
                }
            }
        }
        Ok(filter)
    }

    fn lets_pass(&self, image: &Image) -> bool {
        let is_named = self.name.is_none_or(|(name, way)| match way {
            NameMatch::Substring => image.image_name.contains(name),
            NameMatch::Exact => image.image_name == name,
        });
        let statuses = self.statuses.as_ref();
        let snapshot = self.snapshot.as_ref();
        is_named
            && statuses.is_none_or(|it| it.contains(&image.status))
            && self.usable.is_none_or(|it| it == image.usable)
            && self
                .fields
                .iter()
                .all(|(value, field)| field(image) == *value)
            && snapshot.is_none_or(|it| image.holds(it))
            && self.since.is_none_or(|it| image.creation_time >= it)
            && self.until.is_none_or(|it| image.creation_time <= it)
    }
}

/// "Returns an empty result" when there is none; ASSUMED: without the field `Image`. The documentation speaks of custom
/// images: whether public ones are found too is a setting.
pub(super) fn describe_from_family(cloud: &Cloud, ask: &Ask) -> Value {
    let region = ask.region(cloud);
    let family = ask.text("ImageFamily").unwrap_or_default();
    let used = show::used_images(region.instances.all_at(ask.view));
    let is_known = |it: &&Image| it.is_own() || cloud.scenario.settings.public_families;
    let images = region.images.all_at(ask.view).filter(is_known);
    let image = newest_of_family(images, family);
    image.map_or(
        json!({}),
        |it| json!({"Image": show::family_image(it, &used, ask.view)}),
    )
}

/// The newest Available image of a family.
pub(super) fn newest_of_family<'a>(
    images: impl Iterator<Item = &'a Image>,
    family: &str,
) -> Option<&'a Image> {
    images
        .filter(|it| it.image_family == family && it.status == ImageStatus::Available)
        .max_by_key(|it| (it.creation_time, it.image_id.clone()))
}

/// What a name, a family and a description may look like.
pub(super) fn check_texts(ask: &Ask) -> Result<(), Refusal> {
    if ask
        .text("ImageName")
        .is_some_and(|it| !names::is_image_name(it))
    {
        let message = "The specified Image name is wrongly formed.";
        return Err(Refusal::new(400, "InvalidImageName.Malformed", message));
    }
    if ask
        .text("ImageFamily")
        .is_some_and(|it| !names::is_image_name(it))
    {
        let message = "The format of the specified image family is invalid.";
        return Err(Refusal::new(400, "InvalidImageFamily.Malformed", message));
    }
    if ask
        .text("Description")
        .is_some_and(|it| !names::is_description(it))
    {
        let message = "The specified description is wrongly formed.";
        return Err(Refusal::new(400, "InvalidDescription.Malformed", message));
    }
    Ok(())
}

/// Names are unique among the account's images of a region.
pub(super) fn check_free(region: &Region, name: &str, own: Option<&str>) -> Result<(), Refusal> {
    let is_other =
        |it: &Image| it.is_own() && it.image_name == name && own != Some(it.image_id.as_str());
    if region.images.all().any(is_other) {
        let message = "The specified image name is already in use.";
        return Err(Refusal::new(400, "InvalidImageName.Duplicated", message));
    }
    Ok(())
}

pub(super) fn modify(cloud: &mut Cloud, ask: &Ask) -> Reply {
    let id = ask.text("ImageId").unwrap_or_default();
    let region = ask.region(cloud);
    let image = own_image(region, id)?.clone();
    check_texts(ask)?;
    // ASSUMED: an image that is Waiting is being created too.
    if image.is_coming() {
        let message = "The operation cannot be performed because the image is creating. Please wait until the creation is complete and try again.";
        return Err(Refusal::new(403, "InvalidStatus.ImageIsCreating", message));
    }
    let status = wanted_status(ask, &image)?;
    let name = ask
        .text("ImageName")
        .unwrap_or(&image.image_name)
        .to_owned();
    check_free(region, &name, Some(id))?;
    ask.unless_dry()?;
    // An empty name or description keeps what there is; an empty family removes it (ASSUMED).
    let family = ask
        .parameters
        .0
        .get("ImageFamily")
        .unwrap_or(&image.image_family)
        .clone();
    let region_id = ask.region_id(cloud);
    let description = ask.text("Description").unwrap_or(&image.description);
    cloud
        .region_mut(&region_id)
        .images
        .change(ask.now, id, |it| {
            it.image_name.clone_from(&name);
            it.image_family.clone_from(&family);
            description.clone_into(&mut it.description);
            it.status = status;
        });
    let (image_name, image_family, image) = (image.image_name, image.image_family, image.image_id);
    if image_name != name {
        let what = What::ImageRenamed {
            image: image.clone(),
            from: image_name,
            to: name,
        };
        cloud.record(ask.now, &region_id, what);
    }
    if image_family != family {
        let what = What::FamilyChanged {
            image,
            from: image_family,
            to: family,
        };
        cloud.record(ask.now, &region_id, what);
    }
    Ok(json!({}))
}

fn wanted_status(ask: &Ask, image: &Image) -> Result<ImageStatus, Refusal> {
    let refuse = |code: &str, message: &str| Err(Refusal::new(403, code, message));
    match (ask.text("Status"), image.status) {
        (None, status) => Ok(status),
        (Some("Deprecated"), ImageStatus::Available) if image.is_self_shared => refuse(
            "ImageUseShared",
            "The specified image has been shared to others, please remove shared accounts first.",
        ),
        (Some("Deprecated"), ImageStatus::Available) => Ok(ImageStatus::Deprecated),
        (Some("Available"), ImageStatus::Deprecated) => Ok(ImageStatus::Available),
        (Some("Deprecated"), _) => refuse(
            "ImageStatus.NotAvailable",
            "The specified image status is not available.",
        ),
        (Some("Available"), _) => refuse(
            "ImageStatus.NotDeprecated",
            "The specified image status is not deprecated.",
        ),
        (Some(_), _) => Err(Refusal::invalid("Status")),
    }
}

/// Deletes an image; its snapshots stay, and cost (ECS documentation, "Delete a custom image").
pub(super) fn delete(cloud: &mut Cloud, ask: &Ask) -> Reply {
    let id = ask.text("ImageId").unwrap_or_default();
    let region = ask.region(cloud);
    let image = match (
        own_image(region, id),
        cloud.scenario.settings.missing_deletion,
    ) {
        (Ok(image), _) => image,
        // "If the specified custom image does not exist, the request is ignored": yet there is a code for it.
        (Err(_), MissingDeletion::Ignored) => return Ok(json!({})),
        (Err(refusal), MissingDeletion::NotFound) => return Err(refusal),
    };
    if image.is_self_shared {
        let message = "The specified image has been shared to others.";
        return Err(Refusal::new(403, "ImageUseShared", message));
    }
    let users = region
        .instances
        .all()
        .filter(|it| it.image_id == image.image_id);
    let used_by: Vec<InstanceId> = users.map(|it| it.instance_id.clone()).collect();
    if !used_by.is_empty() && !ask.is_true("Force") {
        let message = "The specified image has been used to create instances.";
        return Err(Refusal::new(403, "ImageUsingByInstance", message));
    }
    ask.unless_dry()?;
    // The service does not look at launch templates.
    let named_by = launch_templates::users(region, image);
    let region_id = ask.region_id(cloud);
    if let Some(image) = cloud.region_mut(&region_id).images.remove(ask.now, id) {
        let what = What::ImageDeleted {
            image: Box::new(image),
            used_by,
            named_by,
        };
        cloud.record(ask.now, &region_id, what);
    }
    Ok(json!({}))
}

/// An image that the account may change; ASSUMED: any other one is not found.
pub(super) fn own_image<'a>(region: &'a Region, id: &str) -> Result<&'a Image, Refusal> {
    let image = region.images.get(id).filter(|it| it.is_own());
    image.ok_or_else(|| {
        Refusal::new(
            404,
            "InvalidImageId.NotFound",
            "The specified ImageId does not exist.",
        )
    })
}
