//! Passes: look, apply, look again, until there is no reason for another one.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tokio::sync::watch;
use tracing::info;

use crate::clock::{Clock, Timestamp};
use crate::plan::Unmanaged;
use crate::providers::Clients;
use crate::report::{Action, Outcome, Report};

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

/// Looks, and says what would be done.
pub async fn plan(run: &Run<'_>, state: &mut State) -> io::Result<Report> {
    let mut tally = Tally::new(run);
    let look = tally.look(run, state).await?;
    let actions = apply(run, state, &look, Mode::Plan).await;
    let report = Report {
        actions,
        ..Report::default()
    };
    Ok(tally.report(run, state, &look, report))
}

/// Makes passes. After each, `on_pass` gets what was done so far.
pub async fn run(
    run: &Run<'_>,
    state: &mut State,
    extent: Extent,
    on_pass: &mut (dyn FnMut(&Report, u32) + Send),
) -> io::Result<Report> {
    let mut tally = Tally::new(run);
    let mut actions: Vec<Action> = Vec::new();
    let mut fruitless = 0;
    let mut seen = tally.look(run, state).await?;
    loop {
        let done = apply(run, state, &seen, Mode::Apply).await;
        let is_changed = done.iter().any(|it| it.result == Outcome::Done);
        let is_tried = done.iter().any(|it| {
            matches!(
                it.result,
                Outcome::Done | Outcome::AlreadyDone | Outcome::Stale(_) | Outcome::Failed(_)
            )
        });
        tally.writes += done.iter().filter(|it| it.result == Outcome::Done).count() as u64;
        actions.extend(done);
        if is_tried {
            seen = tally.look(run, state).await?;
        }
        let report = Report {
            actions,
            applied: true,
            ..Report::default()
        };
        let mut report = tally.report(run, state, &seen, report);
        state.save()?;
        info!(pass = state.pass, converged = report.is_converged(), "pass");
        on_pass(&report, state.pass);
        let Extent::Wait(limit) = extent else {
            return Ok(report);
        };
        if report.resources.values().all(is_over) || run.is_stopped() {
            return Ok(report);
        }
        fruitless = if is_changed { 0 } else { fruitless + 1 };
        let pause = if is_changed && has_news(state, &seen) {
            Duration::ZERO
        } else {
            pause(&report, &seen, fruitless)
        };
        if run.clock.now().plus(pause).since(tally.started_at) > limit {
            report.ran_out = true;
            return Ok(report);
        }
        actions = report.actions;
        if pause > Duration::ZERO {
            wait(run, pause).await;
            seen = tally.look(run, state).await?;
        }
        state.pass += 1;
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
    before: crate::providers::Calls,
}

impl Tally {
    fn new(run: &Run<'_>) -> Self {
        Self {
            started_at: run.clock.now(),
            listings: 0,
            writes: 0,
            before: run.clients.calls(),
        }
    }

    async fn look(&mut self, run: &Run<'_>, state: &mut State) -> io::Result<Look> {
        let look = look(run.inventory, run.clients, &state.record).await;
        let plans = look.resources.values().filter_map(|it| it.as_ref().ok());
        // Resources that need the same listing read it once.
        let listings: BTreeMap<&String, &u64> = plans.flat_map(|it| &it.plan.listings).collect();
        self.listings += listings.values().copied().sum::<u64>();
        state.settle(&look)?;
        Ok(look)
    }

    /// Completes a report by what the last look showed.
    fn report(&self, run: &Run<'_>, state: &mut State, look: &Look, mut report: Report) -> Report {
        report.started_at = Some(self.started_at);
        report.seen_at = Some(look.now);
        report.resources = conclude(run, state, look, &report.actions);
        let planned = || {
            look.resources
                .iter()
                .filter_map(|(id, it)| Some((id, it.as_ref().ok()?)))
        };
        report.unknown = planned()
            .flat_map(|(id, it)| {
                it.plan
                    .unknown
                    .iter()
                    .map(|unknown| (id.clone(), unknown.clone()))
            })
            .collect();
        let mut unmanaged: Vec<Unmanaged> = planned()
            .flat_map(|(_, it)| it.plan.unmanaged.clone())
            .collect();
        unmanaged.sort();
        unmanaged.dedup_by(|a, b| a.object == b.object);
        report.unmanaged = unmanaged;
        let calls = run.clients.calls();
        report.calls = crate::report::Calls {
            reads: calls.reads - self.before.reads,
            writes: calls.writes - self.before.writes,
            by_service: calls.by_service,
            lower_bound: self.listings + self.writes,
        };
        report
    }
}
