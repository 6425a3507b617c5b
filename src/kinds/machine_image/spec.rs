//! What may be written of a `MachineImage`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::architecture::Architecture;
use crate::resource::{Problem, Reference};

use super::recipe::{self, Backoff, Base, Provision, Share, each_architecture};

/// A line of custom images per architecture, named by a prefix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The `AliyunRegion` that they live in.
    pub region_ref: Reference,
    /// Images are `<prefix>-<arch>-latest` and `<prefix>-<arch>-YYYYMMDDHHMM`, in UTC.
    #[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9:_-]{0,99}$"))]
    pub name_prefix: String,
    /// The architectures, each a line of its own.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub architectures: Vec<Architecture>,
    /// How many are kept.
    #[serde(default)]
    pub retention: Retention,
    /// Which images that nobody owns become ours.
    #[serde(default)]
    pub adopt: Adopt,
    /// Which image `-latest` names; the newest, where nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Latest>,
    /// The image family of what `-latest` names; `<prefix>` and `<arch>` stand for what they say.
    #[serde(default = "image_family")]
    #[schemars(regex(pattern = r"^(<prefix>|[A-Za-z])([A-Za-z0-9:_-]|<prefix>|<arch>){1,99}$"))]
    pub image_family: String,
    /// What a build begins with; nothing is built, where nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// What is done on the machine before it becomes an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provision: Option<Provision>,
    /// When failed builds are given up.
    #[serde(default)]
    pub backoff: Backoff,
    /// The `InstanceClass` that builds each architecture.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "each_architecture::<Reference>")]
    pub instance_class_refs: BTreeMap<Architecture, Reference>,
    /// Any new value makes a new version.
    #[serde(default)]
    #[schemars(length(max = 128))]
    pub force_nonce: String,
    /// Who may use the image that `-latest` names; not managed, where nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
}

fn image_family() -> String {
    "<prefix>-<arch>".to_owned()
}

/// How many images are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Retention {
    /// Per architecture, `-latest` and dated together.
    #[schemars(range(min = 1, max = 1000))]
    pub keep: u32,
    /// Images that are never deleted: used by what cannot be seen from here.
    #[schemars(inner(regex(pattern = r"^m-[A-Za-z0-9]+$")))]
    pub keep_ids: Vec<String>,
    /// Whether the snapshots behind a deleted image go too.
    pub delete_snapshots: bool,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            keep: 5,
            keep_ids: Vec::new(),
            delete_snapshots: true,
        }
    }
}

/// Which images that nobody owns become ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Adopt {
    /// Those with exactly a name of this line and its architecture.
    #[default]
    ByNameAndArchitecture,
    /// None: ours is only what is tagged already.
    ByTag,
}

/// Which image `-latest` names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Latest {
    /// One image of the line, for its architecture: a rollback.
    #[schemars(regex(pattern = r"^m-[A-Za-z0-9]+$"))]
    pub image_id: String,
}

impl Spec {
    /// The family of the image that `-latest` names.
    pub fn family(&self, architecture: Architecture) -> String {
        self.image_family
            .replace("<prefix>", &self.name_prefix)
            .replace("<arch>", &architecture.to_string())
    }

    /// The id that `-latest` is pinned to.
    pub fn pinned(&self) -> Option<&str> {
        self.latest.as_ref().map(|it| it.image_id.as_str())
    }
}

pub(super) fn validate(spec: &Spec) -> Vec<Problem> {
    let mut problems = recipe::validate(spec);
    let mut problem = |path: &str, message: String| {
        problems.push(Problem {
            path: path.to_owned(),
            message,
        });
    };
    // ECS API reference, CreateImage, ImageName.
    let lower = spec.name_prefix.to_lowercase();
    if lower.starts_with("aliyun") || lower.starts_with("acs:") {
        let prefix = &spec.name_prefix;
        problem(
            "spec.namePrefix",
            format!(
                "`{prefix}` is no prefix: names of images must not begin with `aliyun` or `acs:`"
            ),
        );
    }
    let (family, count) = (&spec.image_family, spec.architectures.len());
    if count > 1 && !family.contains("<arch>") {
        problem(
            "spec.imageFamily",
            format!(
                "`{family}` would be one family for {count} architectures: write `<arch>` in it"
            ),
        );
    }
    problems
}
