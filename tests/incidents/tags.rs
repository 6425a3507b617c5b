//! What went wrong with tags of several architectures: mixed, half, clobbered, fought over, or waited for in vain.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use reconcile::ids::Digest;
use reconcile::providers::registry::Manifest;
use reconcile::providers::registry::content::{Content, Descriptor, Index};
use reconcile::report::{Outcome, Report, State};
use reconcile::sim::registry::history::{By, Deed};
use reconcile::sim::server::{Gate, GatePoint, Side, Verdict};
use serde_json::{Value, json};

use crate::declared;
use crate::proofs::lab::Lab;

const PLACE: (&str, &str) = ("registry.example", "example/app");

/// A lab with one repository whose spec says this besides, and with these manifests in it.
pub(super) fn lab(spec: &str, manifests: &Value) -> Lab {
    let registry = declared::registry("registry", "host: registry.example");
    let spec = format!("registryRef: registry, repository: example/app, {spec}");
    let repository = declared::repository("app", &spec);
    let world = json!({"objects": objects(manifests)});
    Lab::written(&format!("{registry}{repository}"), world)
}

/// Manifests that are, or come to be, in the repository.
pub(super) fn objects(manifests: &Value) -> Value {
    json!({"registries": {"registry.example": {"repositories": {
        "example/app": {"public": true, "manifests": manifests}
    }}}})
}

/// One architecture of a build, as `BuildKit` pushes it.
pub(super) fn built(tag: &str, architecture: &str, revision: &str) -> Value {
    json!({
        "tags": [format!("{tag}-{architecture}")], "platform": format!("linux/{architecture}"),
        "revision": revision, "attested": true,
    })
}

/// Both architectures of one build.
fn build(tag: &str, revision: &str) -> Value {
    json!([built(tag, "amd64", revision), built(tag, "arm64", revision)])
}

pub(super) fn tags(lab: &Lab) -> BTreeMap<String, Digest> {
    let now = lab.now();
    lab.with_world(|it| it.tags(PLACE, now))
}

fn read(lab: &Lab, digest: &Digest) -> Content {
    let now = lab.now();
    let stored = lab.with_world(|it| it.manifests(PLACE, now).remove(digest));
    let stored = stored.expect("what is named is there");
    let manifest = Manifest {
        digest: digest.clone(),
        media_type: stored.media_type.clone(),
        bytes: stored.bytes.to_vec(),
    };
    manifest.content().expect("it can be read")
}

/// The index that a tag names.
pub(super) fn index(lab: &Lab, tag: &str) -> Index {
    let digest = tags(lab).remove(tag);
    match read(lab, &digest.unwrap_or_else(|| panic!("there is no {tag}"))) {
        Content::Index(index) => index,
        Content::Image(image) => panic!("{tag} is no index: {image:?}"),
    }
}

/// What the sources of a tag have, one after the other.
fn of_sources(lab: &Lab, tag: &str) -> Vec<Descriptor> {
    let sources = ["amd64", "arm64"].map(|it| index(lab, &format!("{tag}-{it}")));
    sources.into_iter().flat_map(|it| it.manifests).collect()
}

/// Whether a tag is what its sources are, each of its parts there.
pub(super) fn is_merged(lab: &Lab, tag: &str) -> bool {
    let index = index(lab, tag);
    let now = lab.now();
    let stored = lab.with_world(|it| it.manifests(PLACE, now));
    let is_there = |it: &Descriptor| stored.contains_key(&it.digest);
    index.manifests.iter().all(is_there) && index.manifests == of_sources(lab, tag)
}

pub(super) fn condition<'a>(report: &'a Report, kind: &str) -> Option<&'a str> {
    let resources = report.resources.values();
    let mut conditions = resources.flat_map(|it| &it.conditions);
    conditions
        .find(|it| it.kind == kind)
        .map(|it| it.message.as_str())
}

/// Nothing was written to the tag, and it is said why.
fn check_kept(lab: &Lab, report: &Report, (tag, before): (&str, Option<&Digest>), kind: &str) {
    assert_eq!(tags(lab).get(tag), before, "{tag}: {}", report.to_json());
    assert_eq!(lab.writes(), 0, "{}", report.to_json());
    assert!(
        condition(report, kind).is_some_and(|it| it.starts_with(&format!("{tag}: "))),
        "{kind}: {}",
        report.to_json()
    );
}

#[test]
fn buildx_1519_manifest_tool_233_observal_560_sources_that_are_indexes_are_merged_flat() {
    let lab = lab("tags: [v1]", &build("v1", "c1"));
    lab.block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        assert!(is_merged(lab, "v1"));
        assert_eq!(lab.writes(), 1);
    });
}

#[test]
fn spiffe_csi_280_attestations_stay_beside_what_they_are_about() {
    let lab = lab("tags: [v1]", &build("v1", "c1"));
    lab.block_on(async |lab| {
        let _ = lab.converge(1).await;
        let index = index(lab, "v1");
        let about = |it: &Descriptor| it.annotations.get("vnd.docker.reference.digest").cloned();
        for pair in index.manifests.chunks(2) {
            assert_eq!(about(&pair[0]), None);
            assert_eq!(about(&pair[1]), Some(pair[0].digest.to_string()));
        }
    });
}

