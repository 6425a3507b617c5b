//! Required tags in a real registry: looked at when nothing is to be done, and merged; beside the programs that do the
//! same one tag at a time.

use std::fmt::Write;
use std::process::Command;
use std::time::Instant;

use crate::figures::{Figures, tell};
use crate::program::{Ended, Place};
use crate::registry::{ARCHITECTURES, Registry, is_there};

const CHECKED: usize = 1000;
const MERGED: usize = 100;
/// How many of the checked tags the other program looks at: each takes three processes.
const SAMPLE: usize = 50;
/// Requests for a tag that did not change: one for it, one for each source.
const REQUESTS: usize = 3;

/// What the bench needs of the machine.
pub(crate) const PROGRAMS: [&str; 3] = ["docker-registry", "skopeo", "buildah"];

pub(crate) fn measure(figures: &mut Figures) {
    let registry = Registry::in_memory();
    checking(&registry, figures);
    merging(&registry, figures);
}

/// So many names of tags.
pub(crate) fn tags(count: usize) -> Vec<String> {
    (0..count).map(|it| format!("v{it}")).collect()
}

/// The state of a `Registry`.
pub(crate) fn declared_registry(name: &str, registry: &Registry) -> String {
    let host = &registry.host;
    format!(
        "---\napiVersion: reconcile/v1alpha1\nkind: Registry\nmetadata: {{name: {name}}}\nspec: {{host: \"{host}\", insecure: true}}\n"
    )
}

/// The state of an `ImageRepository` in the registry `home`; `more` are fields of its spec.
pub(crate) fn declared_repository(repository: &str, tags: &[String], more: &str) -> String {
    let mut state = format!(
        "---\napiVersion: reconcile/v1alpha1\nkind: ImageRepository\nmetadata: {{name: app}}\nspec:\n  registryRef: home\n  repository: {repository}\n  tags: [{}]\n",
        tags.join(", ")
    );
    let _ = write!(state, "{more}");
    state
}

/// One pass, which has to bring everything to what is declared.
pub(crate) fn pass(place: &Place) -> Ended {
    let ended = place.run(std::iter::empty(), &["--once", "--wait", "10m"]);
    assert_eq!(ended.report["converged"], true, "{}", ended.report);
    ended
}

/// Runs another program to its end, and says how many seconds it took.
pub(crate) fn seconds_of(command: &mut Command) -> f64 {
    let begun = Instant::now();
    let ended = command.output().expect("the program can be started");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?}: {said}");
    begun.elapsed().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "they are not that many")]
pub(crate) fn ratio(count: usize, of: usize) -> f64 {
    count as f64 / of as f64
}

fn checking(registry: &Registry, figures: &mut Figures) {
    let tags = tags(CHECKED);
    registry.connect().sources("bench/checked", &tags, true);
    let state =
        declared_registry("home", registry) + &declared_repository("bench/checked", &tags, "");
    let place = Place::declaring(&state);
    pass(&place);
    let before = registry.asked();
    let ended = pass(&place);
    let after = registry.asked();
    let requests = after.0 - before.0;
    let seconds = ended.took.as_secs_f64();
    tell(
        "1,000 required tags with nothing to do, requests per tag, writes",
        format!("{:.2}, {}", ratio(requests, CHECKED), after.1 - before.1),
    );
    tell(
        "1,000 required tags with nothing to do, tags per second",
        format!(
            "{:.0} ({:.0} MB at most)",
            ratio(CHECKED, 1) / seconds,
            ended.memory
        ),
    );
    figures.hold(
        requests == REQUESTS * CHECKED && after.1 == before.1,
        &format!("checking {CHECKED} tags takes {requests} requests"),
    );
    let mut theirs = 0.0;
    for tag in &tags[..SAMPLE] {
        for suffix in ["", "-amd64", "-arm64"] {
            let name = format!("docker://{}/bench/checked:{tag}{suffix}", registry.host);
            let mut command = Command::new("skopeo");
            command.args(["inspect", "--raw", "--tls-verify=false", &name]);
            theirs += seconds_of(&mut command);
        }
    }
    ahead(
        figures,
        "checking a tag, skopeo inspect of it and its sources ÷ reconcile",
        (theirs / ratio(SAMPLE, 1), seconds / ratio(CHECKED, 1)),
    );
}

