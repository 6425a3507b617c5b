//! One call of the REST API: paced, repeated where that does no harm, read into JSON or a fault.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, header};
use reqwest::Url;
use serde_json::Value;

use super::pace::TURN_MAX;
use super::token::Scope;
use super::{GitHub, SERVICE, fault, kept};
use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::providers::http::{Answer, Request};
use crate::retry::{Effect, Policy, retry};

/// What is throttled is sent when the pace lets it through.
const POLICY: Policy = Policy {
    attempts_max: 5,
    throttled_max: 5,
    first: Duration::from_millis(500),
    most: Duration::from_secs(20),
    asked_max: TURN_MAX,
};

/// How long an answer may take to begin: long listings take GitHub a while.
const READ_MAX: Duration = Duration::from_secs(30);

/// How often an answer may send us elsewhere: a repository that was renamed says so once.
const REDIRECTS_MAX: u32 = 3;

/// The version of the API. Without it GitHub takes the oldest that it still has (GitHub REST API, "API Versions").
const API_VERSION: &str = "2022-11-28";

/// How much is shown of when it ends: a date of HTTP.
const SUNSET_MAX: usize = 40;

/// What is asked of GitHub.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    /// The name of the operation in GitHub's own description, for the log.
    pub(super) action: &'static str,
    /// In words, as in `delete a version`.
    pub(super) doing: &'static str,
    pub(super) effect: Effect,
    pub(super) scope: Scope,
    /// The object that it is about.
    pub(super) subject: &'a str,
    pub(super) method: Method,
    /// From the base on, with the query, encoded.
    pub(super) path: String,
    /// What is sent; null: nothing.
    pub(super) body: Value,
    /// Whether the answer is kept, so that asking again costs nothing where it is the same.
    pub(super) is_kept: bool,
}

/// A successful answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// Null: none.
    pub(super) body: Value,
    /// The header that names the other pages.
    pub(super) link: Option<String>,
    /// What stands for the answer.
    etag: Option<String>,
    /// Whether it is the one that is kept.
    is_unchanged: bool,
    /// When it was given, by GitHub's clock.
    pub(super) at: Timestamp,
}

impl Call<'_> {
    /// A failure of this call that no answer of GitHub describes.
    pub(super) fn fault(&self, class: Class, message: &str) -> Fault {
        Fault {
            subject: Some(self.subject.to_owned()),
            service: Some(SERVICE),
            ..Fault::new(class, self.doing, message)
        }
    }

    /// An answer that is not to be believed.
    pub(super) fn unreadable(&self, message: &str) -> Fault {
        let maybe_applied = self.effect != Effect::Read;
        self.fault(Class::Unavailable { maybe_applied }, message)
    }
}

