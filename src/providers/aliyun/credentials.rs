//! Who we are to Alibaba Cloud: the key from the environment, or from the profile file of its command line.
//!
//! Source: documentation of the Alibaba Cloud Credentials tools ("default credential provider chain") and of the
//! command line `aliyun` (`config.json`). A fault never quotes a value: it could be the secret.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::sign::encode;
use crate::fault::{Class, Fault};
use crate::providers::Settings;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text that must not be shown.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself, for signing.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A key, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id.
    pub key_id: String,
    /// The access key secret.
    pub secret: Secret,
    /// The security token of a temporary key.
    pub token: Option<Secret>,
    /// Where the key id was found, as in `ALIBABA_CLOUD_ACCESS_KEY_ID`.
    pub key_source: String,
    /// Where the secret was found.
    pub secret_source: String,
}

/// Secrets shorter than this are not looked for in texts: they would match anything.
const SCRUB_BYTES_MIN: usize = 6;
/// How much of a service's words is shown.
const WORDS_MAX: usize = 500;

impl Credentials {
    /// Finds the key: environment first, then the profile file.
    pub(super) fn find(settings: &Settings) -> Result<Self, Fault> {
        for (id, secret, token) in VARIABLES {
            let (key_id, found) = match (settings.get(id), settings.get(secret)) {
                (Some(key_id), Some(found)) => (key_id, found),
                (None, None) => continue,
                // Going on would find somebody else's key.
                (Some(_), None) => return Err(half(id, secret)),
                (None, Some(_)) => return Err(half(secret, id)),
            };
            return Ok(Self {
                key_id: key_id.to_owned(),
                secret: Secret::new(found),
                token: token.and_then(|it| settings.get(it)).map(Secret::new),
                key_source: id.to_owned(),
                secret_source: secret.to_owned(),
            });
        }
        match profile_file(settings) {
            Ok(path) => from_file(settings, &path),
            Err(why) => Err(missing(&why)),
        }
    }

    /// What a service said, fit to be shown: on one line, not too long, without the secrets.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in [Some(&self.secret), self.token.as_ref()]
            .into_iter()
            .flatten()
        {
            let mut shape = secret.reveal().to_owned();
            // As it is, as on the wire, and as in a string to sign.
            for _ in 0..3 {
                if shape.len() >= SCRUB_BYTES_MIN {
                    text = text.replace(&shape, "***");
                }
                shape = encode(&shape);
            }
        }
        let words = text.split(|it: char| it.is_control() || it.is_whitespace());
        let line = words
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        line.chars().take(WORDS_MAX).collect()
    }
}

/// Key id, secret and token; the second pair is the older name that workflows use.
const VARIABLES: [(&str, &str, Option<&str>); 2] = [
    (
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        Some("ALIBABA_CLOUD_SECURITY_TOKEN"),
    ),
    ("ALIYUN_ACCESS_KEY_ID", "ALIYUN_ACCESS_KEY_SECRET", None),
];

const DOING: &str = "find the credentials of Alibaba Cloud";

fn half(is_set: &str, is_not: &str) -> Fault {
    Fault::new(
        Class::Denied,
        DOING,
        &format!("{is_set} is set, {is_not} is not"),
    )
}

fn missing(profile: &str) -> Fault {
    let pairs = VARIABLES.map(|(id, secret, _)| format!("{id} with {secret}"));
    Fault::new(Class::Denied, DOING, "there are none").hint(&format!(
        "looked for {}, and the profile file: {profile}",
        pairs.join(", ")
    ))
}

/// The profile file, or why there is none.
fn profile_file(settings: &Settings) -> Result<PathBuf, String> {
    let switch = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED";
    if settings
        .get(switch)
        .is_some_and(|it| it.eq_ignore_ascii_case("true"))
    {
        return Err(format!("switched off by {switch}"));
    }
    if let Some(path) = settings.get("ALIBABA_CLOUD_CONFIG_FILE") {
        return Ok(PathBuf::from(path));
    }
    match settings.get("HOME") {
        Some(home) => Ok(Path::new(home).join(".aliyun").join("config.json")),
        None => Err("neither ALIBABA_CLOUD_CONFIG_FILE nor HOME is set".to_owned()),
    }
}

fn from_file(settings: &Settings, path: &Path) -> Result<Credentials, Fault> {
    let shown = path.display().to_string();
    let refuse = |why: &str| Fault::new(Class::Denied, DOING, why).of(&shown);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(missing(&format!("{shown} does not exist")));
        }
        Err(error) => return Err(refuse(&error.to_string())),
    };
    let file: Value = serde_json::from_str(&text)
        .map_err(|error| refuse(&format!("line {} is no JSON", error.line())))?;
    let name = match settings.get("ALIBABA_CLOUD_PROFILE") {
        Some(name) => name,
        None => file["current"].as_str().unwrap_or("default"),
    };
    let profiles = file["profiles"].as_array().into_iter().flatten();
    let profile = profiles
        .filter_map(Value::as_object)
        .find(|it| it.get("name").and_then(Value::as_str) == Some(name))
        .ok_or_else(|| refuse(&format!("there is no profile {name}")))?;
    from_profile(profile, &format!("profile {name} of {shown}"))
        .map_err(|why| refuse(&format!("profile {name}: {why}")))
}

