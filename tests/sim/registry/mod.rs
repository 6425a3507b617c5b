//! Simulated registries, asked by hand: what a scenario makes of a few words, what all of them have in common, what those of
//! each personality do that the others do not, and what strikes them.

mod acr;
mod content;
mod desk;
mod distribution;
mod ghcr;
mod troubles;
mod written;

pub(super) use desk::{Desk, GHCR, app, text};
