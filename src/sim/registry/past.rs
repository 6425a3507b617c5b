//! Values together with all that they ever were, for answers that lag.

use crate::clock::Timestamp;

/// What something was from a time on, the newest last; none: it was not there.
#[derive(Clone, Debug)]
pub(super) struct Past<T>(Vec<(Timestamp, Option<T>)>);

impl<T> Default for Past<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Past<T> {
    pub(super) fn now(&self) -> Option<&T> {
        self.0.last()?.1.as_ref()
    }

    pub(super) fn at(&self, at: Timestamp) -> Option<&T> {
        let version = self.0.iter().rev().find(|(since, _)| *since <= at);
        version?.1.as_ref()
    }

    pub(super) fn set(&mut self, since: Timestamp, value: Option<T>) {
        self.0.push((since, value));
    }

    /// How often it has come into being.
    pub(super) fn births(&self) -> usize {
        self.0.iter().filter(|(_, value)| value.is_some()).count()
    }
}
