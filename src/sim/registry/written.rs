//! Registries as a scenario writes them: images by a few words, from which their blobs and digests follow.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::clock::Timestamp;

/// A registry.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Registry {
    /// Whose rules it follows.
    pub personality: Personality,
    /// Who may sign in by a password; at GHCR tokens of GitHub do as well. A registry of the personality `distribution`
    /// without users lets everybody do everything.
    pub users: Vec<User>,
    /// How it wants to be told who one is; left out: as its personality does.
    pub login: Option<LoginBy>,
    /// How long a token of its token service lasts; left out: 300.
    pub token_seconds: Option<u64>,
    /// What listing the referrers of a manifest answers; left out: as its personality does.
    pub referrers: Option<Referrers>,
    /// Whether a manifest can be deleted, where the personality knows how to.
    pub refuses_deletion: bool,
    /// Whether the tags of a private repository can be listed; left out: as its personality does.
    pub lists_private_tags: Option<bool>,
    /// Namespaces besides those of its repositories, for personalities that want one to be there before a push.
    pub namespaces: Vec<String>,
    /// What is in it, by name.
    pub repositories: BTreeMap<String, Repository>,
}

/// Whose rules a registry follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Personality {
    /// GitHub's registry of containers.
    Ghcr,
    /// Container Registry of Alibaba Cloud, personal edition.
    AcrPersonal,
    /// Container Registry of Alibaba Cloud, enterprise edition.
    AcrEnterprise,
    /// Distribution 2.8, as Debian packs it.
    #[default]
    Distribution,
}

/// How a registry wants to be told who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LoginBy {
    Token,
    Basic,
}

/// What listing referrers answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Referrers {
    /// 404: there is no such listing.
    NotFound,
    /// 303 to a page of HTML elsewhere.
    Redirect,
    /// An empty listing, whatever there is.
    Empty,
    /// What there is (OCI distribution specification, "Listing Referrers").
    Listed,
}

/// Somebody with a password.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct User {
    pub name: String,
    pub password: String,
    /// Whether pushing and deleting is refused.
    #[serde(default)]
    pub read_only: bool,
}

/// What is in a repository, or comes to it, or goes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Repository {
    /// Whether everybody may pull.
    pub public: bool,
    /// Content of blobs that no image has.
    pub blobs: Vec<String>,
    /// Manifests, each after those that it names. It is an index where it says of what, raw where its bytes are given, and
    /// an image else.
    pub manifests: Vec<Manifest>,
    /// Tags that are taken away.
    pub untagged: Vec<String>,
    /// Manifests that are taken away with all their tags, by tag or digest.
    pub removed: Vec<String>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "a scenario is written by people, and says each of them by a word"
)]
/// A manifest.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Manifest {
    /// Where it can be had.
    pub tags: Vec<String>,
    /// What indexes of this scenario call it, besides its tags.
    pub name: Option<String>,
    /// When it was pushed; left out: when the world begins, or now.
    pub pushed: Option<Timestamp>,
    /// How often it was downloaded.
    pub downloads: u64,
    /// Whether it is not there: indexes can name it all the same.
    pub absent: bool,
    /// Whether its media types are Docker's.
    pub docker: bool,
    /// Of an image: as in `linux/arm64` or `linux/arm64/v8`.
    pub platform: String,
    /// Of an image: what each layer holds; left out: one that holds the first tag or the name.
    pub layers: Vec<String>,
    /// Of an image: the label `org.opencontainers.image.revision`.
    pub revision: Option<String>,
    /// Of an image: labels of its configuration.
    pub labels: BTreeMap<String, String>,
    /// Of an image: whether its tags name an index of it and its attestation, as `BuildKit` pushes it, and which form that
    /// has.
    pub attested: Attested,
    /// Of an image: whether its layers are eStargz.
    pub estargz: bool,
    /// Of an index: its children by tag, name or digest; the entries of one that is an index come instead of it.
    pub of: Option<Vec<String>>,
    /// Of an index: whether children that are indexes stay indexes.
    pub nested: bool,
    /// Of an index: what is noted on it.
    pub annotations: BTreeMap<String, String>,
    /// Of a raw one: its bytes; nothing of it is checked.
    pub base64: Option<String>,
    /// Of a raw one: what it is served as; left out: what it says of itself, or an OCI image.
    pub media_type: Option<String>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            tags: Vec::new(),
            name: None,
            pushed: None,
            downloads: 0,
            absent: false,
            docker: false,
            platform: "linux/amd64".to_owned(),
            layers: Vec::new(),
            revision: None,
            labels: BTreeMap::new(),
            attested: Attested::Plain(false),
            estargz: false,
            of: None,
            nested: false,
            annotations: BTreeMap::new(),
            base64: None,
            media_type: None,
        }
    }
}

/// Whether an image has an attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Attested {
    /// True: an artifact with a subject and an empty configuration, as since `BuildKit` 0.32.
    Plain(bool),
    /// The form before.
    Before(Legacy),
}

/// The form of attestations before `BuildKit` 0.32: an image with a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Legacy {
    Legacy,
}

impl Registry {
    /// How it wants to be told who one is; none: it does not ask.
    pub(super) fn login(&self) -> Option<LoginBy> {
        match self.personality {
            Personality::Ghcr | Personality::AcrPersonal | Personality::AcrEnterprise => {
                Some(self.login.unwrap_or(LoginBy::Token))
            }
            Personality::Distribution if self.users.is_empty() => None,
            Personality::Distribution => Some(self.login.unwrap_or(LoginBy::Basic)),
        }
    }

    /// Distribution 2.8 and GHCR know no referrers (`actions/attest-build-provenance`, issues 71 and 91); ASSUMED: nor
    /// does ACR.
    pub(super) fn referrers(&self) -> Referrers {
        self.referrers.unwrap_or(Referrers::NotFound)
    }

    /// The FAQ of image-syncer: tags of a private repository of ACR cannot be had with a token of its token service.
    pub(super) fn lists_private_tags(&self) -> bool {
        self.lists_private_tags
            .unwrap_or(!self.personality.is_acr())
    }
}

impl Personality {
    pub(super) fn is_acr(self) -> bool {
        match self {
            Self::AcrPersonal | Self::AcrEnterprise => true,
            Self::Ghcr | Self::Distribution => false,
        }
    }
}
