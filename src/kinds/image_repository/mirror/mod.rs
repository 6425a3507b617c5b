//! The same required tags in another registry or namespace.

mod companions;
mod copy;
mod names;
mod op;
mod plan;
mod read;
mod refer;
mod seen;
#[cfg(test)]
mod tests;
mod tree;
mod wanted;
mod why;

use std::collections::BTreeSet;

pub(super) use names::flattened;
pub(super) use op::Op;
pub(super) use plan::plan;
pub(super) use seen::{Seen, observe};
pub(super) use wanted::wanted;
pub(super) use why::why;

/// What no other resource may write: the tags of mirrors, and no other mirror may have the same name, so that what was
/// flattened is never mixed.
pub(super) fn claims(mirrors: &[Seen]) -> BTreeSet<String> {
    let claim = |it: &Seen| {
        let tags = it.tags.keys();
        let (host, repository) = (&it.at.site.host, &it.at.repository);
        let tags = tags.map(|tag| format!("tag {tag} in {host}/{repository}"));
        tags.chain([format!("the mirror {host}/{repository}")])
            .collect::<Vec<_>>()
    };
    mirrors.iter().flat_map(claim).collect()
}
