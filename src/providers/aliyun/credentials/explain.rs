//! Which credentials would be taken, told without asking anybody.

use super::oidc::{self, TokenSource};
use super::{Credentials, Provider};
use crate::clock::Timestamp;
use crate::providers::Settings;

/// Which credentials would be taken, in words without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The provider, and where each of its values is written; none: what is set is wrong.
    pub taken: Option<String>,
    /// What is wrong, as far as that can be seen without asking anybody.
    pub lacks: Option<String>,
}

/// Looks at the environment and at files.
pub fn explain(settings: &Settings, now: Timestamp) -> Explanation {
    match Provider::find(settings) {
        Ok(provider) => Explanation {
            taken: Some(provider.told()),
            lacks: provider.lacks(now),
        },
        Err(fault) => Explanation {
            taken: None,
            lacks: Some(fault.to_string()),
        },
    }
}

impl Provider {
    pub(super) fn told(&self) -> String {
        match self {
            Self::Key(key) => key.told(),
            Self::Role { with, role } => format!(
                "the role {} as {}, assumed with {}",
                role.arn,
                role.session_name,
                with.told()
            ),
            Self::Oidc {
                token,
                provider_arn,
                role,
            } => format!(
                "the role {} as {}, for {token} by {provider_arn}",
                role.arn, role.session_name
            ),
            Self::Instance(instance) => match (&instance.role, instance.is_guess) {
                (Some(role), _) => format!("the role {role} of this instance"),
                (None, false) => "the role of this instance".to_owned(),
                (None, true) => {
                    "the role of this instance, if it has one: nothing else is set".to_owned()
                }
            },
            Self::Uri(url) => format!("what {} answers", url.host_str().unwrap_or_default()),
        }
    }

    fn lacks(&self, now: Timestamp) -> Option<String> {
        match self {
            Self::Oidc {
                token: TokenSource::File(path),
                ..
            } => oidc::from_file(path, now).err().map(|it| it.to_string()),
            Self::Role { with, .. } => with.lacks(now),
            Self::Oidc {
                token: TokenSource::GitHub { .. },
                ..
            }
            | Self::Key(_)
            | Self::Instance(_)
            | Self::Uri(_) => None,
        }
    }
}

/// How many characters of a key's id are shown at its start and at its end.
const SHOWN: usize = 4;

impl Credentials {
    fn told(&self) -> String {
        let id = shortened(&self.key_id);
        let kind = match &self.token {
            Some(_) => "the temporary key",
            None => "the key",
        };
        if self.key_source == self.secret_source {
            return format!("{kind} {id} in {}", self.key_source);
        }
        format!(
            "{kind} {id} in {}, with {}",
            self.key_source, self.secret_source
        )
    }
}

/// Enough to tell keys apart, too little for a secret that was written in the wrong place.
fn shortened(id: &str) -> String {
    let count = id.chars().count();
    if count < 4 * SHOWN {
        return id.chars().take(2).chain(['…']).collect();
    }
    let end = id.chars().skip(count - SHOWN);
    id.chars().take(SHOWN).chain(['…']).chain(end).collect()
}
