//! What of a repository stays and what goes: pure, and linear in what there is.
//!
//! What stays is the closure of what a rule keeps: an index with all that it lists, to any depth, and whatever is about
//! what stays. Only the rest can go, and only what is old enough.

use std::fmt;

use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::resource::Span;

use super::super::spec::{Retention, Spec};
use super::super::tags::fits;
use super::graph::{Graph, Version, about};

/// Why a version stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It serves a required tag.
    Required(String),
    /// A required tag is merged from it.
    SourceOf(String),
    /// Its tag fits a pattern that is kept.
    Pattern(String),
    /// It is one of the newest.
    Last(u32),
    /// Nothing is said of versions like it.
    NotManaged,
    /// It is not old enough.
    Young(Span),
    /// Nothing tells how old it is.
    AgeUnknown,
    /// A version that stays lists it.
    PartOf(Digest),
    /// It is about a version that stays.
    About(Digest),
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Required(tag) => write!(f, "{tag} is required"),
            Self::SourceOf(tag) => write!(f, "{tag} is merged from it"),
            Self::Pattern(pattern) => write!(f, "keep: {pattern}"),
            Self::Last(count) => write!(f, "keepLast={count}"),
            Self::NotManaged => f.write_str("nothing is said of versions like it"),
            Self::Young(span) => write!(f, "not older than {span}"),
            Self::AgeUnknown => f.write_str("nothing tells how old it is"),
            Self::PartOf(parent) => write!(f, "part of {parent}"),
            Self::About(subject) => write!(f, "about {subject}"),
        }
    }
}

/// What becomes of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Stays(Keep),
    /// It can go.
    Goes(Rule),
}

/// Which rule lets a version go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `retention.tagged`.
    Tagged(Span),
    /// `retention.untagged`.
    Untagged(Span),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tagged(span) => write!(f, "retention.tagged.olderThan={span}"),
            Self::Untagged(span) => write!(f, "retention.untagged.olderThan={span}"),
        }
    }
}

/// Says of every version what becomes of it, in their order.
pub fn verdicts(
    (spec, retention): (&Spec, &Retention),
    versions: &[Version],
    now: Timestamp,
) -> Vec<Verdict> {
    let graph = Graph::of(versions);
    let mut verdicts: Vec<Option<Keep>> = versions
        .iter()
        .map(|it| by_tag(spec, retention, it))
        .collect();
    if let Some(tagged) = &retention.tagged {
        for place in newest(versions, &verdicts, tagged.keep_last) {
            verdicts[place] = Some(Keep::Last(tagged.keep_last));
        }
    }
    for (place, version) in versions.iter().enumerate() {
        if verdicts[place].is_none() {
            verdicts[place] = by_age(retention, version, now);
        }
    }
    spread(&graph, &mut verdicts);
    let verdict = |(keep, version): (Option<Keep>, &Version)| match keep {
        Some(keep) => Verdict::Stays(keep),
        None => Verdict::Goes(rule(retention, version)),
    };
    verdicts.into_iter().zip(versions).map(verdict).collect()
}

/// The strongest reason that a version's own tags give; one tag that is kept keeps all.
fn by_tag(spec: &Spec, retention: &Retention, version: &Version) -> Option<Keep> {
    let is_required =
        |tag: &&String| spec.named_tags().any(|it| it == *tag) || spec.fits_pattern(tag);
    if let Some(tag) = version.tags.iter().find(is_required) {
        return Some(Keep::Required(tag.clone()));
    }
    let stem = |tag: &String| {
        let stem = spec.stem(tag)?.to_owned();
        is_required(&&stem).then_some(stem)
    };
    if let Some(tag) = version.tags.iter().find_map(stem) {
        return Some(Keep::SourceOf(tag));
    }
    let patterns = retention.tagged.as_ref().map_or(&[][..], |it| &it.keep);
    let is_kept = |pattern: &&String| version.tags.iter().any(|it| fits(pattern, it));
    let kept = patterns.iter().find(is_kept)?;
    Some(Keep::Pattern(kept.clone()))
}

/// Whether a version has a tag of its own, and not only such as are about another one.
fn is_tagged(version: &Version) -> bool {
    version.tags.iter().any(|it| about(it).is_none())
}

/// The places of the newest tagged versions that nothing keeps yet.
fn newest(versions: &[Version], verdicts: &[Option<Keep>], count: u32) -> Vec<usize> {
    let is_candidate = |place: &usize| verdicts[*place].is_none() && is_tagged(&versions[*place]);
    let mut places: Vec<usize> = (0..versions.len()).filter(is_candidate).collect();
    places.sort_by(|a, b| {
        let key = |place: usize| (versions[place].changed, &versions[place].digest);
        key(*b).cmp(&key(*a))
    });
    places.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    places
}

fn by_age(retention: &Retention, version: &Version, now: Timestamp) -> Option<Keep> {
    let Some(least) = age_of(retention, version) else {
        return Some(Keep::NotManaged);
    };
    match version.changed {
        None => Some(Keep::AgeUnknown),
        Some(changed) if now.since(changed) <= least.0 => Some(Keep::Young(least)),
        Some(_) => None,
    }
}

/// How old a version like this must be to go; none: such versions are not managed.
fn age_of(retention: &Retention, version: &Version) -> Option<Span> {
    if is_tagged(version) {
        retention.tagged.as_ref().map(|it| it.older_than)
    } else {
        retention.untagged.as_ref().map(|it| it.older_than)
    }
}

fn rule(retention: &Retention, version: &Version) -> Rule {
    // What goes is managed, so its age is written.
    let least = age_of(retention, version).unwrap_or(Span(std::time::Duration::MAX));
    if is_tagged(version) {
        Rule::Tagged(least)
    } else {
        Rule::Untagged(least)
    }
}

/// Keeps what is reached from what is kept, until nothing more is.
fn spread(graph: &Graph<'_>, verdicts: &mut [Option<Keep>]) {
    let is_kept = |place: &usize| verdicts[*place].is_some();
    let mut reached: Vec<usize> = (0..verdicts.len()).filter(is_kept).collect();
    while let Some(place) = reached.pop() {
        let from = &graph.versions[place].digest;
        let parts = graph.children(place).map(|it| (it, false));
        let companions = graph.companions(place).iter().map(|it| (*it, true));
        for (next, is_about) in parts.chain(companions) {
            if verdicts[next].is_none() {
                verdicts[next] = Some(match is_about {
                    true => Keep::About(from.clone()),
                    false => Keep::PartOf(from.clone()),
                });
                reached.push(next);
            }
        }
    }
}
