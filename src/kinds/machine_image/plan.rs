//! What to do about a line of images: adopt, name, mark, and only when all of that holds, delete the surplus.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::ids::AccountId;
use crate::kinds::architecture::Architecture;
use crate::kinds::tags::{self, Owner};
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
    plan.health = overall(healths, is_building(&plan));
    // What puts names right comes before every deletion, of whatever architecture.
    plan.steps.sort_by_key(|it| match &it.op {
        Op::Change(op) => it.chain == op.subject.object && op.effect != Effect::Adopt,
        Op::Build(_) => false,
    });
    plan
}

fn is_building(plan: &Plan<Op>) -> bool {
    let builds = |it: &Step<Op>| matches!(it.op, Op::Build(_));
    !plan.underway.is_empty() || plan.steps.iter().any(builds)
}

/// How a line is whose architectures are so: what is amiss with any is said. While something is built for one, nobody may
/// leave a machine alone because another one is stuck.
fn overall(healths: Vec<Health>, is_building: bool) -> Health {
    let (mut stuck, mut working) = (Vec::new(), Vec::new());
    for health in healths {
        match health {
            Health::Ready => {}
            Health::Working(why) => working.push(why),
            Health::Stuck(why) => stuck.push(why),
        }
    }
    let is_stuck = !stuck.is_empty() && !is_building;
    let mut all = stuck.into_iter().chain(working);
    let Some(mut first) = all.next() else {
        return Health::Ready;
    };
    for why in all {
        first.message = format!("{}\n{}", first.message, why.message);
    }
    if is_stuck {
        Health::Stuck(first)
    } else {
        Health::Working(first)
    }
}

