//! The metadata service as an instance sees it.
//!
//! Source: ECS documentation, "Instance metadata" and "Access instance metadata in security hardening mode"; ASSUMED:
//! the statuses of refusals.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::sim::aliyun::Cloud;
use crate::sim::principal::TokenRule;
use crate::sim::scenario::Key;
use crate::sim::{Answer, Request};

const TOKEN: &str = "api/token";
const ROLES: &str = "meta-data/ram/security-credentials/";
/// The longest that a token may last.
const TOKEN_SECONDS_MAX: u64 = 21_600;

/// What the service remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guest {
    /// Tokens, and when they end.
    tokens: BTreeMap<String, Timestamp>,
    key: Option<Key>,
    drawn: u64,
}

/// The action and the object of a path below `/latest/`.
pub(super) fn name_of(path: &str) -> (&'static str, Option<String>) {
    match path.strip_prefix(ROLES) {
        Some("") => ("GetRole", None),
        Some(role) => ("GetRoleKey", Some(role.to_owned())),
        None if path == TOKEN => ("GetToken", None),
        None => ("GetMetadata", Some(path.to_owned())),
    }
}

impl Guest {
    pub(super) fn answer(
        &mut self,
        cloud: &mut Cloud,
        request: &Request,
        now: Timestamp,
    ) -> Answer {
        let path = request
            .path
            .strip_prefix(super::METADATA)
            .unwrap_or_default();
        let rule = cloud.scenario().metadata.tokens;
        let answer = match (request.method.as_str(), path) {
            ("PUT", TOKEN) if rule != TokenRule::Unknown => self.token(cloud, request, now),
            ("GET", TOKEN) | ("PUT", _) => Err((405, "Method Not Allowed")),
            ("GET", path) => match self.may_ask(rule, request, now) {
                Ok(()) => self.look_up(cloud, path, now),
                Err(refusal) => Err(refusal),
            },
            _ => Err((405, "Method Not Allowed")),
        };
        let (status, text) = match answer {
            Ok(text) => (200, text),
            Err((status, words)) => (status, words.to_owned()),
        };
        Answer::new(status, "text/plain", &text)
    }

    fn token(
        &mut self,
        cloud: &Cloud,
        request: &Request,
        now: Timestamp,
    ) -> Result<String, (u16, &'static str)> {
        let seconds = request
            .headers
            .get("x-aliyun-ecs-metadata-token-ttl-seconds");
        let seconds = seconds.and_then(|it| it.parse().ok());
        let seconds: u64 = seconds
            .filter(|it| (1..=TOKEN_SECONDS_MAX).contains(it))
            .ok_or((400, "Bad Request"))?;
        self.drawn += 1;
        let token = cloud.draw(&format!("metadata/{}", self.drawn));
        self.tokens.retain(|_, end| *end > now);
        let end = now.plus(Duration::from_secs(seconds));
        self.tokens.insert(token.clone(), end);
        Ok(token)
    }

    fn may_ask(
        &self,
        rule: TokenRule,
        request: &Request,
        now: Timestamp,
    ) -> Result<(), (u16, &'static str)> {
        let token = request.headers.get("x-aliyun-ecs-metadata-token");
        let is_good = token.map(|it| self.tokens.get(it).is_some_and(|end| *end > now));
        match (is_good, rule) {
            (Some(true), _) | (_, TokenRule::Unknown) | (None, TokenRule::Optional) => Ok(()),
            (Some(false), _) => Err((401, "Unauthorized")),
            (None, TokenRule::Required) => Err((403, "Forbidden")),
        }
    }

    fn look_up(
        &mut self,
        cloud: &mut Cloud,
        path: &str,
        now: Timestamp,
    ) -> Result<String, (u16, &'static str)> {
        let role = cloud.scenario().metadata.role.clone();
        match (path.strip_prefix(ROLES), role) {
            (Some(""), Some(role)) => Ok(role),
            (Some(asked), Some(role)) if asked == role => {
                let key = self.key(cloud, &role, now);
                Ok(super::shown(&key, now).to_string())
            }
            (None, _) if path == "meta-data/region-id" => {
                Ok(cloud.scenario().regions[0].as_str().to_owned())
            }
            (Some(_) | None, _) => Err((404, "Not Found")),
        }
    }

    /// The key of the role. ASSUMED: another one comes once half of its time is over.
    fn key(&mut self, cloud: &mut Cloud, role: &str, now: Timestamp) -> Key {
        let seconds = cloud.scenario().metadata.key_seconds;
        let half = now.plus(Duration::from_secs(seconds / 2));
        let lasts = |it: &Key| it.expires.is_some_and(|end| end > half);
        if let Some(key) = self.key.clone().filter(lasts) {
            return key;
        }
        let key = cloud.open_session((role, "instance"), seconds, now);
        self.key = Some(key.clone());
        key
    }
}
