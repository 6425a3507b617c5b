//! What proves that there is no such thing: a registry says so in its own way, and anybody else's 404 says nothing.

use http::HeaderMap;
use oci_client::errors::{OciEnvelope, OciErrorCode};

/// Whether an answer with status 404 proves that there is no such thing: a registry says so in JSON, by its own codes.
pub(in crate::providers::registry) fn proves_absence(body: &[u8]) -> bool {
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
pub(in crate::providers::registry) fn headers_prove_absence(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|it| it.to_str().ok())
            .unwrap_or_default()
    };
    let is_json = text("content-type").starts_with("application/json");
    is_json && !text("docker-distribution-api-version").is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::tests::error;
    use super::*;

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
}
