//! What names and tags may look like (ECS API reference, `CreateImage`, `RunInstances` and `TagResources`).

use std::collections::{BTreeMap, BTreeSet};

use crate::sim::aliyun::wire::{Parameters, Refusal};

/// The most tags that an object, or one request, may have.
pub(super) const TAGS_MAX: usize = 20;

/// Whether an image or a family may be called so. A dot is allowed by the text of `ModifyImageAttribute` but not by
/// that of `CreateImage`: refused.
pub(super) fn is_image_name(name: &str) -> bool {
    is_name(name, ":_-") && !name.starts_with("acs:") && !name.starts_with("aliyun")
}

/// Whether an instance may be called so.
pub(super) fn is_instance_name(name: &str) -> bool {
    is_name(name, ":_.-")
}

/// Whether an object may be described so; empty is none.
pub(super) fn is_description(text: &str) -> bool {
    let length = text.chars().count();
    (2..=256).contains(&length) && !text.starts_with("http://") && !text.starts_with("https://")
}

fn is_name(name: &str, marks: &str) -> bool {
    let is_first = name.chars().next().is_some_and(char::is_alphabetic);
    let is_rest = |it: char| it.is_alphanumeric() || marks.contains(it);
    (2..=128).contains(&name.chars().count())
        && is_first
        && name.chars().all(is_rest)
        && !has_link(name)
}

fn has_link(text: &str) -> bool {
    text.contains("http://") || text.contains("https://")
}

/// The tags that a request sets.
pub(super) fn tags(parameters: &Parameters) -> Result<BTreeMap<String, String>, Refusal> {
    let pairs = parameters.pairs("Tag");
    if pairs.len() > TAGS_MAX {
        let message = "The Tags parameter's number is exceed , Valid : 20.";
        return Err(Refusal::new(400, "NumberExceed.Tags", message));
    }
    let mut tags = BTreeMap::new();
    let mut folded = BTreeSet::new();
    for (key, value) in pairs {
        let value = value.unwrap_or_default();
        let is_ours = !key.starts_with("aliyun") && !key.starts_with("acs:");
        if !(1..=128).contains(&key.chars().count()) || !is_ours || has_link(key) {
            let message = "The specified Tag.n.Key is not valid.";
            return Err(Refusal::new(400, "InvalidTagKey.Malformed", message));
        }
        if value.chars().count() > 128 || has_link(value) {
            let message = "The specified Tag.n.Value is not valid.";
            return Err(Refusal::new(400, "InvalidTagValue.Malformed", message));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            let message = "The Tag.N.Key contain duplicate key.";
            return Err(Refusal::new(400, "Duplicate.TagKey", message));
        }
        if !folded.insert(key.to_lowercase()) {
            let message = "The TagKey has duplication with others, case-insensitive.";
            return Err(Refusal::new(400, "TagKey.Duplication", message));
        }
    }
    Ok(tags)
}

/// The tags that a listing filters by: all must be there, and have the value where one is given.
pub(super) fn tag_filter(
    parameters: &Parameters,
) -> Result<Vec<(String, Option<String>)>, Refusal> {
    let pairs = parameters.pairs("Tag");
    if pairs.len() > TAGS_MAX {
        let message = "The specified tags are beyond the permitted range.";
        return Err(Refusal::new(400, "InvalidTagCount", message));
    }
    // ASSUMED: an empty value filters by the key alone.
    let owned = |(key, value): (&str, Option<&str>)| {
        (
            key.to_owned(),
            value.filter(|it| !it.is_empty()).map(str::to_owned),
        )
    };
    Ok(pairs.into_iter().map(owned).collect())
}

/// Whether tags pass a filter.
pub(super) fn has_tags(
    tags: &BTreeMap<String, String>,
    filter: &[(String, Option<String>)],
) -> bool {
    filter.iter().all(|(key, wanted)| {
        tags.get(key)
            .is_some_and(|value| wanted.as_ref().is_none_or(|it| it == value))
    })
}
