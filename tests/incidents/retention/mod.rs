//! What went wrong with deleted versions of packages, from end to end against the simulated GitHub. The closure's own
//! cases, one for each of these, stand beside it.

mod elsewhere;
mod races;
mod rows;
mod written;

use std::collections::BTreeMap;

use reconcile::ids::Digest;
use reconcile::report::{Action, Outcome, Report};
use serde_json::{Value, json};

use super::lab;
use crate::proofs::lab::Lab;

pub(crate) use races::meddle;
pub(super) use rows::{build, push};
pub(super) use written::package;

const HERE: (&str, &str) = ("ghcr.io", "example/app");
/// Tags older than a week go, but for the newest one and releases; untagged versions after a day.
const SPEC: &str = "tags: [latest], retention: {tagged: {keepLast: 1, keep: ['v*'], olderThan: 7d}, \
     untagged: {olderThan: 1d}}";
const OLD: &str = "2026-08-01T00:00:00Z";

fn image(name: &str, tags: &[&str], platform: &str) -> Value {
    json!({"name": name, "tags": tags, "platform": platform, "revision": "r1", "layers": [name], "pushed": OLD})
}

fn index(tags: &[&str], of: &[&str]) -> Value {
    json!({"name": tags.first().unwrap_or(&"index"), "tags": tags, "of": of, "pushed": OLD})
}

/// A merged tag and its sources, a release without sources, and an old build of which nothing is needed.
fn usual() -> Vec<Value> {
    vec![
        image("a", &["latest-amd64"], "linux/amd64"),
        image("b", &["latest-arm64"], "linux/arm64"),
        index(&["latest"], &["a", "b"]),
        image("c", &[], "linux/amd64"),
        index(&["v1"], &["c", "b"]),
        image("x", &[], "linux/amd64"),
        image("y", &["pr-1"], "linux/amd64"),
        image("z", &["pr-2"], "linux/amd64"),
    ]
}

fn world(manifests: &[Value], github: Value) -> Value {
    let mut github = github;
    github["organizations"] = json!(["example"]);
    github["tokens"] = json!([{
        "token": "ghp_all", "login": "someone",
        "scopes": ["repo", "read:packages", "write:packages", "delete:packages"],
    }]);
    json!({
        "github": github,
        "objects": {"registries": {"ghcr.io": {
            "personality": "ghcr",
            "repositories": {"example/app": {"manifests": manifests}},
        }}},
    })
}

fn lab_of(manifests: &[Value], github: Value) -> Lab {
    let state = written::declared("host: ghcr.io", SPEC);
    lab(&state, world(manifests, github))
}

pub(super) fn tags(lab: &Lab) -> BTreeMap<String, Digest> {
    let now = lab.now();
    lab.with_world(|it| it.tags(HERE, now))
}

fn count(lab: &Lab) -> usize {
    let now = lab.now();
    lab.with_world(|it| it.manifests(HERE, now).len())
}

fn shown(report: &Report) -> String {
    report.to_json().to_string()
}

#[test]
fn what_is_kept_stays_whole_and_the_rest_goes() {
    lab_of(&usual(), json!({})).block_on(async |lab| {
        let (before, versions) = (tags(lab), count(lab));
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", shown(&report));
        let after = tags(lab);
        let gone: Vec<&String> = before
            .keys()
            .filter(|it| !after.contains_key(*it))
            .collect();
        assert_eq!(
            gone.len(),
            1,
            "one of the two that were built for a pull request: {gone:?}"
        );
        assert!(gone[0].starts_with("pr-"));
        assert_eq!(count(lab), versions - 2, "and the one that nothing needs");
        assert!(
            lab.converge(2).await.is_converged(),
            "nothing more is to be done"
        );
        assert_eq!(count(lab), versions - 2);
    });
}

#[test]
fn snok_33_delete_package_versions_58_all_pages_are_read_before_anything_goes() {
    let mut manifests = usual();
    for number in 0..230 {
        manifests.push(image(&format!("n{number}"), &[], "linux/amd64"));
    }
    lab_of(&manifests, json!({})).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", shown(&report));
        assert_eq!(tags(lab).len(), 5);
        assert_eq!(count(lab), 6, "all that the last pages held is gone too");
    });
}

#[test]
fn a_part_that_is_not_there_is_told_and_nothing_goes() {
    let mut manifests = usual();
    manifests[3]["absent"] = json!(true);
    lab_of(&manifests, json!({})).block_on(async |lab| {
        let versions = count(lab);
        let report = lab.converge(1).await;
        assert!(
            shown(&report).contains("reconcile restore example/app"),
            "{}",
            shown(&report)
        );
        assert_eq!(count(lab), versions);
    });
}

#[test]
fn chainguard_173_a_budget_that_is_spent_is_no_failure_and_the_next_run_goes_on() {
    let mut manifests = usual();
    for number in 0..60 {
        manifests.push(image(&format!("n{number}"), &[], "linux/amd64"));
    }
    lab_of(&manifests, json!({"perHour": 60})).block_on(async |lab| {
        let versions = count(lab);
        let first = lab.once(1).await;
        let is_failure = |it: &&Action| matches!(it.result, Outcome::Failed(_));
        let failed = first.actions.iter().filter(is_failure).count();
        assert_eq!(failed, 0, "{}", shown(&first));
        let left = count(lab);
        assert!(left < versions && left > 6, "{left} of {versions} are left");
        for hour in 2..12 {
            lab.wait(std::time::Duration::from_secs(3600)).await;
            let report = lab.once(hour).await;
            let failed = report.actions.iter().filter(is_failure).count();
            assert_eq!(failed, 0, "{}", shown(&report));
        }
        assert_eq!(count(lab), 6);
    });
}
