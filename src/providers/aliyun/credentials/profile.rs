//! The profile file of the command line `aliyun`.
//!
//! Source: aliyun-cli, `config/profile.go` and `config/configuration.go`. Keys that are not known are ignored.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::oidc::TokenSource;
use super::role::{Role, identity_provider};
use super::{Credentials, DOING, Provider, Secret, metadata, uri};
use crate::fault::{Class, Fault};
use crate::providers::Settings;
use crate::providers::aliyun::endpoint::sts_host;

const DISABLED: &str = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED";
const FILE: &str = "ALIBABA_CLOUD_CONFIG_FILE";
const PROFILE: &str = "ALIBABA_CLOUD_PROFILE";

const MODES: &str =
    "AK, StsToken, RamRoleArn, EcsRamRole, OIDC, ChainableRamRoleArn and CredentialsURI";

/// Where the file is, and whether somebody said that it is there.
fn place(settings: &Settings) -> Result<(PathBuf, bool), String> {
    if settings.is_true(DISABLED) {
        return Err(format!("switched off by {DISABLED}"));
    }
    if let Some(path) = settings.get(FILE) {
        return Ok((PathBuf::from(path), true));
    }
    match settings.get("HOME") {
        Some(home) => {
            let path = Path::new(home).join(".aliyun").join("config.json");
            Ok((path, settings.get(PROFILE).is_some()))
        }
        None => Err(format!("neither {FILE} nor HOME is set")),
    }
}

/// Why there is no such file.
pub(super) fn absent(settings: &Settings) -> String {
    match place(settings) {
        Ok((path, _)) => format!("{} does not exist", path.display()),
        Err(why) => why,
    }
}

/// What the chosen profile says; none: there is no file.
pub(super) fn configured(settings: &Settings) -> Result<Option<Provider>, Fault> {
    let Ok((path, is_said)) = place(settings) else {
        return Ok(None);
    };
    let shown = path.display().to_string();
    let refuse = |why: &str| Fault::new(Class::Denied, DOING, why).of(&shown);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && !is_said => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let named_by = if settings.get(FILE).is_some() {
                FILE
            } else {
                PROFILE
            };
            return Err(refuse(&format!(
                "it does not exist, and {named_by} says that it does"
            )));
        }
        Err(error) => return Err(refuse(&error.to_string())),
    };
    let file: Value = serde_json::from_str(&text)
        .map_err(|error| refuse(&format!("line {} is no JSON", error.line())))?;
    let name = match settings.get(PROFILE) {
        Some(name) => name,
        None => file["current"].as_str().unwrap_or("default"),
    };
    let profiles = Profiles {
        settings,
        file: &file,
        shown: &shown,
    };
    let provider = profiles.provider(name, &[]);
    provider.map(Some).map_err(|why| refuse(&why))
}

/// All profiles of a file.
struct Profiles<'a> {
    settings: &'a Settings,
    file: &'a Value,
    shown: &'a str,
}

impl Profiles<'_> {
    /// What a profile says. `path` holds the profiles that have led to it.
    fn provider(&self, name: &str, path: &[&str]) -> Result<Provider, String> {
        if path.contains(&name) {
            let circle = [path, &[name]].concat().join(", ");
            return Err(format!(
                "profiles refer to each other in a circle: {circle}"
            ));
        }
        let profiles = self.file["profiles"].as_array().into_iter().flatten();
        let mut profiles = profiles.filter_map(Value::as_object);
        let fields = profiles.find(|it| it.get("name").and_then(Value::as_str) == Some(name));
        let profile = Profile {
            fields: fields.ok_or_else(|| format!("there is no profile {name}"))?,
            source: format!("profile {name} of {}", self.shown),
        };
        let source_profile = |with: &str| self.provider(with, &[path, &[name]].concat());
        let provider = profile.provider(self.settings, source_profile);
        provider.map_err(|why| match why {
            Why::Here(why) => format!("profile {name}: {why}"),
            Why::Elsewhere(why) => why,
        })
    }
}

