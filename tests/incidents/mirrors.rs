//! What went wrong with copies of images in other registries, above all in that of Alibaba Cloud.

use std::collections::BTreeMap;

use reconcile::ids::Digest;
use reconcile::report::{Outcome, Report, State};
use reconcile::sim::registry::history::Deed;
use serde_json::{Value, json};

use crate::declared;
use crate::proofs::lab::Lab;

const GHCR: &str = "ghcr.io";
const ACR: &str = "registry.cn-hangzhou.aliyuncs.com";
const PLAIN: &str = "cr.example";
const HOME: (&str, &str) = (GHCR, "acme/app");

/// Registries, and a repository with one required tag and these mirrors, each as `registry repository`.
fn declared(acr: &str, mirrors: &[&str]) -> String {
    let mirrors: Vec<String> = mirrors
        .iter()
        .filter_map(|it| it.split_once(' '))
        .map(|(registry, name)| format!("{{registryRef: {registry}, repository: {name}}}"))
        .collect();
    let documents = [
        declared::registry("ghcr", "host: ghcr.io"),
        declared::acr(&format!("maxPathDepth: 2, {acr}")),
        declared::registry("plain", &format!("host: {PLAIN}")),
        repository("app", &mirrors.join(", ")),
    ];
    documents.concat()
}

fn repository(name: &str, mirrors: &str) -> String {
    let spec =
        format!("registryRef: ghcr, repository: acme/{name}, tags: [v1], mirrors: [{mirrors}]");
    declared::repository(name, &spec)
}

/// The sources of `v1`, each with an attestation as `BuildKit` makes them since 0.32.
fn sources() -> Value {
    json!({"manifests": [
        {"tags": ["v1-amd64"], "revision": "r1", "attested": true},
        {"tags": ["v1-arm64"], "platform": "linux/arm64", "revision": "r1", "attested": true},
    ]})
}

fn world() -> Value {
    let user = json!({"name": "ci", "password": "s3cret-of-ci"});
    let scopes = ["repo", "read:packages", "write:packages"];
    let token = json!({"token": "ghp_of_ci", "login": "ci", "scopes": scopes});
    json!({"github": {"tokens": [token]}, "objects": {"registries": {
        GHCR: {"personality": "ghcr", "repositories": {"acme/app": sources(), "acme/a-b": sources()}},
        ACR: {"personality": "acrPersonal", "users": [user], "namespaces": ["copies"]},
        PLAIN: {},
    }}})
}

fn tags(lab: &Lab, place: (&str, &str)) -> BTreeMap<String, Digest> {
    let now = lab.now();
    lab.with_world(|it| it.tags(place, now))
}

/// The entries of an index that a tag names.
fn entries(lab: &Lab, place: (&str, &str), tag: &str) -> Vec<Value> {
    let now = lab.now();
    let digest = tags(lab, place)[tag].clone();
    let manifests = lab.with_world(|it| it.manifests(place, now));
    let index: Value = serde_json::from_slice(&manifests[&digest].bytes).expect("it is JSON");
    index["manifests"]
        .as_array()
        .expect("it is an index")
        .clone()
}

fn is_image(entry: &Value) -> bool {
    entry["platform"]["os"] == "linux"
}

/// What is said of the repository, reason by reason.
fn said(report: &Report) -> String {
    let of_kind = report.resources.iter();
    let mut of_kind = of_kind.filter(|(id, _)| id.kind == "ImageRepository");
    let (_, resource) = of_kind.next().expect("a repository is declared");
    let lines = resource
        .conditions
        .iter()
        .map(|it| format!("{} {}: {}", it.kind, it.reason, it.message));
    lines.collect::<Vec<_>>().join("\n")
}

/// How often each blob was sent to a registry.
fn sent(lab: &Lab, host: &str) -> BTreeMap<Digest, usize> {
    let mut sent = BTreeMap::new();
    lab.with_world(|it| {
        for happening in it.registry_history().iter().filter(|it| it.host == host) {
            if let Deed::BlobPushed { digest, .. } = &happening.what {
                *sent.entry(digest.clone()).or_default() += 1;
            }
        }
    });
    sent
}

