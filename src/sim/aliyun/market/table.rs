//! Which instance types there are: the built-in ones, those of a scenario, and those that a seed makes.

use crate::sim::aliyun::drawn_below;
use crate::sim::aliyun::market::decimal::Decimal;
use crate::sim::aliyun::market::written::{self, Architecture};
use crate::sim::scenario::Scenario;

/// One instance type.
#[derive(Clone, Debug)]
pub(in crate::sim::aliyun) struct InstanceType {
    pub(in crate::sim::aliyun) id: String,
    pub(in crate::sim::aliyun) family: String,
    pub(in crate::sim::aliyun) architecture: Architecture,
    pub(in crate::sim::aliyun) cores: u64,
    /// In GiB.
    pub(in crate::sim::aliyun) memory: Decimal,
    /// CNY an hour on the spot, where no offer says another.
    pub(super) price: Decimal,
    /// Whether the seed made it.
    pub(super) is_generated: bool,
}

/// A line of types that differ in size only.
struct Line {
    /// All before the size, as in `ecs.e-c1m1`.
    start: &'static str,
    family: &'static str,
    architecture: Architecture,
    /// GiB for each core.
    ratio: u64,
    /// Millionths of a CNY an hour for each core; ASSUMED.
    price: u64,
}

/// Families that exist (ECS documentation, "Overview of instance families"); which sizes a family has is ASSUMED: all.
const LINES: [Line; 21] = [
    line("ecs.c6", X86, 2, 45_000),
    line("ecs.g6", X86, 4, 58_000),
    line("ecs.r6", X86, 8, 75_000),
    line("ecs.c7", X86, 2, 40_000),
    line("ecs.g7", X86, 4, 52_500),
    line("ecs.r7", X86, 8, 70_000),
    line("ecs.c7a", X86, 2, 36_000),
    line("ecs.c8a", X86, 2, 38_500),
    line("ecs.g8a", X86, 4, 49_000),
    line("ecs.c8i", X86, 2, 43_000),
    line("ecs.g8i", X86, 4, 56_000),
    of_family("ecs.e-c1m1", "ecs.e", 1, 25_000),
    of_family("ecs.e-c1m2", "ecs.e", 2, 28_000),
    of_family("ecs.e-c1m4", "ecs.e", 4, 34_000),
    of_family("ecs.u1-c1m1", "ecs.u1", 1, 33_000),
    of_family("ecs.u1-c1m2", "ecs.u1", 2, 37_000),
    of_family("ecs.u1-c1m4", "ecs.u1", 4, 47_000),
    line("ecs.g6r", ARM, 4, 46_000),
    line("ecs.c8y", ARM, 2, 35_000),
    line("ecs.g8y", ARM, 4, 45_000),
    line("ecs.r8y", ARM, 8, 62_000),
];

const X86: Architecture = Architecture::X86;
const ARM: Architecture = Architecture::Arm;

/// The sizes and their cores (ECS documentation, "Instance family naming").
const SIZES: [(&str, u64); 9] = [
    ("large", 2),
    ("xlarge", 4),
    ("2xlarge", 8),
    ("3xlarge", 12),
    ("4xlarge", 16),
    ("6xlarge", 24),
    ("8xlarge", 32),
    ("12xlarge", 48),
    ("16xlarge", 64),
];

const fn line(family: &'static str, architecture: Architecture, ratio: u64, price: u64) -> Line {
    Line {
        start: family,
        family,
        architecture,
        ratio,
        price,
    }
}

const fn of_family(start: &'static str, family: &'static str, ratio: u64, price: u64) -> Line {
    Line {
        start,
        family,
        architecture: X86,
        ratio,
        price,
    }
}

/// All types of a world.
pub(super) fn types(scenario: &Scenario) -> Vec<InstanceType> {
    let market = &scenario.market;
    let mut types = match &market.types {
        None => built_in(),
        Some(types) => types.iter().map(of_scenario).collect(),
    };
    types.extend((0..market.generated).map(|n| generated(scenario.seed, n)));
    types
}

fn built_in() -> Vec<InstanceType> {
    let of_line = |line: &Line, (size, cores): (&str, u64)| InstanceType {
        id: format!("{}.{size}", line.start),
        family: line.family.to_owned(),
        architecture: line.architecture,
        cores,
        memory: gib(cores * line.ratio),
        price: Decimal::from_millionths(line.price).times(cores),
        is_generated: false,
    };
    let sizes = |line| SIZES.iter().map(move |size| of_line(line, *size));
    LINES.iter().flat_map(sizes).collect()
}

fn of_scenario(written: &written::Type) -> InstanceType {
    let cores = u64::from(written.cores);
    let start = written.id.rsplit_once('.').map_or("", |it| it.0);
    let price = Decimal::from_millionths(40_000).times(cores);
    InstanceType {
        id: written.id.clone(),
        family: written.family.clone().unwrap_or(start.to_owned()),
        architecture: written.architecture,
        cores,
        memory: written.memory_gib,
        price: written.price.unwrap_or(price),
        is_generated: false,
    }
}

/// Nine types make a family, one of each size.
fn generated(seed: u64, n: u32) -> InstanceType {
    let index = usize::try_from(n).unwrap_or_default();
    let (size, cores) = SIZES[index % SIZES.len()];
    let family = format!("ecs.s{}", index / SIZES.len());
    let draw = |what: &str, below| drawn_below(seed, &format!("market/{family}/{what}"), below);
    let architecture = if draw("architecture", 3) == 0 {
        ARM
    } else {
        X86
    };
    let ratio = [1, 2, 2, 4, 4, 8][usize::try_from(draw("ratio", 6)).unwrap_or_default()];
    let price = 20_000 + 100 * draw("price", 500);
    InstanceType {
        id: format!("{family}.{size}"),
        architecture,
        cores,
        memory: gib(cores * ratio),
        price: Decimal::from_millionths(price).times(cores),
        is_generated: true,
        family,
    }
}

fn gib(count: u64) -> Decimal {
    Decimal::from_millionths(1_000_000).times(count)
}
