//! Worlds: images, machines and snapshots of all sorts, and services that behave in all the ways they may.

use std::collections::BTreeSet;
use std::time::Duration;

use reconcile::clock::Timestamp;
use reconcile::sim::scenario::Scenario;
use serde_json::{Value, json};

use super::draw::Draw;
use super::files::{Files, IMAGES_MAX, Line};

const START: &str = "2026-11-21T02:00:00Z";

/// Images of others that a page ends among.
const CROWD: u64 = 95;

/// A world for these files. What troubles there are is no part of it.
pub(super) fn world(draw: &mut Draw, files: &Files, seed: u64) -> Scenario {
    let settings = json!({
        "imageNameMatch": draw.pick(&["substring", "exact"]),
        "missingDeletion": draw.pick(&["notFound", "ignored"]),
        "listingOrder": draw.pick(&["newestFirst", "oldestFirst", "shuffled"]),
        "pageSizeMax": draw.pick(&[1, 3, 10, 100]),
        "throttling": throttling(draw),
    });
    let lag = draw.pick(&[0, 0, 0, 5, 30, 100]);
    let times = json!({"listingLag": lag, "tagFilterLag": draw.pick(&[0, 60])});
    let images = images(draw, files);
    let instances = instances(draw, files, images.len() as u64);
    let snapshots = snapshots(draw, files);
    let runners = runners(draw, &instances);
    let world = json!({
        "start": START, "seed": seed, "settings": settings, "times": times,
        "objects": {
            "instances": instances,
            "snapshots": snapshots,
            "images": images,
            "runners": runners,
        },
        "github": {"tokens": [{"token": "ghp-nobody", "login": "bot", "scopes": ["repo"]}]},
    });
    Scenario::from_value(world).expect("the swarm writes worlds right")
}

fn throttling(draw: &mut Draw) -> Value {
    if draw.chance(85) {
        return Value::Null;
    }
    json!({"perMinute": draw.between(3, 20), "status": draw.pick(&[400, 429])})
}

fn ago(hours: u64, seconds: u64) -> Timestamp {
    let start = Timestamp::parse(START).expect("a time");
    start.minus(Duration::from_secs(hours * 3600 + seconds))
}

fn images(draw: &mut Draw, files: &Files) -> Vec<Value> {
    let mut images = Vec::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    let lines = &files.lines;
    let count = if lines.is_empty() {
        2
    } else {
        draw.between(0, IMAGES_MAX)
    };
    for number in 1..=count {
        let hours = draw.between(1, 400);
        // Some are of the same second.
        let seconds = draw.pick(&[0, 0, 17]);
        let created = ago(if draw.chance(20) { 48 } else { hours }, seconds);
        let stranger = Line {
            name: "stranger".to_owned(),
            prefix: "stranger".to_owned(),
            architectures: vec!["amd64"],
        };
        let line = if lines.is_empty() {
            stranger
        } else {
            draw.pick(lines)
        };
        let architecture = draw.pick(&line.architectures);
        let name = name(draw, &line, (architecture, created));
        if !names.insert(name.clone()) {
            continue;
        }
        let mut image =
            json!({"ImageId": format!("m-{number}"), "ImageName": name, "CreationTime": created});
        image["Architecture"] = match (architecture, draw.chance(3)) {
            (_, true) => json!("i386"),
            ("arm64", false) => json!("arm64"),
            (_, false) => json!("x86_64"),
        };
        decorate(draw, &line, &mut image);
        images.push(image);
    }
    if draw.chance(10) {
        let other = |n| json!({"ImageId": format!("m-other{n}"), "ImageName": format!("other-{n}"), "CreationTime": ago(n, 0)});
        images.extend((0..CROWD).map(other));
    }
    images
}

fn name(draw: &mut Draw, line: &Line, (architecture, created): (&str, Timestamp)) -> String {
    let stem = format!("{}-{architecture}-", line.prefix);
    match draw.below(10) {
        0 | 1 => format!("{stem}latest"),
        2 => format!("{stem}{}", ago(draw.between(1, 400), 0).minute_digits()),
        3 => format!("odd-{}", draw.below(1000)),
        4 => format!("{stem}{}-test", created.minute_digits()),
        _ => format!("{stem}{}", created.minute_digits()),
    }
}