/// Prints how many times as long another program takes, and holds us to being ahead of it.
pub(crate) fn ahead(figures: &mut Figures, name: &str, (theirs, ours): (f64, f64)) {
    let factor = theirs / ours;
    tell(
        name,
        format!(
            "{factor:.1} ({:.1} ms ÷ {:.1} ms)",
            theirs * 1e3,
            ours * 1e3
        ),
    );
    figures.hold(factor > 1.0, &format!("{name}: {factor:.2}"));
}

fn merging(registry: &Registry, figures: &mut Figures) {
    let tags = tags(MERGED);
    registry.connect().sources("bench/merged", &tags, false);
    let state =
        declared_registry("home", registry) + &declared_repository("bench/merged", &tags, "");
    let place = Place::declaring(&state);
    let before = registry.asked();
    let ended = pass(&place);
    let after = registry.asked();
    tell(
        "merging 100 tags, cold, requests per tag, writes per tag",
        format!(
            "{:.1}, {:.2} ({:.0} MB at most)",
            ratio(after.0 - before.0, MERGED),
            ratio(after.1 - before.1, MERGED),
            ended.memory
        ),
    );
    figures.hold(
        after.1 - before.1 == MERGED,
        "merging a tag takes more than one write",
    );
    let ours = ended.took.as_secs_f64() / ratio(MERGED, 1);
    let name = |it: &str| format!("merging a tag, {it} ÷ reconcile");
    ahead(
        figures,
        &name("buildah manifest"),
        (by_buildah(registry, &tags), ours),
    );
    if is_there("docker") {
        ahead(
            figures,
            &name("docker manifest"),
            (by_docker(registry, &tags), ours),
        );
    } else {
        tell(
            &name("docker manifest"),
            "docker is not there, so it is not measured",
        );
    }
}

/// Seconds a tag.
fn by_docker(registry: &Registry, tags: &[String]) -> f64 {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let mut seconds = 0.0;
    for tag in tags {
        let name = format!("{}/bench/merged:docker-{tag}", registry.host);
        let sources = ARCHITECTURES.map(|it| format!("{}/bench/merged:{tag}-{it}", registry.host));
        for arguments in [
            vec!["create", "--insecure", &name, &sources[0], &sources[1]],
            vec!["push", "--insecure", &name],
        ] {
            let mut command = Command::new("docker");
            command.arg("manifest").args(arguments);
            seconds += seconds_of(command.env("DOCKER_CONFIG", folder.path()));
        }
    }
    seconds / ratio(tags.len(), 1)
}

/// Seconds a tag, of a sample.
fn by_buildah(registry: &Registry, tags: &[String]) -> f64 {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let at = |name: &str| folder.path().join(name);
    let tags = &tags[..tags.len().min(SAMPLE)];
    let mut seconds = 0.0;
    for tag in tags {
        let name = format!("docker://{}/bench/merged", registry.host);
        let target = format!("{name}:buildah-{tag}");
        let sources = ARCHITECTURES.map(|it| format!("{name}:{tag}-{it}"));
        for arguments in [
            vec!["create", tag],
            vec!["add", "--tls-verify=false", tag, &sources[0]],
            vec!["add", "--tls-verify=false", tag, &sources[1]],
            vec!["push", "--tls-verify=false", tag, &target],
        ] {
            let mut command = Command::new("buildah");
            command
                .arg("--root")
                .arg(at("store"))
                .arg("--runroot")
                .arg(at("run"));
            command
                .args(["--storage-driver", "vfs", "manifest"])
                .args(arguments);
            seconds += seconds_of(&mut command);
        }
    }
    seconds / ratio(tags.len(), 1)
}
