//! Who we are: tokens, passwords, and who never learns them.

use std::time::Duration;

use reconcile::clock::Clock;
use reconcile::providers::registry::REGISTRIES;

use super::{Answer, Asked, Server, clients, index, lab, told};

const LOGIN: [(&str, &str); 2] = [
    ("RECONCILE_USER_X", "u"),
    ("RECONCILE_PASSWORD_X", "hunter2-password"),
];
/// `u:hunter2-password`.
const BASIC: &str = "Basic dTpodW50ZXIyLXBhc3N3b3Jk";

fn challenge(asked: &Asked, scope: &str) -> Answer {
    let value = format!(
        r#"Bearer realm="{}/token",service="it, here",scope="{scope}""#,
        asked.base
    );
    Answer::error(401, "UNAUTHORIZED").with("www-authenticate", &value)
}

/// A registry that gives tokens `t1`, `t2` …, and takes only the last one.
fn registry() -> impl FnMut(&Asked) -> Answer + Send + 'static {
    let mut given = 0;
    move |asked| {
        if asked.target.starts_with("/token") {
            given += 1;
            let body = format!(r#"{{"token": "t{given}", "expires_in": 300}}"#);
            return Answer::of(200, body);
        }
        match asked.header("authorization") == format!("Bearer t{given}") {
            true => Answer::manifest(&index()),
            false => challenge(asked, "repository:example/app:pull"),
        }
    }
}

fn tokens_asked(server: &Server) -> Vec<Asked> {
    let asked = server.asked().into_iter();
    asked.filter(|it| it.target.starts_with("/token")).collect()
}

