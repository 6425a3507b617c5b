//! Runners and jobs as a scenario writes them.

use serde::Deserialize;

use crate::clock::Timestamp;

/// A runner that is there without anybody having registered it in this world.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Runner {
    /// Whose it is: `example/app` or `example`.
    pub of: String,
    /// Its name. An instance of the same name is its machine; where there is none, it is somewhere else.
    pub name: String,
    #[serde(default)]
    pub online: bool,
    #[serde(default)]
    pub busy: bool,
    /// Whether it goes after one job.
    #[serde(default = "yes")]
    pub ephemeral: bool,
    #[serde(default)]
    pub labels: Vec<String>,
}

/// A job of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Job {
    /// As in `example/app`.
    pub repository: String,
    #[serde(default = "build")]
    pub name: String,
    /// What `runs-on` asks for.
    pub labels: Vec<String>,
    /// When it comes to be queued; left out: as soon as it is put.
    #[serde(default)]
    pub queued: Option<Timestamp>,
    /// How long a runner has it, in seconds.
    #[serde(default = "five_minutes")]
    pub seconds: u64,
    /// How it ends, unless its runner is lost or it is cancelled.
    #[serde(default = "success")]
    pub conclusion: String,
    /// When somebody cancels it; left out: nobody does.
    #[serde(default)]
    pub cancelled: Option<Timestamp>,
    /// `waiting` or `pending`, for one that may not begin; left out: it may.
    #[serde(default)]
    pub held: Option<String>,
    /// Jobs with the same text here are of one run; left out: it has a run of its own.
    #[serde(default)]
    pub run: Option<String>,
}

fn yes() -> bool {
    true
}

fn build() -> String {
    "build".to_owned()
}

fn five_minutes() -> u64 {
    300
}

fn success() -> String {
    "success".to_owned()
}
