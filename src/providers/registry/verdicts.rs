//! What was found out about layers, which their digest names for ever: in memory, and what is good on disk as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::fault::Fault;
use crate::ids::Digest;
use crate::plan::Why;
use crate::providers::cache::Cache;

/// The folder of those that were found good, an empty file each.
const FOLDER: &str = "verified";

/// Verdicts on layers.
#[derive(Debug, Default)]
pub struct Verdicts {
    memory: Cache<(Digest, Digest), Option<Why>>,
    folder: Mutex<Option<PathBuf>>,
}

impl Verdicts {
    /// Keeps what is good below this folder too. What cannot be kept is found out again.
    pub(super) fn keep_in(&self, folder: &Path) {
        let folder = folder.join(FOLDER);
        let kept = fs::create_dir_all(&folder).is_ok().then_some(folder);
        *self.folder.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    /// What is wrong with a layer of this digest whose contents have that one, or else what `verify` finds; none: nothing.
    pub async fn get<V: Future<Output = Result<Option<Why>, Fault>>>(
        &self,
        (layer, contents): (&Digest, &Digest),
        verify: impl FnOnce() -> V,
    ) -> Result<Option<Why>, Fault> {
        let key = (layer.clone(), contents.clone());
        let file = self.file(&key);
        let read = || async {
            if file.as_ref().is_some_and(|it| it.is_file()) {
                return Ok(None);
            }
            let verdict = verify().await?;
            if let (None, Some(file)) = (&verdict, &file) {
                let _ = fs::write(file, []);
            }
            Ok(verdict)
        };
        let verdict = self.memory.get(&key, read).await?;
        Ok((*verdict).clone())
    }

    fn file(&self, (layer, contents): &(Digest, Digest)) -> Option<PathBuf> {
        let folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{}-{}", layer.digits(), contents.digits());
        Some(folder.as_ref()?.join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Class;

    fn once<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(future)
    }

    #[test]
    fn a_good_layer_is_looked_into_once_and_a_fault_is_no_verdict() {
        let folder = tempfile::tempdir().expect("a folder");
        let (layer, contents) = (Digest::of(b"layer"), Digest::of(b"contents"));
        let fault = || Fault::new(Class::NotYet, "look", "no");
        let bad = Why::new("NotEstargz", "no");
        once(async {
            let verdicts = Verdicts::default();
            verdicts.keep_in(folder.path());
            let key = (&layer, &contents);
            let unknown = verdicts.get(key, async || Err(fault())).await;
            assert_eq!(unknown, Err(fault()));
            assert_eq!(verdicts.get(key, async || Ok(None)).await, Ok(None));
            assert_eq!(verdicts.get(key, async || Err(fault())).await, Ok(None));
            let other = (&contents, &layer);
            let found = verdicts.get(other, async || Ok(Some(bad.clone()))).await;
            assert_eq!(found, Ok(Some(bad.clone())));
            let second = Verdicts::default();
            second.keep_in(folder.path());
            assert_eq!(second.get(key, async || Err(fault())).await, Ok(None));
            // What is bad is looked into once more: another process may know better.
            assert_eq!(second.get(other, async || Ok(None)).await, Ok(None));
        });
    }
}
