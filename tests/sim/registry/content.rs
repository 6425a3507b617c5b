//! What all registries have in common: how manifests and blobs are asked for and taken.

use reconcile::ids::Digest;
use reconcile::sim::registry::history::{By, Deed};
use serde_json::json;

use super::desk::{Desk, OCI_INDEX, OCI_MANIFEST, PLAIN, body, message, plain, refusal, text};

#[test]
fn a_head_says_what_a_get_gives_and_gives_nothing() {
    let mut desk = plain();
    let get = desk.get("/v2/example/app/manifests/v1");
    let head = desk.head("/v2/example/app/manifests/v1");
    assert_eq!(head.headers["content-length"], get.body.len().to_string());
    for name in ["content-type", "docker-content-digest", "etag"] {
        assert_eq!(head.headers[name], get.headers[name]);
    }
    assert!(head.body.is_empty());
    assert_eq!(desk.head("/v2/example/app/manifests/v2").status, 404);
}

#[test]
fn what_is_not_accepted_is_not_found() {
    let mut desk = plain();
    for accept in ["*/*", OCI_MANIFEST] {
        let path = ("GET", "/v2/example/app/manifests/v1");
        let answer = desk.ask(path, &[("accept", accept)], &[]);
        assert_eq!(refusal(&answer), "404 MANIFEST_UNKNOWN");
        let said = "OCI index found, but accept header does not support OCI indexes";
        assert_eq!(message(&answer), said);
    }
}

#[test]
fn a_manifest_is_taken_whole_and_only_with_what_it_points_to() {
    let mut desk = plain();
    let config = desk.push_blob("application/vnd.oci.image.config.v1+json", b"{}");
    let layer = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": Digest::of(b"layer"), "size": 5});
    let manifest =
        json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]});
    let bytes = manifest.to_string().into_bytes();
    let refused = desk.put("/v2/example/app/manifests/new", OCI_MANIFEST, &bytes);
    assert_eq!(refusal(&refused), "400 MANIFEST_BLOB_UNKNOWN");
    desk.push_blob("", b"layer");
    let put = desk.put("/v2/example/app/manifests/new", OCI_MANIFEST, &bytes);
    assert_eq!(put.status, 201, "{}", text(&put));
    assert_eq!(desk.get("/v2/example/app/manifests/new").body, bytes);
    assert_eq!(desk.tags()["new"], Digest::of(&bytes));

    let wrong = format!("/v2/example/app/manifests/{}", Digest::of(b"else"));
    assert_eq!(
        refusal(&desk.put(&wrong, OCI_MANIFEST, &bytes)),
        "400 DIGEST_INVALID"
    );
    let other_type = desk.put("/v2/example/app/manifests/new", OCI_INDEX, &bytes);
    assert_eq!(refusal(&other_type), "400 MANIFEST_INVALID");
    let child = json!({"mediaType": OCI_MANIFEST, "digest": Digest::of(&bytes), "size": 1});
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]});
    let sized = desk.put(
        "/v2/example/app/manifests/new",
        OCI_INDEX,
        index.to_string().as_bytes(),
    );
    assert_eq!(refusal(&sized), "400 SIZE_INVALID");
    let large = desk.put(
        "/v2/example/app/manifests/new",
        OCI_MANIFEST,
        &vec![b' '; (4 << 20) + 1],
    );
    assert_eq!(large.status, 413);
    let tag = desk.put("/v2/example/app/manifests/-new", OCI_MANIFEST, &bytes);
    assert_eq!(refusal(&tag), "400 TAG_INVALID");
    let capitals = desk.put("/v2/Example/app/manifests/new", OCI_MANIFEST, &bytes);
    assert_eq!(refusal(&capitals), "400 NAME_INVALID");
}

