//! The README says what is so: its lines of output are printed, its file is valid, its options exist.

use std::fs;
use std::path::Path;

use super::{Place, reconcile};

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    fs::read_to_string(path).expect("the README is there")
}

/// The fenced blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let readme = readme();
    let mut blocks = Vec::new();
    for part in readme.split("\n```").skip(1).step_by(2) {
        if let Some(block) = part
            .strip_prefix(language)
            .and_then(|it| it.strip_prefix('\n'))
        {
            blocks.push(block.to_owned());
        }
    }
    blocks
}

#[test]
fn the_lines_of_a_plan_that_it_shows_are_printed_by_the_demo() {
    let demo = reconcile(&["--once", "--simulate", "--wait", "2h"])
        .exits(0)
        .stdout;
    let blocks = blocks("");
    let shown: Vec<&str> = blocks
        .iter()
        .flat_map(|it| it.lines())
        .filter(|it| it.contains("   ["))
        .collect();
    assert_eq!(shown.len(), 3, "{shown:?}");
    for line in shown {
        assert!(
            demo.lines().any(|it| it == line),
            "the demo does not print\n{line}\n{demo}"
        );
    }
}

#[test]
fn the_state_files_that_it_shows_are_valid() {
    let place = Place::with_examples();
    let [images, built, runners, tags] = blocks("yaml").try_into().expect("there are four");
    place.write("state/images.yaml", &images);
    place.write("state/builds.yaml", &built);
    place.write("state/runners.yaml", &runners);
    place.write("state/scripts/provision.sh", "#!/bin/sh\n");
    place.write("state/registries.yaml", &tags);
    place.write("state/repositories.yaml", "");
    let valid = place.run(&["check"]).exits(0).stdout;
    assert!(valid.ends_with(" resources in state: valid\n"), "{valid}");
}

#[test]
fn every_command_and_option_that_it_names_is_in_the_help() {
    let help = reconcile(&["--help"]).exits(0).stdout
        + &reconcile(&["image-id", "--help"]).stdout
        + &reconcile(&["plan", "--help"]).stdout
        + &reconcile(&["spot", "--help"]).stdout
        + &reconcile(&["simulate", "--help"]).stdout;
    let mut count = 0;
    for line in blocks("sh").iter().flat_map(|it| it.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        let Some((_, arguments)) = line
            .split_once("reconcile ")
            .or_else(|| line.split_once(" -- "))
        else {
            continue;
        };
        let options = arguments
            .split_whitespace()
            .filter(|it| it.starts_with("--"));
        let command = arguments
            .split_whitespace()
            .next()
            .filter(|it| !it.starts_with('-'));
        for word in options.chain(command) {
            assert!(help.contains(word), "{word} in {line}");
            count += 1;
        }
    }
    assert!(count > 10, "only {count} words were checked");
}

/// All files below a folder.
fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_option_that_is_deployed_is_in_the_help() {
    let help = reconcile(&["--help"]).exits(0).stdout;
    let mut count = 0;
    for file in files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")) {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let runs_us = |line: &&str| {
            ["/reconcile ", "/reconcile:0", "args: ["]
                .iter()
                .any(|it| line.contains(it))
                && !line.contains("docker")
                && !line.contains("cargo")
        };
        for line in text.lines().filter(runs_us) {
            // What runs us comes first, and has options of its own.
            let ours = line.split("/reconcile ").last().unwrap_or(line);
            let words = ours.split(|it: char| !(it.is_ascii_lowercase() || it == '-'));
            for option in words.filter(|it| it.len() > 2 && it.starts_with("--")) {
                assert!(
                    help.contains(option),
                    "{}: {option} in {line}",
                    file.display()
                );
                count += 1;
            }
        }
    }
    assert!(count >= 8, "only {count} options were found");
}
