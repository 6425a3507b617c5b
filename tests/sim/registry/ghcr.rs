//! What ghcr.io does that the others do not.

use reconcile::ids::Digest;
use serde_json::{Value, json};

use super::desk::{Desk, GHCR, OCI_INDEX, OCI_MANIFEST, app, body, many, message, refusal, text};

const ALL: &str = "repository:example/app:pull,push,delete";

/// GHCR with a token of GitHub; `app` is public or not.
pub(super) fn ghcr(public: bool) -> Desk {
    let mut repositories = app();
    repositories["example/app"]["public"] = json!(public);
    ghcr_with(&repositories, &Value::Null)
}

pub(super) fn ghcr_with(repositories: &Value, times: &Value) -> Desk {
    let tokens = json!([
        {"token": "ghp_all", "login": "someone", "scopes": ["read:packages", "write:packages", "delete:packages"]},
        {"token": "ghp_read", "login": "someone", "scopes": ["read:packages"]},
    ]);
    let registry = json!({"personality": "ghcr", "repositories": repositories});
    let mut scenario =
        json!({"github": {"tokens": tokens}, "objects": {"registries": {GHCR: registry}}});
    if !times.is_null() {
        scenario["times"] = times.clone();
    }
    Desk::new(GHCR, scenario)
}

pub(super) fn signed_in(mut desk: Desk) -> Desk {
    desk.sign_in("x:ghp_all", ALL);
    desk
}

#[test]
fn ghcr_tells_where_tokens_are_and_takes_any_name_with_one_of_github() {
    let mut desk = ghcr(false);
    let asked = desk.get("/v2/example/app/manifests/v1");
    assert_eq!(refusal(&asked), "401 UNAUTHORIZED");
    let challenge = r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:example/app:pull""#;
    assert_eq!(asked.headers["www-authenticate"], challenge);
    assert_eq!(refusal(&desk.token(None, ALL)), "401 UNAUTHORIZED");
    assert_eq!(refusal(&desk.token(Some("x:wrong"), ALL)), "403 DENIED");
    desk.sign_in("whoever:ghp_read", "repository:example/app:pull");
    assert_eq!(desk.get("/v2/example/app/manifests/v1").status, 200);
    desk.wait(300);
    let late = desk.get("/v2/example/app/manifests/v1");
    assert_eq!(refusal(&late), "401 UNAUTHORIZED");
    assert!(late.headers["www-authenticate"].ends_with("error=\"invalid_token\""));
    desk.authorization = Some("Bearer Z2hwX3JlYWQ=".to_owned());
    assert_eq!(desk.get("/v2/example/app/manifests/v1").status, 200);
}

