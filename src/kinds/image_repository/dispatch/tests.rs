//! When a workflow is started.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::providers::github::WorkflowRun;

use super::super::platform::Platform;
use super::super::spec::Dispatch;
use super::super::tags::SourceName;
use super::plan::{FAILURES_MAX, Verdict, verdict};
use super::seen::inputs;

/// Runs from words like `60 failure`: seconds ago and conclusion, or `-` while it runs.
fn runs(text: &str) -> Vec<WorkflowRun> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs = words.chunks(2).enumerate();
    let run = |(index, pair): (usize, &[&str])| WorkflowRun {
        id: 1000 - u64::try_from(index).expect("few runs"),
        is_completed: pair[1] != "-",
        conclusion: (pair[1] != "-").then(|| pair[1].to_owned()),
        created: now().minus(Duration::from_secs(pair[0].parse().expect("seconds"))),
        url: String::new(),
    };
    pairs.map(run).collect()
}

fn now() -> Timestamp {
    Timestamp::parse("2026-11-25T12:00:00Z").expect("a time")
}

fn said(text: &str) -> String {
    match verdict(&runs(text), now()) {
        Verdict::Starts => "starts".to_owned(),
        Verdict::Runs(run) => format!("{} runs", run.id),
        Verdict::Waits(_, rest) => format!("waits {}", rest.as_secs()),
        Verdict::Useless(_, count) => format!("{count} useless"),
    }
}

#[test]
fn none_is_started_beside_one_that_runs_or_too_soon_after_one_that_was_of_no_use() {
    for (text, expected) in [
        ("", "starts"),
        ("10 -", "1000 runs"),
        ("10 failure 20 -", "999 runs"),
        ("59 failure", "waits 1"),
        ("60 failure", "starts"),
        ("60 failure 200 failure", "waits 60"),
        ("60 cancelled 200 timed_out 300 failure", "waits 180"),
        ("3600 failure 7200 success", "starts"),
        // It succeeded, and what it was to make is still missing.
        ("30 success", "waits 30"),
        ("130 success 200 success", "starts"),
        ("4000 success 4100 failure", "starts"),
        ("90000 failure 90001 failure", "starts"),
    ] {
        assert_eq!(said(text), expected, "{text}");
    }
}

#[test]
fn a_person_is_asked_after_six_that_were_of_no_use() {
    let row = |count: usize| "5000 failure ".repeat(count);
    assert_eq!(said(&row(FAILURES_MAX - 1)), "starts");
    assert_eq!(said(&row(FAILURES_MAX)), "6 useless");
}

#[test]
fn the_same_inputs_are_given_once() {
    let source = |tag: &str, platform: &str| {
        let platform = Platform::parse(platform).expect("a platform");
        let name = SourceName {
            tag: format!("{tag}-x"),
            platform,
        };
        (tag.to_owned(), name)
    };
    let missing = || {
        vec![
            source("v1", "linux/amd64"),
            source("v1", "linux/arm64"),
            source("v2", "linux/amd64"),
        ]
    };
    let given = |text: &str| {
        let text = format!(r#"{{"workflow": "build.yml", "ref": "main", "inputs": {text}}}"#);
        let dispatch: Dispatch = serde_json::from_str(&text).expect("a dispatch");
        let inputs = inputs(&dispatch, missing());
        inputs
            .keys()
            .map(|it| format!("{it:?}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(given("{}"), ["{}"]);
    assert_eq!(
        given(r#"{"tag": "{{tag}}"}"#),
        [r#"{"tag": "v1"}"#, r#"{"tag": "v2"}"#]
    );
    assert_eq!(given(r#"{"a": "{{tag}} {{platform}}"}"#).len(), 3);
}
