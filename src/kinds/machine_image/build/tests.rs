//! How a build goes on from whatever is seen: an object a line, a step a line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::ids::{ImageId, InstanceId, InvocationId};
use crate::kinds::architecture::Architecture;
use crate::kinds::instance_class::Ranking;
use crate::kinds::machine_image::plan::plan;
use crate::kinds::machine_image::seen::{Image, Phase as ImagePhase, Seen};
use crate::kinds::machine_image::spec::Spec;
use crate::kinds::machine_image::tests;
use crate::kinds::tags;
use crate::plan::{Health, Plan};
use crate::providers::aliyun::Progress;
use crate::resource::Resource;

use super::super::op::Op;
use super::base::{Base, Lookup};
use super::course::{Wanted, wanted};
use super::history::Lost;
use super::seen::{Bench, Builder, Command, Phase};

const NOW: &str = "2026-11-21T12:00:00Z";

fn now() -> Timestamp {
    Timestamp::parse(NOW).expect("a valid time")
}

/// So many minutes before now, or after it where the number has a `+`.
fn at(word: &str) -> Timestamp {
    let minutes = |it: &str| Duration::from_secs(60 * it.parse::<u64>().expect("a number"));
    match word.strip_prefix('+') {
        Some(later) => now().plus(minutes(later)),
        None => now().minus(minutes(word)),
    }
}

fn resource(spec: &str) -> Resource<Spec> {
    let mut value: serde_json::Value = serde_json::from_str(spec).expect("a test writes JSON");
    let built = serde_json::json!({
        "base": {"query": {"owner": "system", "distribution": "ubuntu", "release": "24.04"}},
        "provision": {"script": "p.sh"},
        "instanceClassRefs": {"amd64": "small"},
    });
    for (key, it) in built.as_object().expect("an object") {
        if value.get(key).is_none() {
            value[key] = it.clone();
        }
    }
    let mut resource = tests::resource(&value.to_string());
    resource.files = BTreeMap::from([("p.sh".to_owned(), b"#!/bin/sh\n".to_vec())]);
    resource
}

fn bench(resource: &Resource<Spec>) -> Bench {
    let region = serde_json::json!({
        "regionId": "cn-hangzhou", "scope": "demo",
        "network": {"vpcId": "vpc-1", "securityGroupId": "sg-1", "vSwitches": {"cn-hangzhou-k": "vsw-1"}},
    });
    let class = serde_json::json!({"regionRef": "r", "architecture": "amd64"});
    let base = Base {
        id: ImageId::new("ubuntu_1"),
        name: "ubuntu_24_04_x64_20G_alibase_20261110.vhd".to_owned(),
        created: Timestamp::parse("2026-11-10T00:00:00Z"),
        size_gib: 20,
    };
    let lookup = Lookup {
        base: Some(base),
        listing: (String::new(), 1),
    };
    Bench {
        owner: resource.id.clone(),
        region: serde_json::from_value(region).expect("a region"),
        classes: BTreeMap::from([(
            Architecture::Amd64,
            serde_json::from_value(class).expect("a class"),
        )]),
        builders: Vec::new(),
        instances_listed: 0,
        bases: BTreeMap::from([(Architecture::Amd64, lookup)]),
        commands: Some(Vec::new()),
        commands_listed: 0,
        online: Some(BTreeSet::new()),
        printed: BTreeMap::new(),
        offers: BTreeMap::from([(Architecture::Amd64, Fact::Known(offers()))]),
        lost: Vec::new(),
    }
}

fn offers() -> Ranking {
    crate::kinds::instance_class::tests::ranking(&[("ecs.c7.large", "cn-hangzhou-k", "0.08")])
}

