//! Bad input, bad answers and bad company, through the whole program: a clear message, the right exit code, and
//! nothing done that should not be.

mod access;
mod answers;
mod crowd;
mod daemon;
mod processes;
mod registries;
mod streams;
mod throttled;
mod told;

use serde_json::{Value, json};

use crate::cli::Place;

/// The world of the demo, as far as `changes` do not say otherwise.
fn world(changes: &Value) -> Value {
    let mut world: Value =
        serde_json::from_str(include_str!("../../src/sim/default.json")).expect("the file is JSON");
    for (key, value) in changes.as_object().expect("changes are a map") {
        world[key] = value.clone();
    }
    world
}

/// A folder with the example files that are about machines, and `world.yaml` beside them.
fn place(changes: &Value) -> Place {
    let place = Place::with_machines();
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
