//! `apply`: carries out a saved plan, as far as a new plan has the same.

use std::collections::BTreeSet;

use crate::engine::{self, Extent, Run, Selection, State};
use crate::report::{Outcome, Report};

use super::arguments::{Global, Saved};
use super::cloud::with_cloud;
use super::output::{Failure, Output};
use super::plan::homes;
use super::plan_file::PlanFile;
use super::session::{Job, hold_status, interruptible};
use super::workflow;

pub(super) fn apply(global: &Global, saved: &Saved, output: Output) -> Result<u8, Failure> {
    workflow::refuse_to_apply(global)?;
    if global.only.is_some() || !global.selector.is_empty() {
        let message = "a saved plan says itself what it is about: leave out --only and --selector";
        return Err(Failure::usage(message));
    }
    let plan = PlanFile::read(&saved.file)?;
    let job = Job::of(global, output)?;
    if plan.state_hash != job.inventory.hash {
        let message = "cannot apply the plan: the state files are others than those it was made of\n  hint: plan again: reconcile plan --out";
        return Err(Failure::new(1, message));
    }
    with_cloud(global, async |cloud| {
        let there = homes(&job.inventory, &cloud.clients)
            .await
            .map_err(|it| Failure::of(&it))?;
        if there != plan.regions {
            let message = "cannot apply the plan: it is of another account\n  hint: use the credentials that it was made with, or plan again";
            return Err(Failure::new(77, message));
        }
        let status = hold_status(global, cloud).await?;
        let mut state = State::kept_in(&status.folder)?;
        let (run, stop) = job.run(cloud);
        let resources: BTreeSet<_> = plan.resources.iter().cloned().collect();
        let run = Run {
            selection: Selection::of(&job.inventory, &resources, &BTreeSet::new()),
            allowed: Some(plan.actions.iter().map(|it| it.id.clone()).collect()),
            ..run
        };
        let mut on_pass = |_: &Report, _| {};
        let work = engine::run(&run, &mut state, Extent::Once, &mut on_pass);
        let (mut ended, interrupted) =
            interruptible(work, cloud.clock.as_ref(), global.timeout, &stop).await?;
        add_stale(&mut ended.report, &plan);
        job.print_pass(&ended.report, 1);
        let code = job.finish(&ended.report, interrupted);
        ended.kept?;
        let is_stale = ended
            .report
            .actions
            .iter()
            .any(|it| matches!(it.result, Outcome::Stale(_)));
        Ok(if is_stale && [0, 2, 3, 4].contains(&code) {
            1
        } else {
            code
        })
    })
}

/// What the new plan does not have is said as well.
fn add_stale(report: &mut Report, plan: &PlanFile) {
    let known: BTreeSet<_> = report.actions.iter().map(|it| it.id.clone()).collect();
    let missing = plan.actions.iter().filter(|it| !known.contains(&it.id));
    report
        .actions
        .extend(missing.map(super::plan_file::Planned::stale));
}
