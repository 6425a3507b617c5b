//! What the answers of registries mean: the only place that knows their error codes.
//!
//! Sources: OCI distribution specification, "Error Codes"; what ghcr.io and Alibaba Cloud's registry answer beyond it is as
//! users have reported it. What a code means for us is our own reading.

mod absence;
mod hint;
mod wait;

use http::HeaderMap;
use oci_client::errors::{OciEnvelope, OciErrorCode};
use serde_json::Value;

use self::wait::wait;
use super::call::Call;
use super::credentials::Credential;
use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::providers::secret::{Secret, clean};
use crate::retry::Effect;

pub(super) use self::absence::{headers_prove_absence, proves_absence};

/// How requests are counted.
pub(super) const SERVICE: &str = "registry";
/// How much is shown of an answer that no registry writes.
const BEGIN_MAX: usize = 80;
/// How much is shown of what an error says beyond its message.
const DETAIL_MAX: usize = 200;

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const fn throttled(millis: u64) -> Class {
        Class::Throttled {
            wait: Some(Duration::from_millis(millis)),
        }
    }

    pub(super) fn error(code: &str, message: &str) -> String {
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
