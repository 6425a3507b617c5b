//! A role for a token of an identity provider: from a file, or from GitHub Actions, so that no long-lived key is needed.
//!
//! Sources: documentation of the Alibaba Cloud Credentials tools ("OIDC role"); GitHub Docs, "`OpenID` Connect
//! reference" (the request for a token).

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use reqwest::Url;
use serde_json::Value;

use super::environment::half;
use super::role::{Role, identity_provider};
use super::{Provider, Secret, refuse, uri};
use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::providers::Settings;
use crate::providers::aliyun::Aliyun;
use crate::providers::aliyun::fault::class_of_status;
use crate::providers::http::{Answer, Request};
use crate::providers::secret::clean;
use crate::retry::Effect;

pub(super) const ROLE: &str = "ALIBABA_CLOUD_ROLE_ARN";
const PROVIDER: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
const TOKEN_FILE: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";
const SESSION_NAME: &str = "ALIBABA_CLOUD_ROLE_SESSION_NAME";
const AUDIENCE: &str = "RECONCILE_OIDC_AUDIENCE";
const REQUEST_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const REQUEST_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// What the official action asks for, and what the identity provider in RAM must list among its client ids.
const USUAL_AUDIENCE: &str = "sts.aliyuncs.com";
/// How long a token may be (STS API reference, `AssumeRoleWithOIDC`, `OIDCToken`).
const TOKEN_BYTES_MAX: usize = 20_000;
/// By how much our clock may be ahead of that of the token's issuer.
const CLOCK_ERROR: Duration = Duration::from_secs(300);
const READ_MAX: Duration = Duration::from_secs(10);

const FILE_DOING: &str = "read a token of an identity provider";
const GITHUB_DOING: &str = "get a token from GitHub Actions";

/// Where tokens come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenSource {
    /// A file that somebody renews; it is read for every attempt.
    File(PathBuf),
    /// GitHub, which makes one for every request.
    GitHub {
        url: Url,
        bearer: Secret,
        audience: String,
    },
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the token in {}", path.display()),
            Self::GitHub { audience, .. } => {
                write!(f, "tokens of GitHub Actions for the audience {audience}")
            }
        }
    }
}

impl TokenSource {
    /// How many requests a token takes.
    pub(super) fn calls(&self) -> u64 {
        match self {
            Self::File(_) => 0,
            Self::GitHub { .. } => 1,
        }
    }
}

/// The role that the environment names; none: it names none of the parts.
pub(super) fn configured(settings: &Settings) -> Result<Option<Provider>, Fault> {
    let parts = [ROLE, PROVIDER, TOKEN_FILE];
    let Some(is_set) = parts.into_iter().find(|it| settings.get(it).is_some()) else {
        return Ok(None);
    };
    let need = |name| settings.get(name).ok_or_else(|| half(is_set, name));
    let (arn, provider_arn) = (need(ROLE)?, need(PROVIDER)?);
    let mut role = Role::new(arn, ROLE)?;
    if let Some(name) = settings.get(SESSION_NAME) {
        role = role.called(name, SESSION_NAME)?;
    }
    Ok(Some(Provider::Oidc {
        token: token_source(settings)?,
        provider_arn: identity_provider(provider_arn, PROVIDER)?,
        role,
    }))
}

fn token_source(settings: &Settings) -> Result<TokenSource, Fault> {
    if let Some(path) = settings.get(TOKEN_FILE) {
        return Ok(TokenSource::File(PathBuf::from(path)));
    }
    match (settings.get(REQUEST_URL), settings.get(REQUEST_TOKEN)) {
        (Some(url), Some(bearer)) => Ok(TokenSource::GitHub {
            url: uri::parse(url, REQUEST_URL)?,
            bearer: Secret::new(bearer),
            audience: settings.get(AUDIENCE).unwrap_or(USUAL_AUDIENCE).to_owned(),
        }),
        (Some(_), None) => Err(half(REQUEST_URL, REQUEST_TOKEN)),
        (None, Some(_)) => Err(half(REQUEST_TOKEN, REQUEST_URL)),
        (None, None) => {
            let lacking = half(ROLE, TOKEN_FILE);
            Err(lacking.hint(
                "in a workflow of GitHub, `permissions: id-token: write` gives tokens without a file",
            ))
        }
    }
}

/// What is looked for.
pub(super) fn names() -> String {
    format!("{ROLE} with {PROVIDER} and {TOKEN_FILE} or {REQUEST_URL}")
}

/// Reads a token from a file and looks at what can be seen without its issuer's key.
pub(super) fn from_file(path: &Path, now: Timestamp) -> Result<Secret, Fault> {
    let subject = path.display().to_string();
    let refuse = |why: &str| Fault::new(Class::Denied, FILE_DOING, why).of(&subject);
    let read = || {
        // A pipe or a terminal would be waited for.
        if !path.metadata()?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let most = TOKEN_BYTES_MAX as u64 + 1;
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    };
    let bytes = read().map_err(|error: std::io::Error| refuse(&error.to_string()))?;
    let bytes = bytes.ok_or_else(|| refuse("it is no file"))?;
    if bytes.len() > TOKEN_BYTES_MAX {
        return Err(refuse(&format!(
            "it has more than {TOKEN_BYTES_MAX} characters, which no token has"
        )));
    }
    let text = String::from_utf8(bytes).map_err(|_| refuse("it is no text"))?;
    checked(&text, now).map_err(|why| refuse(&why))
}

