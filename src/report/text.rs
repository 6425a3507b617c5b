//! The text form of a report: one line an action, that a person can read and `grep` can find.

use std::fmt::Write;

use crate::ids::ResourceId;
use crate::plan::{UnknownObject, Verb};
use crate::status::Truth;

use super::{Action, Outcome, Report, Resource, State};

/// Whether text is coloured; it reads the same without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without any escape.
    Plain,
    /// With the colours of a terminal.
    Coloured,
}

impl Style {
    fn paint(self, symbol: char, text: &str) -> String {
        let colour = match symbol {
            '+' => 32,
            '~' => 33,
            '-' => 31,
            '!' => 35,
            _ => 36,
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
        }
    }
}

/// A text as one line that can do nothing to a terminal or to who reads it: names and tags come from the outside, and
/// may hold line breaks, escapes, and marks that turn the direction of writing.
pub fn printable(text: &str) -> String {
    let turns = |it: char| matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_harmful =
        |it: &char| it.is_control() || turns(*it) || ['\u{2028}', '\u{2029}'].contains(it);
    let shown = |it: char| {
        if is_harmful(&it) {
            char::REPLACEMENT_CHARACTER
        } else {
            it
        }
    };
    text.chars().map(shown).collect()
}

/// A message whose further lines belong to the first.
fn indented(message: &str) -> String {
    let lines: Vec<String> = message.lines().map(printable).collect();
    lines.join("\n    ")
}

impl Report {
    /// The lines of one pass; empty when it had no action.
    pub fn pass_text(&self, pass: u32, style: Style) -> String {
        let mut text = String::new();
        for action in self.actions.iter().filter(|it| it.pass == pass) {
            text.push_str(&line(action, style));
        }
        text
    }

    /// Everything that is to be said at the end: what is unknown, left alone and not as declared, waits, and the sum.
    pub fn closing_text(&self, style: Style) -> String {
        let mut text = String::new();
        for (resource, unknown) in &self.unknown {
            let line = unknown_line(resource, unknown);
            let _ = writeln!(text, "{}", style.paint('?', &line));
        }
        for line in self.left_alone() {
            let _ = writeln!(text, "{line}");
        }
        for (id, resource) in &self.resources {
            for remark in self.remarks(resource) {
                let _ = writeln!(text, "  {id}  {remark}");
            }
        }
        for line in self.rent_lines() {
            let _ = writeln!(text, "  {line}");
        }
        for (reason, seconds) in self.calls.waited_for() {
            let _ = writeln!(text, "  waited {seconds} s for {reason}");
        }
        let _ = writeln!(text, "{}", self.sum());
        text
    }

    /// A line for each object that was seen and left alone.
    pub fn left_alone(&self) -> impl Iterator<Item = String> {
        self.unmanaged.iter().map(|it| {
            let (kind, object, name, reason) = (it.kind, &it.object, &it.name, &it.reason);
            printable(&format!("  left alone: {kind} {object}  {name}  {reason}"))
        })
    }

    /// What a person must know of each resource beyond its actions; nothing of one that is as declared.
    pub fn remarks_by_resource(&self) -> impl Iterator<Item = (&ResourceId, Vec<String>)> {
        self.resources.iter().map(|(id, resource)| {
            let mine = self.unknown.iter().filter(move |(of, _)| of == id);
            let unknown = mine.map(|(of, it)| unknown_line(of, it));
            (
                id,
                self.remarks(resource).into_iter().chain(unknown).collect(),
            )
        })
    }

    /// What a person must know of a resource beyond its actions.
    fn remarks(&self, resource: &Resource) -> Vec<String> {
        let mut remarks = Vec::new();
        // What a plan leaves to do are the lines above.
        let is_said = |reason: &str| !self.applied && reason == "ActionsPlanned";
        let ready = resource.ready();
        let ready = ready.filter(|it| it.status != Truth::True && !is_said(&it.reason));
        if let Some(ready) = ready {
            let word = match resource.state {
                State::Ready => "ready",
                State::Working => "on its way",
                State::Suspended => "suspended",
                State::Stalled => "stalled",
                State::Refused => "refused",
                State::FactUnknown | State::Unseen(_) => "unknown",
            };
            remarks.push(format!(
                "{word}: {}: {}",
                ready.reason,
                indented(&ready.message)
            ));
        }
        let other =
            |it: &crate::status::Condition| format!("{}: {}", it.kind, indented(&it.message));
        remarks.extend(resource.others().map(other));
        remarks
    }

