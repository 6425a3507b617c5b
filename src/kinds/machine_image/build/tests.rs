//! How a build goes on from whatever is seen: an object a line, a step a line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::ids::{ImageId, InstanceId, InvocationId};
use crate::kinds::architecture::Architecture;
use crate::kinds::instance_class::{Candidate, Dropped, Ranking};
use crate::kinds::machine_image::plan::plan;
use crate::kinds::machine_image::seen::{Image, Phase as ImagePhase, Seen};
use crate::kinds::machine_image::spec::Spec;
use crate::kinds::machine_image::tests;
use crate::kinds::tags;
use crate::plan::{Health, Plan};
use crate::providers::aliyun::{Price, Progress};
use crate::resource::{Bytes, Decimal, Resource};

use super::super::op::Op;
use super::base::{Base, Lookup};
use super::course::{Wanted, wanted};
use super::history::{Loss, Lost};
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
    let price = Price::of(Decimal::of_millionths(80_000));
    let candidate = Candidate {
        instance_type: "ecs.c7.large".to_owned(),
        zone: "cn-hangzhou-k".to_owned(),
        v_switch: "vsw-1".to_owned(),
        cores: 2,
        memory: Bytes::gib(4),
        price,
        limit: Some(price),
    };
    Ranking {
        candidates: vec![candidate],
        asked: BTreeSet::from(["ecs.c7.large".to_owned()]),
        listings: BTreeMap::new(),
        dropped: Dropped::default(),
    }
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
            ["builder", id, of, phase, created, release] => {
                let builder = builder(id, &named(of), (phase, at(created), at(release)));
                bench.builders.push(builder);
            }
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
            [
                how @ ("lost" | "was" | "built" | "missing"),
                object,
                of,
                when,
            ] => {
                bench.lost.push(lost(how, (object, &named(of)), at(when)));
            }
            ["base", "none"] => {
                let lookup = bench.bases.get_mut(&Architecture::Amd64);
                lookup.expect("it has one").base = None;
            }
            ["offers", types @ ("none" | "gone")] => {
                let mut none = offers();
                none.candidates.clear();
                none.dropped.types = usize::from(*types == "gone");
                none.dropped.without_stock = none.dropped.types;
                bench.offers = BTreeMap::from([(Architecture::Amd64, Fact::Known(none))]);
            }
            _ => panic!("{line} is no object"),
        }
    }
    seen
}

fn lost(how: &str, (object, version): (&str, &str), at: Timestamp) -> Lost {
    let kind = match how {
        "was" => Loss::Seen,
        "built" => Loss::Built,
        "missing" => Loss::Missing,
        _ => Loss::GivenUp,
    };
    Lost {
        kind,
        architecture: Architecture::Amd64,
        version: version.to_owned(),
        object: object.to_owned(),
        why: if how == "lost" { "it failed" } else { "" }.to_owned(),
        at,
    }
}

fn builder(
    id: &str,
    version: &str,
    (phase, created, release): (&str, Timestamp, Timestamp),
) -> Builder {
    Builder {
        id: InstanceId::new(id),
        name: "b".to_owned(),
        architecture: Some(Architecture::Amd64),
        version: version.to_owned(),
        phase: phase_of(phase),
        machine: "ecs.c7.large in cn-hangzhou-k".to_owned(),
        created: Some(created),
        release: Some(release),
        price: "0.08".to_owned(),
    }
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
    // That a machine was seen is remembered each time.
    let told = plan.remember.iter();
    for (name, when) in told.filter(|(name, _)| !name.starts_with("build-machine")) {
        let how = if when.is_some() { "remember" } else { "forget" };
        let _ = write!(text, "\n{how} {name}");
    }
    for it in &plan.underway {
        let usually = it.expected.map(|it| format!(", usually until {it}"));
        let _ = write!(text, "\nsince {}{}", it.since, usually.unwrap_or_default());
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

mod failing;
mod going;