impl GitHub {
    /// Calls an operation, again where that helps and does no harm.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Reply, Fault> {
        let installed = Box::pin(self.installed(call.scope)).await?;
        let token = match installed {
            Some(token) => token.header().map(Some),
            None => self.account.authorization(call.scope),
        };
        let token = token.map_err(|why| call.fault(Class::Denied, &why))?;
        let Some(token) = token else {
            let fault = call.fault(Class::Denied, "there is no token for GitHub");
            return Err(fault.hint(call.scope.advice()));
        };
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, token)]);
        self.call_with(call, headers).await
    }

    /// Does the same as somebody else.
    pub(super) async fn call_with(
        &self,
        call: &Call<'_>,
        mut headers: HeaderMap,
    ) -> Result<Reply, Fault> {
        let url = self.account.url(&call.path);
        let url = url.map_err(|why| call.fault(Class::Invalid, &why))?;
        add_headers(call, &mut headers);
        let authorization = headers.get(header::AUTHORIZATION);
        let authorization = authorization.map_or(&b""[..], HeaderValue::as_bytes);
        let key = kept::key(authorization, url.as_str());
        let before = call.is_kept.then(|| self.kept.get(&key)).flatten();
        if let Some(etag) = before.as_ref().map(|it| &it.etag)
            && let Ok(etag) = HeaderValue::try_from(etag)
        {
            headers.insert(header::IF_NONE_MATCH, etag);
        }
        let (url, headers) = (&url, &headers);
        let outcome = retry(&self.patience, &POLICY, call.effect, || {
            self.attempt(call, url, headers)
        })
        .await?;
        Ok(self.remembered(call, (&key, before), outcome))
    }

    /// Puts what is kept in the place of an answer that says that nothing has changed, and keeps any other.
    fn remembered(
        &self,
        call: &Call<'_>,
        (key, before): (&str, Option<kept::Answer>),
        reply: Reply,
    ) -> Reply {
        match (before, reply.etag.clone()) {
            (Some(before), _) if reply.is_unchanged => Reply {
                body: before.body,
                link: before.link,
                ..reply
            },
            (_, Some(etag)) if call.is_kept => {
                let (body, link) = (reply.body.clone(), reply.link.clone());
                self.kept.put(key, kept::Answer { etag, body, link });
                reply
            }
            (_, _) => reply,
        }
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<Reply, Fault> {
        let turn = self.pace.turn(&self.patience, call.effect).await;
        turn.map_err(|wait| not_now(call, wait))?;
        let outcome = self.follow(call, url.clone(), headers).await;
        match outcome {
            Ok(reply) => {
                self.pace.served();
                Ok(reply)
            }
            Err(fault) => {
                let Class::Throttled { wait } = fault.class else {
                    return Err(fault);
                };
                let pause = self.pace.refused(self.patience.now(), wait);
                let class = Class::Throttled { wait: Some(pause) };
                Err(Fault { class, ..fault })
            }
        }
    }

    /// Sends a call, and once more to where the answer says, as long as that is GitHub as well.
    async fn follow(&self, call: &Call<'_>, url: Url, headers: &HeaderMap) -> Result<Reply, Fault> {
        let mut url = url;
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.send(call, url.clone(), headers).await?;
            let is_kept = matches!(answer.status, 307 | 308);
            let is_moved = is_kept || matches!(answer.status, 301 | 302);
            if !is_moved || (call.effect != Effect::Read && !is_kept) {
                return self.read(call, &answer);
            }
            let target = answer.header("location").and_then(|it| url.join(it).ok());
            url = match target {
                Some(target) if self.account.is_home_of(&target) => target,
                Some(_) | None => {
                    return Err(call.unreadable("it sends us to another host, where no token goes"));
                }
            };
        }
        Err(call.unreadable(&format!(
            "it sends us elsewhere more than {REDIRECTS_MAX} times"
        )))
    }

    async fn send(&self, call: &Call<'_>, url: Url, headers: &HeaderMap) -> Result<Answer, Fault> {
        let request = Request {
            service: SERVICE,
            action: call.action,
            doing: call.doing,
            effect: call.effect,
            method: call.method.clone(),
            url,
            headers: headers.clone(),
            body: if call.body.is_null() {
                Vec::new()
            } else {
                call.body.to_string().into_bytes()
            },
            read_max: READ_MAX,
        };
        let sent = self.http.send(request).await;
        sent.map_err(|fault| Fault {
            subject: Some(call.subject.to_owned()),
            ..fault
        })
    }

    /// Success is 2xx with JSON, or with nothing at all.
    fn read(&self, call: &Call<'_>, answer: &Answer) -> Result<Reply, Fault> {
        // The last call that this hour has: what comes next need not be refused first.
        if let Some(wait) = fault::spent(answer, self.http.now()) {
            self.pace.refused(self.patience.now(), Some(wait));
        }
        self.warn_of_the_end(answer);
        let is_unchanged = answer.status == 304 && call.is_kept;
        if !(200..300).contains(&answer.status) && !is_unchanged {
            return Err(fault::of(call, answer, &self.account, self.http.now()));
        }
        let body = match answer.body.as_slice() {
            [] => Value::Null,
            bytes => serde_json::from_slice(bytes)
                .map_err(|_| call.unreadable("the answer is no JSON"))?,
        };
        Ok(Reply {
            body,
            link: answer.header("link").map(str::to_owned),
            etag: answer.header("etag").map(str::to_owned),
            is_unchanged,
            at: answer.date().unwrap_or_else(|| self.http.now()),
        })
    }

    /// GitHub says beforehand when a version of its API ends (GitHub REST API, "API Versions"; RFC 8594, "Sunset").
    fn warn_of_the_end(&self, answer: &Answer) {
        if let Some(ends) = answer.header("sunset") {
            let ends: String = ends.chars().take(SUNSET_MAX).collect();
            self.end.call_once(|| {
                tracing::warn!(
                    version = API_VERSION,
                    ends,
                    "GitHub ends this version of its API: a newer reconcile is needed"
                );
            });
        }
    }
}

/// The failure of a call that would have to wait too long for its turn.
fn not_now(call: &Call<'_>, wait: Duration) -> Fault {
    let message = format!(
        "GitHub's budget is spent, not sent: it would be served in {} s",
        wait.as_secs()
    );
    let fault = call.fault(Class::Throttled { wait: Some(wait) }, &message);
    fault.hint("the next run goes on with the rest")
}

fn add_headers(call: &Call<'_>, headers: &mut HeaderMap) {
    let github = HeaderValue::from_static("application/vnd.github+json");
    headers.insert(header::ACCEPT, github);
    headers.insert(
        "x-github-api-version",
        HeaderValue::from_static(API_VERSION),
    );
    if !call.body.is_null() {
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
    }
}
