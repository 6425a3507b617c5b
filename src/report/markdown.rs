//! The Markdown form of a report, for the summary of a workflow or a comment: the same facts, as tables.

use std::fmt::Write;

use crate::status::Truth;

use super::text::{cause, printable};
use super::{Action, Outcome, Report};

/// How long a report is that is not to be cut.
const UNCUT: usize = usize::MAX;

impl Report {
    /// The whole report.
    pub fn to_markdown(&self) -> String {
        self.to_markdown_within(UNCUT)
    }

    /// The report in at most so many bytes; rows that have no room are counted.
    pub fn to_markdown_within(&self, bytes_max: usize) -> String {
        let mut page = Page {
            text: format!("**{}**\n", escape(&self.sum())),
            // Every table may have to say how much of it is missing.
            room: bytes_max.saturating_sub(4 * MORE_BYTES),
        };
        let actions = self.actions.iter().map(row);
        let head = ["", "resource", "object", "change", "cause", "result"];
        page.table("", head, actions);
        let unknown = self.unknown.iter().map(|(id, it)| {
            [
                "?".to_owned(),
                id.to_string(),
                it.object.clone(),
                it.reason.clone(),
            ]
        });
        page.table("Unknown", ["", "resource", "object", "reason"], unknown);
        let conditions = self.resources.iter().flat_map(|(id, resource)| {
            let is_told =
                |it: &&crate::status::Condition| it.kind != "Ready" || it.status != Truth::True;
            let conditions = resource.conditions.iter().filter(is_told);
            conditions.map(move |it| {
                let status = format!("{:?}", it.status);
                let message = it.message.clone();
                [
                    id.to_string(),
                    it.kind.clone(),
                    status,
                    it.reason.clone(),
                    message,
                ]
            })
        });
        let head = ["resource", "condition", "status", "reason", "message"];
        page.table("Conditions", head, conditions);
        let unmanaged = self.unmanaged.iter().map(|it| {
            let object = it.object.clone();
            [
                it.kind.to_owned(),
                object,
                it.name.clone(),
                it.reason.clone(),
            ]
        });
        page.table(
            "Left alone",
            ["kind", "object", "name", "reason"],
            unmanaged,
        );
        page.text
    }
}

fn row(action: &Action) -> [String; 6] {
    let symbol = action.symbol();
    let why = match &action.result {
        Outcome::Planned | Outcome::Done | Outcome::AlreadyDone => String::new(),
        Outcome::Stale(why) | Outcome::Refused(why) => format!(": {why}"),
        Outcome::Failed(fault) => format!(": {fault}"),
    };
    [
        symbol.to_string(),
        action.resource.to_string(),
        action.object.clone().unwrap_or_else(|| "(new)".to_owned()),
        action.summary.clone(),
        cause(action),
        format!("{}{why}", action.result.word()),
    ]
}

/// How many bytes the line takes that says how much is missing.
const MORE_BYTES: usize = 64;

struct Page {
    text: String,
    room: usize,
}

impl Page {
    /// A table, unless it has no rows.
    fn table<const N: usize>(
        &mut self,
        title: &str,
        head: [&str; N],
        rows: impl Iterator<Item = [String; N]>,
    ) {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return;
        }
        let title = if title.is_empty() {
            String::new()
        } else {
            format!("**{title}**\n\n")
        };
        let head = head.map(str::to_owned);
        let begin = format!("\n{title}{}|{}\n", line(&head), "---|".repeat(N));
        if self.text.len() + begin.len() > self.room {
            let count = rows.count();
            let _ = write!(self.text, "\n… and {count} more\n");
            return;
        }
        self.text.push_str(&begin);
        let mut missing = 0_usize;
        for row in rows {
            let line = line(&row.map(|it| escape(&it)));
            if missing > 0 || self.text.len() + line.len() > self.room {
                missing += 1;
            } else {
                self.text.push_str(&line);
            }
        }
        if missing > 0 {
            let _ = write!(self.text, "\n… and {missing} more\n");
        }
    }
}

fn line<const N: usize>(cells: &[String; N]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// A text as one cell: names come from the outside, and must be no markup.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for character in printable(&lines.join(" ")).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '@' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_stays_in_its_cell() {
        assert_eq!(
            escape("a|b\n<img src=x> [x](y) `c`"),
            "a\\|b &lt;img src=x&gt; \\[x\\](y) \\`c\\`"
        );
    }

    #[test]
    fn rows_without_room_are_counted() {
        let mut page = Page {
            text: String::new(),
            room: 60,
        };
        let rows = (0..9).map(|it| [format!("row {it}"), String::new()]);
        page.table("", ["one", "two"], rows);
        assert!(
            page.text.contains("| row 0 |") && page.text.ends_with("… and 7 more\n"),
            "{}",
            page.text
        );
    }
}
