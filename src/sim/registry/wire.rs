//! Requests taken apart, refusals put together (OCI distribution specification, "Endpoints" and "Error Codes").

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::sim::trouble::{Trouble, TroubleKind};
use crate::sim::{Answer, Delivery, Request, aliyun};

/// Where GHCR's blobs really are.
pub(super) const STORAGE: &str = "pkg-containers.githubusercontent.com";

/// What a request answers.
pub(super) type Reply = Result<Answer, Refusal>;

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `/v2/`.
    Base,
    /// `/token`.
    Token,
    /// A blob where it really is.
    Storage {
        digest: String,
    },
    /// A manifest by tag or digest.
    Manifest {
        reference: String,
    },
    Blob {
        digest: String,
    },
    /// Where uploads begin.
    Uploads,
    Upload {
        id: String,
    },
    Tags,
    Referrers {
        digest: String,
    },
    /// Nothing that a registry has.
    Nothing,
}

/// A request taken apart.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    pub(super) host: String,
    /// Empty where there is none.
    pub(super) repository: String,
    pub(super) target: Target,
    pub(super) query: Vec<(String, String)>,
    pub(super) request: &'a Request,
    pub(super) now: Timestamp,
    pub(super) trouble: Option<&'a Trouble>,
}

impl<'a> Ask<'a> {
    pub(super) fn read(host: &str, request: &'a Request, now: Timestamp) -> Self {
        let (repository, target) = target(host, &aliyun::decode(&request.path));
        let pairs = request.query.split('&').filter(|it| !it.is_empty());
        let pairs = pairs.map(|it| it.split_once('=').unwrap_or((it, "")));
        Self {
            host: host.to_owned(),
            repository,
            target,
            query: pairs
                .map(|(name, value)| (aliyun::decode(name), aliyun::decode(value)))
                .collect(),
            request,
            now,
            trouble: None,
        }
    }

    pub(super) fn method(&self) -> &str {
        &self.request.method
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.get(name).map(String::as_str)
    }

    /// The first value of a parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters(name).next()
    }

    pub(super) fn parameters(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.query.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }

    /// What a trouble that shows the past takes off.
    pub(super) fn staleness(&self) -> Duration {
        let stale = self.trouble.filter(|it| it.fault == TroubleKind::Stale);
        stale.map(Trouble::duration).unwrap_or_default()
    }

    /// As in `GET manifest`.
    pub(super) fn action(&self) -> String {
        let noun = match self.target {
            Target::Base => "base",
            Target::Token => "token",
            Target::Storage { .. } => "storage",
            Target::Manifest { .. } => "manifest",
            Target::Blob { .. } => "blob",
            Target::Uploads if self.parameter("mount").is_some() => "mount",
            Target::Uploads | Target::Upload { .. } => "upload",
            Target::Tags => "tags",
            Target::Referrers { .. } => "referrers",
            Target::Nothing => "nothing",
        };
        format!("{} {noun}", self.method())
    }

    /// As in `ghcr.io/example/app@v1`.
    pub(super) fn object(&self) -> Option<String> {
        let repository = Some(self.repository.as_str()).filter(|it| !it.is_empty());
        let mut object = repository.map_or(self.host.clone(), |it| format!("{}/{it}", self.host));
        let part = match &self.target {
            Target::Base | Target::Nothing => return None,
            Target::Token => {
                let scopes: Vec<&str> = self.parameters("scope").collect();
                return Some(format!("{} {}", self.host, scopes.join(" ")));
            }
            Target::Storage { digest } | Target::Blob { digest } | Target::Referrers { digest } => {
                Some(digest.as_str())
            }
            Target::Manifest { reference } => Some(reference.as_str()),
            Target::Uploads => self.parameter("mount"),
            // Only the end of an upload says what it was.
            Target::Upload { .. } => self.parameter("digest"),
            Target::Tags => None,
        };
        if let Some(part) = part {
            write!(object, "@{part}").expect("text takes what is written");
        }
        Some(object)
    }
}

