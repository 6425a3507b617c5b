//! What is planned for which machines and jobs: a machine a line, a step a line. It is 12:00 on a day.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::fault::{Class, Fault};
use crate::ids::{InstanceId, ResourceId};
use crate::plan::{Cause, Health};
use crate::providers::github::{Job, RunnersOf};
use crate::resource::{Policy, Resource, Source};

use super::demand::{self, Key, Waiting};
use super::memory::Memory;
use super::plan::plan;
use super::seen::{Machine, Phase, Runner, Seen, Stray};
use super::spec::Spec;

fn spec(more: &str) -> Spec {
    let mut value = serde_json::json!({
        "githubConfigUrl": "https://github.com/o/r", "labels": ["self-hosted", "spot"], "instanceClassRef": "c",
        "imageRef": {"family": "runner"},
    });
    let changes: serde_json::Value = serde_json::from_str(more).expect("a test writes JSON");
    for (key, change) in changes.as_object().expect("a test writes an object") {
        value[key] = change.clone();
    }
    serde_json::from_value(value).expect("a test writes a valid spec")
}

fn at(time: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-21T{time}Z")).expect("a test writes a time")
}

/// Reads `id created release phase runner`; `?` for a runner that is not known.
fn machine(line: &str) -> Machine {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [id, created, release, phase, runner] = words[..] else {
        unreachable!("a test writes five words, not {line}");
    };
    let phase = match phase {
        "starting" => Phase::Starting,
        "running" => Phase::Running,
        "stopping" => Phase::Stopping,
        "stopped" => Phase::Stopped,
        "reclaimed" => Phase::Reclaimed,
        other => unreachable!("no test writes {other}"),
    };
    let unknown = Fault::new(Class::NotYet, "look at a runner", "nobody was asked");
    Machine {
        id: InstanceId::new(id),
        name: format!("x-{}-0", &id[2..]),
        sort: "ecs.c7.large in h".to_owned(),
        price: String::new(),
        phase,
        created: Some(at(created)),
        release: Some(at(release)),
        record: RunnersOf::parse("https://github.com/o/r").zip(id[2..].parse().ok()),
        runner: match runner {
            "gone" => Fact::Known(Runner::Gone),
            "offline" => Fact::Known(Runner::Offline),
            "idle" => Fact::Known(Runner::Idle),
            "busy" => Fact::Known(Runner::Busy),
            _ => Fact::Unknown(unknown),
        },
    }
}

fn seen(machines: &str, jobs: usize, memory: Memory) -> Seen {
    let region = serde_json::json!({"regionId": "cn-hangzhou", "scope": "demo"});
    let class = serde_json::json!({"regionRef": "r", "architecture": "amd64"});
    let region: crate::kinds::aliyun_region::Spec =
        serde_json::from_value(region).expect("a region");
    let waiting = |it: usize| Waiting {
        repository: "o/r".to_owned(),
        id: 100 + it as u64,
        created: at("11:59:00"),
    };
    Seen {
        home: region.home(),
        region,
        class: serde_json::from_value(class).expect("a class"),
        of: RunnersOf::parse("https://github.com/o/r").expect("a page"),
        machines: machines.lines().map(machine).collect(),
        strays: Vec::new(),
        taken: BTreeSet::new(),
        jobs: Fact::Known((0..jobs).map(waiting).collect()),
        unread: Vec::new(),
        market: None,
        memory,
        proven: None,
        listed: 1,
        listings: BTreeMap::new(),
    }
}

fn resource(more: &str) -> Resource<Spec> {
    Resource {
        id: ResourceId::new("RunnerSet", "x"),
        labels: BTreeMap::new(),
        policy: Policy::default(),
        spec: spec(more),
        source: Source::start_of("state/x.yaml"),
        files: BTreeMap::new(),
    }
}