/// What is wrong, and whether this profile's name belongs to it.
enum Why {
    Here(String),
    Elsewhere(String),
}

impl From<String> for Why {
    fn from(why: String) -> Self {
        Self::Here(why)
    }
}

impl From<Fault> for Why {
    fn from(fault: Fault) -> Self {
        Self::Here(fault.message)
    }
}

/// One profile.
struct Profile<'a> {
    fields: &'a Map<String, Value>,
    source: String,
}

impl Profile<'_> {
    fn provider(
        &self,
        settings: &Settings,
        source_profile: impl FnOnce(&str) -> Result<Provider, String>,
    ) -> Result<Provider, Why> {
        let mode = self.need("mode")?;
        let role_key = || self.key(self.optional("sts_token"));
        // The command line matches in any case, the official libraries do not.
        match mode.to_ascii_lowercase().as_str() {
            "ak" => Ok(self.key(None)?),
            "ststoken" => Ok(self.key(Some(self.need("sts_token")?))?),
            "ramrolearn" => Ok(Provider::Role {
                with: Box::new(role_key()?),
                role: self.role()?,
            }),
            "chainableramrolearn" => {
                let with = source_profile(self.need("source_profile")?).map_err(Why::Elsewhere)?;
                Ok(Provider::Role {
                    with: Box::new(with),
                    role: self.role()?,
                })
            }
            "oidc" => Ok(Provider::Oidc {
                token: TokenSource::File(PathBuf::from(self.need("oidc_token_file")?)),
                provider_arn: identity_provider(
                    self.need("oidc_provider_arn")?,
                    "oidc_provider_arn",
                )?,
                role: self.role()?,
            }),
            "ecsramrole" => {
                let role = self.optional("ram_role_name");
                Ok(metadata::named(settings, role, "ram_role_name")?)
            }
            "credentialsuri" => Ok(Provider::Uri(uri::parse(
                self.need("credentials_uri")?,
                "credentials_uri",
            )?)),
            _ => Err(Why::Here(format!(
                "mode {mode} is not supported, {MODES} are"
            ))),
        }
    }

    fn optional(&self, name: &str) -> Option<&str> {
        let value = self.fields.get(name).and_then(Value::as_str);
        value.filter(|it| !it.is_empty())
    }

    fn need(&self, name: &str) -> Result<&str, String> {
        self.optional(name)
            .ok_or_else(|| format!("{name} is missing"))
    }

    fn key(&self, token: Option<&str>) -> Result<Provider, String> {
        Ok(Provider::Key(Arc::new(Credentials {
            key_id: self.need("access_key_id")?.to_owned(),
            secret: Secret::new(self.need("access_key_secret")?),
            token: token.map(Secret::new),
            key_source: self.source.clone(),
            secret_source: self.source.clone(),
        })))
    }

    fn role(&self) -> Result<Role, Why> {
        let mut role = Role::new(self.need("ram_role_arn")?, "ram_role_arn")?;
        // The command line and one of the official libraries differ in this name.
        for field in ["role_session_name", "ram_session_name"] {
            if let Some(name) = self.optional(field) {
                role = role.called(name, field)?;
            }
        }
        let seconds = self.fields.get("expired_seconds").and_then(Value::as_u64);
        if let Some(seconds) = seconds.filter(|it| *it > 0) {
            role = role.lasting(seconds, "expired_seconds")?;
        }
        let is_vpc = self.fields.get("enable_vpc").and_then(Value::as_bool);
        if let Some(region) = self.optional("sts_region") {
            role.sts_host = Some(sts_host(region, is_vpc.unwrap_or_default())?);
        }
        role.policy = self.optional("policy").map(str::to_owned);
        role.external_id = self.optional("external_id").map(str::to_owned);
        Ok(role)
    }
}
