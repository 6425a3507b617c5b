//! One request, one answer: the only file that opens connections.

mod opened;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method};
use reqwest::Url;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::opened::{Broken, Origin, root_cause, within};
use super::reach::Reach;
use crate::clock::{Clock, Timestamp};
use crate::fault::{Class, Fault};
use crate::retry::Effect;

pub use self::opened::Opened;

/// How long a connection may take to come up.
pub const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long one request may take as a whole.
pub const TOTAL_MAX: Duration = Duration::from_secs(120);
/// How many bytes an answer may have.
pub const BODY_BYTES_MAX: usize = 16 << 20;
/// How many requests are under way at once.
pub const REQUESTS_AT_ONCE: usize = 16;

/// Sends requests, counts them, and learns the time of the other side.
#[derive(Debug)]
pub struct Http {
    clock: Arc<dyn Clock>,
    /// For loopback in plain http: no proxy, and no certificate is trusted.
    near: OnceLock<reqwest::Client>,
    /// For loopback by TLS: no proxy.
    near_tls: OnceLock<reqwest::Client>,
    /// For the metadata service alone: plain http, no proxy, and no certificate is trusted.
    metadata: OnceLock<reqwest::Client>,
    /// For everywhere else: https only, through the proxies that the environment names.
    far: OnceLock<reqwest::Client>,
    reach: Reach,
    gate: Semaphore,
    /// By how many milliseconds the other side's clock is ahead of ours.
    ahead: Mutex<i64>,
    calls: Mutex<Calls>,
}

/// How many requests were sent, repeated ones and those that found nobody too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Calls {
    /// All of them.
    pub total: u64,
    /// Those that change nothing.
    pub reads: u64,
    /// The others.
    pub writes: u64,
    /// All of them, by service.
    pub by_service: BTreeMap<String, u64>,
}

impl Calls {
    /// What was sent since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let by_service = self.by_service.iter().filter_map(|(service, count)| {
            let rest = count - before.by_service.get(service).unwrap_or(&0);
            (rest > 0).then(|| (service.clone(), rest))
        });
        Self {
            total: self.total - before.total,
            reads: self.reads - before.reads,
            writes: self.writes - before.writes,
            by_service: by_service.collect(),
        }
    }
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The service, as in `ecs`.
    pub service: &'static str,
    /// The service's name of what is asked for; for the log.
    pub action: &'a str,
    /// What is being done, in words; for faults.
    pub doing: &'a str,
    /// What sending it twice does.
    pub effect: Effect,
    /// The method.
    pub method: Method,
    /// Where to. No secret may be in it.
    pub url: Url,
    /// The headers beside those of the connection.
    pub headers: HeaderMap,
    /// The body; empty: none.
    pub body: Vec<u8>,
    /// How long the answer may take to begin, and each part of it to follow.
    pub read_max: Duration,
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
    sent: Timestamp,
    received: Timestamp,
}

impl Answer {
    /// A header as text; none: absent, or no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The time of the other side, from the header `Date` (to the second).
    pub fn date(&self) -> Option<Timestamp> {
        Timestamp::parse_http_date(self.header("date")?)
    }
}

