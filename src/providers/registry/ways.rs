//! How each registry wants to be told who we are: found by one call, which all others of that registry wait for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::Site;
use super::auth::{Challenge, Scopes};

/// What was found of all registries.
#[derive(Debug, Default)]
pub(super) struct Ways(Mutex<BTreeMap<Site, Slot>>);

#[derive(Clone, Debug, Default)]
struct Slot {
    way: Way,
    first: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Debug, Default)]
enum Way {
    /// No call has come back yet.
    #[default]
    Untried,
    /// It has not asked.
    Open,
    /// It asks like this.
    Asks(Challenge),
}

impl Ways {
    /// Waits until a first call has come back; whoever gets the guard makes that call, and lets go of it then.
    pub(super) async fn first(&self, site: &Site) -> Option<OwnedMutexGuard<()>> {
        let first = Arc::clone(&self.lock().entry(site.clone()).or_default().first);
        if !self.is_untried(site) {
            return None;
        }
        let guard = first.lock_owned().await;
        self.is_untried(site).then_some(guard)
    }

    /// How a registry asks; none: it has not.
    pub(super) fn of(&self, site: &Site) -> Option<Challenge> {
        match self.lock().get(site).map(|it| &it.way) {
            Some(Way::Asks(way)) => Some(way.clone()),
            Some(Way::Open | Way::Untried) | None => None,
        }
    }

    /// Learns from a call that came back. What a challenge asks for is of one call; how it asks is of the registry.
    pub(super) fn learn(&self, site: &Site, way: Option<&Challenge>) {
        let mut slots = self.lock();
        let slot = slots.entry(site.clone()).or_default();
        match (way, &slot.way) {
            (Some(way), _) => {
                let mut way = way.clone();
                if let Challenge::Bearer { scopes, .. } = &mut way {
                    *scopes = Scopes::default();
                }
                slot.way = Way::Asks(way);
            }
            (None, Way::Untried) => slot.way = Way::Open,
            (None, Way::Open | Way::Asks(_)) => {}
        }
    }

    /// How many registries have asked: each had to refuse one call for that.
    pub(super) fn asking(&self) -> u64 {
        let slots = self.lock();
        let asking = slots.values().filter(|it| matches!(it.way, Way::Asks(_)));
        u64::try_from(asking.count()).unwrap_or(u64::MAX)
    }

    fn is_untried(&self, site: &Site) -> bool {
        let slots = self.lock();
        slots
            .get(site)
            .is_none_or(|it| matches!(it.way, Way::Untried))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Site, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
