//! Simulated GitHub: packages and workflows. Whatever it answers with is held against GitHub's own description.

use std::collections::BTreeMap;

use reconcile::sim::registry::history::{By, Deed};
use reconcile::sim::{Answer, Request};
use serde_json::{Value, json};

use super::registry::{Desk, GHCR, app, text};

const DESCRIPTION: &str = include_str!("../golden/github/openapi-subset.json");
const VERSIONS: &str = "orgs/example/packages/container/app/versions";
const RUNS: &str = "repos/example/app/actions/workflows/build.yml/runs";
const DISPATCH: &str = "repos/example/app/actions/workflows/build.yml/dispatches";

/// The part of a path that stands for `{name}` in a template fits anything.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(a, b)| a.starts_with('{') || a == b)
}

/// GitHub's own description, as far as we need it.
pub(crate) fn description() -> Value {
    serde_json::from_str(DESCRIPTION).expect("JSON")
}

/// The operation behind a method and a path, with its name.
pub(crate) fn operation(method: &str, path: &str) -> Option<(String, Value)> {
    let description = description();
    let mut operations = description["operations"].as_object()?.iter();
    let is_meant = |it: &Value| {
        it["method"] == method && fits(it["path"].as_str().expect("a path"), &format!("/{path}"))
    };
    let found = operations.find(|(_, it)| is_meant(it));
    found.map(|(name, it)| (name.clone(), it.clone()))
}

