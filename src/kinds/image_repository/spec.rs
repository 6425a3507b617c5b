//! What may be written of an `ImageRepository`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::resource::{Reference, Span};

/// A repository of container images: its required tags, where it is mirrored, what is retained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The `Registry` that it is in.
    pub registry_ref: Reference,
    /// Its name there, as in `example/app` (OCI distribution specification, "Pulling manifests").
    #[schemars(
        length(max = 255),
        regex(
            pattern = r"^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$"
        )
    )]
    pub repository: String,
    /// Every required tag serves exactly these.
    #[serde(default = "platforms")]
    #[schemars(length(min = 1), extend("uniqueItems" = true), inner(regex(pattern = r"^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?$")))]
    pub platforms: Vec<String>,
    /// The tags that it must serve.
    #[schemars(extend("uniqueItems" = true))]
    pub tags: Vec<Tag>,
    /// What a required tag is merged from.
    #[serde(default)]
    pub sources: Sources,
    /// How every layer is compressed; not managed, where nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Where the same tags are served as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<Mirror>,
    /// What is kept; not managed, where nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// What is done about a source that is missing; nothing, where nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_missing: Option<OnMissing>,
}

fn platforms() -> Vec<String> {
    vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()]
}

/// One required tag, or all that fit a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Tag {
    /// Exactly this one (OCI distribution specification, "Pulling manifests").
    Name(#[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$"))] String),
    /// Every tag for which the sources exist.
    Pattern(Pattern),
}

/// Which tags are required.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pattern {
    /// `*` stands for any text, `?` for one character.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_*?][A-Za-z0-9._*?-]{0,127}$"))]
    pub pattern: String,
}

/// What a required tag is merged from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sources {
    /// By platform: `<tag><suffix>` is the source.
    #[schemars(inner(regex(pattern = r"^[A-Za-z0-9._-]{1,64}$")))]
    pub suffix: BTreeMap<String, String>,
    /// What the sources of one tag must have in common.
    pub consistency: Consistency,
}

impl Default for Sources {
    fn default() -> Self {
        let suffix = [("linux/amd64", "-amd64"), ("linux/arm64", "-arm64")];
        Self {
            suffix: suffix
                .map(|(platform, suffix)| (platform.to_owned(), suffix.to_owned()))
                .into(),
            consistency: Consistency::default(),
        }
    }
}

/// What the sources of one tag must have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Consistency {
    /// The same `org.opencontainers.image.revision`.
    #[default]
    SameRevision,
    /// Nothing.
    Any,
}

/// How layers are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// eStargz, on every layer.
    Estargz,
}

/// Where the same tags are served as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mirror {
    /// The `Registry` that the copy is in.
    pub registry_ref: Reference,
    /// Its name there.
    #[schemars(
        length(max = 255),
        regex(
            pattern = r"^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$"
        )
    )]
    pub repository: String,
}

/// What is kept. Required tags, their sources and everything that they reach always are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retention {
    /// What becomes of other tags; nothing, where nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tagged: Option<Tagged>,
    /// What becomes of versions without a tag; nothing, where nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untagged: Option<Untagged>,
}

/// What becomes of tags that are not required.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tagged {
    /// The newest so many are kept.
    #[serde(default)]
    #[schemars(range(max = 1_000_000))]
    pub keep_last: u32,
    /// Tags that fit one of these patterns are kept.
    #[serde(default)]
    #[schemars(inner(regex(pattern = r"^[A-Za-z0-9_*?][A-Za-z0-9._*?-]{0,127}$")))]
    pub keep: Vec<String>,
    /// Only what is older goes.
    pub older_than: Span,
}

/// What becomes of versions without a tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Untagged {
    /// Only what is older goes; at least a day.
    pub older_than: Span,
}

/// What is done about a source that is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OnMissing {
    /// A workflow is started.
    pub dispatch: Dispatch,
}

/// A workflow that makes what is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dispatch {
    /// The repository on GitHub, as in `example/app`; the image's own name, where nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$"))]
    pub repository: Option<String>,
    /// The file of the workflow, as in `build.yml`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]+\.ya?ml$"))]
    pub workflow: String,
    /// The branch or tag that it runs on.
    #[serde(rename = "ref")]
    #[schemars(length(min = 1, max = 255))]
    pub reference: String,
    /// What it is given; `{{tag}}` and `{{platform}}` stand for what is missing.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
}
