//! One call of a registry: with the token it asks for, repeated where that does no harm, and sorted into answers and faults.

use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use reqwest::Url;
use tokio::time::timeout;

use super::auth::{Challenge, Scopes, Token, Wanted, challenges};
use super::credentials::{Credential, find, not_to_be_shown};
use super::fault::{Refusal, SERVICE, UNUSABLE};
use super::places::refuse_way;
use super::{Location, Registries, Site};
use crate::fault::{Class, Fault};
use crate::providers::http::{BODY_BYTES_MAX, Opened, Request, TOTAL_MAX};
use crate::providers::secret::Secret;
use crate::retry::{Effect, Policy, retry};

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
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// Where a call goes to.
#[derive(Clone, Debug)]
pub(super) enum To {
    /// Below `/v2/` and the repository's name.
    Path(String),
    /// Where the registry said.
    Url(Url),
}

/// What is asked of a registry.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub(super) at: &'a Location,
    /// In words, as in `read a manifest`.
    pub(super) doing: &'static str,
    pub(super) effect: Effect,
    pub(super) method: Method,
    pub(super) to: To,
    /// What of the repository it is about, as in `:v1`.
    pub(super) subject: String,
    pub(super) scopes: Scopes,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// How many bytes the answer may have.
    pub(super) most: usize,
    /// Statuses beside success that are answers.
    pub(super) answers: &'static [u16],
}

