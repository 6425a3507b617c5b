//! How long something takes: always the same, or as the seed decides.

use serde::Deserialize;

/// How long something takes, in seconds: a number, or two between which the seed decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenSpan")]
pub struct Span {
    pub least: u64,
    /// At least `least`.
    pub most: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenSpan {
    Always(u64),
    Between([u64; 2]),
}

impl From<u64> for Span {
    fn from(seconds: u64) -> Self {
        Self {
            least: seconds,
            most: seconds,
        }
    }
}

impl TryFrom<WrittenSpan> for Span {
    type Error = String;

    fn try_from(written: WrittenSpan) -> Result<Self, String> {
        match written {
            WrittenSpan::Always(seconds) => Ok(seconds.into()),
            WrittenSpan::Between([least, most]) if least <= most => Ok(Self { least, most }),
            WrittenSpan::Between([least, most]) => {
                Err(format!("[{least}, {most}] ends before it begins"))
            }
        }
    }
}