    /// The last line: how much of everything.
    pub(super) fn sum(&self) -> String {
        let calls = self.calls.total();
        let resources = self.resources.len();
        if self.actions.is_empty() && self.unknown.is_empty() {
            let (converged, end) = match (self.is_converged(), self.ran_out) {
                (true, _) => ("No changes.", ""),
                (false, false) => ("No changes, but not everything is as declared.", ""),
                (false, true) => (
                    "No changes, but not everything is as declared.",
                    " The time ran out.",
                ),
            };
            let resources = count(resources, "resource");
            return format!("{converged} {resources}, {calls} calls.{end}");
        }
        let is_counted: fn(&Outcome) -> bool = if self.applied {
            |it| matches!(it, Outcome::Done | Outcome::AlreadyDone)
        } else {
            |it| matches!(it, Outcome::Planned)
        };
        let of = |verb| self.count(verb, is_counted);
        let all = |is: fn(&Outcome) -> bool| {
            [Verb::Create, Verb::Update, Verb::Delete]
                .iter()
                .map(|it| self.count(*it, is))
                .sum::<usize>()
        };
        let refused = all(|it| matches!(it, Outcome::Refused(_)));
        // A resource that could not be looked at counts as one object: nobody knows how many it has.
        let is_unseen = |it: &&Resource| matches!(it.state, State::Unseen(_));
        let unseen = self.resources.values().filter(is_unseen).count();
        let unknown = self.unknown.len() + unseen;
        let (create, change, delete) = (of(Verb::Create), of(Verb::Update), of(Verb::Delete));
        if !self.applied {
            return format!(
                "Plan: {create} to create, {change} to change, {delete} to delete, {refused} refused, {unknown} unknown. {calls} calls so far."
            );
        }
        let failed = all(|it| matches!(it, Outcome::Failed(_)));
        let end = match (self.is_converged(), self.ran_out) {
            (true, _) => "Everything is as declared.",
            (false, true) => "The time ran out before everything was as declared.",
            (false, false) => "Not everything is as declared yet.",
        };
        format!(
            "Done: {create} created, {change} changed, {delete} deleted, {failed} failed, {refused} refused, {unknown} unknown. {}, {calls} calls. {end}",
            count(resources, "resource")
        )
    }
}

fn unknown_line(resource: &ResourceId, unknown: &UnknownObject) -> String {
    let object = printable(&unknown.object);
    format!("? {resource}  {object}  {}", indented(&unknown.reason))
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

fn line(action: &Action, style: Style) -> String {
    let symbol = action.symbol();
    let object = action.object.as_deref().unwrap_or("(new)");
    let cause = cause(action);
    let text = format!(
        "{symbol} {}  {object}  {}   [{cause}]",
        action.resource, action.summary
    );
    let mut text = style.paint(symbol, &printable(&text));
    match &action.result {
        Outcome::Planned | Outcome::Done => {}
        Outcome::AlreadyDone => text.push_str("  already done"),
        Outcome::Stale(why) => {
            let _ = write!(text, "  stale: {}", printable(why));
        }
        Outcome::Failed(fault) => {
            let _ = write!(text, "\n    {}", indented(&fault.to_string()));
        }
        Outcome::Refused(why) => {
            let _ = write!(text, "\n    {}", printable(why));
        }
    }
    text.push('\n');
    text
}

pub(super) fn cause(action: &Action) -> String {
    let cause = &action.cause;
    match (&cause.at, cause.detail.as_str()) {
        (Some((file, line)), _) => format!("{file}:{line}"),
        (None, "") => cause.kind.to_owned(),
        (None, detail) => format!("{}: {detail}", cause.kind),
    }
}
