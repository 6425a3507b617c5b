//! An answer that has begun: its body is read part by part.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use http::HeaderMap;
use hyper::body::Bytes;
use tokio::time::timeout;

use super::Request;
use crate::fault::{Class, Fault};
use crate::retry::Effect;

/// An answer whose body is still to be read.
#[derive(Debug)]
pub struct Opened {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    response: reqwest::Response,
    origin: Origin,
    read_max: Duration,
}

impl Opened {
    pub(super) fn new(mut response: reqwest::Response, origin: Origin, read_max: Duration) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            response,
            origin,
            read_max,
        }
    }

    /// A header as text; none: absent, or no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next part of the body; none: it is over. One that ends before its length is a fault.
    pub async fn part(&mut self) -> Result<Option<Bytes>, Fault> {
        let part = within(self.read_max, self.response.chunk()).await;
        part.map_err(|broken| self.origin.fault(&broken))
    }

    /// The rest of the body; none: it has more bytes than `most`, and is not read any further.
    pub async fn body(&mut self, most: usize) -> Result<Option<Vec<u8>>, Fault> {
        // That of an answer to HEAD is 0, whatever its headers say.
        let length = self.response.content_length().map(usize::try_from);
        if length.is_some_and(|it| it.is_ok_and(|it| it > most)) {
            return Ok(None);
        }
        let mut body = Vec::new();
        while let Some(part) = self.part().await? {
            if body.len() + part.len() > most {
                return Ok(None);
            }
            body.extend_from_slice(&part);
        }
        Ok(Some(body))
    }
}

/// Whom a request went to, and what for; for faults.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    service: &'static str,
    doing: String,
    host: String,
    effect: Effect,
}

impl Origin {
    pub(super) fn of(request: &Request<'_>) -> Self {
        Self {
            service: request.service,
            doing: request.doing.to_owned(),
            host: request.url.authority().to_owned(),
            effect: request.effect,
        }
    }

    pub(super) fn fault(&self, broken: &Broken) -> Fault {
        let maybe_applied = broken.was_sent && self.effect != Effect::Read;
        let message = format!("no answer from {}: {}", self.host, broken.reason);
        Fault {
            service: Some(self.service),
            ..Fault::new(Class::Unavailable { maybe_applied }, &self.doing, &message)
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) reason: String,
    was_sent: bool,
}

impl Broken {
    pub(super) fn after_sending(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            was_sent: true,
        }
    }
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        Self {
            was_sent: !error.is_connect() && !error.is_builder(),
            reason: root_cause(&error.without_url()),
        }
    }
}

pub(super) async fn within<T>(
    most: Duration,
    reading: impl Future<Output = Result<T, reqwest::Error>>,
) -> Result<T, Broken> {
    match timeout(most, reading).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(Broken::after_sending(&format!(
            "nothing came for {} s",
            most.as_secs()
        ))),
    }
}

pub(super) fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
