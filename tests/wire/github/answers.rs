//! What answers of GitHub mean, those too that no simulator gives: from elsewhere, from gateways, from older servers.

use std::collections::BTreeMap;
use std::time::Duration;

use reconcile::clock::Timestamp;
use reconcile::ids::Digest;
use reconcile::providers::Clients;
use reconcile::providers::github::{Package, Workflow};
use serde_json::{Value, json};

use super::{Asked, client};
use crate::wire::registry::warnings::Log;
use crate::wire::registry::{Answer, Server, told};

const NO_RUNS: &str = r#"{"total_count": 0, "workflow_runs": []}"#;
const SECONDARY: &str = r#"{"message": "You have exceeded a secondary rate limit."}"#;

async fn lab(script: impl FnMut(&Asked) -> Answer + Send + 'static) -> (Clients, Server) {
    let server = Server::new(script).await;
    let clients = client(&server, "", &[("GITHUB_TOKEN", "hunter2-token")]);
    (clients, server)
}

fn workflow() -> Workflow {
    Workflow {
        repository: "example/app".to_owned(),
        workflow: "build.yml".to_owned(),
        reference: "main".to_owned(),
    }
}

fn package() -> Package {
    Package {
        owner: "example".to_owned(),
        name: "app".to_owned(),
    }
}

fn version(id: u64) -> Value {
    json!({
        "id": id, "name": Digest::of(&id.to_be_bytes()),
        "created_at": "2026-11-01T00:00:00Z", "updated_at": "2026-11-01T00:00:00Z",
        "metadata": {"package_type": "container", "container": {"tags": []}},
    })
}

