//! What runner lists tell about machines: who has work, and which records are left of machines that are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::fault::Fault;
use crate::kind::Context;
use crate::plan::pages;
use crate::providers::github::{Runner, RunnersOf};

use super::spec::Spec;

/// How long a record must be without a machine before it is taken for left: as long as a listing of instances may be late,
/// and longer than a machine takes to come after its registration.
pub(super) const LEFT_AFTER: Duration = Duration::from_secs(15 * 60);
/// What is remembered of records without a machine begins so.
const LEFT: &str = "left";
/// GitHub's pages.
const PAGE: usize = 100;

/// The record of a runner, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose runner it is.
    pub of: RunnersOf,
    /// What GitHub says.
    pub runner: Runner,
}

/// What one machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Work {
    /// Nothing can tell.
    Untold,
    /// Its runner has a job.
    Busy,
    /// Its runner is connected and has no job.
    Idle,
    /// It has no runner that is connected.
    Silent,
}

/// What runner lists say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// All records, by their name, which is that of their machine.
    pub by_name: BTreeMap<String, Vec<Record>>,
    /// How many pages each list has.
    pub listings: BTreeMap<String, u64>,
    /// Since when records are known to have no machine.
    pub left: BTreeMap<String, Timestamp>,
}

impl Record {
    /// What is remembered of it is called so.
    pub(super) fn key(&self) -> String {
        format!("{LEFT} {} {}", self.of, self.runner.id)
    }
}

impl Records {
    /// What the machine of this name does.
    pub(super) fn work(&self, name: &str) -> Work {
        let records = self.by_name.get(name).into_iter().flatten();
        let said = records.map(|it| match (it.runner.is_busy, it.runner.is_online) {
            (true, _) => Work::Busy,
            (false, true) => Work::Idle,
            (false, false) => Work::Silent,
        });
        let rank = |it: &Work| match it {
            Work::Busy => 3,
            Work::Idle => 2,
            Work::Silent => 1,
            Work::Untold => 0,
        };
        said.max_by_key(rank).unwrap_or(Work::Silent)
    }

    /// The records of runners for one job that no machine has, `machines` being the names of all that are there. Whether one
    /// that is for many jobs has a machine elsewhere nobody can tell.
    pub(super) fn left<'a>(
        &'a self,
        machines: &'a BTreeSet<String>,
    ) -> impl Iterator<Item = &'a Record> {
        let all = self.by_name.values().flatten();
        all.filter(|it| is_over(&it.runner) && !machines.contains(&it.runner.name))
    }
}

/// Whether nobody is this runner now, and nobody needs to be.
pub(super) fn is_over(runner: &Runner) -> bool {
    !runner.is_online && !runner.is_busy && runner.is_ephemeral == Some(true)
}

/// The lists that a policy names; none: it names none.
pub(super) fn lists(spec: &Spec) -> Vec<RunnersOf> {
    let written = spec.runners_of.iter().flatten();
    written.filter_map(|it| RunnersOf::parse(it)).collect()
}

/// Reads all lists; one that cannot be read leaves everything unknown.
pub(super) async fn read(spec: &Spec, context: &Context<'_>) -> Option<Fact<Records>> {
    spec.runners_of.as_ref()?;
    Some(match read_all(spec, context).await {
        Ok(records) => Fact::Known(records),
        Err(fault) => Fact::Unknown(fault),
    })
}

async fn read_all(spec: &Spec, context: &Context<'_>) -> Result<Records, Fault> {
    let mut records = Records::default();
    for of in lists(spec) {
        let listed = context.clients.github.runners(&of).await?;
        let listing = format!("github runners {of}");
        let count = listed.items().len();
        records.listings.insert(listing, pages(count, PAGE));
        for runner in listed.items() {
            let record = Record {
                of: of.clone(),
                runner: runner.clone(),
            };
            let same = records.by_name.entry(runner.name.clone());
            same.or_default().push(record);
        }
    }
    let remembered = context.remembered.iter();
    let left = remembered.filter(|it| it.0.starts_with(LEFT));
    records.left = left.map(|(key, at)| (key.clone(), *at)).collect();
    Ok(records)
}
