//! What can be said of a role that is to be assumed, checked before anything is sent.

use super::refuse;
use crate::fault::Fault;

/// A role, and how it is to be assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Role {
    /// As in `acs:ram::1000000000000001:role/ci`.
    pub(super) arn: String,
    /// What the sessions are called in audit logs.
    pub(super) session_name: String,
    /// How long a session lasts.
    pub(super) seconds: u64,
    /// What narrows the role's permissions; none: nothing does.
    pub(super) policy: Option<String>,
    /// What the role's trust policy may ask for.
    pub(super) external_id: Option<String>,
    /// Where STS answers; none: where the settings say.
    pub(super) sts_host: Option<String>,
}

const SESSION_NAME: &str = "reconcile";
/// The most that a role allows unless it is told otherwise (RAM documentation, "`MaxSessionDuration`").
const SECONDS: u64 = 3600;

impl Role {
    /// A role of which only the name is said. `named_by` is where.
    pub(super) fn new(arn: &str, named_by: &str) -> Result<Self, Fault> {
        if !is_arn(arn, "role/") {
            return Err(refuse(&format!(
                "{named_by} is no name of a role, which is like acs:ram::1000000000000001:role/ci"
            )));
        }
        Ok(Self {
            arn: arn.to_owned(),
            session_name: SESSION_NAME.to_owned(),
            seconds: SECONDS,
            policy: None,
            external_id: None,
            sts_host: None,
        })
    }

    /// The same role with sessions of this name (STS API reference, `AssumeRole`, `RoleSessionName`).
    pub(super) fn called(mut self, name: &str, named_by: &str) -> Result<Self, Fault> {
        let is_meant = |it: u8| it.is_ascii_alphanumeric() || b".@_-".contains(&it);
        if !(2..=64).contains(&name.len()) || !name.bytes().all(is_meant) {
            return Err(refuse(&format!(
                "{named_by} is no name of a session, which has 2 to 64 letters, digits and .@_-"
            )));
        }
        name.clone_into(&mut self.session_name);
        Ok(self)
    }

    /// The same role with sessions of this length (STS API reference, `AssumeRole`, `DurationSeconds`).
    pub(super) fn lasting(mut self, seconds: u64, named_by: &str) -> Result<Self, Fault> {
        if !(900..=43_200).contains(&seconds) {
            return Err(refuse(&format!(
                "{named_by} is {seconds}, a session lasts 900 to 43200 seconds"
            )));
        }
        self.seconds = seconds;
        Ok(self)
    }
}

/// The name of an identity provider, if it is one.
pub(super) fn identity_provider(arn: &str, named_by: &str) -> Result<String, Fault> {
    if is_arn(arn, "oidc-provider/") {
        return Ok(arn.to_owned());
    }
    Err(refuse(&format!(
        "{named_by} is no name of an identity provider, which is like acs:ram::1000000000000001:oidc-provider/github"
    )))
}

fn is_arn(text: &str, sort: &str) -> bool {
    let parts = text
        .strip_prefix("acs:ram::")
        .and_then(|it| it.split_once(':'));
    let Some((account, resource)) = parts else {
        return false;
    };
    let name = resource.strip_prefix(sort).unwrap_or_default();
    let is_meant = |it: u8| it.is_ascii_alphanumeric() || b".@_-".contains(&it);
    let is_account = !account.is_empty() && account.bytes().all(|it| it.is_ascii_digit());
    is_account && (1..=128).contains(&name.len()) && name.bytes().all(is_meant)
}