#[test]
fn ghcr_lets_everybody_pull_what_is_public() {
    let mut desk = ghcr(true);
    let anonymous = desk.token(None, "repository:example/app:pull");
    let token = body(&anonymous)["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    assert_eq!(body(&anonymous)["expires_in"], 300);
    assert!(!token.contains('.'), "{token} looks like a JWT");
    desk.authorization = Some(format!("Bearer {token}"));
    assert_eq!(desk.get("/v2/example/app/manifests/v1").status, 200);
    let absent = desk.token(None, "repository:example/absent:pull");
    assert_eq!(refusal(&absent), "401 UNAUTHORIZED");
}

#[test]
fn scopes_are_asked_for_on_every_request_and_both_for_a_mount() {
    let mut repositories = app();
    repositories["example/other"] = json!({"blobs": ["abc"]});
    repositories["else/app"] = json!({"blobs": ["abc"]});
    let mut desk = ghcr_with(&repositories, &Value::Null);
    desk.sign_in("x:ghp_all", "repository:example/app:pull,push");
    let path = |from: &str| {
        let digest = Digest::of(b"abc");
        format!("/v2/example/app/blobs/uploads/?mount={digest}&from={from}")
    };
    let alone = desk.ask(("POST", &path("example/other")), &[], &[]);
    assert_eq!(alone.status, 401);
    let scope = r#"scope="repository:example/app:pull,push repository:example/other:pull""#;
    assert!(
        alone.headers["www-authenticate"].contains(scope),
        "{:?}",
        alone.headers
    );
    desk.sign_in(
        "x:ghp_all",
        "repository:example/app:pull,push repository:example/other:pull repository:else/app:pull",
    );
    assert_eq!(
        desk.ask(("POST", &path("example/other")), &[], &[]).status,
        201
    );
    assert_eq!(desk.ask(("POST", &path("else/app")), &[], &[]).status, 202);
}

#[test]
fn ghcr_denies_a_push_by_a_token_that_may_only_read() {
    let mut desk = ghcr(false);
    desk.sign_in("x:ghp_read", "repository:example/app:pull,push");
    let index = desk.get("/v2/example/app/manifests/v1").body;
    let denied = desk.put("/v2/example/app/manifests/v2", OCI_INDEX, &index);
    assert_eq!(refusal(&denied), "403 DENIED");
    assert!(message(&denied).starts_with("permission_denied"));
    desk.sign_in("x:ghp_all", "repository:example/app:pull");
    let unasked = desk.put("/v2/example/app/manifests/v2", OCI_INDEX, &index);
    assert_eq!(refusal(&unasked), "401 UNAUTHORIZED");
}

#[test]
fn ghcr_deletes_nothing() {
    let mut desk = signed_in(ghcr(false));
    let digest = desk.tags()["v1"].clone();
    for reference in ["v1", digest.as_str()] {
        let path = format!("/v2/example/app/manifests/{reference}");
        let refused = desk.ask(("DELETE", &path), &[], &[]);
        assert_eq!(refusal(&refused), "405 UNSUPPORTED");
        assert_eq!(message(&refused), "The operation is unsupported.");
    }
}

#[test]
fn ghcr_leads_to_its_blobs_elsewhere_and_they_refuse_a_second_proof() {
    let mut desk = signed_in(ghcr(false));
    let image = desk.get("/v2/example/app/manifests/v1-amd64");
    let image = body(&image)["manifests"][0]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let image = desk.get(&format!("/v2/example/app/manifests/{image}"));
    let config = body(&image)["config"]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let path = format!("/v2/example/app/blobs/{config}");
    assert_eq!(desk.head(&path).status, 200);
    let led = desk.get(&path);
    assert_eq!(led.status, 307);
    let (host, path) = led.headers["location"]
        .strip_prefix("https://")
        .and_then(|it| it.split_once('/'))
        .expect("another host");
    assert_eq!(host, "pkg-containers.githubusercontent.com");
    let path = format!("/{path}");
    desk.host = "pkg-containers.githubusercontent.com";
    assert_eq!(desk.get(&path).status, 400);
    desk.authorization = None;
    let found = desk.get(&path);
    assert_eq!(Digest::of(&found.body).as_str(), config);
    let part = desk.ask(("GET", &path), &[("range", "bytes=0-0")], &[]);
    assert_eq!(part.status, 206);
    desk.wait(600);
    assert_eq!(desk.get(&path).status, 403);
    assert_eq!(desk.get(&path.replace("sig=", "sig=0")).status, 403);
}

#[test]
fn ghcr_counts_what_is_got_and_not_what_is_looked_at() {
    let mut desk = signed_in(ghcr(false));
    let digest = desk.tags()["v1"].clone();
    desk.head("/v2/example/app/manifests/v1");
    desk.get("/v2/example/app/manifests/v1");
    desk.get(&format!("/v2/example/app/manifests/{digest}"));
    let count = desk.world.downloads((GHCR, "example/app"), &digest);
    assert_eq!(count, 2);
}

#[test]
fn ghcr_lists_a_hundred_tags_and_links_to_the_next_by_a_relative_url() {
    let mut desk = signed_in(ghcr_with(&many(250), &Value::Null));
    let mut path = "/v2/example/app/tags/list".to_owned();
    let mut seen = Vec::new();
    let mut pages = Vec::new();
    loop {
        let page = desk.get(&path);
        let tags = body(&page)["tags"].as_array().expect("tags").clone();
        pages.push(tags.len());
        seen.extend(tags);
        let Some(link) = page.headers.get("link") else {
            break;
        };
        let next = link
            .strip_prefix('<')
            .and_then(|it| it.strip_suffix(">; rel=\"next\""));
        path = next.expect("a link to the next page").to_owned();
        assert!(path.starts_with("/v2/"), "{path}");
    }
    assert_eq!((pages, seen.len()), (vec![100, 100, 50], 250));
    let page = desk.get("/v2/example/app/tags/list?n=1000");
    assert!(!page.headers.contains_key("link"));
}

#[test]
fn ghcr_lists_no_more_than_a_thousand_tags_at_once() {
    let mut desk = signed_in(ghcr_with(&many(1001), &Value::Null));
    let page = desk.get("/v2/example/app/tags/list?n=10000");
    assert_eq!(body(&page)["tags"].as_array().map(Vec::len), Some(1000));
    assert!(page.headers["link"].contains("last=t0999&n=1000"));
}

#[test]
fn ghcr_knows_no_referrers_or_leads_astray_or_says_none() {
    let path = format!("/v2/example/app/referrers/{}", Digest::of(b"any"));
    let mut desk = signed_in(ghcr(false));
    assert_eq!(refusal(&desk.get(&path)), "404 MANIFEST_UNKNOWN");
    let with = |mode: &str| {
        let registry = json!({"personality": "ghcr", "referrers": mode, "repositories": app(), "users": [{"name": "x", "password": "p"}]});
        let mut desk = Desk::new(GHCR, json!({"objects": {"registries": {GHCR: registry}}}));
        desk.sign_in("x:p", ALL);
        desk
    };
    let led = with("redirect").get(&path);
    assert_eq!(led.status, 303);
    assert!(led.headers["location"].contains("/-/v2/packages/container/package/example/app"));
    assert_eq!(body(&with("empty").get(&path))["manifests"], json!([]));
}

#[test]
fn what_was_written_is_read_after_a_while() {
    let mut desk = signed_in(ghcr_with(&app(), &json!({"registryLag": 10})));
    let old = desk.tags()["v1"].clone();
    let other = desk.get("/v2/example/app/manifests/v1-amd64").body;
    for tag in ["v1", "v2"] {
        let put = desk.put(
            &format!("/v2/example/app/manifests/{tag}"),
            OCI_INDEX,
            &other,
        );
        assert_eq!(put.status, 201, "{}", text(&put));
    }
    desk.wait(9);
    let head = desk.head("/v2/example/app/manifests/v1");
    assert_eq!(head.headers["docker-content-digest"], old.to_string());
    assert_eq!(desk.head("/v2/example/app/manifests/v2").status, 404);
    desk.wait(1);
    let head = desk.head("/v2/example/app/manifests/v1");
    assert_eq!(
        head.headers["docker-content-digest"],
        Digest::of(&other).to_string()
    );
    assert_eq!(desk.head("/v2/example/app/manifests/v2").status, 200);
}

#[test]
fn ghcr_keeps_a_subject_and_does_not_say_so() {
    let mut desk = signed_in(ghcr(false));
    let index = desk.get("/v2/example/app/manifests/v1-amd64");
    let attestation = &body(&index)["manifests"][1]["digest"];
    let path = format!(
        "/v2/example/app/manifests/{}",
        attestation.as_str().expect("a digest")
    );
    let bytes = desk.get(&path).body;
    let put = desk.put("/v2/example/app/manifests/again", OCI_MANIFEST, &bytes);
    assert_eq!(put.status, 201);
    assert!(!put.headers.contains_key("oci-subject"));
    let kept = desk.get("/v2/example/app/manifests/again").body;
    assert!(body_of(&kept)["subject"]["digest"].is_string());
}

fn body_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[test]
fn ghcr_takes_an_upload_whole_and_loses_all_but_the_last_of_several_chunks() {
    let mut desk = signed_in(ghcr(false));
    let mut begin = || {
        let begun = desk.ask(("POST", "/v2/example/app/blobs/uploads/"), &[], &[]);
        begun.headers["location"].clone()
    };
    let (large, torn, whole) = (begin(), begin(), begin());
    let bytes = vec![7; (4 << 20) + 1];
    let range = format!("0-{}", bytes.len() - 1);
    let refused = desk.ask(("PATCH", &large), &[("content-range", &range)], &bytes);
    assert_eq!(refusal(&refused), "416 REQUESTED_RANGE_NOT_SATISFIABLE");
    for (range, part) in [("0-2", b"abc"), ("3-5", b"def")] {
        desk.ask(("PATCH", &torn), &[("content-range", range)], part);
    }
    let end = format!("{torn}&digest={}", Digest::of(b"abcdef"));
    let ended = desk.ask(("PUT", &end), &[], &[]);
    assert_eq!(refusal(&ended), "400 DIGEST_INVALID");
    let end = format!("{whole}&digest={}", Digest::of(&bytes));
    assert_eq!(desk.ask(("PUT", &end), &[], &bytes).status, 201);
}
