//! What goes of a repository: nothing while anything is in doubt, and parents before what they are put together of.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::fact::Fact;
use crate::ids::Digest;
use crate::plan::{Cause, Health, Notice, Plan, Step, UnknownObject, Why};
use crate::resource::Resource;

use super::super::merge;
use super::super::op::Op as Any;
use super::super::spec::{Retention, Spec};
use super::closure::{Closure, Graph};
use super::op::Op;
use super::roots::{Rules, is_tagged, roots};
use super::seen::{DELETED, DOOMED, DUE, Seen, Way};
use super::version::Version;

/// The group that deletions are counted in.
const GROUP: &str = "versions";
/// How many digests a message names.
const NAMED_MAX: usize = 3;

/// Adds what is to be deleted, once everything else is as it is to be.
pub(in super::super) fn plan(
    resource: &Resource<Spec>,
    (merge, seen): (&merge::Seen, &Option<Fact<Seen>>),
    plan: &mut Plan<Any>,
) {
    let (Some(retention), Some(seen)) = (&resource.spec.retention, seen) else {
        return;
    };
    let seen = match seen {
        Fact::Known(seen) => seen,
        Fact::Unknown(fault) => {
            let message = format!("nothing is deleted: {fault}");
            notice(plan, Why::new("VersionsUnknown", message));
            return plan.unknown.push(UnknownObject {
                object: format!("versions of {}", resource.spec.repository),
                reason: fault.to_string(),
            });
        }
    };
    plan.listings.extend(seen.listings());
    if seen.way == Way::Never {
        let message =
            "spec.retention says what goes, but the registry's deletion is Never: nothing does";
        return notice(plan, Why::new("DeletionNever", message));
    }
    plan.groups.insert(GROUP.to_owned(), seen.versions.len());
    let (graph, closure) = judge(&resource.spec, (merge, seen), retention);
    if let Some(why) = broken(seen, &closure) {
        return plan.worsen(Health::Stuck(why));
    }
    if seen.verified {
        plan.remember.insert(DELETED.into(), None);
    }
    if let Some(why) = held((merge, seen), plan) {
        return notice(plan, why);
    }
    ageless(seen, &closure, plan);
    deletions((seen, retention), (&graph, &closure), plan);
}

/// What is kept and why.
pub(super) fn judge<'a>(
    spec: &Spec,
    (merge, seen): (&merge::Seen, &'a Seen),
    retention: &Retention,
) -> (Graph<'a>, Closure) {
    let named = spec.named_tags().map(str::to_owned);
    let required: BTreeSet<String> = named.chain(merge.tags.keys().cloned()).collect();
    let rules = Rules {
        spec,
        retention,
        required: &required,
        now: seen.at,
    };
    let graph = Graph::new(spec, &seen.versions);
    let closure = graph.close(roots(rules, &seen.versions));
    (graph, closure)
}

fn notice(plan: &mut Plan<Any>, why: Why) {
    let kind = why.reason;
    plan.notices.push(Notice { kind, why });
}

/// A version that is kept and lacks a part of it: whoever deleted that, only a person can say where it comes back from.
fn broken(seen: &Seen, closure: &Closure) -> Option<Why> {
    let kept = seen.versions.iter().zip(&closure.kept);
    let kept = kept.enumerate().filter(|(_, (_, rule))| rule.is_some());
    let lost = kept.flat_map(|(at, (version, _))| {
        let children = version.links.children.iter();
        let lost = children.filter(|it| seen.lost.contains(*it));
        lost.map(move |it| (at, it.clone()))
    });
    let broken: BTreeSet<(usize, Digest)> = closure.broken.iter().cloned().chain(lost).collect();
    let named: Vec<String> = broken
        .iter()
        .take(NAMED_MAX)
        .map(|(at, child)| format!("{} lacks {child}", name(&seen.versions[*at])))
        .collect();
    if named.is_empty() {
        return None;
    }
    let more = broken.len() - named.len();
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let cure = match seen.way {
        Way::Packages(_) => format!(
            "`reconcile restore {}` lists what GitHub can bring back",
            seen.home.repository
        ),
        Way::Manifest | Way::Never => "push it again".to_owned(),
    };
    let message = format!("{}{more}: nothing is deleted; {cure}", named.join(", "));
    Some(Why::new("Broken", message))
}

/// Why nothing may be deleted now, although all versions are known.
fn held((merge, seen): (&merge::Seen, &Seen), plan: &Plan<Any>) -> Option<Why> {
    let why =
        |reason, message: String| Some(Why::new(reason, format!("nothing is deleted: {message}")));
    if merge.tags.is_empty() {
        return why(
            "NothingRequired",
            "no tag is required, so nothing says what must stay".to_owned(),
        );
    }
    let served: BTreeMap<&str, &Digest> = seen
        .versions
        .iter()
        .flat_map(|it| it.tags.iter().map(|tag| (tag.as_str(), &it.digest)))
        .collect();
    for (name, tag) in &merge.tags {
        let tag = match tag {
            Fact::Known(tag) => tag,
            Fact::Unknown(fault) => {
                return why(
                    "RetentionWaits",
                    format!("{name} could not be looked at: {fault}"),
                );
            }
        };
        match (&tag.served, served.get(name.as_str())) {
            (None, _) => {
                return why(
                    "RetentionWaits",
                    format!("the required tag {name} is missing"),
                );
            }
            (Some(head), Some(listed)) if head.digest == **listed => {}
            (Some(head), _) => {
                let message = format!(
                    "{name} serves {}, but the list of versions does not say so yet",
                    head.digest
                );
                return why("RetentionWaits", message);
            }
        }
    }
    let other = plan.steps.first()?;
    why("RetentionWaits", format!("{} comes first", other.op))
}

