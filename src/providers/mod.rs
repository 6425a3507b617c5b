//! Concrete clients of the outside, one folder a service.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::fault::Fault;
use crate::ids::InstanceId;
use crate::retry::{Patience, Waits};

pub mod aliyun;
pub mod cache;
mod consoles;
pub mod github;
pub mod http;
pub mod limiter;
pub mod reach;
pub mod registry;
pub mod secret;

pub use self::http::Calls;

/// What the outside is reached with.
#[derive(Debug)]
pub struct Clients {
    /// Alibaba Cloud.
    pub aliyun: aliyun::Aliyun,
    /// GitHub's REST API.
    pub github: github::GitHub,
    /// Registries of container images.
    pub registries: registry::Registries,
    consoles: consoles::Consoles,
    http: Arc<http::Http>,
    patience: Arc<Patience>,
}

/// Where answers of GitHub are kept.
const GITHUB: &str = "github";
/// Where manifests are kept: reading one again costs a download that ghcr.io counts.
const MANIFESTS: &str = "manifests";
/// Where it is kept what consoles said.
const CONSOLES: &str = "consoles";

impl Clients {
    /// The cloud's time, as learnt from its answers; all decisions about objects of the cloud look at this.
    pub fn now(&self) -> Timestamp {
        self.http.now()
    }

    /// Waits; `reason` says what for.
    pub async fn wait(&self, reason: &str, wait: Duration) {
        self.patience.wait(reason, wait).await;
    }

    /// Keeps in a folder what may be asked for again at a price, and what machines said that had to go.
    pub fn keep_in(&self, folder: &Path) {
        self.aliyun.keep_in(folder);
        self.github.keep_in(&folder.join(GITHUB));
        self.registries.keep_in(&folder.join(MANIFESTS));
        self.consoles.keep_in(&folder.join(CONSOLES));
    }

    /// Keeps what the console of a machine says, which goes with the machine. It takes 20 s at most, and that it fails holds
    /// nobody up.
    pub async fn keep_console(&self, place: &aliyun::Place, id: &InstanceId) {
        match self.aliyun.console(place, id).await {
            Ok(text) if text.is_empty() => {}
            Ok(text) => self.consoles.keep(id, &text),
            Err(fault) => tracing::warn!(%id, %fault, "what the console says is not kept"),
        }
    }

    /// Forgets what was read: a new pass begins.
    pub fn forget(&self) {
        self.aliyun.forget();
        self.github.forget();
        self.registries.forget();
    }

    /// The requests since the start, repeated ones and those that found nobody too.
    pub fn calls(&self) -> Calls {
        self.http.calls()
    }

    /// The fewest requests that the credentials took which were needed since the start.
    pub fn calls_for_credentials(&self) -> u64 {
        self.aliyun.calls_for_credentials() + self.registries.calls_for_credentials()
    }

    /// How long repeated attempts and throttling made us wait so far.
    pub fn waits(&self) -> Waits {
        self.patience.waits()
    }
}

/// Builds the clients. Contacts nothing; missing credentials are a fault of the first call that needs them.
///
/// `seed` feeds jitter and nonces: two processes that run at the same time need different ones.
pub fn connect(settings: &Settings, clock: Arc<dyn Clock>, seed: u64) -> Result<Clients, Fault> {
    let http = Arc::new(http::Http::new(
        Arc::clone(&clock),
        reach::Reach::new(settings),
    ));
    let patience = Arc::new(Patience::new(clock, seed));
    let aliyun = aliyun::Aliyun::new(settings, Arc::clone(&http), Arc::clone(&patience), seed)?;
    let github = github::GitHub::new(settings, Arc::clone(&http), Arc::clone(&patience))?;
    let registries = registry::Registries::new(settings, Arc::clone(&http), Arc::clone(&patience))?;
    Ok(Clients {
        aliyun,
        github,
        registries,
        consoles: consoles::Consoles::default(),
        http,
        patience,
    })
}

/// The environment at the start of the program; only documented names are looked up in it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Takes a snapshot of the environment.
    pub fn new(environment: BTreeMap<String, String>) -> Self {
        Self(environment)
    }

    /// The value of a variable; an empty one is as good as none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|it| !it.is_empty())
    }

    /// Whether a switch is on: `true`, in any case.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|it| it.eq_ignore_ascii_case("true"))
    }
}

impl fmt::Debug for Settings {
    /// Names alone: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
