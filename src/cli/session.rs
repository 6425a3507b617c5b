//! What commands that make a pass share: what is declared, the status directory, how they are interrupted and end.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::engine::{Filter, Flags, Inventory, Run, Selection, load};
use crate::kinds::KINDS;
use crate::report::{Outcome, Report};
use crate::resource::nearest;
use crate::store::folder::{Folder, Refusal, hold};

use super::arguments::{Form, Global, Selection as Argument};
use super::cloud::Cloud;
use super::output::{self, Failure, Output};
use super::{settings, workflow};

/// What a command works on, and how it tells of it.
pub(super) struct Job<'a> {
    pub(super) inventory: Inventory,
    global: &'a Global,
    output: Output,
    selection: Selection,
}

/// Reads the state files; what is wrong with them is told in the way of where we are.
pub(super) fn declared(global: &Global) -> Result<Inventory, Failure> {
    load(&settings::state_folder(global), KINDS).map_err(|findings| {
        workflow::annotate(&findings);
        Failure::invalid(&findings)
    })
}

/// The resources that the command line chooses.
pub(super) fn filter(global: &Global) -> Result<Filter, Failure> {
    let only = Argument {
        of: global.only.clone(),
    };
    let only = only.parse()?;
    Ok(Filter {
        only: only
            .kind
            .map(|kind| (kind.to_owned(), only.name.map(str::to_owned))),
        labels: global.selector.clone(),
    })
}

/// What is chosen of what is declared; nothing is a mistake.
pub(super) fn choose(
    global: &Global,
    inventory: &Inventory,
) -> Result<BTreeSet<crate::ids::ResourceId>, Failure> {
    let filter = filter(global)?;
    let chosen = filter.choose(inventory);
    if filter == Filter::default() || !chosen.is_empty() {
        return Ok(chosen);
    }
    let names: Vec<String> = inventory
        .resources
        .keys()
        .map(ToString::to_string)
        .collect();
    let wanted = global.only.as_deref().unwrap_or_default();
    let advice = match nearest(wanted, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("declared are {}", names.join(", ")),
    };
    Err(Failure::usage(&format!(
        "--only and --selector choose nothing ({advice})"
    )))
}

impl<'a> Job<'a> {
    /// What the command line says, as far as no cloud is needed for it.
    pub(super) fn of(global: &'a Global, output: Output) -> Result<Self, Failure> {
        let inventory = declared(global)?;
        let chosen = choose(global, &inventory)?;
        Ok(Self {
            selection: Selection::of(&inventory, &chosen, &BTreeSet::new()),
            inventory,
            global,
            output,
        })
    }

    /// A run over it, and what ends that early.
    pub(super) fn run<'b>(&'b self, cloud: &'b Cloud) -> (Run<'b>, watch::Sender<bool>) {
        let (stop, stopped) = watch::channel(false);
        let run = Run {
            inventory: &self.inventory,
            selection: self.selection.clone(),
            clients: &cloud.clients,
            clock: cloud.clock.as_ref(),
            flags: flags(self.global),
            allowed: None,
            standing: None,
            stop: stopped,
        };
        (run, stop)
    }

    /// Prints what a pass did.
    pub(super) fn print_pass(&self, report: &Report, pass: u32) {
        if self.output.form == Form::Text {
            output::print(&report.pass_text(pass, self.output.style));
        }
    }

    /// Prints what is to be said at the end, tells the workflow, and gives the exit code.
    pub(super) fn finish(&self, report: &Report, interrupted: Option<u8>) -> u8 {
        match self.output.form {
            Form::Text => output::print(&report.closing_text(self.output.style)),
            Form::Json => output::print_json(&report.to_json()),
            Form::Markdown => output::print(&report.to_markdown()),
        }
        let told = workflow::tell(&self.inventory, report);
        let code = interrupted.unwrap_or_else(|| exit_code(self.global, report));
        match told {
            Ok(()) => code,
            Err(why) => {
                output::complain(&why);
                code.max(1)
            }
        }
    }
}

/// The exit code; where nothing went wrong and it is asked for, whether there is more to do.
pub(super) fn exit_code(global: &Global, report: &Report) -> u8 {
    let code = report.exit_code();
    if code != 0 || !global.detailed_exitcode {
        return code;
    }
    let is_planned = report
        .actions
        .iter()
        .any(|it| it.result == Outcome::Planned);
    match report.applied {
        false if is_planned => 2,
        true if !report.is_converged() => 3,
        true | false => 0,
    }
}

/// The guards that the command line sets.
pub(super) fn flags(global: &Global) -> Flags {
    Flags {
        max_deletes: global.max_deletes,
        max_delete_percent: global.max_delete_percent,
    }
}

/// A status directory for one run; one that is temporary goes with it.
#[derive(Debug)]
pub(super) struct StatusFolder {
    pub(super) folder: Folder,
    _temporary: Option<TempDir>,
}

/// Where the status is kept: a demo leaves and reads nothing, unless it is told where.
pub(super) async fn hold_status(global: &Global, cloud: &Cloud) -> Result<StatusFolder, Failure> {
    let temporary = match (&global.simulate, &global.status_dir) {
        (Some(_), None) => Some(tempfile::tempdir()?),
        (Some(_), Some(_)) | (None, _) => None,
    };
    let path: PathBuf = match &temporary {
        Some(folder) => folder.path().join("status"),
        None => settings::status_folder(global),
    };
    let clock = cloud.clock.as_ref();
    let folder = hold(clock, &path).await.map_err(|refusal| match refusal {
        Refusal::Unusable(message) => Failure::unfit(&message),
        Refusal::Held(message) => Failure::new(75, &message),
    })?;
    cloud.clients.keep_in(&path);
    Ok(StatusFolder {
        folder,
        _temporary: temporary,
    })
}

/// Runs `work` to its end. The first signal, or the end of `limit`, asks it to stop by `stop`; then the step under way
/// ends and nothing new starts. A second signal ends it at once, wherever it is: the next run finishes the work. Gives the
/// exit code of the interruption, if there was one.
pub(super) async fn interruptible<T>(
    work: impl Future<Output = T>,
    clock: &dyn Clock,
    limit: Option<Duration>,
    stop: &watch::Sender<bool>,
) -> Result<(T, Option<u8>), Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut code = None;
    let mut time_is_up = clock.sleep(limit.unwrap_or(Duration::MAX / 4));
    let mut work = std::pin::pin!(work);
    let mut signals = 0;
    loop {
        let asked = tokio::select! {
            result = &mut work => return Ok((result, code)),
            _ = interrupt.recv() => { signals += 1; 130 }
            _ = terminate.recv() => { signals += 1; 143 }
            () = &mut time_is_up, if limit.is_some() && code.is_none() => 1,
        };
        if signals > 1 {
            let message = "interrupted twice, ended at once; the next run finishes the work";
            return Err(Failure::new(asked, message));
        }
        tracing::warn!(code = asked, "interrupted, the step under way ends first");
        // What ended it first is what it ended by.
        code.get_or_insert(asked);
        stop.send_replace(true);
    }
}