fn from_profile(profile: &Map<String, Value>, source: &str) -> Result<Credentials, String> {
    let field = |name: &str| match profile.get(name).and_then(Value::as_str) {
        Some(value) if !value.is_empty() => Ok(value),
        Some(_) | None => Err(format!("{name} is missing")),
    };
    let mode = field("mode")?;
    let token = match mode.to_ascii_lowercase().as_str() {
        "ak" => None,
        "ststoken" => Some(Secret::new(field("sts_token")?)),
        _ => {
            return Err(format!(
                "mode {mode} is not supported, only AK and StsToken are"
            ));
        }
    };
    Ok(Credentials {
        key_id: field("access_key_id")?.to_owned(),
        secret: Secret::new(field("access_key_secret")?),
        token,
        key_source: source.to_owned(),
        secret_source: source.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
    const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
    const FILE: &str = r#"{"current": "ci", "unknown": 1, "profiles": [
        {"name": "ci", "mode": "AK", "access_key_id": "ci-id", "access_key_secret": "ci-secret"},
        {"name": "sts", "mode": "stsToken", "access_key_id": "sts-id", "access_key_secret": "sts-secret", "sts_token": "t"},
        {"name": "role", "mode": "RamRoleArn", "access_key_id": "x", "access_key_secret": "hidden-one"},
        {"name": "bad", "mode": "AK", "access_key_id": 7, "access_key_secret": "hidden-two"}]}"#;

    /// The key id, the secret and the token that are found, or the fault. The environment is written as `A=1 B=2`.
    fn find(
        environment: &str,
        file: Option<&str>,
    ) -> Result<(String, String, Option<String>), String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        if let Some(text) = file {
            std::fs::write(&path, text).expect("the file can be written");
        }
        let named = format!("ALIBABA_CLOUD_CONFIG_FILE={} {environment}", path.display());
        let pairs = named.split_whitespace().filter_map(|it| it.split_once('='));
        let named = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = Credentials::find(&Settings::new(named.collect()));
        let shown = format!("{found:?}");
        assert!(
            !shown.contains("secret\"") && !shown.contains("hidden"),
            "{shown}"
        );
        let reveal = |it: &Secret| it.reveal().to_owned();
        match found {
            Ok(it) => Ok((it.key_id, reveal(&it.secret), it.token.as_ref().map(reveal))),
            Err(fault) => Err(fault.to_string()),
        }
    }

    #[test]
    fn the_environment_wins_over_the_profile_file() {
        let own = |id: &str, secret: &str, token: Option<&str>| {
            Ok((id.to_owned(), secret.to_owned(), token.map(str::to_owned)))
        };
        for (environment, expected) in [
            (format!("{ID}=a {SECRET}=b"), own("a", "b", None)),
            (
                format!("{ID}=a {SECRET}=b ALIBABA_CLOUD_SECURITY_TOKEN=c"),
                own("a", "b", Some("c")),
            ),
            (
                format!("ALIYUN_ACCESS_KEY_ID=d ALIYUN_ACCESS_KEY_SECRET=e {ID}=a {SECRET}=b"),
                own("a", "b", None),
            ),
            (
                "ALIYUN_ACCESS_KEY_ID=d ALIYUN_ACCESS_KEY_SECRET=e".to_owned(),
                own("d", "e", None),
            ),
            (format!("{ID}= {SECRET}="), own("ci-id", "ci-secret", None)),
            (
                "ALIBABA_CLOUD_PROFILE=sts".to_owned(),
                own("sts-id", "sts-secret", Some("t")),
            ),
        ] {
            assert_eq!(find(&environment, Some(FILE)), expected, "{environment}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_a_secret() {
        for (environment, file, words) in [
            (
                "ALIBABA_CLOUD_PROFILE=role",
                Some(FILE),
                "profile role: mode RamRoleArn is not supported",
            ),
            (
                "ALIBABA_CLOUD_PROFILE=bad",
                Some(FILE),
                "profile bad: access_key_id is missing",
            ),
            (
                "ALIBABA_CLOUD_PROFILE=none",
                Some(FILE),
                "there is no profile none",
            ),
            ("", Some("{\"profiles\": [\n\"hidden"), "line 2 is no JSON"),
            ("", Some("[]"), "there is no profile default"),
            ("", None, "config.json does not exist"),
            (
                "ALIBABA_CLOUD_CLI_PROFILE_DISABLED=True",
                Some(FILE),
                "switched off by",
            ),
            (
                "ALIBABA_CLOUD_ACCESS_KEY_ID=a",
                Some(FILE),
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET is not",
            ),
        ] {
            let fault = find(environment, file).expect_err(words);
            assert!(fault.contains(words), "{fault}");
        }
    }
}
