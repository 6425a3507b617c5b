//! What was measured, and what is wrong with it.

use std::fmt::Display;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

/// Prints a figure. What cannot be measured panics.
pub(crate) fn tell(name: &str, value: impl Display) {
    // Who reads along may have gone.
    let _ = writeln!(stdout(), "figure: {name}: {value}");
}

/// What the figures are held to.
#[derive(Default)]
pub(crate) struct Figures {
    wrong: Vec<String>,
}

impl Figures {
    /// Remembers that something has to be so, and is not.
    pub(crate) fn hold(&mut self, must: bool, otherwise: &str) {
        if !must {
            self.wrong.push(otherwise.to_owned());
        }
    }

    /// Says what is wrong; whether that is a failure is up to the caller.
    pub(crate) fn end(self, is_checked: bool) -> ExitCode {
        for wrong in &self.wrong {
            let _ = writeln!(stderr(), "amiss: {wrong}");
        }
        if is_checked && !self.wrong.is_empty() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// The smallest of what `measure` gives in some rounds: the one that other work on the machine disturbed least.
pub(crate) fn best_of(rounds: u32, mut measure: impl FnMut() -> f64) -> f64 {
    (0..rounds).map(|_| measure()).fold(f64::INFINITY, f64::min)
}
