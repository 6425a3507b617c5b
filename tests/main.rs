//! All tests that look at the library from outside, in one binary.

mod builds;
mod cli;
mod declared;
mod golden_cases;
mod hostile;
mod incidents;
mod login;
mod proofs;
mod runners;
mod sim;
mod state_files;
mod tidy;
mod wire;
