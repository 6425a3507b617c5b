//! The images of an account that matter to one line; where one is to be deleted, the launch templates; where one was, the
//! snapshots.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::fault::Fault;
use crate::ids::{ImageId, LaunchTemplateId, SnapshotId};
use crate::kind::Context;
use crate::kinds::aliyun_region::{AliyunRegion, Home};
use crate::kinds::architecture::Architecture;
use crate::kinds::tags::{self, Owner};
use crate::plan::pages;
use crate::providers::aliyun;
use crate::resource::Resource;

use super::build::{self, Bench};
use super::plan::deletes_images;
use super::share::{self, Shares};
use super::spec::Spec;

/// What was seen for one line of images.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Where, and whose objects are ours.
    pub home: Home,
    /// The custom images in that region, in all statuses, that the line's plan can depend on; each once, by id.
    pub images: Vec<Image>,
    /// How many the account has there in all.
    pub images_listed: usize,
    /// When they were listed, by the service's clock.
    pub at: Timestamp,
    /// The snapshots that are tagged as this line's; none: it was no time to look at them.
    pub snapshots: Option<Vec<Snapshot>>,
    /// How many the region has in all, where they were looked at.
    pub snapshots_listed: usize,
    /// What builds the line's images; none: nothing does.
    pub bench: Option<Fact<Bench>>,
    /// With which accounts images are shared, where that is managed.
    pub shares: Fact<Shares>,
    /// All launch templates; none: no image is to be deleted, whatever they say.
    pub templates: Option<Fact<Vec<Template>>>,
}

/// One custom image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Its name.
    pub name: String,
    /// How far it is.
    pub phase: Phase,
    /// Its architecture; none: one that we do not know.
    pub architecture: Option<Architecture>,
    /// When it was created; none: the service does not say.
    pub created: Option<Timestamp>,
    /// Whether an instance uses it.
    pub in_use: bool,
    /// Whether it is shared with other accounts.
    pub shared: bool,
    /// Its size.
    pub size_gib: u64,
    /// Its family; none: it is in no family.
    pub family: Option<String>,
    /// The snapshots behind it.
    pub snapshots: Vec<SnapshotId>,
    /// How much of it is made, as in `45%`; empty: the service does not say.
    pub progress: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// How far an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is being made, or not usable yet.
    Making,
    /// Machines can be made from it.
    Available,
    /// It could not be made, and will not be.
    Failed,
    /// It was withdrawn (`UnAvailable`, `Deprecated`) or is in a status that we do not know.
    Withdrawn,
}

/// One snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A launch template: machines are launched from each of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its id.
    pub id: LaunchTemplateId,
    /// Its name.
    pub name: String,
    /// All its versions.
    pub versions: Vec<TemplateVersion>,
}

/// One version of a launch template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateVersion {
    /// Its number.
    pub number: u64,
    /// What it launches: the id of an image, or a family in some form; none: that is told at the launch.
    pub source: Option<String>,
    /// The snapshots that its data disks are made from.
    pub snapshots: Vec<SnapshotId>,
}

impl Seen {
    /// The fewest calls that tell this: pages of 100, of launch templates and their versions pages of 50 (ECS API
    /// reference, `DescribeImages`, `DescribeSnapshots`, `DescribeLaunchTemplates`).
    pub fn listings(&self) -> BTreeMap<String, u64> {
        let listing = |what: &str| format!("ecs {} {what}", self.home.place);
        let mut listings = BTreeMap::new();
        listings.insert(listing("images"), pages(self.images_listed, 100));
        if self.snapshots.is_some() {
            listings.insert(listing("snapshots"), pages(self.snapshots_listed, 100));
        }
        if let Some(Fact::Known(templates)) = &self.templates {
            let versions = templates.iter().map(|it| pages(it.versions.len(), 50));
            let calls = pages(templates.len(), 50) + versions.sum::<u64>();
            listings.insert(listing("launch templates"), calls);
        }
        if let Some(Fact::Known(bench)) = &self.bench {
            listings.extend(bench.listings(&self.home.place));
        }
        if let Fact::Known(shares) = &self.shares {
            let of = |image: &ImageId| listing(&format!("shares of {image}"));
            listings.extend(
                shares
                    .iter()
                    .map(|(image, it)| (of(image), pages(it.len(), 100))),
            );
        }
        listings
    }
}

impl Image {
    /// Whose it is.
    pub fn owner(&self, resource: &Resource<Spec>, home: &Home) -> Owner {
        tags::owner(&self.tags, &home.scope, &resource.id)
    }

    /// The time that its dated name tells: when its builder was created, of what we built, else its own.
    pub fn dated(&self) -> Option<Timestamp> {
        let built = || {
            self.tags.get(tags::BUILDER)?;
            let seconds: i64 = self.tags.get(tags::BUILD_TIMESTAMP)?.parse().ok()?;
            Some(Timestamp::from_millis(seconds.checked_mul(1000)?))
        };
        built().or(self.created)
    }
}

/// What is remembered between passes: when all snapshots of deleted images were last seen to be gone.
pub(super) const SWEPT: &str = "snapshots-swept";

