//! Every request that the client makes is one that GitHub's own description has, with its parameters and its body; the
//! simulated GitHub answers, so every answer is one as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use reconcile::clock::Timestamp;
use reconcile::providers::github::{Package, RunnersOf, Workflow};
use reconcile::sim::scenario::Scenario;
use reconcile::sim::{Request, World};
use serde_json::{Value, json};

use super::{Asked, client};
use crate::sim::github::{check, description, operation};
use crate::wire::registry::{Answer, Server};

/// What an answer may say in its headers.
const HEADERS: [&str; 5] = [
    "content-type",
    "link",
    "retry-after",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

/// What is asked of GitHub, as the simulator takes it.
fn request(asked: &Asked) -> Request {
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    let headers = asked.headers.iter();
    let text = |value: &hyper::header::HeaderValue| value.to_str().expect("text").to_owned();
    Request {
        method: asked.method.clone(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: asked.body.clone(),
    }
}

/// A server of a world, and what was wrong with its answers.
async fn serve(scenario: Value) -> (Server, Arc<Mutex<World>>) {
    let scenario = Scenario::from_value(scenario).expect("a scenario");
    let now = scenario.start;
    let world = Arc::new(Mutex::new(World::from_scenario(&scenario)));
    let shared = Arc::clone(&world);
    let script = move |asked: &Asked| {
        let answer = shared.lock().expect("a world").handle(&request(asked), now);
        let mut shown = Answer::of(answer.status, answer.body);
        for name in HEADERS {
            if let Some(value) = answer.headers.get(name) {
                shown = shown.with(name, value);
            }
        }
        shown
    };
    (Server::new(script).await, world)
}

/// A value of the query as the schema has it.
fn typed(value: &str, schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("integer") => value
            .parse::<i64>()
            .map_or_else(|_| json!(value), |it| json!(it)),
        Some("boolean") => json!(value.parse::<bool>().ok()),
        _ => json!(value),
    }
}

fn problems(value: &Value, schema: &Value) -> Vec<String> {
    let mut schema = schema.clone();
    schema["schemas"] = description()["schemas"].clone();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    validator
        .iter_errors(value)
        .map(|it| it.to_string())
        .collect()
}

/// The operation that a request is, or what is wrong with it.
fn judge(asked: &Asked) -> Result<String, String> {
    let asks = request(asked);
    let path = asks.path.strip_prefix("/github/").ok_or("another base")?;
    let (name, operation) =
        operation(&asks.method, path).ok_or_else(|| format!("{} is no operation", asked.line()))?;
    let pairs = asks.query.split('&').filter(|it| !it.is_empty());
    let pairs = pairs.map(|it| it.split_once('=').unwrap_or((it, "")));
    let sent: BTreeMap<&str, &str> = pairs.collect();
    let known = operation["query"].as_object().ok_or("no query")?;
    for (parameter, value) in &sent {
        let schema = known.get(*parameter);
        let schema = schema.ok_or_else(|| format!("{name} knows no {parameter}"))?;
        let wrong = problems(&typed(value, &schema["schema"]), &schema["schema"]);
        if !wrong.is_empty() {
            return Err(format!("{name}: {parameter}: {wrong:?}"));
        }
    }
    let is_missing = |(it, of): &(&String, &Value)| {
        of["required"] == json!(true) && !sent.contains_key(it.as_str())
    };
    if let Some((missing, _)) = known.iter().find(is_missing) {
        return Err(format!("{name} lacks {missing}"));
    }
    body(asked, &operation).map_err(|why| format!("{name}: {why}"))?;
    headers(asked).map_err(|why| format!("{name}: {why}"))?;
    Ok(name)
}

/// Names that the description does not have may be refused, so there are none.
fn body(asked: &Asked, operation: &Value) -> Result<(), String> {
    let Some(request) = operation["request"].as_object() else {
        let is_empty = asked.body.is_empty();
        return is_empty.then_some(()).ok_or("it has a body".to_owned());
    };
    let body: Value = serde_json::from_slice(&asked.body).map_err(|it| it.to_string())?;
    let mut schema = request["schema"].clone();
    schema["additionalProperties"] = json!(false);
    let wrong = problems(&body, &schema);
    if asked.header("content-type") != "application/json" || !wrong.is_empty() {
        return Err(format!("{} {wrong:?}", asked.header("content-type")));
    }
    Ok(())
}

/// GitHub Docs, "Getting started with the REST API" and "API Versions".
fn headers(asked: &Asked) -> Result<(), String> {
    let right = [
        ("accept", "application/vnd.github+json"),
        ("x-github-api-version", "2022-11-28"),
        ("authorization", "Bearer ghp_all"),
    ];
    let mut wrong = right
        .iter()
        .filter(|(name, value)| asked.header(name) != *value);
    match wrong.next() {
        Some((name, _)) => Err(format!("{name} is {}", asked.header(name))),
        None if !asked.header("user-agent").starts_with("reconcile/") => Err("no name".to_owned()),
        None => Ok(()),
    }
}

fn scenario() -> Value {
    let images = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|it| json!({"tags": [format!("t{it}")], "layers": [format!("{it}")]}))
            .collect()
    };
    let scopes = [
        "repo",
        "admin:org",
        "read:packages",
        "write:packages",
        "delete:packages",
    ];
    json!({
        "github": {
            "organizations": ["example"],
            "tokens": [{"token": "ghp_all", "login": "someone", "scopes": scopes}],
        },
        "objects": {
            "registries": {"ghcr.io": {"personality": "ghcr", "repositories": {
                "example/team/app": {"manifests": images(105)},
                "someone/app": {"manifests": images(3)},
                "other/app": {"public": true, "manifests": images(3)},
            }}},
            "workflows": [{"repository": "example/app", "file": "build it.yml", "inputs": ["tag"]}],
            "jobs": [
                {"repository": "example/app", "labels": ["spot"]},
                {"repository": "example/app", "labels": ["spot"], "held": "waiting"},
            ],
        },
    })
}

