//! What a scenario makes of a few words, and what it tells of what happens to that.

use reconcile::ids::Digest;
use reconcile::sim::registry::history::{By, Deed};
use reconcile::sim::scenario::Scenario;
use serde_json::{Value, json};

use super::desk::{OCI_INDEX, PLAIN, body, plain};

#[test]
fn a_few_words_make_an_image_whose_digests_are_true() {
    let mut desk = plain();
    let index = desk.get("/v2/example/app/manifests/v1");
    assert_eq!(index.status, 200);
    assert_eq!(
        index.headers["docker-content-digest"],
        Digest::of(&index.body).to_string()
    );
    assert_eq!(index.headers["content-type"], OCI_INDEX);
    let children = body(&index)["manifests"]
        .as_array()
        .expect("children")
        .clone();
    let platforms: Vec<String> = children
        .iter()
        .map(|it| {
            format!(
                "{}/{}",
                it["platform"]["os"].as_str().unwrap_or("?"),
                it["platform"]["architecture"].as_str().unwrap_or("?")
            )
        })
        .collect();
    assert_eq!(
        platforms,
        [
            "linux/amd64",
            "unknown/unknown",
            "linux/arm64",
            "unknown/unknown"
        ]
    );
    for (number, child) in children.iter().enumerate() {
        let path = format!(
            "/v2/example/app/manifests/{}",
            child["digest"].as_str().expect("a digest")
        );
        let manifest = desk.get(&path);
        assert_eq!(Digest::of(&manifest.body).as_str(), child["digest"]);
        assert_eq!(manifest.body.len(), child["size"]);
        let manifest = body(&manifest);
        assert_eq!(manifest["subject"].is_object(), number % 2 == 1);
        let layers = manifest["layers"].as_array().expect("layers").clone();
        for blob in layers.iter().chain([&manifest["config"]]) {
            let path = format!(
                "/v2/example/app/blobs/{}",
                blob["digest"].as_str().expect("a digest")
            );
            let content = desk.get(&path);
            assert_eq!(Digest::of(&content.body).as_str(), blob["digest"]);
            assert_eq!(content.body.len(), blob["size"]);
        }
    }
    let again = plain().get("/v2/example/app/manifests/v1");
    assert_eq!(again.body, index.body);
}

#[test]
fn a_layer_that_is_estargz_ends_in_the_footer_that_leads_to_its_table_of_contents() {
    let mut desk = plain();
    let index = desk.get("/v2/example/app/manifests/v1-arm64");
    let image = body(&index)["manifests"][0]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let image = desk.get(&format!("/v2/example/app/manifests/{image}"));
    let layer = &body(&image)["layers"][0];
    let path = format!(
        "/v2/example/app/blobs/{}",
        layer["digest"].as_str().expect("a digest")
    );
    let part = desk.ask(("GET", &path), &[("range", "bytes=-51")], &[]);
    assert_eq!((part.status, part.body.len()), (206, 51));
    assert_eq!(&part.body[..4], [0x1f, 0x8b, 8, 4]);
    assert_eq!(&part.body[32..38], b"STARGZ");
    let offset = std::str::from_utf8(&part.body[16..32]).expect("digits");
    let offset = usize::from_str_radix(offset, 16).expect("digits");
    let size = usize::try_from(layer["size"].as_u64().expect("a size")).expect("small");
    let range = format!("bytes={offset}-{}", size - 52);
    let table = desk.ask(("GET", &path), &[("range", &range)], &[]);
    let mut content = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(&table.body[..]),
        &mut content,
    )
    .expect("a gzip member");
    let name = std::str::from_utf8(&content[..18]).expect("a name");
    assert_eq!(name, "stargz.index.json\0");
    let size = std::str::from_utf8(&content[124..135]).expect("digits");
    let size = usize::from_str_radix(size, 8).expect("digits");
    let toc = Digest::of(&content[512..512 + size]);
    assert_eq!(
        layer["annotations"]["containerd.io/snapshot/stargz/toc.digest"],
        toc.to_string()
    );
}

#[test]
fn what_happens_is_told_together_with_who_did_it() {
    let mut desk = plain();
    let before = desk.tags()["v1"].clone();
    desk.meddle(
        &json!({"manifests": [{"tags": ["v1"], "of": ["v1-amd64"]}], "untagged": ["v1-arm64"]}),
    );
    let after = desk.tags()["v1"].clone();
    assert_ne!(before, after);
    let deeds = desk.deeds();
    let moved = Deed::TagMoved {
        tag: "v1".to_owned(),
        from: Some(before.clone()),
        to: after,
    };
    assert!(deeds.contains(&(By::Somebody, moved)), "{deeds:#?}");
    assert!(!desk.tags().contains_key("v1-arm64"));
    let index = desk.get(&format!("/v2/example/app/manifests/{before}"));
    desk.put("/v2/example/app/manifests/v2", OCI_INDEX, &index.body);
    let moved = Deed::TagMoved {
        tag: "v2".to_owned(),
        from: None,
        to: before,
    };
    assert_eq!(desk.deeds().last(), Some(&(By::Client, moved)));
    let state = body(&desk.admin("GET", "/_sim/state", &Value::Null));
    let tags = state["registries"][PLAIN]["example/app"]["tags"]
        .as_object()
        .expect("tags")
        .clone();
    assert_eq!(tags.keys().collect::<Vec<_>>(), ["v1", "v1-amd64", "v2"]);
}

#[test]
fn a_scenario_that_cannot_be_is_refused() {
    let said = |repository: Value| {
        let registries = json!({PLAIN: {"repositories": {"example/app": repository}}});
        let scenario = json!({"objects": {"registries": registries}});
        Scenario::from_value(scenario).expect_err("it is wrong")
    };
    let unknown = said(json!({"manifests": [{"tags": ["v1"], "of": ["v1-amd64"]}]}));
    assert!(
        unknown.ends_with("an index is made of v1-amd64, which is not there"),
        "{unknown}"
    );
    let tag = said(json!({"manifests": [{"tags": ["-"]}]}));
    assert!(tag.ends_with("\"-\" is not a tag"), "{tag}");
    let misspelt = said(json!({"manifests": [{"tag": "v1"}]}));
    assert!(misspelt.contains("unknown field `tag`"), "{misspelt}");
    let mut desk = plain();
    let elsewhere = json!({"registries": {"else.example": {}}});
    let refused = desk.admin("POST", "/_sim/objects", &elsewhere);
    assert_eq!(refused.status, 400);
}
