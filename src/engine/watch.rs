//! Hears of changes of the state files: the only file that uses `notify`. What it hears is a hint; the files tell.

use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tracing::{debug, warn};

/// Changes of a folder, as they are heard of.
#[derive(Debug)]
pub struct Changes {
    heard: mpsc::Receiver<()>,
    watcher: Option<(RecommendedWatcher, PathBuf)>,
}

impl Changes {
    /// What somebody else says has changed.
    pub fn told(heard: mpsc::Receiver<()>) -> Self {
        Self {
            heard,
            watcher: None,
        }
    }

    /// Watches a folder for as long as this lives. Where that cannot be done the log says so, and the files are read at
    /// each interval all the same.
    pub fn of(folder: &Path) -> Self {
        let (send, heard) = mpsc::channel(1);
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let inside = folder.clone();
        let hear = move |event: notify::Result<Event>| {
            if event.as_ref().is_ok_and(|it| !is_change(it, &inside)) {
                return;
            }
            debug!(?event, "the state files may have changed");
            // A full channel has said it already; a closed one has nobody to tell.
            let _ = send.try_send(());
        };
        let watcher = notify::recommended_watcher(hear).and_then(|mut it| {
            listen(&mut it, &folder)?;
            Ok(it)
        });
        match watcher {
            Ok(watcher) => Self {
                heard,
                watcher: Some((watcher, folder)),
            },
            Err(error) => {
                warn!(%error, "the state folder cannot be watched, it is read at each interval");
                Self::told(heard)
            }
        }
    }

    /// Waits for the next change; several that nobody waited for are one. Where nobody can tell, for ever.
    pub(super) async fn next(&mut self) {
        if self.heard.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        self.follow();
    }

    /// Whether there was another change; waits for nothing.
    pub(super) fn has_more(&mut self) -> bool {
        let has_more = self.heard.try_recv().is_ok();
        self.follow();
        has_more
    }

    /// A folder that was replaced is another one now. This cannot be done where changes are heard: it would wait for
    /// itself.
    fn follow(&mut self) {
        if let Some((watcher, folder)) = &mut self.watcher {
            // While it is gone, the folder around it is listened to.
            let _ = listen(watcher, folder);
        }
    }
}

/// Whether an event may have changed what lies in the folder; reading it changes nothing.
fn is_change(event: &Event, folder: &Path) -> bool {
    let is_near = |it: &PathBuf| it.starts_with(folder) || it.starts_with(real(folder));
    let is_change = match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    };
    is_change && (event.paths.is_empty() || event.paths.iter().any(is_near))
}

/// Listens to the folder, and to the one around it, where it may go and come again.
fn listen(watcher: &mut RecommendedWatcher, folder: &Path) -> notify::Result<()> {
    let inside = watcher.watch(&real(folder), RecursiveMode::Recursive);
    let around = folder.parent().unwrap_or(folder);
    let outside = watcher.watch(around, RecursiveMode::NonRecursive);
    inside.or(outside)
}

fn real(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}