/// What was seen, an object a line; `v` is the wanted version, anything else another one.
fn seen(text: &str, resource: &Resource<Spec>) -> Seen {
    let mut seen = tests::seen("", resource);
    seen.bench = Some(Fact::Known(bench(resource)));
    let version = match wanted(resource, &seen, Architecture::Amd64) {
        Wanted::Version(version) => version,
        Wanted::Newest | Wanted::Unknown => panic!("a version is wanted"),
    };
    let named = |word: &str| {
        if word == "v" {
            version.clone()
        } else {
            word.to_owned()
        }
    };
    for line in text.lines().filter(|it| !it.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(Fact::Known(bench)) = &mut seen.bench else {
            panic!("it is known");
        };
        match words.as_slice() {
            ["builder", id, of, phase, created, release] => bench.builders.push(Builder {
                id: InstanceId::new(id),
                name: "b".to_owned(),
                architecture: Some(Architecture::Amd64),
                version: named(of),
                phase: phase_of(phase),
                created: Some(at(created)),
                release: Some(at(release)),
                price: "0.08".to_owned(),
            }),
            ["command", id, of, how, when] => {
                let command = command(id, &named(of), (how, at(when)));
                bench.commands.get_or_insert_default().push(command);
            }
            ["image", id, of, phase, name, rest @ ..] => {
                let image = image(resource, (id, &named(of)), (phase, name), rest);
                seen.images.push(image);
            }
            ["online", id] => {
                let online = bench.online.get_or_insert_default();
                online.insert(InstanceId::new(id));
            }
            ["lost", object, of, when] => bench.lost.push(Lost {
                architecture: Architecture::Amd64,
                version: named(of),
                object: (*object).to_owned(),
                at: at(when),
            }),
            ["base", "none"] => {
                let lookup = bench.bases.get_mut(&Architecture::Amd64);
                lookup.expect("it has one").base = None;
            }
            ["offers", "none"] => {
                let none = crate::kinds::instance_class::tests::ranking(&[]);
                bench.offers = BTreeMap::from([(Architecture::Amd64, Fact::Known(none))]);
            }
            _ => panic!("{line} is no object"),
        }
    }
    seen
}

fn phase_of(word: &str) -> Phase {
    match word {
        "starting" => Phase::Starting,
        "running" => Phase::Running,
        "stopping" => Phase::Stopping,
        "stopped" => Phase::Stopped,
        "reclaimed" => Phase::Reclaimed,
        _ => Phase::Unknown,
    }
}

fn command(id: &str, version: &str, (how, when): (&str, Timestamp)) -> Command {
    let failed = |exit_code, why: &str| Progress::Failed {
        exit_code,
        why: why.to_owned(),
    };
    let progress = match how {
        "running" => Progress::Running,
        "ok" => Progress::Succeeded,
        "cut" => failed(None, "Failed: InstanceReleased"),
        "timeout" => failed(None, "Timeout"),
        code => failed(code.parse().ok(), "Failed"),
    };
    let is_over = progress != Progress::Running;
    Command {
        id: InvocationId::new(&format!("t-{id}")),
        instance: InstanceId::new(id),
        architecture: Some(Architecture::Amd64),
        version: version.to_owned(),
        progress,
        created: when,
        finished: is_over.then_some(when),
    }
}

fn image(
    resource: &Resource<Spec>,
    (id, version): (&str, &str),
    (phase, name): (&str, &str),
    rest: &[&str],
) -> Image {
    let line = format!("{id} {name} @1121 ours {}", rest.join(" "));
    let line = line.replace("of", "");
    let seen = tests::seen(&line, resource);
    let mut image = seen.images.into_iter().next().expect("one image");
    image.phase = match phase {
        "making" => ImagePhase::Making,
        "failed" => ImagePhase::Failed,
        _ => ImagePhase::Available,
    };
    image
        .tags
        .insert(tags::VERSION.to_owned(), version.to_owned());
    if phase == "making" {
        image
            .tags
            .insert(tags::BUILDER.to_owned(), "i-1".to_owned());
    }
    if name == "latest" {
        image.family = Some("p-amd64".to_owned());
        image
            .tags
            .insert(tags::LATEST.to_owned(), "true".to_owned());
    }
    image
}

fn check(text: &str) -> String {
    check_of("{}", text)
}

fn lines(lines: &[&str]) -> String {
    lines.join("\n")
}

fn check_of(spec: &str, text: &str) -> String {
    let resource = resource(spec);
    let seen = seen(text, &resource);
    show(&plan(&resource, &seen, now()), &resource, &seen)
}

fn show(plan: &Plan<Op>, resource: &Resource<Spec>, seen: &Seen) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        let verb = crate::kind::Op::verb(&step.op).symbol();
        let object = crate::kind::Op::object(&step.op).unwrap_or("new");
        let _ = writeln!(text, "{verb} {object} {}", step.op);
    }
    let (word, why) = match &plan.health {
        Health::Ready => return text.trim_end().to_owned(),
        Health::Working(why) => ("working", why),
        Health::Stuck(why) => ("stuck", why),
    };
    let _ = write!(text, "{word} {}: {}", why.reason, why.message);
    for (name, when) in &plan.remember {
        let how = if when.is_some() { "remember" } else { "forget" };
        let _ = write!(text, "\n{how} {name}");
    }
    if let Some(again) = plan.look_again {
        let _ = write!(text, "\nagain in {} s", again.as_secs());
    }
    match wanted(resource, seen, Architecture::Amd64) {
        Wanted::Version(version) => {
            let short = version.get(..8).unwrap_or(&version);
            text.replace(&version, "v").replace(short, "v")
        }
        Wanted::Newest | Wanted::Unknown => text,
    }
}

