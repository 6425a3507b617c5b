//! What to do about the required tags: each by itself, so that one that cannot be merged holds up no other.

use std::time::Duration;

use crate::fact::Fact;
use crate::plan::{Cause, Health, Notice, Plan, Step, UnknownObject, Unmanaged, Why, pages};
use crate::resource::Resource;

use super::super::op::Op;
use super::super::seen::Seen;
use super::super::spec::Spec;
use super::join::Refusal;
use super::judge::{Verdict, judge};
use super::seen::{Served, Tag};

/// How soon it is worth looking whether a build that is under way has pushed.
const BUILDING: Duration = Duration::from_secs(30);
/// How many tags a page has at most (GitHub's registry takes no more).
const PAGE_TAGS: usize = 1000;

/// Adds what is to be done and said about the required tags.
pub(in super::super) fn plan(resource: &Resource<Spec>, seen: &Seen, plan: &mut Plan<Op>) {
    let spec = &resource.spec;
    for (name, tag) in &seen.merge.tags {
        match tag {
            Fact::Known(tag) => known(spec, seen, (name, tag), plan),
            Fact::Unknown(fault) => plan.unknown.push(UnknownObject {
                object: name.clone(),
                reason: fault.to_string(),
            }),
        }
    }
    listed(spec, seen, plan);
    listings(spec, seen, plan);
}

fn known(spec: &Spec, seen: &Seen, (name, tag): (&str, &Tag), plan: &mut Plan<Op>) {
    for part in tag.parts.iter().flatten() {
        for dropped in &part.dropped {
            let message = format!(
                "{} has {dropped}, which is about an image that it does not have: it is left out of {name}",
                part.source.tag
            );
            plan.notices.push(Notice {
                kind: "AttestationDropped",
                why: Why::new("SubjectMissing", message),
            });
        }
    }
    match judge((&seen.home, spec), name, tag) {
        Verdict::Right => {}
        Verdict::Write(op) => plan.steps.push(Step {
            cause: cause(tag.served.as_ref()),
            chain: name.to_owned(),
            group: None,
            op: Op::Merge(op),
        }),
        Verdict::Keep(refusal) => keep(name, &refusal, tag.served.as_ref(), plan),
        Verdict::Left => left(name, tag, plan),
    }
}

fn cause(served: Option<&Served>) -> Cause {
    match served {
        None => Cause::File("spec.tags"),
        // Something else than a merge wrote it, as a build that pushes one architecture under the bare tag does.
        Some(served) if served.entries.is_none() => Cause::Drift,
        Some(_) => Cause::Upstream("its sources moved".to_owned()),
    }
}

fn keep(name: &str, refusal: &Refusal, served: Option<&Served>, plan: &mut Plan<Op>) {
    let why = refusal.why();
    let rest = match served {
        Some(_) => "it serves what it did",
        None => "there is none to serve",
    };
    let why = Why::new(why.reason, format!("{name}: {}; {rest}", why.message));
    plan.notices.push(Notice {
        kind: why.reason,
        why: why.clone(),
    });
    match refusal {
        Refusal::Missing(_) | Refusal::Waits(_) => {
            plan.look_again = Some(plan.look_again.map_or(BUILDING, |it| it.min(BUILDING)));
            plan.worsen(Health::Working(why));
        }
        Refusal::Stuck(_) => plan.worsen(Health::Stuck(why)),
    }
}

fn left(name: &str, tag: &Tag, plan: &mut Plan<Op>) {
    if tag.served.is_some() {
        plan.unmanaged.push(unmanaged(name, "its sources are gone"));
    }
}

fn unmanaged(name: &str, why: &str) -> Unmanaged {
    Unmanaged {
        kind: "tag",
        object: name.to_owned(),
        name: name.to_owned(),
        reason: format!("a pattern fits it, and {why}: it is not required, and stays as it is"),
    }
}

/// What a pattern fits and nothing is there to merge it from is told, and left alone.
fn listed(spec: &Spec, seen: &Seen, plan: &mut Plan<Op>) {
    let listed = match &seen.merge.listed {
        None => return,
        Some(Fact::Known(listed)) => listed,
        Some(Fact::Unknown(fault)) => {
            let patterns: Vec<&str> = spec.patterns().collect();
            return plan.unknown.push(UnknownObject {
                object: format!("tags that fit {}", patterns.join(", ")),
                reason: fault.to_string(),
            });
        }
    };
    let is_left = |it: &&String| spec.fits_pattern(it) && !seen.merge.tags.contains_key(*it);
    for name in listed.iter().filter(is_left) {
        plan.unmanaged.push(unmanaged(name, "it has no sources"));
    }
}

/// The fewest calls: one a tag and one a source; what those name is remembered by its digest.
fn listings(spec: &Spec, seen: &Seen, plan: &mut Plan<Op>) {
    let place = format!("{}/{}", seen.home.site.host, seen.home.repository);
    for name in seen.merge.tags.keys() {
        let sources = spec.sources_of(name).into_iter().map(|it| it.tag);
        for tag in sources.chain([name.clone()]) {
            plan.listings.insert(format!("registry {place}:{tag}"), 1);
        }
    }
    if let Some(Fact::Known(listed)) = &seen.merge.listed {
        let calls = pages(listed.len(), PAGE_TAGS);
        plan.listings
            .insert(format!("registry {place} tags"), calls);
    }
}
