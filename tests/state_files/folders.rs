//! Folders: which files are read, in which order, and what is said of those that cannot be.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use reconcile::resource::read;
use tempfile::TempDir;

use super::{GARDEN, KINDS};

/// A state folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it lies in the folder"))
            .expect("a folder can be made");
        fs::write(path, content).expect("a file can be written");
    }
    folder
}

/// What `read` says of a folder, a line each: the resources, or what is wrong, with paths below the folder.
fn outcome(folder: &Path) -> String {
    let start = Instant::now();
    let lines: Vec<String> = match read(folder, &KINDS) {
        Ok(declared) => declared
            .manifests
            .iter()
            .map(|it| it.id.to_string())
            .collect(),
        Err(findings) => findings.iter().map(ToString::to_string).collect(),
    };
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    let prefix = format!("{}/", folder.display());
    lines.join("\n").replace(&prefix, "")
}

fn garden(name: &str) -> Vec<u8> {
    GARDEN.replace("roof", name).into_bytes()
}

#[test]
fn all_yaml_files_are_read_in_the_order_of_their_paths() {
    let folder = folder(&[
        ("b.yaml", &garden("b")),
        ("a/z.yml", &garden("z")),
        ("a/deep/er/y.YAML", &garden("y")),
        ("c.yaml", b""),
        ("script.sh", b"\0"),
        (".hidden.yaml", b"["),
        (".git/x.yaml", b"["),
    ]);
    assert_eq!(outcome(folder.path()), "Garden/y\nGarden/z\nGarden/b");
}

#[test]
fn everything_wrong_in_all_files_is_told_at_once_in_order() {
    let two = [
        garden("a"),
        b"  area: big\n---\n".to_vec(),
        garden("b"),
        b"  season: 1\n".to_vec(),
    ]
    .concat();
    let folder = folder(&[
        ("b.yaml", &garden("a")),
        ("a/two.yaml", &two),
        ("c.yaml", b"kind: ["),
        ("d.yaml", &garden("d")),
    ]);
    let expected = "\
a/two.yaml:8:9: spec.area: expected a number; `big` was written
a/two.yaml:17:11: spec.season: expected `Spring` or `Summer`; `1` was written
b.yaml:4:9: Garden/a is declared twice, first at a/two.yaml:4:9
c.yaml:1:8: not YAML: while parsing a node, did not find expected node content; the bracket was opened at 1:7";
    assert_eq!(outcome(folder.path()), expected);
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let huge = vec![b'#'; 10_000_000];
    let folder = folder(&[
        ("binary.yaml", b"\x7fELF\x02\x01\x01\0\0"),
        ("huge.yaml", &huge),
        ("latin.yaml", b"a: b\nname: gr\xfc\xdfe\n"),
        ("wide.yaml", b"\xff\xfea\0:\0"),
    ]);
    let expected = "\
binary.yaml:1:1: the control character U+007F stands here: a state file is text
huge.yaml:1:1: the file has 10000000 bytes, the most allowed is 1048576
latin.yaml:2:9: the byte 0xfc stands here: a state file is text in UTF-8
wide.yaml:1:1: the byte 0xff stands here: a state file is text in UTF-8";
    assert_eq!(outcome(folder.path()), expected);
}

#[test]
fn a_link_to_a_file_is_followed_and_any_other_is_refused() {
    let elsewhere = folder(&[("real.yaml", &garden("real"))]);
    let folder = folder(&[
        ("a.yaml", &garden("a")),
        ("folder.yaml/b.yaml", &garden("b")),
    ]);
    let link = |target: &Path, name: &str| {
        symlink(target, folder.path().join(name)).expect("a link can be made");
    };
    link(&elsewhere.path().join("real.yaml"), "linked.yaml");
    assert_eq!(outcome(folder.path()), "Garden/a\nGarden/b\nGarden/real");

    link(Path::new("."), "here");
    link(Path::new("nowhere"), "dangling.yaml");
    link(Path::new("self"), "self");
    link(elsewhere.path(), "elsewhere");
    link(Path::new("/dev/zero"), "zero.yaml");
    let expected = "\
dangling.yaml:1:1: the link leads nowhere: No such file or directory (os error 2)
elsewhere:1:1: links to folders are not followed: put the files themselves here
here:1:1: links to folders are not followed: put the files themselves here
self:1:1: the link leads nowhere: Too many levels of symbolic links (os error 40)
zero.yaml:1:1: this is no regular file";
    assert_eq!(outcome(folder.path()), expected);
}

#[test]
fn a_folder_as_kubernetes_mounts_it_is_read_once() {
    let folder = folder(&[("..2026_11_21/a.yaml", &garden("a"))]);
    symlink("..2026_11_21", folder.path().join("..data")).expect("a link can be made");
    symlink("..data/a.yaml", folder.path().join("a.yaml")).expect("a link can be made");
    assert_eq!(outcome(folder.path()), "Garden/a");
}

#[test]
fn a_folder_that_is_missing_or_a_file_is_told() {
    let folder = folder(&[("a.yaml", b"")]);
    let missing = folder.path().join("missing");
    let expected = format!("{}:1:1: there is no such folder", missing.display());
    assert_eq!(outcome(&missing), expected);
    let file = folder.path().join("a.yaml");
    let expected = format!(
        "{}:1:1: the folder cannot be read: Not a directory (os error 20)",
        file.display()
    );
    assert_eq!(outcome(&file), expected);
}

#[test]
fn a_file_that_lies_in_a_thousand_others_is_found_and_too_many_are_refused() {
    let folder = folder(&[("z.yaml", &garden("z"))]);
    for number in 0..1_000 {
        fs::write(folder.path().join(format!("{number}.txt")), "").expect("a file can be written");
    }
    assert_eq!(outcome(folder.path()), "Garden/z");
    for number in 1_000..10_001 {
        fs::write(folder.path().join(format!("{number}.txt")), "").expect("a file can be written");
    }
    let said = outcome(folder.path());
    assert!(
        said.contains("more than 10000 files lie below: is this the state folder?"),
        "{said}"
    );
}
