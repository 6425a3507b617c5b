//! What the answers of registries mean: the only file that knows their error codes.
//!
//! Sources: OCI distribution specification, "Error Codes"; what ghcr.io and Alibaba Cloud's registry answer beyond it is as
//! users have reported it. What a code means for us is our own reading.

use std::time::Duration;

use http::HeaderMap;
use oci_client::errors::{OciEnvelope, OciErrorCode};
use serde_json::Value;

use super::credentials::Credential;
use super::transport::Call;
use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::providers::secret::{Secret, clean};
use crate::retry::Effect;

/// How requests are counted.
pub(super) const SERVICE: &str = "registry";
/// How much is shown of an answer that no registry writes.
const BEGIN_MAX: usize = 80;
/// How much is shown of what an error says beyond its message.
const DETAIL_MAX: usize = 200;
/// The longest wait that is believed: after it we ask again, for nobody else would ever end it.
const WAIT_MOST: Duration = Duration::from_secs(3600);

/// Whether a registry refused what it does not do at all, as ghcr.io does deletions of manifests.
pub fn is_unsupported(fault: &Fault) -> bool {
    let is_code = fault.code.as_deref() == Some("UNSUPPORTED");
    fault.service == Some(SERVICE) && (is_code || fault.status == Some(405))
}

/// Whether a registry refused a manifest because it is no image, as Alibaba Cloud's does attestations that have no image's
/// configuration: `denied: unknown manifest class for application/vnd.oci.empty.v1+json`.
pub fn refuses_artifacts(fault: &Fault) -> bool {
    fault.service == Some(SERVICE) && fault.message.contains(UNKNOWN_CLASS)
}

const UNKNOWN_CLASS: &str = "unknown manifest class";

/// An answer that refuses something.
pub(super) struct Refusal<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) status: u16,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    pub(super) credential: Option<&'a Credential>,
    /// What must not be shown of it.
    pub(super) secrets: &'a [&'a Secret],
    pub(super) now: Timestamp,
}

/// An answer that no registry gives.
pub(super) const UNUSABLE: Class = Class::Unavailable {
    maybe_applied: false,
};

/// What the body of an answer says.
struct Said {
    code: Option<OciErrorCode>,
    text: String,
}

