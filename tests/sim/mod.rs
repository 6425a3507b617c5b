//! The simulator, driven by small signed requests.

mod assistant;
mod buying;
pub(crate) mod github;
mod guest;
mod images;
mod instances;
mod launch;
mod launch_templates;
mod listing;
mod market;
mod registry;
mod registry_rules;
mod roles;
mod scenario;
mod server;
mod signature;
mod tags;
mod trouble;
mod wire;

use std::collections::BTreeMap;

use reconcile::clock::Timestamp;
use reconcile::providers::aliyun::sign;
use reconcile::sim::scenario::Scenario;
use reconcile::sim::{Answer, Delivery, Request, World};
use serde_json::{Value, json};

const ID: &str = "LTAI-simulated";
const SECRET: &str = "simulated-secret-of-no-account";

/// A world, and a client that signs.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) now: Timestamp,
    pub(crate) key: (String, String),
    nonces: u64,
}

impl Bench {
    /// A world as the scenario describes it; what it leaves out is as usual.
    pub(crate) fn new(scenario: Value) -> Self {
        let scenario = Scenario::from_value(scenario).expect("a scenario");
        Self {
            now: scenario.start,
            world: World::from_scenario(&scenario),
            key: (ID.to_owned(), SECRET.to_owned()),
            nonces: 0,
        }
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus(std::time::Duration::from_secs(seconds));
    }

    /// All parameters of a call, signed with V1.
    pub(crate) fn signed(
        &mut self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> BTreeMap<String, String> {
        self.nonces += 1;
        let version = match action {
            "GetCallerIdentity" | "AssumeRole" => "2015-04-01",
            "DescribeVSwitches" => "2016-04-28",
            _ => "2014-05-26",
        };
        let nonce = self.nonces.to_string();
        let time = self.now.to_string();
        let common = [
            ("Action", action),
            ("Version", version),
            ("Format", "JSON"),
            ("AccessKeyId", &self.key.0),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", &nonce),
            ("Timestamp", &time),
        ];
        let all = common.iter().chain(parameters);
        let mut all: BTreeMap<String, String> = all
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let signature = sign::sign("POST", &all, &self.key.1);
        all.insert("Signature".to_owned(), signature);
        all
    }

    pub(crate) fn answer(&mut self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        let request = form(&self.signed(action, parameters));
        self.world.handle(&request, self.now)
    }

    /// What a call answers that must succeed; `RegionId` is sent with every call.
    pub(crate) fn ok(&mut self, action: &str, parameters: &[(&str, &str)]) -> Value {
        let answer = self.call(action, parameters);
        assert_eq!(answer.status, 200, "{action}: {}", text(&answer));
        body(&answer)
    }

    /// Status and code of a call that must be refused.
    pub(crate) fn refused(&mut self, action: &str, parameters: &[(&str, &str)]) -> String {
        let answer = self.call(action, parameters);
        let code = body(&answer)["Code"]
            .as_str()
            .unwrap_or("no code")
            .to_owned();
        format!("{} {code}", answer.status)
    }

    /// An admin request, which must succeed.
    pub(crate) fn admin(&mut self, method: &str, path: &str, sent: &Value) -> Value {
        let answer = self
            .world
            .handle(&admin_request(method, path, &sent.to_string()), self.now);
        assert_eq!(answer.status, 200, "{path}: {}", text(&answer));
        body(&answer)
    }

    /// Makes this the only trouble.
    pub(crate) fn trouble(&mut self, trouble: &Value) {
        self.admin("PUT", "/_sim/trouble", &json!([trouble]));
    }

    /// The values of one field of a listing, in the order of the listing.
    pub(crate) fn list(
        &mut self,
        action: &str,
        parameters: &[(&str, &str)],
        field: &str,
    ) -> Vec<String> {
        let answer = self.ok(action, parameters);
        let outer = answer
            .as_object()
            .expect("an object")
            .values()
            .find(|it| it.is_object());
        let rows = outer
            .and_then(Value::as_object)
            .and_then(|it| it.values().next());
        let rows = rows.and_then(Value::as_array).expect("a list");
        rows.iter()
            .map(|it| it[field].as_str().unwrap_or("?").to_owned())
            .collect()
    }

    /// Launches one instance and waits until it runs.
    pub(crate) fn launch(&mut self, name: &str) -> String {
        let id = self.order(&[("InstanceName", name)]);
        self.wait(60);
        id
    }

    /// Launches one instance, with these parameters besides the necessary ones.
    pub(crate) fn order(&mut self, parameters: &[(&str, &str)]) -> String {
        let all: Vec<_> = ORDER.iter().chain(parameters).copied().collect();
        let answer = self.ok("RunInstances", &all);
        answer["InstanceIdSets"]["InstanceIdSet"][0]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    /// Launches one instance of another image than usual.
    pub(crate) fn order_of(&mut self, image: &str) -> String {
        let all: Vec<_> = ORDER
            .iter()
            .skip(1)
            .copied()
            .chain([("ImageId", image)])
            .collect();
        let answer = self.ok("RunInstances", &all);
        answer["InstanceIdSets"]["InstanceIdSet"][0]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    fn call(&mut self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        let all: Vec<_> = [("RegionId", "cn-hangzhou")]
            .iter()
            .chain(parameters)
            .copied()
            .collect();
        let all: BTreeMap<&str, &str> = all.into_iter().collect();
        self.answer(action, &all.into_iter().collect::<Vec<_>>())
    }
}

/// What `RunInstances` needs at least; the image is in `small_world`.
pub(crate) const ORDER: [(&str, &str); 4] = [
    ("ImageId", "m-one"),
    ("InstanceType", "ecs.c7.large"),
    ("VSwitchId", "vsw-1"),
    ("SecurityGroupId", "sg-1"),
];

/// One image and nothing else.
pub(crate) fn small_world() -> Bench {
    Bench::new(json!({"objects": {"images": [image("m-one", "one", "2026-11-01T00:00:00Z")]}}))
}

/// An image with one snapshot.
pub(crate) fn image(id: &str, name: &str, created: &str) -> Value {
    let snapshot = format!("s-of-{id}");
    json!({
        "ImageId": id, "ImageName": name, "CreationTime": created,
        "DiskDeviceMappings": {"DiskDeviceMapping": [{"SnapshotId": snapshot}]},
    })
}

/// An instance of an image.
pub(crate) fn instance(id: &str, image: &str) -> Value {
    json!({"InstanceId": id, "InstanceName": id, "ImageId": image, "CreationTime": "2026-11-20T00:00:00Z"})
}

/// Sends parameters as a form.
pub(crate) fn form(parameters: &BTreeMap<String, String>) -> Request {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("host", "127.0.0.1:1"),
    ];
    Request {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: sign::canonical_query(parameters).into_bytes(),
    }
}

pub(crate) fn admin_request(method: &str, path: &str, sent: &str) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: BTreeMap::new(),
        body: sent.as_bytes().to_vec(),
    }
}

pub(crate) fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

pub(crate) fn body(answer: &Answer) -> Value {
    assert_ne!(answer.delivery, Delivery::Cut, "the connection was closed");
    serde_json::from_slice(&answer.body).expect("the body is JSON")
}
