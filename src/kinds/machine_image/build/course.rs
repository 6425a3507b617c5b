//! How far a build is, and what comes next: evidence first, so that it does not matter who died where.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::{InstanceId, InvocationId};
use crate::kinds::architecture::Architecture;
use crate::kinds::tags;
use crate::plan::Why;
use crate::resource::Resource;

use super::super::names;
use super::super::seen::{Image, Phase as ImagePhase, Seen};
use super::super::spec::Spec;
use super::awaited::Await;
use super::base::Base;
use super::history::{Failure, History, Loss, Lost, history};
use super::seen::{Bench, Builder, version};

/// For how long a machine is kept for its image: what takes longer is not waited for at a machine's price.
const MAKING_MAX: Duration = Duration::from_secs(12 * 3600);
/// A machine that is needed is not released within this.
const NEEDED: Duration = Duration::from_secs(45 * 60);

/// What is wanted of the images of one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Wanted {
    /// Whatever is the newest: nothing is built.
    Newest,
    /// Those of this version.
    Version(String),
    /// Nobody can tell at the moment.
    Unknown,
}

/// What is wanted of the images of one architecture.
pub(in super::super) fn wanted(
    resource: &Resource<Spec>,
    seen: &Seen,
    architecture: Architecture,
) -> Wanted {
    use crate::fact::Fact;
    match &seen.bench {
        None => Wanted::Newest,
        Some(_) if resource.spec.provision.is_none() => Wanted::Newest,
        Some(Fact::Unknown(_)) => Wanted::Unknown,
        Some(Fact::Known(bench)) => match version(resource, bench, architecture) {
            Some(version) => Wanted::Version(version.to_string()),
            None => Wanted::Unknown,
        },
    }
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage<'a> {
    /// There is an image of the version.
    Built,
    /// A machine is to be launched; how many there were before.
    Launch(usize),
    /// A machine is to be provisioned.
    Provision(&'a Builder),
    /// A provisioned machine is to be stopped.
    Stop(&'a Builder),
    /// A stopped one is to be imaged; how many images could not be made before.
    Image(&'a Builder, usize),
    /// Something must be waited for.
    Await(Await),
    /// Nothing will change until somebody changes something.
    Stuck(Why),
}

/// How far the build of one architecture is.
#[derive(Clone, Debug)]
pub(super) struct Course<'a> {
    /// What comes next.
    pub(super) stage: Stage<'a>,
    /// The version; none: nothing fits what is to be built upon.
    pub(super) version: Option<String>,
    /// What is built upon.
    pub(super) base: Option<&'a Base>,
    /// The machine of this version.
    pub(super) builder: Option<&'a Builder>,
    /// Machines that are to go, and why.
    pub(super) released: Vec<(&'a Builder, &'static str)>,
    /// Machines whose release time is to be moved on.
    pub(super) prolonged: Vec<&'a Builder>,
    /// Failures to remember.
    pub(super) lost: Vec<Lost>,
    /// What became of earlier builds of the version.
    pub(super) history: History<'a>,
    /// Whether the look was not close enough to tell more.
    pub(super) needs: Option<Need>,
}

/// What a closer look must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Commands,
    Agent(InstanceId),
}

impl Course<'_> {
    /// Whether commands must be listed to tell more.
    pub(super) fn asks_commands(&self) -> bool {
        self.needs == Some(Need::Commands)
    }

    /// The machine of which must be known whether it takes commands.
    pub(super) fn awaits_agent(&self) -> Option<InstanceId> {
        match &self.needs {
            Some(Need::Agent(id)) => Some(id.clone()),
            Some(Need::Commands) | None => None,
        }
    }

    /// Whether a machine is to be launched.
    pub(super) fn launches(&self) -> bool {
        matches!(self.stage, Stage::Launch(_))
    }

    /// The command whose end a person must see.
    pub(super) fn failed_command(&self) -> Option<InvocationId> {
        match self.history.failure {
            Some(Failure::Script(command)) => Some(command.id.clone()),
            Some(Failure::GivenUp(_)) | None => None,
        }
    }
}

/// Judges how far the build of one architecture is at `now`.
pub(super) fn course<'a>(
    resource: &'a Resource<Spec>,
    seen: &'a Seen,
    bench: &'a Bench,
    (architecture, now): (Architecture, Timestamp),
) -> Course<'a> {
    let version = version(resource, bench, architecture).map(|it| it.to_string());
    let history = version
        .as_deref()
        .map(|it| history(bench, (architecture, now), it))
        .unwrap_or_default();
    let mut judge = Judge {
        resource,
        bench,
        architecture,
        now,
        images: names::ours(resource, seen, architecture),
        listed: &seen.images,
        course: Course {
            stage: Stage::Built,
            base: bench
                .bases
                .get(&architecture)
                .and_then(|it| it.base.as_ref()),
            version,
            builder: None,
            released: Vec::new(),
            prolonged: Vec::new(),
            lost: Vec::new(),
            history,
            needs: None,
        },
    };
    judge.course.stage = judge.judge();
    judge.course
}

