//! What went wrong around merges: builds that end in any order, registries that want writers to go slower.

use std::time::Duration;

use serde_json::json;

use super::retention::{self, build, package, push};
use super::tags::{built, condition, index, is_merged, lab, objects, tags};

#[test]
fn r58_builds_of_two_pushes_that_end_in_any_order_are_never_mixed() {
    let mut ends = [
        ("amd64", "c1"),
        ("amd64", "c2"),
        ("arm64", "c1"),
        ("arm64", "c2"),
    ];
    for turn in 0..4 {
        ends.rotate_left(turn);
        lab("tags: [latest]", &json!([])).block_on(async |lab| {
            let mut last = ["amd64", "arm64"].map(|_| "");
            for (seed, (architecture, revision)) in ends.into_iter().enumerate() {
                lab.put(&objects(&json!([built("latest", architecture, revision)])));
                last[usize::from(architecture == "arm64")] = revision;
                let before = tags(lab).remove("latest");
                let report = lab.once(u64::try_from(seed).expect("few ends")).await;
                if last[0] == last[1] {
                    assert!(is_merged(lab, "latest"), "{ends:?}");
                    continue;
                }
                assert_eq!(tags(lab).get("latest"), before.as_ref(), "{ends:?}");
                let kind = if last.contains(&"") {
                    "SourceMissing"
                } else {
                    "RevisionMismatch"
                };
                assert!(
                    condition(&report, kind).is_some(),
                    "{kind}: {}",
                    report.to_json()
                );
            }
        });
    }
}

#[test]
fn w31_r59_a_prerelease_without_architectures_of_its_own_is_told_and_left_as_it_is() {
    let bare =
        |platform: &str| json!([{"tags": ["v1.0.0-rc1"], "platform": platform, "revision": "c1"}]);
    lab("tags: [v1.0.0-rc1, v1.27.1.2]", &bare("linux/amd64")).block_on(async |lab| {
        lab.put(&objects(&bare("linux/arm64")));
        let before = tags(lab);
        let report = lab.once(1).await;
        assert_eq!((tags(lab), lab.writes()), (before, 0));
        let said = report.to_json().to_string();
        for tag in ["v1.0.0-rc1", "v1.27.1.2"] {
            assert!(said.contains(&format!("{tag}-amd64")), "{tag}: {said}");
        }
        lab.put(&objects(&json!(build(&["v1.0.0-rc1", "v1.27.1.2"], "c1"))));
        assert!(lab.once(2).await.is_converged());
        assert!(is_merged(lab, "v1.0.0-rc1") && is_merged(lab, "v1.27.1.2"));
    });
}

#[test]
fn w33_r60_a_build_of_any_other_branch_moves_nothing_that_is_declared() {
    lab(
        "tags: [latest, develop]",
        &json!(build(&["latest", "develop"], "c1")),
    )
    .block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        let before = tags(lab);
        for branch in ["feature", "master", "v1-amd64", "hotfix-latest"] {
            lab.put(&objects(&json!(build(&[branch], "c2"))));
        }
        assert!(lab.converge(2).await.is_converged());
        let after = tags(lab);
        assert!(
            before
                .iter()
                .all(|(tag, digest)| after.get(tag) == Some(digest))
        );
        assert!(!after.contains_key("feature"));
        assert_eq!(index(lab, "latest").manifests.len(), 4);
    });
}

#[test]
fn chainguard_173_pulumi_577_pulumi_630_a_write_is_repeated_when_ghcr_says_and_no_later() {
    let versions: Vec<String> = (0..12).map(|it| format!("v{it}")).collect();
    package("tags: [{pattern: 'v*'}]", "").block_on(async |lab| {
        for version in &versions {
            push(lab, &build(&[version], version));
        }
        // GHCR says when to come again in the message alone: in 10.3 ms.
        lab.trouble(
            &json!([{"action": "PUT manifest", "nth": 7, "fault": "status", "status": 429}]),
        );
        let before = lab.now();
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        let tags = retention::tags(lab);
        assert!(versions.iter().all(|it| tags.contains_key(it)));
        let took = lab.now().since(before);
        assert!(took < Duration::from_secs(5), "{took:?}");
    });
}

#[test]
fn harbor_17746_a_listing_of_tags_that_is_refused_is_asked_again_and_never_an_empty_one() {
    let spec = "tags: [latest, {pattern: 'v*'}]";
    lab(spec, &json!(build(&["latest", "v1"], "c1"))).block_on(async |lab| {
        lab.trouble(&json!([
            {"action": "GET tags", "times": 2, "fault": "status", "status": 429, "seconds": 5},
        ]));
        assert!(lab.converge(1).await.is_converged());
        assert!(is_merged(lab, "latest") && is_merged(lab, "v1"));
        let before = tags(lab);
        lab.trouble(&json!([
            {"action": "GET tags", "times": 1_000_000, "fault": "status", "status": 429},
        ]));
        lab.put(&objects(&json!(build(&["latest", "v2"], "c2"))));
        let report = lab.once(2).await;
        assert!(!report.unknown.is_empty(), "{}", report.to_json());
        assert_eq!(tags(lab)["v1"], before["v1"]);
        assert_ne!(tags(lab)["latest"], before["latest"], "it needs no listing");
        lab.trouble(&json!([]));
        assert!(lab.converge(3).await.is_converged());
        assert!(is_merged(lab, "v2"));
    });
}
