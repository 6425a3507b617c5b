//! A listing of ten thousand images, beside the official SDK for Python: the same cloud, the same calls, the same run.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use reconcile::clock::{Clock, SystemClock};
use reconcile::ids::RegionId;
use reconcile::providers::aliyun::Place;
use reconcile::providers::{Settings, connect};
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::factory::{Factory, REGION};
use crate::figures::{Figures, tell};
use crate::planning::cpu_milliseconds;

const ROUNDS: u32 = 3;
const IMAGES: usize = 10_000;
const MISSING: &str =
    "the official SDK is not there, so nothing is measured beside it; it comes with
  python3 -m venv target/venv && target/venv/bin/pip install -r tests/real/requirements.txt";

/// What a listing took at best.
struct Listing {
    seconds: f64,
    /// Of the client alone.
    cpu_seconds: f64,
    calls: usize,
}

pub(crate) fn measure(figures: &mut Figures) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/venv/bin/python");
    if !python.exists() {
        figures.hold(false, MISSING);
        return;
    }
    let account = Factory {
        lines: 100,
        per_line: IMAGES / 100,
        surplus: 0,
        foreign: 0,
        now: SystemClock.now(),
    };
    let cloud = Cloud::of(&json!({}));
    let images: Vec<Value> = (0..IMAGES).map(|it| account.image(it)).collect();
    cloud.add(&json!({"images": images}));
    let theirs = theirs(&cloud, &python, &root.join("tests/real/list_images.py"));
    let ours = ours(&cloud);
    assert_eq!(ours.calls, theirs.calls, "both read the same pages");
    tell(
        "listing 10,000 images, official Python SDK ÷ reconcile, wall time",
        format!(
            "{:.1} ({:.2} s ÷ {:.2} s, {} calls each, most of it the simulated cloud's)",
            theirs.seconds / ours.seconds,
            theirs.seconds,
            ours.seconds,
            ours.calls
        ),
    );
    tell(
        "listing 10,000 images, official Python SDK ÷ reconcile, CPU of the client",
        format!(
            "{:.0} ({:.2} s ÷ {:.2} s)",
            theirs.cpu_seconds / ours.cpu_seconds,
            theirs.cpu_seconds,
            ours.cpu_seconds
        ),
    );
}

fn theirs(cloud: &Cloud, python: &Path, script: &Path) -> Listing {
    let before = cloud.calls_after(0);
    let mut command = Command::new(python);
    command
        .arg(script)
        .arg(cloud.line.to_string())
        .arg(ROUNDS.to_string());
    let ended = command.output().expect("Python can be started");
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let told: Value = serde_json::from_slice(&ended.stdout).expect("the script prints JSON");
    assert_eq!(told["images"], IMAGES);
    let number = |name: &str| told[name].as_f64().expect("the script prints numbers");
    // The first page was read once more, beforehand.
    let calls = cloud.calls_after(before.last).reads - 1;
    Listing {
        seconds: number("seconds"),
        cpu_seconds: number("cpuSeconds"),
        calls: calls / ROUNDS as usize,
    }
}

fn ours(cloud: &Cloud) -> Listing {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime can be started");
    let settings = Settings::new(cloud.environment().collect());
    let clients = connect(&settings, Arc::new(SystemClock), 1).expect("the settings are right");
    let place = Place {
        region: RegionId::new(REGION),
        endpoint: None,
    };
    let before = cloud.calls_after(0);
    let (mut seconds, mut cpu_seconds) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        clients.forget();
        let (begun, cpu_begun) = (Instant::now(), cpu_milliseconds());
        let images = runtime
            .block_on(clients.aliyun.images(&place))
            .expect("the cloud answers");
        seconds = seconds.min(begun.elapsed().as_secs_f64());
        cpu_seconds = cpu_seconds.min((cpu_milliseconds() - cpu_begun) / 1e3);
        assert_eq!(images.items().len(), IMAGES);
    }
    let calls = cloud.calls_after(before.last).reads;
    Listing {
        seconds,
        cpu_seconds,
        calls: calls / ROUNDS as usize,
    }
}