/// The plan as text; how many launches are missing comes first.
fn shown(more: &str, seen: &Seen) -> Vec<String> {
    let (resource, now) = (resource(more), at("12:00:00"));
    let mut text = format!("missing {}\n", super::count::launches(&resource, seen, now));
    let plan = plan(&resource, seen, now);
    for step in &plan.steps {
        let why = match &step.cause {
            Cause::Clock(why) | Cause::Upstream(why) => why.as_str(),
            Cause::File(field) => field,
            Cause::Drift | Cause::Resume => "unexpected",
        };
        let _ = writeln!(text, "{} {} [{why}]", step.op.object, step.op);
    }
    match &plan.health {
        Health::Ready => {}
        Health::Working(why) => drop(writeln!(text, "{}", why.reason)),
        Health::Stuck(why) => drop(writeln!(text, "stuck: {}", why.reason)),
    }
    let unknown = plan.unknown.iter();
    text.extend(unknown.map(|it| format!("? {} {}\n", it.object, it.reason)));
    text.lines().map(str::to_owned).collect()
}

fn check(more: &str, machines: &str, jobs: usize, expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).collect();
    assert_eq!(
        shown(more, &seen(machines, jobs, Memory::default())),
        expected
    );
}

#[test]
fn as_many_are_missing_as_jobs_wait_beyond_those_that_come_or_are_idle() {
    check("{}", "", 0, "missing 0");
    check("{}", "", 3, "missing 3");
    check(
        "{}",
        "i-1 11:58:00 12:58:00 running offline\ni-2 11:50:00 12:50:00 running busy",
        3,
        "missing 2\nStarting",
    );
    check(
        r#"{"maxRunners": 2}"#,
        "i-1 11:58:00 12:58:00 running busy",
        3,
        "missing 1\nRunning",
    );
    check(
        r#"{"minRunners": 2}"#,
        "i-1 11:50:00 12:50:00 running idle",
        0,
        "missing 1",
    );
}

#[test]
fn what_has_a_job_stays_and_its_lease_is_moved_on() {
    check(
        "{}",
        "i-1 11:30:00 12:40:00 running busy",
        0,
        "missing 0\nRunning",
    );
    check(
        "{}",
        "i-1 11:30:00 12:39:59 running busy",
        0,
        "missing 0\ni-1 x-1-0: release at 2026-11-21T13:01:00Z, not at 2026-11-21T12:39:59Z [lease=1h]\nRunning",
    );
    check(
        r#"{"maxLifetime": "2h"}"#,
        "i-1 10:10:00 12:20:00 running busy",
        0,
        "missing 0\ni-1 x-1-0: release at 2026-11-21T12:36:00Z, not at 2026-11-21T12:20:00Z [lease=1h]\nRunning",
    );
    check(
        r#"{"maxLifetime": "2h"}"#,
        "i-1 10:00:00 12:20:00 running busy",
        0,
        "missing 0\nRunning",
    );
}

#[test]
fn what_github_does_not_say_is_unknown_and_its_lease_is_moved_on_all_the_same() {
    check(
        "{}",
        "i-1 11:30:00 12:20:00 running ?",
        0,
        "missing 0
         i-1 x-1-0: release at 2026-11-21T13:01:00Z, not at 2026-11-21T12:20:00Z [lease=1h]
         ? i-1 cannot look at a runner: nobody was asked",
    );
}

#[test]
fn a_runner_goes_before_its_machine_and_one_that_is_gone_at_once() {
    check(
        "{}",
        "i-1 11:40:00 12:40:00 running gone\ni-2 11:54:59 12:54:00 running idle\ni-3 11:52:59 12:52:00 running offline\ni-4 11:40:00 12:40:00 stopped offline",
        0,
        "missing 0
         i-1 release x-1-0 [its job is over]
         i-2 x-2-0: remove the runner of o/r [no job waits for it]
         i-2 release x-2-0 [no job waits for it]
         i-3 x-3-0: remove the runner of o/r [its runner did not come online in time]
         i-3 release x-3-0 [its runner did not come online in time]
         i-4 x-4-0: remove the runner of o/r [it switched itself off before it had a job]
         i-4 release x-4-0 [it switched itself off before it had a job]",
    );
}

