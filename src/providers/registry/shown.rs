//! Waits until what was written shows: some registries answer from the past for seconds.

use std::time::Duration;

use super::{Location, Registries};
use crate::fault::{Class, Fault};
use crate::ids::Digest;

/// How long is waited before each further look: 31 s in all. GHCR needs seconds (threads pithead 429, uzi 1102,
/// k8s-test-infra 390).
const WAITS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];

impl Registries {
    /// Looks until a tag names this manifest, which was just put there; fails when it does not in time.
    pub async fn shown(&self, at: &Location, tag: &str, digest: &Digest) -> Result<(), Fault> {
        let mut waits = WAITS.iter();
        loop {
            let found = self.head_now(at, tag).await?;
            let found = found.map(|it| it.digest);
            if found.as_ref() == Some(digest) {
                return Ok(());
            }
            let Some(wait) = waits.next() else {
                let found = found.map_or("nothing".to_owned(), |it| it.to_string());
                let message = format!("it was written as {digest}, and names {found}");
                let subject = format!("{}/{}:{tag}", at.site.host, at.repository);
                let fault = Fault::new(Class::NotYet, "see a tag that was written", &message);
                return Err(fault.of(&subject).hint(
                    "either the registry answers from the past, or somebody else writes the same tag",
                ));
            };
            self.patience.wait("what was written to show", *wait).await;
        }
    }
}
