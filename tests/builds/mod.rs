//! Images that build themselves: what goes wrong on the way from a base image to `-latest`, at the wire.
//!
//! Whatever it is, the promises are checked after every pass: no second machine, no second image, none left.

mod bases;
mod capacity;
mod crashes;
mod created;
mod days;
mod faults;
mod images;
mod machines;
mod matrix;
mod scripts;
mod shared;
mod skipped;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use reconcile::kinds::tags::{MANAGED_BY, OWNER, VERSION};
use reconcile::report::Report;
use reconcile::sim::history::{Event, What};
use reconcile::sim::object::{Image, Instance};
use reconcile::sim::scenario::Scenario;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::proofs::lab::Lab;

const REGION: &str = "cn-hangzhou";

/// What the line's file ends with.
const LAST: &str = "instanceClassRefs: {amd64: small}";

/// The line of `state`, with this in its spec besides, in this world.
pub(crate) fn lab(spec: &str, world: Value) -> Lab {
    edited(&[(LAST, &format!("{LAST}{spec}"))], &scenario(world))
}

/// The line of `state` after some edits, in this world.
pub(crate) fn edited(edits: &[(&str, &str)], scenario: &Scenario) -> Lab {
    Lab::of(written(edits).path(), scenario)
}

/// The files of `state`; each first text, in whichever it stands, becomes the second.
pub(crate) fn written(edits: &[(&str, &str)]) -> TempDir {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/builds/state");
    let folder = tempfile::tempdir().expect("there is room for a folder");
    fs::create_dir(folder.path().join("scripts")).expect("there is room for a folder");
    let names = ["state.yaml", "scripts/provision.sh"];
    let mut files = names.map(|it| fs::read_to_string(case.join(it)).expect("the case is there"));
    for (from, to) in edits {
        let file = files.iter_mut().find(|it| it.contains(from));
        let file = file.unwrap_or_else(|| panic!("{from} stands nowhere"));
        *file = file.replacen(from, to, 1);
    }
    for (name, text) in names.iter().zip(files) {
        let text = text.trim_end();
        fs::write(folder.path().join(name), format!("{text}\n")).expect("there is room");
    }
    folder
}

/// A world with one base image, and what else a test says.
fn scenario(mut world: Value) -> Scenario {
    let images = world["objects"]["images"].take();
    let mut images: Vec<Value> = images.as_array().cloned().unwrap_or_default();
    images.push(base("20261110", "2026-11-11T03:00:00Z"));
    world["objects"]["images"] = json!(images);
    networked(world)
}

/// A world with a network that machines can be put into.
pub(crate) fn networked(mut world: Value) -> Scenario {
    let switch = |zone: &str| json!({"VSwitchId": format!("vsw-{zone}"), "VpcId": "vpc-1", "ZoneId": format!("{REGION}-{zone}")});
    world["vSwitches"] = json!([switch("h"), switch("j"), switch("k")]);
    world["securityGroups"] = json!([{"SecurityGroupId": "sg-1", "VpcId": "vpc-1"}]);
    Scenario::from_value(world).expect("a test writes a world")
}

/// A case that was recorded from the scripts.
fn recorded(path: &str) -> Value {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let text = fs::read_to_string(golden.join(path)).expect("the case is text");
    serde_json::from_str(&text).expect("the case is JSON")
}

/// The images of a recorded world.
fn recorded_images(images: &Value) -> Vec<Value> {
    let images = images.as_array().expect("a case has images");
    let image = |it: &Value| {
        let mut image = it.clone();
        // The world knows by itself which images are used.
        image
            .as_object_mut()
            .expect("an image is an object")
            .remove("Usage");
        image
    };
    images.iter().map(image).collect()
}

/// The line of the scripts: their prefix, and as many images as they keep.
const THEIRS: [(&str, &str); 2] = [
    ("namePrefix: p", "namePrefix: github-runner-ubuntu24"),
    ("keep: 2", "keep: 5"),
];

/// How the images of that line are called.
const STEM: &str = "github-runner-ubuntu24-amd64-";

