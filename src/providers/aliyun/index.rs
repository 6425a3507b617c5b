//! Whole listings that are asked for a few objects, by those who must not go through all of them.

use std::collections::{BTreeMap, HashMap};

use super::{Image, ImageStatus, Snapshot};
use crate::fact::Complete;
use crate::ids::{ImageId, SnapshotId};

/// All images of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    listed: Complete<Image>,
    by_id: HashMap<ImageId, usize>,
    /// Places in the order of the names there.
    by_name: Vec<usize>,
    by_snapshot: HashMap<SnapshotId, Vec<usize>>,
    newest_of_family: HashMap<String, usize>,
    by_tag: ByTag,
}

impl Images {
    /// Goes through a listing once, so that nobody has to again.
    pub fn of(listed: Complete<Image>) -> Self {
        let items = || listed.items().iter();
        let mut named: Vec<(&str, usize)> = items().map(|it| it.name.as_str()).zip(0..).collect();
        named.sort_unstable();
        let mut by_snapshot: HashMap<SnapshotId, Vec<usize>> = HashMap::new();
        for (place, image) in items().enumerate() {
            for snapshot in &image.snapshots {
                by_snapshot.entry(snapshot.clone()).or_default().push(place);
            }
        }
        Self {
            by_id: items().map(|it| it.id.clone()).zip(0..).collect(),
            by_name: named.into_iter().map(|(_, place)| place).collect(),
            by_snapshot,
            newest_of_family: newest_of_family(listed.items()),
            by_tag: ByTag::of(items().map(|it| &it.tags)),
            listed,
        }
    }

    /// All of them, as they were listed.
    pub fn items(&self) -> &[Image] {
        self.listed.items()
    }

    /// The listing itself.
    pub fn listed(&self) -> &Complete<Image> {
        &self.listed
    }

    /// The one of this id.
    pub fn with_id(&self, id: &ImageId) -> Option<&Image> {
        self.by_id.get(id).map(|it| &self.items()[*it])
    }

    /// Those whose name begins so.
    pub fn named_like(&self, prefix: &str) -> impl Iterator<Item = &Image> {
        let items = self.items();
        let from = self
            .by_name
            .partition_point(|it| items[*it].name.as_str() < prefix);
        let rest = self.by_name[from..].iter().map(|it| &items[*it]);
        rest.take_while(move |it| it.name.starts_with(prefix))
    }

    /// Those that a snapshot stands behind.
    pub fn made_of(&self, snapshot: &SnapshotId) -> impl Iterator<Item = &Image> {
        let places = self.by_snapshot.get(snapshot).into_iter().flatten();
        places.map(|it| &self.items()[*it])
    }

    /// The newest one of a family that machines can be made from.
    pub fn newest_of_family(&self, family: &str) -> Option<&Image> {
        let place = self.newest_of_family.get(family);
        place.map(|it| &self.items()[*it])
    }

    /// Those with this tag.
    pub fn tagged(&self, key: &str, value: &str) -> impl Iterator<Item = &Image> {
        self.by_tag
            .find(key, value)
            .iter()
            .map(|it| &self.items()[*it])
    }
}

fn newest_of_family(images: &[Image]) -> HashMap<String, usize> {
    let mut newest: HashMap<String, usize> = HashMap::new();
    for (place, image) in images.iter().enumerate() {
        let is_ready = image.status == ImageStatus::Available && image.usable != Some(false);
        let Some(family) = image.family.as_ref().filter(|_| is_ready) else {
            continue;
        };
        let known = newest.get(family);
        if known.is_none_or(|it| images[*it].created < image.created) {
            newest.insert(family.clone(), place);
        }
    }
    newest
}

/// All snapshots of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshots {
    listed: Complete<Snapshot>,
    by_tag: ByTag,
}

impl Snapshots {
    /// Goes through a listing once, so that nobody has to again.
    pub fn of(listed: Complete<Snapshot>) -> Self {
        Self {
            by_tag: ByTag::of(listed.items().iter().map(|it| &it.tags)),
            listed,
        }
    }

    /// All of them, as they were listed.
    pub fn items(&self) -> &[Snapshot] {
        self.listed.items()
    }

    /// Those with this tag.
    pub fn tagged(&self, key: &str, value: &str) -> impl Iterator<Item = &Snapshot> {
        self.by_tag
            .find(key, value)
            .iter()
            .map(|it| &self.items()[*it])
    }
}

/// Places by the key and the value of a tag there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ByTag(HashMap<String, HashMap<String, Vec<usize>>>);

impl ByTag {
    fn of<'a>(tags: impl Iterator<Item = &'a BTreeMap<String, String>>) -> Self {
        let mut all = Self::default();
        for (place, tags) in tags.enumerate() {
            for (key, value) in tags {
                all.add(key, value, place);
            }
        }
        all
    }

    /// Most tags are there already: only a new one is copied.
    fn add(&mut self, key: &str, value: &str, place: usize) {
        let known = self.0.get_mut(key).and_then(|it| it.get_mut(value));
        if let Some(places) = known {
            places.push(place);
            return;
        }
        let values = self.0.entry(key.to_owned()).or_default();
        values.insert(value.to_owned(), vec![place]);
    }

    fn find(&self, key: &str, value: &str) -> &[usize] {
        let places = self.0.get(key).and_then(|it| it.get(value));
        places.map_or(&[], Vec::as_slice)
    }
}
