//! GitHub's REST API: the versions of container packages, and runs of workflows.

use std::sync::Arc;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::fact::Complete;
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::providers::Settings;
use crate::providers::http::Http;
use crate::retry::Patience;

/// The client of GitHub. It remembers whole listings until [`GitHub::forget`], or until it changes them.
#[derive(Debug)]
pub struct GitHub {
    settings: Settings,
    http: Arc<Http>,
    patience: Arc<Patience>,
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

impl GitHub {
    /// Contacts nothing; fails when the settings name an endpoint that must not be used.
    pub(super) fn new(
        settings: &Settings,
        http: Arc<Http>,
        patience: Arc<Patience>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            settings: settings.clone(),
            http,
            patience,
        })
    }

    /// Forgets what was read: a new pass begins.
    pub fn forget(&self) {}

    /// All versions of a package that exist; a fault where there is no such package.
    pub async fn versions(&self, package: &Package) -> Result<Arc<Complete<Version>>, Fault> {
        Err(self.later(&package.name))
    }

    /// The versions that were deleted and can still be restored.
    pub async fn deleted_versions(&self, package: &Package) -> Result<Complete<Version>, Fault> {
        Err(self.later(&package.name))
    }

    /// Deletes a version with all its tags; one that is gone is as good.
    pub async fn delete_version(&self, package: &Package, id: u64) -> Result<(), Fault> {
        Err(self.later(&format!("{} {id}", package.name)))
    }

    /// Restores a deleted version.
    pub async fn restore_version(&self, package: &Package, id: u64) -> Result<(), Fault> {
        Err(self.later(&format!("{} {id}", package.name)))
    }

    /// The runs of a workflow that were dispatched on its branch, newest first, as many as one page holds.
    pub async fn runs(&self, workflow: &Workflow) -> Result<Arc<Vec<WorkflowRun>>, Fault> {
        Err(self.later(&workflow.workflow))
    }

    /// Starts a workflow and gives the number of its run.
    pub async fn dispatch(
        &self,
        workflow: &Workflow,
        inputs: &std::collections::BTreeMap<String, String>,
    ) -> Result<u64, Fault> {
        Err(self.later(&format!("{} {inputs:?}", workflow.workflow)))
    }

    fn later(&self, subject: &str) -> Fault {
        let _ = (&self.settings, &self.http, &self.patience);
        Fault::new(Class::NotYet, "ask GitHub", "this is not built").of(subject)
    }
}
