//! One call of a registry: with the token it asks for, repeated where that does no harm, and sorted into answers and faults.

use std::time::Duration;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use reqwest::Url;
use tokio::time::timeout;

use super::Registries;
use super::auth::{challenges, choose};
use super::call::{Call, Reply};
use super::credentials::{Credential, not_to_be_shown};
use super::fault::{Refusal, SERVICE, UNUSABLE};
use crate::fault::{Class, Fault};
use crate::providers::http::{Opened, Request, TOTAL_MAX};
use crate::providers::secret::Secret;
use crate::retry::{Policy, retry};

/// What is throttled is sent when the limiter lets it through.
const POLICY: Policy = Policy {
    attempts_max: 5,
    throttled_max: 9,
    first: Duration::from_millis(500),
    most: Duration::from_secs(20),
    asked_max: Duration::from_secs(60),
};
/// How long an answer may take to begin, and each part of it to follow.
pub(super) const READ_MAX: Duration = Duration::from_secs(30);
/// How much is read of an answer that refuses something.
pub(super) const REFUSAL_BYTES_MAX: usize = 64 << 10;

impl Registries {
    /// Makes a call, again where that helps and does no harm, and reads the whole answer.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Reply, Fault> {
        self.tried(call, || async move {
            let mut opened = self.opened_once(call, None).await?;
            let body = match timeout(TOTAL_MAX, opened.body(call.most)).await {
                Ok(body) => body.map_err(|fault| Fault {
                    subject: call.fault(UNUSABLE, "").subject,
                    ..fault
                })?,
                Err(_) => return Err(call.unusable("the answer did not come to its end in time")),
            };
            let too_long = format!(
                "the answer has more than {} bytes, which is the most that is read",
                call.most
            );
            Ok(Reply {
                status: opened.status,
                headers: std::mem::take(&mut opened.headers),
                body: body.ok_or_else(|| call.fault(Class::Invalid, &too_long))?,
            })
        })
        .await
    }

    /// Makes a call, again where that helps and does no harm, and gives the answer when it begins.
    pub(super) async fn open(&self, call: &Call<'_>) -> Result<Opened, Fault> {
        self.tried(call, || self.opened_once(call, None)).await
    }

    pub(super) async fn tried<T, A: Future<Output = Result<T, Fault>>>(
        &self,
        call: &Call<'_>,
        attempt: impl Fn() -> A,
    ) -> Result<T, Fault> {
        let attempt = &attempt;
        self.paced(&call.kind(), call, || async move {
            let gate = self.gate(&call.at.site);
            let permit = gate.acquire().await.expect("the gate is never closed");
            let outcome = attempt().await;
            drop(permit);
            outcome
        })
        .await
    }

    /// Attempts, each when it is its turn.
    pub(super) async fn paced<T, A: Future<Output = Result<T, Fault>>>(
        &self,
        kind: &str,
        call: &Call<'_>,
        attempt: impl Fn() -> A,
    ) -> Result<T, Fault> {
        let attempt = &attempt;
        retry(&self.patience, &POLICY, call.effect, || {
            self.in_turn(kind, call, attempt)
        })
        .await
    }

    /// One attempt, when it is its turn.
    pub(super) async fn in_turn<T, A: Future<Output = Result<T, Fault>>>(
        &self,
        kind: &str,
        call: &Call<'_>,
        attempt: impl FnOnce() -> A,
    ) -> Result<T, Fault> {
        let pass = self.limiter.turn(kind).await.map_err(|wait| {
            let seconds = wait.as_secs();
            let message = format!("too many requests, not sent: it would be served in {seconds} s");
            call.fault(Class::Throttled { wait: Some(wait) }, &message)
        })?;
        let outcome = attempt().await;
        self.limiter.learn(kind, pass, &outcome);
        outcome
    }

    /// Sends a call, and once more where the registry asks who we are. A body that comes as a stream is not sent twice.
    pub(super) async fn opened_once(
        &self,
        call: &Call<'_>,
        stream: Option<reqwest::Body>,
    ) -> Result<Opened, Fault> {
        let registry = self.places.url(&call.at.site)?;
        let url = call.url(&registry)?;
        let credential = self.credential(&call.at.site).await?;
        let credential = credential.as_ref().as_ref();
        let is_streamed = stream.is_some();
        // Wherever else we are led, nobody learns who we are.
        let is_ours = url.origin() == registry.origin();
        let first = self.ways.first(&call.at.site).await;
        let used = match self.ways.of(&call.at.site) {
            Some(way) if is_ours => self.authorization(call, credential, (&way, None)).await?,
            Some(_) | None => None,
        };
        let opened = self.send(call, &url, (used.as_ref(), stream)).await;
        let way = match &opened {
            Ok(opened) if opened.status == 401 && is_ours => {
                choose(&challenges(&opened.headers), credential.is_some())
            }
            Ok(_) | Err(_) => None,
        };
        self.ways.learn(&call.at.site, way.as_ref());
        drop(first);
        let opened = opened?;
        let Some(way) = way.filter(|_| !is_streamed) else {
            return self.sorted(call, (credential, used.as_ref()), opened).await;
        };
        let fresh = self
            .authorization(call, credential, (&way, used.as_ref()))
            .await?;
        if fresh == used {
            return self.sorted(call, (credential, used.as_ref()), opened).await;
        }
        let opened = self.send(call, &url, (fresh.as_ref(), None)).await?;
        self.sorted(call, (credential, fresh.as_ref()), opened)
            .await
    }

    pub(super) async fn send(
        &self,
        call: &Call<'_>,
        url: &Url,
        (authorization, stream): (Option<&Secret>, Option<reqwest::Body>),
    ) -> Result<Opened, Fault> {
        let mut headers = call.headers.clone();
        if let Some(secret) = authorization {
            let value = HeaderValue::from_str(secret.reveal());
            let mut value =
                value.map_err(|_| call.fault(Class::Denied, "the credentials are no text"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        // Reading idles on both sides of a stream are watched by who sends it.
        let read_max = if stream.is_some() {
            Duration::MAX
        } else {
            READ_MAX
        };
        let request = Request {
            service: SERVICE,
            action: call.method.as_str(),
            doing: call.doing,
            effect: call.effect,
            method: call.method.clone(),
            url: url.clone(),
            headers,
            body: call.body.clone(),
            read_max,
        };
        let opening = match stream {
            Some(stream) => self.http.open_with(request, stream).await,
            None => self.http.open(request).await,
        };
        let subject = call.fault(UNUSABLE, "").subject;
        opening.map_err(|fault| Fault { subject, ..fault })
    }

    /// An answer, or what a refusal means.
    pub(super) async fn sorted(
        &self,
        call: &Call<'_>,
        (credential, sent): (Option<&Credential>, Option<&Secret>),
        mut opened: Opened,
    ) -> Result<Opened, Fault> {
        let secrets = not_to_be_shown(credential, sent);
        let secrets: Vec<&Secret> = secrets.iter().collect();
        let host = &call.at.site.host;
        self.warnings.show(host, &opened.headers, &secrets);
        if call.is_answer(opened.status) {
            return Ok(opened);
        }
        let body = match timeout(READ_MAX, opened.body(REFUSAL_BYTES_MAX)).await {
            Ok(Ok(Some(body))) => body,
            // The status stands all the same.
            Ok(Ok(None) | Err(_)) | Err(_) => Vec::new(),
        };
        let refusal = Refusal {
            call,
            status: opened.status,
            headers: &opened.headers,
            body: &body,
            credential,
            secrets: &secrets,
            now: self.patience.now(),
        };
        Err(refusal.fault())
    }
}
