//! How far the machine of a build is, and when it is given up.

use std::time::Duration;

use crate::providers::aliyun::Progress;

use super::awaited::Await;
use super::course::{Judge, Need, Stage};
use super::history::{Loss, Lost};
use super::seen::{Builder, Command, Phase};

/// How long a machine may take to come up and take commands.
const BOOT_MAX: Duration = Duration::from_secs(15 * 60);
/// How much later than its own deadline a command may be reported to have ended.
const REPORT_MAX: Duration = Duration::from_secs(10 * 60);
/// How long a provisioned machine may take until its image is begun: where stopping or imaging is refused, by a quota or
/// for want of permission, it must not be paid for until a person comes.
const IMAGE_MAX: Duration = Duration::from_secs(30 * 60);
/// A provisioned machine waits no longer than this for another attempt at its image.
const IDLE_MAX: Duration = Duration::from_secs(5 * 60);

impl<'a> Judge<'a> {
    pub(super) fn with_builder(&mut self, builder: &'a Builder) -> Stage<'a> {
        match builder.phase {
            Phase::Reclaimed => return brief(builder, "is taken back by the service"),
            Phase::Unknown => return brief(builder, "is in a status that we do not know"),
            Phase::Starting | Phase::Running | Phase::Stopping | Phase::Stopped => {}
        }
        let commands = self.bench.commands.iter().flatten();
        let mut mine = commands.filter(|it| it.instance == builder.id);
        match mine.next_back() {
            None => self.unprovisioned(builder),
            Some(command) => self.provisioned(builder, command),
        }
    }

    fn unprovisioned(&mut self, builder: &'a Builder) -> Stage<'a> {
        let age = builder
            .created
            .map_or(Duration::ZERO, |it| self.now.since(it));
        match builder.phase {
            Phase::Stopping | Phase::Stopped => {
                return self.give_up(builder, "it stopped before it was provisioned");
            }
            _ if age > BOOT_MAX => return self.give_up(builder, "it never took commands"),
            Phase::Starting | Phase::Reclaimed | Phase::Unknown => {
                return self.coming_up(builder, "is starting");
            }
            Phase::Running => {}
        }
        match &self.bench.online {
            None => {
                self.course.needs = Some(Need::Agent(builder.id.clone()));
                brief(builder, "is asked whether it takes commands")
            }
            Some(online) if online.contains(&builder.id) => Stage::Provision(builder),
            Some(_) => self.coming_up(builder, "does not take commands yet"),
        }
    }

    fn coming_up(&self, builder: &Builder, how: &str) -> Stage<'a> {
        match builder.created {
            Some(since) => {
                let what = format!("{} {how}", builder.id);
                let expected = self.expected(builder);
                Stage::Await(self.underway(&what, since, expected).soon())
            }
            None => brief(builder, how),
        }
    }

    fn provisioned(&mut self, builder: &'a Builder, command: &Command) -> Stage<'a> {
        match &command.progress {
            Progress::Succeeded => self.before_image(builder, command),
            Progress::Failed { .. } => {
                self.course.released.push((builder, "its script failed"));
                let due = self.course.history.due();
                self.backing_off(due.unwrap_or(self.now))
            }
            Progress::Running => {
                let timeout = self.resource.spec.provision.as_ref().map(|it| it.timeout.0);
                let most = timeout.unwrap_or_default() + REPORT_MAX;
                match builder.phase {
                    Phase::Stopping | Phase::Stopped => {
                        self.give_up(builder, "it stopped while its script ran")
                    }
                    _ if self.now.since(command.created) > most => {
                        self.give_up(builder, "its script did not come to an end")
                    }
                    Phase::Starting | Phase::Running | Phase::Reclaimed | Phase::Unknown => {
                        let what = format!("{} is being provisioned", builder.id);
                        let expected = self.expected(builder);
                        Stage::Await(self.underway(&what, command.created, expected))
                    }
                }
            }
        }
    }

    fn before_image(&mut self, builder: &'a Builder, command: &Command) -> Stage<'a> {
        // What could not be made is given some time.
        let is_failed_image = |it: &&Lost| {
            it.kind == Loss::GivenUp
                && it.object.starts_with("m-")
                && Some(&it.version) == self.course.version.as_ref()
        };
        let failed: Vec<&Lost> = self.bench.lost.iter().filter(is_failed_image).collect();
        let last_failed = failed.iter().map(|it| it.at).max();
        let failed = failed.len();
        if self.course.lost.iter().any(|it| it.kind == Loss::GivenUp) {
            return brief(builder, "has an image that could not be made");
        }
        if let Some(stuck) = self.stuck() {
            self.course
                .released
                .push((builder, "its version is given up"));
            return stuck;
        }
        if let Some(due) = self
            .course
            .history
            .due()
            .filter(|it| failed > 0 && *it > self.now)
        {
            if due.since(self.now) > IDLE_MAX {
                self.course
                    .released
                    .push((builder, "its image could not be made"));
            }
            return self.backing_off(due);
        }
        let provisioned = command.finished.unwrap_or(command.created);
        let waiting = last_failed.map_or(provisioned, |it| it.max(provisioned));
        if self.now.since(waiting) > IMAGE_MAX {
            return self.give_up(builder, "its image could not be begun");
        }
        self.prolong(builder);
        match builder.phase {
            Phase::Running => Stage::Stop(builder),
            Phase::Stopped => Stage::Image(builder, failed),
            Phase::Starting | Phase::Stopping | Phase::Reclaimed | Phase::Unknown => {
                brief(builder, "is being stopped")
            }
        }
    }

    fn give_up(&mut self, builder: &'a Builder, why: &'static str) -> Stage<'a> {
        self.remember(Loss::GivenUp, builder.id.as_str(), why);
        self.course.released.push((builder, why));
        brief(builder, &format!("is given up: {why}"))
    }
}

/// Something that is over soon.
fn brief<'a>(builder: &Builder, how: &str) -> Stage<'a> {
    Stage::Await(Await::briefly(format!("{} {how}", builder.id)))
}
