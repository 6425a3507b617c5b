//! Names of things, each of its own type, so that two of them cannot be swapped.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// Names one effect; the same effect has the same token for ever (at most 64 ASCII characters).
    Token
);

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
