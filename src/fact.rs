//! The difference between known and unknown, and between a list and half a list.

use crate::clock::Timestamp;
use crate::fault::Fault;

/// What is known about one thing. Unknown is never read as no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<T> {
    /// It was looked at.
    Known(T),
    /// It could not be looked at, and why.
    Unknown(Fault),
}

/// A list that was read to its end: what is not in it did not exist at that time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complete<T> {
    items: Vec<T>,
    at: Timestamp,
}

impl<T> Complete<T> {
    /// Vouches that `items` is all there was at `at`. Only what reads the last page of a listing may call this.
    pub(crate) fn read_to_its_end(items: Vec<T>, at: Timestamp) -> Self {
        Self { items, at }
    }

    /// All of it that `keep` accepts, which is complete as well.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&T) -> bool) -> Self
    where
        T: Clone,
    {
        let items = self.items.iter().filter(|it| keep(it)).cloned().collect();
        Self { items, at: self.at }
    }

    /// The same list once more is known of each item, which was by `at`; in the same order.
    pub(crate) fn enriched<U>(&self, items: Vec<U>, at: Timestamp) -> Complete<U> {
        debug_assert_eq!(items.len(), self.items.len(), "none is lost on the way");
        Complete { items, at }
    }

    /// What there was.
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// When the last page was answered, by the service's clock.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}
