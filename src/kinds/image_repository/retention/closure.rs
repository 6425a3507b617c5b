//! What is kept and why: everything that a rule keeps, and everything that this needs, to the fixpoint. Pure, and in time
//! that grows with the versions and their links alone.

use std::collections::{BTreeMap, VecDeque};

use crate::ids::Digest;

use super::super::spec::Spec;
use super::version::{Version, named_after};

/// Why a version is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It has a required tag.
    Required(String),
    /// A required tag is merged from it.
    RequiredSource(String),
    /// A pattern of required tags fits its tag, although nothing requires it now.
    LikeRequired(String),
    /// Its tag fits a pattern of `retention.tagged.keep`.
    Pattern(String, String),
    /// It is among the newest.
    Last(u32),
    /// It is younger than `olderThan` of its sort.
    Young,
    /// Nothing tells how old it is.
    Ageless,
    /// There is no rule for its sort.
    NotManaged,
    /// It is the last one with a tag.
    LastTagged,
    /// This version is put together of it.
    ChildOf(usize),
    /// It is about this version.
    About(usize),
    /// This version's tag is merged from it.
    SourceOf(usize),
}

/// What a closure gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closure {
    /// Why each version is kept; none: it goes.
    pub kept: Vec<Option<Rule>>,
    /// Versions that are kept and lack one that they are put together of.
    pub broken: Vec<(usize, Digest)>,
}

/// What keeps what: kept is what is pointed to from what is kept.
#[derive(Debug)]
pub struct Graph<'a> {
    versions: &'a [Version],
    by_digest: BTreeMap<&'a Digest, usize>,
    edges: Vec<Vec<(usize, Edge)>>,
    missing: Vec<(usize, Digest)>,
}

#[derive(Clone, Copy, Debug)]
enum Edge {
    Child,
    About,
    Source,
}

impl<'a> Graph<'a> {
    /// Reads the links of all versions.
    pub fn new(spec: &Spec, versions: &'a [Version]) -> Self {
        let by_digest = versions.iter().enumerate();
        let by_digest = by_digest.map(|(at, it)| (&it.digest, at)).collect();
        let mut graph = Self {
            versions,
            by_digest,
            edges: vec![Vec::new(); versions.len()],
            missing: Vec::new(),
        };
        // A tag that was moved while the list was read may be on two of them.
        let mut by_tag: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, version) in versions.iter().enumerate() {
            for tag in &version.tags {
                by_tag.entry(tag).or_default().push(at);
            }
        }
        for (at, version) in versions.iter().enumerate() {
            graph.link(at, version);
            for tag in &version.tags {
                let sources = spec.sources_of(tag).into_iter();
                let sources = sources.filter_map(|it| by_tag.get(it.tag.as_str()));
                let sources = sources.flatten();
                let others = sources.filter(|to| **to != at);
                graph.edges[at].extend(others.map(|to| (*to, Edge::Source)));
            }
        }
        graph
    }

    fn link(&mut self, at: usize, version: &Version) {
        for child in &version.links.children {
            match self.by_digest.get(child) {
                Some(to) => self.edges[at].push((*to, Edge::Child)),
                None => self.missing.push((at, child.clone())),
            }
        }
        let named = version.tags.iter().filter_map(|it| named_after(it));
        for about in version.links.subject.iter().cloned().chain(named) {
            if let Some(from) = self.by_digest.get(&about)
                && *from != at
            {
                self.edges[*from].push((at, Edge::About));
            }
        }
    }

    /// Goes from what rules keep to all that this needs.
    pub fn close(&self, roots: Vec<Option<Rule>>) -> Closure {
        let mut kept = roots;
        self.spread(&mut kept);
        let has_tag = |at: usize| !self.versions[at].tags.is_empty();
        let mut tagged = (0..self.versions.len()).filter(|at| has_tag(*at));
        if !tagged.clone().any(|at| kept[at].is_some())
            && let Some(first) = tagged.next()
        {
            let newest = tagged.fold(first, |a, b| if self.is_newer(b, a) { b } else { a });
            kept[newest] = Some(Rule::LastTagged);
            self.spread(&mut kept);
        }
        let is_kept = |(at, _): &&(usize, Digest)| kept[*at].is_some();
        let broken = self.missing.iter().filter(is_kept).cloned().collect();
        Closure { kept, broken }
    }

    fn is_newer(&self, a: usize, b: usize) -> bool {
        self.versions[a].updated > self.versions[b].updated
    }

    fn spread(&self, kept: &mut [Option<Rule>]) {
        let mut next: VecDeque<usize> = (0..kept.len()).filter(|at| kept[*at].is_some()).collect();
        while let Some(from) = next.pop_front() {
            for (to, edge) in &self.edges[from] {
                if kept[*to].is_some() {
                    continue;
                }
                kept[*to] = Some(match edge {
                    Edge::Child => Rule::ChildOf(from),
                    Edge::About => Rule::About(from),
                    Edge::Source => Rule::SourceOf(from),
                });
                next.push_back(*to);
            }
        }
    }

    /// The versions that go, each before those that it is put together of and after those that are about it; with the
    /// number of the group that hangs together, in which none goes when one before it did not.
    pub fn order(&self, closure: &Closure) -> Vec<(usize, usize)> {
        let goes = |at: usize| closure.kept[at].is_none();
        let mut before = vec![0_usize; self.versions.len()];
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); self.versions.len()];
        let mut groups = Groups::new(self.versions.len());
        for from in (0..self.versions.len()).filter(|at| goes(*at)) {
            for (to, edge) in self.edges[from].iter().filter(|(to, _)| goes(*to)) {
                groups.join(from, *to);
                let (first, then) = match edge {
                    Edge::Child | Edge::Source => (from, *to),
                    Edge::About => (*to, from),
                };
                before[then] += 1;
                after[first].push(then);
            }
        }
        let free = (0..self.versions.len()).filter(|at| goes(*at) && before[*at] == 0);
        let mut next: VecDeque<usize> = free.collect();
        let mut ordered = Vec::new();
        while let Some(at) = next.pop_front() {
            ordered.push((at, groups.of(at)));
            for then in &after[at] {
                before[*then] -= 1;
                if before[*then] == 0 {
                    next.push_back(*then);
                }
            }
        }
        // What goes round in a circle has no first one and stays: digests cannot do that, names of tags can.
        ordered
    }
}

/// Which versions hang together (disjoint sets).
struct Groups(Vec<usize>);

impl Groups {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn of(&mut self, at: usize) -> usize {
        let mut root = at;
        while self.0[root] != root {
            self.0[root] = self.0[self.0[root]];
            root = self.0[root];
        }
        root
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
    }
}