fn ageless(seen: &Seen, closure: &Closure, plan: &mut Plan<Any>) {
    use super::closure::Rule;
    let count = closure
        .kept
        .iter()
        .filter(|it| **it == Some(Rule::Ageless))
        .count();
    if count > 0 {
        let message = format!(
            "{count} versions of {} stay, for neither the registry nor their configuration tells how old they are",
            seen.home.repository
        );
        notice(plan, Why::new("AgeUnknown", message));
    }
}

fn deletions(
    (seen, retention): (&Seen, &Retention),
    (graph, closure): (&Graph<'_>, &Closure),
    plan: &mut Plan<Any>,
) {
    let order = graph.order(closure);
    let frees = frees(&seen.versions, closure, &order);
    let named = Arc::new(named(seen));
    if seen.way == Way::Manifest {
        remember_doomed(seen, &order, plan);
    }
    // Whatever becomes of this pass, the next one verifies what is kept.
    if order.is_empty() {
        plan.remember.insert(DUE.into(), Some(seen.due()));
    } else {
        plan.remember.insert(DELETED.into(), Some(seen.at));
        plan.remember.insert(DUE.into(), None);
    }
    for ((at, group), frees) in order.into_iter().zip(frees) {
        let version = &seen.versions[at];
        let op = Op {
            home: seen.home.clone(),
            package: match &seen.way {
                Way::Packages(package) => Some(package.clone()),
                Way::Manifest | Way::Never => None,
            },
            object: version.digest.to_string(),
            id: version.id,
            tags: version.tags.clone(),
            created: version.created,
            newest: seen.newest,
            frees,
            named: Arc::clone(&named),
        };
        plan.steps.push(Step {
            op: Any::Retain(op),
            cause: Cause::Clock(rule(version, retention)),
            chain: format!("retention {}", seen.versions[group].digest),
            group: Some(GROUP.to_owned()),
        });
    }
}

/// Once an index is gone, a registry does not list what only that had: whoever goes on after a crash knows it from here.
fn remember_doomed(seen: &Seen, order: &[(usize, usize)], plan: &mut Plan<Any>) {
    let key = |digest: &Digest| Cow::Owned(format!("{DOOMED}{digest}"));
    for digest in &seen.recalled {
        plan.remember.insert(key(digest), None);
    }
    for (at, _) in order {
        let digest = &seen.versions[*at].digest;
        plan.remember.insert(key(digest), Some(seen.at));
    }
}

/// What each tag names, where the registry itself deletes: GitHub says of each version which tags it has.
fn named(seen: &Seen) -> BTreeMap<String, Digest> {
    match seen.way {
        Way::Packages(_) | Way::Never => BTreeMap::new(),
        Way::Manifest => {
            let tags = |it: &Version| {
                let digest = it.digest.clone();
                let tags = it.tags.clone().into_iter();
                tags.map(move |tag| (tag, digest.clone()))
            };
            seen.versions.iter().flat_map(tags).collect()
        }
    }
}

/// The rule by which a version goes.
pub(super) fn rule(version: &Version, retention: &Retention) -> String {
    match (is_tagged(version), &retention.tagged, &retention.untagged) {
        (true, Some(tagged), _) => format!("retention.tagged.olderThan={}", tagged.older_than),
        (false, _, Some(untagged)) => {
            format!("retention.untagged.olderThan={}", untagged.older_than)
        }
        (true, None, _) | (false, _, None) => "retention".to_owned(),
    }
}

/// The bytes that go with each version: those of its own manifest, and of blobs that neither a kept version nor one that
/// goes after it has.
pub fn frees(versions: &[Version], closure: &Closure, order: &[(usize, usize)]) -> Vec<u64> {
    let kept = versions.iter().zip(&closure.kept);
    let kept = kept.filter(|(_, rule)| rule.is_some());
    let kept = kept.flat_map(|(it, _)| &it.links.blobs);
    let mut used: BTreeSet<&Digest> = kept.map(|it| &it.digest).collect();
    let mut freed = Vec::new();
    for (at, _) in order.iter().rev() {
        let links = &versions[*at].links;
        let blobs = links.blobs.iter().filter(|it| used.insert(&it.digest));
        let blobs = blobs.fold(0_u64, |sum, it| sum.saturating_add(it.size));
        freed.push(blobs.saturating_add(links.size));
    }
    freed.reverse();
    freed
}

/// What a person calls a version.
pub(super) fn name(version: &Version) -> String {
    match version.tags.first() {
        Some(tag) => tag.clone(),
        None => version.digest.to_string(),
    }
}

/// Bytes as a person reads them.
pub(super) struct Size(pub(super) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30_u32), ("MiB", 20), ("KiB", 10)];
        let unit = units.iter().find(|(_, bits)| self.0 >> bits > 0);
        match unit {
            Some((unit, bits)) => {
                let tenths = (u128::from(self.0) * 10) >> bits;
                write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
            }
            None => write!(f, "{} B", self.0),
        }
    }
}
