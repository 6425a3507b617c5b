//! Which parameters an action takes, from the official API metadata (aliyun-openapi-meta) that the `aliyun` command uses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer};

use crate::sim::aliyun::wire::{Incoming, Refusal};

/// The part of the metadata that requests are held against.
#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "common_params_v1")]
    common: BTreeMap<String, String>,
    #[serde(rename = "hidden_owner_params")]
    hidden: BTreeSet<String>,
    /// By `Product:Version:Action`.
    actions: BTreeMap<String, Action>,
}

#[derive(Deserialize)]
struct Action {
    product: String,
    methods: Vec<String>,
    required: Vec<String>,
    /// By the pattern of the name, the letter of the type.
    #[serde(deserialize_with = "by_pattern")]
    allowed: BTreeMap<String, char>,
    #[serde(default, rename = "sdk_only_params")]
    newer: Vec<String>,
}

fn by_pattern<'de, D: Deserializer<'de>>(pairs: D) -> Result<BTreeMap<String, char>, D::Error> {
    let pairs: Vec<(String, char)> = Deserialize::deserialize(pairs)?;
    Ok(pairs.into_iter().collect())
}

fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| {
        serde_json::from_str(include_str!("ecs-metadata-subset.json"))
            .expect("the file has this form")
    })
}

/// Whether a parameter is sent with every request.
pub(super) fn is_common(name: &str) -> bool {
    metadata().common.contains_key(name)
}

/// Refuses what is unknown, missing, or of the wrong type.
pub(super) fn check(incoming: &Incoming) -> Result<(), Refusal> {
    let end = format!(":{}:{}", incoming.version, incoming.action);
    let mut actions = metadata().actions.iter();
    let Some((_, action)) = actions.find(|(name, _)| name.ends_with(&end)) else {
        let message = "Specified api is not found, please check your url and method.";
        return Err(Refusal::new(404, "InvalidAction.NotFound", message));
    };
    if !action.methods.contains(&incoming.method) {
        let message = "This http method is not supported.";
        return Err(Refusal::new(403, "UnsupportedHTTPMethod", message));
    }
    for name in &action.required {
        // A tag's value may be empty; nothing else that is required may.
        let value = incoming.parameters.0.get(name);
        if value.is_none_or(|it| it.is_empty() && !name.ends_with(".Value")) {
            return Err(missing(action, incoming, name));
        }
    }
    for (name, value) in &incoming.parameters.0 {
        check_parameter(action, name, value)?;
    }
    check_gaps(action, incoming)
}

fn check_parameter(action: &Action, name: &str, value: &str) -> Result<(), Refusal> {
    let Some(kind) = action.allowed.get(&pattern(name)) else {
        let first = name.split('.').next().unwrap_or(name);
        let is_newer = action.newer.iter().any(|it| it == first);
        if is_newer || is_common(name) || metadata().hidden.contains(name) {
            return Ok(());
        }
        // ASSUMED: the real gateway may ignore what it does not know; here a misspelling must not pass.
        let message = format!("The parameter \"{name}\" is unsupported.");
        return Err(Refusal::new(400, "UnsupportedParameter", &message));
    };
    let is_right = match kind {
        'i' | 'l' => value.parse::<i64>().is_ok(),
        'f' => value.parse::<f64>().is_ok_and(f64::is_finite),
        'b' => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
        _ => true,
    };
    // An empty value counts as left out, whatever its type (ASSUMED).
    if is_right || value.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(name))
    }
}

/// ASSUMED: lists are numbered from 1 without a gap.
fn check_gaps(action: &Action, incoming: &Incoming) -> Result<(), Refusal> {
    let mut numbers: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for name in incoming.parameters.0.keys() {
        let mut parts = name.split('.');
        if let (Some(list), Some(number)) = (parts.next(), parts.next())
            && let Ok(number) = number.parse()
            && action.allowed.keys().any(|it| is_list(it, list))
        {
            numbers.entry(list).or_default().insert(number);
        }
    }
    for (list, numbers) in numbers {
        if !numbers.iter().copied().eq(1..=numbers.len()) {
            return Err(Refusal::invalid(&format!("{list}.N")));
        }
    }
    Ok(())
}

const ANY_NUMBER: &str = "[1-9][0-9]*";

/// The pattern that a name fits, in the only form that patterns have: words and numbers with dots between them.
fn pattern(name: &str) -> String {
    let is_number = |it: &str| {
        !it.starts_with('0') && !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit())
    };
    let parts = name.split('.');
    let words: Vec<&str> = parts
        .map(|it| if is_number(it) { ANY_NUMBER } else { it })
        .collect();
    words.join("\\.")
}

fn is_list(pattern: &str, list: &str) -> bool {
    let mut words = pattern.split("\\.");
    words.next() == Some(list) && words.next() == Some(ANY_NUMBER)
}

/// The tag actions have codes of their own (ECS API reference, `TagResources`, error codes).
fn missing(action: &Action, incoming: &Incoming, name: &str) -> Refusal {
    if action.product != "Ecs" || !incoming.action.ends_with("TagResources") {
        return Refusal::missing(name);
    }
    let (status, what) = match name {
        "RegionId" | "ResourceType" => (404, name),
        "ResourceId.1" => (404, "ResourceIds"),
        _ => (404, "Tags"),
    };
    let suffix = if what.ends_with('s') { ".N" } else { "" };
    let message = format!("The parameter - {what}{suffix} should not be null.");
    Refusal::new(status, &format!("MissingParameter.{what}"), &message)
}
