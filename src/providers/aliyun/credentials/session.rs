//! Keys that end: fetched once for everybody who waits, renewed before they end, and kept while they last.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::metadata::Instance;
use super::{Credentials, Provider, Secret, missing};
use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::providers::Settings;
use crate::providers::aliyun::Aliyun;
use crate::providers::aliyun::wire::Fields;
use crate::retry::Policy;

/// A key is renewed so long before it ends.
const RENEWED_BEFORE: Duration = Duration::from_secs(15 * 60);
/// A key is not used any more so shortly before it ends: a request takes a while.
const UNUSED_BEFORE: Duration = Duration::from_secs(60);
/// After a renewal has failed, nobody tries again for so long; a key is also kept for so long at least.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// Nothing can be done without a key.
const PATIENT: Policy = Policy {
    attempts_max: 4,
    throttled_max: 6,
    first: Duration::from_millis(500),
    most: Duration::from_secs(10),
    asked_max: Duration::from_secs(60),
};
/// There is a key that still lasts, or nothing says that there is one at all.
const BRIEF: Policy = Policy {
    attempts_max: 1,
    throttled_max: 1,
    ..PATIENT
};

/// A key with an end, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Issued {
    credentials: Credentials,
    expires: Timestamp,
    /// The fewest requests that it takes.
    calls: u64,
}

impl Issued {
    /// Reads the four fields that a key with an end has everywhere.
    pub(super) fn read(fields: Fields<'_>, source: &str, calls: u64) -> Result<Self, String> {
        let expires = fields.time("Expiration")?;
        Ok(Self {
            credentials: Credentials {
                key_id: fields.id("AccessKeyId")?.to_owned(),
                secret: Secret::new(fields.id("AccessKeySecret")?),
                token: Some(Secret::new(fields.id("SecurityToken")?)),
                key_source: source.to_owned(),
                secret_source: source.to_owned(),
            },
            expires: expires.ok_or_else(|| "Expiration is missing".to_owned())?,
            calls,
        })
    }

    /// Reads a body as the metadata service and a credentials URI answer. It is never quoted: it may hold a secret.
    pub(super) fn from_body(body: &[u8], source: &str, calls: u64) -> Result<Self, String> {
        let body: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| "the answer is no JSON object".to_owned())?;
        let fields = Fields(&body);
        if fields.text("Code") != Ok("Success") {
            return Err("Code is not Success".to_owned());
        }
        Self::read(fields, source, calls)
    }
}

/// A key with an end, and when it is renewed.
#[derive(Debug)]
struct Held {
    credentials: Arc<Credentials>,
    expires: Timestamp,
    due: Timestamp,
    calls: u64,
}

impl Held {
    fn new(issued: Issued, now: Timestamp) -> Self {
        Self {
            due: due(&issued, now),
            credentials: Arc::new(issued.credentials),
            expires: issued.expires,
            calls: issued.calls,
        }
    }

    fn is_usable(&self, now: Timestamp) -> bool {
        now < self.expires.minus(UNUSED_BEFORE)
    }
}

/// When a key is renewed: 15 minutes before its end or after four fifths of its life, whichever comes first; but a short
/// one after half of it. Up to a twentieth earlier, so that not all come at once: the key itself is random enough.
fn due(issued: &Issued, now: Timestamp) -> Timestamp {
    let life = issued.expires.since(now);
    let margin = life.saturating_sub(RENEWED_BEFORE);
    let late = margin.min(life.mul_f64(0.8)).max(life / 2);
    let digest = Sha256::digest(&issued.credentials.key_id);
    let early = (life / 20).mul_f64(f64::from(digest[0]) / 256.0);
    now.plus(late.saturating_sub(early).max(RETRY_AFTER))
}

/// A renewal under way. Who needs it waits for the same one.
#[derive(Clone, Debug)]
struct Flight {
    provider: Arc<Provider>,
    policy: &'static Policy,
    outcome: Arc<OnceCell<Result<Arc<Held>, Fault>>>,
}

