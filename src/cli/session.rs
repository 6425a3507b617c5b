//! What commands that make a pass share: the status directory, and how they are interrupted.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::store::folder::{Folder, Refusal, hold};

use super::arguments::Global;
use super::output::Failure;
use super::settings;

/// A status directory for one run; one that is temporary goes with it.
#[derive(Debug)]
pub(super) struct StatusFolder {
    pub(super) folder: Folder,
    _temporary: Option<TempDir>,
}

/// Where the status is kept: a demo leaves and reads nothing, unless it is told where.
pub(super) async fn hold_status(
    global: &Global,
    clock: &dyn Clock,
) -> Result<StatusFolder, Failure> {
    let temporary = match (&global.simulate, &global.status_dir) {
        (Some(_), None) => Some(tempfile::tempdir()?),
        (Some(_), Some(_)) | (None, _) => None,
    };
    let path: PathBuf = match &temporary {
        Some(folder) => folder.path().join("status"),
        None => settings::status_folder(global),
    };
    let folder = hold(clock, &path).await.map_err(|refusal| match refusal {
        Refusal::Unusable(message) => Failure::unfit(&message),
        Refusal::Held(message) => Failure::new(75, &message),
    })?;
    Ok(StatusFolder {
        folder,
        _temporary: temporary,
    })
}

/// Runs `work` to its end. The first signal, or the end of `limit`, asks it to stop by `stop`; then the step under way
/// ends and nothing new starts. Gives the exit code of the interruption, if there was one.
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
    loop {
        let asked = tokio::select! {
            result = &mut work => return Ok((result, code)),
            _ = interrupt.recv(), if code.is_none() => 130,
            _ = terminate.recv(), if code.is_none() => 143,
            () = &mut time_is_up, if limit.is_some() && code.is_none() => 1,
        };
        tracing::warn!(code = asked, "interrupted, the step under way ends first");
        code = Some(asked);
        stop.send_replace(true);
    }
}
