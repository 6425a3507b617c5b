//! The promises, checked over the world's own history and not over which calls were made.
//!
//! - `declared`: what is declared, as far as promises speak of it.
//! - `known`: the world, replayed event by event.
//! - `deeds`: whether one thing that we did was right (I1, I2, I4).
//! - `builds`: whether what was built for was built once (I3, I4).
//! - `windows`: what names and families resolve to all the while (I2).
//! - `ready`: whether what is said to be ready is so (I3, L1).
//! - `runners`: whether runners and their machines came and went as they must (I1, I3, I4).
//! - `tags`: whether required tags are whole (I1, I2).
//! - `mirrors`: whether their copies are (I2, L1).

mod builds;
mod declared;
mod deeds;
mod known;
pub(crate) mod mirrors;
mod ready;
pub(crate) mod runners;
pub(crate) mod tags;
mod windows;

use std::path::Path;

use reconcile::engine::Inventory;
use reconcile::report::{Report, Style};
use reconcile::sim::World;
use reconcile::sim::history::{Event, What};

use self::declared::Declared;
use self::known::Known;

/// Replays the history and holds everything that we did against the promises.
///
/// What somebody else changed in the very moment between our last look and the deed cannot be known: a deed is right
/// when it would have been without some of the latest of such changes.
pub(crate) fn watch(inventory: &Inventory, world: &World, name: &str) {
    let declared = Declared::of(inventory);
    let mut known = Known::at_start(world.scenario());
    let mut earlier: Vec<Known> = Vec::new();
    let mut windows = windows::windows(&declared, &known);
    for event in world.history() {
        if is_meddling(event) {
            earlier.push(known.clone());
        } else if let Err(promise) = deeds::judge(&declared, &known, event) {
            let was_right = earlier
                .iter()
                .any(|it| deeds::judge(&declared, it, event).is_ok());
            assert!(was_right, "{name}: {promise}: {event:#?}");
        }
        known.apply(event);
        if !is_meddling(event) {
            for it in &mut earlier {
                it.apply(event);
            }
        }
        for window in &mut windows {
            let passed = window.pass(event, &known);
            // Of an image that somebody else takes away in between nothing is promised.
            let is_let_off = !earlier.is_empty();
            if let Err(promise) = passed {
                assert!(is_let_off, "{name}: {promise}: {event:#?}");
            }
        }
    }
}

/// Holds the world against what a report says of it, at a time when nothing lags and nothing goes wrong.
pub(crate) fn check_end(inventory: &Inventory, world: &World, (name, report): (&str, &Report)) {
    let declared = Declared::of(inventory);
    let mut known = Known::at_start(world.scenario());
    let mut windows = windows::windows(&declared, &known);
    for event in world.history() {
        known.apply(event);
        for window in &mut windows {
            // Broken promises are found by `watch`.
            let _ = window.pass(event, &known);
        }
    }
    let untrue = ready::untrue(&declared, &known, report);
    assert_eq!(untrue, [""; 0], "{name}: {}", report.to_json());
    if report.is_converged() {
        let is_open = windows.iter().any(windows::Window::is_open);
        assert!(!is_open, "{name}: I2, a name is left between two renames");
    }
}

/// I8: no secret of the world is in a report or in a file of the status directory.
pub(crate) fn check_secrets(world: &World, report: &Report, status: &Path) {
    let passes = 1..=report.actions.iter().map(|it| it.pass).max().unwrap_or(1);
    let mut said = report.to_json().to_string();
    said.extend(passes.map(|it| report.pass_text(it, Style::Plain)));
    said += &report.closing_text(Style::Plain);
    said += &files(status);
    // What every configuration of a runner begins with.
    assert!(
        !said.contains("eyJhZ2VudElk"),
        "I8: a runner's configuration in {said}"
    );
    for key in &world.scenario().keys {
        for secret in [Some(&key.secret), key.token.as_ref()]
            .into_iter()
            .flatten()
        {
            assert!(!said.contains(secret.as_str()), "I8: {secret} in {said}");
        }
    }
}

fn files(folder: &Path) -> String {
    let mut said = String::new();
    for entry in std::fs::read_dir(folder).expect("the status can be listed") {
        let path = entry.expect("the status can be listed").path();
        if path.is_dir() {
            said += &files(&path);
        } else {
            let content = std::fs::read(&path).expect("the status can be read");
            said += &String::from_utf8_lossy(&content);
        }
    }
    said
}

/// Whether somebody else did it.
fn is_meddling(event: &Event) -> bool {
    match &event.what {
        What::ImagePut(_) | What::InstancePut(_) | What::SnapshotPut(_) | What::Taken { .. } => {
            true
        }
        What::ImageCreated(_)
        | What::ImageTurned { .. }
        | What::ImageUsable { .. }
        | What::ImageRenamed { .. }
        | What::FamilyChanged { .. }
        | What::ImageShared { .. }
        | What::ImageDeleted { .. }
        | What::InstanceCreated(_)
        | What::InstanceTurned { .. }
        | What::InstanceDeleting(_)
        | What::InstanceDeleted { .. }
        | What::ReleaseTimeChanged { .. }
        | What::SnapshotCreated(_)
        | What::SnapshotDeleted(_)
        | What::Tagged { .. }
        | What::Untagged { .. }
        | What::CommandSent(_)
        | What::CommandBegun { .. }
        | What::CommandEnded { .. } => false,
    }
}