/// Judges the build of one architecture.
pub(super) struct Judge<'a> {
    pub(super) resource: &'a Resource<Spec>,
    pub(super) bench: &'a Bench,
    pub(super) architecture: Architecture,
    pub(super) now: Timestamp,
    /// Our images, the newest first.
    pub(super) images: Vec<&'a Image>,
    /// All images that were seen.
    pub(super) listed: &'a [Image],
    pub(super) course: Course<'a>,
}

impl<'a> Judge<'a> {
    fn judge(&mut self) -> Stage<'a> {
        let Some(version) = self.course.version.clone() else {
            self.release_others(None);
            return Stage::Stuck(Why::new("NoBase", self.no_base()));
        };
        let builders = self.builders();
        let mine = builders.into_iter().find(|it| it.version == version);
        self.course.builder = mine;
        if let Some(builder) = mine {
            self.remember(Loss::Seen, builder.id.as_str(), "");
        }
        self.release_others(mine);
        self.count_failed_images(&version);
        if let Some(making) = self.image_of(&version, ImagePhase::Making) {
            let wait = self.making(making);
            // An image of the version may be there already, where two made one.
            if self.image_of(&version, ImagePhase::Available).is_none() {
                return wait;
            }
        }
        if let Some(built) = self.image_of(&version, ImagePhase::Available) {
            self.remember(Loss::Built, built.id.as_str(), "");
            return Stage::Built;
        }
        if let Some(wait) = self.missed(&version) {
            return wait;
        }
        if self.bench.commands.is_none() {
            self.course.needs = Some(Need::Commands);
            return Stage::Await(Await::briefly("looking at earlier builds"));
        }
        match mine {
            Some(builder) => self.with_builder(builder),
            None => self.without_builder(),
        }
    }

    /// The machines for this architecture; those whose tag does not say which one are nobody's.
    fn builders(&self) -> Vec<&'a Builder> {
        let is_mine = |it: &&Builder| it.architecture == Some(self.architecture);
        self.bench.builders.iter().filter(is_mine).collect()
    }

    /// All but one machine of this architecture go, unless an image is being made of them.
    fn release_others(&mut self, kept: Option<&Builder>) {
        for builder in self.builders() {
            let is_kept = kept.is_some_and(|it| it.id == builder.id);
            let is_imaged = self
                .images
                .iter()
                .any(|it| is_of(it, builder, ImagePhase::Making));
            if !is_kept && !is_imaged {
                let why = match &self.course.version {
                    Some(version) if *version == builder.version => {
                        "another machine builds the same"
                    }
                    Some(_) | None => "its version is not wanted any more",
                };
                self.course.released.push((builder, why));
            }
        }
    }

    fn image_of(&self, version: &str, phase: ImagePhase) -> Option<&'a Image> {
        let is_of_version = |it: &&&Image| {
            it.phase == phase && it.tags.get(tags::VERSION).is_some_and(|it| it == version)
        };
        self.images.iter().find(is_of_version).copied()
    }

    /// The machine must be there until its image is.
    fn making(&mut self, image: &'a Image) -> Stage<'a> {
        let builders = self.builders().into_iter();
        let mut of_it = builders.filter(|it| is_of(image, it, ImagePhase::Making));
        let is_hopeful = image
            .created
            .is_none_or(|it| self.now.since(it) < MAKING_MAX);
        if let Some(builder) = of_it.next().filter(|_| is_hopeful) {
            self.prolong(builder);
        }
        let what = format!("the image {} is being made", image.name);
        Stage::Await(match image.created {
            Some(since) => self
                .underway(&what, since, None)
                .done(image.progress.trim_end_matches('%').parse().ok()),
            None => Await::briefly(what),
        })
    }

    pub(super) fn prolong(&mut self, builder: &'a Builder) {
        if builder
            .release
            .is_some_and(|it| it.since(self.now) < NEEDED)
        {
            self.course.prolonged.push(builder);
        }
    }

    fn without_builder(&mut self) -> Stage<'a> {
        if let Some(stuck) = self.stuck() {
            return stuck;
        }
        match self.course.history.due().filter(|it| *it > self.now) {
            Some(due) => self.backing_off(due),
            None => Stage::Launch(self.course.history.attempts),
        }
    }
}

/// Whether an image in some phase was made of a machine.
fn is_of(image: &Image, builder: &Builder, phase: ImagePhase) -> bool {
    let of = image.tags.get(tags::BUILDER);
    image.phase == phase && of.is_some_and(|it| it == builder.id.as_str())
}
