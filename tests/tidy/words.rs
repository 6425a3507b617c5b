//! Words that stand in one file alone, nowhere, or in no planner.

use super::source::files;
use super::{each, report};

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
