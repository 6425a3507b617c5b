//! What of a repository is retained, and what goes.

pub mod closure;
pub mod graph;
pub mod order;
#[cfg(test)]
mod tests;
