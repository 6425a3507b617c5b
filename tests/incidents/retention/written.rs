//! Versions of a package as lines of text, and what went of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reconcile::clock::Timestamp;
use reconcile::ids::Digest;
use reconcile::sim::registry::history::Happening;
use serde_json::{Value, json};

use super::{HERE, world};
use crate::declared;
use crate::incidents::lab;
use crate::proofs::lab::Lab;

/// Tags older than a week go, but for the newest two and releases; untagged versions after a day.
pub(super) const USUAL: &str = "tags: [latest], retention: {tagged: {keepLast: 2, keep: ['v*'], olderThan: 7d}, \
     untagged: {olderThan: 1d}}";
/// When the worlds of tests begin.
const START: &str = "2026-11-21T02:00:00Z";

/// How long a run goes on: sixty deletions a minute, and some tags wait for sources that never come.
const A_WHILE: Duration = Duration::from_secs(300);

/// A registry and a repository whose spec says this.
pub(super) fn declared(registry: &str, spec: &str) -> String {
    let registry = declared::registry("registry", registry);
    let spec = format!("registryRef: registry, repository: example/app, {spec}");
    registry + &declared::emptiable("app", &spec)
}

/// A lab of GHCR with these versions.
pub(in crate::incidents) fn package(spec: &str, lines: &str) -> Lab {
    let world = world(&manifests(lines), json!({}));
    lab(&declared("host: ghcr.io", spec), world)
}

/// Reads `name age tags word… > part…`, a version a line, each after its parts: its age in days, `-` for no tag. It is an
/// image where it has no parts, for arm64 where its name begins so; `attested` and `legacy` say what else a build pushed.
pub(super) fn manifests(lines: &str) -> Vec<Value> {
    let lines = lines.lines().filter(|it| !it.trim().is_empty());
    lines.map(manifest).collect()
}

fn manifest(line: &str) -> Value {
    let (words, parts) = line.split_once('>').unwrap_or((line, ""));
    let words: Vec<&str> = words.split_whitespace().collect();
    let [name, age, tags, words @ ..] = words.as_slice() else {
        panic!("{line} lacks a name, an age or tags");
    };
    let days: u64 = age.parse().expect("an age is a number");
    let start = Timestamp::parse(START).expect("it is a time");
    let pushed = start.minus(Duration::from_secs(days * 86_400 + 1));
    let tags: Vec<&str> = tags.split(',').filter(|it| *it != "-").collect();
    let mut manifest = json!({"name": name, "tags": tags, "pushed": pushed.to_string()});
    let parts: Vec<&str> = parts.split_whitespace().collect();
    if parts.is_empty() {
        let architecture = if name.starts_with("arm") {
            "arm64"
        } else {
            "amd64"
        };
        manifest["platform"] = json!(format!("linux/{architecture}"));
        manifest["revision"] = json!("r1");
        manifest["layers"] = json!([name]);
        manifest["labels"] = json!({"name": name});
    } else {
        manifest["of"] = json!(parts);
        manifest["nested"] = json!(words.contains(&"nested"));
    }
    if !parts.is_empty() && !tags.contains(&"latest") {
        manifest["annotations"] = json!({"name": name});
    }
    if words.contains(&"attested") {
        manifest["attested"] = json!(true);
    }
    if words.contains(&"legacy") {
        manifest["attested"] = json!("legacy");
    }
    manifest
}

/// One version that is there.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// What the test calls it; empty: it comes with one that the test calls something.
    pub(super) name: String,
    pub(super) parts: Vec<Digest>,
}

/// All that is in the repository.
pub(super) fn held(lab: &Lab, place: (&str, &str)) -> BTreeMap<Digest, Held> {
    let now = lab.now();
    lab.with_world(|world| {
        let tags = world.tags(place, now);
        let mut all = BTreeMap::new();
        for (digest, stored) in world.manifests(place, now) {
            let read: Value = serde_json::from_slice(&stored.bytes).expect("it is JSON");
            let parts = read["manifests"].as_array().into_iter().flatten();
            let parts = parts.filter_map(|it| Digest::parse(it["digest"].as_str()?));
            let parts = parts.collect();
            let config = read["config"]["digest"].as_str().and_then(Digest::parse);
            let config = config.and_then(|it| world.blob(place, &it));
            let config: Option<Value> = config.and_then(|it| serde_json::from_slice(&it).ok());
            let label = config.as_ref().map(|it| &it["config"]["Labels"]["name"]);
            let said = label.unwrap_or(&read["annotations"]["name"]).as_str();
            let tag = tags.iter().find(|(_, it)| **it == digest);
            let name = said.or(tag.map(|(tag, _)| tag.as_str()));
            let name = name.unwrap_or_default().to_owned();
            all.insert(digest, Held { name, parts });
        }
        all
    })
}

/// Whoever pulls by a tag gets all of it.
pub(super) fn check_whole(lab: &Lab, place: (&str, &str)) {
    let (there, now) = (held(lab, place), lab.now());
    let tags = lab.with_world(|it| it.tags(place, now));
    for (tag, digest) in tags {
        let mut next = vec![digest];
        while let Some(digest) = next.pop() {
            let found = there.get(&digest);
            let found = found.unwrap_or_else(|| panic!("{tag}: manifest unknown: {digest}"));
            next.extend(found.parts.iter().cloned());
        }
    }
}

/// What went by our hand, in that order.
pub(super) fn deleted(lab: &Lab) -> Vec<Digest> {
    lab.with_world(|it| {
        let history = it.registry_history().iter();
        let deleted = history.filter_map(Happening::deleted_by_client);
        deleted.cloned().collect()
    })
}

/// At no moment was an index there without one of its parts.
fn check_parents_first(lab: &Lab, before: &BTreeMap<Digest, Held>) {
    let mut gone = BTreeSet::new();
    for digest in deleted(lab) {
        let mut parents = before.iter().filter(|(_, it)| it.parts.contains(&digest));
        let broken = parents.find(|(parent, _)| !gone.contains(*parent));
        assert!(
            broken.is_none(),
            "{digest} went before {:?}",
            broken.map(|(parent, it)| (parent, &it.name))
        );
        gone.insert(digest);
    }
}

/// The names of those that are not there any more.
pub(super) fn gone(lab: &Lab, place: (&str, &str), before: &BTreeMap<Digest, Held>) -> String {
    let after = held(lab, place);
    let gone = before
        .iter()
        .filter(|(digest, it)| !it.name.is_empty() && !after.contains_key(*digest));
    let names: BTreeSet<&str> = gone.map(|(_, it)| it.name.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(" ")
}

/// Lets a new process run for a while.
pub(super) async fn go_on(lab: &Lab, seed: u64) {
    let _ = lab.go_on(seed, A_WHILE).await;
}

/// The names of those that go of a package, in one run; another one agrees.
pub(super) fn goes(spec: &str, lines: &str) -> String {
    goes_from(&package(spec, lines), HERE)
}

/// The same of a lab.
pub(super) fn goes_from(lab: &Lab, place: (&str, &str)) -> String {
    lab.block_on(async |lab| {
        let before = held(lab, place);
        go_on(lab, 1).await;
        let first = gone(lab, place, &before);
        go_on(lab, 2).await;
        assert_eq!(gone(lab, place, &before), first, "another run agrees");
        check_parents_first(lab, &before);
        check_whole(lab, place);
        first
    })
}
