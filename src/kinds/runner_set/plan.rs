//! As many machines as jobs wait for, and none that nobody needs.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::plan::{Cause, Health, Plan, Rent, Step, Underway, UnknownObject, Why};
use crate::resource::{Decimal, Resource};

use super::count::{Count, STRAY_AFTER, STRAY_AGE, coming, count, is_held, what};
use super::demand::{self, Key, Waiting};
use super::judge::{Reason, Verdict};
use super::launch::{launching, renewal};
use super::memory::{failed_key, hash, stray_key, used_key};
use super::op::{Effect, Op};
use super::seen::{Machine, Market, Phase, Runner, Seen, VISIBLE};
use super::spec::Spec;

/// How soon it is worth looking while something changes that does not take long.
const SOON: Duration = Duration::from_secs(15);
/// How soon it is worth looking while jobs run: then machines are paid for.
const RUNNING: Duration = Duration::from_secs(30);
/// How soon it is worth asking again what is sold, where nothing was.
const NO_CAPACITY: Duration = Duration::from_secs(300);

pub(super) fn plan(resource: &Resource<Spec>, seen: &Seen, now: Timestamp) -> Plan<Op> {
    let mut draft = Draft {
        resource,
        seen,
        now,
        plan: Plan::idle(Health::Ready),
    };
    let plan = &mut draft.plan;
    plan.listings.extend(seen.listings.clone());
    // A list that has something needs no proof, and the next one that is empty needs a new one.
    if seen.proven.is_some() || seen.listed > 0 {
        plan.remember.insert(VISIBLE.into(), seen.proven);
    }
    let count = count(resource, seen, now);
    draft.remember(&count);
    draft.sweep();
    for (machine, verdict) in &count.verdicts {
        draft.act(machine, verdict);
    }
    if let Fact::Unknown(fault) = &seen.jobs {
        let object = format!("jobs of {}", resource.spec.github_config_url);
        let reason = fault.to_string();
        draft.plan.unknown.push(UnknownObject { object, reason });
    }
    for (repository, fault) in &seen.unread {
        let object = format!("jobs of {repository}");
        let reason = fault.to_string();
        draft.plan.unknown.push(UnknownObject { object, reason });
    }
    draft.launch(&count);
    draft.plan
}

struct Draft<'a> {
    resource: &'a Resource<Spec>,
    seen: &'a Seen,
    now: Timestamp,
    plan: Plan<Op>,
}

