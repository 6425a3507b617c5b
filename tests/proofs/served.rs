//! A world while it is served: what tests see of it, and do to it behind everybody's back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use reconcile::clock::{Clock, Timestamp, VirtualClock};
use reconcile::sim::{Request, World};

use super::change::Change;

/// A world while it is served.
#[derive(Clone)]
pub(crate) struct Served {
    pub(super) world: Arc<Mutex<World>>,
    /// The world's.
    pub(super) clock: Arc<VirtualClock>,
    /// The reconciler's.
    pub(crate) local: Arc<VirtualClock>,
    pub(crate) settings: BTreeMap<String, String>,
}

impl Served {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Looks into the world.
    pub(crate) fn with_world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut world: MutexGuard<'_, World> =
            self.world.lock().unwrap_or_else(PoisonError::into_inner);
        look(&mut world)
    }

    /// Puts objects into the world; one that is there becomes what it says.
    pub(crate) fn put(&self, objects: &Value) {
        self.administer("POST", "/_sim/objects", objects);
    }

    /// Changes an object, behind everybody's back; one that is gone stays gone.
    pub(crate) fn change(&self, change: &Change) {
        let now = self.now();
        self.with_world(|it| change.make(it, now));
    }

    /// Makes these the only troubles.
    pub(crate) fn trouble(&self, troubles: &Value) {
        self.administer("PUT", "/_sim/trouble", troubles);
    }

    fn administer(&self, method: &str, path: &str, sent: &Value) {
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            headers: BTreeMap::new(),
            body: sent.to_string().into_bytes(),
        };
        let answer = self.with_world(|it| it.handle(&request, self.clock.now()));
        let said = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 200, "{path}: {said}");
    }
}
