//! Runners: nothing with a job is ever removed, a runner goes before its machine, none is there twice, and none is left (I1,
//! I3, I4, L1).

use std::collections::{BTreeMap, BTreeSet};

use reconcile::clock::Timestamp;
use reconcile::engine::Inventory;
use reconcile::ids::ResourceId;
use reconcile::kind::AnyResource;
use reconcile::kinds::tags::{IDLE_SINCE, MANAGED_BY, OWNER, RUNNER};
use reconcile::kinds::{instance_policy, runner_set};
use reconcile::report::{Report, State};
use reconcile::resource::Goal;
use reconcile::sim::World;
use reconcile::sim::github::runners::history::{RunnerDeed, RunnerSeen};
use reconcile::sim::history::{Event, Removal, What};
use reconcile::sim::object::{Instance, InstanceStatus};

use super::declared::Declared;

/// A set of runners that is declared.
struct Set<'a> {
    resource: &'a dyn AnyResource,
    spec: &'a runner_set::Spec,
}

fn sets(inventory: &Inventory) -> Vec<Set<'_>> {
    let resources = inventory.resources.values().map(AsRef::as_ref);
    resources
        .filter_map(|resource| {
            let spec = resource.spec().downcast_ref()?;
            Some(Set { resource, spec })
        })
        .collect()
}

/// Whether a set launched an instance.
pub(super) fn is_of_a_set(instance: &Instance) -> bool {
    let owner = instance.tags.get(OWNER);
    let is_owned = owner.is_some_and(|it| it.starts_with("RunnerSet/"));
    is_owned
        && [MANAGED_BY, RUNNER]
            .iter()
            .all(|it| instance.tags.contains_key(*it))
}

/// What runners did, replayed up to a time.
#[derive(Default)]
struct Runners<'w> {
    rest: Vec<&'w reconcile::sim::github::runners::history::RunnerEvent>,
    /// Who is registered, by name.
    registered: BTreeMap<&'w str, BTreeSet<u64>>,
    busy: BTreeSet<&'w str>,
}

impl<'w> Runners<'w> {
    fn of(world: &'w World) -> Self {
        let mut runners = Self::default();
        for it in &world.scenario().objects.runners {
            runners.registered.entry(&it.name).or_default().insert(0);
            if it.busy {
                runners.busy.insert(&it.name);
            }
        }
        runners.rest = world.runner_history().iter().rev().collect();
        runners
    }

    /// Lets everything happen that happened before `at`, or at that time.
    fn pass(&mut self, at: Timestamp) {
        while let Some(event) = self.rest.pop_if(|it| it.at <= at) {
            let name = event.name.as_str();
            match &event.what {
                RunnerDeed::Registered => {
                    self.registered
                        .entry(name)
                        .or_default()
                        .insert(event.runner);
                }
                RunnerDeed::Began { .. } => drop(self.busy.insert(name)),
                RunnerDeed::Ended { .. } => drop(self.busy.remove(name)),
                RunnerDeed::Removed { .. } => {
                    self.registered.remove(name);
                    self.busy.remove(name);
                }
                RunnerDeed::Connected | RunnerDeed::Lost => {}
            }
        }
    }
}

/// Holds everything that we did against the promises.
pub(crate) fn watch(inventory: &Inventory, world: &World, name: &str) {
    let sets = sets(inventory);
    let declared = Declared::of(inventory);
    let asks = |it: &Instance, at: Timestamp| {
        let mut policies = declared.policies.iter();
        policies.any(|policy| {
            policy.spec.runners_of.is_some()
                && policy.is_active()
                && policy.hands_off(it, at).is_none()
        })
    };
    let mut runners = Runners::of(world);
    let mut machines: BTreeMap<&str, &Instance> = BTreeMap::new();
    for event in world.history() {
        runners.pass(event.at);
        // What nobody asks after, nobody can know.
        if let What::InstanceDeleting(it) = &event.what
            && !is_of_a_set(it)
            && !asks(it, event.at)
        {
            continue;
        }
        if let Err(promise) = judge(&sets, &runners, (&machines, event)) {
            panic!("{name}: {promise}: {event:#?}");
        }
        if let What::InstanceCreated(it) = &event.what {
            machines.insert(it.instance_id.as_str(), it);
        }
        if let What::InstanceDeleted { instance, .. } = &event.what {
            machines.remove(instance.instance_id.as_str());
        }
    }
}

fn judge(
    sets: &[Set<'_>],
    runners: &Runners<'_>,
    (machines, event): (&BTreeMap<&str, &Instance>, &Event),
) -> Result<(), &'static str> {
    let is_busy = |it: &Instance| runners.busy.contains(it.instance_name.as_str());
    if let What::InstanceDeleting(it) = &event.what {
        if is_busy(it) {
            return Err("I1, its runner has a job");
        }
        if runners.registered.contains_key(it.instance_name.as_str()) {
            return Err("the order of a removal, its runner is registered");
        }
    }
    if let What::InstanceDeleted { instance, by } = &event.what
        && *by == Removal::Release
    {
        let age = event.at.since(instance.creation_time);
        let owner = instance.tags.get(OWNER);
        let mut sets = sets.iter();
        let set = sets.find(|it| Some(&it.resource.id().to_string()) == owner);
        let is_early = set.is_some_and(|it| age < it.spec.max_lifetime.0);
        if is_early && is_busy(instance) {
            return Err("its lease ended while its runner had a job");
        }
    }
    if let What::InstanceCreated(it) = &event.what
        && is_of_a_set(it)
    {
        return launch(sets, (machines, it, event.at));
    }
    Ok(())
}

