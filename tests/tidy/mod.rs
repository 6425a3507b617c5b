//! The house rules that a machine can check: who imports whom, sizes, words, doc comments.

mod incidents;
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use source::{File, Function, files};

/// What each top module may import besides itself. The order of the rows is that of the layers.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("ids", &[]),
    ("clock", &[]),
    ("fault", &["clock"]),
    ("fact", &["clock", "fault"]),
    ("plan", &["clock", "fault", "ids"]),
    ("resource", LAYER_0),
    ("retry", LAYER_0),
    ("status", LAYER_0),
    ("sim", LAYER_0),
    ("providers", LAYERS_0_1),
    ("store", LAYERS_0_1),
    ("report", LAYERS_0_1),
    ("kind", LAYERS_0_2),
    ("kinds", KINDS),
    ("engine", ENGINE),
    ("cli", ALL),
    ("lib", ALL),
    ("main", &["cli"]),
];
const LAYER_0: &[&str] = &["ids", "clock", "fault", "fact", "plan"];
const LAYERS_0_1: &[&str] = &[
    "ids", "clock", "fault", "fact", "plan", "resource", "retry", "status",
];
const LAYERS_0_2: &[&str] = &[
    "ids",
    "clock",
    "fault",
    "fact",
    "plan",
    "resource",
    "retry",
    "status",
    "providers",
    "store",
    "report",
];
const KINDS: &[&str] = &[
    "ids",
    "clock",
    "fault",
    "fact",
    "plan",
    "resource",
    "retry",
    "status",
    "providers",
    "store",
    "report",
    "kind",
];
const ENGINE: &[&str] = &[
    "ids",
    "clock",
    "fault",
    "fact",
    "plan",
    "resource",
    "retry",
    "status",
    "providers",
    "store",
    "report",
    "kind",
    "kinds",
];
const ALL: &[&str] = &[
    "ids",
    "clock",
    "fault",
    "fact",
    "plan",
    "resource",
    "retry",
    "status",
    "providers",
    "store",
    "report",
    "kind",
    "kinds",
    "engine",
    "sim",
    "cli",
];

/// What may be written in one named file alone, and where that is.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("SystemTime::now", &["src/clock.rs"]),
    ("Instant::now", &["src/clock.rs"]),
    ("tokio::time::sleep", &["src/clock.rs"]),
    ("env::var", &["src/cli/settings.rs"]),
    ("io::stdout", &["src/cli/output.rs"]),
    ("io::stderr", &["src/cli/output.rs", "src/cli/telemetry.rs"]),
    ("serde_yaml::", &["src/resource.rs"]),
    ("backoff::", &["src/retry.rs"]),
    ("notify::", &["src/engine/watch.rs"]),
    ("prometheus_client::", &["src/cli/metrics.rs"]),
    (
        "read_to_its_end(",
        &[
            "src/fact.rs",
            "src/providers/aliyun/listing.rs",
            "src/providers/github/listing.rs",
            "src/providers/registry/tags.rs",
            "src/kinds/machine_image/seen/tests.rs",
        ],
    ),
];

/// What may be written nowhere.
const NOWHERE: &[&str] = &[
    ".unwrap()",
    "process::exit",
    "println!",
    "dbg!",
    "todo!",
    "unimplemented!",
    "thread::sleep",
    "spawn_blocking",
    "#[ignore",
    "FIXME",
    "#[allow(",
];

/// What a file named `plan.rs` may not know.
const IMPURE: &[&str] = &[
    "Clients",
    "SystemClock",
    "dyn Clock",
    "tracing",
    "std::fs",
    "std::io",
    "std::net",
    "random",
    ".await",
];

const LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 60;
const PARAMETERS_MAX: usize = 4;