/// Brings everything to what is declared.
async fn converge(lab: &Lab) {
    let report = lab.converge(1).await;
    assert!(report.is_converged(), "{}", report.to_json());
}

/// Another pass, by another process, writes nothing.
async fn check_still(lab: &Lab) {
    let writes = lab.writes();
    let again = lab.once(7).await;
    assert!(again.actions.is_empty(), "{}", again.to_json());
    assert_eq!(lab.writes(), writes);
}

#[test]
fn koordinator_3194_a_mirror_that_refuses_attestations_says_so_and_holds_up_no_other() {
    let state = declared(
        "attestations: keep",
        &["acr copies/app", "plain copies/app"],
    );
    Lab::written(&state, world()).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(tags(lab, HOME).contains_key("v1"));
        assert_eq!(
            tags(lab, (PLAIN, "copies/app"))["v1"],
            tags(lab, HOME)["v1"]
        );
        assert!(!tags(lab, (ACR, "copies/app")).contains_key("v1"));
        let said = said(&report);
        assert!(said.contains("unknown manifest class"), "{said}");
        assert!(said.contains("attestations: auto"), "{said}");
    });
}

#[test]
fn mibeenvr_397_what_was_refused_once_is_left_out_and_not_tried_again() {
    let state = declared("attestations: auto", &["acr copies/app"]);
    Lab::written(&state, world()).block_on(async |lab| {
        converge(lab).await;
        let there = entries(lab, (ACR, "copies/app"), "v1");
        assert_eq!(there.len(), 2);
        check_still(lab).await;
        assert!(
            sent(lab, ACR).values().all(|it| *it == 1),
            "a blob was sent twice"
        );
    });
}

#[test]
fn zrlog_252_without_attestations_the_digest_differs_and_those_of_the_platforms_do_not() {
    let state = declared("attestations: drop", &["acr copies/app"]);
    Lab::written(&state, world()).block_on(async |lab| {
        converge(lab).await;
        let mirror = (ACR, "copies/app");
        assert_ne!(tags(lab, mirror)["v1"], tags(lab, HOME)["v1"]);
        let mut here = entries(lab, HOME, "v1");
        assert_eq!(here.len(), 4);
        here.retain(is_image);
        assert_eq!(entries(lab, mirror, "v1"), here);
        check_still(lab).await;
    });
}

#[test]
fn spiffe_csi_280_nothing_unknown_is_served_where_attestations_are_dropped() {
    let state = declared(
        "attestations: drop",
        &["acr copies/app", "plain copies/app"],
    );
    Lab::written(&state, world()).block_on(async |lab| {
        converge(lab).await;
        assert!(entries(lab, (ACR, "copies/app"), "v1").iter().all(is_image));
        assert!(
            !entries(lab, (PLAIN, "copies/app"), "v1")
                .iter()
                .all(is_image)
        );
    });
}

#[test]
fn docker_cli_4833_skopeo_1645_an_absent_namespace_is_explained_and_holds_up_no_other() {
    let state = declared(
        "attestations: auto",
        &["acr elsewhere/app", "plain copies/app"],
    );
    Lab::written(&state, world()).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert_eq!(
            tags(lab, (PLAIN, "copies/app"))["v1"],
            tags(lab, HOME)["v1"]
        );
        let said = said(&report);
        for words in [
            "MirrorDenied",
            "elsewhere/app",
            "403",
            "does the namespace exist",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    });
}

#[test]
fn image_syncer_152_image_syncer_154_a_failure_names_what_failed_and_why() {
    let state = declared("attestations: keep", &["acr copies/app"]);
    Lab::written(&state, world()).block_on(async |lab| {
        let report = lab.once(1).await;
        let failed = report.actions.iter().find_map(|it| {
            if let Outcome::Failed(fault) = &it.result {
                return Some((it.object.clone(), fault.to_string()));
            }
            None
        });
        let (object, fault) = failed.expect("a registry refuses attestations");
        assert_eq!(
            object.as_deref(),
            Some("registry.cn-hangzhou.aliyuncs.com/copies/app:v1")
        );
        assert!(fault.contains("unknown manifest class"), "{fault}");
    });
}

