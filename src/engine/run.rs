//! Passes: look, apply, look again, until there is no reason for another one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use tokio::sync::watch;
use tracing::info;

use crate::clock::Clock;
use crate::ids::{ResourceId, Token};
use crate::plan::Notice;
use crate::providers::Clients;
use crate::report::{self, Action, Outcome, Report};

use super::apply::{Mode, apply};
use super::conclude::is_over;
use super::guard::Flags;
use super::load::Inventory;
use super::look::Look;
use super::select::Selection;
use super::state::State;
use super::tally::Tally;

/// How soon a pass is worth another one when nothing says better.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// How far that grows while passes change nothing.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(300);

/// How many passes one change may lead to before the next one waits for its time.
const BURST_MAX: u32 = 50;

/// What a run works with.
#[derive(Debug)]
pub struct Run<'a> {
    /// What is declared.
    pub inventory: &'a Inventory,
    /// Which of it this run is about.
    pub selection: Selection,
    /// The outside.
    pub clients: &'a Clients,
    /// The local time.
    pub clock: &'a dyn Clock,
    /// What the command line says of guards.
    pub flags: Flags,
    /// The only effects that may be brought about; none: all that are planned.
    pub allowed: Option<BTreeSet<Token>>,
    /// What is to be known of every resource, whatever is seen of it.
    pub standing: Option<Notice>,
    /// True once the run is to end: the step under way ends, nothing new starts.
    pub stop: watch::Receiver<bool>,
}

impl Run<'_> {
    /// Whether the run is to end.
    pub fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }
}

/// How long a run goes on.
#[derive(Clone, Copy, Debug)]
pub enum Extent {
    /// One pass.
    Once,
    /// Passes until every resource is ready or stalled and no machine is paid for, or so much time is up.
    Wait(Duration),
    /// Passes for as long as what one has changed shows the next one more to do.
    Burst,
}

/// When a resource is worth another look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It is as declared, or waits for a person: there is no hurry.
    AsUsual,
    /// Its plan asked for it.
    In(Duration),
    /// It is on its way, and nobody can say how long that takes.
    Soon,
    /// It could not be looked at, a fact is missing, or a step failed.
    Failing,
}

/// What a run came to.
#[must_use]
#[derive(Debug)]
pub struct Ended {
    /// Everything that was done and seen.
    pub report: Report,
    /// Whether the status directory could be written; where it could not, nothing more was begun.
    pub kept: io::Result<()>,
    /// When each resource that this run was about is worth another look.
    pub again: BTreeMap<ResourceId, Again>,
}

/// Looks, and says what would be done.
pub async fn plan(run: &Run<'_>, state: &mut State) -> Report {
    let mut tally = Tally::new(run);
    let look = tally.look(run, state).await;
    let actions = apply(run, state, &look, Mode::Plan).await;
    tally.report(run, state, &look, (actions, Mode::Plan))
}

/// Makes passes. After each, `on_pass` gets what was done so far and the number of the pass.
pub async fn run(
    run: &Run<'_>,
    state: &mut State,
    extent: Extent,
    on_pass: &mut (dyn FnMut(&Report, u32) + Send),
) -> Ended {
    let mut tally = Tally::new(run);
    let mut seen = tally.look(run, state).await;
    let mut actions: Vec<Action> = Vec::new();
    let (first, mut fruitless) = (state.pass, 0);
    loop {
        let mut is_changed = false;
        if tally.kept.is_ok() {
            let done = apply(run, state, &seen, Mode::Apply).await;
            is_changed = tally.count(&done);
            if done.iter().any(is_tried) {
                seen = tally.look(run, state).await;
            }
            actions.extend(done);
        }
        let mut report = tally.report(run, state, &seen, (actions, Mode::Apply));
        tally.keep(state.save());
        info!(pass = state.pass, converged = report.is_converged(), "pass");
        on_pass(&report, state.pass);
        let again = again(&report, &seen);
        let is_over = report.resources.values().all(is_over);
        fruitless = if is_changed { 0 } else { fruitless + 1 };
        let has_news = is_changed && has_news(run, state, &seen);
        let limit = match extent {
            Extent::Wait(limit) => Some(limit),
            Extent::Burst if has_news && state.pass - first < BURST_MAX => Some(Duration::MAX),
            Extent::Once | Extent::Burst => None,
        };
        let (Some(limit), false, Ok(())) = (limit, is_over || run.is_stopped(), &tally.kept) else {
            return tally.end(report, again);
        };
        let pause = if has_news {
            Duration::ZERO
        } else {
            pause(&report, &again, fruitless)
        };
        if run.clock.now().plus(pause).since(tally.started_at) > limit {
            report.ran_out = true;
            return tally.end(report, again);
        }
        actions = report.actions;
        if pause > Duration::ZERO {
            wait(run, pause).await;
            seen = tally.look(run, state).await;
        }
        state.pass += 1;
    }
}