#[test]
fn w30_r59_a_build_that_pushes_one_architecture_under_the_bare_tag_is_put_right() {
    let mut world = build("v1", "c1").as_array().cloned().expect("it is a list");
    world.push(json!({"tags": ["v1"], "platform": "linux/amd64", "revision": "c1"}));
    let lab = lab("tags: [v1]", &json!(world));
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert!(is_merged(lab, "v1"));
        lab.put(&objects(
            &json!([{"tags": ["v1"], "platform": "linux/arm64", "revision": "c1"}]),
        ));
        assert!(lab.converge(2).await.is_converged());
        assert!(is_merged(lab, "v1"));
    });
}

#[test]
fn w31_r60_r61_versions_are_merged_whatever_they_are_called() {
    let names = ["v1.0.0", "1.0.0", "v1.0.0-rc1", "v1.27.1.2", "develop"];
    let world: Vec<Value> = names
        .iter()
        .flat_map(|it| [built(it, "amd64", it), built(it, "arm64", it)])
        .collect();
    let lab = lab(
        "tags: [develop, {pattern: \"v*\"}, {pattern: \"?.?.?\"}]",
        &json!(world),
    );
    lab.block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        for name in names {
            assert!(is_merged(lab, name), "{name}");
        }
        assert_eq!(lab.writes(), names.len());
    });
}

#[test]
fn w32_d1_two_commits_are_never_mixed_and_the_partner_is_waited_for() {
    let lab = lab("tags: [latest]", &build("latest", "c1"));
    lab.block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        let before = tags(lab).remove("latest");
        lab.put(&objects(&json!([built("latest", "amd64", "c2")])));
        let report = lab.once(2).await;
        assert_eq!(tags(lab).get("latest"), before.as_ref());
        assert_eq!(
            condition(&report, "RevisionMismatch"),
            Some("latest: latest-amd64 is of c2, latest-arm64 is of c1; it serves what it did")
        );
        assert_eq!(lab.writes(), 1);
        lab.put(&objects(&json!([built("latest", "arm64", "c2")])));
        assert!(lab.once(3).await.is_converged());
        assert!(is_merged(lab, "latest"));
        assert_eq!(lab.writes(), 2);
    });
}

#[test]
fn w33_a_branch_never_becomes_what_is_not_named_after_it() {
    let mut world = build("latest", "c1")
        .as_array()
        .cloned()
        .expect("it is a list");
    world.extend(
        build("feature", "c2")
            .as_array()
            .cloned()
            .expect("it is a list"),
    );
    let lab = lab("tags: [latest]", &json!(world));
    lab.block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        assert!(is_merged(lab, "latest"));
        assert!(!tags(lab).contains_key("feature"));
    });
}

#[test]
fn w34_a_refusal_is_not_read_as_an_image_that_is_not_there_yet() {
    for (status, code) in [
        (401, "UNAUTHORIZED"),
        (403, "DENIED"),
        (503, "UNAVAILABLE"),
        (500, "UNKNOWN"),
    ] {
        let lab = lab(
            "tags: [v1, v2]",
            &json!([
                built("v1", "amd64", "c1"),
                built("v1", "arm64", "c1"),
                built("v2", "amd64", "c1"),
                built("v2", "arm64", "c1")
            ]),
        );
        lab.block_on(async |lab| {
            lab.trouble(&json!([{
                "action": "HEAD manifest", "object": "registry.example/example/app@v1-arm64", "times": 1000,
                "fault": "status", "status": status, "code": code,
            }]));
            let report = lab.once(1).await;
            assert!(!tags(lab).contains_key("v1"), "{status}");
            assert!(report.unknown.iter().any(|(_, it)| it.object == "v1"), "{status}: {}", report.to_json());
            assert_eq!(condition(&report, "SourceMissing"), None, "{status}");
            // The other tag goes on, unless nobody can tell any more who we are.
            assert!(status == 401 || is_merged(lab, "v2"), "{status}");
        });
    }
}

#[test]
fn pa10_two_builds_that_end_one_after_the_other_need_no_waiting_and_no_trigger() {
    let lab = lab("tags: [v1]", &json!([built("v1", "amd64", "c1")]));
    lab.block_on(async |lab| {
        let report = lab.once(1).await;
        check_kept(lab, &report, ("v1", None), "SourceMissing");
        lab.put(&objects(&json!([built("v1", "arm64", "c1")])));
        assert!(lab.once(2).await.is_converged());
        assert!(is_merged(lab, "v1"));
    });
}

#[test]
fn r61_an_image_of_another_architecture_under_the_name_of_this_one_is_not_merged() {
    let mut wrong = built("v1", "arm64", "c1");
    wrong["platform"] = json!("linux/amd64");
    let lab = lab("tags: [v1]", &json!([built("v1", "amd64", "c1"), wrong]));
    lab.block_on(async |lab| {
        let report = lab.once(1).await;
        check_kept(lab, &report, ("v1", None), "PlatformMismatch");
        let state = report.resources.values().map(|it| &it.state);
        assert!(state.into_iter().any(|it| *it == State::Stalled));
    });
}

