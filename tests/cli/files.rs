//! `check`, `show` and `schema`: the state files, offline.

use std::path::Path;

use super::{Place, reconcile};

#[test]
fn the_examples_are_valid_without_any_environment() {
    let run = reconcile(&["check"]).exits(0);
    assert_eq!(run.stdout, "11 resources in state: valid\n");
    let json = reconcile(&["check", "--output", "json"]).exits(0).json();
    assert_eq!(json["valid"], true);
}

#[test]
fn every_error_of_every_file_is_named_with_its_place_and_what_would_be_accepted() {
    let place = Place::with_examples();
    place.edit("state/images.yaml", "retention:", "retension:");
    place.edit(
        "state/images.yaml",
        "regionRef: hangzhou",
        "regionRef: hangzou",
    );
    place.edit("state/instances.yaml", "maxAge: 4h", "maxAge: 4 hours");
    place.edit(
        "state/instances.yaml",
        "kind: InstancePolicy\nmetadata:\n  name: demo-ci",
        "kind: InstancePolice\nmetadata:\n  name: demo-ci",
    );
    place.edit(
        "state/region.yaml",
        "scope: demo",
        "scope: demo\n  scope: demo",
    );
    let run = place.run(&["check"]).exits(65);
    let said = |text: &str| assert!(run.stderr.contains(text), "no {text} in\n{}", run.stderr);
    said("state/images.yaml:12:3: ");
    said("`retention`");
    said("state/instances.yaml:");
    said("4 hours");
    said("InstancePolicy");
    said("state/region.yaml:10:3: ");
    assert_eq!(run.stdout, "");
    let json = place.run(&["check", "--output", "json"]).exits(65).json();
    assert_eq!(json["valid"], false);
    assert!(json["findings"].as_array().is_some_and(|it| it.len() >= 4));
    // No command contacts anything before every file is valid.
    place.run(&["--once", "--simulate"]).exits(65);
    place.run(&["plan", "--simulate"]).exits(65);
}

#[test]
fn references_that_lead_nowhere_are_named_with_the_nearest_name() {
    let place = Place::with_examples();
    place.edit(
        "state/images.yaml",
        "regionRef: hangzhou",
        "regionRef: hangzou",
    );
    place.edit(
        "state/instances.yaml",
        "maxAge: 4h\n  idleAfter: 1m",
        "maxAge: 1m\n  idleAfter: 4h",
    );
    let run = place.run(&["check"]).exits(65);
    assert_eq!(
        run.stderr,
        "state/images.yaml:9:14: spec.regionRef: there is no AliyunRegion `hangzou` (did you mean `hangzhou`?)\n\
         state/instances.yaml:12:14: spec.idleAfter: idleAfter is 4h, more than maxAge, which is 1m\n\
         2 errors in the state files; nothing was contacted\n"
    );
}

#[test]
fn a_folder_that_is_missing_or_empty_is_said_to_be() {
    let place = Place::empty();
    assert_eq!(
        place.run(&["check"]).exits(0).stdout,
        "0 resources in state: valid\n"
    );
    let run = place.run(&["check", "--state", "nowhere"]).exits(65);
    assert!(run.stderr.contains("nowhere"), "{}", run.stderr);
}

#[test]
fn show_fills_in_every_default_and_what_it_prints_is_valid_again() {
    let shown = reconcile(&["show"]).exits(0).stdout;
    for default in [
        "maxDeletes: 10",
        "maxDeletePercent: 30",
        "idleAfter: 10m",
        "adopt: ByNameAndArchitecture",
        "imageFamily: <prefix>-<arch>",
        "GITHUB_RUNNER_TYPE: aliyun-ecs-spot",
    ] {
        assert!(shown.contains(default), "no {default} in\n{shown}");
    }
    let place = Place::empty();
    place.write("state/all.yaml", &shown);
    place.write_tools();
    assert_eq!(place.run(&["show"]).exits(0).stdout, shown);
    let one = reconcile(&["show", "AliyunRegion/hangzhou"])
        .exits(0)
        .stdout;
    assert!(
        one.contains("kind: AliyunRegion") && !one.contains("---"),
        "{one}"
    );
    reconcile(&["show", "AliyunRegion/nowhere"]).exits(1);
    let run = reconcile(&["show", "AliyunRegio"]).exits(64);
    assert!(run.stderr.contains("AliyunRegion"), "{}", run.stderr);
}

#[test]
fn the_schema_is_draft_07_and_accepts_the_examples() {
    let schema = reconcile(&["schema"]).exits(0).json();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let validator = jsonschema::draft7::new(&schema).expect("the schema is one");
    let shown = reconcile(&["show", "--output", "json"]).exits(0).json();
    for document in shown.as_array().expect("resources are a list") {
        let errors: Vec<String> = validator
            .iter_errors(document)
            .map(|it| it.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?} in {document:#}");
    }
    let one = reconcile(&["schema", "MachineImage"]).exits(0).json();
    assert!(jsonschema::draft7::new(&one).is_ok());
    reconcile(&["schema", "MachineImages"]).exits(64);
}

#[test]
fn every_example_file_points_editors_to_the_schema() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("state");
    let kept = std::fs::read_to_string(examples.join(".schema.json"))
        .expect("the schema is kept beside the examples");
    assert_eq!(
        kept,
        reconcile(&["schema"]).exits(0).stdout,
        "`reconcile schema >state/.schema.json` renews it"
    );
    for entry in std::fs::read_dir(examples).expect("the examples are there") {
        let path = entry.expect("the examples can be read").path();
        if path.extension().is_some_and(|it| it == "yaml") {
            let text = std::fs::read_to_string(&path).expect("an example is text");
            assert!(
                text.starts_with("# yaml-language-server: $schema=.schema.json\n"),
                "{}",
                path.display()
            );
        }
    }
}
