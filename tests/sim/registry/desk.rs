//! A desk in a world of registries: whoever sits there asks one of them by hand.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reconcile::clock::Timestamp;
use reconcile::ids::Digest;
use reconcile::sim::registry::history::{By, Deed};
use reconcile::sim::scenario::Scenario;
use reconcile::sim::{Answer, Request, World};
use serde_json::{Value, json};

pub(crate) const GHCR: &str = "ghcr.io";
pub(crate) const PLAIN: &str = "registry.example";
pub(crate) const ACR: &str = "registry.cn-hangzhou.aliyuncs.com";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// What a client accepts that knows all that there is.
pub(crate) const ALL_TYPES: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/// A world of registries, and somebody who asks one of them.
pub(crate) struct Desk {
    pub(crate) world: World,
    pub(crate) now: Timestamp,
    pub(crate) host: &'static str,
    /// What is sent with every request.
    pub(crate) authorization: Option<String>,
}

impl Desk {
    pub(crate) fn new(host: &'static str, scenario: Value) -> Self {
        let scenario = Scenario::from_value(scenario).expect("a scenario");
        Self {
            now: scenario.start,
            world: World::from_scenario(&scenario),
            host,
            authorization: None,
        }
    }

    /// One registry of a personality that lets everybody in, or whoever has the token.
    pub(crate) fn with(host: &'static str, personality: &str, repositories: &Value) -> Self {
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

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus(std::time::Duration::from_secs(seconds));
    }

    /// Asks with these headers and this body.
    pub(crate) fn ask(
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

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.ask(("GET", path), &[], &[])
    }

    pub(crate) fn head(&mut self, path: &str) -> Answer {
        self.ask(("HEAD", path), &[], &[])
    }

    pub(crate) fn put(&mut self, path: &str, media_type: &str, body: &[u8]) -> Answer {
        self.ask(("PUT", path), &[("content-type", media_type)], body)
    }

    /// Sends a blob, and gives its descriptor.
    pub(crate) fn push_blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        let begun = self.ask(("POST", "/v2/example/app/blobs/uploads/"), &[], &[]);
        assert_eq!(begun.status, 202, "{}", text(&begun));
        let place = format!("{}&digest={digest}", begun.headers["location"]);
        let pushed = self.ask(("PUT", &place), &[], bytes);
        assert_eq!(pushed.status, 201, "{}", text(&pushed));
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    /// Asks the token service, and sends what it gives from now on.
    pub(crate) fn sign_in(&mut self, login: &str, scope: &str) {
        let answer = self.token(Some(login), scope);
        assert_eq!(answer.status, 200, "{}", text(&answer));
        let token = body(&answer)["token"].as_str().expect("a token").to_owned();
        self.authorization = Some(format!("Bearer {token}"));
    }

    pub(crate) fn token(&mut self, login: Option<&str>, scope: &str) -> Answer {
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

    pub(crate) fn tags(&mut self) -> BTreeMap<String, Digest> {
        self.world.tags((self.host, "example/app"), self.now)
    }

    pub(crate) fn admin(&mut self, method: &str, path: &str, sent: &Value) -> Answer {
        let request = crate::sim::admin_request(method, path, &sent.to_string());
        self.world.handle(&request, self.now)
    }

    /// Puts objects into the world behind everybody's back.
    pub(crate) fn meddle(&mut self, repository: &Value) {
        let objects =
            json!({"registries": {self.host: {"repositories": {"example/app": repository}}}});
        let answer = self.admin("POST", "/_sim/objects", &objects);
        assert_eq!(answer.status, 200, "{}", text(&answer));
    }

    pub(crate) fn trouble(&mut self, trouble: &Value) {
        let answer = self.admin("PUT", "/_sim/trouble", &json!([trouble]));
        assert_eq!(answer.status, 200, "{}", text(&answer));
    }

    pub(crate) fn deeds(&self) -> Vec<(By, Deed)> {
        let all = self.world.registry_history().iter();
        all.map(|it| (it.by, it.what.clone())).collect()
    }
}

pub(crate) fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

pub(crate) fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("no JSON: {}", text(answer)))
}

/// As in `404 MANIFEST_UNKNOWN`.
pub(crate) fn refusal(answer: &Answer) -> String {
    let code = body(answer)["errors"][0]["code"]
        .as_str()
        .unwrap_or("no code")
        .to_owned();
    format!("{} {code}", answer.status)
}

pub(crate) fn message(answer: &Answer) -> String {
    body(answer)["errors"][0]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// `v1` of two platforms, each with its attestation.
pub(crate) fn app() -> Value {
    json!({"example/app": {"manifests": [
        {"tags": ["v1-amd64"], "platform": "linux/amd64", "revision": "abc", "attested": true},
        {"tags": ["v1-arm64"], "platform": "linux/arm64/v8", "revision": "abc", "attested": true, "estargz": true},
        {"tags": ["v1"], "of": ["v1-amd64", "v1-arm64"]},
    ]}})
}

/// As many tags of one image.
pub(crate) fn many(count: usize) -> Value {
    let tags: Vec<String> = (0..count).map(|it| format!("t{it:04}")).collect();
    json!({"example/app": {"manifests": [{"tags": tags}]}})
}

/// One that lets everybody in, with `v1`.
pub(crate) fn plain() -> Desk {
    Desk::with(PLAIN, "distribution", &app())
}
