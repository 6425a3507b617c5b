//! All tests that look at the library from outside, in one binary.

mod cli;
mod proofs;
mod sim;
mod state_files;
mod tidy;
mod wire;