/// Panics when an answer is none that GitHub's description has.
pub(crate) fn check(method: &str, path: &str, answer: &Answer) {
    let description = description();
    let (_, operation) = operation(method, path).expect("an operation");
    let known = &operation["responses"][answer.status.to_string()];
    // 400, 410 and 422 are told in words only.
    let mut schema = match (known.is_object(), answer.status) {
        (true, _) => known.get("schema").cloned(),
        (false, 400..) => Some(json!({"$ref": "#/schemas/basic-error"})),
        (false, status) => panic!("{method} {path} does not answer {status}"),
    };
    let Some(schema) = &mut schema else {
        assert!(answer.body.is_empty(), "{method} {path}: {}", text(answer));
        return;
    };
    schema["schemas"] = description["schemas"].clone();
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let validator = jsonschema::validator_for(schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(&body)
        .map(|it| format!("{} at {}", it, it.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{method} {path}: {errors:#?}\n{body:#}");
}

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

#[test]
fn a_version_is_a_manifest_with_all_its_tags() {
    let mut desk = world(&app(), &json!({}));
    let versions = get(&mut desk, VERSIONS);
    assert_eq!(versions.as_array().expect("versions").len(), 7);
    let id = id_of(&mut desk, "v1");
    let version = get(&mut desk, &format!("{VERSIONS}/{id}"));
    assert_eq!(version["name"], desk.tags()["v1"].to_string());
    assert_eq!(version["metadata"]["container"]["tags"], json!(["v1"]));
    let package = get(&mut desk, "orgs/example/packages/container/app");
    assert_eq!(
        (&package["version_count"], &package["visibility"]),
        (&json!(7), &json!("private"))
    );
}

#[test]
fn names_are_encoded_and_an_organization_is_no_user() {
    let mut repositories = app();
    repositories["example/team/app"] = json!({"manifests": [{"tags": ["v1"]}]});
    repositories["someone/app"] = json!({"manifests": [{"tags": ["v1"]}]});
    let mut desk = world(&repositories, &json!({}));
    let nested = get(
        &mut desk,
        "orgs/example/packages/container/team%2Fapp/versions",
    );
    assert_eq!(nested.as_array().expect("versions").len(), 1);
    let own = get(&mut desk, "users/someone/packages/container/app/versions");
    assert_eq!(own.as_array().expect("versions").len(), 1);
    let ours = get(&mut desk, "user/packages/container/app");
    assert_eq!(ours, get(&mut desk, "users/someone/packages/container/app"));
    let own = get(&mut desk, "user/packages/container/app/versions");
    assert_eq!(own.as_array().expect("versions").len(), 1);
    let wrong = act(
        &mut desk,
        "GET",
        "users/example/packages/container/app/versions",
    );
    assert_eq!(wrong.0, 404);
    assert_eq!(
        act(
            &mut desk,
            "GET",
            "orgs/someone/packages/container/app/versions"
        )
        .0,
        404
    );
}

#[test]
fn a_deleted_version_takes_all_its_tags_and_comes_back_within_thirty_days() {
    let mut desk = world(&app(), &json!({}));
    desk.meddle(&json!({"manifests": [{"tags": ["v1-amd64", "latest-amd64"], "platform": "linux/amd64", "revision": "abc", "attested": true, "layers": ["v1-amd64"]}]}));
    let id = id_of(&mut desk, "v1-amd64");
    let place = format!("{VERSIONS}/{id}");
    assert_eq!(act(&mut desk, "DELETE", &place).0, 204);
    assert_eq!(
        act(&mut desk, "DELETE", &place),
        (404, "Package not found.".to_owned())
    );
    assert_eq!(
        desk.tags().into_keys().collect::<Vec<_>>(),
        ["v1", "v1-arm64"]
    );
    let deleted = get(&mut desk, &format!("{VERSIONS}?state=deleted"));
    assert_eq!(
        (&deleted[0]["id"], deleted.as_array().map(Vec::len)),
        (&json!(id), Some(1))
    );
    assert_eq!(deleted[0]["deleted_at"], desk.now.to_string());

    assert_eq!(act(&mut desk, "POST", &format!("{place}/restore")).0, 204);
    assert_eq!(desk.tags().len(), 4);
    assert_eq!(act(&mut desk, "POST", &format!("{place}/restore")).0, 404);
    assert_eq!(act(&mut desk, "DELETE", &place).0, 204);
    desk.wait(30 * 24 * 3600 + 1);
    assert_eq!(act(&mut desk, "POST", &format!("{place}/restore")).0, 404);
    let deeds = desk.deeds();
    let is_deletion = |it: &&(By, Deed)| matches!(it, (By::Client, Deed::VersionDeleted { tags, .. }) if tags.len() == 2);
    assert_eq!(deeds.iter().filter(is_deletion).count(), 2, "{deeds:#?}");
    let is_back = |it: &&(By, Deed)| matches!(it, (By::Client, Deed::VersionRestored { .. }));
    assert_eq!(deeds.iter().filter(is_back).count(), 1);
}

#[test]
fn a_tag_that_was_taken_meanwhile_stays_where_it_is_when_a_version_comes_back() {
    let mut desk = world(&app(), &json!({}));
    let id = id_of(&mut desk, "v1-amd64");
    assert_eq!(act(&mut desk, "DELETE", &format!("{VERSIONS}/{id}")).0, 204);
    desk.meddle(&json!({"manifests": [{"tags": ["v1-amd64"], "revision": "new"}]}));
    let taken = desk.tags()["v1-amd64"].clone();
    assert_eq!(
        act(&mut desk, "POST", &format!("{VERSIONS}/{id}/restore")).0,
        204
    );
    assert_eq!(desk.tags()["v1-amd64"], taken);
}

#[test]
fn a_tag_that_moves_leaves_an_untagged_version_and_changes_both() {
    let mut desk = world(&app(), &json!({}));
    let old = id_of(&mut desk, "v1");
    desk.wait(60);
    desk.meddle(&json!({"manifests": [{"tags": ["v1"], "revision": "dummy"}]}));
    let new = id_of(&mut desk, "v1");
    assert_ne!(old, new);
    let moved = desk.now.to_string();
    let left = get(&mut desk, &format!("{VERSIONS}/{old}"));
    assert_eq!(left["metadata"]["container"]["tags"], json!([]));
    assert_eq!(left["updated_at"], moved);
    assert_ne!(left["created_at"], moved);
    // How a tag is taken away: by giving it to something else, and deleting that.
    assert_eq!(
        act(&mut desk, "DELETE", &format!("{VERSIONS}/{new}")).0,
        204
    );
    assert!(!desk.tags().contains_key("v1"));
    assert_eq!(act(&mut desk, "GET", &format!("{VERSIONS}/{old}")).0, 200);
}

#[test]
fn a_child_that_goes_leaves_its_index_and_cannot_come_back_twice() {
    let mut desk = world(&app(), &json!({}));
    let index = desk.tags()["v1"].clone();
    let child = id_of(&mut desk, "v1-amd64");
    let digest = desk.tags()["v1-amd64"].clone();
    let place = format!("{VERSIONS}/{child}");
    assert_eq!(act(&mut desk, "DELETE", &place).0, 204);
    assert_eq!(desk.tags()["v1"], index);
    let image = json!({"tags": ["v1-amd64"], "platform": "linux/amd64", "revision": "abc", "attested": true});
    desk.meddle(&json!({ "manifests": [image] }));
    assert_eq!(desk.tags()["v1-amd64"], digest);
    let (status, said) = act(&mut desk, "POST", &format!("{place}/restore"));
    assert_eq!(
        (status, said.as_str()),
        (400, "A version of this name exists already.")
    );
}

#[test]
fn the_last_tagged_version_and_one_that_many_have_stay() {
    let mut repositories = json!({"example/app": {"public": true, "manifests": [
        {"tags": ["v1"], "downloads": 10},
        {"name": "untagged", "layers": ["other"], "downloads": 5001},
    ]}});
    let mut desk = world(&repositories, &json!({}));
    let id = id_of(&mut desk, "v1");
    let (status, said) = act(&mut desk, "DELETE", &format!("{VERSIONS}/{id}"));
    let words = "You cannot delete the last tagged version of a package. You must delete the package instead.";
    assert_eq!((status, said.as_str()), (400, words));
    let versions = get(&mut desk, VERSIONS);
    let untagged = versions
        .as_array()
        .expect("versions")
        .iter()
        .find(|it| it["id"] != id)
        .expect("another");
    let place = format!("{VERSIONS}/{}", untagged["id"]);
    let (status, said) = act(&mut desk, "DELETE", &place);
    assert_eq!(status, 400);
    assert!(said.starts_with("Publicly visible package versions with more than 5000 downloads"));
    repositories["example/app"]["public"] = json!(false);
    let mut private = world(&repositories, &json!({}));
    assert_eq!(act(&mut private, "DELETE", &place).0, 204);
    let (status, said) = act(&mut private, "DELETE", &format!("{VERSIONS}/{id}"));
    assert_eq!(status, 400);
    assert!(said.contains("last version"), "{said}");
}

#[test]
fn whoever_may_not_sees_nothing() {
    let mut desk = world(&app(), &json!({}));
    let id = id_of(&mut desk, "v1");
    desk.authorization = Some("token ghp_read".to_owned());
    assert_eq!(act(&mut desk, "GET", VERSIONS).0, 200);
    assert_eq!(act(&mut desk, "DELETE", &format!("{VERSIONS}/{id}")).0, 404);
    assert_eq!(act(&mut desk, "GET", RUNS).0, 404);
    desk.authorization = Some("Bearer wrong".to_owned());
    assert_eq!(
        act(&mut desk, "GET", VERSIONS),
        (401, "Bad credentials".to_owned())
    );
    desk.authorization = None;
    assert_eq!(
        act(&mut desk, "GET", VERSIONS),
        (401, "Requires authentication".to_owned())
    );
    let nameless = ask(
        &mut desk,
        ("GET", VERSIONS),
        &[("user-agent", "")],
        &Value::Null,
    );
    assert_eq!(nameless.status, 403);
    let old = ask(
        &mut desk,
        ("GET", VERSIONS),
        &[("x-github-api-version", "2020-01-01")],
        &Value::Null,
    );
    assert_eq!(old.status, 410);
}

#[test]
fn a_listing_comes_in_pages_that_link_to_each_other() {
    let images: Vec<Value> = (0..45).map(|it| json!({"tags": [format!("t{it}")], "pushed": format!("2026-11-01T00:00:{it:02}Z")})).collect();
    let mut desk = world(&json!({"example/app": {"manifests": images}}), &json!({}));
    let first = ask(&mut desk, ("GET", VERSIONS), &[], &Value::Null);
    let link = "<http://127.0.0.1:1/github/orgs/example/packages/container/app/versions?per_page=30&page=2>; rel=\"next\"";
    assert!(
        first.headers["link"].starts_with(link),
        "{}",
        first.headers["link"]
    );
    let first: Value = serde_json::from_slice(&first.body).expect("JSON");
    assert_eq!(first[0]["metadata"]["container"]["tags"], json!(["t44"]));
    let second = ask(
        &mut desk,
        ("GET", &format!("{VERSIONS}?page=2")),
        &[],
        &Value::Null,
    );
    assert!(!second.headers["link"].contains("rel=\"next\""));
    assert_eq!(
        get(&mut desk, &format!("{VERSIONS}?page=2"))
            .as_array()
            .map(Vec::len),
        Some(15)
    );
    let all = ask(
        &mut desk,
        ("GET", &format!("{VERSIONS}?per_page=100")),
        &[],
        &Value::Null,
    );
    assert!(!all.headers.contains_key("link"));
    desk.trouble(&json!({"action": "GET versions", "fault": "torn"}));
    let torn = get(&mut desk, &format!("{VERSIONS}?page=2"));
    assert_eq!(torn[0]["metadata"]["container"]["tags"], json!(["t15"]));
}

#[test]
fn limits_are_told_with_every_answer_and_kept() {
    let mut desk = world(
        &app(),
        &json!({"github": {"perHour": 4, "pointsPerMinute": 900}}),
    );
    let first = ask(&mut desk, ("GET", VERSIONS), &[], &Value::Null);
    assert_eq!(first.headers["x-ratelimit-remaining"], "3");
    let etag = first.headers["etag"].clone();
    let same = ask(
        &mut desk,
        ("GET", VERSIONS),
        &[("if-none-match", &etag)],
        &Value::Null,
    );
    assert_eq!(
        (same.status, same.headers["x-ratelimit-remaining"].as_str()),
        (304, "3")
    );
    for _ in 0..3 {
        get(&mut desk, VERSIONS);
    }
    let spent = ask(&mut desk, ("GET", VERSIONS), &[], &Value::Null);
    assert_eq!(
        (
            spent.status,
            spent.headers["x-ratelimit-remaining"].as_str()
        ),
        (403, "0")
    );
    let reset: i64 = spent.headers["x-ratelimit-reset"]
        .parse()
        .expect("a number");
    let seconds = reset - desk.now.millis() / 1000;
    desk.wait(seconds.unsigned_abs());
    assert_eq!(act(&mut desk, "GET", VERSIONS).0, 200);
}

#[test]
fn a_minute_has_so_many_points_and_a_write_takes_five() {
    let mut desk = world(&app(), &json!({"github": {"pointsPerMinute": 9}}));
    desk.wait(15);
    for status in [404, 403] {
        let answer = ask(
            &mut desk,
            ("DELETE", &format!("{VERSIONS}/1")),
            &[],
            &Value::Null,
        );
        assert_eq!(answer.status, status);
        if status == 403 {
            assert_eq!(answer.headers["retry-after"], "45");
            assert!(message(&answer).contains("secondary rate limit"));
        }
    }
    desk.wait(45);
    assert_eq!(act(&mut desk, "DELETE", &format!("{VERSIONS}/1")).0, 404);
}

#[test]
fn troubles_strike_github() {
    let mut desk = world(&app(), &json!({}));
    desk.trouble(&json!({"service": "github", "action": "GET versions", "object": "example/app", "fault": "status", "status": 502}));
    let request = |desk: &mut Desk| {
        let request = Request {
            method: "GET".to_owned(),
            path: format!("/github/{VERSIONS}"),
            query: String::new(),
            headers: BTreeMap::from(
                [("user-agent", "test"), ("authorization", "Bearer ghp_all")]
                    .map(|(a, b)| (a.to_owned(), b.to_owned())),
            ),
            body: Vec::new(),
        };
        desk.world.handle(&request, desk.now)
    };
    let page = request(&mut desk);
    assert!(text(&page).contains("Unicorn!"), "{}", text(&page));
    desk.trouble(&json!({"fault": "status", "status": 403, "seconds": 60}));
    assert_eq!(request(&mut desk).headers["retry-after"], "60");
    let id = id_of(&mut desk, "v1");
    act(&mut desk, "DELETE", &format!("{VERSIONS}/{id}"));
    desk.trouble(&json!({"action": "GET versions", "fault": "stale", "seconds": 60}));
    assert_eq!(get(&mut desk, VERSIONS).as_array().map(Vec::len), Some(7));
    assert_eq!(get(&mut desk, VERSIONS).as_array().map(Vec::len), Some(6));
    let calls = desk.world.calls();
    let deletion = calls.iter().find(|it| it.write).expect("a write");
    assert_eq!(
        (deletion.action.as_str(), deletion.status),
        ("DELETE version", 204)
    );
    assert_eq!(deletion.object, Some(format!("example/app@{id}")));
}

/// A workflow whose first run fails, and whose second one pushes what it was asked for.
fn workflow() -> Value {
    let pushed = json!({"example/app": {"manifests": [{"tags": ["{{tag}}-arm64"], "platform": "linux/arm64", "revision": "abc"}]}});
    json!([{
        "repository": "example/app", "file": "build.yml", "inputs": ["tag"],
        "queuedSeconds": 10, "seconds": 50, "conclusions": ["failure", "success"],
        "pushes": {GHCR: pushed},
    }])
}

#[test]
fn a_dispatched_run_waits_works_and_pushes_what_it_was_asked_for() {
    let mut desk = world(&app(), &json!({"objects": {"workflows": workflow()}}));
    let sent = json!({"ref": "main", "inputs": {"tag": "v2"}, "return_run_details": true});
    let answer = ask(&mut desk, ("POST", DISPATCH), &[], &sent);
    assert_eq!(answer.status, 200, "{}", text(&answer));
    let details: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let run = format!(
        "repos/example/app/actions/runs/{}",
        details["workflow_run_id"]
    );
    assert_eq!(get(&mut desk, &run)["status"], "queued");
    desk.wait(10);
    assert_eq!(get(&mut desk, &run)["status"], "in_progress");
    desk.wait(50);
    let ended = get(&mut desk, &run);
    assert_eq!(
        (&ended["status"], &ended["conclusion"]),
        (&json!("completed"), &json!("failure"))
    );
    assert!(!desk.tags().contains_key("v2-arm64"));

    let without = json!({"ref": "main", "inputs": {"tag": "v2"}});
    assert_eq!(
        ask(&mut desk, ("POST", DISPATCH), &[], &without).status,
        204
    );
    let newer = [("x-github-api-version", "2026-03-10")];
    assert_eq!(
        ask(&mut desk, ("POST", DISPATCH), &newer, &without).status,
        200
    );
    desk.wait(60);
    assert!(desk.tags().contains_key("v2-arm64"));
    let deeds = desk.deeds();
    assert!(
        matches!(deeds[0], (By::Client, Deed::RunStarted { .. })),
        "{deeds:#?}"
    );
    let is_push = |it: &&(By, Deed)| matches!(it, (By::Workflow, Deed::TagMoved { tag, .. }) if tag == "v2-arm64");
    assert_eq!(deeds.iter().filter(is_push).count(), 1);
}

#[test]
fn runs_are_listed_by_branch_event_status_and_time() {
    let mut workflows = workflow();
    workflows[0]["runs"] = json!([
        {"created": "2026-11-21T01:00:00Z"},
        {"created": "2026-11-21T01:30:00Z", "event": "push", "ref": "other"},
    ]);
    let mut desk = world(&app(), &json!({"objects": {"workflows": workflows}}));
    ask(&mut desk, ("POST", DISPATCH), &[], &json!({"ref": "main"}));
    let mut count = |query: &str| {
        let listed = get(&mut desk, &format!("{RUNS}?{query}"));
        let runs = listed["workflow_runs"].as_array().map(Vec::len);
        assert_eq!(listed["total_count"], json!(runs));
        runs.expect("runs")
    };
    for (query, wanted) in [
        ("", 3),
        ("branch=main", 2),
        ("event=push", 1),
        ("status=queued", 1),
        ("status=completed", 2),
        ("status=failure", 1),
        ("created=%3E%3D2026-11-21T01:30:00Z", 2),
        ("branch=main&event=workflow_dispatch&status=success", 0),
    ] {
        assert_eq!(count(query), wanted, "{query}");
    }
    let newest = get(&mut desk, "repos/example/app/actions/runs");
    assert_eq!(newest["workflow_runs"][0]["status"], "queued");
}

#[test]
fn a_dispatch_that_cannot_be_is_refused() {
    let mut desk = world(&app(), &json!({"objects": {"workflows": workflow()}}));
    let mut said = |path: &str, sent: Value| {
        let answer = ask(&mut desk, ("POST", path), &[], &sent);
        (answer.status, message(&answer))
    };
    let no_ref = said(DISPATCH, json!({"ref": "absent"}));
    assert_eq!(no_ref, (422, "No ref found for: absent".to_owned()));
    let unknown = said(DISPATCH, json!({"ref": "main", "inputs": {"tga": "v1"}}));
    assert_eq!(
        unknown,
        (422, "Unexpected inputs provided: [\"tga\"]".to_owned())
    );
    assert_eq!(
        said(&DISPATCH.replace("build", "absent"), json!({"ref": "main"})).0,
        404
    );
    assert_eq!(desk.deeds(), []);
}
