//! How objects are written in a scenario: in the forms of the API, and what is left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::clock::Timestamp;

use super::DiskDeviceMapping;

/// Tags as ECS answers them, or as a plain map.
pub(super) fn tags<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        List {
            #[serde(rename = "Tag")]
            tags: Vec<Tag>,
        },
        Map(BTreeMap<String, String>),
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase", deny_unknown_fields)]
    struct Tag {
        tag_key: String,
        tag_value: String,
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::List { tags } => tags
            .into_iter()
            .map(|it| (it.tag_key, it.tag_value))
            .collect(),
        Written::Map(tags) => tags,
    })
}

pub(super) fn time_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(Timestamp::EPOCH);
    }
    Timestamp::parse(&text).ok_or_else(|| serde::de::Error::custom("not a time in RFC 3339"))
}

pub(super) fn mappings<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<DiskDeviceMapping>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase", deny_unknown_fields)]
    struct Written {
        disk_device_mapping: Vec<DiskDeviceMapping>,
    }
    Ok(Written::deserialize(deserializer)?.disk_device_mapping)
}

pub(super) fn long_ago() -> Timestamp {
    Timestamp::EPOCH
}

pub(super) fn yes() -> bool {
    true
}

pub(super) fn twenty() -> u64 {
    20
}

pub(super) fn forty() -> u64 {
    40
}

pub(super) fn x86_64() -> String {
    "x86_64".to_owned()
}

pub(super) fn own() -> String {
    "self".to_owned()
}

pub(super) fn linux() -> String {
    "linux".to_owned()
}

pub(super) fn ubuntu() -> String {
    "Ubuntu".to_owned()
}

pub(super) fn ubuntu_64() -> String {
    "Ubuntu 24.04 64 bit".to_owned()
}

pub(super) fn first_device() -> String {
    "/dev/xvda".to_owned()
}

pub(super) fn system() -> String {
    "system".to_owned()
}

pub(super) fn small_type() -> String {
    "ecs.c7.large".to_owned()
}

pub(super) fn post_paid() -> String {
    "PostPaid".to_owned()
}

pub(super) fn no_spot() -> String {
    "NoSpot".to_owned()
}

pub(super) fn one_hour() -> i64 {
    1
}

pub(super) fn optional() -> String {
    "optional".to_owned()
}

pub(super) fn first_zone() -> String {
    "cn-hangzhou-h".to_owned()
}

pub(super) fn keep_charging() -> String {
    "KeepCharging".to_owned()
}
