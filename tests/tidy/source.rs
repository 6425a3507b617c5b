//! Source files as the house rules look at them. The code is formatted by rustfmt, which makes reading it easy.

use std::fs;
use std::path::Path;

/// One source file.
#[derive(Debug)]
pub(super) struct File {
    /// From the project's root, with `/`.
    pub(super) path: String,
    /// The top module that it belongs to.
    pub(super) module: String,
    /// All of it.
    pub(super) text: String,
}

/// One function.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    /// Where it begins.
    pub(super) line: usize,
    /// From its first line to its last.
    pub(super) lines: usize,
    /// Without `self`.
    pub(super) parameters: usize,
}

/// All Rust files below a folder, by path.
pub(super) fn files(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a source folder can be read") {
            let path = entry.expect("a source folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let name = path
                    .strip_prefix(root)
                    .expect("it is below the root")
                    .to_string_lossy()
                    .into_owned();
                let module = name
                    .split('/')
                    .nth(1)
                    .unwrap_or_default()
                    .trim_end_matches(".rs")
                    .to_owned();
                let text = fs::read_to_string(&path).expect("a source file is text");
                found.push(File {
                    path: name,
                    module,
                    text,
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

impl File {
    /// Numbered lines of code: no comments, no blank lines, nothing from the tests at the end on.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self
            .text
            .lines()
            .enumerate()
            .map(|(number, line)| (number + 1, line));
        let lines = lines.take_while(|(_, line)| *line != "#[cfg(test)]");
        lines.filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
    }

    /// The functions outside of the tests.
    pub(super) fn functions(&self) -> Vec<Function> {
        let lines: Vec<(usize, &str)> = self.code().collect();
        let begins = |line: &str| {
            let start = line.trim_start();
            [
                "fn ",
                "pub fn ",
                "async fn ",
                "pub async fn ",
                "const fn ",
                "pub const fn ",
                "pub(super) fn ",
                "pub(super) async fn ",
                "pub(crate) fn ",
                "pub(crate) async fn ",
            ]
            .iter()
            .any(|it| start.starts_with(it))
        };
        let function = |(index, (number, line)): (usize, &(usize, &str))| {
            let indent = line.len() - line.trim_start().len();
            let is_end = |(_, other): &&(usize, &str)| {
                other.len() - other.trim_start().len() == indent
                    && (other.trim() == "}"
                        || other.ends_with(';')
                        || other.ends_with('}') && *other == *line)
            };
            let end = lines[index..]
                .iter()
                .find(is_end)
                .map_or(*number, |(end, _)| *end);
            let head: String = lines[index..]
                .iter()
                .map(|(_, it)| *it)
                .take_while(|it| it.trim() != "}")
                .collect();
            Function {
                name: name(line),
                line: *number,
                lines: end - number + 1,
                parameters: parameters(&head),
            }
        };
        lines
            .iter()
            .enumerate()
            .filter(|(_, (_, line))| begins(line))
            .map(function)
            .collect()
    }
}

fn name(line: &str) -> String {
    let after = line.split("fn ").nth(1).unwrap_or_default();
    after
        .chars()
        .take_while(|it| it.is_alphanumeric() || *it == '_')
        .collect()
}

/// How many parameters stand in the first parentheses, without `self`.
fn parameters(head: &str) -> usize {
    let after = head.split("fn ").nth(1).unwrap_or_default();
    // Generic parameters may hold parentheses of their own.
    let mut angle = 0_i32;
    let mut previous = ' ';
    let open = after.find(|it: char| {
        match it {
            '<' => angle += 1,
            '>' if previous != '-' => angle -= 1,
            _ => {}
        }
        previous = it;
        it == '(' && angle == 0
    });
    let mut depth = 0_i32;
    let mut count = 0;
    let mut current = String::new();
    let mut previous = ' ';
    for it in after[open.unwrap_or_default()..].chars() {
        match it {
            '(' | '[' | '<' | '{' => depth += 1,
            '>' if previous == '-' => {}
            ')' | ']' | '>' | '}' => depth -= 1,
            _ => {}
        }
        previous = it;
        if depth == 0 || (it == ',' && depth == 1) {
            let parameter = current.trim_start_matches('(').trim();
            let is_self = parameter
                .trim_start_matches(['&', ' '])
                .trim_start_matches("mut ")
                .split(':')
                .next()
                == Some("self");
            count += usize::from(!parameter.is_empty() && !is_self);
            current.clear();
            if depth == 0 {
                break;
            }
        } else {
            current.push(it);
        }
    }
    count
}

#[test]
fn counts_parameters_without_self() {
    let count = |head| parameters(head);
    assert_eq!(count("fn a() {"), 0);
    assert_eq!(
        count("    fn a(&mut self, b: &[u8], c: BTreeMap<K, V>) -> X {"),
        2
    );
    assert_eq!(
        count("fn a<T: Fn(A, B) -> C>(f: T, g: impl Fn(A, B), (x, y): (u8, u8)) {"),
        3
    );
    assert_eq!(count("fn a(    run: &Run<'_>,    state: &mut State,)"), 2);
}