fn run(id: u64) -> Value {
    json!({"id": id, "status": "queued", "conclusion": null, "created_at": "2026-11-25T10:00:00Z", "html_url": "https://x"})
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_was_renamed_is_followed_at_home_alone() {
    for (location, expected) in [
        ("/repositories/7/runs", ""),
        ("https://evil.example/runs", "another host"),
        (
            "/repos/example/app/actions/workflows/build.yml/runs",
            "more than 3 times",
        ),
    ] {
        let script = move |asked: &Asked| match asked.target.as_str() {
            "/repositories/7/runs" => Answer::of(200, NO_RUNS),
            _ => Answer::of(301, "").with("location", location),
        };
        let (clients, server) = lab(script).await;
        let outcome = clients.github.runs_now(&workflow()).await;
        let asked = server.asked();
        if expected.is_empty() {
            assert_eq!(outcome, Ok(Vec::new()));
            assert_eq!(asked[1].header("authorization"), "Bearer hunter2-token");
        } else {
            let said = told(outcome);
            assert!(said.contains(expected), "{said}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_tell_the_run_is_asked_without_that() {
    let script = |asked: &Asked| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        match (asked.method.as_str(), body.get("return_run_details")) {
            ("GET", _) => Answer::of(200, NO_RUNS),
            (_, None) => Answer::of(204, ""),
            (_, Some(_)) => Answer::of(
                400,
                r#"{"message": "\"return_run_details\" is not a permitted key."}"#,
            ),
        }
    };
    let (clients, server) = lab(script).await;
    let started = clients.github.dispatch(&workflow(), &BTreeMap::new()).await;
    assert_eq!(started, Ok(None));
    let methods: Vec<String> = server.asked().into_iter().map(|it| it.method).collect();
    assert_eq!(methods, ["GET", "POST", "POST"]);
}

/// Whether the workflow ran though its start was not answered, and what is said of it.
async fn started(lost: Answer, has_run: bool) -> (Result<Option<u64>, String>, usize) {
    let mut is_sent = false;
    let script = move |asked: &Asked| {
        if asked.method == "POST" {
            is_sent = true;
            return lost.clone();
        }
        let new = [run(8)].into_iter().filter(|_| is_sent && has_run);
        let runs: Vec<Value> = new.chain([run(7)]).collect();
        let body = json!({"total_count": runs.len(), "workflow_runs": runs});
        Answer::of(200, body.to_string())
    };
    let (clients, server) = lab(script).await;
    let outcome = clients.github.dispatch(&workflow(), &BTreeMap::new()).await;
    let sent = server
        .asked()
        .iter()
        .filter(|it| it.method == "POST")
        .count();
    (outcome.map_err(|it| it.class.name().to_owned()), sent)
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_answer_is_lost_is_looked_for_and_never_sent_twice() {
    for lost in [Answer::default(), Answer::html(502), Answer::of(500, "{}")] {
        assert_eq!(started(lost.clone(), true).await, (Ok(Some(8)), 1));
        let (outcome, sent) = started(lost, false).await;
        assert_eq!((outcome, sent), (Err("Unavailable".to_owned()), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_waited_for_by_what_the_answer_says() {
    let date = "Wed, 25 Nov 2026 10:00:00 GMT";
    let reset = Timestamp::parse("2026-11-25T10:02:00Z").expect("a time");
    let reset = (reset.millis() / 1000).to_string();
    let spent = Answer::of(403, r#"{"message": "API rate limit exceeded."}"#)
        .with("date", date)
        .with("x-ratelimit-remaining", "0")
        .with("x-ratelimit-reset", &reset);
    for (refusal, seconds) in [
        (Answer::of(403, SECONDARY).with("retry-after", "7"), 7),
        (Answer::of(429, "").with("retry-after", "7"), 7),
        (Answer::of(403, SECONDARY), 60),
        (Answer::of(429, ""), 60),
        (spent, 120),
    ] {
        let mut number = 0;
        let script = move |_: &Asked| {
            number += 1;
            match number {
                1 => refusal.clone(),
                _ => Answer::of(200, NO_RUNS),
            }
        };
        let (clients, server) = lab(script).await;
        let begun = tokio::time::Instant::now();
        let outcome = clients.github.runs_now(&workflow()).await;
        assert_eq!(outcome, Ok(Vec::new()));
        assert!(begun.elapsed() >= Duration::from_secs(seconds), "{seconds}");
        assert_eq!(server.lines().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_pause_is_left_to_a_later_pass_and_a_denial_is_final() {
    // Nobody is kept waiting for years.
    for asked in ["3600", "18446744073709551615"] {
        let hour = Answer::of(403, SECONDARY).with("retry-after", asked);
        let (clients, server) = lab(move |_| hour.clone()).await;
        for _ in 0..2 {
            let said = told(clients.github.runs_now(&workflow()).await);
            assert!(said.starts_with("Throttled"), "{said}");
        }
        assert_eq!(server.lines().len(), 1);
        let pause = clients.github.pause().expect("a pause");
        assert!(pause <= Duration::from_secs(3600), "{pause:?}");
    }

    let script = |asked: &Asked| {
        let message = format!("{} may not", asked.header("authorization"));
        Answer::of(403, json!({ "message": message }).to_string())
            .with("x-accepted-github-permissions", "actions=read")
    };
    let (clients, server) = lab(script).await;
    let fault = clients
        .github
        .runs_now(&workflow())
        .await
        .expect_err("it is denied");
    assert_eq!(server.lines().len(), 1);
    let said = format!("{fault} {fault:?}");
    assert!(
        said.contains("Bearer *** may not") && !said.contains("hunter2"),
        "{said}"
    );
    assert!(said.contains("GitHub accepts actions=read"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_fails_is_asked_again_where_that_does_no_harm() {
    let mut number = 0;
    let script = move |asked: &Asked| {
        number += 1;
        match (number % 3, asked.method.as_str()) {
            (0, "DELETE") => Answer::of(204, ""),
            (0, _) => Answer::of(200, json!([version(1)]).to_string()),
            (1, _) => Answer::html(502),
            _ => Answer::default(),
        }
    };
    let (clients, server) = lab(script).await;
    let versions = clients.github.versions(&package()).await.expect("versions");
    assert_eq!(versions.items().len(), 1);
    clients
        .github
        .delete_version(&package(), 1)
        .await
        .expect("it goes");
    assert_eq!(server.lines().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn half_a_listing_of_versions_is_none() {
    let page = |ids: &[u64], link: &'static str| {
        let versions: Vec<Value> = ids.iter().map(|it| version(*it)).collect();
        Answer::of(200, json!(versions).to_string()).with("link", link)
    };
    let untagged = json!([{"id": 1, "name": Digest::of(b"1"), "created_at": "2026-11-01T00:00:00Z", "updated_at": "2026-11-01T00:00:00Z"}]);
    for (answer, why) in [
        (
            page(&[1], "<https://evil.example/x>; rel=\"next\""),
            "another host",
        ),
        (page(&[], "</orgs/x>; rel=\"next\""), "that came before"),
        (page(&[1, 1], ""), "3 times: 1 is on two pages"),
        (Answer::of(200, "{}"), "it is no list"),
        (
            Answer::of(200, untagged.to_string()),
            "missing field `metadata`",
        ),
        (Answer::html(200), "the answer is no JSON"),
        (
            Answer::of(404, r#"{"message": "Not Found"}"#),
            "may not see it",
        ),
        (Answer::of(410, "{}"), "no JSON object of GitHub"),
    ] {
        let (clients, _) = lab(move |_| answer.clone()).await;
        let said = told(clients.github.versions(&package()).await);
        assert!(said.contains(why), "{said} instead of {why}");
    }
}

/// What is said of a deletion that is refused like this, where the version is still there or not.
async fn deleted(refusal: Answer, is_there: bool) -> String {
    let script =
        move |asked: &Asked| match (asked.method.as_str(), asked.target.contains("/versions/")) {
            ("DELETE", _) => refusal.clone(),
            (_, true) if is_there => Answer::of(200, version(1).to_string()),
            (_, true) => Answer::of(404, r#"{"message": "Package not found."}"#),
            (_, false) => Answer::of(200, json!([version(1)]).to_string()),
        };
    let (clients, _) = lab(script).await;
    match clients.github.delete_version(&package(), 1).await {
        Ok(()) => "gone".to_owned(),
        Err(fault) => format!("{}: {fault}", fault.class.name()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_is_refused_says_why_and_one_that_is_done_is_done() {
    let refuse =
        |status: u16, message: &str| Answer::of(status, json!({ "message": message }).to_string());
    let absent = || refuse(404, "Package not found.");
    assert_eq!(deleted(absent(), false).await, "gone");
    let said = deleted(absent(), true).await;
    assert!(
        said.starts_with("Denied") && said.contains("the token may not delete it"),
        "{said}"
    );
    for (message, advice) in [
        (
            "You cannot delete the last tagged version of a package. You must delete the package instead.",
            "the last version of a package that has a tag",
        ),
        (
            "You cannot delete the last version of a package. You must delete the package instead.",
            "GitHub keeps the last version of a package",
        ),
        (
            "Publicly visible package versions with more than 5000 downloads cannot be deleted.",
            "while the package is private",
        ),
    ] {
        let said = deleted(refuse(400, message), true).await;
        assert!(said.starts_with("InUse") && said.contains(advice), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_version_of_the_api_is_told_once_beforehand() {
    let (log, _guard) = Log::kept();
    let ends = "Wed, 10 Mar 2028 00:00:00 GMT";
    let (clients, _) = lab(move |_| Answer::of(200, NO_RUNS).with("sunset", ends)).await;
    for _ in 0..2 {
        let runs = clients.github.runs_now(&workflow()).await;
        assert_eq!(runs, Ok(Vec::new()));
    }
    let lines = log.lines_with("GitHub ends this version");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(
        lines[0].contains(ends) && lines[0].contains("2022-11-28"),
        "{lines:#?}"
    );
}
