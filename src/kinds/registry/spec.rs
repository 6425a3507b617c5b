//! What may be written of a `Registry`.

use std::net::Ipv4Addr;

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

pub(super) fn validate(spec: &Spec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (host, port) = match spec.host.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (spec.host.as_str(), None),
    };
    let mut problem = |path: &str, message: &str| problems.push(Problem::new(path, message));
    if !host.split('.').all(is_label) {
        let message = format!("`{host}` is no host: write one as in `ghcr.io`");
        problem("spec.host", &message);
    }
    if port.is_some_and(|it| it.parse::<u16>().unwrap_or(0) == 0) {
        let port = port.unwrap_or_default();
        let message = format!("`{port}` is no port: it is a number from 1 to 65535");
        problem("spec.host", &message);
    }
    if spec.insecure && !is_loopback(host) {
        let message =
            format!("`{host}` would be spoken to in plain http, which is allowed on loopback only");
        problem("spec.insecure", &message);
    }
    if let Some(credentials) = &spec.credentials
        && credentials.username_env == credentials.password_env
    {
        let message = format!(
            "`{}` holds the name already: a password stands in a variable of its own",
            credentials.password_env
        );
        problem("spec.credentials.passwordEnv", &message);
    }
    problems
}

/// Whether a part between two dots may be one of a host's name (RFC 1123, section 2.1).
fn is_label(part: &str) -> bool {
    !part.is_empty() && part.len() <= 63 && !part.starts_with('-') && !part.ends_with('-')
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<Ipv4Addr>();
    host == "localhost" || address.is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{Spec, validate};

    fn problems(spec: &str) -> Vec<String> {
        let spec: Spec = serde_json::from_str(spec).expect("the spec of a test can be read");
        validate(&spec).into_iter().map(|it| it.path).collect()
    }

    #[test]
    fn hosts_that_can_be_are_accepted() {
        for host in ["ghcr.io", "registry:5000", "localhost", "127.0.0.1:65535"] {
            let spec = format!(r#"{{"host": "{host}"}}"#);
            assert_eq!(problems(&spec), Vec::<String>::new(), "{host}");
        }
    }

    #[test]
    fn hosts_that_cannot_be_are_refused() {
        for host in ["a..b", "a.-b.c", "ghcr.io:0", "ghcr.io:65536"] {
            let spec = format!(r#"{{"host": "{host}"}}"#);
            assert_eq!(problems(&spec), ["spec.host"], "{host}");
        }
    }

    #[test]
    fn plain_http_is_refused_beyond_loopback() {
        for (host, is_fine) in [
            ("localhost:5000", true),
            ("127.8.0.1:5000", true),
            ("ghcr.io", false),
            ("127.0.0.1.example.com", false),
            ("10.0.0.1:5000", false),
        ] {
            let spec = format!(r#"{{"host": "{host}", "insecure": true}}"#);
            assert_eq!(problems(&spec).is_empty(), is_fine, "{host}");
        }
    }

    #[test]
    fn a_name_and_a_password_are_two_variables() {
        let spec = r#"{"host": "ghcr.io", "credentials": {"usernameEnv": "RECONCILE_USER_A", "passwordEnv": "RECONCILE_USER_A"}}"#;
        assert_eq!(problems(spec), ["spec.credentials.passwordEnv"]);
    }
}
