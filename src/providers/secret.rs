//! Texts that are never shown, and how they are kept out of texts that are.

use std::fmt;

use crate::providers::aliyun::sign::encode;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text that must not be shown.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself, for signing and sending.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Secrets shorter than this are not looked for in texts: they would match anything.
const SCRUB_BYTES_MIN: usize = 6;
/// How much of a service's words is shown.
const WORDS_MAX: usize = 500;

/// What a service said, fit to be shown: on one line, not too long, without the secrets.
pub(super) fn clean(text: &str, secrets: &[&Secret]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        let mut shape = secret.reveal().to_owned();
        // As it is, as on the wire, and as in a string to sign.
        for _ in 0..3 {
            if shape.len() >= SCRUB_BYTES_MIN {
                text = text.replace(&shape, "***");
            }
            shape = encode(&shape);
        }
    }
    let words = text.split(|it: char| it.is_control() || it.is_whitespace());
    let line = words
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    line.chars().take(WORDS_MAX).collect()
}
