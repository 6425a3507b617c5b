//! What strikes registries: limits, and the troubles of a scenario.

use reconcile::ids::Digest;
use reconcile::sim::Delivery;
use serde_json::{Value, json};

use super::desk::{Desk, OCI_INDEX, PLAIN, app, body, many, message, refusal, text};
use super::ghcr::{ghcr, ghcr_with, signed_in};

#[test]
fn too_much_is_told_in_the_message_by_ghcr_and_in_a_header_by_others() {
    let mut desk = signed_in(ghcr(false));
    desk.trouble(&json!({"service": "registry", "action": "HEAD manifest", "object": "ghcr.io/example/app@v1", "fault": "status", "status": 429, "times": 2}));
    assert_eq!(desk.head("/v2/example/app/manifests/v1").status, 429);
    desk.trouble(&json!({"action": "GET manifest", "fault": "status", "status": 429}));
    let answer = desk.get("/v2/example/app/manifests/v1");
    assert_eq!(
        message(&answer),
        "retry-after: 10.3ms, allowed: 2000/minute"
    );
    assert!(!answer.headers.contains_key("retry-after"));
    let mut desk = Desk::with(PLAIN, "distribution", &app());
    desk.trouble(&json!({"fault": "status", "status": 429, "seconds": 7}));
    let answer = desk.get("/v2/example/app/manifests/v1");
    assert_eq!(refusal(&answer), "429 TOOMANYREQUESTS");
    assert_eq!(answer.headers["retry-after"], "7");
}

#[test]
fn ghcr_refuses_for_a_secondary_limit_in_words_and_a_header() {
    let mut desk = signed_in(ghcr(false));
    desk.trouble(
        &json!({"action": "PUT manifest", "fault": "status", "status": 403, "seconds": 60}),
    );
    let refused = desk.put("/v2/example/app/manifests/v2", OCI_INDEX, b"{}");
    assert_eq!(refusal(&refused), "403 DENIED");
    assert!(message(&refused).contains("secondary rate limit"));
    assert_eq!(refused.headers["retry-after"], "60");
}

#[test]
fn a_minute_allows_so_many_requests_of_one_action() {
    let registry = json!({"repositories": app()});
    let scenario = json!({"settings": {"throttling": {"perMinute": 2}}, "objects": {"registries": {PLAIN: registry}}});
    let mut desk = Desk::new(PLAIN, scenario);
    let statuses: Vec<u16> = (0..3)
        .map(|_| desk.get("/v2/example/app/manifests/v1").status)
        .collect();
    assert_eq!(statuses, [200, 200, 429]);
    desk.wait(60);
    assert_eq!(desk.get("/v2/example/app/manifests/v1").status, 200);
}

#[test]
fn troubles_strike_registries_as_they_strike_the_cloud() {
    let mut desk = Desk::with(PLAIN, "distribution", &app());
    let old = desk.tags()["v1"].clone();
    let other = desk.get("/v2/example/app/manifests/v1-amd64").body;
    desk.wait(60);
    let put = "/v2/example/app/manifests/v1";
    desk.trouble(&json!({"action": "PUT manifest", "fault": "dropBefore"}));
    assert_eq!(desk.put(put, OCI_INDEX, &other).delivery, Delivery::Cut);
    assert_eq!(desk.tags()["v1"], old);
    desk.trouble(&json!({"action": "PUT manifest", "fault": "dropAfter"}));
    assert_eq!(desk.put(put, OCI_INDEX, &other).delivery, Delivery::Cut);
    assert_eq!(desk.tags()["v1"], Digest::of(&other));
    desk.trouble(&json!({"action": "HEAD manifest", "fault": "stale", "seconds": 30}));
    assert_eq!(
        desk.head(put).headers["docker-content-digest"],
        old.to_string()
    );
    desk.trouble(&json!({"action": "GET manifest", "fault": "garbage"}));
    assert_ne!(Digest::of(&desk.get(put).body), Digest::of(&other));
    desk.trouble(&json!({"action": "GET manifest", "fault": "garbage", "status": 502}));
    assert!(text(&desk.get(put)).starts_with("<html>"));
    let calls = desk.world.calls();
    let last = calls.last().expect("calls");
    assert_eq!(
        (last.service, last.action.as_str(), last.write),
        ("registry", "GET manifest", false)
    );
    assert_eq!(
        last.object.as_deref(),
        Some("registry.example/example/app@v1")
    );
    let writes = calls.iter().filter(|it| it.write).count();
    assert_eq!(writes, 2);
}

#[test]
fn a_torn_listing_of_tags_lacks_one() {
    let mut desk = signed_in(ghcr_with(&many(150), &Value::Null));
    desk.get("/v2/example/app/tags/list");
    desk.trouble(&json!({"action": "GET tags", "fault": "tornShorter"}));
    let page = desk.get("/v2/example/app/tags/list?last=t0099&n=100");
    assert_eq!(body(&page)["tags"][0], "t0101");
}
