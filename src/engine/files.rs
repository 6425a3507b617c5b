//! The state files that are in force while the daemon runs: the last ones that were valid.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::ids::ResourceId;
use crate::plan::{Notice, Why};
use crate::resource::{Finding, Problem, Source};

use super::load::Inventory;
use super::select::Filter;

/// What reading the state files gives.
type Loaded = Result<Inventory, Vec<Finding>>;

/// The state files in force, and what is wrong with those that are there by now.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) inventory: Inventory,
    since: Timestamp,
    broken: Vec<Finding>,
}

/// What became of the files since they were last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// Others are in force, or what is wrong with them is mended.
    Taken,
    /// Something else is wrong with them; those before stay in force.
    Broken,
}

impl Files {
    /// Begins with files that must be valid.
    pub(super) fn first(loaded: Loaded, now: Timestamp) -> Result<Self, Vec<Finding>> {
        Ok(Self {
            inventory: loaded?,
            since: now,
            broken: Vec::new(),
        })
    }

    /// Takes what is there now, if it is valid and chooses anything.
    pub(super) fn take(&mut self, loaded: Loaded, filter: &Filter, now: Timestamp) -> Change {
        let loaded = loaded.and_then(|it| self.refuse_emptied(it, filter));
        match loaded {
            Ok(inventory) if inventory.hash == self.inventory.hash => {
                if std::mem::take(&mut self.broken).is_empty() {
                    Change::None
                } else {
                    Change::Taken
                }
            }
            Ok(inventory) => {
                *self = Self {
                    inventory,
                    since: now,
                    broken: Vec::new(),
                };
                Change::Taken
            }
            Err(findings) if findings == self.broken => Change::None,
            Err(findings) => {
                self.broken = findings;
                Change::Broken
            }
        }
    }

    /// A folder that is empty all at once is being written, or was emptied by mistake.
    fn refuse_emptied(&self, inventory: Inventory, filter: &Filter) -> Loaded {
        let chosen = |it: &Inventory| filter.choose(it);
        if !chosen(&inventory).is_empty() || chosen(&self.inventory).is_empty() {
            return Ok(inventory);
        }
        let of = self.inventory.resources.values().next();
        let file = of.map_or("state", |it| it.source().file.as_ref());
        let message = "nothing that is managed here is declared any more";
        Err(vec![
            Source::start_of(file).finding(&Problem::new("", message)),
        ])
    }

    /// What is wrong with the files that are there; empty: nothing.
    pub(super) fn broken(&self) -> &[Finding] {
        &self.broken
    }

    /// What every resource says while something is wrong.
    pub(super) fn notice(&self) -> Option<Notice> {
        let first = self.broken.first()?;
        let count = self.broken.len();
        let noun = if count == 1 { "error" } else { "errors" };
        let since = self.since;
        let message =
            format!("{count} {noun} in the state files, those of {since} stay in force: {first}");
        Some(Notice {
            kind: "StateFilesInvalid",
            why: Why::new("StateFilesInvalid", message),
        })
    }

    pub(super) fn chosen(&self, filter: &Filter) -> BTreeSet<ResourceId> {
        filter.choose(&self.inventory)
    }
}
