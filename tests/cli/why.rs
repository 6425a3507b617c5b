//! `why`: the rule, and what would change it; held against what a plan does.

use serde_json::{Value, json};

use super::Place;

const TAGS: &str =
    r#"{"reconcile:managed-by": "demo", "reconcile:owner": "MachineImage/demo-runner"}"#;

/// A world with seven owned images of one line, the newest of them `-latest`, and machines.
fn place() -> Place {
    let place = Place::with_machines();
    place.edit("state/images.yaml", "[amd64, arm64]", "[amd64]");
    let tags: Value = serde_json::from_str(TAGS).expect("tags are JSON");
    let image = |n: usize| {
        let mut image = json!({
            "ImageId": format!("m-{n}"),
            "ImageName": format!("demo-runner-amd64-2026110{n}0217"),
            "CreationTime": format!("2026-11-0{n}T02:17:30Z"),
            "DiskDeviceMappings": {"DiskDeviceMapping": [{"SnapshotId": format!("s-{n}")}]},
            "Tags": tags,
        });
        if n == 7 {
            image["ImageName"] = json!("demo-runner-amd64-latest");
            image["ImageFamily"] = json!("demo-runner-amd64");
            image["Tags"]["Latest"] = json!("true");
        }
        image
    };
    let machine = |id: &str, created: &str| {
        json!({
            "InstanceId": id,
            "InstanceName": format!("builder-{id}"),
            "ImageId": "m-2",
            "CreationTime": created,
            "SpotStrategy": "SpotAsPriceGo",
            "Tags": {"demo-purpose": "image-builder"},
        })
    };
    let mut images: Vec<Value> = (1..=7).map(image).collect();
    images.push(json!({
        "ImageId": "m-other", "ImageName": "demo-runner-amd64-hand-made", "CreationTime": "2026-11-01T02:17:30Z",
    }));
    let instances = [
        machine("i-old", "2026-11-20T02:00:00Z"),
        machine("i-young", "2026-11-21T01:00:00Z"),
    ];
    let world = json!({"objects": {"images": images, "instances": instances}});
    place.write("world.yaml", &world.to_string());
    place
}

#[test]
fn the_fate_of_an_object_is_what_a_plan_does_to_it() {
    let place = place();
    let plan = place.run(&["plan", "--simulate=world.yaml", "--output", "json"]);
    let plan = plan.exits(0).json();
    let is_deleted = |object: &str| {
        let actions = plan["actions"].as_array().expect("actions are a list");
        let mut deletions = actions.iter().filter(|it| it["verb"] == "delete");
        deletions.any(|it| it["object"] == object)
    };
    for (object, fate, rule, change) in [
        (
            "m-7",
            "kept",
            "-latest names it: it is the newest",
            "spec.latest.imageId",
        ),
        (
            "m-6",
            "kept",
            "it is number 2 of the 5",
            "4 newer images, or spec.retention.keep: 1",
        ),
        (
            "demo-runner-amd64-202611030217",
            "kept",
            "number 5 of the 5",
            "1 newer images",
        ),
        (
            "m-2",
            "kept",
            "an instance uses it",
            "once that is no longer so",
        ),
        (
            "m-1",
            "goes",
            "than retention.keep=5 keeps",
            "m-1 in spec.retention.keepIds",
        ),
        (
            "s-1",
            "kept",
            "it stands behind m-1",
            "when that image goes",
        ),
        (
            "m-other",
            "left alone",
            "nobody owns it",
            "demo-runner-amd64-latest",
        ),
        (
            "i-old",
            "goes",
            "older than spec.maxAge=4h",
            "a longer spec.maxAge",
        ),
        (
            "builder-i-young",
            "kept",
            "younger than spec.maxAge=4h",
            "it goes in 10800 s",
        ),
    ] {
        let arguments = ["why", object, "--simulate=world.yaml", "--output", "json"];
        let said = place.run(&arguments).exits(0).json();
        let [reason] = said["reasons"]
            .as_array()
            .expect("reasons are a list")
            .as_slice()
        else {
            panic!("{object}: {said}");
        };
        let text = |name: &str| reason[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(text("fate"), fate, "{object}: {said}");
        assert!(text("rule").contains(rule), "{object}: {said}");
        assert!(text("change").contains(change), "{object}: {said}");
        assert_eq!(is_deleted(&text("object")), fate == "goes", "{object}");
        let shown = place.run(&arguments[..3]).exits(0).stdout;
        assert!(shown.contains(&text("rule")), "{shown}");
        assert!(shown.contains(&format!("[{}:", text("file"))), "{shown}");
    }
}

#[test]
fn an_object_that_nobody_has_to_do_with_is_not_found() {
    let place = place();
    let run = place
        .run(&["why", "m-none", "--simulate=world.yaml"])
        .exits(1);
    assert!(
        run.stderr
            .contains("no declared resource has to do with m-none"),
        "{}",
        run.stderr
    );
    assert_eq!(run.stdout, "");
}