#[test]
fn launches_a_machine_where_there_is_neither_image_nor_machine() {
    assert_eq!(
        check(""),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
}

#[test]
fn waits_while_the_machine_comes_up_and_until_it_takes_commands() {
    assert_eq!(
        check("builder i-1 v starting 1 +119"),
        lines(&[
            "working Building: p-amd64: i-1 is starting",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check("builder i-1 v running 2 +118"),
        lines(&[
            "working Building: p-amd64: i-1 does not take commands yet",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check("builder i-1 v running 2 +118\n online i-1"),
        lines(&[
            "~ i-1 b is provisioned, at most 1800 s",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check("builder i-1 v running 16 +104"),
        lines(&[
            "- i-1 b is released",
            "working Building: p-amd64: i-1 is given up: it never took commands",
            "remember build-failed amd64 v i-1",
            "again in 15 s"
        ])
    );
}

#[test]
fn images_a_provisioned_machine_once_it_is_stopped() {
    let command = "command i-1 v ok 3";
    assert_eq!(
        check(&format!("builder i-1 v running 9 +111\n{command}")),
        lines(&[
            "~ i-1 b is stopped",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check(&format!("builder i-1 v stopping 9 +111\n{command}")),
        lines(&[
            "working Building: p-amd64: i-1 is being stopped",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check(&format!("builder i-1 v stopped 9 +111\n{command}")),
        lines(&[
            "+ i-1 b → image p-amd64-202611211151",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check(&format!("builder i-1 v stopped 80 +40\n{command}")),
        lines(&[
            "~ i-1 b is not released at 2026-11-21T12:40:00Z",
            "+ i-1 b → image p-amd64-202611211040",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
}

#[test]
fn keeps_the_machine_until_its_image_is_there() {
    assert_eq!(
        check("builder i-1 v stopped 9 +111\n image m-1 v making 202611211151"),
        lines(&[
            "working Building: p-amd64: the image p-amd64-202611211151 is being made, 0%",
            "again in 30 s"
        ])
    );
    assert_eq!(
        check("builder i-1 v stopped 90 +30\n image m-1 v making 202611211151"),
        lines(&[
            "~ i-1 b is not released at 2026-11-21T12:30:00Z",
            "working Building: p-amd64: the image p-amd64-202611211151 is being made, 0%",
            "again in 30 s"
        ])
    );
    assert_eq!(
        check("builder i-1 v stopped 9 +111\n image m-1 v there 202611211151"),
        lines(&[
            "~ m-1 p-amd64-202611211151 → p-amd64-latest, family p-amd64",
            "~ m-1 p-amd64-202611211151 gets the tag Latest=true"
        ])
    );
    assert_eq!(
        check("builder i-1 v stopped 9 +111\n image m-1 v there latest"),
        "- i-1 b is released"
    );
    assert_eq!(check("image m-1 v there latest"), "");
}

#[test]
fn serves_the_image_of_another_version_until_the_wanted_one_is_there() {
    assert_eq!(
        check(
            "image m-0 old there latest\n builder i-1 v running 5 +115\n command i-1 v running 3"
        ),
        lines(&[
            "working Building: p-amd64: i-1 is being provisioned since 2026-11-21T11:57:00Z",
            "again in 30 s"
        ])
    );
}

#[test]
fn a_failed_script_releases_the_machine_and_backs_off() {
    assert_eq!(
        check("builder i-1 v running 9 +111\n command i-1 v 3 1"),
        lines(&[
            "- i-1 b is released",
            "working BuildFailed: p-amd64: 1 in a row came to nothing (exit code 3); next at 2026-11-21T12:00:00Z",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check("command i-1 v 3 0"),
        lines(&[
            "working BuildFailed: p-amd64: 1 in a row came to nothing (exit code 3); next at 2026-11-21T12:01:00Z",
            "again in 60 s"
        ])
    );
    assert_eq!(
        check("command i-1 v 3 2"),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check("command i-1 v 3 9\n command i-2 v 4 1"),
        lines(&[
            "working BuildFailed: p-amd64: 2 in a row came to nothing (exit code 4); next at 2026-11-21T12:01:00Z",
            "again in 60 s"
        ])
    );
}

#[test]
fn gives_a_version_up_after_so_many_failures_in_a_row() {
    let twice = "command i-1 v 3 99\n command i-2 v timeout 50";
    let spec = r#"{"backoff": {"limit": 2}}"#;
    assert_eq!(
        check_of(spec, twice),
        "stuck BuildFailed: p-amd64: 2 builds of version v failed in a row (Timeout); correct the script, or change spec.forceNonce"
    );
    assert_eq!(
        check_of(spec, "command i-1 v 3 99\n command i-2 old 3 50"),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check_of(
            spec,
            "command i-1 v 3 99\n command i-2 v ok 60\n command i-3 v 3 50"
        ),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
}

#[test]
fn a_reclaimed_machine_is_no_fault_of_the_version() {
    let spec = r#"{"backoff": {"limit": 1}}"#;
    assert_eq!(
        check_of(spec, "command i-1 v cut 5"),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check("builder i-1 v reclaimed 9 +111\n command i-1 v running 5"),
        lines(&[
            "working Building: p-amd64: i-1 is taken back by the service",
            "again in 30 s"
        ])
    );
}

#[test]
fn a_machine_that_goes_down_before_its_time_is_given_up() {
    assert_eq!(
        check("builder i-1 v stopped 3 +111"),
        lines(&[
            "- i-1 b is released",
            "working Building: p-amd64: i-1 is given up: it stopped before it was provisioned",
            "remember build-failed amd64 v i-1",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check("builder i-1 v stopped 9 +111\n command i-1 v running 5"),
        lines(&[
            "- i-1 b is released",
            "working Building: p-amd64: i-1 is given up: it stopped while its script ran",
            "remember build-failed amd64 v i-1",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check("builder i-1 v running 50 +70\n command i-1 v running 45"),
        lines(&[
            "- i-1 b is released",
            "working Building: p-amd64: i-1 is given up: its script did not come to an end",
            "remember build-failed amd64 v i-1",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check("lost i-1 v 0"),
        lines(&[
            "working BuildFailed: p-amd64: 1 in a row came to nothing; next at 2026-11-21T12:01:00Z",
            "again in 60 s"
        ])
    );
    assert_eq!(
        check("lost i-1 v 1\n lost i-0 old 1"),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet",
            "forget build-failed amd64 old i-0"
        ])
    );
}

#[test]
fn an_image_that_could_not_be_made_is_made_again_of_the_same_machine() {
    let machine = "builder i-1 v stopped 9 +111\n command i-1 v ok 5";
    assert_eq!(
        check(&format!("{machine}\n image m-1 v failed 202611211151")),
        lines(&[
            "~ m-1 p-amd64-202611211151: mark snapshot s-1 to go with it",
            "- m-1 p-amd64-202611211151  20 GiB, created 2026-11-21T02:17:30Z, unused",
            "working Building: p-amd64: the image could not be made",
            "remember build-failed amd64 v m-1",
            "forget snapshots-swept",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check(&format!("{machine}\n lost m-1 v 1")),
        lines(&[
            "+ i-1 b → image p-amd64-202611211151",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check(&format!("{machine}\n lost m-1 v 0")),
        lines(&[
            "working BuildFailed: p-amd64: 1 in a row came to nothing; next at 2026-11-21T12:01:00Z",
            "again in 60 s"
        ])
    );
}

#[test]
fn of_two_machines_for_one_version_the_one_with_the_lowest_id_stays() {
    assert_eq!(
        check("builder i-1 v running 2 +118\n builder i-2 v running 2 +118\n online i-1"),
        lines(&[
            "- i-2 b is released",
            "~ i-1 b is provisioned, at most 1800 s",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
}

#[test]
fn a_machine_for_another_version_goes_unless_its_image_is_being_made() {
    assert_eq!(
        check("builder i-1 old running 2 +118"),
        lines(&[
            "- i-1 b is released",
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check("builder i-1 old stopped 9 +111\n image m-1 old making 202611211151"),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: the image of p-amd64 is being made"
        ])
    );
}

#[test]
fn without_a_base_or_an_offer_it_says_so() {
    assert_eq!(
        check_base_none(),
        "stuck NoBase: p-amd64: no Available image for amd64 fits spec.base, so nothing can be built"
    );
    assert_eq!(
        check("offers none"),
        lines(&["working NoCapacity: p-amd64: ", "again in 300 s"])
    );
}

fn check_base_none() -> String {
    check("base none")
}

#[test]
fn a_line_that_is_to_go_releases_its_machines_first() {
    let mut resource = resource("{}");
    resource.policy.ensure = crate::resource::Goal::Absent;
    let seen = seen(
        "builder i-1 v running 2 +118\n image m-1 v there latest",
        &resource,
    );
    assert_eq!(
        show(&plan(&resource, &seen, now()), &resource, &seen),
        lines(&[
            "- i-1 b is released",
            "~ m-1 p-amd64-latest: mark snapshot s-1 to go with it",
            "- m-1 p-amd64-latest  20 GiB, created 2026-11-21T02:17:30Z, unused"
        ])
    );
}
