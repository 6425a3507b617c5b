//! What holds for every answer: who gets it, in how many pages, within which limits, and what strikes it.

use std::collections::BTreeMap;

use reconcile::sim::Request;
use serde_json::{Value, json};

use super::{RUNS, VERSIONS, act, ask, get, id_of, message, world};
use crate::sim::registry::{Desk, app, text};

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
