//! What is to become of one required tag: pure.

use crate::providers::registry::Location;

use super::super::spec::Spec;
use super::join::{Merged, Refusal, is_same, join};
use super::op::{Op, Pinned};
use super::part::Part;
use super::seen::{Served, Tag};

/// What becomes of a required tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Verdict {
    /// It serves what it is to serve, whoever wrote it.
    Right,
    /// It is to be written.
    Write(Op),
    /// It stays as it is.
    Keep(Refusal),
    /// A pattern required it while its sources were there.
    Left,
}

pub(in super::super) fn judge((home, spec): (&Location, &Spec), name: &str, tag: &Tag) -> Verdict {
    let joined = match &tag.parts {
        Ok(parts) => join(parts, spec.sources.consistency).map(|it| (parts, it)),
        Err(refusal) => Err(refusal.clone()),
    };
    match joined {
        Ok((_, merged)) if is_right(tag.served.as_ref(), &merged) => Verdict::Right,
        Ok((parts, merged)) => {
            let was = tag.served.as_ref().map(|it| it.digest.clone());
            Verdict::Write(Op {
                was,
                ..op(home, name, (parts, merged))
            })
        }
        Err(Refusal::Missing(_)) if spec.fits_pattern(name) => Verdict::Left,
        Err(refusal) => Verdict::Keep(refusal),
    }
}

fn is_right(served: Option<&Served>, merged: &Merged) -> bool {
    let Some(served) = served else {
        return false;
    };
    let entries = served.entries.as_ref();
    served.digest == merged.index.digest || entries.is_some_and(|it| is_same(it, &merged.entries))
}

fn op(home: &Location, name: &str, (parts, merged): (&[Part], Merged)) -> Op {
    let pinned = |it: &Part| Pinned {
        tag: it.source.tag.clone(),
        digest: it.digest.clone(),
    };
    let index = merged.index;
    Op {
        home: home.clone(),
        tag: name.to_owned(),
        was: None,
        sources: parts.iter().map(pinned).collect(),
        media_type: index.media_type,
        digest: index.digest,
        index: String::from_utf8(index.bytes).expect("JSON is text"),
    }
}
