//! What an image was made from, as one word: the same base, script, inputs, architecture and nonce are one version.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::ids::{ImageId, hex};
use crate::kinds::architecture::Architecture;

use super::spec::Spec;

/// A hash of all that an image was made from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(String);

impl Version {
    /// As it stands in a tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The image that a build begins with, as far as it makes a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BaseImage {
    /// Its id.
    pub id: ImageId,
    /// When it was created: an id is not known to be unique for ever.
    pub created: Timestamp,
}

/// How many bytes of the hash are shown: enough that no two versions of a line ever meet.
const BYTES: usize = 16;

/// The version that a spec makes of a base. The script's line ends do not count, nor does the order of its inputs.
pub fn version(spec: &Spec, script: &str, base: &BaseImage, architecture: Architecture) -> Version {
    let created = base.created.to_string();
    let script = script.replace("\r\n", "\n");
    let mut parts = vec![
        base.id.as_str(),
        &created,
        &script,
        architecture.name(),
        &spec.force_nonce,
    ];
    for (name, value) in spec.provision.iter().flat_map(|it| &it.inputs) {
        parts.extend([name.as_str(), value.as_str()]);
    }
    let mut hash = Sha256::new();
    for part in parts {
        // The length first: no text can move from one part into the next.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Version(hex(&hash.finalize()[..BYTES]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(changes: &[(&str, &str)], architecture: Architecture) -> Version {
        let mut text = r#"{
            "regionRef": "r", "namePrefix": "p", "architectures": ["amd64"], "forceNonce": "n",
            "provision": {"script": "s", "inputs": {"A": "1", "B": "2"}}
        } #!/bin/sh\nx m-1 2026-01-02T03:04:00Z"#
            .to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let (spec, rest) = text.split_once("} #").expect("a test keeps the form");
        let spec: Spec = serde_json::from_str(&format!("{spec}}}")).expect("the spec is valid");
        let words: Vec<&str> = rest.split(' ').collect();
        let [script, id, created] = words.as_slice() else {
            panic!("a test keeps the form: {rest}");
        };
        let base = BaseImage {
            id: ImageId::new(id),
            created: Timestamp::parse(created).expect("a test writes a time"),
        };
        let script = script.replace("\\n", "\n").replace("\\r", "\r");
        version(&spec, &script, &base, architecture)
    }

    #[test]
    fn each_part_changes_it() {
        let plain = of(&[], Architecture::Amd64);
        assert_eq!(plain.as_str().len(), 32);
        let mut all = vec![plain, of(&[], Architecture::Arm64)];
        for change in [
            ("m-1", "m-2"),
            ("03:04", "03:05"),
            ("sh\\nx", "sh\\ny"),
            ("\"n\"", "\"m\""),
            ("\"1\"", "\"3\""),
            ("\"A\"", "\"C\""),
            ("\"1\", \"B\": \"2\"", "\"1\""),
            ("\"A\": \"1\", \"B\": \"2\"", "\"A\": \"1B2\""),
        ] {
            all.push(of(&[change], Architecture::Amd64));
        }
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn neither_the_order_of_inputs_nor_line_ends_nor_what_is_not_built_in_change_it() {
        let plain = of(&[], Architecture::Amd64);
        for change in [
            ("\"A\": \"1\", \"B\": \"2\"", "\"B\": \"2\", \"A\": \"1\""),
            ("sh\\nx", "sh\\r\\nx"),
            ("\"namePrefix\": \"p\"", "\"namePrefix\": \"q\""),
            (
                "\"script\": \"s\"",
                "\"script\": \"t\", \"timeout\": \"5m\"",
            ),
        ] {
            assert_eq!(of(&[change], Architecture::Amd64), plain, "{change:?}");
        }
    }
}
