//! The calls of STS that give the session of a role.

use super::oidc::TokenSource;
use super::role::Role;
use super::session::Issued;
use super::{Credentials, Secret};
use crate::fault::{Class, Fault};
use crate::providers::aliyun::Aliyun;
use crate::providers::aliyun::call::{Call, Parameters, Reply, parameters};
use crate::providers::aliyun::place::Service;
use crate::providers::aliyun::wire::Fields;
use crate::retry::{Effect, Policy, retry};

const DOING: &str = "assume a role";

impl Aliyun {
    /// Assumes a role with a key (STS API reference, `AssumeRole`).
    pub(super) async fn assume(
        &self,
        role: &Role,
        with: &Credentials,
        policy: &Policy,
    ) -> Result<Issued, Fault> {
        let url = self.endpoints.url_for_roles(role.sts_host.as_deref())?;
        let mut call = call("AssumeRole", role);
        let external_id = role.external_id.as_ref();
        let external_id = external_id.map(|it| ("ExternalId".to_owned(), it.clone()));
        call.parameters.extend(external_id);
        let (call, url) = (&call, &url);
        let reply = retry(&self.patience, policy, Effect::Read, || {
            self.send_on_time(call, url, with)
        })
        .await?;
        read(call, &reply, 1)
    }

    /// Takes a role for a token, a fresh one for each attempt (STS API reference, `AssumeRoleWithOIDC`).
    pub(super) async fn assume_by_token(
        &self,
        (token, provider_arn): (&TokenSource, &str),
        role: &Role,
        policy: &Policy,
    ) -> Result<Issued, Fault> {
        let url = self.endpoints.url_for_roles(role.sts_host.as_deref())?;
        let call = call("AssumeRoleWithOIDC", role);
        let (call, url) = (&call, &url);
        let reply = retry(&self.patience, policy, Effect::Read, || async move {
            let token_text = self.token(token).await?;
            let mut form = parameters([
                ("Action", call.action),
                ("Version", call.service.version()),
                ("Format", "JSON"),
                ("Timestamp", &self.http.now().to_string()),
                ("OIDCProviderArn", provider_arn),
                ("OIDCToken", token_text.reveal()),
            ]);
            form.extend(call.parameters.clone());
            self.send_unsigned(call, url, (form, token_text))
                .await
                .map_err(|fault| explained(fault, token, role))
        })
        .await?;
        read(call, &reply, 1 + token.calls())
    }

    /// Nothing is signed: the token alone says who asks.
    async fn send_unsigned(
        &self,
        call: &Call<'_>,
        url: &reqwest::Url,
        (form, token): (Parameters, Secret),
    ) -> Result<Reply, Fault> {
        let answer = self.post(call, url, &form).await?;
        let bearer = Credentials {
            key_id: String::new(),
            secret: token,
            token: None,
            key_source: "the token".to_owned(),
            secret_source: "the token".to_owned(),
        };
        self.read(call, &answer, &bearer, &form)
    }
}

fn call<'a>(action: &'static str, role: &'a Role) -> Call<'a> {
    let mut parameters = parameters([
        ("RoleArn", role.arn.as_str()),
        ("RoleSessionName", &role.session_name),
        ("DurationSeconds", &role.seconds.to_string()),
    ]);
    let policy = role.policy.as_ref();
    parameters.extend(policy.map(|it| ("Policy".to_owned(), it.clone())));
    Call {
        service: Service::Sts,
        action,
        doing: DOING,
        effect: Effect::Read,
        subject: Some(&role.arn),
        parameters,
    }
}

fn read(call: &Call<'_>, reply: &Reply, calls: u64) -> Result<Issued, Fault> {
    let arn = call.subject.unwrap_or_default();
    let read = || {
        let credentials = reply.body.get("Credentials");
        let credentials = credentials.ok_or_else(|| "Credentials is missing".to_owned())?;
        Issued::read(
            Fields::new(credentials)?,
            &format!("the session of {arn}"),
            calls,
        )
    };
    let unreadable = Class::Unavailable {
        maybe_applied: false,
    };
    read().map_err(|why: String| call.fault(unreadable, &why))
}

/// What may help where STS refused a token: it is never the key of anybody.
fn explained(fault: Fault, token: &TokenSource, role: &Role) -> Fault {
    if fault.class != Class::Denied {
        return fault;
    }
    fault.hint(&format!(
        "does the trust policy of {} allow {token}, with its issuer, audience and subject?",
        role.arn
    ))
}
