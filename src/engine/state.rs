//! What a run carries from pass to pass, in memory and on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::{ResourceId, Token};
use crate::kind::AnyOp;
use crate::plan::{Plan, Step, Verb};
use crate::store::folder::Folder;
use crate::store::journal::{Intent, Journal};
use crate::store::record::Record;

use super::guard::{self, Deletions, Ledger};
use super::look::{Look, token};

/// How long an effect may take to show in a listing before it is tried again.
const VISIBLE_AFTER: Duration = Duration::from_secs(120);

/// What a run carries from pass to pass.
#[derive(Debug)]
pub struct State {
    /// The number of the pass, from 1.
    pub pass: u32,
    /// What was said and remembered.
    pub record: Record,
    /// What was deleted so far.
    pub ledger: Ledger,
    journal: Journal,
    /// Where the record is kept; none: nowhere.
    folder: Option<PathBuf>,
    /// When the last look was over, and when it began.
    now: Timestamp,
    began: Timestamp,
}

impl State {
    /// The state of a run that writes nothing to disk.
    pub fn unkept(record: Record) -> Self {
        Self {
            pass: 1,
            record,
            ledger: Ledger::default(),
            journal: Journal::default(),
            folder: None,
            now: Timestamp::EPOCH,
            began: Timestamp::EPOCH,
        }
    }

    /// What a status directory holds, for a run that changes nothing in it.
    pub fn look_at(status: &Path) -> Self {
        Self {
            journal: Journal::look_at(status),
            ..Self::unkept(Record::read(status))
        }
    }

    /// The state that a status directory holds.
    pub fn kept_in(folder: &Folder) -> io::Result<Self> {
        Ok(Self {
            journal: Journal::open(folder.path())?,
            folder: Some(folder.path().to_owned()),
            ..Self::unkept(Record::read(folder.path()))
        })
    }

    /// Takes in a fresh look: closes what it shows to be over, and remembers what its plans ask for. What is newly
    /// remembered or forgotten is so on disk before anything is done.
    pub fn settle(&mut self, look: &Look) -> io::Result<()> {
        (self.now, self.began) = (look.now, look.began);
        self.journal.settle(&tokens(look))?;
        let mut is_news = false;
        for (id, planned) in &look.resources {
            let Ok(planned) = planned else { continue };
            for (group, deletions) in self.deletions(id, &planned.plan) {
                self.ledger.see(id, &group, deletions.existing, look.now);
            }
            let entry = self.record.resources.entry(id.clone()).or_default();
            for (what, when) in &planned.plan.remember {
                match when {
                    Some(when) => {
                        let before = entry.remembered.insert(what.to_string(), *when);
                        is_news |= before.is_none();
                    }
                    None => is_news |= entry.remembered.remove(what.as_ref()).is_some(),
                }
            }
        }
        if is_news { self.save() } else { Ok(()) }
    }

    /// Writes the record, where there is a place for it.
    pub fn save(&self) -> io::Result<()> {
        match &self.folder {
            Some(folder) => self.record.write(folder),
            None => Ok(()),
        }
    }

    /// Puts an intent on disk.
    pub fn begin(&mut self, intent: Intent) -> io::Result<()> {
        self.journal.begin(intent)
    }

    /// Whether an effect was begun before and not seen to be done.
    pub fn was_begun(&self, token: &Token) -> bool {
        self.intent(token).is_some()
    }

    /// Whether an effect was done so lately that the listings may not show it yet.
    pub fn is_settling(&self, token: &Token) -> bool {
        let done = self.intent(token).and_then(|it| it.done_at);
        done.is_some_and(|done| self.began.since(done) < VISIBLE_AFTER)
    }

    fn intent(&self, token: &Token) -> Option<&Intent> {
        self.journal.find(token)
    }

    /// The deletions of a plan, by group, and what counts already.
    pub(super) fn deletions(
        &self,
        id: &ResourceId,
        plan: &Plan<Box<dyn AnyOp>>,
    ) -> BTreeMap<String, Deletions> {
        let is_settling =
            |step: &Step<Box<dyn AnyOp>>| self.is_settling(&token(id, step.op.as_ref()));
        let mut groups = guard::deletions(plan, is_settling);
        self.ledger.recall(id, &mut groups, self.now);
        groups
    }

    /// Notes an effect that was done by `now`: the next look may not show it yet, and the guards count it.
    pub fn note(
        &mut self,
        (id, step): (&ResourceId, &Step<Box<dyn AnyOp>>),
        token: &Token,
        now: Timestamp,
    ) -> io::Result<()> {
        if let (Verb::Delete, Some(group)) = (step.op.verb(), &step.group) {
            self.ledger.note(id, group, now);
        }
        // Long after the look, where much had to be waited for.
        self.journal.done(token, now)
    }
}

/// The tokens of all steps, by resource.
fn tokens(look: &Look) -> BTreeMap<&ResourceId, BTreeSet<Token>> {
    let plans = look.resources.iter();
    let plans = plans.filter_map(|(id, it)| Some((id, &it.as_ref().ok()?.plan)));
    let tokens = |(id, plan): (_, &Plan<Box<dyn AnyOp>>)| {
        let steps = plan.steps.iter();
        (id, steps.map(|it| token(id, it.op.as_ref())).collect())
    };
    plans.map(tokens).collect()
}
