//! What to do about a line of images: adopt, name, mark, and only when all of that holds, delete the surplus.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::kinds::architecture::Architecture;
use crate::kinds::tags;
use crate::plan::{Cause, Health, Notice, Plan, Step, UnknownObject, Why};
use crate::resource::{Goal, Resource};

use super::build::{self, Wanted};
use super::change::{Change, Effect, Subject};
use super::names::{self, Target};
use super::op::Op;
use super::retention;
use super::seen::{Image, Phase, SWEPT, Seen};
use super::share;
use super::spec::Spec;
use super::templates::{Word, word_on};
use super::unmanaged;

pub(super) fn plan(resource: &Resource<Spec>, seen: &Seen, now: Timestamp) -> Plan<Op> {
    let mut plan = lines(resource, seen, now);
    retention::sweep(&mut plan, resource, seen);
    plan.unmanaged = unmanaged::unmanaged(resource, seen);
    plan.listings = seen.listings();
    plan
}

/// Whether an image is to be deleted, by what was seen of launch templates so far.
pub(super) fn deletes_images(resource: &Resource<Spec>, seen: &Seen) -> bool {
    let steps = lines(resource, seen, seen.at).steps;
    let is_deletion = |it: &Step<Op>| match &it.op {
        Op::Change(op) => matches!(op.effect, Effect::Delete { .. }),
        Op::Build(_) => false,
    };
    steps.iter().any(is_deletion)
}

/// What is to be done about the images of each architecture.
fn lines(resource: &Resource<Spec>, seen: &Seen, now: Timestamp) -> Plan<Op> {
    let mut plan = Plan::idle(Health::Ready);
    let mut healths = Vec::new();
    for architecture in &resource.spec.architectures {
        let line = Line {
            resource,
            seen,
            architecture: *architecture,
            ours: names::ours(resource, seen, *architecture),
        };
        plan.groups.insert(line.group(), line.ours.len());
        match resource.policy.ensure {
            Goal::Present => line.present(&mut plan, now),
            Goal::Absent => line.absent(&mut plan),
        }
        healths.push(std::mem::replace(&mut plan.health, Health::Ready));
    }
    if resource.policy.ensure == Goal::Present {
        build::dropped(&mut plan, resource, seen);
    }
    plan.health = overall(healths);
    // What puts names right comes before every deletion, of whatever architecture.
    plan.steps.sort_by_key(|it| match &it.op {
        Op::Change(op) => it.chain == op.subject.object && op.effect != Effect::Adopt,
        Op::Build(_) => false,
    });
    plan
}

/// How a line is whose architectures are so: what is amiss with any is said, and while one is on its way the line is.
fn overall(healths: Vec<Health>) -> Health {
    let (mut working, mut stuck) = (Vec::new(), Vec::new());
    for health in healths {
        match health {
            Health::Ready => {}
            Health::Working(why) => working.push(why),
            Health::Stuck(why) => stuck.push(why),
        }
    }
    let health = if working.is_empty() {
        Health::Stuck
    } else {
        Health::Working
    };
    let all = working.into_iter().chain(stuck);
    let together = all.reduce(|first, next| {
        Why::new(first.reason, format!("{}\n{}", first.message, next.message))
    });
    together.map_or(Health::Ready, health)
}

/// One architecture of a line.
pub(super) struct Line<'a> {
    pub(super) resource: &'a Resource<Spec>,
    pub(super) seen: &'a Seen,
    pub(super) architecture: Architecture,
    /// Our images, the newest first.
    pub(super) ours: Vec<&'a Image>,
}

