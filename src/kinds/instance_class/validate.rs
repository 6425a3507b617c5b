//! What is wrong with an `InstanceClass` beyond what its schema says: pure.

use std::time::Duration;

use crate::ids::ResourceId;
use crate::kind::{Kind, Resources};
use crate::kinds::aliyun_region::{self, AliyunRegion};
use crate::resource::{Bytes, Decimal, Problem, Resource, Span};

use super::spec::Spec;

/// A release time is at least 30 minutes ahead (ECS API reference, `RunInstances`, `AutoReleaseTime`), and is rounded
/// down to a minute; what is left is for clocks.
const TTL_MIN: Span = Span(Duration::from_secs(35 * 60));
/// It is at most three years ahead (there).
const TTL_MAX: Span = Span(Duration::from_secs(3 * 365 * 86_400));
/// The greatest system disk (ECS API reference, `RunInstances`, `SystemDisk.Size`).
const DISK_MAX: Bytes = Bytes::gib(2048);
const ONE: Decimal = Decimal::of_millionths(1_000_000);

pub(super) fn validate(spec: &Spec) -> Vec<Problem> {
    let parts = [amounts(spec), names(spec), money(spec), disk(spec)];
    let mut problems: Vec<Problem> = parts.into_iter().flatten().collect();
    let ttl = spec.ttl;
    if ttl < TTL_MIN {
        let message =
            format!("{ttl} is less than {TTL_MIN}, the least that is sure to be accepted");
        problems.push(Problem::new("spec.ttl", &message));
    } else if ttl > TTL_MAX {
        let message = format!("{ttl} is more than {TTL_MAX}, the most that the cloud accepts");
        problems.push(Problem::new("spec.ttl", &message));
    }
    problems
}

fn amounts(spec: &Spec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let cpu = &spec.requirements.cpu;
    if cpu.max < cpu.min {
        let message = format!("{} is less than cpu.min, which is {}", cpu.max, cpu.min);
        problems.push(Problem::new("spec.requirements.cpu.max", &message));
    }
    let (least, most) = (spec.least_memory(), spec.most_memory());
    if least <= most {
        return problems;
    }
    let (path, message) = match (&spec.requirements.memory.min, &spec.requirements.memory.max) {
        (Some(min), Some(max)) => (
            "spec.requirements.memory.max",
            format!("{max} is less than memory.min, which is {min}"),
        ),
        (Some(min), None) => (
            "spec.requirements.memory.min",
            format!(
                "{min} is more than {most}, the most for {} where no memory.max is written",
                spec.architecture
            ),
        ),
        (None, _) => (
            "spec.requirements.memory",
            format!(
                "{} cores with {} each need {least}, more than memory.max, which is {most}: write a greater one, or fewer cores",
                cpu.min,
                spec.memory_per_core()
            ),
        ),
    };
    problems.push(Problem::new(path, &message));
    problems
}

/// A type that no family accepts can never be chosen.
fn names(spec: &Spec) -> Vec<Problem> {
    let (Some(types), Some(families)) = (
        &spec.requirements.instance_types,
        &spec.requirements.families,
    ) else {
        return Vec::new();
    };
    let problem = |(index, name): (usize, &String)| {
        let family = name.rsplit_once('.').map_or("", |(family, _)| family);
        let is_of_one = families.iter().any(|it| it == family);
        (!is_of_one).then(|| {
            let message =
                format!("`{name}` is of the family {family}, which is not among families");
            Problem::new(
                &format!("spec.requirements.instanceTypes[{index}]"),
                &message,
            )
        })
    };
    types.iter().enumerate().filter_map(problem).collect()
}

fn money(spec: &Spec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let multiplier = spec.spot.price_multiplier;
    if multiplier < ONE {
        let message = format!("{multiplier} is less than 1: no machine is sold below its price");
        problems.push(Problem::new("spec.spot.priceMultiplier", &message));
    }
    if let Some(max) = spec.spot.max_price {
        let is_exact = max.millionths().is_multiple_of(1000);
        let message = match max.millionths() {
            0 => "0 is no price: write one above it, or leave it out",
            _ if !is_exact => "a price of the cloud has three decimals at most",
            _ => return problems,
        };
        problems.push(Problem::new("spec.spot.maxPrice", message));
    }
    problems
}

fn disk(spec: &Spec) -> Vec<Problem> {
    let disk = &spec.system_disk;
    let sizes = [("headroom", disk.headroom), ("minSize", disk.min_size)];
    let problem = |(field, size): (&str, Bytes)| {
        (size > DISK_MAX).then(|| {
            let message =
                format!("{size} is more than {DISK_MAX}, the greatest system disk there is");
            Problem::new(&format!("spec.systemDisk.{field}"), &message)
        })
    };
    sizes.into_iter().filter_map(problem).collect()
}

/// What the region must say of its network before a machine can be launched into it.
pub(super) fn validate_among(resource: &Resource<Spec>, resources: &Resources) -> Vec<Problem> {
    let name = resource.spec.region_ref.as_str();
    let id = ResourceId::new(AliyunRegion::NAME, name);
    // One that is not there is found with all references.
    let region = resources.get(&id).and_then(|it| it.spec().downcast_ref());
    let Some(region) = region else {
        return Vec::new();
    };
    let lacks = lacks(region);
    if lacks.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "{id} does not say into which network machines are launched: it lacks {}",
        lacks.join(", ")
    );
    vec![Problem::new("spec.regionRef", &message)]
}

fn lacks(region: &aliyun_region::Spec) -> Vec<&'static str> {
    let network = region.network.clone().unwrap_or_default();
    let has_v_switches = network.v_switches.is_some_and(|it| !it.is_empty());
    let fields = [
        (network.vpc_id.is_some(), "network.vpcId"),
        (
            network.security_group_id.is_some(),
            "network.securityGroupId",
        ),
        (
            has_v_switches || network.discover_v_switches,
            "network.vSwitches (or network.discoverVSwitches: true)",
        ),
    ];
    let missing = fields.into_iter().filter(|(is_there, _)| !is_there);
    missing.map(|(_, field)| field).collect()
}
