//! `image-id` against what today's lookup script does: the cases that were recorded from it. `intended` wins.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::Place;

fn lookup(case: &Value) -> super::Run {
    let place = Place::empty();
    let settings = match case["server_options"]["imagename_match"].as_str() {
        Some("substring") => json!({"imageNameMatch": "substring"}),
        _ => json!({"imageNameMatch": "exact"}),
    };
    let mut images = case["images"].clone();
    for image in images.as_array_mut().expect("a case has images") {
        // The world knows by itself which images are used.
        image
            .as_object_mut()
            .expect("an image is an object")
            .remove("Usage");
    }
    let scenario = json!({"settings": settings, "objects": {"images": images}});
    place.write("scenario.yaml", &scenario.to_string());
    let name = case["env"]["IMAGE_NAME"]
        .as_str()
        .expect("a case has a name");
    let mut arguments = vec![
        "image-id",
        name,
        "--simulate=scenario.yaml",
        "--region",
        "cn-hangzhou",
    ];
    if let Some(arch) = case["env"]["ARCH"].as_str() {
        arguments.extend(["--arch", arch]);
    }
    let output = place.path("output");
    let run = super::finish(place.command(&arguments).env("GITHUB_OUTPUT", &output));
    let written = fs::read_to_string(output).unwrap_or_default();
    assert_eq!(written, run.stdout, "a workflow gets what a person sees");
    run
}

#[test]
fn answers_the_recorded_lookups_as_intended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lookup");
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the cases are there") {
        let path = entry.expect("the cases can be read").path();
        let case: Value = serde_json::from_str(&fs::read_to_string(&path).expect("a case is text"))
            .expect("a case is JSON");
        // Those without a name ask what is built upon: see `builds`, `bases`.
        if case["env"]["IMAGE_NAME"].is_null() {
            continue;
        }
        let run = lookup(&case);
        let intended = case["intended"].get("IMAGE_ID");
        let id = intended.unwrap_or(&case["upstream"]["stdout"]["IMAGE_ID"]);
        if let Some(id) = id.as_str() {
            assert_eq!(
                (run.code, run.stdout.as_str()),
                (Some(0), format!("IMAGE_ID={id}\n").as_str()),
                "{}",
                path.display()
            );
        } else {
            assert_eq!(
                (run.code, run.stdout.as_str()),
                (Some(1), ""),
                "{}",
                path.display()
            );
            assert!(
                run.stderr.contains("there is no Available image"),
                "{}",
                run.stderr
            );
        }
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn without_a_region_the_only_declared_one_is_taken_then_the_environments() {
    let place = Place::with_examples();
    let name = "demo-runner-amd64-latest";
    assert!(
        place
            .run(&["image-id", name, "--simulate"])
            .exits(0)
            .stdout
            .starts_with("IMAGE_ID=m-")
    );
    let empty = Place::empty();
    empty.run(&["image-id", name, "--simulate"]).exits(64);
    let mut command = empty.command(&["image-id", name, "--simulate", "--output", "json"]);
    let run = super::finish(command.env("ALIBABA_CLOUD_REGION_ID", "cn-hangzhou")).exits(0);
    assert_eq!(run.json()["name"], name);
}
