//! Where keys can be had beside STS: the metadata service, a credentials URI, and GitHub's tokens for jobs.
//!
//! - `token`: tokens of identity providers.
//! - `guest`: the metadata service as an instance sees it.

mod guest;
pub mod token;

use serde_json::json;

use crate::clock::Timestamp;
use crate::sim::aliyun::Cloud;
use crate::sim::scenario::Key;
use crate::sim::trouble::Trouble;
use crate::sim::{Answer, Request};

pub(crate) use guest::Guest;

const METADATA: &str = "/latest/";
const ACTIONS: &str = "/github/_oidc";
const URI: &str = "/credentials";

/// Where the job's tokens are asked for, at a world that answers at `base`.
pub(crate) fn token_request_url(base: &str) -> String {
    format!("{base}{ACTIONS}?api-version=2.0")
}

/// Where the credentials URI is, at a world that answers at `base`.
pub(crate) fn credentials_uri(base: &str) -> String {
    format!("{base}{URI}")
}

/// The service, the action and the object of a request; none: it is for another service.
pub(crate) fn name_of(request: &Request) -> Option<(&'static str, String, Option<String>)> {
    if let Some(path) = request.path.strip_prefix(METADATA) {
        let (action, object) = guest::name_of(path);
        return Some(("metadata", action.to_owned(), object));
    }
    match request.path.as_str() {
        ACTIONS => Some(("actions", "GetIdToken".to_owned(), None)),
        URI => Some(("uri", "GetCredentials".to_owned(), None)),
        _ => None,
    }
}

/// Answers a request that [`name_of`] knows.
pub(crate) fn answer(
    cloud: &mut Cloud,
    guest: &mut Guest,
    request: &Request,
    now: Timestamp,
) -> Answer {
    match request.path.as_str() {
        ACTIONS => job_token(cloud, request, now),
        URI => from_uri(cloud, now),
        _ => guest.answer(cloud, request, now),
    }
}

/// Answers with the failure that a trouble asks for.
pub(crate) fn fail(trouble: &Trouble) -> Answer {
    let message = "The request has failed, as the scenario asks.";
    Answer::json(trouble.status.unwrap_or(500), &json!({"message": message}))
}

/// GitHub Docs, "`OpenID` Connect reference", "Methods for requesting the OIDC token"; ASSUMED: statuses and messages.
fn job_token(cloud: &Cloud, request: &Request, now: Timestamp) -> Answer {
    let scenario = cloud.scenario();
    let refuse = |status, message: &str| Answer::json(status, &json!({"message": message}));
    let Some(job) = &scenario.job else {
        return refuse(404, "Not Found");
    };
    if request.method != "GET" {
        return refuse(405, "Method Not Allowed");
    }
    let authorization = request.headers.get("authorization");
    let claim = authorization.and_then(|it| it.split_once(' '));
    let is_known = claim.is_some_and(|(scheme, token)| {
        scheme.eq_ignore_ascii_case("bearer") && token == job.request_token
    });
    if !is_known {
        return refuse(401, "Bad credentials");
    }
    let audience = value_of(&request.query, "audience");
    // Left out, it is the URL of the repository's owner.
    let owner = job.subject.split(['/', ':']).nth(1).unwrap_or_default();
    let claims = token::Claims {
        iss: token::GITHUB.to_owned(),
        aud: audience.unwrap_or_else(|| format!("https://github.com/{owner}")),
        sub: job.subject.clone(),
        iat: now.millis() / 1000,
        exp: now.millis() / 1000 + i64::try_from(job.token_seconds).unwrap_or(i64::MAX / 2000),
    };
    let value = token::issue(scenario.seed, &claims);
    Answer::json(200, &json!({"count": 1, "value": value}))
}

fn value_of(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|it| it.split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name);
    values
        .next()
        .map(|(_, value)| crate::sim::aliyun::decode(value))
}

/// Documentation of the Alibaba Cloud Credentials tools, "`ALIBABA_CLOUD_CREDENTIALS_URI`".
fn from_uri(cloud: &mut Cloud, now: Timestamp) -> Answer {
    let Some(role) = cloud.scenario().credentials_uri.clone() else {
        return Answer::json(404, &json!({"Code": "NotFound"}));
    };
    let key = cloud.open_session((&role, "uri"), 3600, now);
    Answer::json(200, &shown(&key, now))
}

/// A key with an end, as the metadata service and a credentials URI show it.
fn shown(key: &Key, now: Timestamp) -> serde_json::Value {
    json!({
        "Code": "Success",
        "AccessKeyId": key.id,
        "AccessKeySecret": key.secret,
        "SecurityToken": key.token,
        "Expiration": key.expires,
        "LastUpdated": now,
    })
}
