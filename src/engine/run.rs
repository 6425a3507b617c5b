//! Passes: look, apply, look again, until there is no reason for another one.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tokio::sync::watch;
use tracing::info;

use crate::clock::{Clock, Timestamp};
use crate::plan::Unmanaged;
use crate::providers::{Calls, Clients};
use crate::report::{self, Action, Outcome, Report};

use super::apply::{Mode, apply};
use super::conclude::{conclude, is_over};
use super::guard::Flags;
use super::load::Inventory;
use super::look::{Look, look};
use super::state::State;

/// How soon a pass is worth another one when nothing says better.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// How far that grows while passes change nothing.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(300);

/// What a run works with.
#[derive(Debug)]
pub struct Run<'a> {
    /// What is declared.
    pub inventory: &'a Inventory,
    /// The outside.
    pub clients: &'a Clients,
    /// The local time.
    pub clock: &'a dyn Clock,
    /// What the command line says of guards.
    pub flags: Flags,
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
    /// Passes until every resource is ready or stalled, or so much time is up.
    Wait(Duration),
}

/// What a run came to.
#[must_use]
#[derive(Debug)]
pub struct Ended {
    /// Everything that was done and seen.
    pub report: Report,
    /// Whether the status directory could be written; where it could not, nothing more was begun.
    pub kept: io::Result<()>,
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
    let mut fruitless = 0;
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
        let is_over = report.resources.values().all(is_over);
        let (Extent::Wait(limit), false, Ok(())) =
            (extent, is_over || run.is_stopped(), &tally.kept)
        else {
            return tally.end(report);
        };
        fruitless = if is_changed { 0 } else { fruitless + 1 };
        let has_news = is_changed && has_news(state, &seen);
        let pause = if has_news {
            Duration::ZERO
        } else {
            pause(&report, &seen, fruitless)
        };
        if run.clock.now().plus(pause).since(tally.started_at) > limit {
            report.ran_out = true;
            return tally.end(report);
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
fn has_news(state: &State, look: &Look) -> bool {
    let planned = look
        .resources
        .iter()
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

/// How long until another pass is worth it: what the unfinished resources ask for, or else a growing wait.
fn pause(report: &Report, look: &Look, fruitless: u32) -> Duration {
    let growing = LOOK_AGAIN
        .saturating_mul(1 << fruitless.min(8))
        .min(LOOK_AGAIN_MAX);
    let unfinished = report.resources.iter().filter(|(_, it)| !is_over(it));
    let asked = unfinished.map(|(id, _)| {
        let planned = look.resources.get(id).and_then(|it| it.as_ref().ok());
        let patient = planned.filter(|it| it.plan.steps.is_empty());
        patient.and_then(|it| it.plan.look_again).unwrap_or(growing)
    });
    asked.min().unwrap_or(growing)
}

async fn wait(run: &Run<'_>, pause: Duration) {
    let mut stop = run.stop.clone();
    tokio::select! {
        () = run.clock.sleep(pause) => {}
        _ = stop.wait_for(|it| *it) => {}
    }
}

/// What a run counts from its beginning.
#[derive(Debug)]
struct Tally {
    started_at: Timestamp,
    listings: u64,
    writes: u64,
    before: Calls,
    credentials: u64,
    kept: io::Result<()>,
}

impl Tally {
    fn new(run: &Run<'_>) -> Self {
        Self {
            started_at: run.clock.now(),
            listings: 0,
            writes: 0,
            before: run.clients.calls(),
            credentials: run.clients.calls_for_credentials(),
            kept: Ok(()),
        }
    }

    async fn look(&mut self, run: &Run<'_>, state: &mut State) -> Look {
        let look = look(run.inventory, run.clients, &state.record).await;
        let plans = look.resources.values().filter_map(|it| it.as_ref().ok());
        // Resources that need the same listing read it once.
        let listings: BTreeMap<&String, &u64> = plans.flat_map(|it| &it.plan.listings).collect();
        self.listings += listings.values().copied().sum::<u64>();
        self.keep(state.settle(&look));
        look
    }

    /// The first failure to write the status is the one that is told.
    fn keep(&mut self, kept: io::Result<()>) {
        if self.kept.is_ok() {
            self.kept = kept;
        }
    }

    /// Counts what a pass did, and says whether it changed anything.
    fn count(&mut self, done: &[Action]) -> bool {
        let changes = done.iter().filter(|it| it.result == Outcome::Done).count();
        self.writes += changes as u64;
        changes > 0
    }

    /// A report of what was done, and of what the last look showed.
    fn report(
        &self,
        run: &Run<'_>,
        state: &mut State,
        look: &Look,
        (actions, mode): (Vec<Action>, Mode),
    ) -> Report {
        let planned = || {
            let seen = look.resources.iter();
            seen.filter_map(|(id, it)| Some((id, it.as_ref().ok()?)))
        };
        let unknown = planned().flat_map(|(id, it)| {
            it.plan
                .unknown
                .iter()
                .map(move |it| (id.clone(), it.clone()))
        });
        let mut unmanaged: Vec<Unmanaged> = planned()
            .flat_map(|(_, it)| it.plan.unmanaged.clone())
            .collect();
        unmanaged.sort();
        unmanaged.dedup_by(|a, b| a.object == b.object);
        let calls = run.clients.calls();
        let credentials = run.clients.calls_for_credentials() - self.credentials;
        Report {
            started_at: self.started_at,
            seen_at: look.now,
            resources: conclude(run, state, look, &actions),
            actions,
            unknown: unknown.collect(),
            unmanaged,
            calls: report::Calls {
                reads: calls.reads - self.before.reads,
                writes: calls.writes - self.before.writes,
                by_service: calls.by_service,
                lower_bound: self.listings + self.writes + credentials,
            },
            applied: mode == Mode::Apply,
            ran_out: false,
        }
    }

    fn end(self, report: Report) -> Ended {
        Ended {
            report,
            kept: self.kept,
        }
    }
}
