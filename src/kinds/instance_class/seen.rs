//! A class as such is not looked at: what is in stock and what it costs is asked when a machine is wanted.

/// There is nothing to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen;

pub(super) fn observe() -> Seen {
    Seen
}
