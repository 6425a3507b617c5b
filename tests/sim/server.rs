//! The world behind a listener, with a real HTTP client in the same runtime whose clock is paused.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reconcile::clock::{Clock, Timestamp, VirtualClock};
use reconcile::providers::aliyun::sign;
use reconcile::sim::World;
use reconcile::sim::scenario::Scenario;
use reconcile::sim::server::{Gate, GatePoint, Ports, Service, Side, Verdict, serve};
use reconcile::sim::time::WorldClock;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Bench, image};

/// A served world and a client.
struct Served {
    base: String,
    client: reqwest::Client,
    service: Service,
    signer: Bench,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn new(scenario: Value, gate: Option<Gate>) -> Self {
        let scenario = Scenario::from_value(scenario).expect("a scenario");
        let clock: Arc<dyn Clock> = Arc::new(VirtualClock::starting_at(scenario.start));
        Self::with_clock(&scenario, WorldClock::following(clock), gate).await
    }

    async fn with_clock(scenario: &Scenario, clock: WorldClock, gate: Option<Gate>) -> Self {
        let mut world = World::from_scenario(scenario);
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let ports = Ports::open(any_port, &mut world).await.expect("a port");
        let service = Service {
            world: Arc::new(Mutex::new(world)),
            clock: Arc::new(clock),
            gate,
        };
        // A client wants one even where nothing is encrypted; another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = format!("http://{}", ports.base().expect("an address"));
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        Self {
            base,
            client: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            task: tokio::spawn(serve(ports, service.clone(), stopped)),
            service,
            signer: super::small_world(),
            stop,
        }
    }

    async fn call(
        &mut self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> reqwest::Result<reqwest::Response> {
        self.signer.now = self.service.clock.now();
        let parameters: BTreeMap<String, String> = self.signer.signed(action, parameters);
        let request = self
            .client
            .post(format!("{}/", self.base))
            .header("content-type", "application/x-www-form-urlencoded");
        request
            .body(sign::canonical_query(&parameters))
            .send()
            .await
    }

    async fn admin(&self, method: reqwest::Method, path: &str) -> (u16, Value) {
        let answer = self
            .client
            .request(method, format!("{}{path}", self.base))
            .send()
            .await
            .expect("an answer");
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON"),
        )
    }

    async fn end(self) {
        self.stop.send(()).expect("the server runs");
        self.task.await.expect("no panic").expect("no fault");
    }
}

fn objects() -> Value {
    json!({"images": [image("m-one", "one", "2026-11-01T00:00:00Z")]})
}

const DELETE: [(&str, &str); 2] = [("RegionId", "cn-hangzhou"), ("ImageId", "m-one")];