#[tokio::test(start_paused = true)]
async fn many_callers_wait_for_one_token() {
    let server = Server::new(registry()).await;
    let clients = clients(&LOGIN);
    let at = server.location_with_login("example/app");
    let tags: Vec<String> = (0..10).map(|it| format!("v{it}")).collect();
    let all = tags.iter().map(|tag| clients.registries.head(&at, tag));
    for head in futures_util::future::join_all(all).await {
        assert!(head.expect("it is there").is_some());
    }
    clients
        .registries
        .head(&at, "v10")
        .await
        .expect("it is there");
    let asked = tokens_asked(&server);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("authorization"), BASIC);
    assert_eq!(
        asked[0].target,
        "/token?service=it%2C+here&scope=repository%3Aexample%2Fapp%3Apull"
    );
    // One that did not know while the others waited, one token, ten that do, and one more.
    assert_eq!(clients.calls().by_service["registry"], 13);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_shortly_before_its_end() {
    let server = Server::new(registry()).await;
    let clients = clients(&LOGIN);
    let at = server.location_with_login("example/app");
    let clock = reconcile::clock::SystemClock;
    for (wait, expected) in [(0, 1), (289, 1), (2, 2)] {
        clock.sleep(Duration::from_secs(wait)).await;
        clients
            .registries
            .head_now(&at, "v1")
            .await
            .expect("it is there");
        assert_eq!(tokens_asked(&server).len(), expected, "after {wait} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_renewed_once() {
    let mut taken = 0;
    let script = move |asked: &Asked| {
        if asked.target.starts_with("/token") {
            return Answer::of(200, r#"{"access_token": "t", "expires_in": 300}"#);
        }
        taken += usize::from(asked.header("authorization") == "Bearer t");
        match taken {
            1 => Answer::manifest(&index()),
            _ => challenge(asked, "repository:example/app:pull"),
        }
    };
    let (clients, server, at) = lab(script).await;
    clients
        .registries
        .head_now(&at, "v1")
        .await
        .expect("it is there");
    let said = told(clients.registries.head_now(&at, "v1").await);
    assert!(said.starts_with("Denied: 401"), "{said}");
    assert_eq!(tokens_asked(&server).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn scopes_of_the_challenge_are_added_and_remembered() {
    let script = |asked: &Asked| {
        if asked.target.starts_with("/token") {
            let is_wide = asked.target.contains("other");
            return Answer::of(
                200,
                format!(r#"{{"token": "{is_wide}", "expires_in": 300}}"#),
            );
        }
        match asked.header("authorization") == "Bearer true" {
            true => Answer::manifest(&index()),
            false => challenge(asked, "repository:other:pull repository:example/app:pull"),
        }
    };
    let (clients, server, at) = lab(script).await;
    for _ in 0..2 {
        clients
            .registries
            .head_now(&at, "v1")
            .await
            .expect("it is there");
    }
    assert_eq!(server.lines().len(), 4);
    assert!(
        tokens_asked(&server)[0]
            .target
            .ends_with("scope=repository%3Aexample%2Fapp%3Apull&scope=repository%3Aother%3Apull")
    );
    // Nobody is known there: the token is anonymous.
    assert_eq!(tokens_asked(&server)[0].header("authorization"), "");
}

#[tokio::test(start_paused = true)]
async fn a_password_is_sent_where_it_is_asked_for() {
    let script = |asked: &Asked| match asked.header("authorization") == BASIC {
        true => Answer::manifest(&index()),
        false => Answer::error(401, "UNAUTHORIZED").with("www-authenticate", r#"Basic realm="x""#),
    };
    let server = Server::new(script).await;
    let known = clients(&LOGIN);
    let at = server.location_with_login("example/app");
    for _ in 0..2 {
        known
            .registries
            .head_now(&at, "v1")
            .await
            .expect("it is there");
    }
    assert_eq!(server.lines().len(), 3);
    let unknown = clients(&[]);
    let outcome = unknown
        .registries
        .head_now(&server.location("example/app"), "v1")
        .await;
    let said = outcome.expect_err("nobody is known").to_string();
    assert!(
        said.contains("there are no credentials for 127.0.0.1:"),
        "{said}"
    );
    assert_eq!(server.lines().len(), 4);
    // A login whose variables are not set is not nobody.
    let said = told(unknown.registries.head_now(&at, "v1").await);
    assert!(said.contains("RECONCILE_USER_X is not set"), "{said}");
    assert_eq!(server.lines().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_token_service_that_fails_says_nothing_of_what_is_there() {
    for (answer, start) in [
        (Answer::of(503, ""), "Unavailable: 503"),
        (Answer::default(), "Unavailable: no answer"),
        (
            Answer::of(429, "").with("retry-after", "100"),
            "Throttled: 429",
        ),
        (Answer::error(401, "UNAUTHORIZED"), "Denied: 401"),
        (Answer::error(404, "NAME_UNKNOWN"), "Gone: 404"),
        (
            Answer::html(200),
            "Unavailable: the answer is no JSON object of a token service",
        ),
        (
            Answer::of(200, "{}"),
            "Unavailable: the answer holds no token",
        ),
        (
            Answer::of(302, "").with("location", "/x"),
            "Unavailable: 302",
        ),
    ] {
        let script = move |asked: &Asked| match asked.target.starts_with("/token") {
            true => answer.clone(),
            false => challenge(asked, "repository:example/app:pull"),
        };
        let server = Server::new(script).await;
        let clients = clients(&LOGIN);
        let at = server.location_with_login("example/app");
        let said = told(clients.registries.head_now(&at, "v1").await);
        assert!(said.starts_with(start), "{said} instead of {start}");
        assert!(!said.contains("hunter2"), "{said}");
        let anonymous = server
            .asked()
            .into_iter()
            .filter(|it| it.method == "HEAD")
            .count();
        let retried = if start.starts_with("Unavailable") {
            5
        } else {
            1
        };
        assert!(anonymous <= retried, "{anonymous} for {start}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_service_elsewhere_is_not_asked() {
    for realm in [
        "http://registry.example/token",
        "https://169.254.169.254/token",
        "ftp://127.0.0.1/token",
        "http://u:p@127.0.0.1/token",
        "nonsense",
    ] {
        let script = move |_: &Asked| {
            let value = format!(r#"Bearer realm="{realm}",service="x""#);
            Answer::error(401, "UNAUTHORIZED").with("www-authenticate", &value)
        };
        // A registry on loopback may name a private address; it is refused before anything is sent.
        let server = Server::new(script).await;
        let clients = clients(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("RECONCILE_ALLOWED_HOSTS", "127.0.0.1"),
            LOGIN[0],
            LOGIN[1],
        ]);
        let at = server.location_with_login("example/app");
        let said = told(clients.registries.head_now(&at, "v1").await);
        assert!(said.starts_with("Denied"), "{said} for {realm}");
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_are_for_their_host_alone() {
    let server = Server::new(registry()).await;
    let places = format!("ghcr.io=http://{0},b.example=http://{0}", server.host);
    let folder = tempfile::tempdir().expect("a folder");
    let config = r#"{"auths": {"a.example": {"auth": "dTpodW50ZXIyLXBhc3N3b3Jk"}}}"#;
    std::fs::write(folder.path().join("config.json"), config).expect("a file");
    let docker = folder.path().display().to_string();
    let clients = clients(&[
        (REGISTRIES, &places),
        ("GITHUB_TOKEN", "hunter2-github"),
        ("DOCKER_CONFIG", &docker),
    ]);
    for (host, expected) in [
        ("ghcr.io", "Basic cmVjb25jaWxlOmh1bnRlcjItZ2l0aHVi"),
        ("b.example", ""),
    ] {
        let mut at = server.location("example/app");
        at.site.host = host.to_owned();
        at.site.insecure = false;
        clients
            .registries
            .head_now(&at, "v1")
            .await
            .expect("it is there");
        let asked = tokens_asked(&server);
        assert_eq!(
            asked.last().expect("one").header("authorization"),
            expected,
            "{host}"
        );
    }
    clients
        .registries
        .head_now(&server.location("example/app"), "v1")
        .await
        .expect("it is there");
    assert_eq!(tokens_asked(&server)[2].header("authorization"), "");
}

#[tokio::test(start_paused = true)]
async fn a_pull_request_reaches_listed_registries_alone() {
    let server = Server::new(registry()).await;
    let pull_request = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_NAME", "pull_request"),
        LOGIN[0],
        LOGIN[1],
    ];
    let at = server.location_with_login("example/app");
    let said = told(clients(&pull_request).registries.head_now(&at, "v1").await);
    assert!(said.starts_with("Denied: this is a pull request"), "{said}");
    assert_eq!(server.lines().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn plain_http_is_for_loopback_alone() {
    let clients = clients(&[]);
    let server = Server::new(registry()).await;
    let mut at = server.location("example/app");
    at.site.host = "registry.example".to_owned();
    let said = told(clients.registries.head_now(&at, "v1").await);
    assert_eq!(said, "Invalid: plain http is only allowed on loopback");
}

#[tokio::test(start_paused = true)]
async fn what_an_answer_repeats_of_a_secret_is_not_shown() {
    let script = |asked: &Asked| match asked.header("authorization") {
        "" => Answer::error(401, "UNAUTHORIZED").with("www-authenticate", "Basic"),
        sent => Answer::of(403, format!("{sent} and hunter2-password are wrong")),
    };
    let server = Server::new(script).await;
    let at = server.location_with_login("example/app");
    let outcome = clients(&LOGIN).registries.head_now(&at, "v1").await;
    assert!(!format!("{outcome:?}").contains("hunter2"));
    let said = told(clients(&LOGIN).registries.tags(&at).await);
    assert!(said.contains("Basic *** and *** are wrong"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn what_an_answer_repeats_of_a_token_is_not_shown() {
    let script = |asked: &Asked| {
        if asked.target.starts_with("/token") {
            return Answer::of(200, r#"{"token": "opaque-token-of-now"}"#);
        }
        match asked.header("authorization") {
            "" => challenge(asked, "repository:example/app:pull"),
            sent => Answer::of(403, format!("{sent} may not")),
        }
    };
    // A token of nobody is one as well.
    let (clients, _, at) = lab(script).await;
    let outcome = clients.registries.tags(&at).await;
    assert!(!format!("{outcome:?}").contains("opaque"), "{outcome:?}");
    let said = told(outcome);
    assert!(said.contains("Bearer *** may not"), "{said}");
}
