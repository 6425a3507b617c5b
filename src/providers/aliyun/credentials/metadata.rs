//! The role of the instance that this runs on, from its metadata service in the hardened mode.
//!
//! Source: ECS documentation, "Instance metadata" and "Access instance metadata in security hardening mode".

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Url;

use super::session::Issued;
use super::{Provider, refuse};
use crate::fault::{Class, Fault};
use crate::providers::Settings;
use crate::providers::aliyun::Aliyun;
use crate::providers::aliyun::fault::class_of_status;
use crate::providers::http::{Answer, Request};
use crate::retry::{Effect, Policy, retry};

const ROLE: &str = "ALIBABA_CLOUD_ECS_METADATA";
const DISABLED: &str = "ALIBABA_CLOUD_ECS_METADATA_DISABLED";
const V1_DISABLED: &str = "ALIBABA_CLOUD_IMDSV1_DISABLED";

const DOING: &str = "get the key of the instance's role";
const SERVICE: &str = "metadata";
const ROLES: &str = "latest/meta-data/ram/security-credentials/";

/// A second to connect and one to answer, as the official tools allow.
const READ_MAX: Duration = Duration::from_secs(2);
/// How long the service takes a token of ours; one is good for one renewal.
const TOKEN_SECONDS: &str = "60";

static TOKEN: HeaderName = HeaderName::from_static("x-aliyun-ecs-metadata-token");
static TOKEN_TTL: HeaderName = HeaderName::from_static("x-aliyun-ecs-metadata-token-ttl-seconds");

/// The role of the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instance {
    /// None: the service is asked.
    pub(super) role: Option<String>,
    /// Whether nothing says that there is one.
    pub(super) is_guess: bool,
    /// Whether a service that gives no token is asked without one.
    allows_v1: bool,
}

/// The role that the environment names.
pub(super) fn configured(settings: &Settings) -> Result<Option<Provider>, Fault> {
    let role = settings.get(ROLE);
    role.map(|it| named(settings, Some(it), ROLE)).transpose()
}

/// A role that is named here or in a profile; none: the service is asked for its name.
pub(super) fn named(
    settings: &Settings,
    role: Option<&str>,
    named_by: &str,
) -> Result<Provider, Fault> {
    if settings.is_true(DISABLED) {
        return Err(refuse(&format!(
            "{named_by} wants the role of the instance, which {DISABLED} forbids"
        )));
    }
    if role.is_some_and(|it| !is_name(it)) {
        return Err(refuse(&format!("{named_by} is no name of a role")));
    }
    Ok(Provider::Instance(Instance {
        role: role.map(str::to_owned),
        is_guess: false,
        allows_v1: !settings.is_true(V1_DISABLED),
    }))
}

/// Whatever role there is, unless that is switched off.
#[expect(
    clippy::unnecessary_wraps,
    reason = "all providers of the chain are asked alike"
)]
pub(super) fn last_resort(settings: &Settings) -> Result<Option<Provider>, Fault> {
    let instance = Instance {
        role: None,
        is_guess: true,
        allows_v1: !settings.is_true(V1_DISABLED),
    };
    Ok((!settings.is_true(DISABLED)).then_some(Provider::Instance(instance)))
}

/// Why it was not asked.
pub(super) fn switched_off() -> String {
    format!("switched off by {DISABLED}")
}

fn is_name(text: &str) -> bool {
    let is_meant = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
    (1..=64).contains(&text.len()) && text.bytes().all(is_meant)
}

impl Aliyun {
    pub(super) async fn instance_key(
        &self,
        instance: &Instance,
        policy: &Policy,
    ) -> Result<Issued, Fault> {
        let base = self.endpoints.metadata_url()?;
        let token = match self.metadata_token(&base).await {
            Ok(token) => Some(token),
            // An older service knows no tokens; an answer to them may also be kept from a container.
            Err(_) if instance.allows_v1 => None,
            Err(fault) => return Err(fault),
        };
        let get = |path: String| {
            let (base, token) = (&base, &token);
            retry(&self.patience, policy, Effect::Read, move || {
                self.metadata_get(base, path.clone(), token.as_ref())
            })
        };
        let role = match &instance.role {
            Some(role) => role.clone(),
            None => role_of(&get(ROLES.to_owned()).await?)?,
        };
        let answer = get(format!("{ROLES}{role}")).await?;
        let calls = u64::from(token.is_some()) + u64::from(instance.role.is_none()) + 1;
        Issued::from_body(
            &answer.body,
            &format!("the session of the role {role}"),
            calls,
        )
        .map_err(|why| fault(class_of_status(500), &why))
    }

    async fn metadata_token(&self, base: &Url) -> Result<HeaderValue, Fault> {
        let ttl = (TOKEN_TTL.clone(), HeaderValue::from_static(TOKEN_SECONDS));
        let url = base.join("latest/api/token").expect("the path is one");
        let request = request((Method::PUT, "GetToken"), url, [ttl].into_iter().collect());
        let answer = self.http.send(request).await?;
        let mut token = HeaderValue::from_bytes(answer.body.trim_ascii())
            .ok()
            .filter(|it| answer.status == 200 && !it.is_empty())
            .ok_or_else(|| refused(&answer, "it gave no token"))?;
        token.set_sensitive(true);
        Ok(token)
    }

    async fn metadata_get(
        &self,
        base: &Url,
        path: String,
        token: Option<&HeaderValue>,
    ) -> Result<Answer, Fault> {
        let action = if path == ROLES {
            "GetRole"
        } else {
            "GetRoleKey"
        };
        let url = base.join(&path).expect("names of roles fit into a path");
        let headers = token.map(|it| (TOKEN.clone(), it.clone()));
        let headers = headers.into_iter().collect();
        let answer = self
            .http
            .send(request((Method::GET, action), url, headers))
            .await?;
        match answer.status {
            200 => Ok(answer),
            404 if path == ROLES => Err(refused(&answer, "this instance has no role")),
            404 => Err(refused(&answer, "this instance has another role, or none")),
            _ => Err(refused(&answer, "it gave none")),
        }
    }
}

fn request(
    (method, action): (Method, &'static str),
    url: Url,
    headers: HeaderMap,
) -> Request<'static> {
    Request {
        service: SERVICE,
        action,
        doing: DOING,
        effect: Effect::Read,
        method,
        url,
        headers,
        body: Vec::new(),
        read_max: READ_MAX,
    }
}

/// The first line is the name; there is one.
fn role_of(answer: &Answer) -> Result<String, Fault> {
    let text = String::from_utf8_lossy(&answer.body);
    let role = text.lines().next().unwrap_or_default().trim();
    if is_name(role) {
        Ok(role.to_owned())
    } else {
        Err(fault(class_of_status(500), "it gave no name of a role"))
    }
}

fn refused(answer: &Answer, message: &str) -> Fault {
    Fault {
        status: Some(answer.status),
        ..fault(class_of_status(answer.status), message)
    }
}

fn fault(class: Class, message: &str) -> Fault {
    Fault {
        service: Some(SERVICE),
        ..Fault::new(class, DOING, message)
    }
}