#[test]
fn d1_an_identical_result_is_not_written_and_two_at_once_write_it_once() {
    let lab = lab("tags: [v1]", &build("v1", "c1"));
    lab.block_on(async |lab| {
        let _ = tokio::join!(lab.converge(1), lab.converge_elsewhere(2));
        assert!(is_merged(lab, "v1"));
        let moved = |lab: &Lab| {
            lab.with_world(|it| {
                let history = it.registry_history().iter();
                let by_us = history.filter(|it| it.by == By::Client);
                by_us
                    .filter(|it| matches!(it.what, Deed::TagMoved { .. }))
                    .count()
            })
        };
        assert_eq!(moved(lab), 1);
        let written = lab.writes();
        assert!(lab.converge(3).await.is_converged());
        assert_eq!(lab.writes(), written);
    });
}

/// Lets somebody push right before a tag is asked for the second time: after the look, before the write.
fn meddle_before_the_write(lab: &mut Lab, tag: &str, manifests: Value) {
    let object = Some(format!("registry.example/example/app@{tag}"));
    let (asked, world) = (AtomicU32::new(0), lab.outlook());
    lab.gate = Some(Gate::new(move |point: &GatePoint| {
        let is_meant = point.side == Side::Before
            && point.call.action == "HEAD manifest"
            && point.call.object == object;
        if is_meant && asked.fetch_add(1, Ordering::Relaxed) == 1 {
            world().put(&objects(&manifests));
        }
        Verdict::Go
    }));
}

#[test]
fn w32_a_source_that_moves_after_the_look_is_not_merged_with_its_old_partner() {
    for moved in ["amd64", "arm64"] {
        let mut lab = lab("tags: [v1]", &build("v1", "c1"));
        let pushed = json!([built("v1", moved, "c2")]);
        meddle_before_the_write(&mut lab, &format!("v1-{moved}"), pushed);
        lab.block_on(async |lab| {
            let report = lab.once(1).await;
            let stale = format!("v1-{moved} was moved in between");
            assert!(
                report
                    .actions
                    .iter()
                    .any(|it| it.result == Outcome::Stale(stale.clone())),
                "{}",
                report.to_json()
            );
            assert!(!tags(lab).contains_key("v1"));
            assert_eq!(lab.writes(), 0);
        });
    }
}

#[test]
fn a_tag_that_somebody_wrote_after_the_look_is_looked_at_again() {
    let mut lab = lab("tags: [v1]", &build("v1", "c1"));
    let pushed = json!([{"tags": ["v1"], "platform": "linux/amd64"}]);
    meddle_before_the_write(&mut lab, "v1", pushed);
    lab.block_on(async |lab| {
        let report = lab.once(1).await;
        assert_eq!(lab.writes(), 0, "{}", report.to_json());
        assert!(lab.converge(2).await.is_converged());
        assert!(is_merged(lab, "v1"));
    });
}

#[test]
fn skopeo_1021_skopeo_2111_regclient_215_an_unchanged_tag_costs_three_small_requests() {
    let lab = lab("tags: [v1]", &build("v1", "c1"));
    lab.block_on(async |lab| {
        let cold = lab.converge(1).await;
        let done = cold.actions.iter().filter(|it| it.result == Outcome::Done);
        assert_eq!(done.count(), 1);
        let again = lab.once(2).await;
        assert_eq!(
            (again.calls.reads, again.calls.lower_bound),
            (3, 3),
            "{}",
            again.to_json()
        );
        let downloads = |lab: &Lab| {
            let digests: Vec<Digest> = tags(lab).into_values().collect();
            lab.with_world(|it| {
                digests
                    .iter()
                    .map(|digest| it.downloads(PLACE, digest))
                    .sum::<u64>()
            })
        };
        let before = downloads(lab);
        let _ = lab.once(3).await;
        assert_eq!(downloads(lab), before);
    });
}

/// A changed tag takes 14 requests up to its write, or 7 where its children are known by their digest; an unchanged one 10
/// where nothing is known. After a write comes another look.
#[test]
fn a_tag_costs_no_more_requests_than_it_must() {
    let lab = lab("tags: [v1]", &build("v1", "c1"));
    lab.block_on(async |lab| {
        let calls = || lab.with_world(|it| it.calls().to_vec());
        let until_write = |since: usize| {
            let write = calls()[since..].iter().position(|it| it.write);
            write.expect("something was written") + 1
        };
        assert_eq!(lab.once(1).await.calls.writes, 1);
        assert!(until_write(0) <= 14, "{}", until_write(0));
        let before = calls().len();
        assert!(lab.converge_elsewhere(2).await.is_converged());
        let unchanged = calls().len() - before;
        assert!(unchanged <= 10, "{unchanged}");
        let gone = json!({"untagged": ["v1"]});
        lab.put(&json!({"registries": {PLACE.0: {"repositories": {PLACE.1: gone}}}}));
        let before = calls().len();
        assert_eq!(lab.once(3).await.calls.writes, 1);
        assert_eq!(until_write(before), 7);
    });
}
