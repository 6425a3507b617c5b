//! What may be written of a `Registry`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::providers::registry::{Login, Site};
use crate::resource::Problem;

/// A registry of container images, and who we are there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The host, with a port where it is not the usual one, as in `ghcr.io`.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?(:[0-9]{1,5})?$"))]
    pub host: String,
    /// Whether it is spoken to in plain http, which is allowed on loopback only.
    #[serde(default)]
    pub insecure: bool,
    /// The variables that hold a user's name and password; Docker's credential files, where nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// What becomes of attestations that are mirrored to it.
    #[serde(default)]
    pub attestations: Attestations,
    /// How many levels a repository's name may have, the namespace counted; 0: as many as one likes. Deeper names are
    /// flattened with `-`. The personal edition of Alibaba Cloud's registry takes 2.
    #[serde(default)]
    #[schemars(range(max = 32))]
    pub max_path_depth: u32,
    /// How a version is removed; by the host, where nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
}

/// The names of variables, never their values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    /// The variable that holds the user's name.
    #[schemars(regex(pattern = r"^RECONCILE_(USER|PASSWORD)_[A-Z0-9_]+$"))]
    pub username_env: String,
    /// The variable that holds the password.
    #[schemars(regex(pattern = r"^RECONCILE_(USER|PASSWORD)_[A-Z0-9_]+$"))]
    pub password_env: String,
}

/// What becomes of attestations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Attestations {
    /// They are mirrored.
    #[default]
    Keep,
    /// They are left out.
    Drop,
    /// They are mirrored, and left out once the registry refuses them.
    Auto,
}

/// How a version is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Deletion {
    /// By GitHub's Packages API.
    Packages,
    /// By deleting the manifest in the registry.
    Manifest,
    /// Not at all.
    Never,
}

impl Spec {
    /// The registry, as its client is told.
    pub fn site(&self) -> Site {
        Site {
            host: self.host.clone(),
            insecure: self.insecure,
            login: self.credentials.as_ref().map(|it| Login {
                username_env: it.username_env.clone(),
                password_env: it.password_env.clone(),
            }),
        }
    }

    /// How a version is removed here.
    pub fn deletion(&self) -> Deletion {
        let usual = match self.host.as_str() {
            "ghcr.io" => Deletion::Packages,
            host if host.ends_with(".aliyuncs.com") => Deletion::Never,
            _ => Deletion::Manifest,
        };
        self.deletion.unwrap_or(usual)
    }
}

pub(super) fn validate(_: &Spec) -> Vec<Problem> {
    Vec::new()
}
