//! What mirrors must serve: what each required tag does, or will once it is merged. Pure.

use std::collections::BTreeMap;

use crate::fact::Fact;
use crate::ids::Digest;
use crate::providers::registry::{Location, Manifest};

use super::super::merge::{self, Tag, Verdict, judge};
use super::super::spec::Spec;

/// What a required tag serves, or will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Wanted {
    /// By its digest.
    pub digest: Digest,
    /// What is merged and not written yet; none: the source serves it.
    pub merged: Option<Manifest>,
}

/// What mirrors must serve, by tag. A tag that cannot be merged now is mirrored as it is; one of which nothing is known is
/// left alone.
pub(in super::super) fn wanted(
    place: (&Location, &Spec),
    seen: &merge::Seen,
) -> BTreeMap<String, Wanted> {
    let wanted = |(name, tag): (&String, &Fact<Tag>)| {
        let tag = match tag {
            Fact::Known(tag) => tag,
            Fact::Unknown(_) => return None,
        };
        let wanted = match judge(place, name, tag) {
            Verdict::Write(op) => Wanted {
                digest: op.digest.clone(),
                merged: Some(op.manifest()),
            },
            Verdict::Right | Verdict::Keep(_) | Verdict::Left => Wanted {
                digest: tag.served.as_ref()?.digest.clone(),
                merged: None,
            },
        };
        Some((name.clone(), wanted))
    };
    seen.tags.iter().filter_map(wanted).collect()
}
