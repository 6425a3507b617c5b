//! What `-latest` names, and who may use that: names, families, marks and shares.

use std::collections::BTreeSet;

use crate::ids::AccountId;
use crate::kinds::tags::{self, Owner};
use crate::plan::{Cause, Health, Notice, Plan, UnknownObject, Why};

use super::build::{self, Wanted};
use super::change::Effect;
use super::names;
use super::op::Op;
use super::plan::Line;
use super::retention;
use super::seen::{Image, Phase};
use super::share;

impl Line<'_> {
    /// Makes `-latest`, the tag `Latest` and the family name `target`; once they do, says what is more than is kept.
    pub(super) fn serve<'a>(
        &'a self,
        plan: &mut Plan<Op>,
        target: &'a Image,
    ) -> Vec<(&'a Image, &'a Image)> {
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
        let wanted = match build::wanted(self.resource, self.seen, self.architecture) {
            Wanted::Version(version) => Some(version),
            Wanted::Newest | Wanted::Unknown => None,
        };
        let spec = &self.resource.spec;
        let verdict = retention::judge(spec, &self.ours, (&target.id, wanted.as_deref()));
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

    fn moved(&self, target: &Image) -> Cause {
        if self.resource.spec.pinned() == Some(target.id.as_str()) {
            Cause::File("spec.latest.imageId")
        } else {
            Cause::Upstream(format!("{} is the newest", target.id))
        }
    }
}
