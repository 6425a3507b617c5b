//! One call of an action: signed anew for each attempt, repeated where that does no harm, read into JSON or a fault.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use http::{HeaderMap, HeaderValue, Method};
use reqwest::Url;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::credentials::Credentials;
use super::fault::{Refusal, clock_is_off, key_is_over};
use super::place::{Place, Service};
use super::sign::{canonical_query, sign};
use super::{Aliyun, fault};
use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::providers::http::{Answer, Request};
use crate::retry::{Effect, Policy, retry};

/// Parameters of a request, by name.
pub(super) type Parameters = BTreeMap<String, String>;

/// What is throttled is sent when the limiter lets it through: once a minute at least.
const POLICY: Policy = Policy {
    attempts_max: 5,
    throttled_max: 9,
    first: Duration::from_millis(500),
    most: Duration::from_secs(20),
    asked_max: Duration::from_secs(60),
};
/// What nobody waits for long, twice [`Call::read_max`] and a little.
const BRIEF: Policy = Policy {
    attempts_max: 2,
    throttled_max: 0,
    ..POLICY
};

/// How much is shown of an answer that cannot be read.
const BEGIN_MAX: usize = 80;

/// What is asked of a service.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub(super) service: Service,
    pub(super) action: &'static str,
    /// In words, as in `delete an image`.
    pub(super) doing: &'static str,
    pub(super) effect: Effect,
    /// The object that it is about.
    pub(super) subject: Option<&'a str>,
    pub(super) parameters: Parameters,
}

/// A successful answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) body: Map<String, Value>,
    /// When it was given, by the service's clock.
    pub(super) at: Timestamp,
}

/// Puts names and values together.
pub(super) fn parameters<const N: usize>(pairs: [(&str, &str); N]) -> Parameters {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

impl Call<'_> {
    /// A failure of this call that no error code describes.
    pub(super) fn fault(&self, class: Class, message: &str) -> Fault {
        Fault {
            subject: self.subject.map(str::to_owned),
            service: Some(self.service.name()),
            ..Fault::new(class, self.doing, message)
        }
    }

    /// What the service counts together: an action in a region. STS is the same everywhere.
    fn kind(&self, place: &Place) -> String {
        let (service, action) = (self.service.name(), self.action);
        match self.service {
            Service::Ecs | Service::Vpc => format!("{service} {action} {}", place.region),
            Service::Sts => format!("{service} {action}"),
        }
    }

    /// The failure of a call that would have to wait too long for its turn.
    fn not_now(&self, wait: Duration) -> Fault {
        let message = format!(
            "too many requests, not sent: it would be served in {} s",
            wait.as_secs()
        );
        self.fault(Class::Throttled { wait: Some(wait) }, &message)
    }

    /// What is shown of an answer that cannot be read. That of STS may be half a key.
    fn begin_of(&self, answer: &Answer, credentials: &Credentials) -> String {
        if answer.status == 200 && self.action.starts_with("AssumeRole") {
            return "it is not shown, for it may hold a secret".to_owned();
        }
        let body = credentials.clean(&String::from_utf8_lossy(&answer.body));
        body.chars().take(BEGIN_MAX).collect()
    }

    fn policy(&self) -> &'static Policy {
        match self.action {
            "GetInstanceConsoleOutput" => &BRIEF,
            _ => &POLICY,
        }
    }

    /// How long an answer may take to begin: what the official SDKs allow (`timeout_config.json`).
    fn read_max(&self) -> Duration {
        Duration::from_secs(match self.action {
            "RunInstances" => 86,
            "DeleteInstance" => 66,
            "DescribeImages" => 38,
            "CreateImage" | "DeleteImage" => 36,
            "StopInstance" => 27,
            "DescribeSpotPriceHistory" => 22,
            "DeleteSnapshot" => 17,
            _ => 10,
        })
    }
}

/// Numbers that are used once.
#[derive(Debug)]
pub(super) struct Nonces {
    seed: u64,
    drawn: AtomicU64,
}

impl Nonces {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: AtomicU64::new(0),
        }
    }

    fn draw(&self, now: Timestamp) -> String {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        let digest = Sha256::digest(format!("{}/{}/{drawn}", self.seed, now.millis()));
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&digest[..18])
    }
}

impl Aliyun {
    /// Calls an action, again where that helps and does no harm.
    pub(super) async fn call(&self, place: &Place, call: &Call<'_>) -> Result<Reply, Fault> {
        let url = self.endpoints.url(call.service, place)?;
        let credentials = self.credentials().await?;
        let mut call = call.clone();
        match call.service {
            // Actions without such a parameter take it as a common one.
            Service::Ecs | Service::Vpc => {
                let region = place.region.as_str().to_owned();
                call.parameters.insert("RegionId".to_owned(), region);
            }
            Service::Sts => {}
        }
        let kind = call.kind(place);
        let (call, url, credentials, kind) = (&call, &url, credentials.as_ref(), kind.as_str());
        retry(&self.patience, call.policy(), call.effect, || async move {
            let pass = self.limiter.turn(kind).await;
            let pass = pass.map_err(|wait| call.not_now(wait))?;
            let outcome = match self.send_on_time(call, url, credentials).await {
                // It took no effect: once more, with a key that lasts.
                Err(fault) if key_is_over(&fault) => match self.renewed(credentials).await? {
                    Some(fresh) => self.send_on_time(call, url, &fresh).await,
                    None => Err(fault),
                },
                outcome => outcome,
            };
            self.limiter.learn(kind, pass, &outcome);
            outcome
        })
        .await
    }

