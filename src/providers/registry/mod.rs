//! Registries of container images, by the OCI distribution specification as they really follow it.
//!
//! The reference type, media types, credential and error types are those of oci-client. Its client is not used: it does
//! not follow `Link`, hides status and Retry-After, reads a refused referrers listing as none and a failed token as an
//! anonymous one, cannot mount with both scopes, and cannot delete.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::Semaphore;

use crate::fact::Complete;
use crate::fault::Fault;
use crate::ids::Digest;
use crate::providers::Settings;
use crate::providers::cache::Cache;
use crate::providers::http::{Http, REQUESTS_AT_ONCE};
use crate::providers::limiter::Limiter;
use crate::retry::Patience;

use self::auth::Tokens;
use self::credentials::Credential;
use self::named::Named;
use self::places::Places;
use self::shelf::Shelf;
pub use self::verdicts::Verdicts;
use self::warnings::Warnings;
use self::ways::Ways;

mod auth;
mod blobs;
mod call;
pub mod content;
mod copy;
mod credentials;
pub mod fault;
mod manifests;
mod named;
mod names;
mod places;
mod referrers;
mod refusals;
mod shelf;
mod shown;
mod tags;
mod transport;
mod verdicts;
mod warnings;
mod ways;

pub use self::names::{is_repository, is_tag};
pub use self::places::REGISTRIES;
pub use self::refusals::Refusals;

/// How many blobs are brought from one place to another at once.
const COPIES_AT_ONCE: usize = 4;

/// The clients of all registries. What was looked at is remembered until [`Registries::forget`]; manifests, which their
/// digest names for ever, as long as the process lives, and on disk.
#[derive(Debug)]
pub struct Registries {
    settings: Settings,
    places: Places,
    http: Arc<Http>,
    patience: Arc<Patience>,
    /// What was found out about layers.
    pub verdicts: Verdicts,
    limiter: Limiter,
    gates: Mutex<BTreeMap<String, Arc<Semaphore>>>,
    copies: Semaphore,
    credentials: Cache<Site, Option<Credential>>,
    ways: Ways,
    warnings: Warnings,
    tokens: Tokens,
    heads: Cache<(Location, String), Option<Head>>,
    tags: Cache<Location, Complete<String>>,
    named: Named,
    /// Those that were found to have no listing of referrers.
    unlisted: Mutex<BTreeSet<Site>>,
    shelf: Shelf,
    /// Those that take no attestations, as far as that was seen.
    pub refusals: Refusals,
}

/// A registry, and who we are there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Site {
    /// The host, as in `ghcr.io` or `127.0.0.1:5000`.
    pub host: String,
    /// Whether it is spoken to in plain http; on loopback only.
    pub insecure: bool,
    /// The variables that hold the user's name and password; none: Docker's credential files.
    pub login: Option<Login>,
}

/// The names of the variables that hold a user's name and password.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// That of the name.
    pub username_env: String,
    /// That of the password.
    pub password_env: String,
}

/// A repository of a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// The registry.
    pub site: Site,
    /// The name there, as in `example/app`.
    pub repository: String,
}

/// What a registry says of a manifest without giving it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
}

/// A manifest to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The digest of `bytes`.
    pub digest: Digest,
    /// Its media type, by the answer or, where both are there, by both.
    pub media_type: String,
    /// What its digest names.
    pub bytes: Vec<u8>,
}

/// What another manifest points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

impl Registries {
    /// Contacts nothing; fails when the settings name a place that must not be used.
    pub(super) fn new(
        settings: &Settings,
        http: Arc<Http>,
        patience: Arc<Patience>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            settings: settings.clone(),
            places: Places::new(settings)?,
            limiter: Limiter::new(Arc::clone(&http), Arc::clone(&patience)),
            http,
            patience,
            verdicts: Verdicts::default(),
            gates: Mutex::default(),
            copies: Semaphore::new(COPIES_AT_ONCE),
            credentials: Cache::default(),
            ways: Ways::default(),
            warnings: Warnings::default(),
            tokens: Tokens::default(),
            heads: Cache::default(),
            tags: Cache::default(),
            named: Named::default(),
            unlisted: Mutex::default(),
            shelf: Shelf::default(),
            refusals: Refusals::default(),
        })
    }

    /// Keeps manifests and small blobs in this folder too, which is made when there is one. What cannot be kept is read
    /// again next time.
    pub fn keep_in(&self, folder: &Path) {
        self.shelf.keep_in(folder);
        self.verdicts.keep_in(folder);
    }

    /// Forgets what was looked at: a new pass begins. Tokens that last are kept.
    pub fn forget(&self) {
        self.credentials.clear();
        self.heads.clear();
        self.tags.clear();
        self.named.clear();
        self.lock_unlisted().clear();
        self.tokens.look_again(self.patience.now());
    }

    /// The fewest requests that it took to be let in so far: one that is refused for each registry that asks who we are,
    /// and one for each token.
    pub(super) fn calls_for_credentials(&self) -> u64 {
        self.ways.asking() + self.tokens.fetched()
    }

    /// What lets requests through to a registry, so many at once: one that does not answer keeps nobody from another.
    fn gate(&self, site: &Site) -> Arc<Semaphore> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(site.host.clone());
        let gate = gate.or_insert_with(|| Arc::new(Semaphore::new(REQUESTS_AT_ONCE)));
        Arc::clone(gate)
    }

    fn lock_unlisted(&self) -> std::sync::MutexGuard<'_, BTreeSet<Site>> {
        self.unlisted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
