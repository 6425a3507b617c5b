//! GitHub's REST API: versions of container packages, runs of workflows, jobs that wait, and runners.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::fact::Complete;
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::providers::Settings;
use crate::providers::cache::Cache;
use crate::providers::http::Http;
use crate::retry::Patience;

use self::app::App;
use self::kept::Kept;
use self::pace::Pace;
use self::packages::Owner;
use self::token::Account;

mod app;
mod call;
mod fault;
mod jobs;
mod kept;
mod listing;
mod pace;
mod packages;
mod runners;
mod runs;
mod token;

pub use self::jobs::{Job, Waiting};
pub use self::runners::{Registration, Runner, RunnersOf};

/// The name of the service in faults and counts.
const SERVICE: &str = "github";

/// The client of GitHub. It remembers whole listings until [`GitHub::forget`], or until it changes them.
#[derive(Debug)]
pub struct GitHub {
    account: Account,
    app: Option<App>,
    http: Arc<Http>,
    patience: Arc<Patience>,
    pace: Pace,
    /// Where packages were found; that does not change.
    owners: Mutex<BTreeMap<Package, Owner>>,
    versions: Cache<Package, Complete<Version>>,
    runs: Cache<Workflow, Vec<WorkflowRun>>,
    runners: Cache<RunnersOf, Complete<Runner>>,
    waiting: Cache<String, Waiting>,
    /// Runs none of whose jobs waited when they were last looked at, and when that was.
    quiet: Mutex<BTreeMap<u64, (jobs::Shown, Timestamp)>>,
    kept: Kept,
    /// Whether it was said that the version of the API ends.
    end: Once,
}

/// A container package, as in `example/team/app`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Package {
    /// The organization or user.
    pub owner: String,
    /// The name below it; it may hold slashes.
    pub name: String,
}

/// One version of a container package: one manifest with all its tags (GitHub REST API, "Packages").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// GitHub's number of it.
    pub id: u64,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its tags, sorted; empty: untagged.
    pub tags: Vec<String>,
    /// When it was pushed first.
    pub created: Timestamp,
    /// When it was last changed, its tags too.
    pub updated: Timestamp,
    /// When it was deleted; none: it was not, or GitHub does not tell.
    pub deleted: Option<Timestamp>,
}

/// One run of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowRun {
    /// GitHub's number of it.
    pub id: u64,
    /// Whether it is over.
    pub is_completed: bool,
    /// How it ended, as in `success`; none: it has not.
    pub conclusion: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Where a person looks at it.
    pub url: String,
}

/// A workflow of a repository, on a branch or tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Workflow {
    /// The repository, as in `example/app`.
    pub repository: String,
    /// The file's name or the workflow's number.
    pub workflow: String,
    /// The branch or tag.
    pub reference: String,
}

impl Package {
    /// The package behind a repository of `ghcr.io`; none: its name has no owner.
    pub fn of_repository(repository: &str) -> Option<Self> {
        let (owner, name) = repository.split_once('/')?;
        Some(Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} on {}",
            self.repository, self.workflow, self.reference
        )
    }
}

impl GitHub {
    /// Contacts nothing; fails when the settings name an endpoint that must not be used.
    pub(super) fn new(
        settings: &Settings,
        http: Arc<Http>,
        patience: Arc<Patience>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            account: Account::new(settings)?,
            app: App::new(settings)?,
            http,
            patience,
            pace: Pace::default(),
            owners: Mutex::default(),
            versions: Cache::default(),
            runs: Cache::default(),
            runners: Cache::default(),
            waiting: Cache::default(),
            quiet: Mutex::default(),
            kept: Kept::default(),
            end: Once::new(),
        })
    }

    /// Forgets what was read: a new pass begins.
    pub fn forget(&self) {
        self.versions.clear();
        self.runs.clear();
        self.runners.clear();
        self.waiting.clear();
    }

    /// Keeps answers in a folder too, so that the next process need not pay for what has not changed.
    pub fn keep_in(&self, folder: &Path) {
        self.kept.keep_in(folder);
    }

    /// How long GitHub serves nobody any more, where that is longer than a call waits; none: it does.
    pub fn pause(&self) -> Option<Duration> {
        self.pace.pause(self.patience.now())
    }

    /// All versions of a package that exist, once a pass; a fault where there is no such package.
    pub async fn versions(&self, package: &Package) -> Result<Arc<Complete<Version>>, Fault> {
        let read = || self.read_versions(package, packages::ACTIVE);
        self.versions.get(package, read).await
    }

    /// The versions that were deleted and can still be restored.
    pub async fn deleted_versions(&self, package: &Package) -> Result<Complete<Version>, Fault> {
        self.read_versions(package, packages::DELETED).await
    }

    /// Deletes a version with all its tags; one that is gone is as good.
    pub async fn delete_version(&self, package: &Package, id: u64) -> Result<(), Fault> {
        self.versions.forget(package);
        self.remove_version(package, id).await
    }

    /// Restores a deleted version.
    pub async fn restore_version(&self, package: &Package, id: u64) -> Result<(), Fault> {
        self.versions.forget(package);
        self.bring_back(package, id).await
    }

    /// The runs of a workflow on its branch, whatever started them, once a pass; newest first, as many as one page holds.
    pub async fn runs(&self, workflow: &Workflow) -> Result<Arc<Vec<WorkflowRun>>, Fault> {
        let read = || self.runs_now(workflow);
        self.runs.get(workflow, read).await
    }

    /// Starts a workflow and gives the number of its run; none: this server does not tell.
    ///
    /// It is sent once. When the answer is lost, a run that was made since then is taken for it; where there is none, the
    /// failure stands, and who starts it again must look at its runs before.
    pub async fn dispatch(
        &self,
        workflow: &Workflow,
        inputs: &BTreeMap<String, String>,
    ) -> Result<Option<u64>, Fault> {
        let before = self.runs_now(workflow).await?;
        self.runs.forget(workflow);
        let lost = Class::Unavailable {
            maybe_applied: true,
        };
        match self.start(workflow, inputs).await {
            Err(fault) if fault.class == lost => {
                let runs = self.runs_now(workflow).await?;
                let is_new = |it: &&WorkflowRun| before.iter().all(|old| old.id != it.id);
                let started = runs.iter().find(is_new);
                started.map(|it| Some(it.id)).ok_or(fault)
            }
            outcome => outcome,
        }
    }

    fn owner(&self, package: &Package) -> Option<Owner> {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.get(package).copied()
    }

    fn remember_owner(&self, package: &Package, owner: Owner) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.insert(package.clone(), owner);
    }
}
