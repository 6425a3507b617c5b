//! The house rules that a machine can check: who imports whom, words, sizes, doc comments, and incidents with their tests.

mod incidents;
mod layers;
mod source;
mod words;

use std::fs;
use std::path::Path;

use source::{File, Function, files};

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
