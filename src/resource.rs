//! Resources as people declare them: read from YAML files, checked against the schemas of their kinds, written again.

mod amount;
mod check;
mod folder;
mod load;
mod named;
mod nearest;
mod quantity;
mod rule;
mod scalar;
mod schema;
mod tree;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::ResourceId;
use tree::{Flaw, Node, Place};

pub use amount::{Bytes, Decimal};
pub use load::{Declared, is_supported, read, read_text};
pub use named::{Files, NamedFile, NamedFiles};
pub use nearest::nearest;
pub use quantity::{Reference, Span};
pub use schema::{document_schema, schema, spec_schema};

/// What stands in `apiVersion:` of every document.
pub const API_VERSION: &str = "reconcile/v1alpha1";

/// A kind as far as the loader must know it.
#[derive(Clone, Debug)]
pub struct KindSchema {
    /// What stands in `kind:`.
    pub name: &'static str,
    /// What may stand in `spec:`, as [`spec_schema`] makes it.
    pub spec: Value,
}

/// Whether what a resource manages is wanted at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Goal {
    /// It is brought about and kept.
    #[default]
    Present,
    /// It is removed.
    Absent,
}

/// How much may be deleted at once. A limit that is left out is the default of the kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guards {
    /// The most objects of one group that one pass may delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_deletes: Option<u64>,
    /// The greatest part of a group of 10 objects or more that one pass may delete, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub max_delete_percent: Option<u64>,
}

/// How much may be deleted at once, once the defaults are filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most deletions of one group.
    pub max_deletes: u64,
    /// The most percent of one group.
    pub max_delete_percent: u64,
}

impl Limits {
    /// Where neither the file nor the kind says anything else.
    pub const USUAL: Self = Self {
        max_deletes: 10,
        max_delete_percent: 30,
    };
}

impl Guards {
    /// What is written, and `usual` where nothing is.
    pub fn limits(&self, usual: Limits) -> Limits {
        Limits {
            max_deletes: self.max_deletes.unwrap_or(usual.max_deletes),
            max_delete_percent: self.max_delete_percent.unwrap_or(usual.max_delete_percent),
        }
    }
}

impl From<Limits> for Guards {
    fn from(limits: Limits) -> Self {
        Self {
            max_deletes: Some(limits.max_deletes),
            max_delete_percent: Some(limits.max_delete_percent),
        }
    }
}

/// What holds for a resource of any kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Why this resource is observed and planned, but never acted on. Left out: it is acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        title = "a reason in 3 characters or more, other than true and false",
        length(min = 3),
        extend("not" = {"enum": ["true", "True", "TRUE", "false", "False", "FALSE"]})
    )]
    pub suspend: Option<String>,
    /// Whether what this resource manages is wanted (`Present`) or removed (`Absent`).
    #[serde(default)]
    pub ensure: Goal,
    /// How much may be deleted at once.
    #[serde(default)]
    pub guards: Guards,
}

/// What a resource is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The name, which only one resource of a kind may have.
    #[schemars(with = "Reference")]
    pub name: String,
    /// Labels to choose resources by.
    #[serde(default)]
    #[schemars(schema_with = "labels_schema")]
    pub labels: BTreeMap<String, String>,
}

/// Labels as Kubernetes has them (documentation: "Labels and Selectors"), and no `=` in them, for `--selector`.
fn labels_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": {
            "title": "letters and digits, with `-`, `_`, `.` and `/` between them, 63 at most",
            "pattern": "^[A-Za-z0-9]([-A-Za-z0-9_./]{0,61}[A-Za-z0-9])?$",
        },
        "additionalProperties": {
            "type": "string",
            "title": "letters and digits, with `-`, `_` and `.` between them, 63 at most",
            "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$",
        },
    })
}

/// Where a resource is declared.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file, from where the user stands, as in `state/images.yaml`.
    pub file: Arc<str>,
    document: Arc<Node>,
}

impl Source {
    /// The start of a file of which nothing more is known.
    pub fn start_of(file: &str) -> Self {
        let value = tree::Value::Refused;
        let place = Place::START;
        Self::of(&file.into(), Node { value, place })
    }

    fn of(file: &Arc<str>, document: Node) -> Self {
        Self {
            file: Arc::clone(file),
            document: Arc::new(document),
        }
    }

    /// Line and column of a path such as `spec.latest.imageId` or `spec.runnersOf[1]`, or of the nearest part of it
    /// that is written. Something that begins below its key stands where its key does.
    pub fn line(&self, path: &str) -> (usize, usize) {
        let Place { line, column } = self.document.find(path);
        (line, column)
    }

    /// The problem with its place.
    pub fn finding(&self, problem: &Problem) -> Finding {
        let place = self.document.find(&problem.path);
        let message = if problem.path.is_empty() {
            problem.message.clone()
        } else {
            format!("{}: {}", problem.path, problem.message)
        };
        Finding::new(&self.file, Flaw::new(place, message))
    }
}

/// A resource whose document is valid, before its kind has looked at its spec.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Kind and name.
    pub id: ResourceId,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `policy`, with its defaults.
    pub policy: Policy,
    /// `spec`, as the kind's schema has accepted it.
    pub spec: Value,
    /// Where it stands.
    pub source: Source,
}

/// A resource as its kind knows it.
#[derive(Clone, Debug)]
pub struct Resource<Spec> {
    /// Kind and name.
    pub id: ResourceId,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `policy`, with its defaults.
    pub policy: Policy,
    /// What is wanted.
    pub spec: Spec,
    /// What the files hold that the spec names.
    pub files: Files,
    /// Where it stands.
    pub source: Source,
}

/// Something wrong inside one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, as in `spec.requirements.cpu.min`; empty: the document as a whole.
    pub path: String,
    /// What is wrong, and what would be accepted.
    pub message: String,
}

impl Problem {
    /// Puts both together.
    pub fn new(path: &str, message: &str) -> Self {
        Self {
            path: path.to_owned(),
            message: message.to_owned(),
        }
    }
}

/// Something wrong at a place of a file; in the order of files, lines and columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The file, from where the user stands.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What was written, and what would be accepted.
    pub message: String,
}

impl Finding {
    fn new(file: &str, flaw: Flaw) -> Self {
        Self {
            file: file.to_owned(),
            line: flaw.place.line,
            column: flaw.place.column,
            message: flaw.message,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
        } = self;
        write!(f, "{file}:{line}:{column}: {message}")
    }
}

/// Writes a value as YAML, keys in alphabetical order (that of a document: apiVersion, kind, metadata, policy, spec).
pub fn to_yaml(value: &Value) -> String {
    serde_yaml::to_string(value).expect("every JSON value can be written as YAML")
}

/// Reads a YAML file of one document that is no resource, such as a scenario; an empty one is null. The error says line,
/// column and what is wrong, one flaw a line.
pub fn yaml_value(text: &str) -> Result<Value, String> {
    let (documents, mut flaws) = yaml::documents(text);
    if let [_, second, ..] = documents.as_slice() {
        let message = "a second document stands here, one is read".to_owned();
        flaws.push(Flaw::new(second.place, message));
    }
    if flaws.is_empty() {
        return Ok(documents.first().map_or(Value::Null, Node::to_json));
    }
    let lines = flaws
        .iter()
        .map(|Flaw { place, message }| format!("{}:{}: {message}", place.line, place.column));
    Err(lines.collect::<Vec<_>>().join("\n"))
}
