//! What the last pass said, for `status`, and what it remembered, for the next one.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::ResourceId;
use crate::status::Condition;

use super::atomic;

/// The version of the file's form; a file of another one is not read.
const FORMAT_VERSION: u32 = 1;

/// What is kept of all resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    format_version: u32,
    /// When the last pass ended; none: there was none.
    pub passed_at: Option<Timestamp>,
    /// By resource.
    pub resources: BTreeMap<ResourceId, Entry>,
}

/// What is kept of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// What was last said of it.
    pub conditions: Vec<Condition>,
    /// What its plan asked to remember.
    pub remembered: BTreeMap<String, Timestamp>,
}

impl Record {
    /// Reads the record. One that is missing, damaged or of another version is empty.
    pub fn read(status: &Path) -> Self {
        let record = fs::read(status.join(FILE)).ok();
        let record = record.and_then(|it| serde_json::from_slice::<Self>(&it).ok());
        record
            .filter(|it| it.format_version == FORMAT_VERSION)
            .unwrap_or_default()
    }

    /// Writes the record.
    pub fn write(&self, status: &Path) -> io::Result<()> {
        let record = Self {
            format_version: FORMAT_VERSION,
            ..self.clone()
        };
        let mut content =
            serde_json::to_vec_pretty(&record).expect("a record is made of JSON's types");
        content.push(b'\n');
        atomic::write(&status.join(FILE), &content)
    }
}

const FILE: &str = "status.json";
