//! What to do about mirrors: copy each tag that is not there as the source has it.

use std::collections::BTreeMap;

use crate::fact::Fact;
use crate::fault::{Class, Fault};
use crate::kinds::registry::Attestations;
use crate::plan::{Cause, Health, Plan, Step, UnknownObject, Why, pages};
use crate::providers::registry::Location;

use super::companions::NAMED_AFTER;
use super::names::{contested, written};
use super::op::Op;
use super::seen::{Seen, Serves, Tag};

/// How many tags a listing has a page (GHCR takes more; a registry that has fewer a page costs more).
const TAGS_A_PAGE: usize = 1000;

/// Adds what is to be done about all mirrors of the repository at `source`.
pub(in super::super) fn plan<T>(
    source: &Location,
    mirrors: &[Seen],
    (plan, wrap): (&mut Plan<T>, impl Fn(Op) -> T),
) {
    plan.listings.extend(listings(source, mirrors));
    let names: Vec<_> = mirrors
        .iter()
        .map(|it| (&it.at, it.declared.as_str()))
        .collect();
    if let Some(why) = contested(source, &names) {
        plan.worsen(Health::Stuck(why));
        return;
    }
    for mirror in mirrors {
        for (tag, seen) in &mirror.tags {
            match &seen.serves {
                Fact::Known(serves) => {
                    let op = op((source, mirror), (tag, seen), serves);
                    plan.steps.extend(op.map(|op| step(op, source, &wrap)));
                }
                Fact::Unknown(fault) if fault.class != Class::Denied => {
                    plan.unknown.push(UnknownObject {
                        object: format!("{}:{tag}", written(&mirror.at)),
                        reason: fault.answer(),
                    });
                }
                Fact::Unknown(_) => {}
            }
        }
        deny(mirror, plan);
    }
}

/// One call a tag and mirror tells whether it is there as the source has it. What was pushed later is listed at the source
/// and asked for there as well.
fn listings(source: &Location, mirrors: &[Seen]) -> BTreeMap<String, u64> {
    let mut listings = BTreeMap::new();
    for mirror in mirrors {
        for tag in mirror.tags.keys() {
            listings.insert(format!("registry {}:{tag}", written(&mirror.at)), 1);
            if tag.starts_with(NAMED_AFTER) {
                listings.insert(format!("registry {}:{tag}", written(source)), 1);
            }
        }
        if let Some(listed) = mirror.listed {
            let listing = format!("registry {} tags", written(source));
            listings.insert(listing, pages(listed, TAGS_A_PAGE));
        }
    }
    listings
}

/// What is to be done about a tag; none: nothing.
pub(super) fn op(
    (source, mirror): (&Location, &Seen),
    (tag, seen): (&str, &Tag),
    serves: &Serves,
) -> Option<Op> {
    let replaces = match serves {
        Serves::Same | Serves::Reduced => return None,
        Serves::Nothing => None,
        Serves::Other(digest) => Some(digest),
    };
    let way = (source, &mirror.at);
    let digests = (&seen.wanted, replaces);
    Some(Op::new(way, tag, digests, attestations(mirror)))
}

/// What becomes of attestations: one that was left out shows that the registry refuses them.
fn attestations(mirror: &Seen) -> Attestations {
    let is_reduced = |it: &Tag| matches!(it.serves, Fact::Known(Serves::Reduced));
    if mirror.attestations == Attestations::Auto && mirror.tags.values().any(is_reduced) {
        return Attestations::Drop;
    }
    mirror.attestations
}

fn step<T>(op: Op, source: &Location, wrap: &impl Fn(Op) -> T) -> Step<T> {
    let cause = match op.replaces {
        None => Cause::File("spec.mirrors"),
        Some(_) => Cause::Upstream(format!("{}:{} differs", written(source), op.tag)),
    };
    Step {
        cause,
        // Each on its own: one that fails holds up no other.
        chain: format!("mirror {}", op.object),
        group: None,
        op: wrap(op),
    }
}

/// Says of a mirror that denies us to look at it that only a person can change that.
fn deny<T>(mirror: &Seen, plan: &mut Plan<T>) {
    let denied: Vec<(&String, &Fault)> = mirror
        .tags
        .iter()
        .filter_map(|(tag, it)| match &it.serves {
            Fact::Unknown(fault) if fault.class == Class::Denied => Some((tag, fault)),
            Fact::Unknown(_) | Fact::Known(_) => None,
        })
        .collect();
    let Some((tag, fault)) = denied.first() else {
        return;
    };
    let at = written(&mirror.at);
    let mut message = format!("{at}:{tag} cannot be looked at: {}", fault.answer());
    if denied.len() > 1 {
        message = format!("{message} (and {} more tags)", denied.len() - 1);
    }
    if let Some(hint) = &fault.hint {
        message = format!("{message}; {hint}");
    }
    plan.unknown.push(UnknownObject {
        object: at,
        reason: fault.answer(),
    });
    plan.worsen(Health::Stuck(Why::new("MirrorDenied", message)));
}
