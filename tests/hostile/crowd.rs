//! Many objects: pages upon pages, and only a few of them ours.

use std::fmt::Write;
use std::time::SystemTime;

use reconcile::clock::Timestamp;
use reconcile::ids::{ImageId, InstanceId, SnapshotId};
use reconcile::sim::object::{DiskDeviceMapping, Image, Instance};
use reconcile::sim::scenario::Scenario;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::proofs::cases::Case;
use crate::proofs::figure;
use crate::proofs::lab::Lab;
use crate::proofs::reference::Reference;

/// How many objects of each sort there are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Crowd {
    /// Images of the line, with a snapshot each; three more than are kept.
    pub(super) images: usize,
    /// Images with other names.
    pub(super) other_images: usize,
    /// Images with names of the line, which nobody owns.
    pub(super) unowned_images: usize,
    /// Machines; two of them are too old.
    pub(super) instances: usize,
}

/// Few enough for the guards.
const SURPLUS: usize = 3;
const OVERDUE: usize = 2;

impl Crowd {
    /// The case, and the folder that its state files are in.
    pub(super) fn case(self, name: &str) -> (Case, TempDir) {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        std::fs::write(folder.path().join("all.yaml"), self.state())
            .expect("a file can be written");
        let case = Case::new(name, folder.path(), &self.scenario());
        (case, folder)
    }

    fn state(self) -> String {
        let keep = (self.images + self.unowned_images)
            .saturating_sub(SURPLUS)
            .clamp(1, 1000);
        format!(
            "apiVersion: reconcile/v1alpha1\nkind: AliyunRegion\nmetadata: {{name: home}}\n\
             spec: {{regionId: cn-hangzhou, scope: test}}\n---\n\
             apiVersion: reconcile/v1alpha1\nkind: MachineImage\nmetadata: {{name: line}}\n\
             spec: {{regionRef: home, namePrefix: line, architectures: [amd64], retention: {{keep: {keep}}}}}\n---\n\
             apiVersion: reconcile/v1alpha1\nkind: InstancePolicy\nmetadata: {{name: all}}\n\
             spec: {{regionRef: home, selector: {{tags: {{ci: \"yes\"}}}}}}\n"
        )
    }

    fn scenario(self) -> Scenario {
        let mut scenario = Scenario::default();
        let start = scenario.start;
        let owned = json!({"reconcile:managed-by": "test", "reconcile:owner": "MachineImage/line"});
        for n in 0..self.images {
            let mut image = image(
                &format!("m-ours{n:05}"),
                &dated(start, n),
                start.minus(minutes(n)),
            );
            image.tags = tags(&owned);
            let snapshot_id = SnapshotId::new(&format!("s-ours{n:05}"));
            image.disk_device_mappings = vec![disk(&snapshot_id)];
            scenario.objects.images.push(image);
        }
        for n in self.images..self.images + self.unowned_images {
            let id = format!("m-nobody{n:05}");
            scenario
                .objects
                .images
                .push(image(&id, &dated(start, n), start.minus(minutes(n))));
        }
        for n in 0..self.other_images {
            let created = start.minus(minutes(n));
            let other = image(&format!("m-other{n:05}"), &format!("other-{n}"), created);
            scenario.objects.images.push(other);
        }
        for n in 0..self.instances {
            let hours = if n < OVERDUE { 9 } else { 1 };
            let created = start.minus(minutes(hours * 60 + n));
            scenario.objects.instances.push(instance(n, created));
        }
        scenario
    }
}

fn minutes(count: usize) -> std::time::Duration {
    std::time::Duration::from_secs(60 * count as u64)
}

/// A name of the line; the newest is `-latest` already.
fn dated(start: Timestamp, n: usize) -> String {
    match n {
        0 => "line-amd64-latest".to_owned(),
        _ => format!("line-amd64-{}", start.minus(minutes(n)).minute_digits()),
    }
}

fn tags(of: &Value) -> std::collections::BTreeMap<String, String> {
    serde_json::from_value(of.clone()).expect("tags are texts")
}

fn image(id: &str, name: &str, created: Timestamp) -> Image {
    let value = json!({"ImageId": ImageId::new(id), "ImageName": name, "CreationTime": created});
    serde_json::from_value(value).expect("an image is written right")
}

fn disk(snapshot_id: &SnapshotId) -> DiskDeviceMapping {
    serde_json::from_value(json!({"SnapshotId": snapshot_id})).expect("a disk is written right")
}

fn instance(n: usize, created: Timestamp) -> Instance {
    let value = json!({
        "InstanceId": InstanceId::new(&format!("i-{n:05}")),
        "InstanceName": format!("ci-{n}"),
        "ImageId": "m-other00000",
        "CreationTime": created,
        "SpotStrategy": "SpotAsPriceGo",
        "Tags": {"ci": "yes"},
    });
    serde_json::from_value(value).expect("an instance is written right")
}

fn milliseconds(since: SystemTime) -> u128 {
    since.elapsed().map_or(0, |it| it.as_millis())
}

#[test]
fn ten_thousand_images_converge_and_then_cost_the_fewest_calls() {
    let crowd = Crowd {
        images: 300,
        other_images: 9_700,
        ..Crowd::default()
    };
    let (case, _folder) = crowd.case("crowd");
    Lab::new(&case).block_on(async |lab| {
        let first = lab.converge(1).await;
        assert!(first.is_converged(), "{}", first.to_json());
        let begun = SystemTime::now();
        let again = lab.once(2).await;
        let elapsed = milliseconds(begun);
        assert!(again.actions.is_empty());
        assert_eq!(again.calls.reads, again.calls.lower_bound);
        // 9,997 images and no instances; the dry run that proves it and the look at the snapshots were today.
        assert_eq!(again.calls.total(), 100 + 1);
        figure(
            "a pass over 10,000 images with nothing to do, ms",
            &elapsed.to_string(),
        );
    });
}

#[test]
fn ten_thousand_images_that_nobody_owns_are_planned_in_time_that_grows_with_them() {
    let mut said = String::new();
    let mut plan = |unowned_images| {
        let crowd = Crowd {
            unowned_images,
            ..Crowd::default()
        };
        let (case, _folder) = crowd.case("nobody's");
        let begun = SystemTime::now();
        let report = Lab::new(&case).block_on(async |lab| lab.plan(1).await);
        assert_eq!(report.actions.len(), unowned_images);
        let elapsed = milliseconds(begun);
        let _ = write!(said, "{unowned_images} in {elapsed} ms, ");
        elapsed
    };
    let (few, many) = (plan(1_000), plan(10_000));
    figure(
        "planning the adoption of images",
        said.trim_end_matches(", "),
    );
    // The simulated cloud sorts the whole listing for each of its pages; that alone grows by a hundred.
    assert!(many < 400 * few.max(10), "{said}");
}

#[test]
fn a_crowd_of_every_sort_comes_to_its_end() {
    let crowd = Crowd {
        images: 230,
        other_images: 40,
        instances: 120,
        ..Crowd::default()
    };
    let (case, _folder) = crowd.case("crowd");
    let reference = Reference::of(&case);
    let count = |start: &str| {
        reference
            .state
            .iter()
            .filter(|it| it.starts_with(start))
            .count()
    };
    assert_eq!(count("m-ours"), 230 - SURPLUS);
    assert_eq!(count("s-ours"), 230 - SURPLUS);
    assert_eq!((count("m-other"), count("i-")), (40, 120 - OVERDUE));
}
