//! Whole listings that are asked for a few objects, by those who must not go through all of them.

use std::collections::BTreeMap;

use super::{Image, Snapshot};
use crate::clock::Timestamp;
use crate::fact::Complete;
use crate::ids::{ImageId, SnapshotId};

/// Places in a listing, by what is found there.
type Places<K> = BTreeMap<K, Vec<usize>>;

/// All images of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    listed: Complete<Image>,
    by_id: Places<ImageId>,
    by_name: Places<String>,
    by_snapshot: Places<SnapshotId>,
    by_tag: BTreeMap<String, Places<String>>,
}

impl Images {
    /// Goes through a listing once, so that nobody has to again.
    pub fn of(listed: Complete<Image>) -> Self {
        let items = || listed.items().iter();
        let snapshots = |(place, image): (usize, &Image)| {
            image
                .snapshots
                .clone()
                .into_iter()
                .map(move |it| (it, place))
        };
        Self {
            by_id: places(items().map(|it| it.id.clone()).zip(0..)),
            by_name: places(items().map(|it| it.name.clone()).zip(0..)),
            by_snapshot: places(items().enumerate().flat_map(snapshots)),
            by_tag: by_tag(items().map(|it| &it.tags)),
            listed,
        }
    }

    /// All of them, as they were listed.
    pub fn items(&self) -> &[Image] {
        self.listed.items()
    }

    /// When they were listed, by the service's clock.
    pub fn at(&self) -> Timestamp {
        self.listed.at()
    }

    /// The one of this id.
    pub fn with_id(&self, id: &ImageId) -> impl Iterator<Item = &Image> {
        at(self.items(), self.by_id.get(id))
    }

    /// Those whose name begins so.
    pub fn named_like(&self, prefix: &str) -> impl Iterator<Item = &Image> {
        let from = self.by_name.range(prefix.to_owned()..);
        let alike = from.take_while(move |(name, _)| name.starts_with(prefix));
        alike.flat_map(|(_, places)| at(self.items(), Some(places)))
    }

    /// Those that a snapshot stands behind.
    pub fn made_of(&self, snapshot: &SnapshotId) -> impl Iterator<Item = &Image> {
        at(self.items(), self.by_snapshot.get(snapshot))
    }

    /// Those with this tag.
    pub fn tagged(&self, key: &str, value: &str) -> impl Iterator<Item = &Image> {
        at(
            self.items(),
            self.by_tag.get(key).and_then(|it| it.get(value)),
        )
    }
}

/// All snapshots of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshots {
    listed: Complete<Snapshot>,
    by_tag: BTreeMap<String, Places<String>>,
}

impl Snapshots {
    /// Goes through a listing once, so that nobody has to again.
    pub fn of(listed: Complete<Snapshot>) -> Self {
        Self {
            by_tag: by_tag(listed.items().iter().map(|it| &it.tags)),
            listed,
        }
    }

    /// All of them, as they were listed.
    pub fn items(&self) -> &[Snapshot] {
        self.listed.items()
    }

    /// Those with this tag.
    pub fn tagged(&self, key: &str, value: &str) -> impl Iterator<Item = &Snapshot> {
        at(
            self.items(),
            self.by_tag.get(key).and_then(|it| it.get(value)),
        )
    }
}

fn places<K: Ord>(found: impl Iterator<Item = (K, usize)>) -> Places<K> {
    let mut places = Places::new();
    for (key, place) in found {
        places.entry(key).or_default().push(place);
    }
    places
}

fn by_tag<'a>(
    tags: impl Iterator<Item = &'a BTreeMap<String, String>>,
) -> BTreeMap<String, Places<String>> {
    let mut by_tag: BTreeMap<String, Places<String>> = BTreeMap::new();
    for (place, tags) in tags.enumerate() {
        for (key, value) in tags {
            let by_value = by_tag.entry(key.clone()).or_default();
            by_value.entry(value.clone()).or_default().push(place);
        }
    }
    by_tag
}

fn at<'a, T>(items: &'a [T], places: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a T> {
    places.into_iter().flatten().map(|place| &items[*place])
}