#[test]
fn what_cannot_go_yet_is_waited_for() {
    check(
        "{}",
        "i-1 11:59:00 12:59:00 starting gone",
        0,
        "missing 0\nLeaving",
    );
    check(
        "{}",
        "i-1 11:40:00 12:59:00 stopped busy",
        0,
        "missing 0\nLeaving",
    );
    check(
        "{}",
        "i-1 11:56:00 12:56:00 running idle",
        0,
        "missing 0\nWaiting",
    );
}

#[test]
fn starts_that_failed_are_tried_later_and_later() {
    let memory = |times: &[&str]| {
        let failed = (0..)
            .zip(times)
            .map(|(number, time)| (format!("x-{number}-0"), at(time)));
        Memory {
            failed: failed.collect(),
            ..Memory::default()
        }
    };
    let waits = |times: &[&str]| shown("{}", &seen("", 1, memory(times))).join(" ");
    assert_eq!(waits(&["11:58:59"]), "missing 1");
    assert_eq!(waits(&["11:59:30"]), "missing 0 BackingOff");
}

#[test]
fn each_job_waits_for_one_set() {
    let (wide, narrow) = (
        spec(r#"{"labels": ["a", "b", "c"]}"#),
        spec(r#"{"labels": ["A", "b"]}"#),
    );
    let other = spec(r#"{"labels": ["a"], "githubConfigUrl": "https://github.com/o/other"}"#);
    let sets = BTreeMap::from([("narrow", &narrow), ("other", &other), ("wide", &wide)]);
    let job = |id: u64, labels: &[&str]| Job {
        id,
        labels: labels.iter().map(|it| (*it).to_owned()).collect(),
        created: at("11:00:00"),
    };
    let jobs = [
        job(1, &["a"]),
        job(2, &["a", "C"]),
        job(3, &["d"]),
        job(4, &[]),
    ];
    let of = |name: &str| -> Vec<u64> {
        let shared = demand::share(name, &sets, ("O/r", &jobs));
        shared.into_iter().map(|it| it.id).collect()
    };
    assert_eq!(
        (of("narrow"), of("wide"), of("other")),
        (vec![1], vec![2], vec![])
    );
}

#[test]
fn names_are_told_apart_and_never_too_long() {
    let key = |what: &str, attempt| Key {
        what: what.to_owned(),
        attempt,
    };
    assert_eq!(key("41000000007", 2).name("ci"), "ci-41000000007-2");
    let long = key("41000000007", 10).name(&"x".repeat(63));
    assert_eq!(
        (long.len(), Key::read(&long)),
        (64, Some(key("41000000007", 10)))
    );
    let jobs: Vec<Waiting> = [7, 8]
        .map(|id| Waiting {
            repository: "o/r".to_owned(),
            id,
            created: at("11:00:00"),
        })
        .into();
    let known = BTreeSet::from([key("8", 3)]);
    let coming = BTreeSet::from(["7".to_owned()]);
    let keys = demand::keys(&jobs, (2, at("12:00:00")), (&coming, &known));
    let names: Vec<String> = keys.iter().map(|it| it.0.name("ci")).collect();
    assert_eq!(names[0], "ci-8-4");
    assert!(
        names[1].starts_with("ci-h") && keys[1].1.is_none(),
        "{names:?}"
    );
}

#[test]
fn a_record_without_a_machine_counts_for_its_job_until_it_is_swept() {
    let stray = |since: &str| {
        let mut seen = seen("", 1, Memory::default());
        seen.strays.push(Stray {
            id: 9,
            name: "x-100-0".to_owned(),
            runner: Runner::Offline,
            registered: None,
        });
        seen.memory.strays.insert(9, at(since));
        shown("{}", &seen).join("; ")
    };
    assert_eq!(stray("11:58:00"), "missing 0; Registered");
    let swept = "missing 1; 9 runner x-100-0 of o/r, which has no machine [its machine is gone]";
    assert_eq!(stray("11:55:00"), swept);
}
