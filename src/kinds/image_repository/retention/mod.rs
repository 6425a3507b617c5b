//! What is retained of a repository, and what goes without ever breaking what stays.

mod closure;
mod op;
mod plan;
mod read;
mod roots;
mod seen;
#[cfg(test)]
mod tests;
mod version;
mod why;

pub(super) use op::Op;
pub(super) use plan::plan;
pub(super) use seen::{Seen, observe};
pub(super) use why::why;