/// A token without the spaces around it, unless it is none or has expired.
fn checked(text: &str, now: Timestamp) -> Result<Secret, String> {
    let token = text.trim();
    if token.is_empty() {
        return Err("it is empty".to_owned());
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(format!(
            "it has more than {TOKEN_BYTES_MAX} characters, which no token has"
        ));
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [_, claims, _] = parts.as_slice() else {
        return Err("it is no token: it has not three parts".to_owned());
    };
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('='));
    let claims: Option<Value> = claims.ok().and_then(|it| serde_json::from_slice(&it).ok());
    let Some(claims) = claims else {
        return Err("it is no token: its middle part cannot be read".to_owned());
    };
    let seconds = claims.get("exp").and_then(Value::as_i64);
    let end = seconds.map(|it| Timestamp::from_millis(it.saturating_mul(1000)));
    match end {
        Some(end) if end.plus(CLOCK_ERROR) <= now => {
            Err(format!("it expired at {end}: does somebody renew it?"))
        }
        Some(_) | None => Ok(Secret::new(token)),
    }
}

impl Aliyun {
    /// A token to assume a role with.
    pub(super) async fn token(&self, source: &TokenSource) -> Result<Secret, Fault> {
        match source {
            TokenSource::File(path) => from_file(path, self.http.now()),
            TokenSource::GitHub {
                url,
                bearer,
                audience,
            } => {
                self.endpoints.check(url, REQUEST_URL)?;
                let mut url = url.clone();
                url.query_pairs_mut().append_pair("audience", audience);
                let answer = self.http.send(request(url, bearer)?).await?;
                read(&answer, bearer, self.http.now())
            }
        }
    }
}

fn request(url: Url, bearer: &Secret) -> Result<Request<'static>, Fault> {
    let authorization = HeaderValue::from_str(&format!("bearer {}", bearer.reveal()));
    let mut authorization = authorization
        .map_err(|_| refuse(&format!("{REQUEST_TOKEN} holds what no header may hold")))?;
    authorization.set_sensitive(true);
    Ok(Request {
        service: "actions",
        action: "GetIdToken",
        doing: GITHUB_DOING,
        effect: Effect::Read,
        method: Method::GET,
        url,
        headers: HeaderMap::from_iter([(AUTHORIZATION, authorization)]),
        body: Vec::new(),
        read_max: READ_MAX,
    })
}

fn read(answer: &Answer, bearer: &Secret, now: Timestamp) -> Result<Secret, Fault> {
    let fault = |class, message: &str| Fault {
        service: Some("actions"),
        status: Some(answer.status),
        ..Fault::new(class, GITHUB_DOING, message)
    };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != 200 {
        let said = body.get("message").and_then(Value::as_str);
        let said = clean(said.unwrap_or("it gave none"), &[bearer]);
        return Err(fault(class_of_status(answer.status), &said)
            .hint("does the job have `permissions: id-token: write`, and does it still run?"));
    }
    // What cannot be read is not shown: it may be most of a token.
    let unreadable = |why: &str| fault(class_of_status(500), &format!("it gave no token: {why}"));
    let value = body.get("value").and_then(Value::as_str);
    let value = value.ok_or_else(|| unreadable("value is missing"))?;
    checked(value, now).map_err(|why| unreadable(&why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn read_file(content: &[u8]) -> Result<(), String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::fs::write(&path, content).expect("a file can be written");
        let now = Timestamp::parse("2026-11-21T02:00:00Z").expect("a time");
        let outcome = from_file(&path, now);
        assert!(!format!("{outcome:?}").contains("hidden"));
        outcome.map(|_| ()).map_err(|it| it.message)
    }

    #[test]
    fn what_is_no_token_is_refused_before_it_is_sent() {
        // 2026-11-21T01:54:59Z and 01:55:01Z.
        let (over, not_yet) = (1_795_226_099, 1_795_226_101);
        for (content, expected) in [
            (String::new(), Err("it is empty")),
            (" \n".to_owned(), Err("it is empty")),
            (
                "hidden".to_owned(),
                Err("it is no token: it has not three parts"),
            ),
            (
                "a.hidden.c".to_owned(),
                Err("it is no token: its middle part cannot be read"),
            ),
            (
                "x".repeat(20_001),
                Err("it has more than 20000 characters, which no token has"),
            ),
            (
                "x".repeat(1 << 20),
                Err("it has more than 20000 characters, which no token has"),
            ),
            (
                token(&format!("{{\"exp\": {over}}}")),
                Err("it expired at 2026-11-21T01:54:59Z: does somebody renew it?"),
            ),
            (token(&format!("{{\"exp\": {not_yet}}}")), Ok(())),
            (token("{}") + "\n", Ok(())),
        ] {
            let found = read_file(content.as_bytes());
            assert_eq!(found, expected.map_err(str::to_owned), "{content:.40}");
        }
        assert_eq!(read_file(&[0xFF]), Err("it is no text".to_owned()));
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = Timestamp::EPOCH;
        let said = |path: &Path| from_file(path, now).expect_err("no token").to_string();
        assert!(said(folder.path()).ends_with("it is no file"));
        let missing = said(&folder.path().join("none"));
        assert!(missing.contains("No such file"), "{missing}");
    }
}
