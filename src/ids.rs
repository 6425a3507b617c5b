//! Names of things, each of its own type, so that two of them cannot be swapped.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the name as it is; nothing is checked.
            pub fn new(text: &str) -> Self {
                Self(text.to_owned())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

id!(
    /// Names an account of Alibaba Cloud, sixteen digits as a rule.
    AccountId
);
id!(
    /// Names a region, as in `cn-hangzhou`.
    RegionId
);
id!(
    /// Names a machine image, as in `m-bp1…`.
    ImageId
);
id!(
    /// Names a snapshot of a disk, as in `s-bp1…`.
    SnapshotId
);
id!(
    /// Names a launch template, as in `lt-bp1…`.
    LaunchTemplateId
);
id!(
    /// Names an instance, as in `i-bp1…`.
    InstanceId
);
id!(
    /// Names a command that was run in a guest, as in `t-hz0…`.
    InvocationId
);
id!(
    /// Names one effect; the same effect has the same token for ever (at most 64 ASCII characters).
    Token
);

/// Names content by its SHA-256, as in `sha256:e3b0…` (OCI image specification, "Digests").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    const PREFIX: &'static str = "sha256:";

    /// The digest of content.
    pub fn of(content: &[u8]) -> Self {
        Self::of_hash(&Sha256::digest(content))
    }

    /// The digest whose 32 bytes these are.
    pub fn of_hash(hash: &[u8]) -> Self {
        Self(format!("{}{}", Self::PREFIX, hex(hash)))
    }

    /// Reads a digest; none: it is none, or one of another algorithm.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(Self::PREFIX)?;
        let is_digit = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
        let is_whole = digits.len() == 64 && digits.bytes().all(is_digit);
        is_whole.then(|| Self(text.to_owned()))
    }

    /// The digest as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits alone.
    pub fn digits(&self) -> &str {
        &self.0[Self::PREFIX.len()..]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom("a digest is sha256: and 64 hexadecimal digits")
        })
    }
}

/// Bytes as hexadecimal digits in lower case, two a byte.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |it: u8| char::from_digit(u32::from(it), 16).unwrap_or('0');
    let digits = bytes.iter().flat_map(|it| [digit(it >> 4), digit(it & 15)]);
    digits.collect()
}

/// Names one resource, as in `InstancePolicy/ci`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// The kind, as written in `kind:`.
    pub kind: String,
    /// The name, as written in `metadata.name`.
    pub name: String,
}

impl ResourceId {
    /// Puts a kind and a name together.
    pub fn new(kind: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.kind, self.name))
    }
}

impl Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.split_once('/') {
            Some((kind, name)) => Ok(Self::new(kind, name)),
            None => Err(serde::de::Error::custom("a resource is named KIND/NAME")),
        }
    }
}
