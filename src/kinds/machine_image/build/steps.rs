//! What a build asks for, as steps of the line's plan.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::kinds::architecture::Architecture;
use crate::kinds::tags;
use crate::plan::{Cause, Health, Plan, Rent, Step, UnknownObject, Why};
use crate::report::cny;
use crate::resource::{Decimal, Resource};

use super::super::change::Subject;
use super::super::names;
use super::super::op::Op as AnyOp;
use super::super::seen::Seen;
use super::super::spec::Spec;
use super::awaited::Await;
use super::course::{Course, Stage, course};
use super::history::{Loss, Lost};
use super::launch;
use super::op::{Effect, Op};
use super::seen::{Bench, Builder};

/// How soon it is worth asking again what is sold, where nothing was: each time a price for each type is asked for.
const NO_CAPACITY: Duration = Duration::from_secs(15 * 60);

/// Adds what the build of one architecture asks for. `served`: the names of the line are right.
pub(in super::super) fn present(
    plan: &mut Plan<AnyOp>,
    resource: &Resource<Spec>,
    seen: &Seen,
    (architecture, now, served): (Architecture, Timestamp, bool),
) {
    if resource.spec.provision.is_none() {
        return;
    }
    let Some(bench) = known(plan, resource, seen, architecture) else {
        return;
    };
    let draft = Draft {
        resource,
        seen,
        bench,
        architecture,
        now,
    };
    draft.build(
        plan,
        &course(resource, seen, bench, (architecture, now)),
        served,
    );
}

/// Releases all machines for an architecture that a line does not build any more, and forgets them once they are gone; `field`
/// says so.
pub(in super::super) fn absent(
    plan: &mut Plan<AnyOp>,
    resource: &Resource<Spec>,
    seen: &Seen,
    (architecture, field): (Architecture, &'static str),
) {
    let Some(bench) = known(plan, resource, seen, architecture) else {
        return;
    };
    let draft = Draft {
        resource,
        seen,
        bench,
        architecture,
        now: seen.at,
    };
    plan.rents.extend(draft.rents());
    let is_mine = |it: &&Builder| it.architecture == Some(architecture);
    for builder in bench.builders.iter().filter(is_mine) {
        draft.step(plan, draft.on(builder, Effect::Release), Cause::File(field));
    }
    if !bench.builders.iter().any(|it| is_mine(&it)) {
        let mine = bench
            .lost
            .iter()
            .filter(|it| it.architecture == architecture);
        plan.remember
            .extend(mine.map(|it| (it.name().into(), None)));
    }
}

/// Releases the machines for what was taken out of the file while they built.
pub(in super::super) fn dropped(plan: &mut Plan<AnyOp>, resource: &Resource<Spec>, seen: &Seen) {
    let builds = resource.spec.provision.is_some();
    let is_known = matches!(seen.bench, Some(Fact::Known(_)));
    for architecture in Architecture::ALL {
        let is_declared = resource.spec.architectures.contains(&architecture);
        if is_declared && !builds {
            absent(plan, resource, seen, (architecture, "spec.provision"));
        }
        // That they could not be looked at is said of those that are declared.
        if !is_declared && is_known {
            absent(plan, resource, seen, (architecture, "spec.architectures"));
        }
    }
}

/// What was seen of builds; none: nothing is built, or that it could not be looked at is said.
fn known<'a>(
    plan: &mut Plan<AnyOp>,
    resource: &Resource<Spec>,
    seen: &'a Seen,
    architecture: Architecture,
) -> Option<&'a Bench> {
    match seen.bench.as_ref()? {
        Fact::Known(bench) => Some(bench),
        Fact::Unknown(fault) => {
            let object = names::line(&resource.spec, architecture);
            let reason = fault.to_string();
            plan.unknown.push(UnknownObject { object, reason });
            None
        }
    }
}

struct Draft<'a> {
    resource: &'a Resource<Spec>,
    seen: &'a Seen,
    bench: &'a Bench,
    architecture: Architecture,
    now: Timestamp,
}

