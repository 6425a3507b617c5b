//! What Alibaba Cloud's registry does that the others do not.

use serde_json::json;

use super::desk::{ACR, Desk, OCI_INDEX, OCI_MANIFEST, app, body, message, refusal, text};

#[test]
fn acr_refuses_attestations_and_says_why() {
    let mut desk = Desk::with(ACR, "acrPersonal", &app());
    let index = desk.get("/v2/example/app/manifests/v1-amd64");
    let attestation = body(&index)["manifests"][1]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let bytes = desk
        .get(&format!("/v2/example/app/manifests/{attestation}"))
        .body;
    let refused = desk.put("/v2/example/app/manifests/again", OCI_MANIFEST, &bytes);
    assert_eq!(refusal(&refused), "403 DENIED");
    let said = "unknown manifest class for application/vnd.oci.empty.v1+json";
    assert_eq!(message(&refused), said);
}

#[test]
fn acr_takes_attestations_of_the_form_before() {
    let image = json!({"tags": ["v1"], "revision": "abc", "attested": "legacy"});
    let mut desk = Desk::with(
        ACR,
        "acrPersonal",
        &json!({"example/app": {"manifests": [image]}}),
    );
    let index = desk.get("/v2/example/app/manifests/v1");
    let entries = body(&index)["manifests"].clone();
    assert_eq!(entries.as_array().map(Vec::len), Some(2));
    let digest = entries[1]["digest"].as_str().expect("a digest").to_owned();
    let bytes = desk
        .get(&format!("/v2/example/app/manifests/{digest}"))
        .body;
    let put = desk.put("/v2/example/app/manifests/again", OCI_MANIFEST, &bytes);
    assert_eq!(put.status, 201, "{}", text(&put));
    let put = desk.put("/v2/example/app/manifests/index", OCI_INDEX, &index.body);
    assert_eq!(put.status, 201, "{}", text(&put));
    let referrers = desk.get(&format!("/v2/example/app/referrers/{digest}"));
    assert_eq!(refusal(&referrers), "404 MANIFEST_UNKNOWN");
}

#[test]
fn acr_denies_what_has_no_namespace_and_the_personal_edition_a_second_level() {
    let push = |personality: &str, name: &str| {
        let mut desk = Desk::with(ACR, personality, &json!({}));
        desk.sign_in("ci:secret", &format!("repository:{name}:pull,push"));
        desk.ask(("POST", &format!("/v2/{name}/blobs/uploads/")), &[], &[])
    };
    for (personality, name, status) in [
        ("acrPersonal", "example/app", 202),
        ("acrPersonal", "absent/app", 403),
        ("acrPersonal", "example/team/app", 403),
        ("acrEnterprise", "example/team/app", 202),
        ("acrEnterprise", "absent/app", 403),
    ] {
        let answer = push(personality, name);
        assert_eq!(answer.status, status, "{personality} {name}");
        if status == 403 {
            assert_eq!(
                message(&answer),
                "requested access to the resource is denied"
            );
        }
    }
}

#[test]
fn acr_neither_lists_private_tags_nor_deletes() {
    let mut desk = Desk::with(ACR, "acrEnterprise", &app());
    assert_eq!(desk.get("/v2/example/app/tags/list").status, 401);
    let digest = desk.tags()["v1"].clone();
    let path = format!("/v2/example/app/manifests/{digest}");
    assert_eq!(
        refusal(&desk.ask(("DELETE", &path), &[], &[])),
        "405 UNSUPPORTED"
    );
}
