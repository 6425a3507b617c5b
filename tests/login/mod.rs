//! Every way to a key: the real client against the simulated STS, metadata service and GitHub, in time that jumps.

mod modes;
mod program;
mod pull_request;
mod refusals;
mod renewal;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reconcile::clock::{Clock, Timestamp, VirtualClock};
use reconcile::fault::Fault;
use reconcile::ids::RegionId;
use reconcile::providers::aliyun::Place;
use reconcile::providers::{Clients, Settings, connect};
use reconcile::sim::identity::token::{Claims, GITHUB, issue};
use reconcile::sim::scenario::Scenario;
use reconcile::sim::server::{Ports, Service, serve};
use reconcile::sim::time::WorldClock;
use reconcile::sim::{Request, World, environment};
use serde_json::{Value, json};

const ROLE: &str = "acs:ram::1000000000000001:role/ci";
const PROVIDER: &str = "acs:ram::1000000000000001:oidc-provider/github";
const SUBJECT: &str = "repo:demo/images:ref:refs/heads/main";
const REQUEST_TOKEN: &str = "ghs-request-token-of-the-job";

/// An account with a user's key, a role that may be had in every way, and one that only the first may assume.
fn account() -> Value {
    json!({
        "arn": "acs:ram::1000000000000001:user/ci",
        "roles": [
            {"name": "ci", "maxSessionSeconds": 43200,
             "tokens": {"provider": "github", "audience": "sts.aliyuncs.com", "subject": "repo:demo/images:*"}},
            {"name": "two", "trusted": ["ci"], "externalId": "demo-1"},
        ],
        "identityProviders": [{"name": "github", "issuer": GITHUB, "audiences": ["sts.aliyuncs.com", "unused"]}],
    })
}

/// The same with these fields besides, and without a key where `keys` is empty.
fn account_with(changes: &Value) -> Value {
    let mut account = account();
    for (name, value) in changes.as_object().expect("changes are a map") {
        account[name] = value.clone();
    }
    account
}

/// A job that may ask for tokens, and no key.
fn workflow() -> Value {
    account_with(&json!({"keys": [], "job": {"requestToken": REQUEST_TOKEN, "subject": SUBJECT}}))
}

/// An instance with a role, and no key.
fn instance(tokens: &str) -> Value {
    account_with(&json!({"keys": [], "metadata": {"role": "ci", "tokens": tokens}}))
}

/// A token that the account's identity provider stands for.
fn token(now: Timestamp, seconds: i64) -> String {
    let now = now.millis() / 1000;
    let claims = Claims {
        iss: GITHUB.to_owned(),
        aud: "sts.aliyuncs.com".to_owned(),
        sub: SUBJECT.to_owned(),
        iat: now,
        exp: now + seconds,
    };
    issue(1, &claims)
}

/// A client, and the world that it talks to.
struct Login {
    clients: Clients,
    place: Place,
    clock: Arc<VirtualClock>,
    world: Arc<Mutex<World>>,
}

impl Login {
    /// Serves a world, and gives a client the variables that lead to it, changed by `change`.
    async fn new(scenario: &Value, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Self {
        let scenario = Scenario::from_value(scenario.clone()).expect("a scenario");
        let clock = Arc::new(VirtualClock::starting_at(scenario.start));
        let mut world = World::from_scenario(&scenario);
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let ports = Ports::open(any_port, &mut world)
            .await
            .expect("a free port");
        let base = format!("http://{}", ports.base().expect("an address"));
        let mut variables = environment(&base, &world);
        change(&mut variables);
        let world = Arc::new(Mutex::new(world));
        let service = Service {
            world: Arc::clone(&world),
            clock: Arc::new(WorldClock::following(Arc::clone(&clock) as Arc<dyn Clock>)),
            gate: None,
        };
        tokio::spawn(serve(ports, service, std::future::pending()));
        let settings = Settings::new(variables);
        let local: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        Self {
            clients: connect(&settings, local, 7).expect("the settings are right"),
            place: Place {
                region: RegionId::new("cn-hangzhou"),
                endpoint: None,
            },
            clock,
            world,
        }
    }

    /// The same with a profile file, whose first profile is taken.
    async fn with_profiles(scenario: &Value, path: &Path, profiles: &Value) -> Self {
        write_profiles(path, profiles);
        Self::new(scenario, |it| {
            forget_keys(it);
            put(it, "ALIBABA_CLOUD_CONFIG_FILE", &path.display().to_string());
        })
        .await
    }

    /// Who we are.
    async fn arn(&self) -> Result<String, Fault> {
        self.clients
            .aliyun
            .caller_now(&self.place)
            .await
            .map(|it| it.arn)
    }

    async fn wait(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    fn trouble(&self, troubles: &Value) {
        let request = Request {
            method: "PUT".to_owned(),
            path: "/_sim/trouble".to_owned(),
            query: String::new(),
            headers: BTreeMap::new(),
            body: troubles.to_string().into_bytes(),
        };
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(world.handle(&request, self.clock.now()).status, 200);
    }

    /// All calls so far as `service action status code`.
    fn calls(&self) -> Vec<String> {
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = world.calls().iter().map(|it| {
            let code = it
                .code
                .as_ref()
                .map(|it| format!(" {it}"))
                .unwrap_or_default();
            format!("{} {} {}{code}", it.service, it.action, it.status)
        });
        calls.collect()
    }

    /// How many calls so far begin with these words.
    fn count(&self, words: &str) -> usize {
        self.calls()
            .iter()
            .filter(|it| it.starts_with(words))
            .count()
    }
}

fn put(variables: &mut BTreeMap<String, String>, name: &str, value: &str) {
    variables.insert(name.to_owned(), value.to_owned());
}

/// Takes the long-lived key away.
fn forget_keys(variables: &mut BTreeMap<String, String>) {
    variables.retain(|name, _| !name.starts_with("ALIBABA_CLOUD_ACCESS_KEY_"));
}

fn write_profiles(path: &Path, profiles: &Value) {
    let first = profiles[0]["name"].as_str().expect("a profile has a name");
    let file = json!({"current": first, "profiles": profiles});
    std::fs::write(path, file.to_string()).expect("a file can be written");
}

/// A profile with the world's key.
fn with_key(profile: &Value) -> Value {
    let mut profile = profile.clone();
    profile["access_key_id"] = json!("LTAI-simulated");
    profile["access_key_secret"] = json!("simulated-secret-of-no-account");
    profile
}

/// Fails when a text holds a part of a token or a key that the world has given away.
#[track_caller]
fn assert_no_secret(text: &str) {
    let is_hex = |it: char| it.is_ascii_hexdigit();
    let longest = text.split(|it| !is_hex(it)).map(str::len).max();
    // Tokens of effects have 32 digits, secrets 44.
    assert!(longest.is_none_or(|it| it < 44), "{text}");
    for secret in [
        REQUEST_TOKEN,
        "simulated-secret-of-no-account",
        "CAIS",
        // Every token of an identity provider begins like this.
        "eyJ",
    ] {
        assert!(!text.contains(secret), "{text}");
    }
}
