//! What is planned for which instances: an instance a line, a step a line. It is 12:00 on a day.

mod runners;

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::fault::{Class, Fault};
use crate::ids::{InstanceId, RegionId, ResourceId};
use crate::kinds::aliyun_region::Home;
use crate::kinds::tags;
use crate::plan::{Cause, Health, Plan};
use crate::providers::aliyun::Place;
use crate::providers::github::{Runner, RunnersOf};
use crate::resource::{Policy, Resource, Source};

use super::op::Op;
use super::plan::plan;
use super::records::{Record, Records, Work};
use super::seen::{Instance, Payment, Phase, Seen};
use super::spec::Spec;

fn resource(spec: &str) -> Resource<Spec> {
    let mut value = serde_json::json!({"regionRef": "r", "selector": {"tags": {"ci": "yes"}}});
    let changes: serde_json::Value = serde_json::from_str(spec).expect("a test writes JSON");
    for (key, change) in changes.as_object().expect("a test writes an object") {
        value[key] = change.clone();
    }
    Resource {
        id: ResourceId::new("InstancePolicy", "x"),
        labels: BTreeMap::new(),
        policy: Policy::default(),
        spec: serde_json::from_value(value).expect("a test writes a valid spec"),
        source: Source::start_of("state/x.yaml"),
        files: BTreeMap::new(),
    }
}

fn at(time: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-21T{time}Z")).expect("a test writes a time")
}

/// Reads `id word…`: a phase, a time of creation, how it is paid for, tags.
fn instance(line: &str) -> Instance {
    let mut words = line.split_whitespace();
    let mut instance = Instance {
        id: InstanceId::new(words.next().expect("an instance has an id")),
        name: "n".to_owned(),
        machine_type: "ecs.c8y.large".to_owned(),
        phase: Phase::Running,
        created: None,
        release: None,
        image: None,
        payment: Payment::Spot,
        protected: false,
        tags: BTreeMap::from([("ci".to_owned(), "yes".to_owned())]),
        work: Fact::Known(Work::Untold),
    };
    let mut tag =
        |key: &str, value: &str| drop(instance.tags.insert(key.to_owned(), value.to_owned()));
    for word in words {
        match word.split_once('=') {
            None if word.contains(':') => instance.created = Some(at(word)),
            Some(("idle", since)) => tag(tags::IDLE_SINCE, &at(since).to_string()),
            Some(("owner", owner)) => {
                tag(tags::MANAGED_BY, "demo");
                tag(tags::OWNER, owner);
            }
            Some(("scope", scope)) => tag(tags::MANAGED_BY, scope),
            Some(("name", name)) => name.clone_into(&mut instance.name),
            Some(("release", time)) => instance.release = Some(at(time)),
            Some((key, value)) => tag(key, value),
            None => match word {
                "retiring" => tag(tags::RETIRING, "true"),
                "garbled" => tag(tags::IDLE_SINCE, "yesterday"),
                "starting" => instance.phase = Phase::Starting,
                "running" => instance.phase = Phase::Running,
                "stopping" => instance.phase = Phase::Stopping,
                "stopped" => instance.phase = Phase::Stopped,
                "unknown" => instance.phase = Phase::Unknown,
                "on-demand" => instance.payment = Payment::OnDemand,
                "subscription" => instance.payment = Payment::Subscription,
                "protected" => instance.protected = true,
                other => unreachable!("no test writes {other}"),
            },
        }
    }
    instance
}

/// Reads `name word…`: what GitHub says of a runner.
fn record(number: u64, line: &str) -> Record {
    let mut words = line.split_whitespace();
    let mut runner = Runner {
        id: number,
        name: words.next().expect("a runner has a name").to_owned(),
        is_online: false,
        is_busy: false,
        is_ephemeral: Some(true),
        labels: Vec::new(),
    };
    for word in words {
        match word {
            "online" => runner.is_online = true,
            "offline" => {}
            "busy" => runner.is_busy = true,
            "persistent" => runner.is_ephemeral = Some(false),
            "untold" => runner.is_ephemeral = None,
            other => unreachable!("no test writes {other}"),
        }
    }
    let of = RunnersOf::parse("https://github.com/o/r").expect("a page");
    Record { of, runner }
}

