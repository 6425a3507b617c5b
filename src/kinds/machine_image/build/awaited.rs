//! What a build waits for: since when, until when by what earlier builds took, and how soon a look is worth it.

use std::fmt::Display;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::kinds::tags;
use crate::plan::{Underway, Why};

use super::super::names;
use super::course::Judge;
use super::seen::Builder;

/// What took longer was not one build.
const TOOK_MAX: Duration = Duration::from_secs(24 * 3600);

/// How soon a look is worth it while something changes that does not take long.
const SOON: Duration = Duration::from_secs(15);
/// How late at most while a script runs or an image is made: a script that failed is paid for until somebody sees it.
const LATE: Duration = Duration::from_secs(120);

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Await {
    /// In words.
    pub(super) why: Why,
    /// When it is worth a look.
    pub(super) look_again: Duration,
    /// The work that goes on meanwhile; none: it is over at once, or nobody works on it.
    pub(super) underway: Option<Underway>,
}

impl Await {
    /// For something that is over soon.
    pub(super) fn briefly(what: impl Display) -> Self {
        Self {
            why: Why::new("Building", what),
            look_again: SOON,
            underway: None,
        }
    }

    /// For another attempt, after some time.
    pub(super) fn another(why: Why, rest: Duration) -> Self {
        Self {
            why,
            look_again: rest.max(SOON),
            underway: None,
        }
    }

    /// The same, looked at soon.
    pub(super) fn soon(self) -> Self {
        let look_again = SOON;
        Self { look_again, ..self }
    }

    /// The same, of which so much is done, in percent; none: nothing tells.
    pub(super) fn done(mut self, percent: Option<u8>) -> Self {
        if let Some(underway) = &mut self.underway {
            underway.percent = percent;
        }
        self
    }
}

impl Judge<'_> {
    /// Something that goes on: the longer it has, the less a bit more matters, and where earlier builds tell when it is over,
    /// a look before is seldom worth it.
    pub(super) fn underway(
        &self,
        what: &str,
        since: Timestamp,
        expected: Option<Timestamp>,
    ) -> Await {
        let rest = expected.map_or(Duration::ZERO, |it| it.since(self.now));
        let pace = rest.max(self.now.since(since) / 2);
        Await {
            why: Why::new("Building", what),
            look_again: pace.clamp(SOON, LATE),
            underway: Some(Underway {
                object: names::line(&self.resource.spec, self.architecture),
                phase: what.to_owned(),
                since,
                expected,
                percent: None,
            }),
        }
    }

    /// When the machine is likely to be provisioned and stopped: the last one that was had its image begun so long after it
    /// was launched.
    pub(super) fn expected(&self, builder: &Builder) -> Option<Timestamp> {
        let took = self.images.iter().find_map(|it| {
            let launched = it.tags.get(tags::BUILD_TIMESTAMP)?.parse().ok()?;
            let launched = Timestamp::EPOCH.plus(Duration::from_secs(launched));
            let took = it.created.map(|it| it.since(launched));
            took.filter(|it| *it < TOOK_MAX)
        })?;
        Some(builder.created?.plus(took))
    }
}
