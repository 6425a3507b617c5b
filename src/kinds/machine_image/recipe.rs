//! What may be written of how images are built: from which base, by which script, on which machines.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::kinds::architecture::Architecture;
use crate::resource::{Problem, Span};

use super::spec::Spec;

/// The image that a build begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Base {
    /// The newest Available image of a family, by architecture.
    Family(
        #[schemars(schema_with = "each_architecture::<FamilyName>")] BTreeMap<Architecture, String>,
    ),
    /// The newest Available image that fits.
    Query(Query),
}

/// A name of an image family (ECS API reference, `CreateImage`, `ImageFamily`).
#[derive(JsonSchema)]
#[schemars(inline)]
#[expect(dead_code, reason = "it is there for its schema")]
struct FamilyName(#[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9:_.-]{1,127}$"))] String);

/// Which images fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Query {
    /// Whose they are (ECS API reference, `DescribeImages`, `ImageOwnerAlias`).
    pub owner: Owner,
    /// The distribution, as in `ubuntu`.
    #[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9_]{0,63}$"))]
    pub distribution: String,
    /// Exactly this release, as in `24.04`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._]{0,31}$"))]
    pub release: String,
}

/// Whose an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// Alibaba Cloud's.
    System,
    /// This account's.
    #[serde(rename = "self")]
    Own,
    /// Another account's, which shares it.
    Others,
    /// The marketplace's.
    Marketplace,
}

impl Owner {
    /// As it is written, and as the API has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Own => "self",
            Self::Others => "others",
            Self::Marketplace => "marketplace",
        }
    }
}

/// How the machine is made what the image shall hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provision {
    /// The script that is run on the machine: a path in the state folder.
    #[schemars(
        title = "a path in the state folder, without parts that begin with `.`,",
        regex(pattern = r"^[^/.][^/]*(/[^/.][^/]*)*$"),
        extend("examples" = ["scripts/provision.sh"])
    )]
    pub script: String,
    /// What the script finds in its environment.
    #[serde(default)]
    #[schemars(schema_with = "inputs")]
    pub inputs: BTreeMap<String, String>,
    /// How long the script may take.
    #[serde(default = "timeout")]
    pub timeout: Span,
}

fn timeout() -> Span {
    Span(Duration::from_secs(30 * 60))
}

/// Names of the environment as POSIX has them ("Environment Variable Definition").
fn inputs(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": {
            "title": "letters, digits and `_`, no digit first, 128 at most",
            "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$",
        },
        "additionalProperties": {"type": "string"},
    })
}

/// When failed builds of one version are given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Backoff {
    /// So many in a row.
    #[schemars(range(min = 1, max = 100))]
    pub limit: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { limit: 6 }
    }
}

/// Who may use the image that `-latest` names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Share {
    /// These accounts and no others.
    #[schemars(
        length(max = 50),
        extend("uniqueItems" = true),
        inner(regex(pattern = r"^[0-9]{5,20}$"))
    )]
    pub accounts: Vec<String>,
}

/// A map with an entry for each architecture.
pub(super) fn each_architecture<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let one = generator.subschema_for::<T>();
    json_schema!({"type": "object", "properties": {"amd64": one, "arm64": one}})
}

/// The field that names the builders of an architecture.
pub(super) fn class_field(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "spec.instanceClassRefs.amd64",
        Architecture::Arm64 => "spec.instanceClassRefs.arm64",
    }
}

pub(super) fn validate(spec: &Spec) -> Vec<Problem> {
    let mut problems = match (&spec.base, &spec.provision) {
        (Some(base), Some(_)) => lacking(spec, base),
        (Some(_), None) => vec![Problem::new(
            "spec.base",
            "nothing is made of a base without `spec.provision`: write both or none",
        )],
        (None, Some(_)) => vec![Problem::new(
            "spec.provision",
            "there is nothing to provision without `spec.base`: write both or none",
        )],
        (None, None) => idle(spec),
    };
    problems.extend(spec.provision.iter().flat_map(validate_provision));
    problems
}

/// What must be written for each architecture.
fn lacking(spec: &Spec, base: &Base) -> Vec<Problem> {
    let mut problems = Vec::new();
    for architecture in &spec.architectures {
        let has_base = match base {
            Base::Family(families) => families.contains_key(architecture),
            Base::Query(_) => true,
        };
        if !has_base {
            let message = format!("no family is given for {architecture}: add the key");
            problems.push(Problem::new("spec.base.family", &message));
        }
        if !spec.instance_class_refs.contains_key(architecture) {
            let message = format!("no InstanceClass is given for {architecture}: add the key");
            problems.push(Problem::new("spec.instanceClassRefs", &message));
        }
    }
    problems
}

/// What has no meaning where nothing is built.
fn idle(spec: &Spec) -> Vec<Problem> {
    let written = [
        (
            "spec.instanceClassRefs",
            !spec.instance_class_refs.is_empty(),
        ),
        ("spec.forceNonce", !spec.force_nonce.is_empty()),
    ];
    let written = written.into_iter().filter(|(_, is_written)| *is_written);
    let message =
        "nothing is built without `spec.base` and `spec.provision`: write them, or leave this out";
    written
        .map(|(path, _)| Problem::new(path, message))
        .collect()
}

/// Below, no machine finishes anything; above, a machine that hangs costs too much.
const TIMEOUT_MIN: Span = Span(Duration::from_secs(60));
const TIMEOUT_MAX: Span = Span(Duration::from_secs(12 * 3_600));

/// Names that shells and the loader of programs use themselves: a value in them would not arrive, or would change how the
/// script is run. Shells even carry out what stands in some.
const TAKEN: [&str; 26] = [
    "CDPATH",
    "DIRSTACK",
    "ENV",
    "EUID",
    "FUNCNAME",
    "GLOBIGNORE",
    "GROUPS",
    "HOME",
    "IFS",
    "LINENO",
    "OLDPWD",
    "OPTARG",
    "OPTIND",
    "PATH",
    "PIPESTATUS",
    "POSIXLY_CORRECT",
    "PPID",
    "PS4",
    "PWD",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SHLVL",
    "TMPDIR",
    "UID",
    "_",
];

/// Beginnings of such names.
const TAKEN_BEGINNINGS: [&str; 2] = ["BASH", "LD_"];

/// Names that the proxy of the region is handed over in.
const PROXIES: [&str; 4] = ["all_proxy", "http_proxy", "https_proxy", "no_proxy"];

fn validate_provision(provision: &Provision) -> Vec<Problem> {
    let mut problems = Vec::new();
    let timeout = provision.timeout;
    if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&timeout) {
        let message =
            format!("`{timeout}` is no time for a script: {TIMEOUT_MIN} to {TIMEOUT_MAX}");
        problems.push(Problem::new("spec.provision.timeout", &message));
    }
    for (name, value) in &provision.inputs {
        let path = format!("spec.provision.inputs.{name}");
        problems.extend(refusal(name, value).map(|it| Problem::new(&path, &it)));
    }
    problems
}

fn refusal(name: &str, value: &str) -> Option<String> {
    let is_taken = TAKEN.contains(&name) || TAKEN_BEGINNINGS.iter().any(|it| name.starts_with(it));
    if is_taken {
        return Some(format!(
            "`{name}` is a name that shells or programs use themselves: take another"
        ));
    }
    if PROXIES.iter().any(|it| name.eq_ignore_ascii_case(it)) {
        return Some(format!(
            "`{name}` is set from the region: write `network.proxy` in the AliyunRegion"
        ));
    }
    value
        .contains('\0')
        .then(|| "a NUL stands in it, which no environment can hold".to_owned())
}
