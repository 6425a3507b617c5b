//! The figures, measured on this machine and printed: ratios and counts where that is possible.
//!
//! It fails only where a figure could not be measured. With `--check` it fails also where one that a busy machine cannot
//! spoil is beyond its bound, and where the official SDK or a registry is not there to be measured beside.

mod beside_sdk;
mod cloud;
mod factory;
mod figures;
mod mirroring;
mod one_pass;
mod planning;
mod program;
mod registry;
mod required_tags;
mod retaining;

use std::process::ExitCode;

use figures::Figures;

fn main() -> ExitCode {
    let mut figures = Figures::default();
    planning::measure(&mut figures);
    retaining::measure(&mut figures);
    one_pass::measure(&mut figures);
    program::measure(&mut figures);
    beside_sdk::measure(&mut figures);
    registries(&mut figures);
    let is_checked = std::env::args().any(|it| it == "--check");
    figures.end(is_checked)
}

/// What is measured against real registries.
fn registries(figures: &mut Figures) {
    let missing: Vec<&str> = required_tags::PROGRAMS
        .into_iter()
        .filter(|it| !registry::is_there(it))
        .collect();
    if missing.is_empty() {
        required_tags::measure(figures);
        mirroring::measure(figures);
    } else {
        let missing = missing.join(", ");
        figures.hold(
            false,
            &format!("nothing of registries is measured, for want of {missing}; apt-get install {missing} brings them"),
        );
    }
}
