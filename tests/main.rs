//! All tests that look at the library from outside, in one binary.

mod sim;
mod state_files;
mod wire;
