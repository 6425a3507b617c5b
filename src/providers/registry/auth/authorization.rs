//! What is sent as `Authorization`: who we are, or a token that stands for it.

use std::sync::Arc;

use http::{HeaderMap, Method};
use reqwest::Url;
use tokio::time::timeout;

use super::{Challenge, Scopes, Token, Wanted};
use crate::fault::{Class, Fault};
use crate::providers::registry::call::{Call, To};
use crate::providers::registry::credentials::{Credential, find};
use crate::providers::registry::fault::SERVICE;
use crate::providers::registry::places::refuse_way;
use crate::providers::registry::transport::{READ_MAX, REFUSAL_BYTES_MAX};
use crate::providers::registry::{Registries, Site};
use crate::providers::secret::Secret;
use crate::retry::Effect;

impl Registries {
    /// Who we are there, looked for once a pass.
    pub(in crate::providers::registry) async fn credential(
        &self,
        site: &Site,
    ) -> Result<Arc<Option<Credential>>, Fault> {
        self.credentials
            .get(site, || find(&self.settings, site))
            .await
    }

    /// What is sent as `Authorization`. `refused` was sent before; none: nothing.
    pub(in crate::providers::registry) async fn authorization(
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
}

/// The way that we take: a token where that is possible, for it says less than a password.
pub(in crate::providers::registry) fn choose(
    challenges: &[Challenge],
    is_known: bool,
) -> Option<Challenge> {
    let is_bearer = |it: &&Challenge| matches!(it, Challenge::Bearer { .. });
    let bearer = challenges.iter().find(is_bearer);
    let way = bearer.or_else(|| challenges.first().filter(|_| is_known));
    way.cloned()
}
