//! What goes and what stays: cases as text, one version a line.

mod closure;
mod incidents;
mod random;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::providers::registry::Blob;

use super::super::spec::Spec;
use super::closure::{Closure, Graph};
use super::roots::{Rules, roots};
use super::version::{Links, Version};

/// Tags older than a week go, but for the newest two and releases; untagged versions after a day.
const USUAL: &str = r#""tags": ["latest"], "retention": {
    "tagged": {"keepLast": 2, "keep": ["v*"], "olderThan": "7d"}, "untagged": {"olderThan": "1d"}}"#;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-25T12:00:00Z").expect("a time")
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn spec(more: &str) -> Spec {
    let text = format!(r#"{{"registryRef": "ghcr", "repository": "example/app", {more}}}"#);
    serde_json::from_str(&text).expect("the spec of a test can be read")
}

/// Versions from lines like `index 9 latest,v1 > amd arm @ other`: name, age in days (`?`: nothing tells), tags (`-`: none;
/// `#name`: the digest of that one), what it is put together of, and what it is about.
fn versions(text: &str) -> Vec<Version> {
    let lines = text.lines().map(str::trim).filter(|it| !it.is_empty());
    lines
        .enumerate()
        .map(|(at, line)| version(at, line))
        .collect()
}

fn version(at: usize, line: &str) -> Version {
    let (line, subject) = line
        .split_once(" @ ")
        .map_or((line, None), |(a, b)| (a, Some(b)));
    let (line, children) = line.split_once(" > ").unwrap_or((line, ""));
    let words: Vec<&str> = line.split_whitespace().collect();
    let age = words[1].parse::<u64>().ok();
    let age = age.map(|days| now().minus(Duration::from_secs(days * 86_400 + 1)));
    let tags = words[2].split(',').filter(|it| *it != "-");
    let tags = tags.map(|it| match it.split_once('#') {
        Some((_, name)) => {
            let (name, rest) = name
                .split_once('.')
                .map_or((name, String::new()), |(a, b)| (a, format!(".{b}")));
            format!("sha256-{}{rest}", digest(name).digits())
        }
        None => it.to_owned(),
    });
    Version {
        id: Some(u64::try_from(at).expect("few versions")),
        digest: digest(words[0]),
        tags: tags.collect(),
        created: age,
        updated: age,
        links: Links {
            children: children.split_whitespace().map(digest).collect(),
            subject: subject.map(|it| digest(it.trim())),
            blobs: vec![Blob {
                digest: digest(&format!("layer of {}", words[0])),
                size: 100,
            }],
            size: 10,
        },
    }
}

fn close(spec: &Spec, versions: &[Version]) -> Closure {
    let required: BTreeSet<String> = spec.named_tags().map(str::to_owned).collect();
    let retention = spec.retention.as_ref().expect("a retention");
    let rules = Rules {
        spec,
        retention,
        required: &required,
        now: now(),
    };
    Graph::new(spec, versions).close(roots(rules, versions))
}

/// The names of those that go, in their order.
fn goes(more: &str, text: &str) -> String {
    let (spec, versions) = (spec(more), versions(text));
    let closure = close(&spec, &versions);
    let order = Graph::new(&spec, &versions).order(&closure);
    let names: Vec<&str> = text
        .lines()
        .filter_map(|it| it.split_whitespace().next())
        .collect();
    let names: Vec<&str> = order.iter().map(|(at, _)| names[*at]).collect();
    names.join(" ")
}
