//! Credentials from a URL, as sidecars serve them.
//!
//! Source: documentation of the Alibaba Cloud Credentials tools, "`ALIBABA_CLOUD_CREDENTIALS_URI`".

use std::time::Duration;

use http::{HeaderMap, Method};
use reqwest::Url;

use super::session::Issued;
use super::{Provider, refuse};
use crate::fault::Fault;
use crate::providers::Settings;
use crate::providers::aliyun::Aliyun;
use crate::providers::aliyun::fault::class_of_status;
use crate::providers::http::{Request, is_loopback};
use crate::retry::{Effect, Policy, retry};

pub(super) const URI: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";

const READ_MAX: Duration = Duration::from_secs(5);
const DOING: &str = "get credentials from a URL";

pub(super) fn configured(settings: &Settings) -> Result<Option<Provider>, Fault> {
    let url = settings.get(URI).map(|it| parse(it, URI)).transpose()?;
    Ok(url.map(Provider::Uri))
}

/// Reads a URL; plain http is for this machine alone.
pub(super) fn parse(text: &str, named_by: &str) -> Result<Url, Fault> {
    let refuse = |why| Err(refuse(&format!("{named_by} {why}")));
    let Ok(url) = Url::parse(text) else {
        return refuse("is no URL");
    };
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            refuse("holds a user or a password")
        }
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => refuse("is http, which is only allowed on loopback"),
        _ => refuse("is neither https nor http"),
    }
}

impl Aliyun {
    pub(super) async fn key_from_uri(&self, url: &Url, policy: &Policy) -> Result<Issued, Fault> {
        self.endpoints.check(url, URI)?;
        retry(&self.patience, policy, Effect::Read, || async move {
            let request = Request {
                service: "uri",
                action: "GetCredentials",
                doing: DOING,
                effect: Effect::Read,
                method: Method::GET,
                url: url.clone(),
                headers: HeaderMap::new(),
                body: Vec::new(),
                read_max: READ_MAX,
            };
            let answer = self.http.send(request).await?;
            let fault = |class, message: &str| Fault {
                service: Some("uri"),
                status: Some(answer.status),
                ..Fault::new(class, DOING, message)
            };
            if answer.status != 200 {
                let class = class_of_status(answer.status);
                return Err(fault(class, &format!("{URI} gave none")));
            }
            Issued::from_body(&answer.body, URI, 1)
                .map_err(|why| fault(class_of_status(500), &format!("{URI} gave none: {why}")))
        })
        .await
    }
}
