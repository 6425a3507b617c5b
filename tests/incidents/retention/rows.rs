//! Every tool that broke images of several architectures, each by the package that it broke: the versions are listed,
//! judged and deleted over the wire, and then every tag is pulled whole.

use std::time::Duration;

use serde_json::{Value, json};

use super::written::{USUAL, check_whole, deleted, go_on, goes, gone, held, package};
use super::{HERE, tags};
use crate::proofs::lab::Lab;

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Both architectures of one build, as `BuildKit` pushes them under these tags.
pub(in crate::incidents) fn build(of: &[&str], revision: &str) -> Vec<Value> {
    let architectures = ["amd64", "arm64"].into_iter();
    let pushed = |architecture: &str| {
        let tags = of.iter().map(|it| format!("{it}-{architecture}"));
        json!({
            "tags": tags.collect::<Vec<_>>(), "platform": format!("linux/{architecture}"),
            "revision": revision, "layers": [format!("{revision} {architecture}")], "attested": true,
        })
    };
    architectures.map(pushed).collect()
}

pub(in crate::incidents) fn push(lab: &Lab, manifests: &[Value]) {
    lab.put(&json!({"registries": {"ghcr.io": {"repositories": {
        "example/app": {"manifests": manifests}
    }}}}));
}

#[test]
fn snok_43_weathernode_24_untagged_action_45_weeks_of_builds_and_clean_ups_leave_every_tag_whole() {
    let spec = "tags: [latest, {pattern: 'v*'}], retention: {tagged: {keepLast: 2, olderThan: 7d}, \
                untagged: {olderThan: 1d}}";
    package(spec, "noise 90 -").block_on(async |lab| {
        for week in 1..=6_u64 {
            let (revision, version) = (format!("r{week}"), format!("v{week}"));
            push(lab, &build(&["latest", &version], &revision));
            // What was tried out is put together of the parts of a release, or of its own.
            let (parts, tried) = (["amd64", "arm64"], format!("pr-{week}"));
            let parts = parts.map(|it| format!("{version}-{it}"));
            let shared = json!({"tags": [tried], "of": parts, "annotations": {"name": tried}});
            let own = json!({"tags": [format!("own-{week}")], "attested": true});
            push(lab, &[shared, own]);
            let report = lab.converge(week).await;
            assert!(report.is_converged(), "{}", super::shown(&report));
            check_whole(lab, HERE);
            assert_eq!(tags(lab)["latest"], tags(lab)[&version]);
            lab.wait(WEEK).await;
        }
        assert_eq!(
            tags(lab).len(),
            7 * 3 + 2,
            "all releases, and the last ones tried out"
        );
        // Of each of five weeks an index, and an index with its image and its attestation.
        assert_eq!(deleted(lab).len(), 1 + 5 * 4);
    });
}

#[test]
fn mcp_memory_1052_kubernoodles_664_snok_95_attested_or_not_an_image_keeps_its_parts() {
    for attested in ["", "attested", "legacy"] {
        let lines = format!(
            "
            amd 90 latest-amd64 {attested}
            arm 90 latest-arm64 {attested}
            index 90 latest > amd arm
            other 90 - {attested}
            release 90 v1 > other arm
            noise 90 -"
        );
        assert_eq!(goes(USUAL, &lines), "noise", "{attested}");
    }
}

#[test]
fn snok_63_untagged_parts_are_no_candidates_by_themselves() {
    let lines = "
        amd 400 -
        latest 400 latest > amd
        arm 400 -
        release 400 v1.0.0 > amd arm
        unused 400 -";
    assert_eq!(goes(USUAL, lines), "unused");
}

#[test]
fn snok_97_parts_stay_when_their_index_is_old_and_kept_by_pattern() {
    let lines = "
        latest 1 latest
        amd 900 -
        arm 900 -
        index 900 v0.1 > amd arm
        noise 900 -";
    assert_eq!(goes(USUAL, lines), "noise");
}

#[test]
fn delete_package_versions_90_parts_older_than_the_newest_stay() {
    let spec = "tags: [latest], retention: {tagged: {keepLast: 1, olderThan: 1d}, untagged: {olderThan: 1d}}";
    let lines = "
        amd 90 -
        arm 90 -
        index 90 latest > amd arm
        new 5 pr-9
        noise 4 -
        less 3 -";
    assert_eq!(goes(spec, lines), "less noise");
}