impl Http {
    /// Opens nothing yet.
    pub fn new(clock: Arc<dyn Clock>, reach: Reach) -> Self {
        Self {
            clock,
            near: OnceLock::new(),
            near_tls: OnceLock::new(),
            metadata: OnceLock::new(),
            far: OnceLock::new(),
            reach,
            gate: Semaphore::new(REQUESTS_AT_ONCE),
            ahead: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    /// The time of the other side, as far as it was learnt; ours until then.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now().millis().saturating_add(self.ahead()))
    }

    /// By how many milliseconds the other side's clock is ahead of ours, as far as it was learnt.
    pub fn ahead(&self) -> i64 {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was sent so far.
    pub fn calls(&self) -> Calls {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes the time of the other side from an answer of a service that is trusted to know it.
    ///
    /// `Date` was written between sending and receiving and is cut to the second, so it allows a span;
    /// what is known already stays when it lies in there.
    pub fn learn_time(&self, answer: &Answer) {
        let Some(date) = answer.date().map(Timestamp::millis) else {
            return;
        };
        let least = date.saturating_sub(answer.received.millis());
        let most = date
            .saturating_add(999)
            .saturating_sub(answer.sent.millis());
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead = (*ahead).min(most).max(least);
    }

    /// Sends one request once. Any status is an answer; no whole answer is a fault.
    pub async fn send(&self, request: Request<'_>) -> Result<Answer, Fault> {
        let permit = self.gate.acquire().await.expect("the gate is never closed");
        let origin = Origin::of(&request);
        let sent = self.clock.now();
        let exchange = async {
            let mut opened = self.open(request).await?;
            let body = opened.body(BODY_BYTES_MAX).await?;
            Ok((opened.status, std::mem::take(&mut opened.headers), body))
        };
        let outcome = timeout(TOTAL_MAX, exchange).await;
        drop(permit);
        let broken = |reason| Err(origin.fault(&Broken::after_sending(reason)));
        match outcome {
            Ok(Ok((status, headers, Some(body)))) => Ok(Answer {
                status,
                headers,
                body,
                sent,
                received: self.clock.now(),
            }),
            Ok(Ok((_, _, None))) => broken("the answer is too long"),
            Ok(Err(fault)) => Err(fault),
            Err(_) => broken("the time is up"),
        }
    }

    /// Sends one request once, and gives the answer when it begins. How many are under way at once, and how long one may
    /// take as a whole, is up to who asks.
    pub async fn open(&self, mut request: Request<'_>) -> Result<Opened, Fault> {
        let body = std::mem::take(&mut request.body);
        self.open_with(request, body.into()).await
    }

    /// The same, with a body that comes as a stream.
    pub async fn open_with(
        &self,
        request: Request<'_>,
        body: reqwest::Body,
    ) -> Result<Opened, Fault> {
        self.reach.check(&request.url, "a setting")?;
        let origin = Origin::of(&request);
        let client = self.client(&request.url).map_err(|error| Fault {
            class: Class::Invalid,
            ..origin
                .fault(&Broken::after_sending(&error))
                .hint("does this machine have CA certificates?")
        })?;
        self.count(request.service, request.effect);
        let (service, action, read_max) = (request.service, request.action, request.read_max);
        let sending = client
            .request(request.method, request.url)
            .headers(request.headers)
            .body(body)
            .send();
        match within(read_max, sending).await {
            Ok(response) => {
                let status = response.status().as_u16();
                tracing::debug!(service, action, status, "answered");
                Ok(Opened::new(response, origin, read_max))
            }
            Err(broken) => {
                tracing::debug!(service, action, reason = broken.reason, "not answered");
                Err(origin.fault(&broken))
            }
        }
    }

    fn count(&self, service: &str, effect: Effect) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.total += 1;
        match effect {
            Effect::Read => calls.reads += 1,
            Effect::Repeatable | Effect::Once => calls.writes += 1,
        }
        *calls.by_service.entry(service.to_owned()).or_default() += 1;
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client, String> {
        let (slot, road) = match (is_loopback(url), is_metadata_service(url)) {
            (true, _) if url.scheme() == "https" => (&self.near_tls, Road::NearTls),
            (true, _) => (&self.near, Road::Plain),
            (false, true) => (&self.metadata, Road::Plain),
            (false, false) => (&self.far, Road::Far),
        };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = build(road).map_err(|error| root_cause(&error))?;
        Ok(slot.get_or_init(|| client))
    }
}

/// Whether the host of a URL is this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse()
            .is_ok_and(|it: std::net::IpAddr| it.is_loopback())
}

/// Whether a URL is that of the metadata service of an instance: the only one beyond loopback that is spoken to in
/// plain http (ECS documentation, "Instance metadata").
pub fn is_metadata_service(url: &Url) -> bool {
    let port = url.port_or_known_default();
    url.scheme() == "http" && url.host_str() == Some("100.100.100.200") && port == Some(80)
}

/// What a connection goes through.
#[derive(Clone, Copy, Debug)]
enum Road {
    Plain,
    NearTls,
    Far,
}

fn build(road: Road) -> Result<reqwest::Client, reqwest::Error> {
    // Fails when there is a provider already, which is as good.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("reconcile/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false);
    match road {
        Road::Plain => builder.no_proxy().tls_certs_only([]).build(),
        Road::NearTls => builder.no_proxy().https_only(true).build(),
        Road::Far => builder.https_only(true).build(),
    }
}
