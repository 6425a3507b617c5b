//! What all tags of a repository name, asked right before something is deleted there. No registry can be asked which tags
//! name a manifest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Location, Registries};
use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::Digest;

/// How many tags are asked for side by side; how fast a registry is asked is for its client to say.
const SIDE_BY_SIDE_MAX: usize = 32;
/// How long the answer counts as of right now: else a thousand tags would be asked for before each of a hundred deletions.
const FRESH: Duration = Duration::from_secs(10);

/// What each tag of a repository names.
type Names = Arc<BTreeMap<String, Digest>>;

/// The latest answers, and when each was asked for.
#[derive(Debug, Default)]
pub(super) struct Named(Mutex<BTreeMap<Location, (Timestamp, Names)>>);

impl Named {
    fn since(&self, at: &Location, now: Timestamp) -> Option<Names> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, names) = answers.get(at)?;
        (now.since(*asked) < FRESH).then(|| Arc::clone(names))
    }

    fn note(&self, at: &Location, (asked, names): (Timestamp, Names)) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(at.clone(), (asked, names));
    }

    /// A new pass begins.
    pub(super) fn clear(&self) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.clear();
    }
}

impl Registries {
    /// What each tag names, as of the last ten seconds. A tag that goes meanwhile is left out.
    pub async fn named(&self, at: &Location) -> Result<Names, Fault> {
        let asked = self.patience.now();
        if let Some(names) = self.named.since(at, asked) {
            return Ok(names);
        }
        let tags = self.tags_now(at).await?;
        let heads: Vec<_> = tags.items().iter().map(|it| self.name(at, it)).collect();
        let heads = stream::iter(heads).buffered(SIDE_BY_SIDE_MAX);
        let names: Vec<Option<(String, Digest)>> = heads.try_collect().await?;
        let names: Names = Arc::new(names.into_iter().flatten().collect());
        self.named.note(at, (asked, Arc::clone(&names)));
        Ok(names)
    }

    async fn name(&self, at: &Location, tag: &str) -> Result<Option<(String, Digest)>, Fault> {
        let head = self.head_now(at, tag).await?;
        Ok(head.map(|it| (tag.to_owned(), it.digest)))
    }
}
