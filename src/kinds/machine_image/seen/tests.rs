//! A line's part of a listing gives the same plan as the whole of it.

use crate::fact::Complete;
use crate::ids::{LaunchTemplateId, RegionId, ResourceId};
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
        let families = [None, Some("p-amd64"), Some("p-arm64"), Some("f")];
        let snapshot = self.one_of(&[1, 2, 3, 4, 5, 6, 7, 8]);
        aliyun::Image {
            id: ImageId::new(&format!("m-{number}")),
            name: self.one_of(&names).to_owned(),
            status: self.one_of(&statuses).clone(),
            architecture: self
                .one_of(&["x86_64", "x86_64", "arm64", "i386"])
                .to_owned(),
            created: Timestamp::parse(self.one_of(&days)),
            usable: self.one_of(&[Some(true), None, Some(false)]),
            in_use: self.one_of(&[false, false, true]),
            shared: false,
            size_gib: 20,
            family: self.one_of(&families).map(str::to_owned),
            snapshots: vec![SnapshotId::new(&format!("s-{snapshot}"))],
            progress: String::new(),
            tags: self.tags(),
        }
    }

    fn template(&mut self) -> Template {
        let sources = [None, Some("f"), Some("p-amd64"), Some("m-3")];
        let version = TemplateVersion {
            number: 1,
            source: self.one_of(&sources).map(str::to_owned),
            snapshots: Vec::new(),
        };
        Template {
            id: LaunchTemplateId::new("lt-1"),
            name: "web".to_owned(),
            versions: vec![version],
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
            bench: None,
            shares: Fact::Known(BTreeMap::new()),
            templates: Some(Fact::Known(vec![draw.template()])),
        };
        let images = aliyun::Images::of(Complete::read_to_its_end(images, at));
        let snapshots = aliyun::Snapshots::of(Complete::read_to_its_end(snapshots, at));
        let part = Seen {
            templates: whole.templates.clone(),
            ..see(&resource, home, &images, Some(&snapshots))
        };
        let planned = plan(&resource, &part, part.at);
        assert_eq!(planned, plan(&resource, &whole, whole.at), "seed {seed}");
        parts += part.images.len();
        wholes += whole.images.len();
        steps += planned.steps.len();
    }
    assert!(
        parts < wholes && steps > 2000,
        "{parts} of {wholes} images, {steps} steps"
    );
}
