//! A plan that was saved: what it is of, what it would do, and a checksum, so that it is carried out as it is or not at
//! all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::ids::{ResourceId, Token, hex};
use crate::plan::Verb;
use crate::report::{Action, Cause, Outcome};
use crate::store::atomic;

use super::output::Failure;

/// The version of the file's form.
const FORMAT_VERSION: u32 = 1;
/// How many bytes a plan may have.
const BYTES_MAX: u64 = 64 << 20;

/// A saved plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PlanFile {
    format_version: u32,
    /// The version of the program that planned.
    pub(super) version: String,
    pub(super) planned_at: Timestamp,
    /// The hash of the state files.
    pub(super) state_hash: String,
    /// The account and the scope that each region was seen in.
    pub(super) regions: BTreeMap<ResourceId, Home>,
    /// What the plan is about.
    pub(super) resources: Vec<ResourceId>,
    pub(super) actions: Vec<Planned>,
    /// Of all that stands above.
    checksum: String,
}

/// Whose objects a region holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Home {
    pub(super) account: String,
    pub(super) scope: String,
}

/// One action of a saved plan; its id is the hash of its resource and effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Planned {
    pub(super) id: Token,
    pub(super) resource: ResourceId,
    pub(super) verb: Verb,
    pub(super) object: Option<String>,
    pub(super) summary: String,
    pub(super) effect: Value,
}

impl Planned {
    fn of(action: &Action) -> Self {
        Self {
            id: action.id.clone(),
            resource: action.resource.clone(),
            verb: action.verb,
            object: action.object.clone(),
            summary: action.summary.clone(),
            effect: action.effect.clone(),
        }
    }

    /// What is said of it when the new plan does not have it.
    pub(super) fn stale(&self) -> Action {
        Action {
            id: self.id.clone(),
            pass: 1,
            resource: self.resource.clone(),
            verb: self.verb,
            object: self.object.clone(),
            summary: self.summary.clone(),
            effect: self.effect.clone(),
            cause: Cause {
                kind: "file",
                at: None,
                detail: "the plan file".to_owned(),
            },
            result: Outcome::Stale("it is not planned any more".to_owned()),
        }
    }
}

impl PlanFile {
    /// The plan, of these files, regions and resources.
    pub(super) fn new(
        (state_hash, planned_at): (&str, Timestamp),
        regions: BTreeMap<ResourceId, Home>,
        resources: impl Iterator<Item = ResourceId>,
        actions: &[Action],
    ) -> Self {
        let planned = actions.iter().filter(|it| it.result == Outcome::Planned);
        let plan = Self {
            format_version: FORMAT_VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            planned_at,
            state_hash: state_hash.to_owned(),
            regions,
            resources: resources.collect(),
            actions: planned.map(Planned::of).collect(),
            checksum: String::new(),
        };
        let checksum = plan.sum();
        Self { checksum, ..plan }
    }

    /// Writes it as a whole or not at all.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(self).expect("a plan is made of JSON's types");
        text.push('\n');
        atomic::write(path, text.as_bytes()).map_err(|error| {
            let path = path.display();
            Failure::unfit(&format!("cannot save the plan ({path}): {error}"))
        })
    }

    /// Reads one that this program wrote and nobody changed.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let refuse = |code, why: &str| {
            let path = path.display();
            Failure::new(code, &format!("cannot apply the plan ({path}): {why}"))
        };
        let again = "plan again: reconcile plan --out";
        let mut text = String::new();
        let read = File::open(path).and_then(|it| it.take(BYTES_MAX).read_to_string(&mut text));
        read.map_err(|error| refuse(65, &error.to_string()))?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| refuse(65, &format!("line {} is no JSON", error.line())))?;
        let version = value["version"].as_str().unwrap_or_default();
        let ours = env!("CARGO_PKG_VERSION");
        if value["formatVersion"].is_u64() && version != ours {
            let why = format!("it is of version {version}, this is {ours}\n  hint: {again}");
            return Err(refuse(1, &why));
        }
        let plan: Self = serde_json::from_value(value)
            .map_err(|error| refuse(65, &format!("it is no saved plan: {error}")))?;
        if plan.format_version != FORMAT_VERSION || plan.sum() != plan.checksum {
            let why = format!("somebody has changed it since it was saved\n  hint: {again}");
            return Err(refuse(65, &why));
        }
        Ok(plan)
    }

    fn sum(&self) -> String {
        let plain = Self {
            checksum: String::new(),
            ..self.clone()
        };
        let text = serde_json::to_vec(&plain).expect("a plan is made of JSON's types");
        hex(&Sha256::digest(text))
    }
}
