//! Data to stdout, everything else to stderr: the only file that prints.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use crate::fault::{Class, Fault};
use crate::report::Style;
use crate::resource::Finding;

use super::arguments::{Colour, Form, Global};
use super::settings;

/// How many errors of the state files are printed: nobody reads more.
const FINDINGS_MAX: usize = 200;

/// Where and how things are printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    pub(super) form: Form,
    pub(super) style: Style,
}

/// Why a command ended without doing its work.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: u8,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(code: u8, message: &str) -> Self {
        Self {
            code,
            message: message.to_owned(),
        }
    }

    /// The command line is wrong.
    pub(super) fn usage(message: &str) -> Self {
        Self::new(64, message)
    }

    /// The state files are wrong.
    pub(super) fn invalid(findings: &[Finding]) -> Self {
        let mut lines: Vec<String> = findings
            .iter()
            .take(FINDINGS_MAX)
            .map(ToString::to_string)
            .collect();
        if findings.len() > FINDINGS_MAX {
            lines.push(format!("… and {} more", findings.len() - FINDINGS_MAX));
        }
        let count = findings.len();
        let noun = if count == 1 { "error" } else { "errors" };
        Self::new(
            65,
            &format!(
                "{}\n{count} {noun} in the state files; nothing was contacted",
                lines.join("\n")
            ),
        )
    }

    /// A look at the cloud failed before anything was done.
    pub(super) fn of(fault: &Fault) -> Self {
        let code = match fault.class {
            Class::Bug => 70,
            Class::Denied if fault.service.is_none() => 78,
            Class::Denied | Class::Account => 77,
            Class::Invalid
            | Class::NoCapacity
            | Class::DiskUnsupported
            | Class::InUse
            | Class::Gone
            | Class::NotYet
            | Class::TokenUsed
            | Class::Throttled { .. }
            | Class::Unavailable { .. } => 1,
        };
        Self::new(code, &fault.to_string())
    }

    /// The settings or the machine are not fit.
    pub(super) fn unfit(message: &str) -> Self {
        Self::new(78, message)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::unfit(&format!(
            "cannot write the status directory: {error}\n  hint: make room, or choose another one with --status-dir"
        ))
    }
}

impl Output {
    pub(super) fn of(global: &Global) -> Self {
        let is_coloured = match global.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => io::stdout().is_terminal() && !settings::is_set("NO_COLOR"),
        };
        Self {
            form: global.output,
            style: if is_coloured {
                Style::Coloured
            } else {
                Style::Plain
            },
        }
    }
}

/// How many columns the terminal has that data is printed on; none: it is no terminal, or does not say.
pub(super) fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|it| *it > 0)
}

/// Why data that was to be printed is lost; never set while all of it was printed.
static LOST: OnceLock<String> = OnceLock::new();

/// Prints data. A reader that has gone away is no failure; a disk without room is, see [`lost`].
pub(super) fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            LOST.get_or_init(|| format!("cannot write to stdout: {error}"));
        }
        Ok(()) | Err(_) => {}
    }
}

/// Why data that was to be printed is lost; none: it is not. What was begun is finished all the same.
pub(super) fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

/// Prints data as JSON, readable.
pub(super) fn print_json(value: &serde_json::Value) {
    let text = serde_json::to_string_pretty(value).expect("a value is JSON");
    print(&format!("{text}\n"));
}

/// Tells a person what is wrong.
pub(super) fn complain(message: &str) {
    let _ = writeln!(io::stderr().lock(), "{message}");
}