/// An answer that was read whole.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// A header as text; none: absent, or no text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl<'a> Call<'a> {
    /// A call that only looks.
    pub(super) fn read(at: &'a Location, doing: &'static str, method: Method, path: &str) -> Self {
        Self {
            at,
            doing,
            effect: Effect::Read,
            method,
            to: To::Path(path.to_owned()),
            subject: String::new(),
            scopes: Scopes::of(&at.repository, "pull"),
            headers: HeaderMap::new(),
            body: Vec::new(),
            most: BODY_BYTES_MAX,
            answers: &[],
        }
    }

    /// A call that changes something, and does no harm twice.
    pub(super) fn write(at: &'a Location, doing: &'static str, method: Method, path: &str) -> Self {
        Self {
            effect: Effect::Repeatable,
            scopes: Scopes::of(&at.repository, "pull,push"),
            ..Self::read(at, doing, method, path)
        }
    }

    /// The same, about this part of the repository.
    pub(super) fn about(self, subject: &str) -> Self {
        let subject = subject.to_owned();
        Self { subject, ..self }
    }

    /// The same, where these statuses are answers too.
    pub(super) fn answered_by(self, answers: &'static [u16]) -> Self {
        Self { answers, ..self }
    }

    /// The same, with another header.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// A failure of this call that no status describes.
    pub(super) fn fault(&self, class: Class, message: &str) -> Fault {
        let Location { site, repository } = self.at;
        let subject = format!("{}/{repository}{}", site.host, self.subject);
        Fault {
            subject: Some(subject),
            service: Some(SERVICE),
            ..Fault::new(class, self.doing, message)
        }
    }

    /// An answer that no registry gives.
    pub(super) fn unusable(&self, message: &str) -> Fault {
        self.fault(UNUSABLE, message)
    }

    fn is_answer(&self, status: u16) -> bool {
        (200..300).contains(&status) || self.answers.contains(&status)
    }

    /// What a registry counts together.
    pub(super) fn kind(&self) -> String {
        let sort = match self.effect {
            Effect::Read => "read",
            Effect::Repeatable | Effect::Once => "write",
        };
        format!("{SERVICE} {} {sort}", self.at.site.host)
    }
}

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
    async fn paced<T, A: Future<Output = Result<T, Fault>>>(
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

    async fn send(
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
    async fn sorted(
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

    /// What is sent as `Authorization`. `refused` was sent before; none: nothing.
    async fn authorization(
        &self,
        call: &Call<'_>,
        credential: Option<&Credential>,
        (way, refused): (&Challenge, Option<&Secret>),
    ) -> Result<Option<Secret>, Fault> {
        let (realm, service, asked) = match way {
            Challenge::Basic => return Ok(credential.map(Credential::basic)),
            Challenge::Bearer {
                realm,
                service,
                scopes,
            } => (realm, service, scopes),
        };
        let wanted = Wanted {
            site: call.at.site.clone(),
            realm: realm.clone(),
            service: service.clone(),
            scopes: call.scopes.clone(),
        };
        let refused = refused.and_then(|it| it.reveal().strip_prefix("Bearer "));
        let refused = refused.map(Secret::new);
        let fetch = |scopes: Scopes| async move {
            self.fetch_token(call, credential, (realm, service.as_deref(), &scopes))
                .await
        };
        let now = || self.patience.now();
        let token = self
            .tokens
            .get(&wanted, (refused.as_ref(), asked), now, fetch)
            .await?;
        Ok(Some(Secret::new(&format!(
            "Bearer {}",
            token.text.reveal()
        ))))
    }

    /// Asks a token service. It is no registry: whatever it refuses tells nothing about what is there.
    async fn fetch_token(
        &self,
        call: &Call<'_>,
        credential: Option<&Credential>,
        (realm, service, scopes): (&str, Option<&str>, &Scopes),
    ) -> Result<Token, Fault> {
        let registry = self.places.url(&call.at.site)?;
        let wrong = |why: &str| {
            call.fault(
                Class::Denied,
                &format!("the registry names a token service that must not be asked: {why}"),
            )
        };
        let mut url = Url::parse(realm).map_err(|_| wrong("that is no URL"))?;
        if let Some(why) = refuse_way(&registry, &url) {
            return Err(wrong(&why));
        }
        for (name, value) in service
            .map(|it| ("service", it.to_owned()))
            .into_iter()
            .chain(scopes.texts().into_iter().map(|it| ("scope", it)))
        {
            url.query_pairs_mut().append_pair(name, &value);
        }
        let asking = Call {
            doing: "get a token of a registry",
            method: Method::GET,
            effect: Effect::Read,
            to: To::Url(url.clone()),
            subject: String::new(),
            headers: HeaderMap::new(),
            body: Vec::new(),
            answers: &[],
            ..call.clone()
        };
        let basic = credential.map(Credential::basic);
        let (asking, url, basic) = (&asking, &url, basic.as_ref());
        let kind = format!("{SERVICE} {} token", call.at.site.host);
        self.paced(&kind, asking, || async move {
            let asked = self.patience.now();
            let opened = self.send(asking, url, (basic, None)).await?;
            let mut opened = self.sorted(asking, (credential, basic), opened).await?;
            let body = timeout(READ_MAX, opened.body(REFUSAL_BYTES_MAX)).await;
            let Ok(Ok(Some(body))) = body else {
                return Err(asking.unusable("the answer of the token service is not whole"));
            };
            Token::read(&body, asked).map_err(|why| asking.unusable(&why))
        })
        .await
    }

    /// Who we are there, looked for once a pass.
    async fn credential(&self, site: &Site) -> Result<std::sync::Arc<Option<Credential>>, Fault> {
        self.credentials
            .get(site, || find(&self.settings, site))
            .await
    }
}

impl Call<'_> {
    pub(super) fn url(&self, registry: &Url) -> Result<Url, Fault> {
        match &self.to {
            To::Url(url) => Ok(url.clone()),
            To::Path(path) => {
                let path = format!("/v2/{}/{path}", self.at.repository);
                let url = registry.join(&path);
                url.map_err(|_| self.fault(Class::Invalid, "this makes no URL"))
            }
        }
    }
}

/// The way that we take: a token where that is possible, for it says less than a password.
fn choose(challenges: &[Challenge], is_known: bool) -> Option<Challenge> {
    let is_bearer = |it: &&Challenge| matches!(it, Challenge::Bearer { .. });
    let bearer = challenges.iter().find(is_bearer);
    let way = bearer.or_else(|| challenges.first().filter(|_| is_known));
    way.cloned()
}
