//! What is remembered between passes: starts that failed, names that were used, and records without a machine. Losing it
//! costs time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::ids::hex;

use super::demand::Key;
use super::spec::Spec;

const FAILED: &str = "start-failed";
const USED: &str = "machine-name";
const STRAY: &str = "stray-runner";

/// The wait after the first failure; each further one is twice as long.
const BACKOFF_FIRST: Duration = Duration::from_secs(60);
/// The wait that is not grown beyond, and after which one more start is tried where too many failed.
const BACKOFF_MAX: Duration = Duration::from_secs(3600);

/// What was remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The names of machines whose start failed under the same spec, and when.
    pub(super) failed: BTreeMap<String, Timestamp>,
    /// Names that were used, and when they were seen first.
    pub(super) used: BTreeMap<String, Timestamp>,
    /// Records without a machine, by their numbers, and since when.
    pub(super) strays: BTreeMap<u64, Timestamp>,
    /// What was remembered of another spec.
    pub(super) past: Vec<String>,
}

/// Failures count for one spec: another may mend them.
pub(super) fn hash(spec: &Spec) -> String {
    let written = serde_json::to_vec(spec).expect("a spec is made of JSON's types");
    hex(&Sha256::digest(written)[..6])
}

pub(super) fn failed_key(hash: &str, name: &str) -> String {
    format!("{FAILED} {hash} {name}")
}

pub(super) fn used_key(name: &str) -> String {
    format!("{USED} {name}")
}

pub(super) fn stray_key(id: u64) -> String {
    format!("{STRAY} {id}")
}

impl Memory {
    /// Reads what was remembered, as far as it concerns a spec of this hash.
    pub(super) fn read(remembered: &BTreeMap<String, Timestamp>, hash: &str) -> Self {
        let mut memory = Self::default();
        for (name, at) in remembered {
            let words: Vec<&str> = name.split(' ').collect();
            match words[..] {
                [FAILED, of, name] if of == hash => {
                    memory.failed.insert(name.to_owned(), *at);
                }
                [FAILED, _, _] => memory.past.push(name.clone()),
                [USED, name] => {
                    memory.used.insert(name.to_owned(), *at);
                }
                [STRAY, id] => {
                    memory
                        .strays
                        .extend(id.parse().ok().map(|it: u64| (it, *at)));
                }
                _ => {}
            }
        }
        memory
    }

    /// The keys of all names that were used.
    pub(super) fn keys(&self) -> BTreeSet<Key> {
        let names = self.used.keys().chain(self.failed.keys());
        names.filter_map(|it| Key::read(it)).collect()
    }
}

/// When the next start may be tried after so many failed in a row, the last one then.
pub(super) fn due(count: u32, last: Timestamp) -> Timestamp {
    let doubled =
        BACKOFF_FIRST.saturating_mul(2_u32.saturating_pow(count.saturating_sub(1).min(16)));
    last.plus(doubled.min(BACKOFF_MAX))
}

/// When a start is tried once more although too many failed.
pub(super) fn probe(last: Timestamp) -> Timestamp {
    last.plus(BACKOFF_MAX)
}
