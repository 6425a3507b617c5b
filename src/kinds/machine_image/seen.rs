//! The images of an account that matter to one line, and where a deletion left something behind, its snapshots.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::{ImageId, SnapshotId};
use crate::kind::Context;
use crate::kinds::aliyun_region::{AliyunRegion, Home};
use crate::kinds::tags::{self, Owner};
use crate::providers::aliyun;
use crate::resource::Resource;

use super::spec::{Architecture, Spec};

/// What was seen for one line of images.
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl Image {
    /// Whose it is.
    pub fn owner(&self, resource: &Resource<Spec>, home: &Home) -> Owner {
        tags::owner(&self.tags, &home.scope, &resource.id)
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
    Ok(see(resource, home, &images, snapshots.as_deref()))
}

/// Picks what matters to a line out of whole listings. Lines share these: each that went through all of them, or held
/// them all, would make a pass as slow and as large as their product.
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
    }
}

/// All images that have a name or the tag of the line, the pinned one, and those that `snapshots` stand or stood behind.
fn of_line<'a>(
    resource: &Resource<Spec>,
    images: &aliyun::Images,
    snapshots: impl Iterator<Item = &'a Snapshot>,
) -> Vec<Image> {
    let prefix = format!("{}-", resource.spec.name_prefix);
    let mut found: Vec<&aliyun::Image> = images.named_like(&prefix).collect();
    found.extend(images.tagged(tags::OWNER, &resource.id.to_string()));
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
        tags: seen.tags.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::fact::Complete;
    use crate::ids::{RegionId, ResourceId};
    use crate::kinds::machine_image::plan::plan;
    use crate::providers::aliyun::{ImageStatus, Place};
    use crate::resource::{Goal, Policy, Source};

    use super::*;

    /// Numbers that a seed decides.
    struct Draw(u64);

    impl Draw {
        fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let index = (self.0 >> 33) % values.len() as u64;
            values[usize::try_from(index).expect("an index is small")]
        }

        fn tags(&mut self) -> BTreeMap<String, String> {
            let owners = ["", "", "MachineImage/x", "MachineImage/x", "MachineImage/y"];
            let scopes = ["", "demo", "demo", "demo", "other"];
            let marks = [("", ""), (tags::LATEST, "true")];
            let orphans = ["", "m-3", "m-7", "m-99"];
            let drawn = [
                (tags::OWNER, self.one_of(&owners)),
                (tags::MANAGED_BY, self.one_of(&scopes)),
                self.one_of(&marks),
                (tags::ORPHAN_OF, self.one_of(&orphans)),
            ];
            let set = drawn.iter().filter(|(_, value)| !value.is_empty());
            set.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        }

        fn image(&mut self, number: u32) -> aliyun::Image {
            let names = [
                "p-amd64-latest",
                "p-arm64-latest",
                "p-amd64-202611120217",
                "p-amd64-202611130217",
                "p-amd64-x",
                "p",
                "p-",
                "pq-amd64-latest",
                "q-amd64-latest",
                "o-amd64-202611120217",
                "q",
                "",
            ];
            let days = [
                "2026-11-10T02:17:30Z",
                "2026-11-11T02:17:30Z",
                "2026-11-12T02:17:30Z",
                "",
            ];
            let statuses = [
                &ImageStatus::Available,
                &ImageStatus::Available,
                &ImageStatus::Creating,
                &ImageStatus::CreateFailed,
                &ImageStatus::Deprecated,
            ];
            let snapshot = self.one_of(&[1, 2, 3, 4, 5, 6, 7, 8]);
            aliyun::Image {
                id: ImageId::new(&format!("m-{number}")),
                name: self.one_of(&names).to_owned(),
                status: self.one_of(&statuses).clone(),
                architecture: self
                    .one_of(&["x86_64", "x86_64", "arm64", "i386"])
                    .to_owned(),
                created: Timestamp::parse(self.one_of(&days)),
                usable: Some(true),
                in_use: self.one_of(&[false, false, true]),
                shared: false,
                size_gib: 20,
                family: None,
                snapshots: vec![SnapshotId::new(&format!("s-{snapshot}"))],
                tags: self.tags(),
            }
        }

        fn resource(&mut self) -> Resource<Spec> {
            let adopt = self.one_of(&["ByTag", "ByNameAndArchitecture"]);
            let spec = serde_json::json!({
                "regionRef": "r", "namePrefix": "p", "architectures": ["amd64", "arm64"], "adopt": adopt,
                "retention": {"keep": self.one_of(&[1, 2])},
                "latest": self.one_of(&[None, None, Some("m-4"), Some("m-88")]).map(|it| serde_json::json!({"imageId": it})),
            });
            let ensure = self.one_of(&[Goal::Present, Goal::Present, Goal::Absent]);
            Resource {
                id: ResourceId::new("MachineImage", "x"),
                labels: BTreeMap::new(),
                policy: Policy {
                    ensure,
                    ..Policy::default()
                },
                spec: serde_json::from_value(spec).expect("a test writes a valid spec"),
                source: Source::start_of("state/x.yaml"),
            }
        }
    }

    #[test]
    fn the_part_that_a_line_sees_is_all_that_its_plan_depends_on() {
        let (mut parts, mut wholes, mut steps) = (0, 0, 0);
        for seed in 0..2000 {
            let mut draw = Draw(seed);
            let resource = draw.resource();
            let images: Vec<_> = (0..25).rev().map(|it| draw.image(it)).collect();
            let snapshots: Vec<_> = (0..10)
                .map(|it| aliyun::Snapshot {
                    id: SnapshotId::new(&format!("s-{it}")),
                    name: String::new(),
                    created: None,
                    status: "accomplished".to_owned(),
                    size_gib: 20,
                    tags: draw.tags(),
                })
                .collect();
            let home = Home {
                place: Place {
                    region: RegionId::new("cn-hangzhou"),
                    endpoint: None,
                },
                scope: "demo".to_owned(),
            };
            let mut all: Vec<Image> = images.iter().map(image).collect();
            all.sort_by(|a, b| a.id.cmp(&b.id));
            let at = Timestamp::EPOCH;
            let whole = Seen {
                home: home.clone(),
                images_listed: all.len(),
                images: all,
                at,
                snapshots: Some(snapshots.iter().map(snapshot).collect()),
                snapshots_listed: snapshots.len(),
            };
            let images = aliyun::Images::of(Complete::read_to_its_end(images, at));
            let snapshots = aliyun::Snapshots::of(Complete::read_to_its_end(snapshots, at));
            let part = see(&resource, home, &images, Some(&snapshots));
            let planned = plan(&resource, &part);
            assert_eq!(planned, plan(&resource, &whole), "seed {seed}");
            parts += part.images.len();
            wholes += whole.images.len();
            steps += planned.steps.len();
        }
        assert!(
            parts < wholes && steps > 2000,
            "{parts} of {wholes} images, {steps} steps"
        );
    }
}
