//! What rules keep by themselves, before what those need: pure.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::resource::Span;

use super::super::spec::{Retention, Spec, Tagged};
use super::super::tags::fits;
use super::closure::Rule;
use super::version::{Version, named_after};

/// What the rules of one repository look at.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The rules are in it.
    pub spec: &'a Spec,
    /// The rules themselves.
    pub retention: &'a Retention,
    /// The required tags, those by pattern too.
    pub required: &'a BTreeSet<String>,
    /// What age is reckoned by.
    pub now: Timestamp,
}

/// What keeps each version by itself. One of its tags is enough: no version loses some of its tags.
pub fn roots(rules: Rules<'_>, versions: &[Version]) -> Vec<Option<Rule>> {
    let sources = rules.required.iter();
    let sources = sources.flat_map(|tag| rules.spec.sources_of(tag));
    let sources: BTreeSet<String> = sources.map(|it| it.tag).collect();
    let mut roots: Vec<Option<Rule>> = versions
        .iter()
        .map(|it| rules.of_tags(it, &sources).or_else(|| rules.of_age(it)))
        .collect();
    if let Some(tagged) = &rules.retention.tagged {
        for at in rules.newest(tagged, versions) {
            let rule = Rule::Last(tagged.keep_last);
            // Whoever raises `olderThan` later still reads which rule held it all along.
            let is_weaker = matches!(roots[at], None | Some(Rule::Young | Rule::Ageless));
            if is_weaker {
                roots[at] = Some(rule);
            }
        }
    }
    roots
}

impl Rules<'_> {
    fn of_tags(self, version: &Version, sources: &BTreeSet<String>) -> Option<Rule> {
        let tags = || version.tags.iter();
        let spec = self.spec;
        let required = tags().find(|it| self.required.contains(*it));
        let required = required.map(|it| Rule::Required(it.clone()));
        let source = || tags().find(|it| sources.contains(*it));
        let source = || source().map(|it| Rule::RequiredSource(it.clone()));
        let like = || tags().find(|it| spec.fits_pattern(it));
        let like = || like().map(|it| Rule::LikeRequired(it.clone()));
        let keep = || self.retention.tagged.iter().flat_map(|it| &it.keep);
        let pattern = || {
            let pairs = tags().flat_map(|tag| keep().map(move |pattern| (tag, pattern)));
            let mut fitting = pairs.filter(|(tag, pattern)| fits(pattern, tag));
            let (tag, pattern) = fitting.next()?;
            Some(Rule::Pattern(tag.clone(), pattern.clone()))
        };
        required.or_else(source).or_else(like).or_else(pattern)
    }

    fn of_age(self, version: &Version) -> Option<Rule> {
        let Some(older_than) = self.older_than(version) else {
            return Some(Rule::NotManaged);
        };
        match version.updated.max(version.created) {
            None => Some(Rule::Ageless),
            Some(at) if self.now.since(at) < older_than.0 => Some(Rule::Young),
            Some(_) => None,
        }
    }

    /// How old a version must be to go; none: its sort is not managed.
    pub(super) fn older_than(self, version: &Version) -> Option<Span> {
        match is_tagged(version) {
            true => self.retention.tagged.as_ref().map(|it| it.older_than),
            false => self.retention.untagged.as_ref().map(|it| it.older_than),
        }
    }

    /// The newest tags that nothing requires. Those that are sources of another tag go and stay with it.
    fn newest(self, tagged: &Tagged, versions: &[Version]) -> Vec<usize> {
        let tags: BTreeSet<&str> = versions
            .iter()
            .flat_map(|it| it.tags.iter().map(String::as_str))
            .collect();
        let stands_alone = |tag: &String| {
            let stem = self.spec.stem(tag);
            named_after(tag).is_none()
                && !self.required.contains(tag)
                && !stem.is_some_and(|it| tags.contains(it))
        };
        let mut counted: Vec<usize> = (0..versions.len())
            .filter(|at| versions[*at].tags.iter().any(stands_alone))
            .filter(|at| {
                !versions[*at]
                    .tags
                    .iter()
                    .any(|it| self.required.contains(it))
            })
            .collect();
        // One of which nothing tells how old it is may be the newest.
        counted.sort_by_key(|at| {
            let it = &versions[*at];
            let age = it.updated.map_or(0, |at| i64::MAX - at.millis());
            (age, &it.digest)
        });
        counted.truncate(usize::try_from(tagged.keep_last).unwrap_or(usize::MAX));
        counted
    }
}

/// Whether a version has a tag of its own: one that is only about another version is not meant for people.
pub(super) fn is_tagged(version: &Version) -> bool {
    version.tags.iter().any(|it| named_after(it).is_none())
}
