//! Registries that take no attestations, as far as they have said so.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Site;

/// The hosts that refused one since the process began.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeSet<String>>);

impl Refusals {
    /// Remembers that a registry takes none.
    pub fn note(&self, site: &Site) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(site.host.clone());
    }

    /// Whether a registry is known to take none.
    pub fn has(&self, site: &Site) -> bool {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.contains(&site.host)
    }
}
