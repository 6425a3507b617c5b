//! What machines are launched from, and what there is to launch.

use crate::fault::Fault;
use crate::ids::{ImageId, ResourceId};
use crate::kind::{Context, Kind};
use crate::kinds::instance_class;
use crate::kinds::machine_image::{self, MachineImage};
use crate::plan::pages;
use crate::providers::aliyun::{self, Place};
use crate::resource::Resource;

use super::seen::{Market, Seen};
use super::spec::Spec;

/// What a machine is launched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Its size.
    pub size_gib: u64,
}

/// Looks up the image and the offers.
pub(super) async fn market(
    resource: &Resource<Spec>,
    seen: &Seen,
    context: &Context<'_>,
) -> Result<Market, Fault> {
    let image = find(resource, seen, context).await?;
    let mut offers = instance_class::rank(&seen.class, &seen.region, context.clients).await?;
    offers.listings.insert(image.1, image.2);
    Ok(Market {
        image: image.0,
        offers,
    })
}

/// The image or why there is none, what was listed, and the fewest calls that that takes.
type Found = (Result<Image, String>, String, u64);

async fn find(
    resource: &Resource<Spec>,
    seen: &Seen,
    context: &Context<'_>,
) -> Result<Found, Fault> {
    let (written, place) = (&resource.spec.image_ref, &seen.home.place);
    let family = match (&written.machine_image, &written.fallback, &written.family) {
        (Some(name), fallback, _) => {
            let images = context.clients.aliyun.images(place).await?;
            let id = ResourceId::new(MachineImage::NAME, name.as_str());
            let line = context.spec::<MachineImage>(name.as_str());
            let owner = (seen.home.scope.as_str(), &id);
            let latest =
                machine_image::latest(line, owner, (seen.class.architecture, images.items()));
            let calls = pages(images.items().len(), 100);
            match (latest, fallback) {
                (Some(latest), _) => {
                    return Ok((Ok(image(latest)), format!("ecs {place} images"), calls));
                }
                (None, Some(fallback)) => &fallback.family,
                (None, None) => {
                    let why = format!("{id} has no image yet that -latest names");
                    return Ok((Err(why), format!("ecs {place} images"), calls));
                }
            }
        }
        (None, _, Some(family)) => family,
        (None, _, None) => {
            let id = written.id.as_deref().unwrap_or_default();
            return by_id(id, place, context).await;
        }
    };
    in_family(family, seen, context).await
}

async fn in_family(family: &str, seen: &Seen, context: &Context<'_>) -> Result<Found, Fault> {
    let (place, architecture) = (&seen.home.place, seen.class.architecture);
    let all = context
        .clients
        .aliyun
        .images_in_family(place, family)
        .await?;
    let fits = |it: &&aliyun::Image| it.architecture == architecture.ecs_name();
    let newest = all
        .items()
        .iter()
        .filter(fits)
        .max_by_key(|it| (it.created, it.id.clone()));
    let found = newest.map(image);
    let found = found.ok_or_else(|| format!("the family {family} has no image for {architecture}"));
    Ok((
        found,
        format!("family {family}"),
        pages(all.items().len(), 100),
    ))
}

async fn by_id(id: &str, place: &Place, context: &Context<'_>) -> Result<Found, Fault> {
    let found = context
        .clients
        .aliyun
        .any_image(place, &ImageId::new(id))
        .await?;
    let found = found.as_ref().map(image);
    let found = found.ok_or_else(|| format!("there is no image {id}"));
    Ok((found, format!("image {id}"), 1))
}

fn image(image: &aliyun::Image) -> Image {
    Image {
        id: image.id.clone(),
        size_gib: image.size_gib,
    }
}
