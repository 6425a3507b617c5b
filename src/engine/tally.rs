//! What a run counts from its beginning, and the report that comes of it.

use std::collections::BTreeMap;
use std::io;

use crate::clock::Timestamp;
use crate::ids::ResourceId;
use crate::plan::Unmanaged;
use crate::providers::Calls;
use crate::report::{self, Action, Outcome, Report};
use crate::retry::Waits;

use super::apply::Mode;
use super::conclude::conclude;
use super::look::{Look, look};
use super::run::{Again, Ended, Run};
use super::state::State;

/// What a run counts from its beginning.
///
/// The fewest calls it could have made are those that tell what each look showed, by the counts of the world, and one for
/// each effect. What is looked at once more right before an effect comes on top, and what had to be repeated.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) started_at: Timestamp,
    /// Whether the status directory could be written so far.
    pub(super) kept: io::Result<()>,
    /// The fewest calls that all looks so far took.
    listings: u64,
    /// Effects so far.
    writes: u64,
    /// The fewest calls that credentials had taken before.
    credentials: u64,
    before: Calls,
    waited: Waits,
}

impl Tally {
    pub(super) fn new(run: &Run<'_>) -> Self {
        Self {
            started_at: run.clock.now(),
            kept: Ok(()),
            listings: 0,
            writes: 0,
            credentials: run.clients.calls_for_credentials(),
            before: run.clients.calls(),
            waited: run.clients.waits(),
        }
    }

    pub(super) async fn look(&mut self, run: &Run<'_>, state: &mut State) -> Look {
        let look = look(run, &state.record).await;
        let plans = look.resources.values().filter_map(|it| it.as_ref().ok());
        // Resources that need the same listing read it once.
        let listings: BTreeMap<&String, &u64> = plans.flat_map(|it| &it.plan.listings).collect();
        self.listings += listings.values().copied().sum::<u64>();
        self.keep(state.settle(&look));
        look
    }

    /// The first failure to write the status is the one that is told.
    pub(super) fn keep(&mut self, kept: io::Result<()>) {
        if self.kept.is_ok() {
            self.kept = kept;
        }
    }

    /// Counts what a pass did, and says whether it changed anything.
    pub(super) fn count(&mut self, done: &[Action]) -> bool {
        let changes = done.iter().filter(|it| it.result == Outcome::Done).count();
        self.writes += changes as u64;
        changes > 0
    }

    /// A report of what was done, and of what the last look showed.
    pub(super) fn report(
        &self,
        run: &Run<'_>,
        state: &mut State,
        look: &Look,
        (actions, mode): (Vec<Action>, Mode),
    ) -> Report {
        let planned = || {
            let seen = look.resources.iter();
            let about = seen.filter(|(id, _)| run.selection.about.contains(id));
            about.filter_map(|(id, it)| Some((id, it.as_ref().ok()?)))
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
        Report {
            started_at: self.started_at,
            seen_at: look.now,
            resources: conclude(run, state, look, &actions),
            actions,
            unknown: unknown.collect(),
            unmanaged,
            calls: self.calls(run),
            applied: mode == Mode::Apply,
            ran_out: false,
        }
    }

    /// The calls of this run, and not those of the runs before it.
    fn calls(&self, run: &Run<'_>) -> report::Calls {
        let calls = run.clients.calls().since(&self.before);
        let credentials = run.clients.calls_for_credentials() - self.credentials;
        report::Calls {
            reads: calls.reads,
            writes: calls.writes,
            by_service: calls.by_service,
            lower_bound: self.listings + self.writes + credentials,
            waits: run.clients.waits().since(&self.waited),
        }
    }

    pub(super) fn end(self, report: Report, again: BTreeMap<ResourceId, Again>) -> Ended {
        Ended {
            report,
            kept: self.kept,
            again,
        }
    }
}
