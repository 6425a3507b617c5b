//! `--once`: passes that change the world.

use std::time::Duration;

use tokio::sync::watch;

use crate::engine::{self, Extent, Flags, Run, State, load};
use crate::kinds::KINDS;
use crate::report::Report;

use super::arguments::{Form, Global};
use super::cloud::with_cloud;
use super::output::{self, Failure, Output};
use super::session::{hold_status, interruptible};
use super::settings;

pub(super) fn run(global: &Global, wait: Option<Duration>, output: Output) -> Result<u8, Failure> {
    let inventory =
        load(&settings::state_folder(global), KINDS).map_err(|it| Failure::invalid(&it))?;
    let extent = wait.map_or(Extent::Once, Extent::Wait);
    with_cloud(global, async |cloud| {
        let status = hold_status(global, cloud.clock.as_ref()).await?;
        let mut state = State::kept_in(&status.folder)?;
        let (stop, stopped) = watch::channel(false);
        let run = Run {
            inventory: &inventory,
            clients: &cloud.clients,
            clock: cloud.clock.as_ref(),
            flags: flags(global),
            stop: stopped,
        };
        let mut on_pass = |report: &Report, pass: u32| match output.form {
            Form::Text => output::print(&pass_text(report, pass, extent, output)),
            Form::Json => {}
        };
        let work = engine::run(&run, &mut state, extent, &mut on_pass);
        let (ended, interrupted) =
            interruptible(work, cloud.clock.as_ref(), global.timeout, &stop).await?;
        let report = ended.report;
        match output.form {
            Form::Text => output::print(&report.closing_text(output.style)),
            Form::Json => output::print_json(&report.to_json()),
        }
        ended.kept?;
        Ok(interrupted.unwrap_or_else(|| report.exit_code()))
    })
}

/// The guards that the command line sets.
pub(super) fn flags(global: &Global) -> Flags {
    Flags {
        max_deletes: global.max_deletes,
        max_delete_percent: global.max_delete_percent,
    }
}

fn pass_text(report: &Report, pass: u32, extent: Extent, output: Output) -> String {
    let text = report.pass_text(pass, output.style);
    match extent {
        Extent::Once => text,
        Extent::Wait(_) => {
            let at = report.seen_at;
            let waiting = report.waiting_for().filter(|_| text.is_empty());
            let waiting = waiting.map(|it| format!(": {it}")).unwrap_or_default();
            format!("pass {pass}, {at}{waiting}\n{text}")
        }
    }
}
