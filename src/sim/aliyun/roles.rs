//! Sessions of roles (STS API reference, `AssumeRole` and `AssumeRoleWithOIDC`; RAM documentation, "Trust policies").

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::wire::{Incoming, Parameters, Refusal};
use crate::sim::aliyun::{Cloud, Reply};
use crate::sim::identity::token::{self, Claims};
use crate::sim::principal::{IdentityProvider, Role, TokenTrust};
use crate::sim::scenario::Key;

/// How long a token may be, in characters.
const TOKEN_SIZE: RangeInclusive<usize> = 4..=20_000;

/// Answers `AssumeRole`.
pub(super) fn assume(cloud: &mut Cloud, ask: &Ask) -> Reply {
    let wanted = Wanted::read(cloud, &ask.parameters)?;
    let root = format!("acs:ram::{}:root", cloud.scenario.account);
    let arn = ask.key.arn.as_ref().or(cloud.scenario.arn.as_ref());
    if arn.is_none_or(|it| *it == root) && ask.key.token.is_none() {
        return Err(no_permission("Roles may not be assumed by root accounts."));
    }
    let role = &wanted.role;
    let is_named = |names: &BTreeSet<String>| {
        let own = arn.and_then(|it| it.split(":assumed-role/").nth(1)?.split('/').next());
        names.contains(&ask.key.id) || own.is_some_and(|it| names.contains(it))
    };
    let external_id = ask.text("ExternalId");
    let is_right = role
        .external_id
        .as_deref()
        .is_none_or(|it| external_id == Some(it));
    if !role.trusted.as_ref().is_none_or(is_named) || !is_right {
        return Err(no_permission(
            "You are not authorized to do this action. You should be authorized by RAM.",
        ));
    }
    Ok(wanted.answer(cloud, ask.now))
}

/// Answers `AssumeRoleWithOIDC`, which is not signed: the token says who asks.
pub(super) fn assume_by_token(cloud: &mut Cloud, incoming: &Incoming, now: Timestamp) -> Reply {
    let parameters = &incoming.parameters;
    // The real service may not mind; a client that signs it has mistaken it for another action.
    for name in [
        "AccessKeyId",
        "Signature",
        "SignatureNonce",
        "SecurityToken",
    ] {
        if parameters.text(name).is_some() {
            return Err(Refusal::invalid(name));
        }
    }
    for name in ["RoleArn", "OIDCProviderArn", "OIDCToken"] {
        if parameters.text(name).is_none() {
            return Err(Refusal::missing(name));
        }
    }
    let wanted = Wanted::read(cloud, parameters)?;
    let text = parameters.text("OIDCToken").unwrap_or_default();
    if !TOKEN_SIZE.contains(&text.len()) {
        return Err(wrong("OIDCToken"));
    }
    let provider = provider(
        cloud,
        parameters.text("OIDCProviderArn").unwrap_or_default(),
    )?;
    let claims = believed(cloud, text, (&provider, now))?;
    let trust = wanted.role.tokens.as_ref();
    if !trust.is_some_and(|it| allows(it, &provider, &claims)) {
        return Err(no_permission(
            "You are not authorized to do this action. The trust policy of the role does not allow the token.",
        ));
    }
    let mut answer = wanted.answer(cloud, now);
    answer["OIDCTokenInfo"] = json!({
        "Subject": claims.sub,
        "Issuer": claims.iss,
        "ClientIds": claims.aud,
        "IssuanceTime": Timestamp::from_millis(claims.iat * 1000),
        "ExpirationTime": Timestamp::from_millis(claims.exp * 1000),
        "VerificationInfo": "Success",
    });
    Ok(answer)
}

/// A session that is asked for, with parameters that are right.
struct Wanted {
    role: Role,
    session: String,
    seconds: u64,
}

impl Wanted {
    fn read(cloud: &Cloud, parameters: &Parameters) -> Result<Self, Refusal> {
        let session = parameters.text("RoleSessionName").unwrap_or_default();
        let is_meant = |it: char| it.is_ascii_alphanumeric() || ".@-_".contains(it);
        if !(2..=64).contains(&session.len()) || !session.chars().all(is_meant) {
            let message = "The parameter RoleSessionName is wrongly formed.";
            return Err(Refusal::new(
                400,
                "InvalidParameter.RoleSessionName",
                message,
            ));
        }
        let role = role(cloud, parameters.text("RoleArn").unwrap_or_default())?;
        let seconds = parameters.number("DurationSeconds").unwrap_or(3600);
        let seconds = u64::try_from(seconds).unwrap_or_default();
        if !(900..=role.max_session_seconds).contains(&seconds) {
            return Err(wrong("DurationSeconds"));
        }
        let policy = parameters.text("Policy");
        let is_policy = |it: &str| {
            it.len() <= 2048 && serde_json::from_str::<Value>(it).is_ok_and(|it| it.is_object())
        };
        if !policy.is_none_or(is_policy) {
            return Err(wrong("PolicyGrammar"));
        }
        let id = parameters.text("ExternalId");
        let is_id = |it: &str| {
            let is_meant = |it: char| it.is_ascii_alphanumeric() || "_+=,.@:/-".contains(it);
            (2..=1224).contains(&it.len()) && it.chars().all(is_meant)
        };
        if !id.is_none_or(is_id) {
            return Err(wrong("ExternalId"));
        }
        Ok(Self {
            role,
            session: session.to_owned(),
            seconds,
        })
    }