#[test]
fn skopeo_1021_skopeo_2426_regclient_215_what_has_not_changed_costs_one_look_a_tag() {
    let state = declared(
        "attestations: drop",
        &["acr copies/app", "plain copies/app"],
    );
    Lab::written(&state, world()).block_on(async |lab| {
        converge(lab).await;
        let before = lab.with_world(|it| it.calls().len());
        check_still(lab).await;
        let asked = lab.with_world(|it| {
            let calls = it.calls().iter().skip(before);
            let of_mirrors = calls.filter(|it| {
                let object = it.object.as_deref().unwrap_or_default();
                object.contains("copies/app") && !it.action.ends_with("token")
            });
            of_mirrors.map(|it| it.action.clone()).collect::<Vec<_>>()
        });
        assert!(
            asked.iter().all(|it| it == "HEAD manifest") && asked.len() <= 4,
            "{asked:?}"
        );
        let pulled = lab.with_world(|it| {
            let calls = it.calls().iter().skip(before);
            calls.filter(|it| it.action == "GET manifest").count()
        });
        assert_eq!(pulled, 0, "a pull counts against a quota");
    });
}

#[test]
fn w34_a_mirror_that_cannot_be_looked_at_is_not_an_empty_one() {
    for status in [401, 403, 429, 500, 502] {
        let mut world = world();
        world["troubles"] = json!([{"action": "HEAD manifest", "object": format!("{ACR}/copies/app@v1"),
            "fault": "status", "status": status, "times": 1_000_000}]);
        let state = declared(
            "attestations: auto",
            &["acr copies/app", "plain copies/app"],
        );
        Lab::written(&state, world).block_on(async |lab| {
            let report = lab.once(1).await;
            assert!(tags(lab, (ACR, "copies/app")).is_empty(), "{status}");
            assert!(sent(lab, ACR).is_empty(), "{status}");
            assert_eq!(tags(lab, (PLAIN, "copies/app")).len(), 1, "{status}");
            assert!(!report.is_converged(), "{status}");
        });
    }
}

#[test]
fn w30_a_bare_tag_of_one_architecture_is_mirrored_as_the_index_that_it_must_be() {
    let mut world = world();
    let manifests =
        &mut world["objects"]["registries"][GHCR]["repositories"]["acme/app"]["manifests"];
    let bare = json!({"tags": ["v1"], "revision": "r1"});
    manifests
        .as_array_mut()
        .expect("it has manifests")
        .push(bare);
    let state = declared("attestations: drop", &["acr copies/app"]);
    Lab::written(&state, world).block_on(async |lab| {
        converge(lab).await;
        assert_eq!(entries(lab, (ACR, "copies/app"), "v1").len(), 2);
    });
}

#[test]
fn two_names_that_are_flattened_into_one_are_refused_before_anything_is_written() {
    let other = repository("a-b", "{registryRef: acr, repository: copies/a/b}");
    let one = declared("attestations: drop", &["acr copies/a-b"]);
    let same = declared("attestations: drop", &["acr copies/a-b", "acr copies/a/b"]);
    for state in [format!("{one}{other}"), same] {
        Lab::written(&state, world()).block_on(async |lab| {
            let report = lab.converge(1).await;
            assert!(tags(lab, (ACR, "copies/a-b")).is_empty());
            assert!(sent(lab, ACR).is_empty());
            let states = report.resources.iter();
            let mut states = states.filter(|(id, _)| id.kind == "ImageRepository");
            assert!(
                states.all(|(_, it)| it.state == State::Stalled),
                "{}",
                report.to_json()
            );
            assert!(said(&report).contains("Contested"), "{}", said(&report));
        });
    }
}