impl Refusal<'_> {
    /// What it means, without secrets.
    pub(super) fn fault(&self) -> Fault {
        let said = self.said();
        let mut class = class(
            self.status,
            said.code.as_ref(),
            &said.text,
            self.call.effect,
        );
        if matches!(class, Class::Throttled { .. }) {
            class = Class::Throttled {
                wait: wait(self.headers, &said.text, self.now),
            };
        }
        Fault {
            hint: self.hint(&class, &said),
            code: said.code.as_ref().map(|it| clean(&name(it), self.secrets)),
            status: Some(self.status),
            request_id: self
                .header("x-github-request-id")
                .map(|it| clean(it, self.secrets)),
            ..self.call.fault(class, &clean(&said.text, self.secrets))
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn said(&self) -> Said {
        let errors = serde_json::from_slice::<OciEnvelope>(self.body).map(|it| it.errors);
        if let Some(error) = errors.unwrap_or_default().into_iter().next() {
            let detail = if error.detail == Value::Null {
                String::new()
            } else {
                error.detail.to_string().chars().take(DETAIL_MAX).collect()
            };
            let texts = [error.message, detail];
            let texts = texts.into_iter().filter(|it| !it.is_empty());
            return Said {
                code: Some(error.code),
                text: texts.collect::<Vec<_>>().join(" "),
            };
        }
        let text = match self.header("location") {
            Some(to) if (300..400).contains(&self.status) => {
                let to = to.split(['?', '#']).next().unwrap_or_default();
                format!("it leads to {to}")
            }
            Some(_) | None if self.body.is_empty() => "it says nothing more".to_owned(),
            Some(_) | None => {
                let text = String::from_utf8_lossy(self.body);
                // Limits are told in plain text too.
                let most = if is_limit(&text) {
                    DETAIL_MAX
                } else {
                    BEGIN_MAX
                };
                let begin: String = text.chars().take(most).collect();
                format!("the answer is no JSON of a registry: {begin}")
            }
        };
        Said { code: None, text }
    }

    fn hint(&self, class: &Class, said: &Said) -> Option<String> {
        if said.text.contains(UNKNOWN_CLASS) {
            return Some(
                "this registry takes no attestations of this form; `attestations: auto` or `drop` of the Registry leaves them out"
                    .to_owned(),
            );
        }
        let host = &self.call.at.site.host;
        let is_aliyun = host.ends_with(".aliyuncs.com");
        match class {
            Class::Denied => Some(denied(host, self.credential)),
            Class::Gone if self.call.effect != Effect::Read => Some(format!(
                "does {} exist, and may it be made by a push?",
                self.call.at.repository
            )),
            Class::Invalid if is_aliyun => Some(
                "does the namespace exist, and does it make repositories by itself?".to_owned(),
            ),
            Class::Invalid
            | Class::Account
            | Class::NoCapacity
            | Class::DiskUnsupported
            | Class::InUse
            | Class::Gone
            | Class::NotYet
            | Class::TokenUsed
            | Class::Throttled { .. }
            | Class::Unavailable { .. }
            | Class::Bug => None,
        }
    }
}

fn denied(host: &str, credential: Option<&Credential>) -> String {
    match credential {
        None => format!(
            "there are no credentials for {host}: log in with `docker login {host}`, or name variables in the Registry's credentials"
        ),
        Some(it) if it.source == "GITHUB_TOKEN" => {
            "GITHUB_TOKEN needs `packages: write` of its workflow (`read` to look), and access in the package's settings, under \"Manage Actions access\""
                .to_owned()
        }
        Some(it) if host == "ghcr.io" => format!(
            "the token in {} needs read:packages, write:packages to push; a classic token, for others are not taken",
            it.source
        ),
        Some(it) if host.ends_with(".aliyuncs.com") => format!(
            "may the user of {} do this, does the namespace exist, and does it make repositories by itself?",
            it.source
        ),
        Some(it) => format!("may the user of {} do this?", it.source),
    }
}

/// A code as it is written.
fn name(code: &OciErrorCode) -> String {
    let value = serde_json::to_value(code).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn is_limit(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["rate limit", "toomanyrequests", "retry-after"]
        .iter()
        .any(|it| text.contains(it))
}

fn class(status: u16, code: Option<&OciErrorCode>, text: &str, effect: Effect) -> Class {
    use OciErrorCode::{
        BlobUnknown, BlobUploadInvalid, BlobUploadUnknown, ManifestBlobUnknown, ManifestUnknown,
        NameUnknown, Toomanyrequests,
    };
    match (status, code) {
        (429, _) | (_, Some(Toomanyrequests)) => Class::Throttled { wait: None },
        // GitHub Docs, "Rate limits for the REST API": a secondary limit may come with 403.
        (403, _) if is_limit(text) => Class::Throttled { wait: None },
        _ if text.contains(UNKNOWN_CLASS) => Class::Invalid,
        (401 | 403, _) => Class::Denied,
        (404, Some(ManifestUnknown | NameUnknown | BlobUnknown)) => Class::Gone,
        // What it refers to was written a moment ago, or will be.
        (400 | 404, Some(ManifestBlobUnknown | BlobUnknown)) => Class::NotYet,
        (500.., _) => Class::Unavailable {
            maybe_applied: effect != Effect::Read,
        },
        // Another upload may do; and what is in between may answer in the registry's place.
        (400 | 416, Some(BlobUploadUnknown | BlobUploadInvalid)) | (..400 | 404 | 408, _) => {
            UNUSABLE
        }
        _ => Class::Invalid,
    }
}

/// Whether an answer with status 404 proves that there is no such thing: a registry says so in JSON, by its own codes.
pub(super) fn proves_absence(body: &[u8]) -> bool {
    let Ok(envelope) = serde_json::from_slice::<OciEnvelope>(body) else {
        return false;
    };
    let is_absence = |it: &OciErrorCode| {
        let known = [
            OciErrorCode::ManifestUnknown,
            OciErrorCode::NameUnknown,
            OciErrorCode::BlobUnknown,
        ];
        known.contains(it)
    };
    !envelope.errors.is_empty() && envelope.errors.iter().all(|it| is_absence(&it.code))
}

/// Whether an answer to HEAD with status 404 proves it: there is no body, so its headers must be those of a registry. Anything
/// less is to be asked again with a body.
pub(super) fn headers_prove_absence(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|it| it.to_str().ok())
            .unwrap_or_default()
    };
    let is_json = text("content-type").starts_with("application/json");
    is_json && !text("docker-distribution-api-version").is_empty()
}

