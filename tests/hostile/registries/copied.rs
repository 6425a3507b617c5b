//! Mirrors and layers that are refused: nothing is there by half, and the reason is told.

use reconcile::report::State;
use serde_json::{Value, json};

use super::{condition, declared, lab, objects, shown, sources, tags, world};
use crate::declared::acr;
use crate::proofs::lab::Lab;

const FOREVER: u64 = 1_000_000;
const ACR: &str = "registry.cn-hangzhou.aliyuncs.com";
const MIRROR: (&str, &str) = (ACR, "copies/app");

/// A lab whose `v1` is mirrored to Alibaba Cloud, where the user may do what `user` says.
fn mirrored(user: Value, troubles: &Value) -> Lab {
    let spec = "tags: [v1], mirrors: [{registryRef: acr, repository: copies/app}]";
    let mut whole = json!({"name": "ci", "password": "s3cret-of-ci"});
    super::merge(&mut whole, user);
    let registry =
        json!({"personality": "acrPersonal", "users": [whole], "namespaces": ["copies"]});
    let changes = json!({"troubles": troubles, "objects": {"registries": {ACR: registry}}});
    let world = world(&sources("v1", "r1"), changes);
    Lab::written(&(declared(spec) + &acr("attestations: drop")), world)
}

fn mirrored_tags(lab: &Lab) -> usize {
    let now = lab.now();
    lab.with_world(|it| it.tags(MIRROR, now).len())
}

#[test]
fn a_mirror_without_permission_is_told_and_the_tag_itself_is_merged() {
    lab_without_permission().block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(tags(lab).contains_key("v1"), "{}", shown(&report));
        assert_eq!(mirrored_tags(lab), 0);
        assert!(!report.is_converged());
        let said = shown(&report);
        assert!(said.contains("registry.cn-hangzhou.aliyuncs.com"), "{said}");
        assert!(said.to_lowercase().contains("denied"), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    });
}

fn lab_without_permission() -> Lab {
    mirrored(json!({"readOnly": true}), &json!([]))
}

#[test]
fn a_blob_that_ends_early_leaves_no_tag_and_is_fetched_again() {
    // Its second half never comes, once and for ever.
    let early = |times: u64| json!([{"action": "GET storage", "fault": "garbage", "times": times}]);
    mirrored(json!({}), &early(FOREVER)).block_on(async |lab| {
        let _ = lab.once(1).await;
        let report = lab.once(2).await;
        assert!(!report.is_converged(), "{}", shown(&report));
        assert_eq!(mirrored_tags(lab), 0);
        lab.trouble(&json!([]));
        let end = lab.converge(3).await;
        assert!(end.is_converged(), "{}", shown(&end));
        assert_eq!(mirrored_tags(lab), 1);
    });
    mirrored(json!({}), &early(1)).block_on(async |lab| {
        let end = lab.converge(1).await;
        assert!(end.is_converged(), "{}", shown(&end));
        assert_eq!(mirrored_tags(lab), 1);
    });
}

/// Both sources of `v1`, each eStargz or not.
fn layered(revision: &str, are: [bool; 2]) -> Value {
    let pairs = ["amd64", "arm64"].into_iter().zip(are);
    let source = |(architecture, estargz): (&str, bool)| {
        json!({
            "tags": [format!("v1-{architecture}")], "platform": format!("linux/{architecture}"),
            "revision": revision, "layers": [format!("{revision} {architecture}")], "estargz": estargz,
        })
    };
    pairs.map(source).collect()
}

#[test]
fn a_layer_that_is_not_estargz_keeps_the_old_tag_until_it_is() {
    let spec = "tags: [v1], compression: estargz";
    lab(spec, world(&layered("r1", [true, true]), json!({}))).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        let before = tags(lab)["v1"].clone();
        for are in [[true, false], [false, true], [false, false]] {
            let writes = lab.writes();
            lab.put(&objects(&layered("r2", are)));
            let report = lab.converge(2).await;
            assert_eq!(tags(lab)["v1"], before, "{are:?}: {}", shown(&report));
            assert_eq!(lab.writes(), writes, "{are:?}");
            let app = report.resources.iter().find(|(id, _)| id.name == "app");
            assert_eq!(app.expect("it is declared").1.state, State::Stalled);
            let said = condition(&report, "Ready").expect("it is said");
            let of = if are[0] { "v1-arm64" } else { "v1-amd64" };
            assert!(said.contains(of) && said.contains("estargz"), "{said}");
        }
        lab.put(&objects(&layered("r3", [true, true])));
        let end = lab.converge(3).await;
        assert!(end.is_converged(), "{}", shown(&end));
        assert_ne!(tags(lab)["v1"], before);
    });
}

#[test]
fn a_layer_that_cannot_be_read_is_unknown_and_not_taken_for_plain() {
    let spec = "tags: [v1], compression: estargz";
    lab(spec, world(&layered("r1", [true, true]), json!({}))).block_on(async |lab| {
        for fault in [
            json!({"fault": "status", "status": 503}),
            json!({"fault": "garbage"}),
            json!({"fault": "garbage", "status": 200}),
        ] {
            let mut trouble = fault.clone();
            trouble["action"] = json!("GET storage");
            trouble["times"] = json!(FOREVER);
            lab.trouble(&json!([trouble]));
            let report = lab.once(1).await;
            assert!(!report.unknown.is_empty(), "{fault}: {}", shown(&report));
            assert!(!tags(lab).contains_key("v1"), "{fault}");
        }
        lab.trouble(&json!([]));
        assert!(lab.converge(2).await.is_converged());
    });
}
