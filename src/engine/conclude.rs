//! How each resource is at the end of a pass.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::Fault;
use crate::ids::ResourceId;
use crate::kind::{AnyOp, AnyResource};
use crate::plan::{Health, Step};
use crate::report::{self, Action, Outcome, Resource};
use crate::status::{self, Open, conditions};

use super::apply::refused;
use super::look::{Look, Planned, token};
use super::run::Run;
use super::state::State;

/// Concludes from the last look and what was done before it; what is said goes into the record.
pub(super) fn conclude(
    run: &Run<'_>,
    state: &mut State,
    look: &Look,
    actions: &[Action],
) -> BTreeMap<ResourceId, Resource> {
    let failures = failures(state, actions);
    let mut concluded = BTreeMap::new();
    let about = look.resources.iter();
    for (id, planned) in about.filter(|(id, _)| run.selection.about.contains(id)) {
        let Some(declared) = run.inventory.resources.get(id) else {
            continue;
        };
        let (resource_state, outcome) = match planned {
            Err(fault) => (
                report::State::Unseen(fault.clone()),
                status::Outcome::Unseen(fault),
            ),
            Ok(planned) => {
                let refused = refused(run, state, declared.as_ref(), planned);
                let failed = failures.get(id).copied();
                let open = open(state, (declared.as_ref(), planned), failed, &refused);
                let outcome = status::Outcome::Seen {
                    health: &planned.plan.health,
                    notices: &planned.plan.notices,
                    open: open.clone(),
                };
                (seen_state(&planned.plan.health, open.as_ref()), outcome)
            }
        };
        let entry = state.record.resources.entry(id.clone()).or_default();
        let standing = run.standing.as_slice();
        entry.conditions = conditions(&entry.conditions, (&outcome, standing), look.now);
        let seen = planned.as_ref().ok();
        concluded.insert(
            id.clone(),
            Resource {
                state: resource_state,
                conditions: entry.conditions.clone(),
                outputs: seen.map(|it| it.outputs.clone()).unwrap_or_default(),
                rents: seen.map(|it| it.plan.rents.clone()).unwrap_or_default(),
                underway: seen.map(|it| it.plan.underway.clone()).unwrap_or_default(),
            },
        );
    }
    state
        .record
        .resources
        .retain(|id, _| run.inventory.resources.contains_key(id));
    state.record.passed_at = Some(look.now);
    concluded
}

fn open(
    state: &State,
    (resource, planned): (&dyn AnyResource, &Planned),
    failed: Option<&Fault>,
    refused: &BTreeMap<String, String>,
) -> Option<Open> {
    let steps = &planned.plan.steps;
    let suspended = resource.policy().suspend.as_ref();
    if let (Some(reason), false) = (suspended, steps.is_empty()) {
        return Some(Open::Suspended(steps.len(), reason.clone()));
    }
    if let (Some(fault), false) = (failed, steps.is_empty()) {
        return Some(Open::Failed(fault.clone()));
    }
    let is_settling =
        |it: &&Step<Box<dyn AnyOp>>| state.is_settling(&token(resource.id(), it.op.as_ref()));
    let is_refused =
        |it: &Step<Box<dyn AnyOp>>| it.group.as_ref().is_some_and(|it| refused.contains_key(it));
    // What comes after a refused step of the same chain waits for a person too.
    let refused_steps = steps.iter().filter(|it| is_refused(it));
    let held: BTreeSet<&str> = refused_steps.map(|it| it.chain.as_str()).collect();
    let settling = steps.iter().filter(is_settling).count();
    let left = steps
        .iter()
        .filter(|it| !is_settling(it) && !held.contains(it.chain.as_str()))
        .count();
    if left > 0 {
        return Some(Open::Steps(left));
    }
    if settling > 0 {
        return Some(Open::Settling(settling));
    }
    if let Some(message) = refused.values().next() {
        return Some(Open::Refused(message.clone()));
    }
    let unknown = planned.plan.unknown.first()?;
    Some(Open::Unknown(format!(
        "{}: {}",
        unknown.object, unknown.reason
    )))
}

/// What failed first in this pass, by resource.
fn failures<'a>(state: &State, actions: &'a [Action]) -> BTreeMap<&'a ResourceId, &'a Fault> {
    let mut failures = BTreeMap::new();
    for action in actions.iter().filter(|it| it.pass == state.pass) {
        match &action.result {
            Outcome::Failed(fault) => {
                failures.entry(&action.resource).or_insert(fault);
            }
            Outcome::Planned
            | Outcome::Done
            | Outcome::AlreadyDone
            | Outcome::Stale(_)
            | Outcome::Refused(_) => {}
        }
    }
    failures
}

fn seen_state(health: &Health, open: Option<&Open>) -> report::State {
    match (health, open) {
        (Health::Stuck(_), _) => report::State::Stalled,
        (_, Some(Open::Refused(_))) => report::State::Refused,
        (_, Some(Open::Suspended(..))) => report::State::Suspended,
        (_, Some(Open::Failed(fault))) if fault.class.is_final() => report::State::Stalled,
        (_, Some(Open::Steps(_) | Open::Settling(_) | Open::Failed(_)))
        | (Health::Working(_), _) => report::State::Working,
        (Health::Ready, Some(Open::Unknown(_))) => report::State::FactUnknown,
        (Health::Ready, None) => report::State::Ready,
    }
}

/// Whether waiting for a resource is over: it is as declared, or only a person can change that, and no machine is paid for
/// meanwhile.
pub(super) fn is_over(resource: &Resource) -> bool {
    match &resource.state {
        report::State::Suspended => true,
        report::State::Ready | report::State::Stalled | report::State::Refused => {
            resource.rents.is_empty()
        }
        report::State::Working | report::State::FactUnknown => false,
        report::State::Unseen(fault) => fault.class.is_final(),
    }
}
