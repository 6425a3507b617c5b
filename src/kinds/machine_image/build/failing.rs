//! Builds that fail: what is remembered of them, when the next one may begin, when it is given up, and in what words.

use crate::clock::Timestamp;
use crate::kinds::architecture::Architecture;
use crate::kinds::tags;
use crate::plan::Why;
use crate::providers::aliyun::Progress;

use super::super::recipe;
use super::super::seen::{Image, Phase as ImagePhase};
use super::awaited::Await;
use super::course::{Judge, Stage};
use super::history::{Failure, GONE_AFTER, Loss, Lost};
use super::seen::{Bench, Command};

impl<'a> Judge<'a> {
    /// Images that could not be made are deleted; that they were there is remembered.
    pub(super) fn count_failed_images(&mut self, version: &str) {
        let is_failed = |it: &&&Image| {
            it.phase == ImagePhase::Failed
                && it.tags.get(tags::VERSION).is_some_and(|it| it == version)
        };
        let failed: Vec<&Image> = self.images.iter().filter(is_failed).copied().collect();
        for image in failed {
            self.remember(
                Loss::GivenUp,
                image.id.as_str(),
                "the image could not be made",
            );
        }
    }

    /// Remembers what no command tells of; the first look at it counts.
    pub(super) fn remember(&mut self, kind: Loss, object: &str, why: &str) {
        let is_known = |it: &Lost| it.object == object && it.kind == kind;
        if self.bench.lost.iter().any(is_known) {
            return;
        }
        self.course.lost.push(Lost {
            kind,
            architecture: self.architecture,
            version: self.course.version.clone().unwrap_or_default(),
            object: object.to_owned(),
            why: why.to_owned(),
            at: self.now,
        });
    }

    /// An image that was there and that a listing does not show may be there all the same, until it was missed for so long
    /// that no listing is as late.
    pub(super) fn missed(&mut self, version: &str) -> Option<Stage<'a>> {
        let bench = self.bench;
        let of = (self.architecture, version);
        // One that is shown is of another version now, or cannot be used: it is known not to do.
        let is_shown = |id: &str| self.listed.iter().any(|it| it.id.as_str() == id);
        let mut built = of_kind(bench, of, Loss::Built).filter(|it| !is_shown(&it.object));
        let (image, due) = built.find_map(|built| {
            let mut missing = of_kind(bench, of, Loss::Missing);
            let since = missing.find(|it| it.object == built.object);
            let due = since.map_or(self.now, |it| it.at).plus(GONE_AFTER);
            (due > self.now).then_some((&built.object, due))
        })?;
        self.remember(Loss::Missing, image, "");
        let message =
            format!("{image} is not shown any more; if it stays so, it is built anew at {due}");
        let why = Why::new("ImageMissing", message);
        Some(Stage::Await(Await::another(why, due.since(self.now))))
    }

    /// Whether the version is given up.
    pub(super) fn stuck(&self) -> Option<Stage<'a>> {
        let (failed, limit) = (self.course.history.failed, self.resource.spec.backoff.limit);
        (failed >= limit).then(|| {
            let version = self.course.version.as_deref().unwrap_or_default();
            let (how, printed) = self.last_failure();
            let message = format!(
                "{failed} builds of version {version} failed in a row{how}: mend that, or change spec.forceNonce{printed}"
            );
            Stage::Stuck(Why::new("BuildFailed", message))
        })
    }

    /// The next attempt is not due yet.
    pub(super) fn backing_off(&self, due: Timestamp) -> Stage<'a> {
        let builds = match self.course.history.in_vain {
            0 | 1 => "a build".to_owned(),
            times => format!("{times} builds"),
        };
        let (how, printed) = self.last_failure();
        let message = format!("{builds} came to nothing{how}; next at {due}{printed}");
        let why = Why::new("BuildFailed", message);
        Stage::Await(Await::another(why, due.since(self.now)))
    }

    /// How the last failure came about, and what its script printed last, on lines of its own.
    fn last_failure(&self) -> (String, String) {
        match self.course.history.failure {
            None => (String::new(), String::new()),
            Some(Failure::GivenUp(lost)) => {
                (format!(" ({}: {})", lost.object, lost.why), String::new())
            }
            Some(Failure::Script(command)) => {
                let printed = self.bench.printed.get(&command.id);
                let printed = printed.filter(|it| !it.is_empty());
                let lines = printed.map_or_else(String::new, |it| format!("\n{it}"));
                (format!(" ({})", ended(command)), lines)
            }
        }
    }

    /// What nothing can be built without.
    pub(super) fn no_base(&self) -> String {
        let architecture = self.architecture;
        let wanted = match &self.resource.spec.base {
            Some(recipe::Base::Family(families)) => {
                let family = families.get(&architecture).map_or("", String::as_str);
                format!("of the family {family}")
            }
            Some(recipe::Base::Query(it)) => {
                let (owner, release) = (it.owner.name(), &it.release);
                format!("of {} {release}, owner {owner},", it.distribution)
            }
            None => "that fits spec.base".to_owned(),
        };
        format!("there is no Available image {wanted} for {architecture}, so nothing can be built")
    }
}

fn ended(command: &Command) -> String {
    match &command.progress {
        Progress::Failed {
            exit_code: Some(code),
            ..
        } => format!("its script ended with exit code {code}"),
        Progress::Failed { why, .. } => format!("its script: {why}"),
        Progress::Running | Progress::Succeeded => String::new(),
    }
}

/// What of one kind is remembered of a version.
fn of_kind<'b>(
    bench: &'b Bench,
    (architecture, version): (Architecture, &str),
    kind: Loss,
) -> impl Iterator<Item = &'b Lost> {
    bench.lost.iter().filter(move |it| {
        it.kind == kind && it.architecture == architecture && it.version == version
    })
}
