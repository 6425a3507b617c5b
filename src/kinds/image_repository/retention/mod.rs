//! What is retained of a repository, and what goes without ever breaking what stays.

mod closure;
mod op;
mod plan;
mod read;
mod rivals;
mod roots;
mod seen;
#[cfg(test)]
mod tests;
mod version;
mod why;

pub use closure::{Closure, Graph, Rule};
pub use op::Op;
pub use plan::frees;
pub(super) use plan::plan;
pub(super) use rivals::rivals;
pub use roots::{Rules, roots};
pub use seen::Seen;
pub(super) use seen::observe;
pub use version::{Links, Version};
pub(super) use why::why;
