//! Carries out a plan: intent on disk, check, effect. What became of it is seen by the next look.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{info, warn};

use crate::fault::{Class, Fault};
use crate::ids::{ResourceId, Token};
use crate::kind::{AnyOp, AnyResource, Check};
use crate::plan::{self, Step};
use crate::report::{Action, Cause, Outcome};
use crate::store::journal::Intent;

use super::guard::refusals;
use super::look::{Look, Planned, token};
use super::run::Run;
use super::state::State;

/// Whether a look is carried out, or only told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Everything that nothing holds back is done.
    Apply,
    /// Nothing is done.
    Plan,
}

/// Goes through the steps of a look in order, and says what became of each.
pub(super) async fn apply(
    run: &Run<'_>,
    state: &mut State,
    look: &Look,
    mode: Mode,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let about = look.resources.iter();
    for (id, planned) in about.filter(|(id, _)| run.selection.about.contains(id)) {
        let (Some(resource), Ok(planned)) = (run.inventory.resources.get(id), planned) else {
            continue;
        };
        let refused = refused(run, state, resource.as_ref(), planned);
        let mut broken: BTreeSet<&str> = BTreeSet::new();
        for step in &planned.plan.steps {
            let token = token(id, step.op.as_ref());
            if state.is_settling(&token) {
                continue;
            }
            let was_begun = state.was_begun(&token);
            let is_allowed = run.allowed.as_ref().is_none_or(|it| it.contains(&token));
            let is_held = mode == Mode::Plan
                || resource.policy().suspend.is_some()
                || broken.contains(step.chain.as_str())
                || run.is_stopped();
            let result = match step.group.as_ref().and_then(|it| refused.get(it)) {
                Some(message) => Outcome::Refused(message.clone()),
                None if !is_allowed => Outcome::Stale("the plan file does not have it".to_owned()),
                None if is_held => Outcome::Planned,
                None => carry_out(run, state, id, step).await,
            };
            if result.goes_on() {
                if let Err(error) = state.note((id, step), &token, run.clients.now()) {
                    // It is done all the same; at worst it is tried once more.
                    warn!(%error, "what was done could not be written down");
                }
            } else {
                broken.insert(&step.chain);
            }
            actions.push(Action {
                pass: state.pass,
                resource: id.clone(),
                verb: step.op.verb(),
                object: step.op.object().map(str::to_owned),
                summary: step.op.to_string(),
                effect: step.op.content(),
                cause: cause(resource.as_ref(), was_begun, &step.cause),
                id: token,
                result,
            });
        }
    }
    actions
}

/// The groups of a plan that a guard refuses, with what it says.
pub(super) fn refused(
    run: &Run<'_>,
    state: &State,
    resource: &dyn AnyResource,
    planned: &Planned,
) -> BTreeMap<String, String> {
    let groups = state.deletions(resource.id(), &planned.plan);
    refusals(&groups, resource.limits(), run.flags)
}

async fn carry_out(
    run: &Run<'_>,
    state: &mut State,
    id: &ResourceId,
    step: &Step<Box<dyn AnyOp>>,
) -> Outcome {
    let token = token(id, step.op.as_ref());
    let intent = Intent {
        token: token.clone(),
        resource: id.clone(),
        op: step.op.content(),
        opened_at: run.clock.now(),
        done_at: None,
    };
    if let Err(error) = state.begin(intent) {
        let fault = Fault::new(
            Class::NotYet,
            "write down what is about to be done",
            &error.to_string(),
        );
        return Outcome::Failed(fault.hint("nothing was done; make room in the status directory"));
    }
    match attempt(run, step.op.as_ref(), &token).await {
        Ok(outcome) => {
            info!(resource = %id, op = step.op.to_string(), outcome = ?outcome, "step");
            outcome
        }
        Err(fault) => {
            info!(resource = %id, op = step.op.to_string(), class = fault.class.name(), "step failed");
            Outcome::Failed(fault)
        }
    }
}

async fn attempt(run: &Run<'_>, op: &dyn AnyOp, token: &Token) -> Result<Outcome, Fault> {
    match op.check(run.clients).await? {
        Check::AlreadyDone => Ok(Outcome::AlreadyDone),
        Check::Stale(why) => Ok(Outcome::Stale(why)),
        Check::Go => {
            op.apply(run.clients, token).await?;
            Ok(Outcome::Done)
        }
    }
}

fn cause(resource: &dyn AnyResource, was_begun: bool, cause: &plan::Cause) -> Cause {
    let plain = |kind, detail: &str| Cause {
        kind,
        at: None,
        detail: detail.to_owned(),
    };
    match cause {
        _ if was_begun => plain("resume", ""),
        plan::Cause::File(field) => {
            let (line, _) = resource.source().line(field);
            Cause {
                kind: "file",
                at: Some((resource.source().file.to_string(), line)),
                detail: (*field).to_owned(),
            }
        }
        plan::Cause::Drift => plain("drift", ""),
        plan::Cause::Clock(rule) => plain("clock", rule),
        plan::Cause::Upstream(what) => plain("upstream", what),
        plan::Cause::Resume => plain("resume", ""),
    }
}