fn target(host: &str, path: &str) -> (String, Target) {
    let nothing = (String::new(), Target::Nothing);
    if host == STORAGE {
        let digest = path.strip_prefix("/ghcr1/blobs/").map(str::to_owned);
        let storage = |digest| (String::new(), Target::Storage { digest });
        return digest.map_or(nothing, storage);
    }
    match path {
        "/v2" | "/v2/" => return (String::new(), Target::Base),
        "/token" => return (String::new(), Target::Token),
        _ => {}
    }
    let Some(path) = path.strip_prefix("/v2/") else {
        return nothing;
    };
    if let Some(name) = path.strip_suffix("/tags/list") {
        return (name.to_owned(), Target::Tags);
    }
    if let Some((name, id)) = path.rsplit_once("/blobs/uploads/") {
        let id = id.to_owned();
        let target = if id.is_empty() {
            Target::Uploads
        } else {
            Target::Upload { id }
        };
        return (name.to_owned(), target);
    }
    if let Some(name) = path.strip_suffix("/blobs/uploads") {
        return (name.to_owned(), Target::Uploads);
    }
    let Some((start, last)) = path.rsplit_once('/') else {
        return nothing;
    };
    let last = last.to_owned();
    match start.rsplit_once('/') {
        Some((name, "manifests")) => (name.to_owned(), Target::Manifest { reference: last }),
        Some((name, "blobs")) => (name.to_owned(), Target::Blob { digest: last }),
        Some((name, "referrers")) => (name.to_owned(), Target::Referrers { digest: last }),
        Some(_) | None => nothing,
    }
}

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: u16,
    code: String,
    message: String,
    detail: Value,
    headers: BTreeMap<String, String>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            detail: Value::Null,
            headers: BTreeMap::new(),
        }
    }

    pub(super) fn about(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn unsupported() -> Self {
        Self::new(405, "UNSUPPORTED", "The operation is unsupported.")
    }

    pub(super) fn manifest_unknown(reference: &str) -> Self {
        let detail = json!({ "reference": reference });
        Self::new(404, "MANIFEST_UNKNOWN", "manifest unknown").about(detail)
    }

    pub(super) fn name_unknown(name: &str) -> Self {
        let message = "repository name not known to registry";
        Self::new(404, "NAME_UNKNOWN", message).about(json!({ "name": name }))
    }

    pub(super) fn blob_unknown(digest: &str) -> Self {
        let message = "blob unknown to registry";
        Self::new(404, "BLOB_UNKNOWN", message).about(json!({ "digest": digest }))
    }

    pub(super) fn digest_invalid(detail: &str) -> Self {
        let message = "provided digest did not match uploaded content";
        Self::new(400, "DIGEST_INVALID", message).about(json!(detail))
    }

    pub(super) fn render(&self) -> Answer {
        let mut error = json!({"code": self.code, "message": self.message});
        if !self.detail.is_null() {
            error["detail"] = self.detail.clone();
        }
        let mut answer = Answer::json(self.status, &json!({"errors": [error]}));
        answer.headers.extend(self.headers.clone());
        answer
    }
}

/// An answer with these headers.
pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let headers = headers.iter();
    Answer {
        status,
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body,
        delivery: Delivery::Whole,
    }
}

/// The error code of an answer.
pub(crate) fn code_of(answer: &Answer) -> Option<String> {
    if answer.status < 400 {
        return None;
    }
    let value: Value = serde_json::from_slice(&answer.body).ok()?;
    let code = value.get("errors")?.get(0)?.get("code")?;
    Some(code.as_str()?.to_owned())
}

/// Whether a name is one (OCI distribution specification, "Pulling manifests").
pub(super) fn is_name(name: &str) -> bool {
    let is_letter = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_part = |part: &str| {
        let ends = part.bytes().next().zip(part.bytes().next_back());
        let mut separators = part.split(|it: char| is_letter(u8::try_from(it).unwrap_or(0)));
        ends.is_some_and(|(first, last)| is_letter(first) && is_letter(last))
            && separators
                .all(|it| matches!(it, "" | "." | "_" | "__") || it.bytes().all(|it| it == b'-'))
    };
    name.len() <= 255 && name.split('/').all(is_part)
}

/// Whether a tag is one.
pub(super) fn is_tag(tag: &str) -> bool {
    let is_word = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    let mut bytes = tag.bytes();
    tag.len() <= 128
        && bytes.next().is_some_and(is_word)
        && bytes.all(|it| is_word(it) || it == b'.' || it == b'-')
}

/// The digest that a path names.
pub(super) fn digest(text: &str) -> Result<Digest, Refusal> {
    Digest::parse(text).ok_or_else(|| Refusal::digest_invalid(text))
}