/// What is known of the credentials.
#[derive(Debug, Default)]
pub(in crate::providers::aliyun) struct Session(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    provider: Option<Arc<Provider>>,
    /// Whether the provider was looked for in this pass.
    is_found: bool,
    held: Option<Arc<Held>>,
    /// Whether this provider ever gave a key.
    is_proven: bool,
    failed: Option<(Timestamp, Fault)>,
    flight: Option<Flight>,
    /// Before this, fetching another key is superfluous; none: there was no good one yet.
    needed_at: Option<Timestamp>,
    calls: u64,
}

impl Session {
    /// Looks at the sources again at the next call; what they gave stays while they say the same.
    pub(in crate::providers::aliyun) fn look_again(&self, now: Timestamp) {
        let mut state = self.lock();
        state.is_found = false;
        if state.usable(now).is_none() {
            state.failed = None;
        }
    }

    /// The fewest requests that all keys took which were needed so far.
    pub(in crate::providers::aliyun) fn calls(&self) -> u64 {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there is to do for a key.
enum Way {
    Use(Arc<Credentials>),
    Wait(Flight),
}

impl State {
    fn way(&mut self, settings: &Settings, now: Timestamp) -> Result<Way, Fault> {
        let provider = self.provider(settings)?;
        if let Provider::Key(credentials) = provider.as_ref() {
            return Ok(Way::Use(Arc::clone(credentials)));
        }
        let usable = self.usable(now);
        match (usable, self.recent_failure(now)) {
            (Some(held), Some(_)) => Ok(Way::Use(Arc::clone(&held.credentials))),
            (None, Some(fault)) => Err(fault.clone()),
            (_, None) => match &self.held {
                Some(held) if now < held.due => Ok(Way::Use(Arc::clone(&held.credentials))),
                Some(_) | None => Ok(Way::Wait(self.flight(provider, now))),
            },
        }
    }

    /// The provider, looked for once a pass. Another one begins anew.
    fn provider(&mut self, settings: &Settings) -> Result<Arc<Provider>, Fault> {
        if let Some(provider) = self.provider.as_ref().filter(|_| self.is_found) {
            return Ok(Arc::clone(provider));
        }
        let found = Provider::find(settings)?;
        let known = self.provider.clone().filter(|it| **it == found);
        let provider = known.unwrap_or_else(|| {
            let calls = self.calls;
            *self = Self::default();
            self.calls = calls;
            Arc::new(found)
        });
        self.is_found = true;
        self.provider = Some(Arc::clone(&provider));
        Ok(provider)
    }

    fn usable(&self, now: Timestamp) -> Option<&Arc<Held>> {
        self.held.as_ref().filter(|it| it.is_usable(now))
    }

    fn recent_failure(&self, now: Timestamp) -> Option<&Fault> {
        let (at, fault) = self.failed.as_ref()?;
        (now.since(*at) < RETRY_AFTER).then_some(fault)
    }

    /// The renewal under way, or else a new one.
    fn flight(&mut self, provider: Arc<Provider>, now: Timestamp) -> Flight {
        let is_guess = match provider.as_ref() {
            Provider::Instance(instance) => instance.is_guess && !self.is_proven,
            Provider::Key(_) | Provider::Role { .. } | Provider::Oidc { .. } | Provider::Uri(_) => {
                false
            }
        };
        let is_brief = is_guess || self.usable(now).is_some();
        let fresh = || Flight {
            provider,
            policy: if is_brief { &BRIEF } else { &PATIENT },
            outcome: Arc::default(),
        };
        self.flight.get_or_insert_with(fresh).clone()
    }

    /// Takes in the outcome of a renewal, unless somebody did already.
    fn land(&mut self, flight: &Flight, outcome: &Result<Arc<Held>, Fault>, now: Timestamp) {
        let is_ours = |it: &Flight| Arc::ptr_eq(&it.outcome, &flight.outcome);
        if !self.flight.as_ref().is_some_and(is_ours) {
            return;
        }
        self.flight = None;
        match outcome {
            Ok(held) => {
                self.held = Some(Arc::clone(held));
                self.failed = None;
                self.is_proven = true;
                if self.needed_at.is_none_or(|it| it <= now) {
                    self.calls += held.calls;
                }
                self.needed_at = Some(held.due);
            }
            Err(fault) => self.failed = Some((now, fault.clone())),
        }
    }
}

/// Whether a guess was wrong: nobody answers there, or what answers has no key for us.
fn is_absence(fault: &Fault) -> bool {
    let is_told = fault.status.is_some() && fault.class != Class::Denied;
    fault.service.is_some() && !is_told
}

impl Aliyun {
    /// The key to sign with now.
    pub(in crate::providers::aliyun) async fn credentials(
        &self,
    ) -> Result<Arc<Credentials>, Fault> {
        let way = self.session.lock().way(&self.settings, self.http.now())?;
        let flight = match way {
            Way::Use(credentials) => return Ok(credentials),
            Way::Wait(flight) => flight,
        };
        let fault = match self.arrival(&flight).await {
            Ok(held) => return Ok(Arc::clone(&held.credentials)),
            Err(fault) => fault,
        };
        let held = self.session.lock().usable(self.http.now()).cloned();
        let Some(held) = held else {
            return Err(fault);
        };
        tracing::warn!(
            answer = fault.answer(),
            expires = %held.expires,
            "the key could not be renewed and is used on"
        );
        Ok(Arc::clone(&held.credentials))
    }

    /// Another key than `used`, which a service called expired; none: there is no other.
    pub(in crate::providers::aliyun) async fn renewed(
        &self,
        used: &Credentials,
    ) -> Result<Option<Arc<Credentials>>, Fault> {
        let now = self.http.now();
        let flight = {
            let mut state = self.session.lock();
            let provider = match &state.provider {
                Some(it) if !matches!(it.as_ref(), Provider::Key(_)) => Arc::clone(it),
                Some(_) | None => return Ok(None),
            };
            match &state.held {
                Some(held) if *held.credentials != *used => {
                    return Ok(Some(Arc::clone(&held.credentials)));
                }
                Some(_) => {
                    state.held = None;
                    state.needed_at = None;
                }
                None => {}
            }
            if let Some(fault) = state.recent_failure(now) {
                return Err(fault.clone());
            }
            state.flight(provider, now)
        };
        let held = self.arrival(&flight).await?;
        Ok(Some(Arc::clone(&held.credentials)).filter(|it| **it != *used))
    }

    async fn arrival(&self, flight: &Flight) -> Result<Arc<Held>, Fault> {
        let outcome = flight.outcome.get_or_init(|| async {
            let issued = self.fetch(&flight.provider, flight.policy).await;
            issued.map(|it| Arc::new(Held::new(it, self.http.now())))
        });
        let outcome = outcome.await.clone();
        let now = self.http.now();
        let mut state = self.session.lock();
        let outcome = match (flight.provider.as_ref(), outcome) {
            (Provider::Instance(Instance { is_guess: true, .. }), Err(fault))
                if !state.is_proven && is_absence(&fault) =>
            {
                Err(missing(&self.settings, &fault.answer()))
            }
            (_, outcome) => outcome,
        };
        state.land(flight, &outcome, now);
        outcome
    }

    /// Fetches a key from its provider.
    fn fetch<'a>(
        &'a self,
        provider: &'a Provider,
        policy: &'static Policy,
    ) -> Pin<Box<dyn Future<Output = Result<Issued, Fault>> + Send + 'a>> {
        Box::pin(async move {
            match provider {
                Provider::Key(credentials) => Ok(Issued {
                    credentials: credentials.as_ref().clone(),
                    expires: Timestamp::from_millis(i64::MAX),
                    calls: 0,
                }),
                Provider::Role { with, role } => {
                    let with = self.fetch(with, policy).await?;
                    let issued = self.assume(role, &with.credentials, policy).await?;
                    let calls = issued.calls + with.calls;
                    Ok(Issued { calls, ..issued })
                }
                Provider::Oidc {
                    token,
                    provider_arn,
                    role,
                } => {
                    self.assume_by_token((token, provider_arn), role, policy)
                        .await
                }
                Provider::Instance(instance) => self.instance_key(instance, policy).await,
                Provider::Uri(url) => self.key_from_uri(url, policy).await,
            }
        })
    }
}
