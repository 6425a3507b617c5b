//! `plan`: what a pass would do.

use tokio::sync::watch;

use crate::engine::{self, Run, State, load};
use crate::kinds::KINDS;
use crate::store::record::Record;

use super::arguments::{Form, Global};
use super::cloud::with_cloud;
use super::output::{self, Failure, Output};
use super::run::flags;
use super::session::interruptible;
use super::settings;

pub(super) fn plan(global: &Global, output: Output) -> Result<u8, Failure> {
    let inventory =
        load(&settings::state_folder(global), KINDS).map_err(|it| Failure::invalid(&it))?;
    with_cloud(global, async |cloud| {
        // A plan reads what is remembered, holds nothing and writes nothing.
        let record = match &global.simulate {
            Some(_) if global.status_dir.is_none() => Record::default(),
            Some(_) | None => Record::read(&settings::status_folder(global)),
        };
        let mut state = State::unkept(record);
        let (stop, stopped) = watch::channel(false);
        let run = Run {
            inventory: &inventory,
            clients: &cloud.clients,
            clock: cloud.clock.as_ref(),
            flags: flags(global),
            stop: stopped,
        };
        let work = engine::plan(&run, &mut state);
        let (report, interrupted) =
            interruptible(work, cloud.clock.as_ref(), global.timeout, &stop).await?;
        match output.form {
            Form::Text => {
                output::print(&report.pass_text(1, output.style));
                output::print(&report.closing_text(output.style));
            }
            Form::Json => output::print_json(&report.to_json()),
        }
        Ok(interrupted.unwrap_or_else(|| report.exit_code()))
    })
}
