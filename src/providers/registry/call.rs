//! What is asked of a registry, and what it answers.

use http::{HeaderMap, HeaderValue, Method};
use reqwest::Url;

use super::Location;
use super::auth::Scopes;
use super::fault::{SERVICE, UNUSABLE};
use crate::fault::{Class, Fault};
use crate::providers::http::BODY_BYTES_MAX;
use crate::retry::Effect;

/// Where a call goes to.
#[derive(Clone, Debug)]
pub(super) enum To {
    /// Below `/v2/` and the repository's name.
    Path(String),
    /// Where the registry said.
    Url(Url),
}

/// What is asked of a registry.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub(super) at: &'a Location,
    /// In words, as in `read a manifest`.
    pub(super) doing: &'static str,
    pub(super) effect: Effect,
    pub(super) method: Method,
    pub(super) to: To,
    /// What of the repository it is about, as in `:v1`.
    pub(super) subject: String,
    pub(super) scopes: Scopes,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// How many bytes the answer may have.
    pub(super) most: usize,
    /// Statuses beside success that are answers.
    pub(super) answers: &'static [u16],
}

/// An answer that was read whole.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// A header as text; none: absent, or no text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl<'a> Call<'a> {
    /// A call that only looks.
    pub(super) fn read(at: &'a Location, doing: &'static str, method: Method, path: &str) -> Self {
        Self {
            at,
            doing,
            effect: Effect::Read,
            method,
            to: To::Path(path.to_owned()),
            subject: String::new(),
            scopes: Scopes::of(&at.repository, "pull"),
            headers: HeaderMap::new(),
            body: Vec::new(),
            most: BODY_BYTES_MAX,
            answers: &[],
        }
    }

    /// A call that changes something, and does no harm twice.
    pub(super) fn write(at: &'a Location, doing: &'static str, method: Method, path: &str) -> Self {
        Self {
            effect: Effect::Repeatable,
            scopes: Scopes::of(&at.repository, "pull,push"),
            ..Self::read(at, doing, method, path)
        }
    }

    /// The same, about this part of the repository.
    pub(super) fn about(self, subject: &str) -> Self {
        let subject = subject.to_owned();
        Self { subject, ..self }
    }

    /// The same, where these statuses are answers too.
    pub(super) fn answered_by(self, answers: &'static [u16]) -> Self {
        Self { answers, ..self }
    }

    /// The same, with another header.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// A failure of this call that no status describes.
    pub(super) fn fault(&self, class: Class, message: &str) -> Fault {
        let Location { site, repository } = self.at;
        let subject = format!("{}/{repository}{}", site.host, self.subject);
        Fault {
            subject: Some(subject),
            service: Some(SERVICE),
            ..Fault::new(class, self.doing, message)
        }
    }

    /// An answer that no registry gives.
    pub(super) fn unusable(&self, message: &str) -> Fault {
        self.fault(UNUSABLE, message)
    }

    pub(super) fn is_answer(&self, status: u16) -> bool {
        (200..300).contains(&status) || self.answers.contains(&status)
    }

    /// What a registry counts together.
    pub(super) fn kind(&self) -> String {
        let sort = match self.effect {
            Effect::Read => "read",
            Effect::Repeatable | Effect::Once => "write",
        };
        format!("{SERVICE} {} {sort}", self.at.site.host)
    }
}

impl Call<'_> {
    pub(super) fn url(&self, registry: &Url) -> Result<Url, Fault> {
        match &self.to {
            To::Url(url) => Ok(url.clone()),
            To::Path(path) => {
                let path = format!("/v2/{}/{path}", self.at.repository);
                let url = registry.join(&path);
                url.map_err(|_| self.fault(Class::Invalid, "this makes no URL"))
            }
        }
    }
}
