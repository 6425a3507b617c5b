//! What registries warn of: shown to whoever reads the log, and never acted upon.
//!
//! Source: OCI distribution specification, "Warnings", with the form of RFC 7234, "Warning".

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;

use super::auth::{parts, unquoted};
use crate::providers::secret::{Secret, clean};

/// The code and the agent of what a registry warns of; others warn of caches in between.
const BEGIN: &str = "299 - ";
/// How much of an answer's warnings is read: what the specification lets a registry send.
const BYTES_MAX: usize = 4096;
/// How many texts of one registry are shown. One that counts down seconds has a new text every time.
const TEXTS_MAX: usize = 20;

/// What was shown, with the registry that said it.
#[derive(Debug, Default)]
pub(super) struct Warnings(Mutex<BTreeSet<(String, String)>>);

impl Warnings {
    /// Shows what an answer of a registry warns of, each text once.
    pub(super) fn show(&self, host: &str, headers: &HeaderMap, secrets: &[&Secret]) {
        for text in texts(headers, secrets) {
            if self.is_new(host, &text) {
                tracing::warn!(registry = host, text, "a registry warns");
            }
        }
    }

    fn is_new(&self, host: &str, text: &str) -> bool {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_host = shown.iter().filter(|(it, _)| it == host).count();
        of_host < TEXTS_MAX && shown.insert((host.to_owned(), text.to_owned()))
    }
}

fn texts(headers: &HeaderMap, secrets: &[&Secret]) -> Vec<String> {
    let mut rest = BYTES_MAX;
    let mut texts = Vec::new();
    for value in headers.get_all(http::header::WARNING) {
        let bytes = value.as_bytes();
        let read = bytes.len().min(rest);
        rest -= read;
        let value = String::from_utf8_lossy(&bytes[..read]);
        let of_registry = parts(&value)
            .into_iter()
            .filter_map(|it| it.strip_prefix(BEGIN));
        texts.extend(of_registry.map(|it| clean(&unquoted(it.trim()), secrets)));
    }
    texts.retain(|it| !it.is_empty());
    texts
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&[u8]]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for it in values {
            let value = HeaderValue::from_bytes(it).expect("a header");
            headers.append("warning", value);
        }
        texts(&headers, &[&Secret::new("hunter2")])
    }

    #[test]
    fn reads_what_registries_warn_of() {
        for (values, expected) in [
            (
                &[&br#"299 - "it ends, soon""#[..]][..],
                &["it ends, soon"][..],
            ),
            (
                &[
                    br#"299 - "a", 110 cache "stale", 299 - "\"b\"""#,
                    br#"299 - "c""#,
                ],
                &["a", "\"b\"", "c"],
            ),
            (&[b"299 - \"a\tb\xff\""], &["a b\u{fffd}"]),
            (&[br#"299 - "you sent hunter2""#], &["you sent ***"]),
            (
                &[
                    br#"199 - "a""#,
                    br#"299 else "b""#,
                    b"299 - ",
                    b"299 - \"\"",
                    b"\"",
                    b"",
                ],
                &[],
            ),
        ] {
            assert_eq!(read(values), expected, "{values:?}");
        }
    }

    #[test]
    fn reads_and_shows_no_more_than_so_much() {
        let long = format!("299 - \"{}\"", "a".repeat(BYTES_MAX));
        let read = read(&[long.as_bytes(), br#"299 - "b""#]);
        assert_eq!(read.len(), 1);
        assert!(read[0].len() <= 500, "{}", read[0].len());
        let warnings = Warnings::default();
        let shown = |host: &str| {
            let texts = (0..100).map(|it| format!("{it} s are left"));
            texts.filter(|it| warnings.is_new(host, it)).count()
        };
        assert_eq!(
            (shown("a"), shown("a"), shown("b")),
            (TEXTS_MAX, 0, TEXTS_MAX)
        );
    }
}
