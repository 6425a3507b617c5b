//! Which rule keeps or removes one image or snapshot, and what would change that: pure.

use crate::kinds::architecture::Architecture;
use crate::kinds::tags::{self, Owner};
use crate::plan::{Because, Cause, Fate, Step};
use crate::resource::{Goal, Resource};

use super::change::Effect;
use super::names::{self, Target};
use super::op::Op;
use super::seen::{Image, Phase, Seen};
use super::spec::Spec;
use super::{plan, retention};

/// What is said of one object: its fate, the rule, what would change that, and the field that says so.
type Said = (Fate, String, String, &'static str);

pub(super) fn why(resource: &Resource<Spec>, seen: &Seen, object: &str) -> Option<Because> {
    let is_meant = |it: &&Image| it.id.as_str() == object || it.name == object;
    let Some(image) = seen.images.iter().find(is_meant) else {
        return snapshot(resource, seen, object);
    };
    let prefix = format!("{}-", resource.spec.name_prefix);
    let owner = image.owner(resource, &seen.home);
    if owner != Owner::Ours && !image.name.starts_with(&prefix) {
        return None;
    }
    let (fate, rule, change, field) = match owner {
        Owner::Scope(scope) => foreign(&format!("scope {scope}")),
        Owner::Resource(other) => foreign(&other),
        Owner::Ours | Owner::Nobody => ours(resource, seen, image),
    };
    Some(Because {
        object: image.id.to_string(),
        name: image.name.clone(),
        fate,
        rule,
        change,
        field,
    })
}

fn foreign(whose: &str) -> Said {
    let change = format!("remove its tag {}, or change it there", tags::OWNER);
    (
        Fate::LeftAlone,
        format!("it belongs to {whose}"),
        change,
        "spec.namePrefix",
    )
}

/// What the plan does with it says more than any rule.
fn ours(resource: &Resource<Spec>, seen: &Seen, image: &Image) -> Said {
    let plan = plan::plan(resource, seen, seen.at);
    let on_image = |it: &Step<Op>| match &it.op {
        Op::Change(op) if op.subject.object == image.id.as_str() => {
            Some((op.effect.clone(), it.cause.clone()))
        }
        Op::Change(_) | Op::Build(_) => None,
    };
    let steps: Vec<(Effect, Cause)> = plan.steps.iter().filter_map(on_image).collect();
    let is_deletion = |it: &&(Effect, Cause)| matches!(it.0, Effect::Delete { .. });
    let first = steps.iter().find(is_deletion).or_else(|| steps.first());
    let said = match first.map(|(effect, cause)| (effect, cause)) {
        Some((Effect::Delete { .. } | Effect::Orphan { .. }, cause)) => removed(image, cause),
        Some((Effect::Adopt, _)) => (
            Fate::Changes,
            "nobody owns it and it has exactly a name of this line, so it becomes ours".to_owned(),
            "spec.adopt: ByTag leaves it alone".to_owned(),
            "spec.adopt",
        ),
        Some(_) | None => stays(resource, seen, image),
    };
    match &resource.policy.suspend {
        Some(reason) => {
            let (fate, rule, change, field) = said;
            let rule = format!("{rule}; held back by policy.suspend: {reason}");
            (fate, rule, change, field)
        }
        None => said,
    }
}

fn removed(image: &Image, cause: &Cause) -> Said {
    let keep = format!("its id {} in spec.retention.keepIds", image.id);
    match cause {
        Cause::File(field) => (
            Fate::Goes,
            format!("{field} says so"),
            format!("policy.ensure: Present, or {keep}"),
            field,
        ),
        Cause::Clock(rule) => (
            Fate::Goes,
            format!("more newer images are there than {rule} keeps"),
            format!("a greater spec.retention.keep, or {keep}"),
            "spec.retention.keep",
        ),
        Cause::Upstream(what) => (Fate::Goes, what.clone(), keep, "spec.namePrefix"),
        Cause::Drift | Cause::Resume => (
            Fate::Goes,
            "an earlier pass began to remove it".to_owned(),
            keep,
            "spec.namePrefix",
        ),
    }
}

fn stays(resource: &Resource<Spec>, seen: &Seen, image: &Image) -> Said {
    let spec = &resource.spec;
    let kept =
        |rule: &str, change: &str, field| (Fate::Kept, rule.to_owned(), change.to_owned(), field);
    let declared = image
        .architecture
        .filter(|it| spec.architectures.contains(it));
    let Some(architecture) = declared else {
        let rule = "its architecture is none of this line's".to_owned();
        let change = "declare it in spec.architectures".to_owned();
        return (Fate::LeftAlone, rule, change, "spec.architectures");
    };
    if image.owner(resource, &seen.home) == Owner::Nobody {
        return not_adopted(spec, architecture);
    }
    match image.phase {
        Phase::Making => {
            return kept(
                "it is being made",
                "it counts once it is Available",
                "spec.retention",
            );
        }
        Phase::Withdrawn => {
            let rule =
                "it is UnAvailable or Deprecated: such images are neither counted nor deleted";
            return kept(
                rule,
                "delete it by hand, or make it Available again",
                "spec.retention",
            );
        }
        Phase::Available | Phase::Failed => {}
    }
    if let Some((_, because)) = retention::kept_because(spec, image) {
        return kept(
            because,
            "it counts as the others once that is no longer so",
            "spec.retention.keepIds",
        );
    }
    if resource.policy.ensure == Goal::Absent {
        return kept(
            "it goes last, when all others are gone",
            "policy.ensure: Present",
            "policy.ensure",
        );
    }
    let line = Ranked {
        resource,
        seen,
        architecture,
    };
    line.said(image)
}

fn not_adopted(spec: &Spec, architecture: Architecture) -> Said {
    let rule = "nobody owns it, and it is not adopted: its name is not exactly one of this line, or spec.adopt is ByTag";
    let change = format!(
        "name it {}, or set its tags {} and {}",
        names::latest(spec, architecture),
        tags::MANAGED_BY,
        tags::OWNER
    );
    (Fate::LeftAlone, rule.to_owned(), change, "spec.adopt")
}

struct Ranked<'a> {
    resource: &'a Resource<Spec>,
    seen: &'a Seen,
    architecture: Architecture,
}

