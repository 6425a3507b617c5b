//! Intents: what was about to be done. One is on disk before its effect, and closes by what is seen afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{ResourceId, Token};

use super::atomic;

/// One effect that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its token.
    pub token: Token,
    /// The resource that wants it.
    pub resource: ResourceId,
    /// The effect.
    pub op: serde_json::Value,
    /// When it was first begun, by the local clock.
    pub opened_at: Timestamp,
    /// When the service said that it was done, by the service's clock; none: it did not say so yet.
    #[serde(default)]
    pub done_at: Option<Timestamp>,
}

/// The intents of a status directory, a file each.
#[derive(Debug, Default)]
pub struct Journal {
    /// None: nothing is written.
    folder: Option<PathBuf>,
    open: BTreeMap<Token, Intent>,
}

impl Journal {
    /// Reads what is open. A file that cannot be read as an intent is removed: the world tells what became of it.
    pub fn open(status: &Path) -> io::Result<Self> {
        let folder = status.join("intents");
        fs::create_dir_all(&folder)?;
        let mut open = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let intent = fs::read(&path)
                .ok()
                .and_then(|it| serde_json::from_slice::<Intent>(&it).ok());
            match intent {
                Some(intent) if path == file(&folder, &intent.token) => {
                    open.insert(intent.token.clone(), intent);
                }
                Some(_) | None => atomic::remove(&path)?,
            }
        }
        Ok(Self {
            folder: Some(folder),
            open,
        })
    }

    /// Reads what is open, for who changes nothing. What cannot be read is left out.
    pub fn look_at(status: &Path) -> Self {
        let entries = fs::read_dir(status.join("intents")).into_iter().flatten();
        let intent = |entry: io::Result<fs::DirEntry>| {
            let bytes = fs::read(entry.ok()?.path()).ok()?;
            let intent = serde_json::from_slice::<Intent>(&bytes).ok()?;
            Some((intent.token.clone(), intent))
        };
        let open = entries.filter_map(intent).collect();
        Self { folder: None, open }
    }

    /// The intents that are open.
    pub fn intents(&self) -> impl Iterator<Item = &Intent> {
        self.open.values()
    }

    /// The intent of an effect that was begun and not seen to be done.
    pub fn find(&self, token: &Token) -> Option<&Intent> {
        self.open.get(token)
    }

    /// Puts an intent on disk; one that is there already stays as it is.
    pub fn begin(&mut self, intent: Intent) -> io::Result<()> {
        if self.find(&intent.token).is_some() {
            return Ok(());
        }
        self.write(&intent)?;
        self.open.insert(intent.token.clone(), intent);
        Ok(())
    }

    /// Notes that the service said so: until listings show it, it is not tried again.
    pub fn done(&mut self, token: &Token, at: Timestamp) -> io::Result<()> {
        if let Some(intent) = self.open.get_mut(token) {
            intent.done_at = Some(at);
            let intent = intent.clone();
            self.write(&intent)?;
        }
        Ok(())
    }

    fn write(&self, intent: &Intent) -> io::Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let content = serde_json::to_vec(intent).expect("an intent is made of JSON's types");
        atomic::write(&file(folder, &intent.token), &content)
    }

    /// Closes the intents that the fresh plan of their resource no longer has: the world shows that they are done, or
    /// that nobody wants them any more. Those of a resource without a fresh plan stay open.
    pub fn settle(&mut self, planned: &BTreeMap<&ResourceId, BTreeSet<Token>>) -> io::Result<()> {
        let is_over = |it: &Intent| {
            let planned = planned.get(&it.resource);
            planned.is_some_and(|planned| !planned.contains(&it.token))
        };
        if let Some(folder) = &self.folder {
            for intent in self.open.values().filter(|it| is_over(it)) {
                atomic::remove(&file(folder, &intent.token))?;
            }
        }
        self.open.retain(|_, it| !is_over(it));
        Ok(())
    }
}

fn file(folder: &Path, token: &Token) -> PathBuf {
    folder.join(format!("{token}.json"))
}
