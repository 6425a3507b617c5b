//! The same required tags in another registry or namespace.

mod advice;
mod companions;
mod copy;
mod encode;
mod names;
mod op;
mod plan;
mod read;
mod refer;
mod seen;
#[cfg(test)]
mod tests;
mod tree;
mod why;

use std::collections::BTreeSet;

pub(super) use op::Op;
pub(super) use plan::plan;
pub(super) use seen::{Seen, Wanted, observe};
pub(super) use why::why;

/// The repositories that mirrors write to, which no other resource may.
pub(super) fn claims(mirrors: &[Seen]) -> BTreeSet<String> {
    let claim = |it: &Seen| format!("repository {}", names::written(&it.at));
    mirrors.iter().map(claim).collect()
}
