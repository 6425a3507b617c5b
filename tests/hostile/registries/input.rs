//! State files that declare what no registry has: refused with place and reason, before anything is contacted.

use super::declared;
use crate::cli::{Place, Run};
use crate::declared::{registry, repository};

fn check(state: &str) -> Run {
    let place = Place::empty();
    place.write("state/app.yaml", state);
    place.run(&["check"])
}

#[track_caller]
fn refused(state: &str, words: &[&str]) {
    let run = check(state).exits(65);
    assert_eq!(run.stdout, "");
    for words in words {
        assert!(run.stderr.contains(words), "no {words} in {}", run.stderr);
    }
}

#[test]
fn a_tag_that_is_no_tag_is_refused_with_what_was_written() {
    for tag in ["-rc1", ".hidden", "v1 beta", "v1:2", "v1@2", "a/b", "größe"] {
        let state = declared(&format!("tags: [latest, '{tag}']"));
        refused(&state, &["app.yaml:11:", "spec.tags[1]", tag]);
    }
    let long = "x".repeat(129);
    for tag in ["", &long] {
        refused(&declared(&format!("tags: ['{tag}']")), &["spec.tags[0]"]);
    }
    check(&declared("tags: [latest, _v1.0-rc1]")).exits(0);
}

#[test]
fn a_repository_in_capitals_is_refused_wherever_it_is_written() {
    for name in [
        "Example/app",
        "example/App",
        "example//app",
        "/app",
        "example/app:v1",
    ] {
        let home = declared("tags: []").replace("example/app", name);
        refused(&home, &["app.yaml:11:", "spec.repository", name]);
        let mirror = format!("tags: [], mirrors: [{{registryRef: ghcr, repository: '{name}'}}]");
        refused(&declared(&mirror), &["spec.mirrors[0].repository", name]);
    }
}

/// Another repository of this name, whose spec says this.
fn another(spec: &str) -> String {
    repository("another", &format!("registryRef: ghcr, {spec}"))
}

#[test]
fn a_retention_rule_that_would_remove_what_another_resource_requires_is_refused() {
    let rule = |keep: &str| {
        declared(&format!(
            "tags: [latest], retention: {{tagged: {{keepLast: 5, keep: [{keep}], olderThan: 7d}}}}"
        ))
    };
    let here = "repository: example/app";
    let mirror =
        "repository: example/tool, mirrors: [{registryRef: ghcr, repository: example/app}]";
    for (keep, place, tags, lost) in [
        ("", here, "dev", "`dev-amd64` and 2 more would be removed"),
        (
            "dev",
            here,
            "dev",
            "`dev-amd64` and 1 more would be removed",
        ),
        ("dev*", here, "dev", ""),
        ("", here, "latest", ""),
        (
            "v1.*",
            here,
            "{pattern: 'v*'}",
            "`v*-amd64` and 2 more would be removed",
        ),
        ("v*", here, "{pattern: 'v1.*'}", ""),
        // Only required tags are mirrored.
        ("", mirror, "dev", "`dev` would be removed"),
        ("dev", mirror, "dev", ""),
        ("", "repository: example/tool", "dev", ""),
    ] {
        let state = format!(
            "{}{}",
            rule(keep),
            another(&format!("{place}, tags: [{tags}]"))
        );
        if lost.is_empty() {
            check(&state).exits(0);
            continue;
        }
        let requires = "which ImageRepository/another requires here";
        refused(
            &state,
            &["app.yaml:11:", "spec.retention.tagged", lost, requires],
        );
    }
}

#[test]
fn a_rule_that_removes_nothing_that_is_required_is_none_to_refuse() {
    let other = another("repository: example/app, tags: [dev]");
    let untagged = declared("tags: [latest], retention: {untagged: {olderThan: 1d}}");
    check(&format!("{untagged}{other}")).exits(0);
    let tagged = declared("tags: [latest], retention: {tagged: {olderThan: 7d}}");
    let never = tagged.replace("host: ghcr.io", "host: ghcr.io, deletion: Never");
    check(&format!("{never}{other}")).exits(0);
    check(&tagged).exits(0);
}

#[test]
fn one_repository_by_two_names_of_its_registry_is_one() {
    let tagged = declared("tags: [latest], retention: {tagged: {olderThan: 7d}}");
    let again = registry("again", "host: ghcr.io");
    let other = another("repository: example/app, tags: [dev]").replace("Ref: ghcr", "Ref: again");
    refused(
        &format!("{tagged}{again}{other}"),
        &["spec.retention.tagged"],
    );
}
