//! Who may become whom: the roles of the account, whom they trust, and where keys of theirs can be had.

use std::collections::BTreeSet;

use serde::Deserialize;

/// A role.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Role {
    /// The last part of its name, as in `acs:ram::1000000000000001:role/ci`.
    pub name: String,
    /// How long a session may last at most (RAM documentation, "`MaxSessionDuration`").
    #[serde(default = "hour")]
    pub max_session_seconds: u64,
    /// The keys and roles of the account that may assume it, by key id or role name; left out: all.
    #[serde(default)]
    pub trusted: Option<BTreeSet<String>>,
    /// What the trust policy wants as `ExternalId`.
    #[serde(default)]
    pub external_id: Option<String>,
    /// Whose tokens are good for it; left out: nobody's.
    #[serde(default)]
    pub tokens: Option<TokenTrust>,
    /// Actions that its sessions have no permission for.
    #[serde(default)]
    pub denied: BTreeSet<String>,
}

/// The condition of a role's trust policy for tokens (RAM documentation, "Create a RAM role for a trusted `IdP`").
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenTrust {
    /// The name of the identity provider.
    pub provider: String,
    /// What `oidc:aud` must be.
    pub audience: String,
    /// What `oidc:sub` must be like, with `*` for anything at the end.
    pub subject: String,
}

/// An identity provider that the account trusts.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityProvider {
    /// As in `acs:ram::1000000000000001:oidc-provider/github`.
    pub name: String,
    /// Whose tokens it stands for.
    pub issuer: String,
    /// Its client ids: the audiences that tokens may be for.
    pub audiences: BTreeSet<String>,
}

/// A job of GitHub Actions that may ask for tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Job {
    /// What it asks with.
    pub request_token: String,
    /// What its tokens say as `sub`, as in `repo:demo/images:ref:refs/heads/main`.
    pub subject: String,
    /// How long a token lasts; ASSUMED: five minutes.
    #[serde(default = "five_minutes")]
    pub token_seconds: u64,
}

/// The metadata service of the instance that clients run on.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Metadata {
    /// The role of the instance; left out: it has none.
    pub role: Option<String>,
    /// Whether requests must carry a token.
    pub tokens: TokenRule,
    /// How long a key lasts; it is replaced after half of that. ASSUMED: six hours.
    pub key_seconds: u64,
}

/// Whether requests to the metadata service must carry a token (ECS API reference, `RunInstances`, `HttpTokens`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenRule {
    Optional,
    Required,
    /// An instance that is older than tokens.
    Unknown,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            role: None,
            tokens: TokenRule::Optional,
            key_seconds: 6 * 3600,
        }
    }
}

fn hour() -> u64 {
    3600
}

fn five_minutes() -> u64 {
    300
}
