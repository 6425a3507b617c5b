//! Objects together with all that they ever were: a listing that lags shows an earlier version.

use std::collections::BTreeMap;

use crate::clock::Timestamp;

/// What all objects have.
pub(crate) trait Object: Clone {
    /// Never changes.
    fn id(&self) -> &str;
    fn created(&self) -> Timestamp;
    fn tags(&self) -> &BTreeMap<String, String>;
}

/// Objects of one sort by id, with their versions.
#[derive(Clone, Debug)]
pub(crate) struct Shelf<T> {
    versions: BTreeMap<String, Vec<Version<T>>>,
}

/// What an object was from a time on; none: it did not exist.
#[derive(Clone, Debug)]
struct Version<T> {
    since: Timestamp,
    value: Option<T>,
}

impl<T: Object> Shelf<T> {
    pub(crate) fn new() -> Self {
        Self {
            versions: BTreeMap::new(),
        }
    }

    /// The object as it is.
    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        latest(self.versions.get(id)?)
    }

    /// The object as it was.
    pub(crate) fn get_at(&self, id: &str, at: Timestamp) -> Option<&T> {
        version_at(self.versions.get(id)?, at)
    }

    /// All objects as they are, sorted by id.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.versions.values().filter_map(|it| latest(it))
    }

    /// All objects as they were, sorted by id.
    pub(crate) fn all_at(&self, at: Timestamp) -> impl Iterator<Item = &T> {
        let versions = self.versions.values();
        versions.filter_map(move |it| version_at(it, at))
    }

    /// Whether an object has or ever had this id.
    pub(crate) fn has_known(&self, id: &str) -> bool {
        self.versions.contains_key(id)
    }

    pub(crate) fn put(&mut self, at: Timestamp, value: T) {
        let id = value.id().to_owned();
        self.version(id, at, Some(value));
    }

    /// Changes an object that exists, and says what it has become.
    pub(crate) fn change(
        &mut self,
        at: Timestamp,
        id: &str,
        change: impl FnOnce(&mut T),
    ) -> Option<&T> {
        let mut value = self.get(id)?.clone();
        change(&mut value);
        self.version(id.to_owned(), at, Some(value));
        self.get(id)
    }

    pub(crate) fn remove(&mut self, at: Timestamp, id: &str) -> Option<T> {
        let value = self.get(id)?.clone();
        self.version(id.to_owned(), at, None);
        Some(value)
    }

    fn version(&mut self, id: String, since: Timestamp, value: Option<T>) {
        self.versions
            .entry(id)
            .or_default()
            .push(Version { since, value });
    }
}

fn latest<T>(versions: &[Version<T>]) -> Option<&T> {
    versions.last()?.value.as_ref()
}

fn version_at<T>(versions: &[Version<T>], at: Timestamp) -> Option<&T> {
    let version = versions.iter().rev().find(|it| it.since <= at);
    version?.value.as_ref()
}
