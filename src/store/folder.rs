//! The status directory: safe to use, ours alone, and held by one process at a time.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::clock::Clock;

use super::atomic;

/// How long another process may hold the directory before we give up.
const HELD_MAX: Duration = Duration::from_secs(10);
/// How often it is tried in that time.
const TRY_EVERY: Duration = Duration::from_millis(200);
/// What keeps a status directory out of git. Once it is there, nothing waits for the disk before the first request.
const IGNORE_ALL: &[u8] = b"*\n";

/// A status directory that is held. It is let go when this is dropped, or when the process dies.
#[must_use]
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

/// Why a status directory cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be written, or it is not safe to.
    Unusable(String),
    /// Another process holds it.
    Held(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(message) | Self::Held(message) => f.write_str(message),
        }
    }
}

impl Folder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Opens and holds a status directory, and makes it where it is missing.
pub async fn hold(clock: &dyn Clock, path: &Path) -> Result<Folder, Refusal> {
    let lock = prepare(path)?;
    let mut waited = Duration::ZERO;
    loop {
        match lock.try_lock() {
            Ok(()) => {
                return Ok(Folder {
                    path: path.to_owned(),
                    _lock: lock,
                });
            }
            Err(TryLockError::WouldBlock) if waited < HELD_MAX => {
                clock.sleep(TRY_EVERY).await;
                waited += TRY_EVERY;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Refusal::Held(format!(
                    "cannot use the status directory ({}): another process has held it for {} s\n  hint: wait for it, or give this run another --status-dir",
                    path.display(),
                    HELD_MAX.as_secs()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(path, &error.to_string())),
        }
    }
}

fn unusable(path: &Path, why: &str) -> Refusal {
    Refusal::Unusable(format!(
        "cannot use the status directory ({}): {why}\n  hint: choose another one with --status-dir; `reconcile plan` works without one",
        path.display()
    ))
}

fn prepare(path: &Path) -> Result<File, Refusal> {
    let failed = |error: io::Error| unusable(path, &error.to_string());
    if !path.exists() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
    }
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_dir() {
        return Err(unusable(path, "it is not a directory"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(unusable(path, "it belongs to another user"));
    }
    if metadata.permissions().mode() & 0o022 != 0 {
        return Err(unusable(path, "others may write in it"));
    }
    if is_tracked_by_git(path) {
        return Err(unusable(path, "git tracks files in it"));
    }
    let ignored = path.join(".gitignore");
    if fs::read(&ignored).ok().as_deref() != Some(IGNORE_ALL) {
        atomic::write(&ignored, IGNORE_ALL).map_err(failed)?;
    }
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join("lock"))
        .map_err(failed)
}

/// Whether git has any file of the folder in its index. Where there is no repository or no git, nothing is tracked.
fn is_tracked_by_git(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else {
        return false;
    };
    if !path.ancestors().any(|it| it.join(".git").exists()) {
        return false;
    }
    let listed = Command::new("git")
        .arg("-C")
        .arg(&path)
        .args(["ls-files", "--", "."])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    listed.is_ok_and(|it| it.status.success() && !it.stdout.is_empty())
}
