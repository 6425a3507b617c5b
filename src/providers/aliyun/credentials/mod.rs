//! Who we are to Alibaba Cloud: the first provider of a chain that is configured, and the keys that it gives.
//!
//! - `environment`: a key in the environment.
//! - `oidc`: a role for a token of an identity provider, such as GitHub's.
//! - `profile`: the profile file of the command line `aliyun`.
//! - `metadata`: the role of the instance that this runs on.
//! - `uri`: whatever a URL answers.
//! - `role`: what can be said of a role; `assume`: the calls of STS that give one.
//! - `session`: keys that end, and are renewed before they do.
//!
//! Sources: documentation of the Alibaba Cloud Credentials tools ("default credential provider chain") and of the
//! command line `aliyun` (`config.json`). A fault never quotes a value: it could be the secret.

mod assume;
mod environment;
mod explain;
mod metadata;
mod oidc;
mod profile;
mod role;
mod session;
#[cfg(test)]
mod tests;
mod uri;

use std::sync::Arc;

use reqwest::Url;

use crate::fault::{Class, Fault};
use crate::providers::Settings;
use crate::providers::secret::clean;

use self::oidc::TokenSource;
use self::role::Role;

pub use self::explain::{Explanation, explain};
pub(super) use self::session::Session;
pub use crate::providers::secret::Secret;

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

impl Credentials {
    /// What a service said, fit to be shown: on one line, not too long, without the secrets.
    pub(super) fn clean(&self, text: &str) -> String {
        let token = self.token.as_ref();
        let secrets: Vec<&Secret> = [Some(&self.secret), token].into_iter().flatten().collect();
        clean(text, &secrets)
    }
}

/// What gives keys. Two that are equal give keys of the same principal.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Provider {
    /// A key as it is written.
    Key(Arc<Credentials>),
    /// A role that the key of another provider may assume.
    Role { with: Box<Self>, role: Role },
    /// A role for a token of an identity provider.
    Oidc {
        token: TokenSource,
        provider_arn: String,
        role: Role,
    },
    /// The role of the instance.
    Instance(metadata::Instance),
    /// What a URL answers.
    Uri(Url),
}

const DOING: &str = "find the credentials of Alibaba Cloud";

impl Provider {
    /// The first that is configured. One that is configured wrongly is a fault: going on would find somebody else's key.
    /// The role of the instance is taken when nothing says otherwise.
    fn find(settings: &Settings) -> Result<Self, Fault> {
        let chain = [
            environment::configured,
            oidc::configured,
            profile::configured,
            metadata::configured,
            uri::configured,
            metadata::last_resort,
        ];
        for configured in chain {
            if let Some(provider) = configured(settings)? {
                return Ok(provider);
            }
        }
        Err(missing(settings, &metadata::switched_off()))
    }
}

/// Something is set, but wrongly.
fn refuse(why: &str) -> Fault {
    Fault::new(Class::Denied, DOING, why)
}

/// Nothing is set, and the metadata service, which is the last to be asked, has none either: why.
fn missing(settings: &Settings, metadata: &str) -> Fault {
    refuse("there are none").hint(&format!(
        "looked for {}, for {}, for the profile file: {}, for {}, and asked the metadata service: {metadata}",
        environment::names(),
        oidc::names(),
        profile::absent(settings),
        uri::URI,
    ))
}
