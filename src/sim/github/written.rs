//! GitHub as a scenario writes it: tokens and limits, workflows and what their runs do.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::sim::registry::written::Repository;

/// Who may ask GitHub, and how much.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GitHub {
    /// The tokens that it accepts; where there is none, there is no GitHub.
    pub tokens: Vec<Token>,
    /// Apps that are installed; their tokens come besides.
    pub apps: Vec<App>,
    /// Which owners are organizations; all others are users.
    pub organizations: BTreeSet<String>,
    /// Repositories that have another name now, by their old one.
    pub renamed: BTreeMap<String, String>,
    /// Requests that a token may make in an hour (GitHub Docs, "Rate limits for the REST API").
    pub per_hour: u64,
    /// Points that a token may use in a minute: one for a read, five for a write (same place, "About secondary rate
    /// limits").
    pub points_per_minute: u64,
}

impl Default for GitHub {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            apps: Vec::new(),
            organizations: BTreeSet::new(),
            renamed: BTreeMap::new(),
            per_hour: 5000,
            points_per_minute: 900,
        }
    }
}

/// A token (GitHub Docs, "Managing your personal access tokens").
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Token {
    pub token: String,
    /// Whose it is.
    pub login: String,
    /// As in `repo`, `admin:org`, `actions` (the token of a workflow: runs and jobs alone), `read:packages`, `write:packages`, `delete:packages`.
    pub scopes: BTreeSet<String>,
}

/// A GitHub App and its installation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct App {
    /// Its client id.
    pub id: String,
    pub installation: u64,
    /// Its public key: DER of PKCS#1 in base64.
    pub public_key: String,
    /// What the tokens of its installation may, in the words of other tokens.
    pub scopes: BTreeSet<String>,
    /// How long such a token lasts, in seconds.
    #[serde(default = "an_hour")]
    pub seconds: u64,
}

fn an_hour() -> u64 {
    3600
}

impl Token {
    pub(crate) fn may(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }
}

/// A workflow of a repository that can be dispatched.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workflow {
    /// As in `example/app`.
    pub repository: String,
    /// The name of its file, as in `build.yml`.
    pub file: String,
    /// The branches and tags that it can run on.
    #[serde(default = "main_branch")]
    pub refs: BTreeSet<String>,
    /// The inputs that it knows.
    #[serde(default)]
    pub inputs: BTreeSet<String>,
    /// How long a run waits in seconds.
    #[serde(default = "five")]
    pub queued_seconds: u64,
    /// How long a run takes after that, in seconds.
    #[serde(default = "hundred")]
    pub seconds: u64,
    /// How its runs end, in their order; the last one goes for all that follow.
    #[serde(default = "success")]
    pub conclusions: Vec<String>,
    /// What a run that succeeds pushes, by host and repository; in tags, revisions and layers `{{name}}` stands for an
    /// input.
    #[serde(default)]
    pub pushes: BTreeMap<String, BTreeMap<String, Repository>>,
    /// Runs that were started before.
    #[serde(default)]
    pub runs: Vec<Past>,
}

/// A run that was started before, by somebody.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Past {
    /// When.
    pub created: Timestamp,
    /// On which branch or tag.
    #[serde(rename = "ref", default = "main_name")]
    pub reference: String,
    /// What started it.
    #[serde(default = "dispatched")]
    pub event: String,
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
}

fn main_name() -> String {
    "main".to_owned()
}

fn main_branch() -> BTreeSet<String> {
    BTreeSet::from([main_name()])
}

fn dispatched() -> String {
    "workflow_dispatch".to_owned()
}

fn success() -> Vec<String> {
    vec!["success".to_owned()]
}

fn five() -> u64 {
    5
}

fn hundred() -> u64 {
    100
}
