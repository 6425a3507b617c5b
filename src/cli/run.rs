//! `--once`: passes that change the world.

use std::time::Duration;

use crate::engine::{self, Extent, State};
use crate::report::Report;

use super::arguments::Global;
use super::cloud::with_cloud;
use super::output::{Failure, Output};
use super::progress::Progress;
use super::session::{Job, hold_status, interruptible};
use super::workflow;

pub(super) fn run(global: &Global, wait: Option<Duration>, output: Output) -> Result<u8, Failure> {
    workflow::refuse_to_apply(global)?;
    let job = Job::of(global, output)?;
    let extent = wait.map_or(Extent::Once, Extent::Wait);
    with_cloud(global, async |cloud| {
        let status = hold_status(global, cloud).await?;
        let mut state = State::kept_in(&status.folder)?;
        let (run, stop) = job.run(cloud);
        let mut progress = Progress::new(global, output);
        let mut on_pass = |report: &Report, pass: u32| match wait {
            None => job.print_pass(report, pass),
            Some(_) => progress.pass(report, pass),
        };
        let work = engine::run(&run, &mut state, extent, &mut on_pass);
        let (ended, interrupted) =
            interruptible(work, cloud.clock.as_ref(), global.timeout, &stop).await?;
        progress.end();
        let code = job.finish(&ended.report, interrupted);
        ended.kept?;
        Ok(code)
    })
}