/// What those names end with, the newest first: `latest`, then those with a date.
fn rests(lab: &Lab) -> Vec<String> {
    let now = lab.now();
    let images = lab.with_world(|it| it.images(REGION, now));
    let rest = |it: &Image| it.image_name.strip_prefix(STEM).map(str::to_owned);
    let mut rests: Vec<String> = images.iter().filter_map(rest).collect();
    rests.sort_by(|a, b| b.cmp(a));
    rests
}

/// For how long the name `-latest` named nothing, each time that it did; the last time may not be over.
fn gaps(lab: &Lab) -> Vec<Duration> {
    let (now, mut since, mut gaps) = (lab.now(), None, Vec::new());
    let history = lab.with_world(|it| it.history().to_vec());
    for event in &history {
        let What::ImageRenamed { from, to, .. } = &event.what else {
            continue;
        };
        if from.ends_with("-latest") {
            since = Some(event.at);
        }
        if to.ends_with("-latest") {
            gaps.extend(since.take().map(|it| event.at.since(it)));
        }
    }
    gaps.extend(since.map(|it| now.since(it)));
    gaps
}

/// How long a reconciler that lives needs from one of the two renames to the other, at most.
const RENAMES: Duration = Duration::from_secs(10);

/// The tags that say of which version an image is that the line builds upon such a base.
pub(crate) fn version_tags(edits: &[(&str, &str)], base: &Value) -> Value {
    let lab = edited(edits, &networked(json!({"objects": {"images": [base]}})));
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        let now = lab.now();
        let images = lab.with_world(|it| it.images(REGION, now));
        let built = images.into_iter().find(|it| it.source.is_some());
        let tags = built.expect("it was built").tags;
        let said = [MANAGED_BY, OWNER, VERSION].map(|it| (it, &tags[it]));
        json!(BTreeMap::from(said))
    })
}

/// A base image of Alibaba Cloud.
pub(crate) fn base(date: &str, created: &str) -> Value {
    let id = format!("ubuntu_24_04_x64_20G_alibase_{date}.vhd");
    json!({
        "ImageId": id, "ImageName": id, "CreationTime": created, "ImageOwnerAlias": "system", "Size": 20,
    })
}

/// The images of the line, in the order of their names.
pub(crate) fn images(lab: &Lab) -> Vec<Image> {
    let now = lab.now();
    let mut images: Vec<Image> = lab.with_world(|it| {
        let all = it.images(REGION, now);
        all.into_iter()
            .filter(|it| it.image_name.starts_with("p-amd64-"))
            .collect()
    });
    images.sort_by(|a, b| a.image_name.cmp(&b.image_name));
    images
}

pub(crate) fn instances(lab: &Lab) -> Vec<Instance> {
    let now = lab.now();
    lab.with_world(|it| it.instances(REGION, now).into_iter().collect())
}

/// How often something happened.
pub(crate) fn count(lab: &Lab, is_meant: fn(&What) -> bool) -> usize {
    lab.with_world(|it| {
        let events = it.history().iter();
        events.filter(|it: &&Event| is_meant(&it.what)).count()
    })
}

pub(crate) fn launches(lab: &Lab) -> usize {
    count(lab, |it| matches!(it, What::InstanceCreated(_)))
}

fn commands(lab: &Lab) -> usize {
    count(lab, |it| matches!(it, What::CommandSent(_)))
}

/// The line is built, and nothing else is left.
pub(crate) fn check_built(lab: &Lab, report: &Report) {
    assert!(report.is_converged(), "{}", report.to_json());
    lab.check_end(report);
    let names: Vec<String> = images(lab).into_iter().map(|it| it.image_name).collect();
    assert_eq!(names, ["p-amd64-latest"]);
    assert_eq!(instances(lab), []);
}

/// What is said of the line.
pub(crate) fn said(report: &Report) -> String {
    let line = report
        .resources
        .iter()
        .find(|(id, _)| id.kind == "MachineImage");
    let (_, line) = line.expect("it is declared");
    let said: Vec<String> = line
        .conditions
        .iter()
        .map(|it| format!("{}: {}", it.reason, it.message))
        .collect();
    said.join("\n")
}

const DAY: Duration = Duration::from_secs(24 * 3600);
