//! The metadata service, GitHub's tokens and the credentials URI, request by request.

use std::collections::BTreeMap;

use reconcile::sim::{Answer, Delivery, Request};
use serde_json::{Value, json};

use super::{Bench, body, text};

const ROLES: &str = "/latest/meta-data/ram/security-credentials/";
const TTL: &str = "x-aliyun-ecs-metadata-token-ttl-seconds";
const TOKEN: &str = "x-aliyun-ecs-metadata-token";

fn instance(metadata: &Value) -> Bench {
    Bench::new(json!({"roles": [{"name": "ci"}], "metadata": metadata}))
}

fn send(bench: &mut Bench, request: (&str, &str), header: (&str, &str)) -> Answer {
    let (path, query) = request.1.split_once('?').unwrap_or((request.1, ""));
    let request = Request {
        method: request.0.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: BTreeMap::from([(header.0.to_owned(), header.1.to_owned())]),
        body: Vec::new(),
    };
    bench.world.handle(&request, bench.now)
}

fn get(bench: &mut Bench, path: &str, token: &str) -> (u16, String) {
    let name = if token.is_empty() { "x-none" } else { TOKEN };
    let answer = send(bench, ("GET", path), (name, token));
    (answer.status, text(&answer))
}

fn token(bench: &mut Bench, seconds: &str) -> String {
    let answer = send(bench, ("PUT", "/latest/api/token"), (TTL, seconds));
    assert_eq!(answer.status, 200);
    text(&answer)
}

#[test]
fn a_token_opens_the_service_for_as_long_as_it_was_asked_for() {
    let mut bench = instance(&json!({"role": "ci", "tokens": "required"}));
    assert_eq!(get(&mut bench, ROLES, "").0, 403);
    assert_eq!(get(&mut bench, ROLES, "made-up").0, 401);
    let token = token(&mut bench, "60");
    assert_eq!(get(&mut bench, ROLES, &token), (200, "ci".to_owned()));
    assert_eq!(get(&mut bench, &format!("{ROLES}other"), &token).0, 404);
    assert_eq!(
        get(&mut bench, "/latest/meta-data/region-id", &token).1,
        "cn-hangzhou"
    );
    assert_eq!(get(&mut bench, "/latest/meta-data/none", &token).0, 404);
    bench.wait(60);
    assert_eq!(get(&mut bench, ROLES, &token).0, 401);
    for seconds in ["", "0", "21601", "x"] {
        let answer = send(&mut bench, ("PUT", "/latest/api/token"), (TTL, seconds));
        assert_eq!(answer.status, 400, "{seconds}");
    }
}

#[test]
fn rules_differ_in_whether_a_token_is_needed() {
    for (rule, without, put) in [
        ("optional", 200, 200),
        ("required", 403, 200),
        ("unknown", 200, 405),
    ] {
        let mut bench = instance(&json!({"role": "ci", "tokens": rule}));
        assert_eq!(get(&mut bench, ROLES, "").0, without, "{rule}");
        let answer = send(&mut bench, ("PUT", "/latest/api/token"), (TTL, "60"));
        assert_eq!(answer.status, put, "{rule}");
    }
    let mut bench = instance(&json!({}));
    assert_eq!(get(&mut bench, ROLES, "").0, 404);
}

#[test]
fn the_key_of_an_instance_is_replaced_after_half_of_its_life_and_is_good() {
    let mut bench = instance(&json!({"role": "ci", "keySeconds": 3600}));
    let path = format!("{ROLES}ci");
    let key = |bench: &mut Bench| -> Value {
        serde_json::from_str(&get(bench, &path, "").1).expect("JSON")
    };
    let first = key(&mut bench);
    assert_eq!(
        (&first["Code"], &first["Expiration"]),
        (&json!("Success"), &json!("2026-11-21T03:00:00Z"))
    );
    bench.wait(1799);
    assert_eq!(key(&mut bench)["AccessKeyId"], first["AccessKeyId"]);
    bench.wait(1);
    let second = key(&mut bench);
    assert_ne!(second["AccessKeyId"], first["AccessKeyId"]);
    let text = |name: &str| second[name].as_str().expect("a text").to_owned();
    bench.key = (text("AccessKeyId"), text("AccessKeySecret"));
    bench.ok(
        "DescribeImages",
        &[("SecurityToken", &text("SecurityToken"))],
    );
}

#[test]
fn github_gives_a_token_to_the_job_alone() {
    let job = json!({"requestToken": "of-the-job", "subject": "repo:demo/images:pull_request"});
    let mut bench = Bench::new(json!({"job": job}));
    let path = "/github/_oidc?api-version=2.0&audience=sts.aliyuncs.com";
    for (authorization, status) in [
        ("bearer of-the-job", 200),
        ("Bearer of-the-job", 200),
        ("bearer other", 401),
        ("of-the-job", 401),
    ] {
        let answer = send(&mut bench, ("GET", path), ("authorization", authorization));
        assert_eq!(answer.status, status, "{authorization}");
    }
    let answer = send(
        &mut bench,
        ("GET", path),
        ("authorization", "bearer of-the-job"),
    );
    assert_eq!(
        body(&answer)["value"]
            .as_str()
            .map(|it| it.split('.').count()),
        Some(3)
    );
    let mut none = Bench::new(json!({}));
    assert_eq!(
        send(&mut none, ("GET", path), ("authorization", "bearer x")).status,
        404
    );
}

#[test]
fn troubles_strike_these_services_too() {
    let mut bench = instance(&json!({"role": "ci"}));
    bench.trouble(
        &json!({"service": "metadata", "action": "GetRole", "fault": "delay", "seconds": 60}),
    );
    assert_eq!(get(&mut bench, "/latest/meta-data/region-id", "").0, 200);
    let answer = send(&mut bench, ("GET", ROLES), ("x-none", ""));
    assert_eq!(
        answer.delivery,
        Delivery::Late(std::time::Duration::from_secs(60))
    );
    bench.trouble(&json!({"service": "metadata", "fault": "status", "status": 500}));
    assert_eq!(get(&mut bench, ROLES, "").0, 500);
    let named: Vec<String> = bench
        .world
        .calls()
        .iter()
        .map(|it| format!("{} {}", it.service, it.action))
        .collect();
    assert_eq!(
        named,
        [
            "metadata GetMetadata",
            "metadata GetRole",
            "metadata GetRole"
        ]
    );
    assert!(bench.world.calls().iter().all(|it| !it.write));
}

#[test]
fn what_is_named_must_be_there() {
    for scenario in [
        json!({"metadata": {"role": "ci"}}),
        json!({"credentialsUri": "ci"}),
        json!({"roles": [{"name": "ci", "tokens": {"provider": "x", "audience": "x", "subject": "x"}}]}),
        json!({"keys": []}),
    ] {
        assert!(
            reconcile::sim::scenario::Scenario::from_value(scenario.clone()).is_err(),
            "{scenario}"
        );
    }
}