/// Gives an image a status, an owner and all else that it may have.
fn decorate(draw: &mut Draw, line: &Line, image: &mut Value) {
    let rare = [
        "CreateFailed",
        "Deprecated",
        "UnAvailable",
        "Creating",
        "Waiting",
    ];
    if draw.chance(20) {
        image["Status"] = json!(draw.pick(&rare));
    }
    if draw.chance(3) {
        image["Usable"] = json!(false);
    }
    if draw.chance(3) {
        image["CreationTime"] = json!("");
    }
    if draw.chance(5) {
        image["IsSelfShared"] = json!(true);
    }
    let family = format!("{}-amd64", line.prefix);
    image["ImageFamily"] = json!(draw.pick(&["", &family, "another"]));
    let id = image["ImageId"].as_str().expect("it has an id").to_owned();
    let disks: Vec<Value> = (0..draw.below(3))
        .map(|it| json!({"SnapshotId": format!("s-{id}-{it}")}))
        .collect();
    image["DiskDeviceMappings"] = json!({"DiskDeviceMapping": disks});
    let mut tags = owner(draw, &format!("MachineImage/{}", line.name));
    if draw.chance(30) {
        tags["Latest"] = json!(draw.pick(&["true", "false"]));
    }
    image["Tags"] = tags;
}

/// Tags that say whose an object is.
fn owner(draw: &mut Draw, resource: &str) -> Value {
    match draw.below(10) {
        0..=2 => json!({}),
        3 => json!({"reconcile:managed-by": "another", "reconcile:owner": resource}),
        4 => json!({"reconcile:managed-by": "test", "reconcile:owner": "MachineImage/gone"}),
        5 => json!({"reconcile:managed-by": draw.pick(&["test", "another"])}),
        _ => json!({"reconcile:managed-by": "test", "reconcile:owner": resource}),
    }
}

fn instances(draw: &mut Draw, files: &Files, images: u64) -> Vec<Value> {
    let mut instances = Vec::new();
    for number in 0..draw.between(0, 8) {
        let mut tags = match draw.below(10) {
            0 => json!({"reconcile:managed-by": "another"}),
            1 => json!({"reconcile:managed-by": "test", "reconcile:owner": "RunnerSet/a"}),
            _ => json!({}),
        };
        for selector in &files.selectors {
            if draw.chance(60) {
                tags[*selector] = json!("yes");
            }
        }
        if draw.chance(10) {
            tags["reconcile:retiring"] = json!("true");
        }
        if draw.chance(15) {
            tags["reconcile:idle-since"] = json!(ago(draw.below(3), draw.below(600)));
        }
        let id = format!("i-{number}");
        let mut instance = json!({
            "InstanceId": id, "InstanceName": id, "ImageId": "ubuntu", "Tags": tags,
            "CreationTime": ago(draw.pick(&[0, 1, 3, 5, 30, 300]), draw.below(3600)),
            "Status": draw.pick(&["Running", "Stopped"]),
            "SpotStrategy": draw.pick(&["SpotAsPriceGo", "SpotWithPriceLimit", "NoSpot"]),
            "DeletionProtection": draw.chance(8),
        });
        if draw.chance(20) {
            instance["ImageId"] = json!(format!("m-{}", draw.between(1, images.max(1))));
        }
        if draw.chance(5) {
            instance["InstanceChargeType"] = json!("PrePaid");
        }
        if draw.chance(15) {
            instance["AutoReleaseTime"] =
                json!(ago(0, 0).plus(Duration::from_secs(draw.between(1, 7200))));
        }
        instances.push(instance);
    }
    instances
}

/// Runners of some instances, and records of machines that are gone.
fn runners(draw: &mut Draw, instances: &[Value]) -> Vec<Value> {
    let names = instances.iter().map(|it| it["InstanceName"].clone());
    let names = names.chain((0..3).map(|it| json!(format!("left-{it}"))));
    let mut runners = Vec::new();
    for name in names {
        if draw.chance(40) {
            continue;
        }
        let is_online = draw.chance(60);
        runners.push(json!({
            "of": "acme/app", "name": name, "online": is_online, "busy": is_online && draw.chance(50),
            "ephemeral": draw.chance(80),
        }));
    }
    runners
}

/// Snapshots that stood behind images which may be gone, and others.
fn snapshots(draw: &mut Draw, files: &Files) -> Vec<Value> {
    let mut snapshots = Vec::new();
    for number in 0..draw.below(4) {
        let owners = files.lines.iter().map(|it| it.name.clone());
        let owners: Vec<String> = owners.chain(["gone".to_owned()]).collect();
        let mut tags = owner(
            draw,
            &format!("MachineImage/{}", draw.clone().pick(&owners)),
        );
        if draw.chance(60) {
            tags["reconcile:orphan-of"] = json!(format!("m-{}", draw.between(1, 40)));
        }
        let id = format!("s-{number}");
        snapshots.push(
            json!({"SnapshotId": id, "CreationTime": ago(draw.between(1, 400), 0), "Tags": tags}),
        );
    }
    snapshots
}