fn package(owner: &str, name: &str) -> Package {
    Package {
        owner: owner.to_owned(),
        name: name.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn every_request_is_one_that_the_description_has() {
    let (server, world) = serve(scenario()).await;
    let clients = client(&server, "/github", &[("GITHUB_TOKEN", "ghp_all")]);
    let github = &clients.github;
    for (owner, name) in [
        ("example", "team/app"),
        ("someone", "app"),
        ("other", "app"),
    ] {
        let package = package(owner, name);
        let versions = github.versions(&package).await.expect("versions");
        let id = versions.items()[0].id;
        let newest = github.newest_version(&package).await.expect("a version");
        assert_eq!(newest.map(|it| it.id), Some(id), "{owner}");
        assert!(
            github
                .version(&package, id)
                .await
                .expect("it is seen")
                .is_some()
        );
        github.delete_version(&package, id).await.expect("it goes");
        assert_eq!(github.version(&package, id).await, Ok(None));
        let deleted = github.deleted_versions(&package).await;
        match owner {
            "other" => assert!(deleted.is_err(), "the description has no such listing"),
            _ => assert_eq!(deleted.expect("a listing").items()[0].id, id),
        }
        github
            .restore_version(&package, id)
            .await
            .expect("it comes back");
        let again = github.versions(&package).await.expect("versions");
        assert_eq!(again.items().len(), versions.items().len(), "{owner}");
    }
    let workflow = Workflow {
        repository: "example/app".to_owned(),
        workflow: "build it.yml".to_owned(),
        reference: "main".to_owned(),
    };
    let inputs = BTreeMap::from([("tag".to_owned(), "v1".to_owned())]);
    let run = github
        .dispatch(&workflow, &inputs)
        .await
        .expect("it starts");
    let runs = github.runs(&workflow).await.expect("runs");
    assert_eq!(runs.iter().map(|it| Some(it.id)).collect::<Vec<_>>(), [run]);

    ask_for_runners(github).await;

    let judged: Result<BTreeSet<String>, String> = server.asked().iter().map(judge).collect();
    let used: Vec<String> = judged.expect("all are described").into_iter().collect();
    let all = description();
    let all = all["operations"].as_object().expect("operations");
    let unused: Vec<&String> = all.keys().filter(|it| !used.contains(it)).collect();
    // What only the simulator has.
    assert_eq!(
        unused,
        [
            "actions/get-workflow-run",
            "apps/create-installation-access-token",
            "packages/get-package-for-organization",
        ]
    );
    answers_are_described(&server, &world);
}

/// Everything that is asked of runners and jobs, of a repository and of an organization.
async fn ask_for_runners(github: &reconcile::providers::github::GitHub) {
    for page in [
        "https://github.com/example/app",
        "https://github.com/example",
    ] {
        let of = RunnersOf::parse(page).expect("a page");
        let labels = ["self-hosted".to_owned(), "spot".to_owned()];
        let made = github
            .register(&of, "a-1", &labels)
            .await
            .expect("it is registered");
        assert_eq!(github.runners(&of).await.expect("a list").items().len(), 1);
        let found = github.runner(&of, made.id).await.expect("it is seen");
        assert_eq!(
            found,
            github.runner_named(&of, "a-1").await.expect("a list")
        );
        assert!(found.is_some_and(|it| !it.is_online && it.is_ephemeral == Some(true)));
        let taken = github
            .register(&of, "a-1", &labels)
            .await
            .expect_err("it is taken");
        assert_eq!(taken.class, reconcile::fault::Class::InUse);
        github.remove_runner(&of, made.id).await.expect("it goes");
        github
            .remove_runner(&of, made.id)
            .await
            .expect("it is gone");
        assert_eq!(github.runner(&of, made.id).await, Ok(None));
    }
    let waiting = github.waiting("example/app").await.expect("jobs");
    let ids: Vec<u64> = waiting.jobs.iter().map(|it| it.id).collect();
    assert_eq!(ids, [41_000_000_000]);
    assert_eq!(github.is_waiting("example/app", ids[0]).await, Ok(true));
    assert_eq!(github.is_waiting("example/app", 1).await, Ok(false));
}

/// Asks the world once more what reads asked it, and holds the answers against the description.
fn answers_are_described(server: &Server, world: &Arc<Mutex<World>>) {
    let mut world = world.lock().expect("a world");
    let late = Timestamp::parse("2030-01-01T00:00:00Z").expect("a time");
    for asked in server.asked().iter().filter(|it| it.method == "GET") {
        let request = request(asked);
        let answer = world.handle(&request, late);
        let path = request.path.strip_prefix("/github/").expect("GitHub's");
        check(&request.method, path, &answer);
    }
}
