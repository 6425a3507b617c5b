//! When each resource is looked at next: pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::ResourceId;

use super::run::{Again, growing};

/// The first wait for something that is under way or has failed; each further one is twice as long.
const SOON: Duration = Duration::from_secs(15);
/// How far that grows for a resource that keeps failing.
const FAILING_MAX: Duration = Duration::from_secs(600);
/// The shortest wait, whatever a plan asks for.
const LEAST: Duration = Duration::from_secs(1);
/// What is due so soon goes along with what is due now: they share their listings.
const ALONG: Duration = Duration::from_secs(5);

/// All resources, each with the time of its next look. A resource is in it once, so it has one look at a time.
#[derive(Debug)]
pub(super) struct Queue {
    interval: Duration,
    entries: BTreeMap<ResourceId, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Timestamp,
    /// How many looks in a row ended on the way, or failed.
    times: u32,
    is_failing: bool,
}

impl Queue {
    /// An empty queue; what is as declared is looked at once in an `interval`.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            entries: BTreeMap::new(),
        }
    }

    /// Makes these the resources, all of them due now.
    pub(super) fn all_now(&mut self, ids: BTreeSet<ResourceId>, now: Timestamp) {
        let entry = Entry {
            at: now,
            times: 0,
            is_failing: false,
        };
        self.entries = ids.into_iter().map(|id| (id, entry)).collect();
    }

    /// What is to be looked at now; empty: nothing.
    pub(super) fn due(&self, now: Timestamp) -> BTreeSet<ResourceId> {
        let by = |most: Timestamp| self.entries.iter().filter(move |(_, it)| it.at <= most);
        if by(now).next().is_none() {
            return BTreeSet::new();
        }
        let along = now.plus(ALONG.min(self.interval / 4));
        by(along).map(|(id, _)| id.clone()).collect()
    }

    /// What failed last time and is not due: nobody looks at it for the sake of others.
    pub(super) fn resting(&self, now: Timestamp) -> BTreeSet<ResourceId> {
        let resting = |(_, it): &(&ResourceId, &Entry)| it.is_failing && it.at > now;
        let entries = self.entries.iter().filter(resting);
        entries.map(|(id, _)| id.clone()).collect()
    }

    /// When the next look is due; none: nothing is declared.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.entries.values().map(|it| it.at).min()
    }

    /// Takes in what a look came to.
    pub(super) fn done(&mut self, id: &ResourceId, again: Again, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        let (wait, times) = match again {
            Again::AsUsual => (self.interval, 0),
            Again::In(asked) => (asked.max(LEAST).min(self.interval), 0),
            Again::Soon => (
                growing(SOON, entry.times, self.interval).min(self.interval),
                entry.times.saturating_add(1),
            ),
            Again::Failing => (
                growing(SOON, entry.times, FAILING_MAX),
                entry.times.saturating_add(1),
            ),
        };
        *entry = Entry {
            at: now.plus(wait),
            times,
            is_failing: again == Again::Failing,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(seconds))
    }

    fn queue(names: &str) -> Queue {
        let mut queue = Queue::new(Duration::from_secs(60));
        let ids = names.split_whitespace().map(|it| ResourceId::new("K", it));
        queue.all_now(ids.collect(), at(0));
        queue
    }

    /// The seconds between one look and the next, when every look comes to the same.
    fn waits(again: Again, looks: usize) -> Vec<u64> {
        let (mut queue, id) = (queue("a"), ResourceId::new("K", "a"));
        let mut now = at(0);
        let mut wait = || {
            queue.done(&id, again, now);
            let next = queue.next().expect("it is in the queue");
            let wait = next.since(now).as_secs();
            now = next;
            wait
        };
        (0..looks).map(|_| wait()).collect()
    }

    #[test]
    fn waits_for_the_interval_or_as_asked_and_longer_and_longer_for_what_fails() {
        let asked = |seconds| Again::In(Duration::from_secs(seconds));
        assert_eq!(waits(Again::AsUsual, 3), [60, 60, 60]);
        assert_eq!(waits(asked(7), 2), [7, 7]);
        assert_eq!(waits(asked(0), 2), [1, 1]);
        assert_eq!(waits(asked(9000), 1), [60]);
        assert_eq!(waits(Again::Soon, 4), [15, 30, 60, 60]);
        assert_eq!(
            waits(Again::Failing, 8),
            [15, 30, 60, 120, 240, 480, 600, 600]
        );
    }

    #[test]
    fn what_is_due_soon_goes_along_and_what_fails_rests_alone() {
        let mut queue = queue("asked failing usual");
        let id = |name| ResourceId::new("K", name);
        queue.done(&id("asked"), Again::In(Duration::from_secs(57)), at(0));
        queue.done(&id("usual"), Again::AsUsual, at(0));
        for _ in 0..4 {
            queue.done(&id("failing"), Again::Failing, at(0));
        }
        assert_eq!(queue.due(at(56)), BTreeSet::new());
        assert_eq!(
            queue.due(at(57)),
            BTreeSet::from([id("asked"), id("usual")])
        );
        assert_eq!(queue.resting(at(57)), BTreeSet::from([id("failing")]));
        assert_eq!(queue.resting(at(120)), BTreeSet::new());
    }
}
