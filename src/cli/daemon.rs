//! Without a command: the daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::engine::{self, Changes, Ended, News, State};
use crate::ids::ResourceId;
use crate::kinds::KINDS;

use super::arguments::{Daemon, Form, Global};
use super::cloud::{Cloud, with_cloud};
use super::listen::{Board, listen};
use super::metrics::Metrics;
use super::output::{self, Failure, Output};
use super::session::{Job, filter, flags, hold_status, interruptible};
use super::{settings, workflow};

pub(super) fn daemon(global: &Global, options: &Daemon, output: Output) -> Result<u8, Failure> {
    if global.simulate.is_some() && options.lasts.is_none() {
        return Err(Failure::usage(
            "a daemon in a cloud whose time jumps would never end: say how long, as in `--simulate --for 26h`, or serve the cloud with `reconcile simulate`",
        ));
    }
    workflow::refuse_to_apply(global)?;
    // What is wrong at the start is told as by every other command.
    let job = Job::of(global, output)?;
    with_cloud(global, async |cloud| {
        let status = hold_status(global, cloud).await?;
        let mut state = State::kept_in(&status.folder)?;
        let board = Board {
            metrics: Arc::new(Mutex::new(Metrics::new())),
            clock: Arc::clone(&cloud.clock),
            started_at: cloud.clock.now(),
        };
        let listener = bind(options).await?;
        let (stop, stopped) = watch::channel(false);
        let folder = settings::state_folder(global);
        let this = engine::Daemon {
            folder: &folder,
            kinds: KINDS,
            filter: filter(global)?,
            clients: &cloud.clients,
            clock: cloud.clock.as_ref(),
            flags: flags(global),
            stop: stopped,
            interval: options.interval,
            lasts: options.lasts,
        };
        let mut changes = changes(global);
        let mut said = Said::default();
        let mut tell = |news: News<'_>| {
            count(&board, cloud, &news);
            said.tell(&news, output, options.lasts.is_some());
        };
        let work = engine::daemon(&this, &mut state, &mut changes, &mut tell);
        let work = interruptible(work, cloud.clock.as_ref(), global.timeout, &stop);
        let (ended, interrupted) = with_listener(listener, &board, work).await?;
        let ended = ended.map_err(|findings| Failure::invalid(&findings))?;
        let code = match options.lasts {
            Some(_) => job.finish(&ended.report, interrupted),
            // A signal is how a daemon ends.
            None => interrupted.unwrap_or_default(),
        };
        ended.kept?;
        Ok(code)
    })
}

async fn bind(options: &Daemon) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = options.listen else {
        return Ok(None);
    };
    let refused = |error| Failure::unfit(&format!("cannot listen on {address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let at = listener.local_addr().map_err(refused)?;
    tracing::warn!(%at, "listening");
    Ok(Some(listener))
}

async fn with_listener<T>(
    listener: Option<TcpListener>,
    board: &Board,
    work: impl Future<Output = T>,
) -> T {
    let Some(listener) = listener else {
        return work.await;
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let work = async {
        let result = work.await;
        drop(stop);
        result
    };
    let until = async { drop(stopped.await) };
    // Where nobody can ask any more, the work goes on.
    let (_, result) = tokio::join!(listen(listener, board.clone(), until), work);
    result
}

/// A simulated cloud's time jumps: nobody could change a file in between.
fn changes(global: &Global) -> Changes {
    match global.simulate {
        Some(_) => Changes::told(mpsc::channel(1).1),
        None => Changes::of(&settings::state_folder(global)),
    }
}

fn count(board: &Board, cloud: &Cloud, news: &News<'_>) {
    let mut metrics = board.metrics.lock().unwrap_or_else(PoisonError::into_inner);
    match news {
        News::Pass(ended, _) => metrics.passed(ended, cloud.clock.now()),
        News::Taken(inventory) => metrics.declared(inventory.resources.keys()),
        News::Broken(_) => metrics.broken(),
    }
}

/// What was printed already, so that a pass prints what is new.
#[derive(Debug, Default)]
struct Said {
    remarks: BTreeMap<ResourceId, Vec<String>>,
    left_alone: BTreeSet<String>,
    /// Whether the state files were broken when they were last spoken of.
    is_broken: bool,
}

impl Said {
    fn tell(&mut self, news: &News<'_>, output: Output, is_told_at_the_end: bool) {
        match news {
            News::Taken(inventory) => {
                // What is not declared any more is not remembered, and what is left alone is said once for these files.
                self.remarks
                    .retain(|id, _| inventory.resources.contains_key(id));
                self.left_alone.clear();
                if std::mem::take(&mut self.is_broken) {
                    output::complain("the state files are valid again, and in force");
                }
            }
            News::Broken(findings) => {
                self.is_broken = true;
                workflow::annotate(findings);
                output::complain(&format!(
                    "{}\nthe state files before these stay in force",
                    Failure::invalid(findings).message
                ));
            }
            News::Pass(ended, pass) => {
                if let Err(error) = &ended.kept {
                    output::complain(&format!(
                        "cannot write the status directory: {error}; nothing was begun that could not be written down"
                    ));
                }
                match output.form {
                    Form::Json if !is_told_at_the_end => {
                        output::print(&format!("{}\n", ended.report.to_json()));
                    }
                    Form::Json | Form::Markdown => {}
                    Form::Text => self.print(ended, *pass, output),
                }
            }
        }
    }

    fn print(&mut self, ended: &Ended, last: u32, output: Output) {
        let report = &ended.report;
        let first = report.actions.first().map_or(last, |it| it.pass);
        let mut text = String::new();
        for pass in first..=last {
            let of_pass = report.pass_text(pass, output.style);
            if !of_pass.is_empty() {
                let at = report.seen_at;
                let _ = write!(text, "pass {pass}, {at}\n{of_pass}");
            }
        }
        for (id, remarks) in report.remarks_by_resource() {
            let before = self.remarks.insert(id.clone(), remarks.clone());
            if before.as_ref() == Some(&remarks) {
                continue;
            }
            if remarks.is_empty() && before.is_some() {
                let _ = writeln!(text, "  {id}  as declared");
            }
            for remark in remarks {
                let _ = writeln!(text, "  {id}  {remark}");
            }
        }
        let left_alone: BTreeSet<String> = report.left_alone().collect();
        for line in left_alone.difference(&self.left_alone) {
            let _ = writeln!(text, "{line}");
        }
        if report.resources.len() == self.remarks.len() {
            // What is gone need not be remembered.
            self.left_alone.clear();
        }
        self.left_alone.extend(left_alone);
        output::print(&text);
    }
}
