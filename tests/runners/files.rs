//! What may not be written of runners, each with what would be accepted.

use std::fs;

use reconcile::engine::load;
use reconcile::kinds::KINDS;

use super::{HOME, set};

/// What is said of these resources; empty: nothing.
fn said(resources: &str) -> String {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let text = format!("{HOME}{resources}");
    fs::write(folder.path().join("state.yaml"), text).expect("there is room for a file");
    let findings = load(folder.path(), KINDS).err().unwrap_or_default();
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn refused(resources: &str, words: &[&str]) {
    let said = said(resources);
    for word in words {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
    assert!(said.contains("state.yaml:"), "{said}");
}

#[test]
fn what_is_right_is_taken() {
    assert_eq!(said(&set("ci", "self-hosted, linux", "")), "");
    let whole = ", minRunners: 1, maxRunners: 5, startupTimeout: 5m, idleAfter: 5s, lease: 35m, maxLifetime: 24h, backoff: {limit: 2}, \
        runnerVersion: 2.330.0, runnerSha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    assert_eq!(said(&set("ci", "a", whole)), "");
    let organization =
        set("ci", "a", ", repositories: [app, other]").replace("example/app", "example");
    assert_eq!(said(&organization), "");
}

#[test]
fn labels_are_such_as_jobs_can_ask_for() {
    refused(&set("ci", "\"two words\"", ""), &["spec.labels[0]"]);
    refused(&set("ci", &"x".repeat(300), ""), &["spec.labels[0]"]);
    refused(&set("ci", "", ""), &["spec.labels"]);
    refused(
        &set("ci", "Linux, linux", ""),
        &["spec.labels[1]", "upper and lower case are the same"],
    );
}

#[test]
fn a_page_is_one_of_github_and_names_repositories_where_it_must() {
    let page =
        |url: &str, more: &str| set("ci", "a", more).replace("https://github.com/example/app", url);
    refused(
        &page("http://github.com/example/app", ""),
        &["spec.githubConfigUrl"],
    );
    refused(
        &page("https://github.com/enterprises/example", ""),
        &["no page of a repository or an organization"],
    );
    refused(
        &page("https://github.com/example", ""),
        &["spec.repositories", "is needed"],
    );
    refused(
        &page("https://github.com/example/app", ", repositories: [app]"),
        &["spec.repositories"],
    );
}

#[test]
fn a_runner_that_is_downloaded_has_a_version_and_a_checksum() {
    refused(
        &set("ci", "a", ", runnerVersion: 2.330.0"),
        &["spec.runnerSha256", "go together"],
    );
    refused(
        &set("ci", "a", ", runnerVersion: latest"),
        &["spec.runnerVersion"],
    );
    refused(
        &set("ci", "a", ", runnerSha256: abc"),
        &["spec.runnerSha256"],
    );
}

#[test]
fn times_and_numbers_go_together() {
    refused(&set("ci", "a", ", lease: 30m"), &["spec.lease", "35m"]);
    refused(
        &set("ci", "a", ", maxLifetime: 50m"),
        &["spec.maxLifetime", "less than lease"],
    );
    refused(
        &set("ci", "a", ", minRunners: 20"),
        &["spec.maxRunners", "less than minRunners"],
    );
}

#[test]
fn an_image_is_named_in_one_way() {
    let image = |text: &str| set("ci", "a", "").replace("{family: runner}", text);
    refused(
        &image("{}"),
        &["spec.imageRef", "one of machineImage, family and id"],
    );
    refused(
        &image("{family: ab, id: m-1}"),
        &["spec.imageRef", "one of"],
    );
    refused(
        &image("{id: m-1, fallback: {family: ab}}"),
        &["spec.imageRef.fallback"],
    );
    refused(
        &image("{machineImage: none}"),
        &["there is no MachineImage `none`"],
    );
}

#[test]
fn what_a_machine_is_told_must_fit() {
    let exceptions: Vec<String> = (0..2000)
        .map(|it| format!("host-{it}.example.com"))
        .collect();
    let proxy = format!(
        "discoverVSwitches: true, proxy: {{noProxy: [{}]}}}}",
        exceptions.join(", ")
    );
    let text = HOME.replace("discoverVSwitches: true}", &proxy);
    let folder = tempfile::tempdir().expect("there is room for a folder");
    fs::write(folder.path().join("state.yaml"), text + &set("ci", "a", "")).expect("there is room");
    let findings = load(folder.path(), KINDS).expect_err("it is too long");
    let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(
        said.iter().any(|it| it.contains("32768 is the most")),
        "{said:?}"
    );
}