impl Ranked<'_> {
    fn said(&self, image: &Image) -> Said {
        let spec = &self.resource.spec;
        let keep = spec.retention.keep;
        let kept = |rule: String, change: String, field| (Fate::Kept, rule, change, field);
        let ours = names::ours(self.resource, self.seen, self.architecture);
        let serving = match names::target(self.resource, self.seen, (self.architecture, &ours)) {
            Target::Image(target) => &target.id,
            Target::PinMissing | Target::None => {
                let rule = "nothing is deleted while -latest names no Available image".to_owned();
                return kept(
                    rule,
                    "an Available image of this line".to_owned(),
                    "spec.latest",
                );
            }
        };
        if image.id == *serving {
            return match spec.pinned() {
                Some(_) => kept(
                    "-latest names it: spec.latest.imageId says so".to_owned(),
                    "another spec.latest.imageId, or none".to_owned(),
                    "spec.latest.imageId",
                ),
                None => kept(
                    "-latest names it: it is the newest Available one of its line".to_owned(),
                    "a newer Available image of this line, or spec.latest.imageId".to_owned(),
                    "spec.latest",
                ),
            };
        }
        let counted = ours
            .iter()
            .filter(|it| it.phase == Phase::Available && it.id != *serving);
        let rank = counted.take_while(|it| it.id != image.id).count() + 2;
        if rank <= usize::try_from(keep).unwrap_or(usize::MAX) {
            let newer = usize::try_from(keep).unwrap_or(usize::MAX) + 1 - rank;
            return kept(
                format!("it is number {rank} of the {keep} that spec.retention.keep keeps"),
                format!("{newer} newer images, or spec.retention.keep: {}", rank - 1),
                "spec.retention.keep",
            );
        }
        kept(
            format!(
                "it is number {rank}, more than spec.retention.keep={keep}, and goes once -latest names what it should"
            ),
            format!("spec.retention.keep: {rank}, or its id in spec.retention.keepIds"),
            "spec.retention.keep",
        )
    }
}

fn snapshot(resource: &Resource<Spec>, seen: &Seen, object: &str) -> Option<Because> {
    let because = |fate, rule: String, change: &str| {
        Some(Because {
            object: object.to_owned(),
            name: String::new(),
            fate,
            rule,
            change: change.to_owned(),
            field: "spec.retention.deleteSnapshots",
        })
    };
    let orphans = retention::orphans(resource, seen);
    if let Some((_, image)) = orphans.iter().find(|(it, _)| it.id.as_str() == object) {
        let rule = format!("it stood behind {image}, which is gone");
        return because(Fate::Goes, rule, "spec.retention.deleteSnapshots: false");
    }
    let is_behind = |it: &&Image| it.snapshots.iter().any(|it| it.as_str() == object);
    let image = seen.images.iter().find(is_behind)?;
    if image.owner(resource, &seen.home) != Owner::Ours {
        return None;
    }
    let rule = format!("it stands behind {} ({})", image.id, image.name);
    because(Fate::Kept, rule, "it goes when that image goes")
}
