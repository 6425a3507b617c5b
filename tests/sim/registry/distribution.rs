//! What a registry of the distribution project does that the others do not.

use serde_json::{Value, json};

use super::desk::{Desk, OCI_MANIFEST, PLAIN, app, body, many, refusal, text};

#[test]
fn distribution_ignores_how_many_are_asked_for_and_keeps_no_order() {
    let mut desk = Desk::with(PLAIN, "distribution", &many(200));
    let page = desk.get("/v2/example/app/tags/list?n=2");
    let tags: Vec<String> = serde_json::from_value(body(&page)["tags"].clone()).expect("tags");
    assert_eq!(tags.len(), 200);
    assert!(!tags.is_sorted() && !page.headers.contains_key("link"));
    let absent = desk.get("/v2/example/absent/tags/list");
    assert_eq!(refusal(&absent), "404 NAME_UNKNOWN");
    let by_tag = desk.ask(("DELETE", "/v2/example/app/manifests/t0001"), &[], &[]);
    assert_eq!(refusal(&by_tag), "400 DIGEST_INVALID");
    let digest = desk.tags()["t0001"].clone();
    let path = format!("/v2/example/app/manifests/{digest}");
    assert_eq!(desk.ask(("DELETE", &path), &[], &[]).status, 202);
    let none = desk.get("/v2/example/app/tags/list");
    assert_eq!(body(&none)["tags"], Value::Null);
    let referrers = desk.get(&format!("/v2/example/app/referrers/{digest}"));
    assert_eq!(
        (referrers.status, text(&referrers)),
        (404, "404 page not found\n".to_owned())
    );
}

#[test]
fn distribution_with_users_asks_for_a_password() {
    let registry = json!({"repositories": app(), "users": [{"name": "ci", "password": "secret"}]});
    let mut desk = Desk::new(PLAIN, json!({"objects": {"registries": {PLAIN: registry}}}));
    let asked = desk.get("/v2/");
    assert_eq!(
        asked.headers["www-authenticate"],
        "Basic realm=\"Registry Realm\""
    );
    desk.authorization = Some("Basic Y2k6c2VjcmV0".to_owned());
    assert_eq!(desk.get("/v2/").status, 200);
    assert_eq!(desk.get("/v2/example/app/manifests/v1").status, 200);
    desk.authorization = Some("Basic Y2k6d3Jvbmc=".to_owned());
    assert_eq!(desk.get("/v2/example/app/manifests/v1").status, 401);
}

#[test]
fn a_registry_that_lists_referrers_says_so_when_one_is_pushed() {
    let registry = json!({"referrers": "listed", "repositories": app()});
    let mut desk = Desk::new(PLAIN, json!({"objects": {"registries": {PLAIN: registry}}}));
    let index = desk.get("/v2/example/app/manifests/v1-amd64");
    let image = body(&index)["manifests"][0]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let attestation = body(&index)["manifests"][1]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let path = format!("/v2/example/app/referrers/{image}");
    let listed = desk.get(&path);
    assert_eq!(
        body(&listed)["manifests"][0]["digest"],
        attestation.as_str()
    );
    let kind = "application/vnd.docker.attestation.manifest.v1+json";
    assert_eq!(body(&listed)["manifests"][0]["artifactType"], kind);
    let filtered = desk.get(&format!("{path}?artifactType=else"));
    assert_eq!(body(&filtered)["manifests"], json!([]));
    assert_eq!(filtered.headers["oci-filters-applied"], "artifactType");
    let bytes = desk
        .get(&format!("/v2/example/app/manifests/{attestation}"))
        .body;
    let put = desk.put("/v2/example/app/manifests/again", OCI_MANIFEST, &bytes);
    assert_eq!(put.headers["oci-subject"], image);
}

#[test]
fn distribution_deletes_nothing_where_that_is_switched_off() {
    let registry = json!({"repositories": app(), "refusesDeletion": true});
    let mut desk = Desk::new(PLAIN, json!({"objects": {"registries": {PLAIN: registry}}}));
    let digest = desk.tags()["v1"].clone();
    for kind in ["manifests", "blobs"] {
        let path = format!("/v2/example/app/{kind}/{digest}");
        let refused = desk.ask(("DELETE", &path), &[], &[]);
        assert_eq!(refusal(&refused), "405 UNSUPPORTED");
    }
    assert!(desk.tags().contains_key("v1"));
}