impl Draft<'_> {
    fn build(&self, plan: &mut Plan<AnyOp>, course: &Course<'_>, served: bool) {
        for lost in &course.lost {
            plan.remember.insert(lost.name().into(), Some(lost.at));
        }
        self.forget(plan, course);
        plan.rents.extend(self.rents());
        for (builder, why) in &course.released {
            self.release(plan, builder, why);
        }
        for builder in &course.prolonged {
            if let Some(from) = builder.release {
                let cause = Cause::Clock("its image is not there yet".to_owned());
                self.step(plan, self.on(builder, Effect::Prolong { from }), cause);
            }
        }
        self.advance(plan, course, served);
    }

    fn advance(&self, plan: &mut Plan<AnyOp>, course: &Course<'_>, served: bool) {
        let because = || {
            Cause::Upstream(
                course
                    .base
                    .map_or_else(String::new, |it| format!("base {}", it.id)),
            )
        };
        match &course.stage {
            Stage::Built => {
                if let Some(builder) = course.builder.filter(|_| served) {
                    self.release(plan, builder, "its image is there");
                }
            }
            Stage::Launch(attempt) => self.launch(plan, course, *attempt),
            Stage::Provision(builder) => {
                let provision = Effect::Provision(Box::new(self.command(builder)));
                self.step(plan, self.on(builder, provision), because());
            }
            Stage::Stop(builder) => {
                let cause = Cause::Upstream("it is provisioned".to_owned());
                self.step(plan, self.on(builder, Effect::Stop), cause);
            }
            Stage::Image(builder, attempt) => {
                let image = Effect::Image {
                    attempt: *attempt,
                    image: Box::new(self.image(builder, course)),
                };
                let cause = Cause::Upstream("it is provisioned".to_owned());
                self.step(plan, self.on(builder, image), cause);
            }
            Stage::Await(what) => self.wait(plan, what),
            Stage::Stuck(why) => plan.worsen(Health::Stuck(self.named(why))),
        }
    }

    fn wait(&self, plan: &mut Plan<AnyOp>, what: &Await) {
        let look_again = what.look_again;
        let soonest = plan.look_again.map_or(look_again, |it| it.min(look_again));
        plan.look_again = Some(soonest);
        plan.worsen(Health::Working(self.named(&what.why)));
        plan.underway.extend(what.underway.clone());
    }

    /// What our machines cost, where their tag tells.
    fn rents(&self) -> Vec<Rent> {
        let mine = self.bench.builders.iter();
        mine.filter(|it| it.architecture == Some(self.architecture))
            .filter_map(rent)
            .collect()
    }

    /// Gives a machine back, and says what it cost.
    fn release(&self, plan: &mut Plan<AnyOp>, builder: &Builder, why: &str) {
        let cost = rent(builder).map(|it| format!("; it cost {} CNY", cny(it.by(self.now).0)));
        let cause = Cause::Upstream(format!("{why}{}", cost.unwrap_or_default()));
        self.step(plan, self.on(builder, Effect::Release), cause);
    }

    fn named(&self, why: &Why) -> Why {
        Why::new(why.reason, format!("{}: {}", self.line(), why.message))
    }

    /// What the images of the architecture are called, without their end.
    fn line(&self) -> String {
        names::line(&self.resource.spec, self.architecture)
    }

    /// What was remembered of other versions does not matter any more, nor that something was missed that is there.
    fn forget(&self, plan: &mut Plan<AnyOp>, course: &Course<'_>) {
        let Some(version) = &course.version else {
            return;
        };
        let lost = self.bench.lost.iter();
        let is_shown = |id: &str| self.seen.images.iter().any(|it| it.id.as_str() == id);
        let is_past = |it: &&Lost| {
            it.version != *version || (it.kind == Loss::Missing && is_shown(&it.object))
        };
        let of_it = lost.filter(|it| it.architecture == self.architecture);
        for lost in of_it.filter(is_past) {
            plan.remember.insert(lost.name().into(), None);
        }
    }

    fn launch(&self, plan: &mut Plan<AnyOp>, course: &Course<'_>, attempt: usize) {
        let offers = match self.bench.offers.get(&self.architecture) {
            Some(Fact::Known(ranking)) => ranking,
            // A mistake in the files, or a permission: looking again does not help.
            Some(Fact::Unknown(fault)) if fault.class.is_final() => {
                let why = Why::new("CannotChoose", fault);
                return plan.worsen(Health::Stuck(self.named(&why)));
            }
            Some(Fact::Unknown(fault)) => {
                let object = self.line();
                let reason = fault.to_string();
                return plan.unknown.push(UnknownObject { object, reason });
            }
            // Planned without a look at offers: nothing is launched.
            None => return,
        };
        let class = &self.bench.classes[&self.architecture];
        if let Some(none) = offers.why_none(class) {
            let why = Why::new("NoCapacity", none);
            if offers.dropped.types == 0 {
                return plan.worsen(Health::Stuck(self.named(&why)));
            }
            return self.wait(plan, &Await::another(why, NO_CAPACITY));
        }
        let (Some(version), Some(base)) = (&course.version, course.base) else {
            return;
        };
        let launching = launch::order(
            (self.resource, self.bench),
            (self.architecture, self.now),
            (version, base, &offers.candidates),
        );
        let op = Op {
            subject: self.subject(String::new(), launching.order.name.clone()),
            architecture: self.architecture,
            version: version.clone(),
            effect: Effect::Launch {
                attempt,
                launching: Box::new(launching),
            },
        };
        let cause = Cause::Upstream(format!("base {}", base.id));
        self.step(plan, op, cause);
    }

    fn command(&self, builder: &Builder) -> crate::providers::aliyun::Command {
        launch::command(self.resource, self.bench, builder)
    }

    fn image(&self, builder: &Builder, course: &Course<'_>) -> crate::providers::aliyun::NewImage {
        let spec = &self.resource.spec;
        let taken = self.seen.images.iter().map(|it| it.name.clone()).collect();
        let created = builder.created.unwrap_or(Timestamp::EPOCH);
        let name = names::free_dated(spec, self.architecture, Some(created), &taken);
        let base = course.base.map_or_else(String::new, |it| it.id.to_string());
        let mut all = self.bench.region.required_tags.clone();
        all.extend(tags::ownership(&self.seen.home.scope, &self.resource.id));
        let mut put = |key: &str, value: String| all.insert(key.to_owned(), value);
        put(tags::VERSION, builder.version.clone());
        put(tags::BUILDER, builder.id.to_string());
        // Consumers of today's scripts read these.
        put("VersionHash", builder.version.clone());
        put("BaseImageId", base.clone());
        put(tags::ARCHITECTURE, self.architecture.to_string());
        put(tags::BUILD_TIMESTAMP, (created.millis() / 1000).to_string());
        crate::providers::aliyun::NewImage {
            name,
            description: format!("{} for {} on {base}", spec.name_prefix, self.architecture),
            tags: all,
        }
    }

    fn on(&self, builder: &Builder, effect: Effect) -> Op {
        Op {
            subject: self.subject(builder.id.to_string(), builder.name.clone()),
            architecture: self.architecture,
            version: builder.version.clone(),
            effect,
        }
    }

    fn subject(&self, object: String, name: String) -> Subject {
        Subject {
            place: self.seen.home.place.clone(),
            scope: self.seen.home.scope.clone(),
            owner: self.resource.id.clone(),
            object,
            name,
        }
    }

    /// Steps of one build are taken in their order. None is guarded: what a line made for one piece of work goes with it.
    fn step(&self, plan: &mut Plan<AnyOp>, op: Op, cause: Cause) {
        plan.steps.push(Step {
            op: AnyOp::Build(op),
            cause,
            chain: format!("build {}", self.architecture),
            group: None,
        });
    }
}

/// What a machine costs; none: its tag does not tell.
fn rent(builder: &Builder) -> Option<Rent> {
    Some(Rent {
        object: builder.id.to_string(),
        machine: builder.machine.clone(),
        hourly_millionths: builder.price.parse::<Decimal>().ok()?.millionths(),
        since: builder.created?,
        until: builder.release,
    })
}