/// I4: one machine for each name, no more than are wanted; I3: it ends with its lease.
fn launch(
    sets: &[Set<'_>],
    (machines, it, at): (&BTreeMap<&str, &Instance>, &Instance, Timestamp),
) -> Result<(), &'static str> {
    let owner = it.tags.get(OWNER);
    let set = sets
        .iter()
        .find(|it| Some(&it.resource.id().to_string()) == owner);
    let set = set.ok_or("launched for nobody")?;
    if set.resource.policy().suspend.is_some() || set.resource.policy().ensure == Goal::Absent {
        return Err("launched for a set that launches none");
    }
    let same: Vec<_> = machines
        .values()
        .filter(|it| it.tags.get(OWNER) == owner)
        .collect();
    if same
        .iter()
        .any(|other| other.instance_name == it.instance_name)
    {
        return Err("I4, a second machine of a name");
    }
    if same.len() >= usize::try_from(set.spec.max_runners).unwrap_or(usize::MAX) {
        return Err("more machines than maxRunners");
    }
    if !it.tags.contains_key(RUNNER) {
        return Err("a machine that is nobody's runner");
    }
    let release = it.auto_release_time.ok_or("I3, it never ends")?;
    let most = set.spec.lease.0 + std::time::Duration::from_secs(60);
    if release.since(at) > most {
        return Err("I3, it ends too late");
    }
    Ok(())
}

/// What a report says of sets and policies is so.
pub(crate) fn check_end(inventory: &Inventory, world: &mut World, (name, report): (&str, &Report)) {
    let now = report.seen_at;
    let (records, jobs) = (world.runners(now), world.jobs(now));
    let regions = world.scenario().regions.clone();
    let machines: Vec<Instance> = regions
        .iter()
        .flat_map(|it| world.instances(it.as_str(), now))
        .collect();
    let is_ready = |id: &ResourceId| {
        report
            .resources
            .get(id)
            .is_some_and(|it| it.state == State::Ready)
    };
    let mut untrue = Vec::new();
    for set in sets(inventory)
        .iter()
        .filter(|it| is_ready(it.resource.id()))
    {
        let id = set.resource.id().to_string();
        let ours = machines.iter().filter(|it| it.tags.get(OWNER) == Some(&id));
        let left = ours.count();
        if left > usize::try_from(set.spec.min_runners).unwrap_or(usize::MAX) {
            untrue.push(format!("{id}: {left} machines are left"));
        }
        let prefix = format!("{}-", set.resource.id().name);
        let of_set = records
            .iter()
            .filter(|it| it.name.starts_with(&prefix))
            .count();
        if of_set > left {
            untrue.push(format!(
                "{id}: {of_set} runners are left of {left} machines"
            ));
        }
        let has = |label: &String| {
            set.spec
                .labels
                .iter()
                .any(|it| it.eq_ignore_ascii_case(label))
        };
        let written = world.scenario().objects.jobs.iter();
        let open = jobs.iter().filter(|it| it.ended.is_none());
        let open = open.filter(|seen| {
            let mut written = written.clone().filter(|it| it.name == seen.name);
            written.any(|it| it.held.is_none() && it.labels.iter().all(has))
        });
        if set.resource.policy().ensure == Goal::Present {
            untrue.extend(open.map(|it| format!("{id}: the job {} is not over", it.name)));
        }
    }
    for policy in Declared::of(inventory)
        .policies
        .iter()
        .filter(|it| is_ready(it.resource.id()))
    {
        let world = (records.as_slice(), machines.as_slice(), now);
        check_policy(policy, world, &mut untrue);
    }
    assert_eq!(untrue, [""; 0], "{name}: {}", report.to_json());
}

fn check_policy(
    policy: &super::declared::Policy<'_>,
    (records, machines, now): (&[RunnerSeen], &[Instance], Timestamp),
    untrue: &mut Vec<String>,
) {
    let spec: &instance_policy::Spec = policy.spec;
    if spec.runners_of.is_none() || !policy.is_active() {
        return;
    }
    let mut idle = 0;
    for machine in machines
        .iter()
        .filter(|it| policy.hands_off(it, now).is_none())
    {
        let of_it = |it: &&RunnerSeen| it.name == machine.instance_name;
        let record = records.iter().find(of_it);
        if record.is_some_and(|it| it.is_busy) {
            continue;
        }
        let is_idle =
            record.is_some_and(|it| it.is_online) && machine.status == InstanceStatus::Running;
        let mark = machine.tags.get(IDLE_SINCE);
        if is_idle && mark.is_none() {
            untrue.push(format!("{} has no work and no mark", machine.instance_id));
        }
        let since = mark.and_then(|it| Timestamp::parse(it));
        let long = spec.idle_after.0 + std::time::Duration::from_secs(60);
        idle += u32::from(is_idle && since.is_some_and(|it| now.since(it) > long));
        if now.since(machine.creation_time) > spec.max_age.0 + std::time::Duration::from_secs(60) {
            untrue.push(format!("{} is overdue", machine.instance_id));
        }
    }
    if idle > spec.max_idle {
        untrue.push(format!("{idle} have had no work for too long"));
    }
}
