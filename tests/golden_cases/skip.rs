//! A prefix of which nothing is to be built, against what today's scripts do then: the recorded run made 22 calls.

use std::path::Path;
use std::{fs, slice};

use reconcile::sim::scenario::Scenario;
use serde_json::{Value, json};

use super::WAYS;
use crate::proofs::lab::Lab;
use crate::proofs::state::state_of;

const STATE: &str = "\
{apiVersion: reconcile/v1alpha1, kind: AliyunRegion, metadata: {name: home}, spec: {regionId: cn-hangzhou, scope: test, accountId: \"1000000000000001\"}}
---
apiVersion: reconcile/v1alpha1
kind: MachineImage
metadata: {name: runner}
spec: {regionRef: home, namePrefix: github-runner-ubuntu24, architectures: [amd64]}
";

fn recorded() -> Value {
    let path = "tests/golden/skip/01-same-version-exact.json";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = fs::read_to_string(path).expect("the case is text");
    serde_json::from_str(&text).expect("the case is JSON")
}

#[test]
fn a_prefix_with_nothing_to_build_costs_two_reads_where_the_scripts_made_22_calls() {
    let recorded = recorded();
    let calls = recorded["upstream"]["api_calls"].as_object();
    let calls = calls.into_iter().flat_map(|it| it.values());
    assert_eq!(calls.filter_map(Value::as_u64).sum::<u64>(), 22);
    let mut image = recorded["images"][0].clone();
    // The world knows by itself which images are used.
    image
        .as_object_mut()
        .expect("an image is an object")
        .remove("Usage");
    for (name_match, order) in WAYS {
        let scenario = json!({
            "settings": {"imageNameMatch": name_match, "listingOrder": order},
            "objects": {"images": slice::from_ref(&image)},
        });
        let scenario = Scenario::from_value(scenario).expect("the case is a world");
        Lab::declaring(STATE, &scenario).block_on(async |lab| {
            let first = lab.converge(1).await;
            assert!(first.is_converged(), "{}", first.to_json());
            let (state, now) = (state_of(lab), lab.now());
            let again = lab.once(2).await;
            assert_eq!(
                (
                    again.calls.reads,
                    again.calls.writes,
                    again.calls.lower_bound
                ),
                (2, 0, 2)
            );
            assert_eq!(
                (state_of(lab), lab.now()),
                (state, now),
                "nothing is waited for"
            );
        });
    }
}
