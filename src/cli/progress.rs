//! What a run prints while it goes on: everything once, and on a terminal bars below, which come and go.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::report::Report;

use super::arguments::{Form, Global};
use super::output::{self, Output};

/// What was printed of a run.
#[derive(Debug)]
pub(super) struct Progress {
    output: Output,
    said: BTreeSet<String>,
    /// How wide a bar may be; none: nobody sees it.
    columns: Option<usize>,
    /// How many bars are there now.
    drawn: usize,
}

impl Progress {
    /// Bars are for a person at a terminal that nothing else writes to.
    pub(super) fn new(global: &Global, output: Output) -> Self {
        let is_alone = output.form == Form::Text && global.verbose == 0;
        Self {
            output,
            said: BTreeSet::new(),
            columns: output::columns().filter(|_| is_alone),
            drawn: 0,
        }
    }

    /// Prints what a pass did and what is waited for, as far as that is news.
    pub(super) fn pass(&mut self, report: &Report, pass: u32) {
        if self.output.form != Form::Text {
            return;
        }
        let done = report.pass_text(pass, self.output.style);
        let mut news: Vec<String> = report.underway_lines().collect();
        if done.is_empty() {
            // What was done just now is waited for next time.
            news.extend(report.waiting_lines());
        }
        news.retain(|it| self.said.insert(it.clone()));
        let mut text = self.erased();
        if !done.is_empty() || !news.is_empty() {
            let _ = writeln!(text, "pass {pass}, {}", report.seen_at);
            text.push_str(&done);
        }
        for line in news {
            let _ = writeln!(text, "… {line}");
        }
        let bars = self.columns.map(|it| report.bars(it)).unwrap_or_default();
        self.drawn = bars.len();
        for bar in bars {
            let _ = writeln!(text, "{bar}");
        }
        output::print(&text);
    }

    /// Takes the bars away.
    pub(super) fn end(&mut self) {
        let text = self.erased();
        output::print(&text);
    }

    /// What takes the bars away: up so many lines, and everything below is cleared (ECMA-48: `CPL`, `ED`).
    fn erased(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            lines => format!("\u{1b}[{lines}F\u{1b}[J"),
        }
    }
}
