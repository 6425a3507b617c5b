//! Bad input, bad answers and bad company, through the whole program: a clear message, the right exit code, and
//! nothing done that should not be.

mod access;
mod answers;
mod clocks;
mod crowd;
mod daemon;
mod listings;
mod processes;
mod reference;
mod streams;
mod throttled;
mod told;

use std::sync::atomic::{AtomicUsize, Ordering};

use reconcile::sim::scenario::Scenario;
use serde_json::{Value, json};

use crate::cli::Place;
use crate::proofs::cases::Case;

/// The world of the demo, as far as `changes` do not say otherwise.
fn world(changes: &Value) -> Value {
    let mut world: Value =
        serde_json::from_str(include_str!("../../src/sim/default.json")).expect("the file is JSON");
    for (key, value) in changes.as_object().expect("changes are a map") {
        world[key] = value.clone();
    }
    world
}

/// A folder with the example files, and `world.yaml` beside them.
fn place(changes: &Value) -> Place {
    let place = Place::with_examples();
    // JSON is YAML.
    place.write("world.yaml", &world(changes).to_string());
    place
}

/// The key of the simulated world, without permission for some actions.
fn key_without(actions: &[&str]) -> Value {
    json!([{
        "id": "LTAI-simulated",
        "secret": "simulated-secret-of-no-account",
        "denied": actions,
    }])
}

/// The demo, as a case.
fn demo() -> Case {
    Case {
        name: "demo".to_owned(),
        folder: std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("state"),
        scenario: Scenario::default_past(),
    }
}

/// Does the same with each of many things. Worlds share nothing, so they run side by side; the first that fails ends
/// all.
fn with_each<T: Sync>(things: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(thing) = things.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(thing);
                }
            });
        }
    });
}
