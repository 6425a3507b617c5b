//! Runners and jobs of the simulated GitHub, request by request.

use serde_json::{Value, json};

use super::described::check;
use crate::sim::{Bench, body};
use reconcile::sim::Request;

const RUNNERS: &str = "repos/example/app/actions/runners";

fn bench(objects: &Value) -> Bench {
    let scopes = ["repo", "admin:org"];
    Bench::new(json!({
        "github": {"organizations": ["example"], "tokens": [
            {"token": "all", "login": "a", "scopes": scopes}, {"token": "of-a-workflow", "login": "b", "scopes": ["actions"]},
        ]},
        "objects": objects,
    }))
}

fn ask(bench: &mut Bench, token: &str, (method, path): (&str, &str), sent: &Value) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let headers = [
        ("authorization", format!("Bearer {token}")),
        ("user-agent", "test".to_owned()),
    ];
    let request = Request {
        method: method.to_owned(),
        path: format!("/github/{path}"),
        query: query.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
        body: if sent.is_null() {
            Vec::new()
        } else {
            sent.to_string().into_bytes()
        },
    };
    let answer = bench.world.handle(&request, bench.now);
    check(method, path, &answer);
    let value = if answer.body.is_empty() {
        Value::Null
    } else {
        body(&answer)
    };
    (answer.status, value)
}

fn all(bench: &mut Bench, method: &str, path: &str, sent: &Value) -> (u16, Value) {
    ask(bench, "all", (method, path), sent)
}

fn named(name: &str) -> Value {
    json!({"name": name, "runner_group_id": 1, "labels": ["spot"]})
}

#[test]
fn a_name_is_registered_once_and_free_again_when_it_is_removed() {
    let mut bench = bench(&json!({}));
    let jit = format!("{RUNNERS}/generate-jitconfig");
    let (status, made) = all(&mut bench, "POST", &jit, &named("a"));
    assert_eq!(
        (status, &made["runner"]["status"]),
        (201, &json!("offline"))
    );
    let (status, refused) = all(&mut bench, "POST", &jit, &named("a"));
    let said = refused["message"].as_str().unwrap_or_default();
    assert!(
        status == 409 && said.contains("already exists"),
        "{refused}"
    );
    let one = format!("{RUNNERS}/{}", made["runner"]["id"]);
    assert_eq!(all(&mut bench, "GET", &one, &Value::Null).0, 200);
    assert_eq!(all(&mut bench, "DELETE", &one, &Value::Null).0, 204);
    assert_eq!(all(&mut bench, "DELETE", &one, &Value::Null).0, 404);
    assert_eq!(all(&mut bench, "POST", &jit, &named("a")).0, 201);
}

#[test]
fn what_a_runner_cannot_be_is_refused() {
    let mut bench = bench(&json!({}));
    let jit = format!("{RUNNERS}/generate-jitconfig");
    for (key, value, status) in [
        ("name", json!("x".repeat(65)), 422),
        ("labels", json!([]), 422),
        ("labels", json!(["two words"]), 422),
        ("labels", json!(["x".repeat(300)]), 422),
        ("runner_group_id", json!(7), 404),
    ] {
        let mut sent = named("a");
        sent[key] = value;
        assert_eq!(all(&mut bench, "POST", &jit, &sent).0, status, "{sent}");
    }
}

#[test]
fn a_page_has_thirty_rows_unless_more_are_asked_for() {
    let many: Vec<Value> = (0..35)
        .map(|it| json!({"of": "example/app", "name": format!("r{it}")}))
        .collect();
    let mut bench = bench(&json!({"runners": many}));
    let rows = |bench: &mut Bench, query: &str| {
        let (_, page) = all(bench, "GET", &format!("{RUNNERS}{query}"), &Value::Null);
        assert_eq!(page["total_count"], 35);
        page["runners"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(rows(&mut bench, ""), 30);
    assert_eq!(rows(&mut bench, "?page=2"), 5);
    assert_eq!(rows(&mut bench, "?per_page=100"), 35);
}

#[test]
fn a_runner_with_a_job_is_not_removed_and_goes_when_it_is_over() {
    let mut bench = bench(&json!({
        "runners": [{"of": "example/app", "name": "a", "online": true, "labels": ["Spot"]}],
        "jobs": [{"repository": "example/app", "labels": ["spot"], "seconds": 60}],
    }));
    bench.wait(1);
    let (_, page) = all(&mut bench, "GET", RUNNERS, &Value::Null);
    assert_eq!(page["runners"][0]["busy"], true);
    let one = format!("{RUNNERS}/{}", page["runners"][0]["id"]);
    let (status, refused) = all(&mut bench, "DELETE", &one, &Value::Null);
    let said = refused["message"].as_str().unwrap_or_default();
    assert!(
        status == 422 && said.contains("is still running a job"),
        "{refused}"
    );
    let runs = "repos/example/app/actions/runs";
    let (_, listed) = all(
        &mut bench,
        "GET",
        &format!("{runs}?status=in_progress"),
        &Value::Null,
    );
    let run = listed["workflow_runs"][0]["id"].clone();
    let (_, jobs) = all(
        &mut bench,
        "GET",
        &format!("{runs}/{run}/jobs"),
        &Value::Null,
    );
    assert_eq!(jobs["jobs"][0]["runner_name"], "a");
    bench.wait(60);
    assert_eq!(all(&mut bench, "GET", &one, &Value::Null).0, 404);
    let (_, listed) = all(
        &mut bench,
        "GET",
        &format!("{runs}?status=completed"),
        &Value::Null,
    );
    assert_eq!(listed["workflow_runs"][0]["conclusion"], "success");
}

#[test]
fn a_runner_that_is_lost_with_its_job_stays_busy_for_a_quarter_of_an_hour() {
    let mut bench = bench(&json!({
        "instances": [{"InstanceId": "i-1", "InstanceName": "a", "ImageId": "u", "CreationTime": "2026-11-21T01:00:00Z"}],
        "runners": [{"of": "example/app", "name": "a", "online": true, "labels": ["spot"]}],
        "jobs": [{"repository": "example/app", "labels": ["spot"], "seconds": 6000}],
    }));
    bench.wait(1);
    let now = bench.now;
    bench.world.take("i-1", now);
    bench.wait(14 * 60);
    let (_, page) = all(&mut bench, "GET", RUNNERS, &Value::Null);
    let runner = &page["runners"][0];
    assert_eq!(
        (&runner["status"], &runner["busy"]),
        (&json!("offline"), &json!(true))
    );
    bench.wait(2 * 60);
    let (_, page) = all(&mut bench, "GET", RUNNERS, &Value::Null);
    assert_eq!(page["total_count"], 0);
    let now = bench.now;
    let ended = bench.world.jobs(now)[0].ended.clone();
    assert_eq!(ended.map(|it| it.1).as_deref(), Some("failure"));
}

#[test]
fn the_token_of_a_workflow_sees_jobs_and_no_runners() {
    let mut bench = bench(&json!({"jobs": [{"repository": "example/app", "labels": ["spot"]}]}));
    let weak = "of-a-workflow";
    let (status, refused) = ask(&mut bench, weak, ("GET", RUNNERS), &Value::Null);
    assert_eq!(
        (status, &refused["message"]),
        (403, &json!("Resource not accessible by integration"))
    );
    let runs = "repos/example/app/actions/runs?status=queued";
    let (status, listed) = ask(&mut bench, weak, ("GET", runs), &Value::Null);
    assert_eq!((status, &listed["total_count"]), (200, &json!(1)));
}