/// Every finding at once, so that a person mends them in one go.
fn report(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

fn each(check: impl Fn(&File) -> Vec<String>) {
    let files = files("src");
    assert!(files.len() > 40, "the source was not found");
    report(&files.iter().flat_map(check).collect::<Vec<_>>());
}

#[test]
fn modules_import_from_their_own_layer_and_those_above_it() {
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    each(|file| {
        let Some(allowed) = table.get(file.module.as_str()) else {
            return vec![format!(
                "{}: the table knows no module {}",
                file.path, file.module
            )];
        };
        let is_signature =
            |line: &str| file.module == "sim" && line.contains("crate::providers::aliyun::sign");
        let mut findings = Vec::new();
        for (number, line) in file.code() {
            for part in line.split("crate::").skip(1) {
                let name: String = part
                    .chars()
                    .take_while(|it| it.is_alphanumeric() || *it == '_')
                    .collect();
                let is_module = table.contains_key(name.as_str());
                if is_module
                    && name != file.module
                    && !allowed.contains(&name.as_str())
                    && !is_signature(line)
                {
                    findings.push(format!(
                        "{}:{number}: {} must not import {name}",
                        file.path, file.module
                    ));
                }
            }
        }
        findings
    });
}

#[test]
fn kinds_are_wired_up_by_two_lines_each() {
    let wiring = fs::read_to_string("src/kinds/mod.rs").expect("src/kinds/mod.rs is there");
    let mut folders = 0;
    for entry in fs::read_dir("src/kinds").expect("src/kinds is there") {
        let entry = entry.expect("src/kinds can be read");
        if !entry.path().is_dir() {
            continue;
        }
        folders += 1;
        let name = entry.file_name().to_string_lossy().into_owned();
        let lines: Vec<&str> = wiring.lines().filter(|it| it.contains(&name)).collect();
        assert_eq!(lines.len(), 2, "{name} is wired up by {lines:?}");
        for path in files("src").iter().filter(|it| it.module == "engine") {
            let mentions = path.code().any(|(_, line)| line.contains(&name));
            assert!(!mentions, "{} knows the kind {name}", path.path);
        }
        for part in ["mod.rs", "spec.rs", "seen.rs", "plan.rs", "op.rs"] {
            assert!(entry.path().join(part).is_file(), "{name} has no {part}");
        }
    }
    assert!(folders >= 3, "only {folders} kinds were found");
}

#[test]
fn planners_are_pure() {
    each(|file| {
        if !file.path.ends_with("plan.rs") || !file.path.contains("/kinds/") {
            return Vec::new();
        }
        let found = |word: &&str| {
            file.code()
                .find(|(_, line)| line.contains(*word))
                .map(|(number, _)| number)
        };
        IMPURE
            .iter()
            .filter_map(|word| {
                Some(format!(
                    "{}:{}: a planner knows no `{word}`",
                    file.path,
                    found(word)?
                ))
            })
            .collect()
    });
}

#[test]
fn what_belongs_to_one_file_stands_in_that_file() {
    each(|file| {
        let mut findings = Vec::new();
        for (number, line) in file.code() {
            for (word, homes) in ONLY_IN {
                if line.contains(word) && !homes.contains(&file.path.as_str()) {
                    findings.push(format!(
                        "{}:{number}: `{word}` belongs to {}",
                        file.path,
                        homes.join(" and ")
                    ));
                }
            }
            for word in NOWHERE {
                if line.contains(word) {
                    findings.push(format!("{}:{number}: `{word}` belongs nowhere", file.path));
                }
            }
        }
        findings
    });
}

#[test]
fn tests_neither_sleep_nor_are_left_out() {
    let words = ["thread::sleep", "tokio::time::sleep", "#[ignore"];
    let mut findings = Vec::new();
    for file in files("tests")
        .iter()
        .filter(|it| !it.path.starts_with("tests/tidy/"))
    {
        for (number, line) in file.code() {
            let found = words.iter().filter(|it| line.contains(*it));
            findings.extend(found.map(|word| format!("{}:{number}: `{word}`", file.path)));
        }
    }
    report(&findings);
}

#[test]
fn every_file_says_what_lives_in_it() {
    for folder in ["src", "tests"] {
        let silent = |file: &File| !file.text.starts_with("//! ");
        let findings: Vec<String> = files(folder)
            .into_iter()
            .filter(silent)
            .map(|it| it.path)
            .collect();
        report(&findings);
    }
}

#[test]
fn every_public_item_has_a_doc_comment() {
    each(|file| {
        let starts = [
            "pub fn ",
            "pub async fn ",
            "pub const fn ",
            "pub struct ",
            "pub enum ",
            "pub trait ",
            "pub type ",
            "pub const ",
        ];
        let is_public = |line: &str| {
            !line.contains('$') && starts.iter().any(|it| line.trim_start().starts_with(it))
        };
        let lines: Vec<&str> = file.text.lines().collect();
        let is_documented = |number: usize| {
            let above = lines[..number].iter().rev();
            let mut above = above.skip_while(|it| {
                let it = it.trim_start();
                !it.starts_with("///")
                    && (it.starts_with("#[")
                        || it.ends_with(']')
                        || it.ends_with(',')
                        || it.starts_with(')'))
            });
            above
                .next()
                .is_some_and(|it| it.trim_start().starts_with("///"))
        };
        let undocumented = lines
            .iter()
            .enumerate()
            .filter(|(number, line)| is_public(line) && !is_documented(*number));
        undocumented
            .map(|(number, line)| format!("{}:{}: {}", file.path, number + 1, line.trim()))
            .collect()
    });
}

#[test]
fn files_and_functions_are_short() {
    each(|file| {
        let mut findings = Vec::new();
        let count = file.code().count();
        if count > LINES_MAX {
            findings.push(format!(
                "{}: {count} lines of code, at most {LINES_MAX}",
                file.path
            ));
        }
        for Function {
            name,
            line,
            lines,
            parameters,
        } in file.functions()
        {
            if lines > FUNCTION_LINES_MAX {
                findings.push(format!(
                    "{}:{line}: {name} has {lines} lines, at most {FUNCTION_LINES_MAX}",
                    file.path
                ));
            }
            if parameters > PARAMETERS_MAX {
                findings.push(format!(
                    "{}:{line}: {name} has {parameters} parameters, at most {PARAMETERS_MAX}",
                    file.path
                ));
            }
        }
        findings
    });
}

#[test]
fn only_what_was_agreed_on_stands_at_the_top() {
    let agreed = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "state",
        "tests",
        "deploy",
        "Dockerfile",
        "README.md",
        "LICENSE",
        "target",
    ];
    let top = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the project is there");
    let names = top.map(|it| {
        it.expect("the project can be read")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    let others: Vec<String> = names
        .filter(|it| !it.starts_with('.') && !agreed.contains(&it.as_str()))
        .collect();
    report(&others);
}
