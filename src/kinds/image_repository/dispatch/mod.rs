//! Starting a workflow for sources that are missing.

mod op;
mod plan;
mod seen;
#[cfg(test)]
mod tests;

pub(super) use op::Op;
pub(super) use plan::plan;
pub(super) use seen::{Seen, observe};