/// Whether an action may have changed something, or found it changed.
fn is_tried(action: &Action) -> bool {
    match action.result {
        Outcome::Done | Outcome::AlreadyDone | Outcome::Stale(_) | Outcome::Failed(_) => true,
        Outcome::Planned | Outcome::Refused(_) => false,
    }
}

/// Whether a look shows steps that were not done just now.
fn has_news(run: &Run<'_>, state: &State, look: &Look) -> bool {
    let planned = look
        .resources
        .iter()
        .filter(|(id, _)| run.selection.about.contains(id))
        .filter_map(|(id, it)| Some((id, it.as_ref().ok()?)));
    planned
        .flat_map(|(id, it)| {
            it.plan
                .steps
                .iter()
                .map(move |step| super::look::token(id, step.op.as_ref()))
        })
        .any(|token| !state.is_settling(&token))
}

/// When each resource of a report is worth another look.
fn again(report: &Report, look: &Look) -> BTreeMap<ResourceId, Again> {
    let again = |(id, resource): (&ResourceId, &report::Resource)| {
        let planned = look.resources.get(id).and_then(|it| it.as_ref().ok());
        let asked = planned.and_then(|it| it.plan.look_again);
        let is_patient = planned.is_some_and(|it| it.plan.steps.is_empty());
        let again = match (&resource.state, asked) {
            (report::State::Unseen(_) | report::State::FactUnknown, _) => Again::Failing,
            (report::State::Working, _) if report.has_failed(id) => Again::Failing,
            (report::State::Working, Some(asked)) if is_patient => Again::In(asked),
            (report::State::Working, _) => Again::Soon,
            // What is as declared now may be overdue then.
            (report::State::Ready, Some(asked)) => Again::In(asked),
            (
                report::State::Ready
                | report::State::Suspended
                | report::State::Stalled
                | report::State::Refused,
                _,
            ) => Again::AsUsual,
        };
        (id.clone(), again)
    };
    report.resources.iter().map(again).collect()
}

/// How long until another pass is worth it: what the unfinished resources ask for, or else a growing wait.
fn pause(report: &Report, again: &BTreeMap<ResourceId, Again>, fruitless: u32) -> Duration {
    let growing = growing(LOOK_AGAIN, fruitless, LOOK_AGAIN_MAX);
    let unfinished = report.resources.iter().filter(|(_, it)| !is_over(it));
    let asked = unfinished.map(|(id, _)| match again.get(id) {
        Some(Again::In(asked)) => *asked,
        Some(Again::AsUsual | Again::Soon | Again::Failing) | None => growing,
    });
    asked.min().unwrap_or(growing)
}

/// A wait that doubles with each time, up to a most.
pub(super) fn growing(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(most)
}

async fn wait(run: &Run<'_>, pause: Duration) {
    let mut stop = run.stop.clone();
    tokio::select! {
        () = run.clock.sleep(pause) => {}
        _ = stop.wait_for(|it| *it) => {}
    }
}
