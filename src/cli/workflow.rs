//! Inside a GitHub workflow: its summary, its outputs, its annotations, and what a pull request may not do.
//!
//! Source: GitHub documentation, "Workflow commands for GitHub Actions" and "Variables reference".

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::engine::Inventory;
use crate::kind::Kind;
use crate::kinds::machine_image::MachineImage;
use crate::report::{Outcome, Report, State};
use crate::resource::Finding;

use super::arguments::Global;
use super::output::{self, Failure};
use super::settings;

/// How many bytes the summary of a step may have.
const SUMMARY_BYTES_MAX: usize = 1 << 20;
/// How many annotations of one sort a step shows.
const ANNOTATIONS_MAX: usize = 10;

/// A mark beside a line of a file.
struct Annotation {
    file: String,
    line: usize,
    column: Option<usize>,
    title: String,
    message: String,
}

fn is_here() -> bool {
    settings::variable("GITHUB_ACTIONS").as_deref() == Some("true")
}

/// Refuses to change anything for a pull request: what it declares was not agreed on.
pub(super) fn refuse_to_apply(global: &Global) -> Result<(), Failure> {
    let event = settings::variable("GITHUB_EVENT_NAME").unwrap_or_default();
    if global.simulate.is_some() || !is_here() || !event.starts_with("pull_request") {
        return Ok(());
    }
    Err(Failure::unfit(&format!(
        "nothing is applied on the event {event}: anybody can write the files of a pull request\n  hint: show what would be done with `reconcile plan`, and apply on a push or a schedule"
    )))
}

/// Marks what is wrong with the state files.
pub(super) fn annotate(findings: &[Finding]) {
    if !is_here() {
        return;
    }
    let annotation = |it: &Finding| Annotation {
        file: it.file.clone(),
        line: it.line,
        column: Some(it.column),
        title: "invalid state file".to_owned(),
        message: it.message.clone(),
    };
    print(findings.iter().map(annotation));
}

/// Tells the workflow what a run or a plan came to. On failure says what could not be written; all else was.
pub(super) fn tell(inventory: &Inventory, report: &Report) -> Result<(), String> {
    if !is_here() {
        return Ok(());
    }
    print(annotations(inventory, report).into_iter());
    let summary = append("GITHUB_STEP_SUMMARY", &summary(report));
    let outputs = outputs(report).and_then(|it| append("GITHUB_OUTPUT", &it));
    summary.and(outputs)
}

fn summary(report: &Report) -> String {
    let title = "### reconcile\n\n";
    let room = SUMMARY_BYTES_MAX - title.len() - 1;
    format!("{title}{}\n", report.to_markdown_within(room))
}

/// What later steps may read: values go between delimiters that nobody can guess.
fn outputs(report: &Report) -> Result<String, String> {
    let is_change = |it: &Outcome| matches!(it, Outcome::Planned | Outcome::Done);
    let is_changed = report.actions.iter().any(|it| is_change(&it.result));
    let mut outputs = vec![
        ("changed".to_owned(), is_changed.to_string()),
        ("converged".to_owned(), report.is_converged().to_string()),
    ];
    let lines = report.resources.iter();
    for (id, resource) in lines.filter(|(id, _)| id.kind == MachineImage::NAME) {
        // Names have no underscores, so no two of them become one.
        let name = id.name.replace('-', "_");
        let images = resource.outputs.iter();
        outputs
            .extend(images.map(|(arch, image)| (format!("image_id_{name}_{arch}"), image.clone())));
    }
    let mut text = String::new();
    for (name, value) in outputs {
        let random =
            || getrandom::u64().map_err(|it| format!("the machine has no random numbers: {it}"));
        let delimiter = format!("end_{:016x}{:016x}", random()?, random()?);
        let _ = write!(text, "{name}<<{delimiter}\n{value}\n{delimiter}\n");
    }
    Ok(text)
}

/// Adds to a file of the workflow; where it names none, nothing is written.
pub(super) fn append(variable: &str, text: &str) -> Result<(), String> {
    let Some(file) = settings::variable(variable) else {
        return Ok(());
    };
    let written = File::options().append(true).create(true).open(&file);
    let written: io::Result<()> = written.and_then(|mut it| it.write_all(text.as_bytes()));
    written.map_err(|error| format!("cannot write ${variable} ({file}): {error}"))
}

/// One for each action that failed or was refused, and for each resource that is not well, at the line that asks for it.
fn annotations(inventory: &Inventory, report: &Report) -> Vec<Annotation> {
    let place = |id: &crate::ids::ResourceId| {
        let source = inventory.resources.get(id)?.source();
        Some((source.file.to_string(), source.line("metadata.name").0))
    };
    let mut annotations = Vec::new();
    for action in &report.actions {
        let message = match &action.result {
            Outcome::Failed(fault) => fault.to_string(),
            Outcome::Refused(why) => why.clone(),
            Outcome::Planned | Outcome::Done | Outcome::AlreadyDone | Outcome::Stale(_) => continue,
        };
        let at = action.cause.at.clone().or_else(|| place(&action.resource));
        let Some((file, line)) = at else { continue };
        annotations.push(Annotation {
            file,
            line,
            column: None,
            title: action.resource.to_string(),
            message: format!("{}: {message}", action.summary),
        });
    }
    for (id, resource) in &report.resources {
        let is_told = match resource.state {
            State::Stalled | State::FactUnknown | State::Unseen(_) => true,
            // What was refused stands with its actions.
            State::Ready | State::Working | State::Suspended | State::Refused => false,
        };
        let (true, Some((file, line)), Some(ready)) = (is_told, place(id), resource.ready()) else {
            continue;
        };
        annotations.push(Annotation {
            file,
            line,
            column: None,
            title: format!("{id} {}", ready.reason),
            message: ready.message.clone(),
        });
    }
    annotations
}

/// Commands go to stderr, as all that is no data: the runner reads both.
fn print(annotations: impl Iterator<Item = Annotation>) {
    let workspace = settings::variable("GITHUB_WORKSPACE").map(PathBuf::from);
    for annotation in annotations.take(ANNOTATIONS_MAX) {
        output::complain(&command(&annotation, workspace.as_deref()));
    }
}

fn command(annotation: &Annotation, workspace: Option<&Path>) -> String {
    let file = Path::new(&annotation.file);
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let inside = workspace.and_then(|it| absolute.strip_prefix(it).ok());
    let file = property(&inside.unwrap_or(file).to_string_lossy());
    let line = annotation.line;
    let column = annotation
        .column
        .map_or(String::new(), |it| format!(",col={it}"));
    let title = property(&annotation.title);
    let message = data(&annotation.message);
    format!("::error file={file},line={line}{column},title={title}::{message}")
}

fn data(text: &str) -> String {
    let text = text.replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_line_whatever_is_in_it() {
        let annotation = Annotation {
            file: "/w/state/a,b:c.yaml".to_owned(),
            line: 7,
            column: Some(3),
            title: "100 %".to_owned(),
            message: "one\n::error::two".to_owned(),
        };
        assert_eq!(
            command(&annotation, Some(Path::new("/w"))),
            "::error file=state/a%2Cb%3Ac.yaml,line=7,col=3,title=100 %25::one%0A::error::two"
        );
    }
}