    fn answer(&self, cloud: &mut Cloud, now: Timestamp) -> Value {
        let key = cloud.open_session((&self.role.name, &self.session), self.seconds, now);
        let account = &cloud.scenario.account;
        let name = format!("{}/{}", self.role.name, self.session);
        json!({
            "Credentials": {
                "AccessKeyId": key.id,
                "AccessKeySecret": key.secret,
                "SecurityToken": key.token,
                "Expiration": key.expires,
            },
            "AssumedRoleUser": {
                "Arn": format!("acs:ram::{account}:role/{name}"),
                "AssumedRoleId": format!("{account}:{}", self.session),
            },
        })
    }
}

impl Cloud {
    /// Opens a session of a role, whoever asks, and gives its key.
    pub(crate) fn open_session(
        &mut self,
        (role, session): (&str, &str),
        seconds: u64,
        now: Timestamp,
    ) -> Key {
        let number = self.sessions.len() + 1;
        let draw = |what: &str| self.draw(&format!("session/{number}/{what}"));
        let roles = self.scenario.roles.iter();
        let denied = roles
            .filter(|it| it.name == role)
            .map(|it| it.denied.clone());
        let account = &self.scenario.account;
        // To the second, as the service writes it.
        let now = Timestamp::from_millis(now.millis().div_euclid(1000) * 1000);
        let key = Key {
            id: format!("STS.N{}", &draw("id")[..22]),
            secret: draw("secret")[..44].to_owned(),
            token: Some(format!("CAIS{}+/==", draw("token"))),
            expires: Some(now.plus(Duration::from_secs(seconds))),
            denied: denied.flatten().collect(),
            arn: Some(format!("acs:ram::{account}:assumed-role/{role}/{session}")),
        };
        self.sessions.insert(key.id.clone(), key.clone());
        key
    }
}

fn role(cloud: &Cloud, arn: &str) -> Result<Role, Refusal> {
    let start = format!("acs:ram::{}:role/", cloud.scenario.account);
    if !arn.starts_with("acs:ram::") || !arn.contains(":role/") {
        return Err(wrong("RoleArn"));
    }
    let name = arn.strip_prefix(&start);
    let mut roles = cloud.scenario.roles.iter();
    let role = roles.find(|it| Some(it.name.as_str()) == name);
    role.cloned()
        .ok_or_else(|| Refusal::new(404, "EntityNotExist.Role", "The specified Role not exists."))
}

fn provider(cloud: &Cloud, arn: &str) -> Result<IdentityProvider, Refusal> {
    let start = format!("acs:ram::{}:oidc-provider/", cloud.scenario.account);
    let name = arn.strip_prefix(&start);
    let mut providers = cloud.scenario.identity_providers.iter();
    let provider = providers.find(|it| Some(it.name.as_str()) == name);
    // ASSUMED: the code.
    provider.cloned().ok_or_else(|| {
        let message = "The specified OIDC provider not exists.";
        Refusal::new(404, "EntityNotExist.OIDCProvider", message)
    })
}

/// What a token says, if the provider stands for it; ASSUMED: the ends of the codes.
fn believed(
    cloud: &Cloud,
    text: &str,
    (provider, now): (&IdentityProvider, Timestamp),
) -> Result<Claims, Refusal> {
    let refuse = |end: &str, message: &str| {
        let code = format!("AuthenticationFail.OIDCToken.{end}");
        Err(Refusal::new(400, &code, message))
    };
    let Some(claims) = token::read(cloud.scenario.seed, text) else {
        return refuse("Invalid", "The signature of the OIDC token is invalid.");
    };
    if claims.iss != provider.issuer {
        return refuse(
            "IssuerMismatch",
            "The issuer of the OIDC token does not match.",
        );
    }
    if !provider.audiences.contains(&claims.aud) {
        return refuse(
            "AudienceMismatch",
            "The audience of the OIDC token does not match.",
        );
    }
    if claims.exp.saturating_mul(1000) <= now.millis() {
        return refuse("Expired", "The OIDC token has expired.");
    }
    Ok(claims)
}

fn allows(trust: &TokenTrust, provider: &IdentityProvider, claims: &Claims) -> bool {
    let is_subject = match trust.subject.strip_suffix('*') {
        Some(start) => claims.sub.starts_with(start),
        None => claims.sub == trust.subject,
    };
    trust.provider == provider.name && trust.audience == claims.aud && is_subject
}

fn wrong(name: &str) -> Refusal {
    let message = format!("The parameter {name} is wrongly formed.");
    Refusal::new(400, &format!("InvalidParameter.{name}"), &message)
}

fn no_permission(message: &str) -> Refusal {
    Refusal::new(403, "NoPermission", message)
}