/// A plan as text.
fn shown(plan: &Plan<Op>) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        let why = match &step.cause {
            Cause::Clock(why) | Cause::Upstream(why) => why.as_str(),
            Cause::Resume => "resume",
            Cause::Drift | Cause::File(_) => "unexpected",
        };
        let verb = crate::kind::Op::verb(&step.op).symbol();
        let what = step.op.to_string();
        let what = what.split(", created").next().unwrap_or_default();
        let _ = writeln!(text, "{verb} {} {what} [{why}]", step.op.object);
    }
    match &plan.health {
        Health::Ready => {}
        Health::Working(why) | Health::Stuck(why) => {
            let _ = writeln!(text, "{}: {}", why.reason, why.message);
        }
    }
    for notice in &plan.notices {
        let _ = writeln!(text, "{}", notice.kind);
    }
    for unknown in &plan.unknown {
        let _ = writeln!(text, "? {} {}", unknown.object, unknown.reason);
    }
    for unmanaged in &plan.unmanaged {
        let _ = writeln!(text, "alone: {} {}", unmanaged.object, unmanaged.reason);
    }
    if let Some(look_again) = plan.look_again {
        let _ = writeln!(text, "again in {} s", look_again.as_secs());
    }
    text
}

fn check(spec: &str, instances: &str, expected: &str) {
    check_beside(spec, instances, ("", ""), expected);
}

/// The same where lists can be read; `left`: since when which runners were seen without a machine.
fn check_beside(spec: &str, instances: &str, (runners, left): (&str, &str), expected: &str) {
    let resource = resource(spec);
    let mut instances: Vec<Instance> = instances.lines().map(instance).collect();
    let mut records = resource.spec.runners_of.as_ref().map(|_| {
        Fact::Unknown(Fault::new(
            Class::NotYet,
            "list the runners",
            "nobody was asked",
        ))
    });
    if !runners.is_empty() {
        let mut known = Records::default();
        for (number, line) in (1..).zip(runners.lines()) {
            let record = record(number, line);
            let same = known.by_name.entry(record.runner.name.clone());
            same.or_default().push(record);
        }
        let left = left.split_whitespace().filter_map(|it| it.split_once('='));
        known.left = left
            .map(|(id, time)| (format!("left o/r {id}"), at(time)))
            .collect();
        records = Some(Fact::Known(known));
    }
    for instance in &mut instances {
        instance.work = match &records {
            None => Fact::Known(Work::Untold),
            Some(Fact::Known(records)) => Fact::Known(records.work(&instance.name)),
            Some(Fact::Unknown(fault)) => Fact::Unknown(fault.clone()),
        };
    }
    let seen = Seen {
        home: Home {
            place: Place {
                region: RegionId::new("cn-hangzhou"),
                endpoint: None,
            },
            scope: "demo".to_owned(),
        },
        names: instances.iter().map(|it| it.name.clone()).collect(),
        listed: instances.len(),
        proven: None,
        instances,
        records,
    };
    let text = shown(&plan(&resource, &seen, at("12:00:00")));
    let lines = |text: &str| {
        text.lines()
            .map(|it| it.trim().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&text), lines(expected));
}

#[test]
fn removes_what_is_older_than_max_age_by_marking_it_first() {
    check(
        "{}",
        "i-1 running 07:59:59
         i-2 running 08:00:00
         i-3 running 11:00:00",
        "~ i-1 n: mark retiring [maxAge=4h]
         - i-1 n  ecs.c8y.large [maxAge=4h]
         again in 1 s",
    );
}

