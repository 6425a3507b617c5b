//! What the consoles of machines said that had to go, a file each: nothing else is left to tell why they failed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::ids::InstanceId;

/// How many are kept; the oldest go first.
const CONSOLES_MAX: usize = 50;

/// The folder; none: nothing is kept.
#[derive(Debug, Default)]
pub(super) struct Consoles(Mutex<Option<PathBuf>>);

impl Consoles {
    pub(super) fn keep_in(&self, folder: &Path) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder.to_owned());
    }

    pub(super) fn keep(&self, id: &InstanceId, text: &str) {
        let folder = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(folder) = folder.as_ref() else {
            return;
        };
        let path = folder.join(format!("{id}.log"));
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
        match written {
            Ok(()) => tracing::info!(path = %path.display(), "what its console said is kept"),
            Err(error) => tracing::warn!(%id, %error, "what its console said is not kept"),
        }
        make_room(folder);
    }
}

fn make_room(folder: &Path) {
    let Ok(files) = fs::read_dir(folder) else {
        return;
    };
    let written = |it: &fs::DirEntry| it.metadata().and_then(|it| it.modified()).ok();
    let mut files: Vec<_> = files.filter_map(Result::ok).collect();
    files.sort_by_key(|it| (written(it), it.path()));
    let surplus = files.len().saturating_sub(CONSOLES_MAX);
    for file in files.into_iter().take(surplus) {
        let _ = fs::remove_file(file.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_kept_and_the_last_one_is_among_them() {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let consoles = Consoles::default();
        consoles.keep(&InstanceId::new("i-none"), "lost");
        consoles.keep_in(folder.path());
        for number in 0..=CONSOLES_MAX {
            consoles.keep(&InstanceId::new(&format!("i-{number:03}")), "said");
        }
        let count = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(count, CONSOLES_MAX);
        let last = folder.path().join(format!("i-{CONSOLES_MAX:03}.log"));
        assert_eq!(fs::read_to_string(last).expect("a file"), "said");
    }
}