    /// Sends a call, and again at once when the answer told us the right time.
    pub(super) async fn send_on_time(
        &self,
        call: &Call<'_>,
        url: &Url,
        credentials: &Credentials,
    ) -> Result<Reply, Fault> {
        let ahead = self.http.ahead();
        match self.send(call, url, credentials).await {
            Err(fault) if clock_is_off(&fault) && self.http.ahead() != ahead => {
                tracing::warn!(
                    service = call.service.name(),
                    "the clock was off, signing again"
                );
                self.send(call, url, credentials).await
            }
            outcome => outcome,
        }
    }

    async fn send(
        &self,
        call: &Call<'_>,
        url: &Url,
        credentials: &Credentials,
    ) -> Result<Reply, Fault> {
        let signed = self.to_sign(call, credentials);
        let mut form = signed.clone();
        form.insert(
            "Signature".to_owned(),
            sign("POST", &signed, credentials.secret.reveal()),
        );
        let answer = self.post(call, url, &form).await?;
        self.read(call, &answer, credentials, &signed)
    }

    /// Sends parameters as they are.
    pub(super) async fn post(
        &self,
        call: &Call<'_>,
        url: &Url,
        form: &Parameters,
    ) -> Result<Answer, Fault> {
        let request = Request {
            service: call.service.name(),
            action: call.action,
            doing: call.doing,
            effect: call.effect,
            method: Method::POST,
            url: url.clone(),
            headers: headers(),
            body: canonical_query(form).into_bytes(),
            read_max: call.read_max(),
        };
        let reachable = "is the endpoint reachable from here, and is the region's name right?";
        self.http.send(request).await.map_err(|fault| Fault {
            subject: call.subject.map(str::to_owned),
            hint: fault.hint.or_else(|| Some(reachable.to_owned())),
            ..fault
        })
    }

    fn to_sign(&self, call: &Call<'_>, credentials: &Credentials) -> Parameters {
        let now = self.http.now();
        let mut signed = parameters([
            ("Action", call.action),
            ("Version", call.service.version()),
            ("Format", "JSON"),
            ("AccessKeyId", &credentials.key_id),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", &self.nonces.draw(now)),
            ("Timestamp", &now.to_string()),
        ]);
        if let Some(token) = &credentials.token {
            signed.insert("SecurityToken".to_owned(), token.reveal().to_owned());
        }
        signed.extend(call.parameters.clone());
        signed
    }

    /// Success is status 200 and a JSON object with a `RequestId`; an error is any other status and a `Code`.
    pub(super) fn read(
        &self,
        call: &Call<'_>,
        answer: &Answer,
        credentials: &Credentials,
        signed: &Parameters,
    ) -> Result<Reply, Fault> {
        let status = answer.status;
        let body = serde_json::from_slice::<Map<String, Value>>(&answer.body).unwrap_or_default();
        let has = |name| {
            body.get(name)
                .and_then(Value::as_str)
                .is_some_and(|it| !it.is_empty())
        };
        if has("RequestId") {
            self.http.learn_time(answer);
        }
        // The service counts in milliseconds.
        let wait = answer
            .header("x-acs-retry-after")
            .and_then(|it| it.trim().parse().ok());
        let wait = wait.map(Duration::from_millis);
        if status == 200 && has("RequestId") {
            let at = answer.date().unwrap_or_else(|| self.http.now());
            Ok(Reply { body, at })
        } else if status != 200 && has("Code") {
            Err(Refusal {
                call,
                credentials,
                signed,
                status,
                wait,
                body: &body,
            }
            .fault())
        } else {
            let begin = call.begin_of(answer, credentials);
            let message = format!("the answer is no JSON object of the service: {begin}");
            let mut class = Class::Unavailable {
                maybe_applied: call.effect != Effect::Read,
            };
            if matches!(
                fault::class(call.action, status, "", ""),
                Class::Throttled { .. }
            ) {
                class = Class::Throttled { wait };
            }
            let fault = call.fault(class, &message);
            Err(Fault {
                status: Some(status),
                ..fault
            })
        }
    }
}

fn headers() -> HeaderMap {
    HeaderMap::from_iter([
        (
            http::header::ACCEPT,
            HeaderValue::from_static("application/json"),
        ),
        (
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        ),
    ])
}