/// How long a registry asks us to wait: by the header, in seconds or as a date (RFC 9110, "Retry-After"), or in the words of
/// ghcr.io, `retry-after: 10.305464ms, allowed: 2000/minute`.
fn wait(headers: &HeaderMap, text: &str, now: Timestamp) -> Option<Duration> {
    let header = headers.get("retry-after").and_then(|it| it.to_str().ok());
    let by_header = header.and_then(|it| match it.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(Timestamp::parse_http_date(it.trim())?.since(now)),
    });
    let wait = by_header.or_else(|| {
        let text = text.to_ascii_lowercase();
        let (_, rest) = text.split_once("retry-after:")?;
        let is_end = |it: char| it == ',' || it == ';' || it == '"';
        duration(rest.split(is_end).next()?.trim())
    });
    wait.map(|it| it.min(WAIT_MOST))
}

/// Reads a duration as Go writes it, as in `1m10.5s`.
fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|it: char| it.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn throttled(millis: u64) -> Class {
        Class::Throttled {
            wait: Some(Duration::from_millis(millis)),
        }
    }

    fn error(code: &str, message: &str) -> String {
        serde_json::json!({"errors": [{"code": code, "message": message}]}).to_string()
    }

    fn judge(
        effect: Effect,
        status: u16,
        body: &str,
        header: Option<(&'static str, &str)>,
    ) -> Fault {
        let at = crate::providers::registry::Location {
            site: crate::providers::registry::Site {
                host: "ghcr.io".to_owned(),
                insecure: false,
                login: None,
            },
            repository: "example/app".to_owned(),
        };
        let call = Call::read(&at, "try it", http::Method::GET, "").about(":v1");
        let call = Call { effect, ..call };
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, value.parse().expect("a header"));
        }
        Refusal {
            call: &call,
            status,
            headers: &headers,
            body: body.as_bytes(),
            credential: None,
            secrets: &[],
            now: Timestamp::parse("2026-11-25T10:00:00Z").expect("a time"),
        }
        .fault()
    }

    #[test]
    fn a_refusal_means_what_its_code_says_and_else_what_its_status_says() {
        let unsure = Class::Unavailable {
            maybe_applied: true,
        };
        for (status, code, message, effect, expected) in [
            (
                404,
                "MANIFEST_UNKNOWN",
                "manifest unknown",
                Effect::Read,
                Class::Gone,
            ),
            (404, "NAME_UNKNOWN", "", Effect::Repeatable, Class::Gone),
            (
                400,
                "MANIFEST_BLOB_UNKNOWN",
                "",
                Effect::Repeatable,
                Class::NotYet,
            ),
            (404, "BLOB_UPLOAD_UNKNOWN", "", Effect::Repeatable, UNUSABLE),
            (
                400,
                "DIGEST_INVALID",
                "",
                Effect::Repeatable,
                Class::Invalid,
            ),
            (401, "UNAUTHORIZED", "", Effect::Read, Class::Denied),
            (
                403,
                "DENIED",
                "installation not allowed to Create organization package",
                Effect::Repeatable,
                Class::Denied,
            ),
            (
                400,
                "DENIED",
                "unknown manifest class for application/vnd.oci.empty.v1+json",
                Effect::Repeatable,
                Class::Invalid,
            ),
            (
                403,
                "DENIED",
                "unknown manifest class for application/vnd.oci.empty.v1+json",
                Effect::Repeatable,
                Class::Invalid,
            ),
            (
                405,
                "UNSUPPORTED",
                "The operation is unsupported.",
                Effect::Repeatable,
                Class::Invalid,
            ),
            (413, "SIZE_INVALID", "", Effect::Repeatable, Class::Invalid),
            (500, "UNKNOWN", "", Effect::Read, UNUSABLE),
            (503, "UNKNOWN", "", Effect::Repeatable, unsure),
            (404, "ARTIFACT_LOCKED", "", Effect::Read, UNUSABLE),
        ] {
            let fault = judge(effect, status, &error(code, message), None);
            assert_eq!(fault.class, expected, "{status} {code} {message}");
            assert_eq!(fault.code.as_deref(), Some(code));
            assert_eq!(is_unsupported(&fault), code == "UNSUPPORTED");
            assert_eq!(refuses_artifacts(&fault), message.contains("vnd.oci.empty"));
        }
    }

    #[test]
    fn a_wait_is_read_from_the_header_and_from_the_words_of_ghcr() {
        let ghcr = error(
            "TOOMANYREQUESTS",
            "retry-after: 10.305464ms, allowed: 2000/minute",
        );
        let secondary = "You have exceeded a secondary rate limit";
        for (status, body, header, expected) in [
            (
                429,
                ghcr.as_str(),
                None,
                Class::Throttled {
                    wait: Some(Duration::from_nanos(10_305_464)),
                },
            ),
            (429, &ghcr, Some(("retry-after", "7")), throttled(7000)),
            (
                429,
                "",
                Some(("retry-after", "Wed, 25 Nov 2026 10:00:30 GMT")),
                throttled(30_000),
            ),
            (
                429,
                "",
                Some(("retry-after", "Wed, 25 Nov 2026 09:00:30 GMT")),
                throttled(0),
            ),
            (429, "<html>", None, Class::Throttled { wait: None }),
            (
                403,
                secondary,
                Some(("retry-after", "60")),
                throttled(60_000),
            ),
            (
                503,
                &error("TOOMANYREQUESTS", "retry-after: 1m2.5s"),
                None,
                throttled(62_500),
            ),
            (
                429,
                "",
                Some(("retry-after", "18446744073709551615")),
                throttled(3_600_000),
            ),
            (
                429,
                "retry-after: 99999999999999h",
                None,
                throttled(3_600_000),
            ),
            (
                429,
                "retry-after: soon",
                None,
                Class::Throttled { wait: None },
            ),
        ] {
            let fault = judge(Effect::Read, status, body, header);
            assert_eq!(fault.class, expected, "{status} {body} {header:?}");
        }
    }

    #[test]
    fn reads_durations_as_go_writes_them() {
        for (text, expected) in [
            ("10ns", Some(10)),
            ("1.5µs", Some(1500)),
            ("2us", Some(2000)),
            ("1h0m0.5s", Some(3_600_500_000_000)),
            ("", None),
            ("10", None),
            ("s", None),
            ("1x", None),
            ("-1s", None),
            ("1.2.3s", None),
        ] {
            let read = duration(text).map(|it| it.as_nanos());
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn only_a_registry_proves_that_there_is_nothing() {
        for (body, expected) in [
            (error("MANIFEST_UNKNOWN", ""), true),
            (error("NAME_UNKNOWN", ""), true),
            (error("DENIED", ""), false),
            (
                r#"{"errors": [{"code": "NAME_UNKNOWN"}, {"code": "UNAUTHORIZED"}]}"#.to_owned(),
                false,
            ),
            (r#"{"errors": []}"#.to_owned(), false),
            ("<html>not found</html>".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(proves_absence(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn says_what_may_help() {
        for (fault, word) in [
            (judge(Effect::Read, 401, "", None), "docker login ghcr.io"),
            (
                judge(Effect::Repeatable, 404, &error("NAME_UNKNOWN", ""), None),
                "does example/app exist",
            ),
            (
                judge(
                    Effect::Repeatable,
                    403,
                    &error("DENIED", UNKNOWN_CLASS),
                    None,
                ),
                "attestations: auto",
            ),
        ] {
            let said = fault.to_string();
            assert!(said.contains(word), "{said}");
            assert!(
                said.starts_with("cannot try it (ghcr.io/example/app:v1): "),
                "{said}"
            );
        }
    }
}
