//! Registries and GitHub through the whole program: what goes wrong there is told, and nothing is done by half.

mod copied;
mod deleted;
mod dispatch;
mod input;
mod restored;
mod served;

use std::collections::BTreeMap;

use reconcile::ids::Digest;
use reconcile::report::Report;
use serde_json::{Value, json};

use crate::cli::Place;
use crate::declared;
use crate::proofs::lab::Lab;

/// The repository that all of these are about.
const HERE: (&str, &str) = ("ghcr.io", "example/app");

/// A registry of GitHub, and a repository in it whose spec says this besides.
fn declared(spec: &str) -> String {
    let registry = declared::registry("ghcr", "host: ghcr.io");
    let spec = format!("registryRef: ghcr, repository: example/app, {spec}");
    registry + &declared::emptiable("app", &spec)
}

/// A world with these manifests, in which a token may do everything; `changes` say what is otherwise.
fn world(manifests: &Value, changes: Value) -> Value {
    let scopes = ["repo", "read:packages", "write:packages", "delete:packages"];
    let mut world = json!({
        "github": {
            "organizations": ["example"],
            "tokens": [{"token": "ghp_of_someone", "login": "someone", "scopes": scopes}],
        },
        "objects": objects(manifests),
    });
    merge(&mut world, changes);
    world
}

fn merge(into: &mut Value, changes: Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (name, change) in changes {
                merge(into.entry(name).or_insert(Value::Null), change);
            }
        }
        (into, changes) => *into = changes,
    }
}

/// Manifests that are in the repository, or come to it.
fn objects(manifests: &Value) -> Value {
    let (host, name) = HERE;
    json!({"registries": {host: {
        "personality": "ghcr", "repositories": {name: {"manifests": manifests}},
    }}})
}

/// Both sources of a tag, of one build.
fn sources(tag: &str, revision: &str) -> Value {
    let source = |architecture: &str| {
        json!({
            "tags": [format!("{tag}-{architecture}")], "platform": format!("linux/{architecture}"),
            "revision": revision, "attested": true,
        })
    };
    json!([source("amd64"), source("arm64")])
}

fn lab(spec: &str, world: Value) -> Lab {
    Lab::written(&declared(spec), world)
}

fn tags(lab: &Lab) -> BTreeMap<String, Digest> {
    let now = lab.now();
    lab.with_world(|it| it.tags(HERE, now))
}

/// A folder with that repository declared, and this world.
fn place(spec: &str, world: &Value) -> Place {
    let place = Place::empty();
    place.write("state/app.yaml", &declared(spec));
    // JSON is YAML.
    place.write("world.yaml", &world.to_string());
    place
}

/// All that a report holds, for a test that fails.
fn shown(report: &Report) -> String {
    report.to_json().to_string()
}

/// What is said of the repository by a condition of this type.
fn condition(report: &Report, kind: &str) -> Option<String> {
    let mut conditions = report.resources.values().flat_map(|it| &it.conditions);
    let found = conditions.find(|it| it.kind == kind)?;
    Some(format!("{}: {}", found.reason, found.message))
}
