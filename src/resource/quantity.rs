//! Values that are written as one word: durations and names of other resources.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// At most six digits: no duration is longer than 2738 years, so that times can be added without overflow.
const SPAN_PATTERN: &str = "^[0-9]{1,6}[smhd]$";

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

/// A duration as it is written in a state file: `90s`, `5m`, `4h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refusal = || format!("`{text}` is no duration such as `90s`, `5m`, `4h` or `7d`");
        let unit = match text.chars().last() {
            Some('s') => SECOND,
            Some('m') => MINUTE,
            Some('h') => HOUR,
            Some('d') => DAY,
            Some(_) | None => return Err(refusal()),
        };
        let digits = &text[..text.len() - 1];
        let is_number =
            (1..=6).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
        let number: u64 = digits.parse().map_err(|_| refusal())?;
        let seconds = number.checked_mul(unit).filter(|_| is_number);
        seconds
            .map(Duration::from_secs)
            .map(Self)
            .ok_or_else(refusal)
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm')];
        let exact = |(unit, _): &(u64, char)| seconds > 0 && seconds.is_multiple_of(*unit);
        let (unit, letter) = units.into_iter().find(exact).unwrap_or((SECOND, 's'));
        f.pad(&format!("{}{letter}", seconds / unit))
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "a duration",
            "pattern": SPAN_PATTERN,
            "examples": ["90s", "5m", "4h", "7d"],
        })
    }
}

/// The form of every resource's name: an RFC 1123 label.
const NAME_PATTERN: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";

/// The name of a resource, as in `metadata.name` and wherever another resource refers to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Reference(String);

impl Reference {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_inner = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
        let is_name = (1..=63).contains(&text.len())
            && text.bytes().all(is_inner)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if is_name {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is no name such as `demo-runner`"))
        }
    }
}

impl TryFrom<String> for Reference {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl JsonSchema for Reference {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Reference".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "a name of lower-case letters, digits and `-`, 63 at most",
            "pattern": NAME_PATTERN,
        })
    }
}
