//! Who imports whom, and how kinds are wired up.

use std::collections::BTreeMap;
use std::fs;

use super::each;
use super::source::files;

const LAYER_0: &[&str] = &["ids", "clock", "fault", "fact", "plan"];
const LAYER_1: &[&str] = &["resource", "retry", "status"];
const LAYER_2: &[&str] = &["providers", "store", "report"];
const KINDS: &[&str] = &["kind", "kinds"];
const ALL: &[&[&str]] = &[LAYER_0, LAYER_1, LAYER_2, KINDS, &["engine", "sim", "cli"]];

/// What each top module may import besides itself. The order of the rows is that of the layers.
const MAY_IMPORT: &[(&str, &[&[&str]])] = &[
    ("ids", &[]),
    ("clock", &[]),
    ("fault", &[&["clock"]]),
    ("fact", &[&["clock", "fault"]]),
    ("plan", &[&["clock", "fault", "ids"]]),
    ("resource", &[LAYER_0]),
    ("retry", &[LAYER_0]),
    ("status", &[LAYER_0]),
    ("sim", &[LAYER_0]),
    ("providers", &[LAYER_0, LAYER_1]),
    ("store", &[LAYER_0, LAYER_1]),
    ("report", &[LAYER_0, LAYER_1]),
    ("kind", &[LAYER_0, LAYER_1, LAYER_2]),
    ("kinds", &[LAYER_0, LAYER_1, LAYER_2, &["kind"]]),
    ("engine", &[LAYER_0, LAYER_1, LAYER_2, KINDS]),
    ("cli", ALL),
    ("lib", ALL),
    ("main", &[&["cli"]]),
];

#[test]
fn modules_import_from_their_own_layer_and_those_above_it() {
    let table: BTreeMap<&str, &[&[&str]]> = MAY_IMPORT.iter().copied().collect();
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
                    && !allowed.iter().any(|it| it.contains(&name.as_str()))
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
