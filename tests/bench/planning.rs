//! How long it takes to plan, of what was seen already, and how that grows.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use reconcile::clock::{SystemClock, Timestamp};
use reconcile::engine::{Inventory, load};
use reconcile::ids::{RegionId, ResourceId};
use reconcile::kind::{AnySeen, Context};
use reconcile::kinds::KINDS;
use reconcile::providers::aliyun::{Images, Place};
use reconcile::providers::{Clients, Settings, connect};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::factory::{Factory, REGION};
use crate::figures::{Figures, best_of, tell};

/// How often each is measured; the best counts.
const ROUNDS: u32 = 9;
/// Time at 100,000 ÷ time at 10,000.
const GROWTH_MAX: f64 = 18.0;
/// The same for what is done once to a listing: ten times the images no longer fit where the machine is fast. What went
/// through all of them for every resource would take a hundred times as long.
const LISTING_GROWTH_MAX: f64 = 30.0;

/// What one account cost, in milliseconds of this thread.
struct Cost {
    /// Planning, claims and outputs of all resources.
    planning: f64,
    /// Picking what each resource sees out of the listing.
    picking: f64,
    /// Going through the listing once.
    indexing: f64,
    /// Steps that were planned.
    steps: usize,
}

pub(crate) fn measure(figures: &mut Figures) {
    let account = |lines, per_line| Factory {
        lines,
        per_line,
        surplus: 3,
        foreign: 1,
        now: Timestamp::parse("2026-11-21T02:00:00Z").expect("a time in RFC 3339"),
    };
    let large = cost(account(500, 200));
    let fewer = cost(account(50, 200));
    let shorter = cost(account(500, 20));
    tell(
        "planning 100,000 images in 500 lines, ms of CPU",
        format!("{:.0} ({} steps)", large.planning, large.steps),
    );
    tell(
        "indexing 100,000 images, picking what each of 500 lines sees, ms of CPU",
        format!("{:.0}, {:.0}", large.indexing, large.picking),
    );
    let listing = |cost: &Cost| cost.indexing + cost.picking;
    for (what, growth, max) in [
        (
            "planning, ten times the lines",
            large.planning / fewer.planning,
            GROWTH_MAX,
        ),
        (
            "planning, lines ten times as long",
            large.planning / shorter.planning,
            GROWTH_MAX,
        ),
        (
            "indexing and picking, ten times the lines",
            listing(&large) / listing(&fewer),
            LISTING_GROWTH_MAX,
        ),
    ] {
        tell(
            &format!("100,000 images ÷ 10,000, {what}"),
            format!("{growth:.1}"),
        );
        figures.hold(
            growth <= max,
            &format!("{what}: {growth:.1} times the time, {max} is allowed"),
        );
    }
}

fn cost(account: Factory) -> Cost {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime can be started");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback can be listened on");
        let address = listener.local_addr().expect("a listener has an address");
        let server = tokio::spawn(serve(listener, account));
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let file = folder.path().join("all.yaml");
        fs::write(file, account.declared_images()).expect("there is room for a file");
        let inventory = load(folder.path(), KINDS).unwrap_or_else(|it| panic!("{it:#?}"));
        let clients = clients(&format!("http://{address}"));
        let seen = look(&inventory, &clients).await;
        let place = Place {
            region: RegionId::new(REGION),
            endpoint: None,
        };
        let images = clients
            .aliyun
            .images(&place)
            .await
            .expect("the listing is remembered");
        server.abort();
        assert_eq!(images.items().len(), account.images());
        let mut steps = 0;
        let planning = best_of(ROUNDS, || milliseconds(|| steps = plan(&seen)).1);
        assert_eq!(
            steps,
            account.lines * account.surplus * 2,
            "a mark and a deletion each"
        );
        let indexing = best_of(ROUNDS, || {
            let listed = images.listed().clone();
            milliseconds(|| Images::of(listed)).1
        });
        Cost {
            planning,
            picking: picking(&inventory, &clients).await,
            indexing,
            steps,
        }
    })
}

async fn picking(inventory: &Inventory, clients: &Clients) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = cpu_milliseconds();
        let seen = look(inventory, clients).await;
        best = best.min(cpu_milliseconds() - begun);
        drop(black_box(seen));
    }
    best
}

fn clients(base: &str) -> Clients {
    let named = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "nobody"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "nothing"),
        ("ALIYUN_ECS_ENDPOINT", base),
    ];
    let named = named.map(|(name, value)| (name.to_owned(), value.to_owned()));
    connect(&Settings::new(named.into()), Arc::new(SystemClock), 1).expect("the settings are right")
}

/// What is seen of every resource; the listings are read the first time only.
async fn look(inventory: &Inventory, clients: &Clients) -> BTreeMap<ResourceId, Box<dyn AnySeen>> {
    let remembered = BTreeMap::new();
    let context = Context {
        clients,
        resources: &inventory.resources,
        remembered: &remembered,
    };
    let mut seen = BTreeMap::new();
    for (id, resource) in &inventory.resources {
        let found = resource.observe(context).await;
        seen.insert(id.clone(), found.unwrap_or_else(|it| panic!("{id}: {it}")));
    }
    seen
}

/// Everything that a look does without the network; how many steps came of it.
fn plan(seen: &BTreeMap<ResourceId, Box<dyn AnySeen>>) -> usize {
    let now = Timestamp::EPOCH;
    let steps = seen.values().map(|it| {
        black_box((it.claims(), it.outputs()));
        black_box(it.plan(now)).steps.len()
    });
    steps.sum()
}

/// What work gives, and how long it took; to drop the result does not count.
fn milliseconds<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = cpu_milliseconds();
    let result = black_box(work());
    (result, cpu_milliseconds() - begun)
}

/// What this thread has computed so far: waiting for others, and for the network, does not count.
#[expect(
    clippy::cast_precision_loss,
    reason = "a bench does not compute for years"
)]
pub(crate) fn cpu_milliseconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Answers the listings of an account. The simulated cloud sorts a whole listing for every page: a hundred thousand
/// images would take it minutes.
async fn serve(listener: TcpListener, account: Factory) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection comes");
        let answer = service_fn(move |request: hyper::Request<Incoming>| async move {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let body = request
                .into_body()
                .collect()
                .await
                .expect("a request comes whole")
                .to_bytes();
            let text = format!("{query}&{}", String::from_utf8_lossy(&body));
            let answer = Bytes::from(page(account, &text).to_string());
            Ok::<_, Infallible>(hyper::Response::new(Full::new(answer)))
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

fn page(account: Factory, asked: &str) -> Value {
    if asked.contains("Action=DescribeLaunchTemplates") {
        return json!({"RequestId": "R", "TotalCount": 0, "LaunchTemplateSets": {"LaunchTemplateSet": []}});
    }
    if asked.contains("Action=DescribeSnapshots") {
        return json!({"RequestId": "R", "Snapshots": {"Snapshot": []}});
    }
    let number = asked
        .split('&')
        .find_map(|it| it.strip_prefix("PageNumber=")?.parse().ok());
    let number: usize = number.expect("a page is asked for by its number");
    let places = (number - 1) * 100..account.images().min(number * 100);
    let images: Vec<Value> = places.map(|it| account.image(it)).collect();
    json!({"RequestId": "R", "Images": {"Image": images}, "TotalCount": account.images()})
}
