//! `status`: what the last pass said.

use std::fmt::Write;

use serde_json::json;

use crate::report::{escape, printable};
use crate::store::record::{Entry, Record};

use super::arguments::{Form, Global, Selection};
use super::output::{self, Failure, Output};
use super::settings;
use crate::ids::ResourceId;

pub(super) fn status(
    global: &Global,
    selection: &Selection,
    output: Output,
) -> Result<u8, Failure> {
    let folder = settings::status_folder(global);
    let record = Record::read(&folder);
    let selected = selection.parse()?;
    let found: Vec<(&ResourceId, &Entry)> = record
        .resources
        .iter()
        .filter(|(id, _)| selected.accepts(id))
        .collect();
    let (Some(passed_at), false) = (record.passed_at, found.is_empty()) else {
        let what = format!(
            "was seen by a pass that kept its status in {}",
            folder.display()
        );
        return Err(Failure::new(1, &selected.found_nothing(&what)));
    };
    match output.form {
        Form::Json => {
            let resource = |(id, entry): &(&ResourceId, &Entry)| json!({"kind": id.kind, "name": id.name, "conditions": entry.conditions});
            let resources: Vec<_> = found.iter().map(resource).collect();
            output::print_json(
                &json!({"formatVersion": 1, "passedAt": passed_at, "resources": resources}),
            );
        }
        Form::Text => output::print(&table(&found)),
        Form::Markdown => output::print(&markdown(&found)),
    }
    Ok(0)
}

/// For a terminal that is too narrow for a table: a line for each resource and each condition.
fn stacked(rows: &[[String; 5]], messages: &[String]) -> String {
    let mut text = String::new();
    let mut before = "";
    for ([resource, condition, status, reason, since], message) in rows.iter().zip(messages) {
        if resource != before {
            let _ = writeln!(text, "{resource}");
        }
        before = resource;
        let _ = writeln!(text, "  {condition}: {status}, {reason}\n    since {since}");
        if !message.is_empty() {
            let _ = writeln!(text, "    {message}");
        }
    }
    text
}

fn markdown(found: &[(&ResourceId, &Entry)]) -> String {
    let mut text = String::from(
        "| resource | condition | status | reason | since | message |\n|---|---|---|---|---|---|\n",
    );
    for (id, entry) in found {
        for it in &entry.conditions {
            let status = format!("{:?}", it.status);
            let since = it.since.to_string();
            let cells = [
                &id.to_string(),
                &it.kind,
                &status,
                &it.reason,
                &since,
                &it.message,
            ];
            let _ = writeln!(text, "| {} |", cells.map(|it| escape(it)).join(" | "));
        }
    }
    text
}

fn table(found: &[(&ResourceId, &Entry)]) -> String {
    let row = |cells: [&str; 5]| cells.map(str::to_owned);
    let mut rows = vec![row(["RESOURCE", "CONDITION", "STATUS", "REASON", "SINCE"])];
    let mut messages = vec![String::from("MESSAGE")];
    for (id, entry) in found {
        for condition in &entry.conditions {
            let since = condition.since.to_string();
            let status = format!("{:?}", condition.status);
            rows.push(row([
                &id.to_string(),
                &condition.kind,
                &status,
                &condition.reason,
                &since,
            ]));
            let first = condition.message.lines().next();
            messages.push(printable(first.unwrap_or_default()));
        }
    }
    let width = |column: usize| {
        rows.iter()
            .map(|it| it[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..5).map(width).collect();
    let is_narrow = output::columns().is_some_and(|it| it < widths.iter().sum::<usize>() + 10);
    if is_narrow {
        return stacked(&rows[1..], &messages[1..]);
    }
    let line = |(row, message): (&[String; 5], &String)| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("{}  {message}", cells.join("  "))
            .trim_end()
            .to_owned()
            + "\n"
    };
    rows.iter().zip(&messages).map(line).collect()
}
