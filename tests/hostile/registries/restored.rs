//! `restore`: what was deleted is listed and comes back, as long as GitHub holds it; whatever is refused says why.

use reconcile::ids::Digest;
use serde_json::{Value, json};

use super::{place, world};
use crate::cli::{Place, Run, finish};
use crate::hostile::processes::Served;

const SPEC: &str =
    "tags: [latest], retention: {tagged: {olderThan: 7d}, untagged: {olderThan: 1d}}";
const OLD: &str = "2026-08-01T00:00:00Z";
const DAY: u64 = 86_400;
const FOREVER: u64 = 1_000_000;

/// A required tag, and an old build that nothing needs.
fn manifests() -> Value {
    let image = |name: &str, tag: &str, platform: &str| json!({"name": name, "tags": [tag], "platform": platform, "revision": "r1", "layers": [name], "pushed": OLD});
    json!([
        image("a", "latest-amd64", "linux/amd64"),
        image("b", "latest-arm64", "linux/arm64"),
        {"tags": ["latest"], "of": ["a", "b"], "pushed": OLD},
        image("c", "pr-1", "linux/amd64"),
    ])
}

/// GitHub in a process of its own, whose time moves only when it is told to.
struct GitHub {
    place: Place,
    served: Served,
}

impl GitHub {
    fn new(changes: Value) -> Self {
        Self::with(&manifests(), changes)
    }

    fn with(manifests: &Value, changes: Value) -> Self {
        let place = place(SPEC, &world(manifests, changes));
        let served = Served::of(&place, &["--clock", "manual", "--scenario", "world.yaml"]);
        Self { place, served }
    }

    /// One whose old build retention has deleted.
    fn after_retention(changes: Value) -> Self {
        let github = Self::new(changes);
        let run = github.run(&["--once", "--status-dir", "status"]).exits(0);
        assert!(run.stdout.contains(" 1 deleted"), "{}", run.stdout);
        assert!(github.tag("pr-1").is_none());
        github
    }

    fn run(&self, arguments: &[&str]) -> Run {
        finish(&mut self.served.client(&self.place, arguments))
    }

    /// What a tag names.
    fn tag(&self, tag: &str) -> Option<String> {
        let state = self.served.send(("GET", "/_sim/state"), "");
        let tags = &state["registries"]["ghcr.io"]["example/app"]["tags"];
        tags[tag].as_str().map(str::to_owned)
    }

    fn advance(&self, seconds: u64) {
        let path = format!("/_sim/advance?seconds={seconds}");
        self.served.send(("POST", &path), "");
    }

    /// The only version that is held, as its line says.
    fn held(&self) -> (String, String) {
        let line = self.run(&["restore", "app"]).exits(0).stdout;
        assert_eq!(line.lines().count(), 1, "{line}");
        let (digest, rest) = line.trim_end().split_once("  ").expect("two columns");
        (digest.to_owned(), rest.to_owned())
    }
}

#[test]
fn what_retention_deleted_is_listed_and_comes_back_with_its_tags() {
    let github = GitHub::after_retention(json!({}));
    let (digest, said) = github.held();
    assert!(
        said.starts_with(&format!("deleted 2026-11-21T02:00:00Z, created {OLD}, id ")),
        "{said}"
    );
    assert!(said.ends_with(", tags pr-1"), "{said}");
    // By the name of the package, and as JSON, it is the same.
    let listed = github.run(&["restore", "example/app", "--output", "json"]);
    let listed = listed.exits(0).json();
    assert_eq!(listed["versions"][0]["digest"], json!(digest));
    assert_eq!(listed["versions"][0]["tags"], json!(["pr-1"]));
    let writes = github.served.writes();
    let back = github.run(&["restore", "app", &digest]).exits(0);
    assert_eq!(
        back.stdout,
        format!("{digest} of example/app restored, tags pr-1\n")
    );
    assert_eq!(github.tag("pr-1"), Some(digest.clone()));
    // Once more there is nothing to do.
    let again = github.run(&["restore", "app", &digest]).exits(0);
    assert!(again.stdout.contains(" was there already"), "{again:?}");
    assert_eq!(github.served.writes(), writes + 1);
    let empty = github.run(&["restore", "app"]).exits(0);
    assert_eq!(
        empty.stdout,
        "GitHub holds no deleted version of example/app.\n"
    );
}