/// One architecture of a line.
struct Line<'a> {
    resource: &'a Resource<Spec>,
    seen: &'a Seen,
    architecture: Architecture,
    /// Our images, the newest first.
    ours: Vec<&'a Image>,
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
        let prefix = format!("{}-{}", self.resource.spec.name_prefix, self.architecture);
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

    /// Makes `-latest`, the tag `Latest` and the family name `target`; once they do, says what is more than is kept.
    fn serve<'a>(&'a self, plan: &mut Plan<Op>, target: &'a Image) -> Vec<(&'a Image, &'a Image)> {
        if let Some(health) = self.name_taken(plan, target) {
            if let Health::Stuck(why) = &health {
                plan.notices.push(Notice {
                    kind: "NameTaken",
                    why: why.clone(),
                });
            }
            plan.worsen(health);
            return Vec::new();
        }
        let before = plan.steps.len();
        self.name(plan, target);
        self.mark(plan, target);
        self.share(plan, target);
        if plan.steps.len() > before || plan.steps.iter().any(|it| it.chain == self.chain()) {
            return Vec::new();
        }
        let verdict = retention::judge(&self.resource.spec, &self.ours, &target.id);
        plan.notices.extend(verdict.notices);
        verdict.surplus.into_iter().map(|it| (it, target)).collect()
    }

    /// Shares what `-latest` names with exactly those accounts that are written.
    fn share(&self, plan: &mut Plan<Op>, target: &Image) {
        let Some(share) = &self.resource.spec.share else {
            return;
        };
        let wanted = share.accounts.iter().map(|it| AccountId::new(it)).collect();
        match share::toward(self.seen, target, &wanted) {
            Ok(effects) => {
                for effect in effects {
                    self.step(plan, target, effect, Cause::File("spec.share.accounts"));
                }
            }
            Err(fault) => plan.unknown.push(UnknownObject {
                object: target.id.to_string(),
                reason: fault.to_string(),
            }),
        }
    }

    /// Whether the name `-latest` belongs to something that does not give it up.
    fn name_taken(&self, plan: &Plan<Op>, target: &Image) -> Option<Health> {
        let name = names::latest(&self.resource.spec, self.architecture);
        let goes = |image: &Image| {
            let mut objects = plan.steps.iter().map(|it| crate::kind::Op::object(&it.op));
            objects.any(|it| it == Some(image.id.as_str()))
        };
        let is_of_line = |image: &Image| self.ours.iter().any(|it| it.id == image.id);
        let stays = |it: &Image| match it.phase {
            Phase::Making => true,
            Phase::Failed => !is_of_line(it) || !goes(it),
            Phase::Available | Phase::Withdrawn => !is_of_line(it),
        };
        let mut images = self.seen.images.iter();
        let holder = images.find(|it| it.name == name && it.id != target.id && stays(it))?;
        let id = &holder.id;
        let because = match (holder.phase, holder.owner(self.resource, &self.seen.home)) {
            (Phase::Making, Owner::Nobody | Owner::Ours) => {
                return Some(Health::Working(Why::new(
                    "ImageNotAvailable",
                    format!("{id} holds the name {name} and is being made"),
                )));
            }
            (Phase::Failed, Owner::Ours) if retention::stays(&self.resource.spec, holder) => {
                "is kept"
            }
            (Phase::Failed, Owner::Ours) if is_of_line(holder) => {
                return Some(Health::Working(Why::new(
                    "NameTaken",
                    format!("{id} holds the name {name}, could not be made, and stays for now"),
                )));
            }
            (_, Owner::Ours) => "is of another architecture",
            (_, Owner::Nobody | Owner::Resource(_) | Owner::Scope(_)) => "is not ours",
        };
        let message = format!(
            "{id} holds the name {name} and {because}; rename it, or choose another prefix"
        );
        Some(Health::Stuck(Why::new("NameTaken", message)))
    }

    fn name(&self, plan: &mut Plan<Op>, target: &Image) {
        let spec = &self.resource.spec;
        let latest = names::latest(spec, self.architecture);
        let is_misnamed = |image: &&&Image| match image.phase {
            Phase::Making | Phase::Failed => false,
            Phase::Available | Phase::Withdrawn => {
                image.id != target.id && !names::is_dated(spec, self.architecture, &image.name)
            }
        };
        let misnamed: Vec<&&Image> = self.ours.iter().filter(is_misnamed).collect();
        let mut taken = BTreeSet::new();
        if !misnamed.is_empty() {
            taken.extend(self.seen.images.iter().map(|it| it.name.clone()));
        }
        for image in misnamed {
            let to = names::free_dated(spec, self.architecture, image.dated(), &taken);
            taken.insert(to.clone());
            let cause = if image.name == latest {
                self.moved(target)
            } else {
                Cause::Drift
            };
            // Between the two renames of a swap the name names nothing: both images are looked at before the first.
            let successor = (image.name == latest).then(|| target.id.clone());
            let rename = Effect::Rename {
                to,
                family: None,
                successor,
            };
            self.step(plan, image, rename, cause);
        }
        let family = spec.family(self.architecture);
        if target.name != latest {
            let rename = Effect::Rename {
                to: latest,
                family: Some(family),
                successor: None,
            };
            self.step(plan, target, rename, self.moved(target));
        } else if target.family.as_ref() != Some(&family) {
            self.step(plan, target, Effect::Family { to: family }, Cause::Drift);
        }
    }

    fn mark(&self, plan: &mut Plan<Op>, target: &Image) {
        let is_named = target.name == names::latest(&self.resource.spec, self.architecture);
        let cause = || {
            if is_named {
                Cause::Drift
            } else {
                self.moved(target)
            }
        };
        if target.tags.get(tags::LATEST).is_none_or(|it| it != "true") {
            self.step(plan, target, Effect::Mark, cause());
        }
        let family = self.resource.spec.family(self.architecture);
        for image in self
            .ours
            .iter()
            .filter(|it| it.id != target.id && it.phase != Phase::Making)
        {
            if image.tags.contains_key(tags::LATEST) {
                self.step(plan, image, Effect::Unmark, cause());
            }
            // A lookup by family gives the newest image of it (ECS API reference, DescribeImageFromFamily), so only
            // those that are newer than what `-latest` names are in its way. That an empty family is removed is not
            // documented: they go to a family of their own.
            if image.created >= target.created && image.family.as_ref() == Some(&family) {
                let to = format!("{family}-retired");
                self.step(plan, image, Effect::Family { to }, cause());
            }
        }
    }

    fn absent(&self, plan: &mut Plan<Op>) {
        build::absent(plan, self.resource, self.seen, self.architecture);
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

    fn moved(&self, target: &Image) -> Cause {
        if self.resource.spec.pinned() == Some(target.id.as_str()) {
            Cause::File("spec.latest.imageId")
        } else {
            Cause::Upstream(format!("{} is the newest", target.id))
        }
    }

    fn chain(&self) -> String {
        format!("names {}", self.architecture)
    }

    /// One effect on the names, marks and owner of an image: these are done in their order.
    fn step(&self, plan: &mut Plan<Op>, image: &Image, effect: Effect, cause: Cause) {
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
