//! One prefix on a day on which nothing is to be done: what the scripts that `reconcile` replaces did then, as recorded
//! from them, beside what it does in the same world.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::figures::{Figures, tell};
use crate::program::Place;

const STATE: &str = "\
apiVersion: reconcile/v1alpha1
kind: AliyunRegion
metadata: {name: home}
spec: {regionId: cn-hangzhou, scope: bench, accountId: \"1000000000000001\"}
---
apiVersion: reconcile/v1alpha1
kind: MachineImage
metadata: {name: runner}
spec: {regionRef: home, namePrefix: github-runner-ubuntu24, architectures: [amd64]}
";

pub(crate) fn measure(figures: &mut Figures) {
    let recorded = recorded("skip/01-same-version-exact.json");
    let calls = recorded["upstream"]["api_calls"]
        .as_object()
        .expect("calls were recorded");
    let calls: u64 = calls.values().filter_map(Value::as_u64).sum();
    // The same scripts from the same beginning; the answer that gets lost there costs a machine, but no time.
    let waited =
        &self::recorded("faults/build-faults.json")["cases"]["runinstances-timeout-lost-response"];
    let waited = waited["virtual_seconds"]
        .as_u64()
        .expect("the time was recorded");
    let mut images = recorded["images"].clone();
    for image in images.as_array_mut().expect("a world has images") {
        // The world knows by itself which images are used.
        image
            .as_object_mut()
            .expect("an image is an object")
            .remove("Usage");
    }
    let cloud = Cloud::of(&json!({"objects": {"images": images}}));
    let place = Place::declaring(STATE);
    let adopting = place.run(cloud.environment(), &["--once", "--wait", "10m"]);
    assert_eq!(adopting.report["converged"], true, "{}", adopting.report);
    let before = cloud.calls_after(0);
    let ended = place.run(cloud.environment(), &["--once"]);
    let after = cloud.calls_after(before.last);
    tell(
        "one prefix with nothing to build: the old scripts; reconcile",
        format!(
            "{calls} calls, {waited} s; {} calls, {:.0} s (its first run, which adopts the image, {} calls, {:.0} s)",
            after.reads + after.writes,
            ended.took.as_secs_f64(),
            before.reads + before.writes,
            adopting.took.as_secs_f64(),
        ),
    );
    tell(
        "what that compares",
        "the scripts do not find that the version is there and build it again; reconcile, which builds nothing yet, is asked for names and retention alone",
    );
    figures.hold(
        after.writes == 0,
        "reconcile writes where nothing is to be done",
    );
}

fn recorded(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(file);
    let text = fs::read_to_string(path).expect("the record is there");
    serde_json::from_str(&text).expect("the record is JSON")
}
