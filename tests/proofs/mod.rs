//! Proofs: the real reconciler against the simulated world, at the wire, in one runtime whose clock jumps.
//!
//! Every folder of `tests/cases` is a case: `world.yaml` says what exists, `state/` what is declared. A kind joins
//! the proofs by adding one.

mod bound;
pub(crate) mod cases;
mod crash;
pub(crate) mod lab;
pub(crate) mod oracle;

use std::io::Write;

/// Prints a figure past the test runner, which keeps back what a passing test prints.
pub(crate) fn figure(name: &str, value: &str) {
    let _ = writeln!(std::io::stderr(), "figure: {name}: {value}");
}