impl Line<'_> {
    fn group(&self) -> String {
        format!("images {}", self.architecture)
    }

    fn present(&self, plan: &mut Plan<Op>, now: Timestamp) {
        let adoptable = names::adoptable(self.resource, self.seen, self.architecture);
        for image in &adoptable {
            let cause = Cause::Upstream("an image of this line that nobody owns".to_owned());
            self.step(plan, image, Effect::Adopt, cause);
        }
        // Nothing else happens to a line in the pass that adopts: a person can still object.
        if !adoptable.is_empty() {
            return;
        }
        let spec = &self.resource.spec;
        let goes = |it: &&&Image| it.phase == Phase::Failed && !retention::stays(spec, it);
        for failed in self.ours.iter().filter(goes) {
            let cause = Cause::Upstream("the image could not be made".to_owned());
            self.delete(plan, failed, None, &cause);
        }
        let before = plan.steps.len();
        let mut surplus = Vec::new();
        let target = names::target(self.resource, self.seen, (self.architecture, &self.ours));
        match target {
            Target::Image(target) => surplus = self.serve(plan, target),
            Target::PinMissing => {
                let pin = self.resource.spec.pinned().unwrap_or_default();
                let message = format!(
                    "spec.latest.imageId names {pin}, which is no Available image of this line"
                );
                plan.worsen(Health::Stuck(Why::new("PinMissing", message)));
            }
            Target::None => {}
        }
        // The machine that it was made of need not wait until others may use it too.
        let shares = |it: &Step<Op>| matches!(&it.op, Op::Change(it) if matches!(it.effect, Effect::Share { .. }));
        let is_served = plan.steps[before..].iter().all(shares);
        let place = (self.architecture, now, is_served);
        build::present(plan, self.resource, self.seen, place);
        if target == Target::None {
            plan.worsen(self.without_image());
        }
        // What is more than is kept goes on a listing that shows all the rest to hold.
        if plan.steps.len() == before {
            for (image, target) in surplus {
                let cause = Cause::Clock(format!(
                    "retention.keep={}",
                    self.resource.spec.retention.keep
                ));
                self.delete(plan, image, Some(target), &cause);
            }
        }
    }

    fn without_image(&self) -> Health {
        let prefix = names::line(&self.resource.spec, self.architecture);
        let wanted = build::wanted(self.resource, self.seen, self.architecture);
        match wanted {
            _ if self.ours.iter().any(|it| it.phase == Phase::Making) => {
                let message = format!("the image of {prefix} is being made");
                Health::Working(Why::new("ImageNotAvailable", message))
            }
            Wanted::Newest => {
                let message =
                    format!("there is no Available image of {prefix}, and nothing builds one");
                Health::Stuck(Why::new("NoImage", message))
            }
            Wanted::Version(_) | Wanted::Unknown => {
                let message = format!("there is no Available image of {prefix} yet");
                Health::Working(Why::new("ImageNotAvailable", message))
            }
        }
    }

    fn absent(&self, plan: &mut Plan<Op>) {
        let off = (self.architecture, "policy.ensure");
        build::absent(plan, self.resource, self.seen, off);
        let latest = names::latest(&self.resource.spec, self.architecture);
        let mut ours = self.ours.clone();
        ours.sort_by_key(|it| (it.name == latest, it.created));
        for image in ours {
            let kept = retention::kept_because(&self.resource.spec, image);
            match (image.phase, kept) {
                (Phase::Making, _) => {
                    let message = format!("{} is being made; it goes when it is there", image.id);
                    plan.worsen(Health::Working(Why::new("ImageNotAvailable", message)));
                }
                (_, Some((kind @ ("InUse" | "Shared" | "Kept"), because))) => {
                    self.keep(plan, image, (kind, because));
                }
                (Phase::Available | Phase::Failed | Phase::Withdrawn, _) => {
                    self.delete(plan, image, None, &Cause::File("policy.ensure"));
                }
            }
        }
    }

    /// Says that an image stays although it is to go.
    fn keep(&self, plan: &mut Plan<Op>, image: &Image, (kind, because): (&'static str, &str)) {
        let why = Why::new(kind, format!("{} stays: {because}", image.id));
        plan.notices.push(Notice {
            kind,
            why: why.clone(),
        });
        match self.resource.policy.ensure {
            Goal::Present => {}
            Goal::Absent => plan.worsen(Health::Stuck(why)),
        }
    }

    /// What effects on names, marks and owners are taken in the order of.
    pub(super) fn chain(&self) -> String {
        format!("names {}", self.architecture)
    }

    /// One effect on the names, marks and owner of an image: these are done in their order.
    pub(super) fn step(&self, plan: &mut Plan<Op>, image: &Image, effect: Effect, cause: Cause) {
        let chain = if effect == Effect::Adopt {
            image.id.to_string()
        } else {
            self.chain()
        };
        let op = Op::Change(Change {
            subject: self.subject(image),
            effect,
        });
        plan.steps.push(Step {
            op,
            cause,
            chain,
            group: None,
        });
    }

    /// Deletes an image, unless a launch template names it or may do so.
    fn delete(&self, plan: &mut Plan<Op>, image: &Image, serving: Option<&Image>, cause: &Cause) {
        match word_on(image, self.seen) {
            Word::Free => {}
            Word::Named(how) => return self.keep(plan, image, ("InUse", &how)),
            Word::Unknown(reason) => {
                let object = image.id.to_string();
                return plan.unknown.push(UnknownObject { object, reason });
            }
        }
        // Where it holds the name that is moved next, that waits for it.
        let latest = names::latest(&self.resource.spec, self.architecture);
        let chain = match image.phase {
            Phase::Failed if image.name == latest => self.chain(),
            Phase::Making | Phase::Available | Phase::Failed | Phase::Withdrawn => {
                image.id.to_string()
            }
        };
        // What a build of ours could not make is no loss, however often that happens.
        let is_refuse = image.phase == Phase::Failed && image.tags.contains_key(tags::BUILDER);
        let mut push = |effect| {
            plan.steps.push(Step {
                op: Op::Change(Change {
                    subject: self.subject(image),
                    effect,
                }),
                cause: cause.clone(),
                chain: chain.clone(),
                group: Some(self.group()).filter(|_| !is_refuse),
            });
        };
        match share::toward(self.seen, image, &BTreeSet::new()) {
            Ok(effects) => effects.into_iter().for_each(&mut push),
            Err(fault) => {
                let (object, reason) = (image.id.to_string(), fault.to_string());
                return plan.unknown.push(UnknownObject { object, reason });
            }
        }
        if self.resource.spec.retention.delete_snapshots && !image.snapshots.is_empty() {
            push(Effect::Orphan {
                snapshots: image.snapshots.clone(),
            });
        }
        push(Effect::Delete {
            size_gib: image.size_gib,
            created: image.created,
            serving: serving.map(|it| it.id.clone()),
        });
        // Whatever becomes of this pass, the next one looks for what the image leaves behind.
        plan.remember.insert(SWEPT.into(), None);
    }

    fn subject(&self, image: &Image) -> Subject {
        Subject {
            place: self.seen.home.place.clone(),
            scope: self.seen.home.scope.clone(),
            owner: self.resource.id.clone(),
            object: image.id.to_string(),
            name: image.name.clone(),
        }
    }
}