#[test]
fn waits_until_a_stopped_spot_machine_has_been_idle_long_enough() {
    check(
        "{}",
        "i-1 stopped 11:00:00",
        "~ i-1 n: mark idle from now [it has no work]",
    );
    check(
        "{}",
        "i-1 stopped 11:00:00 idle=11:50:00",
        "Idling: i-1 has no work and goes when that has lasted 10m
         again in 1 s",
    );
    check(
        "{}",
        "i-1 stopped 11:00:00 idle=11:49:59",
        "~ i-1 n: mark retiring [idleAfter=10m]
         - i-1 n  ecs.c8y.large [idleAfter=10m]",
    );
}

#[test]
fn forgets_an_idle_mark_that_is_wrong_or_out_of_date() {
    check(
        "{}",
        "i-1 running 11:00:00 idle=11:00:00",
        "~ i-1 n: clear the idle mark [it may work again]",
    );
    check(
        "{}",
        "i-1 stopped 11:00:00 garbled",
        "~ i-1 n: mark idle from now [it has no work]",
    );
    check(
        "{}",
        "i-1 stopped 11:00:00 idle=12:30:00",
        "~ i-1 n: mark idle from now [it has no work]",
    );
}

#[test]
fn spares_the_newest_idle_ones_up_to_max_idle() {
    check(
        r#"{"maxIdle": 1}"#,
        "i-1 stopped 10:00:00 idle=11:00:00
         i-2 stopped 10:30:00 idle=11:00:00",
        "~ i-1 n: mark retiring [idleAfter=10m]
         - i-1 n  ecs.c8y.large [idleAfter=10m]",
    );
}

#[test]
fn leaves_alone_what_is_on_demand_prepaid_protected_or_somebody_elses() {
    check(
        "{}",
        "i-1 stopped 01:00:00 on-demand
         i-2 running 01:00:00 subscription
         i-3 running 01:00:00 protected
         i-4 running 01:00:00 scope=other
         i-5 running 01:00:00 owner=RunnerSet/a release=13:00:00
         i-6 running 01:00:00 owner=RunnerSet/a",
        "alone: i-1 it is on-demand, and spec.purchase is Spot
         alone: i-2 it is a subscription
         alone: i-3 it is protected from deletion
         alone: i-4 it belongs to scope other
         alone: i-5 it belongs to RunnerSet/a until its release time has passed
         alone: i-6 it belongs to RunnerSet/a until its release time has passed",
    );
}

#[test]
fn removes_somebody_elses_machine_once_its_release_time_has_passed() {
    check(
        "{}",
        "i-1 running 01:00:00 owner=RunnerSet/a release=11:59:00",
        "~ i-1 n: mark retiring [maxAge=4h]
         - i-1 n  ecs.c8y.large [maxAge=4h]",
    );
}

#[test]
fn goes_on_with_what_an_earlier_pass_began() {
    check(
        "{}",
        "i-1 running 07:00:00 retiring
         i-2 stopped 11:00:00 retiring idle=11:40:00",
        "- i-1 n  ecs.c8y.large [resume]
         - i-2 n  ecs.c8y.large [resume]",
    );
    check(
        "{}",
        "i-1 running 11:00:00 retiring idle=11:40:00",
        "~ i-1 n: recall, it is not to be removed [it has work, or may have again]",
    );
    check(
        "{}",
        "i-1 stopping 11:00:00 retiring",
        "Leaving: i-1 is being released
         again in 15 s",
    );
}

#[test]
fn does_nothing_about_what_it_cannot_judge() {
    check(
        "{}",
        "i-1 unknown 01:00:00",
        "? i-1 its status is one that we do not know",
    );
    check(
        "{}",
        "i-1 running",
        "? i-1 the service does not say when it was created",
    );
}

#[test]
fn on_demand_machines_go_by_age_alone_where_the_policy_says_so() {
    check(
        r#"{"purchase": "PayAsYouGo"}"#,
        "i-1 stopped 11:00:00 on-demand
         i-2 stopped 07:00:00 on-demand",
        "~ i-2 n: mark retiring [maxAge=4h]
         - i-2 n  ecs.c8y.large [maxAge=4h]
         again in 10801 s",
    );
}
