//! Which shapes of machines are asked for, one after the other: pure.

use crate::kinds::architecture::Architecture;
use crate::providers::aliyun::{InstanceType, TypeFilter};
use crate::resource::Bytes;

use super::spec::{Spec, Strategy};

/// How many cores and how much memory, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) cores: (u32, u32),
    pub(super) memory: (Bytes, Bytes),
}

impl Shape {
    /// All that the class accepts.
    pub(super) fn whole(spec: &Spec) -> Self {
        let cpu = &spec.requirements.cpu;
        Self {
            cores: (cpu.min, cpu.max),
            memory: (spec.least_memory(), spec.most_memory()),
        }
    }

    fn exact(cores: u32, gib: u32) -> Self {
        let memory = Bytes::gib(u64::from(gib));
        Self {
            cores: (cores, cores),
            memory: (memory, memory),
        }
    }

    pub(super) fn accepts(&self, it: &InstanceType) -> bool {
        let ((least, most), (small, great)) = (self.cores, self.memory);
        (least..=most).contains(&it.cores) && (small.0..=great.0).contains(&it.memory_bytes)
    }

    fn contains(&self, other: &Self) -> bool {
        let within = |(least, most), (small, great)| least <= small && great <= most;
        within(self.cores, other.cores)
            && self.memory.0 <= other.memory.0
            && other.memory.1 <= self.memory.1
    }
}

/// The shapes in the order in which they are wanted; the last one is all that the class accepts, and no other is beyond it.
pub(super) fn shapes(spec: &Spec) -> Vec<Shape> {
    let whole = Shape::whole(spec);
    let mut shapes = match spec.selection.strategy {
        Strategy::ExactRatioFirst => exact(spec),
        Strategy::LowestTotalPrice | Strategy::LowestPricePerCore => Vec::new(),
    };
    shapes.retain(|it| whole.contains(it));
    shapes.push(whole);
    shapes
}

/// From 32 cores on twice as many GiB are no usual machine; below 16 the next usual one is worth a look.
fn exact(spec: &Spec) -> Vec<Shape> {
    let cores = spec.requirements.cpu.min;
    match spec.architecture {
        Architecture::Amd64 => {
            let mut shapes = vec![Shape::exact(cores, cores)];
            if cores <= 32 {
                shapes.push(Shape::exact(cores, 2 * cores));
            }
            if cores < 16 {
                shapes.extend([Shape::exact(16, 16), Shape::exact(16, 32)]);
            }
            shapes
        }
        Architecture::Arm64 => vec![Shape::exact(cores, 2 * cores)],
    }
}

/// What the service is asked for: all that the class accepts.
pub(super) fn filter(spec: &Spec) -> TypeFilter {
    let Shape { cores, memory } = Shape::whole(spec);
    let set = |it: &Option<Vec<String>>| it.iter().flatten().cloned().collect();
    TypeFilter {
        architecture: match spec.architecture {
            Architecture::Amd64 => "X86",
            Architecture::Arm64 => "ARM",
        },
        cores,
        memory,
        types: set(&spec.requirements.instance_types),
        families: set(&spec.requirements.families),
    }
}