#[tokio::test(start_paused = true)]
async fn answers_a_real_client_in_virtual_time() {
    let mut served = Served::new(json!({"objects": objects()}), None).await;
    let answer = served
        .call("DescribeImages", &DELETE[..1])
        .await
        .expect("an answer");
    assert_eq!(answer.headers()["date"], "Sat, 21 Nov 2026 02:00:00 GMT");
    let body: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
    assert_eq!(body["TotalCount"], 1);
    served
        .service
        .clock
        .sleep(Duration::from_secs(200 * 3600))
        .await;
    let answer = served
        .call("DescribeImages", &DELETE[..1])
        .await
        .expect("an answer");
    assert_eq!(answer.headers()["date"], "Sun, 29 Nov 2026 10:00:00 GMT");
    served.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_cut_connection_is_no_answer() {
    let troubles = json!([{"action": "DeleteImage", "fault": "dropAfter"}]);
    let mut served = Served::new(json!({"objects": objects(), "troubles": troubles}), None).await;
    assert!(served.call("DeleteImage", &DELETE).await.is_err());
    let answer = served
        .call("DeleteImage", &DELETE)
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 404);
    served.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_delayed_answer_takes_world_time() {
    let troubles = json!([{"fault": "delay", "seconds": 90}]);
    let mut served = Served::new(json!({"troubles": troubles}), None).await;
    let answer = served
        .call("DescribeRegions", &[])
        .await
        .expect("an answer");
    assert_eq!(answer.headers()["date"], "Sat, 21 Nov 2026 02:01:30 GMT");
    served.end().await;
}

#[tokio::test(start_paused = true)]
async fn time_can_be_advanced_and_signatures_of_both_clocks_are_accepted() {
    let scenario = Scenario::default();
    let machine: Timestamp = Timestamp::parse("2030-01-01T00:00:00Z").expect("a time");
    let base: Arc<dyn Clock> = Arc::new(VirtualClock::starting_at(machine));
    let mut served =
        Served::with_clock(&scenario, WorldClock::still(scenario.start, base), None).await;
    let (status, body) = served
        .admin(reqwest::Method::POST, "/_sim/advance?seconds=3600")
        .await;
    assert_eq!(
        (status, body),
        (200, json!({"now": "2026-11-21T03:00:00Z"}))
    );
    let (status, _) = served
        .admin(reqwest::Method::POST, "/_sim/advance?seconds=x")
        .await;
    assert_eq!(status, 400);
    assert_eq!(
        served
            .call("DescribeRegions", &[])
            .await
            .expect("an answer")
            .status(),
        200
    );
    let with_machine_time = [("Timestamp", "2030-01-01T00:00:00Z")];
    assert_eq!(
        served
            .call("DescribeRegions", &with_machine_time)
            .await
            .expect("an answer")
            .status(),
        200
    );
    let with_neither = [("Timestamp", "2028-01-01T00:00:00Z")];
    assert_eq!(
        served
            .call("DescribeRegions", &with_neither)
            .await
            .expect("an answer")
            .status(),
        400
    );
    served.end().await;
}

/// Where the gate was asked.
type Asked = Arc<Mutex<Vec<Side>>>;

/// Halts every call at one side, and writes down where it was asked.
fn halting_at(side: Side) -> (Gate, Asked) {
    let asked = Asked::default();
    let log = asked.clone();
    let gate = Gate::new(move |point: &GatePoint| {
        assert_eq!(
            (point.call.n, point.call.action.as_str()),
            (1, "DeleteImage")
        );
        log.lock().expect("nobody panicked").push(point.side);
        if point.side == side {
            Verdict::Halt
        } else {
            Verdict::Go
        }
    });
    (gate, asked)
}

#[tokio::test(start_paused = true)]
async fn a_gate_halts_before_the_effect_after_it_or_after_the_answer() {
    for (side, left, is_answered) in [
        (Side::Before, 1, false),
        (Side::Applied, 0, false),
        (Side::Answered, 0, true),
    ] {
        let (gate, asked) = halting_at(side);
        let mut served = Served::new(json!({"objects": objects()}), Some(gate)).await;
        let answer =
            tokio::time::timeout(Duration::from_secs(60), served.call("DeleteImage", &DELETE))
                .await;
        assert_eq!(answer.is_ok(), is_answered, "{side:?}");
        // One more turn of the runtime, so that the connection has ended.
        served.service.clock.sleep(Duration::from_secs(1)).await;
        let now = served.service.clock.now();
        let images = served
            .service
            .world
            .lock()
            .expect("nobody panicked")
            .images("cn-hangzhou", now);
        assert_eq!(images.len(), left, "{side:?}");
        let sides = asked.lock().expect("nobody panicked").clone();
        let all = [Side::Before, Side::Applied, Side::Answered];
        let reached = all.iter().position(|it| *it == side).expect("a side") + 1;
        assert_eq!(sides, all[..reached]);
        served.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_lets_everything_through_changes_nothing() {
    let mut served = Served::new(
        json!({"objects": objects()}),
        Some(Gate::new(|_| Verdict::Go)),
    )
    .await;
    for _ in 0..3 {
        assert_eq!(
            served
                .call("DescribeRegions", &[])
                .await
                .expect("an answer")
                .status(),
            200
        );
    }
    served.end().await;
}
