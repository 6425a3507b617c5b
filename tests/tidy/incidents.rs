//! The list of incidents names each with the file that tests it; every one of them is in the name of a test there.

use std::fs;

use super::report;

const LIST: &str = "tests/incidents/mod.rs";
/// What the list's rows begin with.
const HEAD: &str = "//! | tested in | ids |";

/// The rows of the list: a file and the ids that it tests.
fn rows(list: &str) -> Vec<(&str, Vec<&str>)> {
    let rows = list.lines().skip_while(|it| *it != HEAD).skip(2);
    let rows = rows.map_while(|it| {
        it.strip_prefix("//! | ")?
            .strip_suffix(" |")?
            .split_once(" | ")
    });
    rows.map(|(file, ids)| (file, ids.split(' ').collect()))
        .collect()
}

/// The names of the tests of a file.
fn tests(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).filter(|it| it[0] == "#[test]");
    let names = tests.filter_map(|it| it[1].strip_prefix("fn ")?.split('(').next());
    names.collect()
}

/// Whether a name has an id in it, from one word to another.
fn names(test: &str, id: &str) -> bool {
    format!("_{test}_").contains(&format!("_{}_", id.to_lowercase()))
}

#[test]
fn every_incident_that_is_listed_has_a_test_named_after_it() {
    let list = fs::read_to_string(LIST).expect("the list is there");
    let rows = rows(&list);
    let mut findings = Vec::new();
    for (file, ids) in &rows {
        let text = fs::read_to_string(format!("tests/incidents/{file}"));
        let text = text.unwrap_or_else(|fault| panic!("{file}: {fault}"));
        let tests = tests(&text);
        let untested = ids
            .iter()
            .filter(|id| !tests.iter().any(|it| names(it, id)));
        findings
            .extend(untested.map(|id| format!("{LIST}: no test in {file} is named after {id}")));
    }
    let count: usize = rows.iter().map(|(_, ids)| ids.len()).sum();
    assert!(count > 80, "only {count} incidents were found");
    report(&findings);
}

#[test]
fn an_id_is_found_as_a_whole_and_where_a_test_is() {
    let text = "#[test]\nfn snok_43_w3_parts_stay() {}\nfn snok_97_helps() {}";
    let found = |id: &str| tests(text).iter().any(|it| names(it, id));
    assert!(found("snok_43") && found("W3"));
    assert!(!found("snok_4") && !found("W30") && !found("snok_97"));
}
