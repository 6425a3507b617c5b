//! Requests to GitHub taken apart, answers put together (GitHub Docs, "Getting started with the REST API").

use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::sim::registry::page;
use crate::sim::trouble::{Trouble, TroubleKind};
use crate::sim::{Answer, Request, aliyun};

/// The most that a page holds (GitHub Docs, "Using pagination in the REST API").
pub(super) const PAGE_MAX: usize = 100;

/// Where GitHub answers.
pub(crate) const PREFIX: &str = "/github/";

/// What a request answers.
pub(super) type Reply = Result<Answer, Refusal>;

/// A request taken apart.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    /// The parts of the path below `/github/`, decoded.
    pub(super) path: Vec<String>,
    query: Vec<(String, String)>,
    pub(super) request: &'a Request,
    pub(super) now: Timestamp,
    pub(super) trouble: Option<&'a Trouble>,
    /// The most that a page holds.
    pub(super) page_max: usize,
    /// Where the world answers, for links.
    pub(super) base: String,
    /// How late listings are.
    pub(super) lag: Duration,
}

impl<'a> Ask<'a> {
    pub(super) fn read(request: &'a Request, now: Timestamp) -> Self {
        let path = request.path.strip_prefix(PREFIX).unwrap_or_default();
        let pairs = request.query.split('&').filter(|it| !it.is_empty());
        let pairs = pairs.map(|it| it.split_once('=').unwrap_or((it, "")));
        let host = request.headers.get("host").map(String::as_str);
        Self {
            path: path.split('/').map(aliyun::decode).collect(),
            query: pairs
                .map(|(name, value)| (aliyun::decode(name), aliyun::decode(value)))
                .collect(),
            request,
            now,
            trouble: None,
            page_max: PAGE_MAX,
            base: format!("http://{}/github", host.unwrap_or("localhost")),
            lag: Duration::ZERO,
        }
    }

    pub(super) fn parts(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut named = self.query.iter().filter(|(key, _)| key == name);
        named.next().map(|(_, value)| value.as_str())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.get(name).map(String::as_str)
    }

    pub(super) fn is_read(&self) -> bool {
        self.request.method == "GET"
    }

    /// Whether it asks for the version of 2026-03-10.
    pub(super) fn is_of_2026(&self) -> bool {
        self.header("x-github-api-version") == Some("2026-03-10")
    }

    /// What listings see: a trouble may show the past.
    pub(super) fn visible(&self) -> Timestamp {
        let stale = self.trouble.filter(|it| it.fault == TroubleKind::Stale);
        self.now.minus(
            self.lag
                .max(stale.map(Trouble::duration).unwrap_or_default()),
        )
    }

    /// One page of a listing, with its links (GitHub Docs, "Using pagination in the REST API"); `show` makes the body of
    /// its entries.
    pub(super) fn page(
        &self,
        mut entries: Vec<Value>,
        show: impl Fn(Vec<Value>) -> Value,
    ) -> Answer {
        let number = |name: &str, usual: usize| {
            let said = self.parameter(name).and_then(|it| it.parse().ok());
            said.filter(|it| *it >= 1).unwrap_or(usual)
        };
        let size = number("per_page", 30).min(self.page_max);
        let page = number("page", 1);
        let start = (page - 1).saturating_mul(size);
        page::torn(&mut entries, start, self.trouble);
        let last = entries.len().div_ceil(size).max(1);
        let shown = entries.into_iter().skip(start).take(size).collect();
        let mut answer = Answer::json(200, &show(shown));
        if last > 1 {
            let mut links = Vec::new();
            if page > 1 {
                links.push(self.link("prev", page - 1, size));
                links.push(self.link("first", 1, size));
            }
            if page < last {
                links.push(self.link("next", page + 1, size));
                links.push(self.link("last", last, size));
            }
            answer.headers.insert("link".to_owned(), links.join(", "));
        }
        answer
    }

    fn link(&self, relation: &str, page: usize, size: usize) -> String {
        let others = self.request.query.split('&').filter(|it| {
            let name = it.split('=').next().unwrap_or_default();
            !["", "page", "per_page"].contains(&name)
        });
        let size = format!("per_page={size}");
        let page = format!("page={page}");
        let query: Vec<&str> = others.chain([size.as_str(), &page]).collect();
        let query = query.join("&");
        let path = self
            .request
            .path
            .strip_prefix("/github")
            .unwrap_or_default();
        let base = &self.base;
        format!("<{base}{path}?{query}>; rel=\"{relation}\"")
    }
}

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
    pub(super) retry_after: Option<u64>,
    /// The permissions that would do.
    permissions: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(status: u16, message: &str) -> Self {
        Self {
            status,
            message: message.to_owned(),
            retry_after: None,
            permissions: None,
        }
    }

    /// Says which permissions would do (GitHub Docs, "Troubleshooting the REST API", "Insufficient permissions").
    pub(super) fn accepting(mut self, permissions: &'static str) -> Self {
        self.permissions = Some(permissions);
        self
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    pub(super) fn render(&self) -> Answer {
        let body = json!({
            "message": self.message,
            "documentation_url": "https://docs.github.com/rest",
            "status": self.status.to_string(),
        });
        let mut answer = Answer::json(self.status, &body);
        if let Some(seconds) = self.retry_after {
            let seconds = seconds.to_string();
            answer.headers.insert("retry-after".to_owned(), seconds);
        }
        if let Some(permissions) = self.permissions {
            let name = "x-accepted-github-permissions".to_owned();
            answer.headers.insert(name, permissions.to_owned());
        }
        answer
    }
}

pub(super) fn nothing() -> Answer {
    let mut answer = Answer::new(204, "text/plain", "");
    answer.headers.clear();
    answer
}