/// How often snapshots are looked at although nothing was deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn observe(
    resource: &Resource<Spec>,
    context: &Context<'_>,
) -> Result<Seen, Fault> {
    let home = context
        .spec::<AliyunRegion>(resource.spec.region_ref.as_str())
        .home();
    let ecs = &context.clients.aliyun;
    let images = ecs.images(&home.place).await?;
    let swept = context.remembered.get(SWEPT);
    let due = swept.is_none_or(|swept| images.listed().at().since(*swept) >= SWEEP_EVERY);
    let snapshots = if resource.spec.retention.delete_snapshots && due {
        Some(ecs.snapshots(&home.place).await?)
    } else {
        None
    };
    let mut seen = see(resource, home, &images, snapshots.as_deref());
    seen.bench = build::observe(resource, context, &seen).await;
    seen.shares = share::observe(resource, context, &seen).await;
    // Each template is a call of its own, so they are read only where their word decides.
    seen.templates = if deletes_images(resource, &seen) {
        Some(match ecs.launch_templates(&seen.home.place).await {
            Ok(listed) => Fact::Known(listed.items().iter().map(template).collect()),
            Err(fault) => Fact::Unknown(fault),
        })
    } else {
        None
    };
    Ok(seen)
}

/// Picks what matters to a line out of whole listings. Lines share these: each that went through all of them, or held
/// them all, would make a pass as slow and as large as their product. No launch template says anything yet.
fn see(
    resource: &Resource<Spec>,
    home: Home,
    images: &aliyun::Images,
    snapshots: Option<&aliyun::Snapshots>,
) -> Seen {
    let owner = resource.id.to_string();
    let left = snapshots.map(|it| it.tagged(tags::OWNER, &owner).map(snapshot).collect());
    Seen {
        images: of_line(resource, images, left.iter().flatten()),
        images_listed: images.items().len(),
        at: images.listed().at(),
        snapshots: left,
        snapshots_listed: snapshots.map_or(0, |it| it.items().len()),
        home,
        bench: None,
        shares: Fact::Known(Shares::new()),
        templates: Some(Fact::Known(Vec::new())),
    }
}

/// All images that have a name or the tag of the line, the newest of the families that those are in, the pinned one, and
/// those that `snapshots` stand or stood behind.
fn of_line<'a>(
    resource: &Resource<Spec>,
    images: &aliyun::Images,
    snapshots: impl Iterator<Item = &'a Snapshot>,
) -> Vec<Image> {
    let prefix = format!("{}-", resource.spec.name_prefix);
    let mut found: Vec<&aliyun::Image> = images.named_like(&prefix).collect();
    let owner = resource.id.to_string();
    let ours = || images.tagged(tags::OWNER, &owner);
    found.extend(ours());
    found.extend(ours().filter_map(|it| images.newest_of_family(it.family.as_deref()?)));
    if let Some(pin) = resource.spec.pinned() {
        found.extend(images.with_id(&ImageId::new(pin)));
    }
    for snapshot in snapshots {
        found.extend(images.made_of(&snapshot.id));
        if let Some(image) = snapshot.tags.get(tags::ORPHAN_OF) {
            found.extend(images.with_id(&ImageId::new(image)));
        }
    }
    found.sort_by_key(|it| &it.id);
    found.dedup_by_key(|it| &it.id);
    found.into_iter().map(image).collect()
}

pub(super) fn template(seen: &aliyun::LaunchTemplate) -> Template {
    let version = |it: &aliyun::LaunchTemplateVersion| TemplateVersion {
        number: it.number,
        source: it.image.clone(),
        snapshots: it.snapshots.clone(),
    };
    Template {
        id: seen.id.clone(),
        name: seen.name.clone(),
        versions: seen.versions.iter().map(version).collect(),
    }
}

fn snapshot(seen: &aliyun::Snapshot) -> Snapshot {
    Snapshot {
        id: seen.id.clone(),
        tags: seen.tags.clone(),
    }
}

pub(super) fn image(seen: &aliyun::Image) -> Image {
    use aliyun::ImageStatus as Status;
    let phase = match &seen.status {
        Status::Creating | Status::Waiting => Phase::Making,
        // ECS reports an image as Available before machines can be made from it (ECS API reference, `Usable`).
        Status::Available if seen.usable == Some(false) => Phase::Making,
        Status::Available => Phase::Available,
        Status::CreateFailed => Phase::Failed,
        Status::UnAvailable | Status::Deprecated | Status::Other(_) => Phase::Withdrawn,
    };
    let architecture = match seen.architecture.as_str() {
        "x86_64" => Some(Architecture::Amd64),
        "arm64" => Some(Architecture::Arm64),
        _ => None,
    };
    Image {
        id: seen.id.clone(),
        name: seen.name.clone(),
        phase,
        architecture,
        created: seen.created,
        in_use: seen.in_use,
        shared: seen.shared,
        size_gib: seen.size_gib,
        family: seen.family.clone(),
        snapshots: seen.snapshots.clone(),
        progress: seen.progress.clone(),
        tags: seen.tags.clone(),
    }
}

#[cfg(test)]
mod tests;
