//! What is kept on disk between passes. Losing all of it costs time, never correctness.

pub mod atomic;
pub mod folder;
pub mod journal;
pub mod record;