/// A world whose old index went with its two images, and where the second thing to come back is refused once.
fn without_an_index() -> GitHub {
    let mut manifests = manifests();
    let image = |name: &str, platform: &str| json!({"name": name, "platform": platform, "layers": [name], "pushed": OLD});
    let more = [
        image("d", "linux/amd64"),
        image("e", "linux/arm64"),
        json!({"tags": ["pr-2"], "of": ["d", "e"], "pushed": OLD}),
    ];
    let all = manifests.as_array_mut().expect("a list");
    all.pop();
    all.extend(more);
    let refused = json!([{"action": "POST restore", "nth": 2, "fault": "status", "status": 422}]);
    let github = GitHub::with(&manifests, json!({"troubles": refused}));
    let clean = [
        "--once",
        "--status-dir",
        "status",
        "--max-delete-percent",
        "60",
    ];
    let run = github.run(&clean).exits(0);
    assert!(run.stdout.contains(" 3 deleted"), "{}", run.stdout);
    github
}

/// The digest of the version that was tagged so.
fn held_as(github: &GitHub, tag: &str) -> String {
    let listed = github.run(&["restore", "app", "--output", "json"]).exits(0);
    let listed = listed.json();
    let versions = listed["versions"].as_array().expect("a list");
    let meant = versions.iter().find(|it| it["tags"] == json!([tag]));
    let meant = meant.unwrap_or_else(|| panic!("{listed}"));
    meant["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn an_index_comes_back_with_its_images_also_when_the_first_try_ends_halfway() {
    let github = without_an_index();
    let index = held_as(&github, "pr-2");
    let run = github.run(&["restore", "app", &index]).exits(1);
    assert_eq!(run.stdout, "");
    assert_eq!(github.tag("pr-2"), Some(index.clone()));
    let run = github.run(&["restore", "app", &index]).exits(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{run:?}");
    assert!(
        lines[0].ends_with("of example/app was there already, tags pr-2"),
        "{run:?}"
    );
    assert!(
        lines[1..]
            .iter()
            .all(|it| it.ends_with(" restored with it")),
        "{run:?}"
    );
    let held = github.run(&["restore", "app"]).exits(0);
    assert!(
        held.stdout.starts_with("GitHub holds no deleted version"),
        "{held:?}"
    );
}

#[test]
fn after_thirty_days_it_is_gone_for_good_and_that_is_said() {
    let github = GitHub::after_retention(json!({}));
    github.advance(30 * DAY);
    let (digest, _) = github.held();
    github.advance(1);
    let listed = github.run(&["restore", "app"]).exits(0);
    assert!(listed.stdout.starts_with("GitHub holds no deleted version"));
    let refused = github.run(&["restore", "app", &digest]).exits(1);
    assert!(
        refused.stderr.contains("it keeps them for 30 days"),
        "{refused:?}"
    );
    assert_eq!(refused.stdout, "");
    assert!(github.tag("pr-1").is_none());
}

#[test]
fn what_was_pushed_again_is_there_already_and_stays_as_it_is() {
    let github = GitHub::after_retention(json!({}));
    let (digest, _) = github.held();
    let pushed = super::objects(&manifests());
    github
        .served
        .send(("POST", "/_sim/objects"), &pushed.to_string());
    assert_eq!(github.tag("pr-1"), Some(digest.clone()));
    let writes = github.served.writes();
    let run = github.run(&["restore", "app", &digest]).exits(0);
    assert!(run.stdout.contains(" was there already"), "{run:?}");
    assert_eq!(github.served.writes(), writes);
}

#[test]
fn what_github_refuses_is_said_in_its_words() {
    let text = "The package namespace is used by another package.";
    let refusal = json!([{"action": "POST restore", "fault": "status", "status": 400, "code": text, "times": FOREVER}]);
    let github = GitHub::after_retention(json!({"troubles": refusal}));
    let (digest, _) = github.held();
    let run = github.run(&["restore", "app", &digest]).exits(1);
    assert!(run.stderr.contains("cannot restore a version"), "{run:?}");
    assert!(run.stderr.contains(text), "{run:?}");
    assert!(github.tag("pr-1").is_none());
}

#[test]
fn an_answer_that_is_lost_is_no_reason_to_say_that_it_failed() {
    let lost = json!([{"action": "POST restore", "fault": "dropAfter"}]);
    let github = GitHub::after_retention(json!({"troubles": lost}));
    let (digest, _) = github.held();
    let run = github.run(&["restore", "app", &digest]).exits(0);
    assert!(run.stdout.contains(" restored"), "{run:?}");
    assert_eq!(github.tag("pr-1"), Some(digest));
}

#[test]
fn a_token_that_may_only_delete_is_told_what_it_lacks() {
    let scopes = ["repo", "read:packages", "delete:packages"];
    let token = json!([{"token": "ghp_of_someone", "login": "someone", "scopes": scopes}]);
    let github = GitHub::after_retention(json!({"github": {"tokens": token}}));
    let (digest, _) = github.held();
    let run = github.run(&["restore", "app", &digest]).exits(1);
    assert!(run.stderr.contains("write:packages"), "{run:?}");
    assert!(github.tag("pr-1").is_none());
    // Without any token the listing is refused, and not an empty one.
    let mut bare = github.served.client(&github.place, &["restore", "app"]);
    bare.env_remove("GITHUB_TOKEN").env_remove("GHCR_TOKEN");
    let run = finish(&mut bare).exits(77);
    assert!(
        run.stderr.contains("there is no token for GitHub"),
        "{run:?}"
    );
    assert_eq!(run.stdout, "");
}

#[test]
fn nothing_is_brought_back_for_a_pull_request() {
    let github = GitHub::after_retention(json!({}));
    let (digest, _) = github.held();
    let mut command = github
        .served
        .client(&github.place, &["restore", "app", &digest]);
    command.env("GITHUB_ACTIONS", "true");
    let run = finish(command.env("GITHUB_EVENT_NAME", "pull_request")).exits(78);
    assert!(run.stderr.contains("pull_request"), "{run:?}");
    assert!(github.tag("pr-1").is_none());
}

#[test]
fn what_names_nothing_that_github_holds_is_refused_before_or_after_the_look() {
    let place = place(SPEC, &world(&manifests(), json!({})));
    place.edit(
        "state/app.yaml",
        "spec: {host: ghcr.io}",
        "spec: {host: ghcr.io}
---
apiVersion: reconcile/v1alpha1
kind: Registry
metadata: {name: plain}
spec: {host: registry.example}
---
apiVersion: reconcile/v1alpha1
kind: ImageRepository
metadata: {name: elsewhere}
spec: {registryRef: plain, repository: example/app, tags: [latest]}",
    );
    let never = Digest::of(b"never pushed").to_string();
    for (arguments, code, words) in [
        (vec!["app", "latest"], 64, "`latest` is no digest"),
        (vec!["app", "sha256:12"], 64, "`sha256:12` is no digest"),
        (
            vec!["nobody"],
            64,
            "there is no ImageRepository named nobody",
        ),
        (vec!["elsewhere"], 64, "only GitHub does, for 30 days"),
        (vec!["app", &never], 1, "GitHub holds no deleted version"),
        (
            vec!["example/nothing"],
            77,
            "there is no such package, or the token may not see it",
        ),
    ] {
        let arguments = [vec!["restore", "--simulate=world.yaml"], arguments].concat();
        let run = place.run(&arguments).exits(code);
        assert!(run.stderr.contains(words), "{words}: {run:?}");
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn a_listing_that_fails_is_no_empty_one() {
    for fault in [
        json!({"fault": "status", "status": 502}),
        json!({"fault": "garbage"}),
        json!({"fault": "garbage", "status": 200}),
        json!({"fault": "dropBefore"}),
    ] {
        let mut trouble = fault.clone();
        trouble["action"] = json!("GET versions");
        trouble["times"] = json!(FOREVER);
        let place = place(SPEC, &world(&manifests(), json!({"troubles": [trouble]})));
        let run = place.run(&["restore", "app", "--simulate=world.yaml"]);
        let run = run.exits(1);
        assert_eq!(run.stdout, "", "{fault}");
        assert!(
            run.stderr.contains("cannot list the versions of a package"),
            "{fault}: {run:?}"
        );
    }
}
