//! Repositories of images: what is declared of them, and registries in which builds, people and clean-ups left what they do.

use std::fmt::Write;
use std::time::Duration;

use reconcile::clock::Timestamp;
use reconcile::sim::scenario::Scenario;
use serde_json::{Value, json};

use super::draw::Draw;
use super::files::head;

const START: &str = "2026-11-21T02:00:00Z";

/// What the copies are in.
const COPIES: &str = "apiVersion: reconcile/v1alpha1
kind: Registry
metadata: {name: copies}
spec: {host: copies.example}
";

/// Everything that is asked of a registry, and of GitHub for it.
pub(super) const ACTIONS: [&str; 15] = [
    "HEAD manifest",
    "GET manifest",
    "PUT manifest",
    "DELETE manifest",
    "HEAD blob",
    "GET blob",
    "GET storage",
    "POST upload",
    "PUT upload",
    "GET tags",
    "GET referrers",
    "GET token",
    "GET versions",
    "GET version",
    "DELETE version",
];

/// Where the repositories are: each registry's name, its host and whose rules it follows.
const HOMES: [(&str, &str, &str); 2] = [
    ("ghcr", "ghcr.io", "ghcr"),
    ("own", "registry.example", "distribution"),
];

/// The tags that may be required, each of two sources.
const TAGS: [&str; 4] = ["latest", "v1", "v2", "v3"];

/// What is declared, and a world for it. What troubles there are is no part of it.
pub(super) fn files_and_world(draw: &mut Draw, seed: u64) -> (String, Scenario) {
    let mut yaml = COPIES.to_owned();
    let mut registries = json!({"copies.example": {"personality": "distribution"}});
    for (name, host, personality) in HOMES {
        let _ = write!(
            yaml,
            "---\napiVersion: reconcile/v1alpha1\nkind: Registry\nmetadata: {{name: {name}}}\nspec: {{host: {host}}}\n"
        );
        let is_declared = draw.chance(60);
        let named: Vec<&str> = TAGS.into_iter().filter(|_| draw.chance(40)).collect();
        if is_declared {
            repository(draw, &mut yaml, (name, &named));
        }
        registries[host] = json!({
            "personality": personality,
            "repositories": {"example/app": {"public": true, "manifests": manifests(draw, &named)}},
        });
    }
    let scopes = ["repo", "read:packages", "write:packages", "delete:packages"];
    let lag = draw.pick(&[0, 0, 0, 5, 20]);
    let world = json!({
        "start": START, "seed": seed,
        "settings": {
            "listingOrder": draw.pick(&["newestFirst", "oldestFirst", "shuffled"]),
            "pageSizeMax": draw.pick(&[1, 3, 100]),
        },
        "times": {"registryLag": lag},
        "github": {
            "organizations": ["example"],
            "tokens": [{"token": "ghp_of_ci", "login": "ci", "scopes": scopes}],
        },
        "objects": {"registries": registries},
    });
    let world = Scenario::from_value(world).expect("the swarm writes worlds right");
    (yaml, world)
}

fn repository(draw: &mut Draw, yaml: &mut String, (home, named): (&str, &[&str])) {
    head(draw, yaml, ("ImageRepository", home));
    let mut tags = named.to_vec();
    if tags.is_empty() || draw.chance(30) {
        tags.push("{pattern: \"v*\"}");
    }
    let mut spec = vec![
        format!("registryRef: {home}"),
        "repository: example/app".to_owned(),
        format!("tags: [{}]", tags.join(", ")),
    ];
    if draw.chance(20) {
        spec.push("sources: {consistency: Any}".to_owned());
    }
    if draw.chance(40) {
        spec.push(format!(
            "mirrors: [{{registryRef: copies, repository: of/{home}}}]"
        ));
    }
    if draw.chance(60) {
        let last = draw.pick(&[0, 1, 3]);
        spec.push(format!(
            "retention: {{tagged: {{keepLast: {last}, keep: [\"pr-*\"], olderThan: 30d}}, untagged: {{olderThan: 7d}}}}"
        ));
    }
    let _ = writeln!(yaml, "spec: {{{}}}", spec.join(", "));
}

fn ago(draw: &mut Draw) -> Timestamp {
    let start = Timestamp::parse(START).expect("a time");
    start.minus(Duration::from_secs(draw.between(1, 90 * 24) * 3600))
}

/// What builds pushed, merged or half merged, and what lies about. What is required by name has its sources, and both are
/// of one commit: a run waits for what a build is to push.
fn manifests(draw: &mut Draw, named: &[&str]) -> Vec<Value> {
    let mut manifests = Vec::new();
    for tag in TAGS {
        let revision = format!("of-{tag}");
        let mut sources = Vec::new();
        for platform in ["amd64", "arm64"] {
            if draw.chance(80) || named.contains(&tag) {
                let name = format!("{tag}-{platform}");
                manifests.push(json!({
                    "tags": [name], "platform": format!("linux/{platform}"), "revision": revision,
                    "attested": draw.chance(40), "pushed": ago(draw),
                }));
                sources.push(name);
            }
        }
        let was_merged = !sources.is_empty() && draw.chance(40);
        if was_merged {
            manifests.push(json!({"tags": [tag], "of": sources, "pushed": ago(draw)}));
        } else if draw.chance(40) {
            manifests.extend(before(draw, tag, &[tag]));
        }
    }
    for number in 0..draw.between(0, 4) {
        let name = format!("old{number}");
        let tags = [format!("{}{number}", draw.pick(&["pr-", "nightly-"]))];
        let tags = if draw.chance(50) { &tags[..] } else { &[] };
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        manifests.extend(before(draw, &name, &tags));
    }
    manifests
}

/// An index of images that have no tag of their own.
fn before(draw: &mut Draw, name: &str, tags: &[&str]) -> Vec<Value> {
    let image = |platform: &str, pushed: Timestamp| {
        json!({
            "name": format!("before-{name}-{platform}"), "platform": format!("linux/{platform}"),
            "revision": format!("before-{name}"), "layers": [format!("{name} {platform}")],
            "pushed": pushed,
        })
    };
    let pushed = ago(draw);
    let of = ["amd64", "arm64"].map(|it| format!("before-{name}-{it}"));
    vec![
        image("amd64", pushed),
        image("arm64", pushed),
        json!({"tags": tags, "name": format!("before-{name}"), "of": of, "pushed": pushed}),
    ]
}
