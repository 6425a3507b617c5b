//! Simulated GitHub: versions of packages, runs of workflows, and what holds for every answer. Whatever it answers with is
//! held against GitHub's own description.

mod answers;
mod described;
mod runners;
mod runs;
mod versions;

use std::collections::BTreeMap;

use reconcile::sim::{Answer, Request};
use serde_json::{Value, json};

use super::registry::{Desk, GHCR, text};

pub(crate) use described::{check, description, operation};

const VERSIONS: &str = "orgs/example/packages/container/app/versions";
const RUNS: &str = "repos/example/app/actions/workflows/build.yml/runs";
const DISPATCH: &str = "repos/example/app/actions/workflows/build.yml/dispatches";

fn tokens() -> Value {
    json!([
        {"token": "ghp_all", "login": "someone", "scopes": ["repo", "read:packages", "write:packages", "delete:packages"]},
        {"token": "ghp_read", "login": "someone", "scopes": ["read:packages"]},
    ])
}

fn world(repository: &Value, others: &Value) -> Desk {
    let registry = json!({"personality": "ghcr", "repositories": repository});
    let mut scenario = json!({
        "github": {"tokens": tokens(), "organizations": ["example"]},
        "objects": {"registries": {GHCR: registry}},
    });
    for (name, value) in others.as_object().cloned().unwrap_or_default() {
        for (key, value) in value.as_object().cloned().unwrap_or_default() {
            scenario[&name][key] = value;
        }
    }
    let mut desk = Desk::new(GHCR, scenario);
    desk.authorization = Some("Bearer ghp_all".to_owned());
    desk
}

fn ask(
    desk: &mut Desk,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    sent: &Value,
) -> Answer {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let authorization = desk.authorization.clone();
    let fixed = [("host", "127.0.0.1:1"), ("user-agent", "test")];
    let authorization = authorization.as_deref().map(|it| ("authorization", it));
    let all = fixed
        .into_iter()
        .chain(authorization)
        .chain(headers.iter().copied());
    let all: BTreeMap<String, String> = all
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let request = Request {
        method: method.to_owned(),
        path: format!("/github/{path}"),
        query: query.to_owned(),
        headers: all,
        body: if sent.is_null() {
            Vec::new()
        } else {
            sent.to_string().into_bytes()
        },
    };
    let answer = desk.world.handle(&request, desk.now);
    if answer.status != 304 {
        check(method, path, &answer);
    }
    answer
}

fn get(desk: &mut Desk, path: &str) -> Value {
    let answer = ask(desk, ("GET", path), &[], &Value::Null);
    assert_eq!(answer.status, 200, "{}", text(&answer));
    serde_json::from_slice(&answer.body).expect("JSON")
}

fn act(desk: &mut Desk, method: &str, path: &str) -> (u16, String) {
    let answer = ask(desk, (method, path), &[], &Value::Null);
    (answer.status, message(&answer))
}

fn message(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    body["message"].as_str().unwrap_or_default().to_owned()
}

/// The number of the version that has this tag.
fn id_of(desk: &mut Desk, tag: &str) -> u64 {
    let versions = get(desk, VERSIONS);
    let versions = versions.as_array().expect("versions").clone();
    let has = |it: &&Value| {
        it["metadata"]["container"]["tags"]
            .as_array()
            .is_some_and(|it| it.contains(&json!(tag)))
    };
    versions.iter().find(has).expect("a version")["id"]
        .as_u64()
        .expect("a number")
}