impl Draft<'_> {
    fn remember(&mut self, count: &Count<'_>) {
        let (seen, memory) = (self.seen, &self.seen.memory);
        let hash = hash(&self.resource.spec);
        let remember = &mut self.plan.remember;
        for past in &memory.past {
            remember.insert(past.clone().into(), None);
        }
        if count.failed.1.is_none() {
            let failed = memory.failed.keys();
            remember.extend(failed.map(|it| (failed_key(&hash, it).into(), None)));
        }
        for (machine, verdict) in &count.verdicts {
            if let Verdict::Goes(reason) = verdict
                && reason.is_failure()
                && count.failed.1.is_some()
            {
                let since = memory.failed.get(&machine.name).copied();
                let key = failed_key(&hash, &machine.name);
                remember.insert(key.into(), Some(since.unwrap_or(self.now)));
            }
        }
        // The name of a machine is not used again while its job waits, or for nobody within the day.
        let Fact::Known(jobs) = &seen.jobs else {
            return;
        };
        let is_open = |name: &str| {
            let waits = |it: &Waiting| what(name) == Some(it.id.to_string());
            jobs.iter().any(waits) || seen.machines.iter().any(|it| it.name == name)
        };
        for machine in &seen.machines {
            let since = memory.used.get(&machine.name).copied();
            let key = used_key(&machine.name);
            remember.insert(key.into(), Some(since.unwrap_or(self.now)));
        }
        let closed = memory.used.keys().filter(|it| !is_open(it));
        remember.extend(closed.map(|it| (used_key(it).into(), None)));
    }

    /// How long a machine may take to come up, twice.
    fn startup_max(&self) -> Duration {
        self.resource.spec.startup_timeout.0 * 2
    }

    /// Records without a machine: of somebody who died between registering and renting, or whose machine was taken away.
    fn sweep(&mut self) {
        let seen = self.seen;
        for stray in &seen.strays {
            let known = seen.memory.strays.get(&stray.id).copied();
            let since = known.filter(|it| *it <= self.now).unwrap_or(self.now);
            self.plan
                .remember
                .insert(stray_key(stray.id).into(), Some(since));
            let lasted = self.now.since(since);
            let age = stray.registered.map(|it| self.now.since(it));
            let is_old = age.is_some_and(|it| it >= STRAY_AGE.max(self.startup_max()));
            match stray.runner {
                Runner::Offline if lasted >= STRAY_AFTER || is_old => {
                    let effect = Effect::Sweep {
                        of: seen.of.clone(),
                    };
                    let cause = Cause::Upstream("its machine is gone".to_owned());
                    let op = self.op((stray.id.to_string(), stray.name.clone()), effect);
                    self.step(op, cause, &format!("runner {}", stray.id));
                }
                Runner::Offline => {
                    let message = format!("the runner {} has no machine yet", stray.name);
                    self.wait("Registered", message, STRAY_AFTER.saturating_sub(lasted));
                }
                Runner::Busy => {
                    let message = format!("GitHub waits for {}, whose machine is gone", stray.name);
                    self.wait("Lost", message, Duration::from_secs(60));
                }
                // Listings of instances may be late.
                Runner::Idle | Runner::Gone => {}
            }
        }
        let is_gone = |id: &&u64| !seen.strays.iter().any(|it| it.id == **id);
        let gone = seen.memory.strays.keys().filter(is_gone);
        self.plan
            .remember
            .extend(gone.map(|it| (stray_key(*it).into(), None)));
    }

    fn act(&mut self, machine: &Machine, verdict: &Verdict) {
        self.plan.rents.extend(rent(machine));
        let (id, name) = (&machine.id, &machine.name);
        match verdict {
            Verdict::Unknown(reason) => {
                self.plan.unknown.push(UnknownObject {
                    object: id.to_string(),
                    reason: reason.clone(),
                });
                // It may have a job: while GitHub is silent nothing but its lease would end it.
                if machine.phase == Phase::Running {
                    self.renew(machine);
                }
            }
            Verdict::Comes(rest) => {
                let message = format!("{name} is coming up");
                self.underway(machine, "is coming up");
                self.wait(
                    "Starting",
                    message,
                    SOON.min((*rest).max(Duration::from_secs(1))),
                );
            }
            Verdict::Works => {
                self.underway(machine, "has a job");
                self.wait("Running", format!("{name} has a job"), RUNNING);
                self.renew(machine);
            }
            Verdict::Waits(age) => {
                self.renew(machine);
                if self.is_spare() {
                    return;
                }
                let rest = self.resource.spec.idle_after.0.saturating_sub(*age);
                let message = format!("{name} waits for a job");
                self.wait(
                    "Waiting",
                    message,
                    (rest + Duration::from_secs(1)).min(RUNNING),
                );
            }
            Verdict::Leaves => self.wait("Leaving", format!("{name} is going down"), SOON),
            Verdict::Goes(reason) => self.remove(machine, *reason),
        }
    }

    /// Whether a runner may wait for jobs when there are none.
    fn is_spare(&self) -> bool {
        self.resource.spec.min_runners > 0
            && matches!(&self.seen.jobs, Fact::Known(jobs) if jobs.is_empty())
    }

    fn renew(&mut self, machine: &Machine) {
        let times = (machine.created, machine.release);
        let to = renewal(&self.resource.spec, times, self.now);
        if let (Some(from), Some(to)) = (machine.release, to) {
            let op = self.on(machine, Effect::Renew { from, to });
            let cause = Cause::Clock(format!("lease={}", self.resource.spec.lease));
            self.step(op, cause, machine.id.as_str());
        }
    }

    /// The order is fixed: the runner first, for that alone tells without doubt that it has no job and gets none.
    fn remove(&mut self, machine: &Machine, reason: Reason) {
        let cost = rent(machine).map(|it| crate::report::cny(it.by(self.now).0));
        let cost = cost
            .map(|it| format!("; it cost {it} CNY"))
            .unwrap_or_default();
        let cause = Cause::Upstream(format!("{}{cost}", reason.words()));
        let record = machine.record.clone();
        let is_registered = machine.runner != Fact::Known(Runner::Gone);
        if let Some((of, runner)) = record.clone().filter(|_| is_registered) {
            let times = (machine.created, machine.release);
            let renewed = renewal(&self.resource.spec, times, self.now);
            let effect = Effect::Deregister {
                of,
                runner,
                renewed,
            };
            let op = self.on(machine, effect);
            self.step(op, cause.clone(), machine.id.as_str());
        }
        let effect = Effect::Delete {
            record,
            keeps_console: reason.is_failure(),
        };
        let op = self.on(machine, effect);
        self.step(op, cause, machine.id.as_str());
    }

    fn launch(&mut self, count: &Count<'_>) {
        let spec = &self.resource.spec;
        if let Some((until, is_stuck)) = is_held(self.resource, count, self.now) {
            let (failed, rest) = (count.failed.0, until.since(self.now));
            if count.missing == 0 {
                return;
            }
            let message =
                format!("{failed} starts failed in a row; the next one is tried at {until}");
            if is_stuck {
                self.plan.look_again = self.plan.look_again.or(Some(rest));
                let why = Why::new("BackoffLimitExceeded", message);
                return self.plan.worsen(Health::Stuck(why));
            }
            return self.wait("BackingOff", message, rest.max(Duration::from_secs(1)));
        }
        if count.missing == 0 {
            if let Fact::Known(jobs) = &self.seen.jobs
                && jobs.len() > coming(count)
            {
                let most = spec.max_runners;
                let message = format!("{} jobs wait, and maxRunners is {most}", jobs.len());
                self.wait("Full", message, RUNNING);
            }
            return;
        }
        match &self.seen.market {
            Some(Fact::Known(market)) => self.launch_on(market, count),
            Some(Fact::Unknown(fault)) if fault.class.is_final() => {
                let why = Why::new("CannotChoose", fault);
                self.plan.worsen(Health::Stuck(why));
            }
            Some(Fact::Unknown(fault)) => {
                let object = format!("machines for {}", self.resource.id.name);
                let reason = fault.to_string();
                self.plan.unknown.push(UnknownObject { object, reason });
            }
            // Planned without a look at what is sold: nothing is launched.
            None => self.look_again(SOON),
        }
    }

    fn launch_on(&mut self, market: &Market, count: &Count<'_>) {
        let image = match &market.image {
            Ok(image) => image,
            Err(why) => return self.wait("NoImage", why.clone(), NO_CAPACITY),
        };
        if let Some(none) = market.offers.why_none(&self.seen.class) {
            if market.offers.dropped.types == 0 {
                return self
                    .plan
                    .worsen(Health::Stuck(Why::new("NoCapacity", none)));
            }
            return self.wait("NoCapacity", none, NO_CAPACITY);
        }
        let jobs = match &self.seen.jobs {
            Fact::Known(jobs) => jobs.as_slice(),
            Fact::Unknown(_) => return,
        };
        let mut known = self.seen.memory.keys();
        let names = self.seen.machines.iter().map(|it| &it.name);
        let names = names.chain(&self.seen.taken);
        known.extend(names.filter_map(|it| Key::read(it)));
        let keys = demand::keys(jobs, (count.missing, self.now), (&count.coming, &known));
        for (index, (key, job)) in keys.into_iter().enumerate() {
            let cause = match &job {
                Some(job) => Cause::Upstream(format!("job {} of {}", job.id, job.repository)),
                None => Cause::File("spec.minRunners"),
            };
            let launching = launching(
                (self.resource, self.seen),
                (&key, job, index == 0),
                (image, &market.offers),
            );
            let name = launching.order.name.clone();
            let op = self.op((String::new(), name), Effect::Launch(Box::new(launching)));
            self.step(op, cause, "launch");
        }
        self.look_again(SOON);
    }

    fn underway(&mut self, machine: &Machine, phase: &str) {
        let Some(since) = machine.created else { return };
        self.plan.underway.push(Underway {
            object: machine.name.clone(),
            phase: format!("{} {phase}", machine.id),
            since,
            expected: None,
            percent: None,
        });
    }

    fn on(&self, machine: &Machine, effect: Effect) -> Op {
        self.op((machine.id.to_string(), machine.name.clone()), effect)
    }

    fn op(&self, (object, name): (String, String), effect: Effect) -> Op {
        Op {
            place: self.seen.home.place.clone(),
            scope: self.seen.home.scope.clone(),
            owner: self.resource.id.clone(),
            object,
            name,
            effect,
        }
    }

    /// None is guarded: what a set made for one job goes with it.
    fn step(&mut self, op: Op, cause: Cause, chain: &str) {
        self.plan.steps.push(Step {
            op,
            cause,
            chain: chain.to_owned(),
            group: None,
        });
    }

    fn wait(&mut self, reason: &'static str, message: String, rest: Duration) {
        self.look_again(rest);
        self.plan.worsen(Health::Working(Why::new(reason, message)));
    }

    fn look_again(&mut self, rest: Duration) {
        let soonest = self.plan.look_again.map_or(rest, |it| it.min(rest));
        self.plan.look_again = Some(soonest);
    }
}

/// What a machine costs; none: its tag does not tell.
fn rent(machine: &Machine) -> Option<Rent> {
    Some(Rent {
        object: machine.id.to_string(),
        machine: machine.sort.clone(),
        hourly_millionths: machine.price.parse::<Decimal>().ok()?.millionths(),
        since: machine.created?,
        until: machine.release,
    })
}
