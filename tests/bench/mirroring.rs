//! A mirror between two real registries, of many small images and of a large one, beside skopeo.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::figures::{Figures, tell};
use crate::program::{Place, watched};
use crate::registry::Registry;
use crate::required_tags::{ahead, declared_registry, declared_repository, pass, tags};

const IMAGES: usize = 100;
const LARGE_BYTES: u64 = 1 << 30;
/// Megabytes.
const MEMORY_MAX: f64 = 64.0;
const MIRROR: &str = "  mirrors: [{registryRef: copy, repository: mirror/app}]\n";

pub(crate) fn measure(figures: &mut Figures) {
    let small = tags(IMAGES);
    let registries = [(); 3].map(|()| Registry::in_memory());
    registries[0].connect().sources("bench/app", &small, false);
    let told = "mirroring 100 small images of two platforms";
    beside_skopeo(figures, told, &registries, &small);
    let registries = [(); 3].map(|()| Registry::on_disk());
    registries[0]
        .connect()
        .large("bench/app", "big", LARGE_BYTES);
    beside_skopeo(
        figures,
        "mirroring an image of 1 GiB",
        &registries,
        &["big".to_owned()],
    );
}

/// The same tags from the first registry into one that is empty by each, and again into the same.
fn beside_skopeo(figures: &mut Figures, what: &str, registries: &[Registry; 3], tags: &[String]) {
    let [source, target, peers] = registries;
    // What is mirrored is there beforehand.
    let home = declared_registry("home", source);
    pass(&Place::declaring(
        &(home.clone() + &declared_repository("bench/app", tags, "")),
    ));
    let state =
        home + &declared_registry("copy", target) + &declared_repository("bench/app", tags, MIRROR);
    let place = Place::declaring(&state);
    let first = pass(&place);
    let before = target.asked();
    let again = pass(&place);
    let after = target.asked();
    let (theirs, their_memory) = by_skopeo(source, peers, tags);
    let peers_before = peers.asked();
    let (theirs_again, _) = by_skopeo(source, peers, tags);
    let peers_after = peers.asked();
    ahead(
        figures,
        &format!("{what}, skopeo sync ÷ reconcile"),
        (theirs, first.took.as_secs_f64()),
    );
    ahead(
        figures,
        &format!("{what} again, skopeo sync ÷ reconcile"),
        (theirs_again, again.took.as_secs_f64()),
    );
    let writes = after.1 - before.1;
    tell(
        &format!("{what} again, requests that write: skopeo sync; reconcile"),
        format!("{}; {writes}", peers_after.1 - peers_before.1),
    );
    tell(
        &format!("{what}, peak memory in MB: skopeo sync; reconcile"),
        format!("{their_memory:.0}; {:.0}", first.memory),
    );
    figures.hold(writes == 0, &format!("{what} again: {writes} writes"));
    figures.hold(
        first.memory > 0.0 && first.memory < MEMORY_MAX,
        &format!("{what}: {:.0} MB, {MEMORY_MAX} are allowed", first.memory),
    );
}

/// All tags by one process: seconds, and the megabytes that it held at most.
fn by_skopeo(source: &Registry, target: &Registry, tags: &[String]) -> (f64, f64) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let wanted = json!({&source.host: {"tls-verify": false, "images": {"bench/app": tags}}});
    let file = folder.path().join("wanted.yml");
    fs::write(&file, wanted.to_string()).expect("there is room for a file");
    let mut command = Command::new("skopeo");
    command.args(["--insecure-policy", "sync", "--all", "--preserve-digests"]);
    command.args([
        "--src",
        "yaml",
        "--dest",
        "docker",
        "--dest-tls-verify=false",
    ]);
    command.arg(&file).arg(format!("{}/mirror", target.host));
    let (memory, took) = quietly(&mut command, folder.path());
    (took, memory)
}

fn quietly(command: &mut Command, folder: &Path) -> (f64, f64) {
    let file = |name: &str| fs::File::create(folder.join(name)).expect("there is room for a file");
    command.stdout(file("said")).stderr(file("complained"));
    let (memory, took) = watched(command);
    (memory, took.as_secs_f64())
}
