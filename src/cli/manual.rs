//! `completions` and `man`: what can be said on the command line, for shells and for readers.

use clap::CommandFactory;

use super::arguments::{Arguments, Shell};
use super::output;

pub(super) fn completions(wanted: &Shell) -> u8 {
    let mut text = Vec::new();
    clap_complete::generate(
        wanted.shell,
        &mut Arguments::command(),
        "reconcile",
        &mut text,
    );
    output::print(&String::from_utf8_lossy(&text));
    0
}

/// The manual page of the program, and those of its commands behind it.
pub(super) fn man() -> u8 {
    let mut command = Arguments::command();
    command.build();
    let mut text = page(&command);
    for sub in command
        .get_subcommands()
        .filter(|it| !it.is_hide_set() && it.get_name() != "help")
    {
        text.push_str(&page(sub));
    }
    output::print(&text);
    0
}

fn page(command: &clap::Command) -> String {
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(command.clone()).render(&mut text);
    rendered.expect("memory takes all that is written");
    String::from_utf8_lossy(&text).into_owned()
}
