//! Required tags, each the index of its sources.

mod bytes;
mod join;
mod judge;
mod op;
mod part;
mod plan;
mod seen;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
mod why;

use std::collections::BTreeSet;

use crate::fact::Fact;
use crate::kind::Outputs;

use super::seen::Seen as Repository;
use super::spec::Spec;

pub(super) use bytes::written;
pub(super) use judge::{Verdict, judge};
pub(super) use op::Op;
pub(super) use part::is_runnable;
pub(super) use plan::plan;
pub(super) use seen::observe;
pub(super) use seen::{Seen, Tag};
pub(super) use why::why;

/// The digest that each required tag serves, by tag.
pub(super) fn outputs(seen: &Seen) -> Outputs {
    let digest = |(name, tag): (&String, &Fact<Tag>)| match tag {
        Fact::Known(tag) => Some((name.clone(), tag.served.as_ref()?.digest.to_string())),
        Fact::Unknown(_) => None,
    };
    seen.tags.iter().filter_map(digest).collect()
}

/// The tags that only this repository may write; those that it requires by name even where nothing could be looked at.
pub(super) fn claims(spec: &Spec, seen: &Repository) -> BTreeSet<String> {
    let (host, repository) = (&seen.home.site.host, &seen.home.repository);
    let by_pattern = seen.merge.tags.keys().map(String::as_str);
    let tags = spec.named_tags().chain(by_pattern);
    tags.map(|it| format!("tag {it} in {host}/{repository}"))
        .collect()
}
