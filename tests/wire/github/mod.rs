//! The client of GitHub against servers on loopback, in paused time.

mod answers;
mod described;

use std::sync::Arc;

use reconcile::clock::{Timestamp, VirtualClock};
use reconcile::providers::{Clients, Settings, connect};

pub(super) use crate::wire::registry::Asked;
use crate::wire::registry::Server;

/// A client whose GitHub is at `base` of this server.
fn client(server: &Server, base: &str, named: &[(&str, &str)]) -> Clients {
    let start = Timestamp::parse("2026-11-25T10:00:00Z").expect("a valid time");
    let clock = VirtualClock::starting_at(start);
    let url = format!("http://{}{base}", server.host);
    let all = named
        .iter()
        .copied()
        .chain([("GITHUB_API_URL", url.as_str())]);
    let all = all.map(|(name, value)| (name.to_owned(), value.to_owned()));
    connect(&Settings::new(all.collect()), Arc::new(clock), 7).expect("settings are valid")
}
