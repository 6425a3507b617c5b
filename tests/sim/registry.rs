//! Simulated registries, asked by hand: what a scenario makes of a few words, and what all of them have in common.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reconcile::clock::Timestamp;
use reconcile::ids::Digest;
use reconcile::sim::registry::history::{By, Deed};
use reconcile::sim::scenario::Scenario;
use reconcile::sim::{Answer, Request, World};
use serde_json::{Value, json};

pub(super) const GHCR: &str = "ghcr.io";
pub(super) const PLAIN: &str = "registry.example";
pub(super) const ACR: &str = "registry.cn-hangzhou.aliyuncs.com";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// What a client accepts that knows all that there is.
pub(super) const ALL_TYPES: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/// A world of registries, and somebody who asks one of them.
pub(super) struct Desk {
    pub(super) world: World,
    pub(super) now: Timestamp,
    pub(super) host: &'static str,
    /// What is sent with every request.
    pub(super) authorization: Option<String>,
}

impl Desk {
    pub(super) fn new(host: &'static str, scenario: Value) -> Self {
        let scenario = Scenario::from_value(scenario).expect("a scenario");
        Self {
            now: scenario.start,
            world: World::from_scenario(&scenario),
            host,
            authorization: None,
        }
    }

    /// One registry of a personality that lets everybody in, or whoever has the token.
    pub(super) fn with(host: &'static str, personality: &str, repositories: &Value) -> Self {
        let registry = json!({
            "personality": personality, "repositories": repositories, "namespaces": ["example"],
            "users": if personality == "distribution" { json!([]) } else { json!([{"name": "ci", "password": "secret"}]) },
        });
        let mut desk = Self::new(host, json!({"objects": {"registries": {host: registry}}}));
        if personality != "distribution" {
            desk.sign_in("ci:secret", "repository:example/app:pull,push,delete");
        }
        desk
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus(std::time::Duration::from_secs(seconds));
    }

    /// Asks with these headers and this body.
    pub(super) fn ask(
        &mut self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let fixed = [("host", self.host), ("accept", ALL_TYPES)];
        let authorization = self
            .authorization
            .as_deref()
            .map(|it| ("authorization", it));
        let all = fixed
            .into_iter()
            .chain(authorization)
            .chain(headers.iter().copied());
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: all
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: body.to_vec(),
        };
        self.world.handle(&request, self.now)
    }

    pub(super) fn get(&mut self, path: &str) -> Answer {
        self.ask(("GET", path), &[], &[])
    }

    pub(super) fn head(&mut self, path: &str) -> Answer {
        self.ask(("HEAD", path), &[], &[])
    }

    pub(super) fn put(&mut self, path: &str, media_type: &str, body: &[u8]) -> Answer {
        self.ask(("PUT", path), &[("content-type", media_type)], body)
    }

    /// Sends a blob, and gives its descriptor.
    pub(super) fn push_blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        let begun = self.ask(("POST", "/v2/example/app/blobs/uploads/"), &[], &[]);
        assert_eq!(begun.status, 202, "{}", text(&begun));
        let place = format!("{}&digest={digest}", begun.headers["location"]);
        let pushed = self.ask(("PUT", &place), &[], bytes);
        assert_eq!(pushed.status, 201, "{}", text(&pushed));
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    /// Asks the token service, and sends what it gives from now on.
    pub(super) fn sign_in(&mut self, login: &str, scope: &str) {
        let answer = self.token(Some(login), scope);
        assert_eq!(answer.status, 200, "{}", text(&answer));
        let token = body(&answer)["token"].as_str().expect("a token").to_owned();
        self.authorization = Some(format!("Bearer {token}"));
    }

    pub(super) fn token(&mut self, login: Option<&str>, scope: &str) -> Answer {
        let path = format!(
            "/token?service={}&scope={}",
            self.host,
            scope.replace(' ', "&scope=")
        );
        self.authorization = login.map(|it| format!("Basic {}", STANDARD.encode(it)));
        let answer = self.get(&path);
        self.authorization = None;
        answer
    }

    pub(super) fn tags(&mut self) -> BTreeMap<String, Digest> {
        self.world.tags((self.host, "example/app"), self.now)
    }

    pub(super) fn admin(&mut self, method: &str, path: &str, sent: &Value) -> Answer {
        let request = super::admin_request(method, path, &sent.to_string());
        self.world.handle(&request, self.now)
    }

    /// Puts objects into the world behind everybody's back.
    pub(super) fn meddle(&mut self, repository: &Value) {
        let objects =
            json!({"registries": {self.host: {"repositories": {"example/app": repository}}}});
        let answer = self.admin("POST", "/_sim/objects", &objects);
        assert_eq!(answer.status, 200, "{}", text(&answer));
    }

    pub(super) fn trouble(&mut self, trouble: &Value) {
        let answer = self.admin("PUT", "/_sim/trouble", &json!([trouble]));
        assert_eq!(answer.status, 200, "{}", text(&answer));
    }

    pub(super) fn deeds(&self) -> Vec<(By, Deed)> {
        let all = self.world.registry_history().iter();
        all.map(|it| (it.by, it.what.clone())).collect()
    }
}

pub(super) fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

pub(super) fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("no JSON: {}", text(answer)))
}

/// As in `404 MANIFEST_UNKNOWN`.
pub(super) fn refusal(answer: &Answer) -> String {
    let code = body(answer)["errors"][0]["code"]
        .as_str()
        .unwrap_or("no code")
        .to_owned();
    format!("{} {code}", answer.status)
}

pub(super) fn message(answer: &Answer) -> String {
    body(answer)["errors"][0]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// `v1` of two platforms, each with its attestation.
pub(super) fn app() -> Value {
    json!({"example/app": {"manifests": [
        {"tags": ["v1-amd64"], "platform": "linux/amd64", "revision": "abc", "attested": true},
        {"tags": ["v1-arm64"], "platform": "linux/arm64/v8", "revision": "abc", "attested": true, "estargz": true},
        {"tags": ["v1"], "of": ["v1-amd64", "v1-arm64"]},
    ]}})
}

fn plain() -> Desk {
    Desk::with(PLAIN, "distribution", &app())
}

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
