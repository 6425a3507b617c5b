//! What a run prints while it waits: everything once, and on a terminal bars that come and go.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::{command, reconcile};

const BUILD: [&str; 6] = [
    "--once",
    "--simulate",
    "--wait",
    "2h",
    "--only",
    "MachineImage/demo-tools",
];

#[test]
fn each_thing_that_is_waited_for_is_said_once_for_each_build() {
    let text = reconcile(&BUILD).exits(0).stdout;
    let waits: Vec<&str> = text.lines().filter(|it| it.starts_with("… ")).collect();
    let different: BTreeSet<&&str> = waits.iter().collect();
    assert_eq!(different.len(), waits.len(), "{text}");
    for architecture in ["amd64", "arm64"] {
        for phase in [" is being provisioned since ", " is being made since "] {
            let line = format!("… MachineImage/demo-tools: demo-tools-{architecture}: ");
            let is_meant = |it: &&&str| it.starts_with(&line) && it.contains(phase);
            assert_eq!(waits.iter().filter(is_meant).count(), 1, "{phase}: {text}");
        }
    }
    assert!(!text.contains('\u{1b}') && !text.contains('░'), "{text}");
}

#[test]
fn on_a_terminal_bars_come_and_go() {
    let (terminal, theirs) = terminal(100);
    let mut command = command(Path::new(env!("CARGO_MANIFEST_DIR")), &BUILD);
    let mut child = command.stdout(theirs).spawn().expect("it can be started");
    // Nobody else holds the other end any more, so that reading ends with the program.
    drop(command);
    let text = printed(terminal);
    assert!(child.wait().expect("it was started").success(), "{text}");
    let bars: Vec<&str> = text.lines().filter(|it| it.contains('░')).collect();
    assert!(bars.iter().any(|it| it.contains('█')), "{text}");
    let width = |it: &&str| it.trim_end().chars().filter(|it| *it != '\u{1b}').count();
    // What takes the last bars away stands before the next.
    assert!(
        bars.iter().all(|it| width(it) <= 100 + "[2F[J".len()),
        "{text}"
    );
    let (_, last) = text
        .rsplit_once("\u{1b}[2F\u{1b}[J")
        .expect("bars are taken away");
    assert!(
        !last.contains('░') && last.contains("Everything is as declared."),
        "{text}"
    );
}

/// A terminal of so many columns: our end, and that of a program.
fn terminal(columns: u16) -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
    grantpt(&ours).expect("it is ours");
    unlockpt(&ours).expect("it is ours");
    let size = Winsize {
        ws_row: 40,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&ours, size).expect("a terminal has a size");
    let path = ptsname(&ours, Vec::new()).expect("it has a name");
    let path = path.to_str().expect("its name is text").to_owned();
    let theirs = OpenOptions::new().read(true).write(true).open(path);
    (file(ours), theirs.expect("it can be opened"))
}

fn file(descriptor: OwnedFd) -> File {
    descriptor.into()
}

/// All that is printed until nobody prints any more.
fn printed(mut terminal: File) -> String {
    let mut printed = Vec::new();
    let mut part = [0; 4096];
    loop {
        match terminal.read(&mut part) {
            Ok(0) => break,
            Ok(length) => printed.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The other end is closed (Linux: `EIO`).
            Err(_) => break,
        }
    }
    String::from_utf8(printed).expect("what is printed is text")
}