#[test]
fn delete_package_versions_162_releases_stay_whole_when_only_untagged_ones_are_to_go() {
    let spec = "tags: [latest], retention: {untagged: {olderThan: 1d}}";
    let lines = "
        a 9 -
        latest 9 latest > a
        b 300 -
        arm 300 -
        release 300 4.0 > b arm
        leftover 300 -";
    assert_eq!(goes(spec, lines), "leftover");
}

#[test]
fn action_ghcr_prune_76_pruning_by_age_leaves_the_parts_of_young_tags() {
    let lines = "
        latest 90 latest
        base 300 -
        index 0 pr-1 > base
        noise 300 -";
    assert_eq!(goes(USUAL, lines), "noise");
}

#[test]
fn gzctf_123_an_index_that_its_tag_has_left_takes_no_shared_part_with_it() {
    let lines = "
        fresh 2 -
        shared 90 -
        stale 90 -
        new 2 latest > shared fresh
        old 90 - > shared stale";
    assert_eq!(goes(USUAL, lines), "old stale");
}

#[test]
fn niks3_479_every_release_stays_whole() {
    let lines = "
        n 1 -
        latest 1 latest > n
        a 300 -
        arm-b 300 -
        one 300 v1 > a arm-b
        arm-c 200 -
        two 200 v2 > a arm-c
        noise 300 -";
    assert_eq!(goes(USUAL, lines), "noise");
}

#[test]
fn moneyman_789_the_parts_of_the_newest_tags_stay_and_an_old_index_goes_whole() {
    let lines = "
        latest 90 latest
        a 50 -
        one 50 sha-1 > a
        b 40 -
        two 40 sha-2 > b
        c 30 -
        three 30 sha-3 > c";
    assert_eq!(goes(USUAL, lines), "a one");
}

#[test]
fn ghcr_cleanup_action_1_an_index_and_its_parts_are_one_however_deep() {
    let lines = "
        a 90 -
        latest 90 latest > a
        b 90 -
        arm-c 90 -
        inner 90 - > b arm-c
        outer 90 - nested > inner a
        d 90 -
        kept 90 - > d
        release 90 v1 nested > kept";
    assert_eq!(goes(USUAL, lines), "arm-c b inner outer");
}

#[test]
fn addon_62_the_tags_of_platforms_stay_while_the_index_does() {
    // A source that has an attestation is an index of its own, which the merged one does not name.
    let lines = "
        a 90 latest-amd64 attested
        arm-b 90 latest-arm64 attested
        latest 90 latest > a arm-b
        c 90 v1-amd64 attested
        arm-d 90 v1-arm64 attested
        release 90 v1 > c arm-d
        w 30 pr-0
        x 20 pr-1
        y 10 pr-2";
    assert_eq!(goes(USUAL, lines), "w");
}

#[test]
fn glycemicgpt_552_patterns_are_of_tags_and_never_of_digests() {
    let spec = "tags: [latest], retention: {tagged: {keep: ['sha256*'], olderThan: 7d}, untagged: {olderThan: 1d}}";
    let lines = "
        latest 90 latest
        one 90 pr-1
        none 90 -";
    assert_eq!(goes(spec, lines), "none one");
}

#[test]
fn vault_db_injector_78_no_release_goes_with_another_tag_of_its_digest() {
    let lines = "
        release 90 v2.0.1,pr-7,main
        latest 1 latest
        z 60 pr-6
        a 50 pr-8
        b 40 pr-9";
    let lab = package(USUAL, lines);
    lab.block_on(async |lab| {
        let before = held(lab, HERE);
        go_on(lab, 1).await;
        assert_eq!(gone(lab, HERE, &before), "z");
        let tags = tags(lab);
        for tag in ["v2.0.1", "pr-7", "main", "pr-8", "pr-9"] {
            assert!(tags.contains_key(tag), "{tag}");
        }
    });
}

#[test]
fn acr_cli_670_snok_3_snok_48_keep_last_is_a_floor_and_age_a_ceiling() {
    let old = "
        latest 90 latest
        one 900 pr-1
        two 800 pr-2
        three 700 pr-3";
    assert_eq!(goes(USUAL, old), "one", "however old, the newest stay");
    let young = "
        latest 90 latest
        one 3 pr-1
        two 2 pr-2
        three 1 pr-3";
    assert_eq!(goes(USUAL, young), "", "however many, the young stay");
    let required = "
        latest 1 latest
        one 900 pr-1
        two 800 pr-2
        three 700 pr-3";
    assert_eq!(goes(USUAL, required), "one", "what is required counts not");
}
