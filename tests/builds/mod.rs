//! Images that build themselves: what goes wrong on the way from a base image to `-latest`, at the wire.
//!
//! Whatever it is, the promises are checked after every pass: no second machine, no second image, none left.

mod capacity;
mod crashes;
mod images;
mod machines;
mod scripts;

use std::fs;
use std::path::Path;
use std::time::Duration;

use reconcile::report::Report;
use reconcile::sim::history::{Event, What};
use reconcile::sim::object::{Image, Instance};
use reconcile::sim::scenario::Scenario;
use serde_json::{Value, json};

use crate::proofs::lab::Lab;

const REGION: &str = "cn-hangzhou";

/// The line of `state`, with this in its spec besides, in this world.
fn lab(spec: &str, world: Value) -> Lab {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/builds/state");
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let state = fs::read_to_string(case.join("state.yaml")).expect("the case is there");
    let script = fs::read(case.join("scripts/provision.sh")).expect("its script is there");
    fs::write(
        folder.path().join("state.yaml"),
        format!("{}{spec}", state.trim_end()),
    )
    .expect("there is room for a file");
    fs::create_dir(folder.path().join("scripts")).expect("there is room for a folder");
    fs::write(folder.path().join("scripts/provision.sh"), script).expect("there is room");
    Lab::of(folder.path(), &scenario(world))
}

/// A world with one base image, and what else a test says.
fn scenario(mut world: Value) -> Scenario {
    let images = world["objects"]["images"].take();
    let mut images: Vec<Value> = images.as_array().cloned().unwrap_or_default();
    images.push(base("20261110", "2026-11-11T03:00:00Z"));
    world["objects"]["images"] = json!(images);
    let switch = |zone: &str| json!({"VSwitchId": format!("vsw-{zone}"), "VpcId": "vpc-1", "ZoneId": format!("{REGION}-{zone}")});
    world["vSwitches"] = json!([switch("j"), switch("k")]);
    world["securityGroups"] = json!([{"SecurityGroupId": "sg-1", "VpcId": "vpc-1"}]);
    Scenario::from_value(world).expect("a test writes a world")
}

/// A base image of Alibaba Cloud.
fn base(date: &str, created: &str) -> Value {
    let id = format!("ubuntu_24_04_x64_20G_alibase_{date}.vhd");
    json!({
        "ImageId": id, "ImageName": id, "CreationTime": created, "ImageOwnerAlias": "system", "Size": 20,
    })
}

/// The images of the line, in the order of their names.
fn images(lab: &Lab) -> Vec<Image> {
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

fn instances(lab: &Lab) -> Vec<Instance> {
    let now = lab.now();
    lab.with_world(|it| it.instances(REGION, now).into_iter().collect())
}

/// How often something happened.
fn count(lab: &Lab, is_meant: fn(&What) -> bool) -> usize {
    lab.with_world(|it| {
        let events = it.history().iter();
        events.filter(|it: &&Event| is_meant(&it.what)).count()
    })
}

fn launches(lab: &Lab) -> usize {
    count(lab, |it| matches!(it, What::InstanceCreated(_)))
}

fn commands(lab: &Lab) -> usize {
    count(lab, |it| matches!(it, What::CommandSent(_)))
}

/// The line is built, and nothing else is left.
fn check_built(lab: &Lab, report: &Report) {
    assert!(report.is_converged(), "{}", report.to_json());
    lab.check_end(report);
    let names: Vec<String> = images(lab).into_iter().map(|it| it.image_name).collect();
    assert_eq!(names, ["p-amd64-latest"]);
    assert_eq!(instances(lab), []);
}

/// What is said of the line.
fn said(report: &Report) -> String {
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