#[test]
fn an_index_without_one_of_its_children_is_refused_and_stays_when_a_child_goes() {
    let mut desk = plain();
    let index = desk.get("/v2/example/app/manifests/v1");
    let child = body(&index)["manifests"][0]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let path = format!("/v2/example/app/manifests/{child}");
    assert_eq!(desk.ask(("DELETE", &path), &[], &[]).status, 202);
    assert_eq!(
        refusal(&desk.ask(("DELETE", &path), &[], &[])),
        "404 MANIFEST_UNKNOWN"
    );
    assert_eq!(desk.get("/v2/example/app/manifests/v1").status, 200);
    assert_eq!(desk.get(&path).status, 404);
    let refused = desk.put("/v2/example/app/manifests/v2", OCI_INDEX, &index.body);
    assert_eq!(refusal(&refused), "400 MANIFEST_BLOB_UNKNOWN");
    assert_eq!(
        body(&refused)["errors"][0]["detail"]["digest"],
        child.as_str()
    );
}

#[test]
fn a_blob_is_sent_whole_in_chunks_or_not_at_all() {
    let mut desk = plain();
    let digest = Digest::of(b"abcdef");
    let begun = desk.ask(("POST", "/v2/example/app/blobs/uploads/"), &[], &[]);
    let place = begun.headers["location"].clone();
    let chunk = |range| [("content-range", range)];
    let first = desk.ask(("PATCH", &place), &chunk("0-2"), b"abc");
    assert_eq!(
        (first.status, first.headers["range"].as_str()),
        (202, "0-2")
    );
    let twice = desk.ask(("PATCH", &place), &chunk("0-2"), b"abc");
    assert_eq!(twice.status, 416);
    assert_eq!(desk.get(&place).headers["range"], "0-2");
    desk.ask(("PATCH", &place), &chunk("3-5"), b"def");
    let end = desk.ask(("PUT", &format!("{place}&digest={digest}")), &[], b"");
    assert_eq!(end.status, 201, "{}", text(&end));
    let blob = format!("/v2/example/app/blobs/{digest}");
    assert_eq!(desk.get(&blob).body, b"abcdef");
    let part = desk.ask(("GET", &blob), &[("range", "bytes=1-3")], &[]);
    assert_eq!(
        (part.status, part.body.as_slice()),
        (206, b"bcd".as_slice())
    );
    assert_eq!(part.headers["content-range"], "bytes 1-3/6");
    assert_eq!(
        desk.ask(("GET", &blob), &[("range", "bytes=6-")], &[])
            .status,
        416
    );

    let begun = desk.ask(("POST", "/v2/example/app/blobs/uploads/"), &[], &[]);
    let place = format!("{}&digest={digest}", begun.headers["location"]);
    let wrong = desk.ask(("PUT", &place), &[], b"abc");
    assert_eq!(refusal(&wrong), "400 DIGEST_INVALID");
    let begun = desk.ask(("POST", "/v2/example/app/blobs/uploads/"), &[], &[]);
    let place = begun.headers["location"].clone();
    assert_eq!(desk.ask(("DELETE", &place), &[], &[]).status, 204);
    assert_eq!(refusal(&desk.get(&place)), "404 BLOB_UPLOAD_UNKNOWN");
    let pushed = Deed::BlobPushed { digest, bytes: 6 };
    assert_eq!(desk.deeds(), [(By::Client, pushed)]);
}

#[test]
fn a_blob_is_mounted_where_it_is_there() {
    let repositories = json!({"example/app": {}, "example/other": {"blobs": ["abc"]}});
    let mut desk = Desk::with(PLAIN, "distribution", &repositories);
    let digest = Digest::of(b"abc");
    let path = format!("/v2/example/app/blobs/uploads/?mount={digest}&from=example/other");
    let mounted = desk.ask(("POST", &path), &[], &[]);
    assert_eq!(mounted.status, 201);
    assert_eq!(
        desk.head(&format!("/v2/example/app/blobs/{digest}")).status,
        200
    );
    let from = "example/other".to_owned();
    assert_eq!(
        desk.deeds(),
        [(By::Client, Deed::BlobMounted { digest, from })]
    );
    let absent = Digest::of(b"absent");
    let path = format!("/v2/example/app/blobs/uploads/?mount={absent}&from=example/other");
    let begun = desk.ask(("POST", &path), &[], &[]);
    assert_eq!(begun.status, 202);
    assert!(begun.headers["location"].contains("/blobs/uploads/"));
}
