//! What may be written of an `InstanceClass`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::architecture::Architecture;
use crate::providers::aliyun::Purchase;
use crate::resource::{Bytes, Decimal, Reference, Span};

/// What machine to rent; it says nothing of the image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The `AliyunRegion` that it is rented in.
    pub region_ref: Reference,
    /// What its programs are made for.
    pub architecture: Architecture,
    /// What the machine must have.
    #[serde(default)]
    pub requirements: Requirements,
    /// Which one of those that have it.
    #[serde(default)]
    pub selection: Selection,
    /// How it is paid for.
    #[serde(default)]
    pub spot: Spot,
    /// The disk that it starts from.
    #[serde(default)]
    pub system_disk: SystemDisk,
    /// The RAM role that its programs have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{1,64}$"))]
    pub instance_role_name: Option<String>,
    /// How long after its launch the service releases it, whatever happens to us.
    #[serde(default = "ttl")]
    pub ttl: Span,
}

/// What the machine must have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Requirements {
    /// How many cores.
    pub cpu: Cores,
    /// How much memory.
    pub memory: Memory,
    /// How much memory a core needs at least: 1Gi for amd64, 2Gi for arm64, where nothing is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_per_cpu: Option<Bytes>,
    /// Only these types; any, where nothing is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 10),
        inner(regex(pattern = r"^ecs\.[a-z0-9]+(-[a-z0-9]+)*\.[a-z0-9]+(-[a-z0-9]+)*$")),
        extend("uniqueItems" = true)
    )]
    pub instance_types: Option<Vec<String>>,
    /// Only types of these families, as in `ecs.c8y`; of any, where nothing is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 10),
        inner(regex(pattern = r"^ecs\.[a-z0-9]+(-[a-z0-9]+)*$")),
        extend("uniqueItems" = true)
    )]
    pub families: Option<Vec<String>>,
}

/// How many cores the machine must have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Cores {
    /// The fewest.
    #[schemars(range(min = 1, max = 1024))]
    pub min: u32,
    /// The most.
    #[schemars(range(min = 1, max = 1024))]
    pub max: u32,
}

impl Default for Cores {
    fn default() -> Self {
        Self { min: 8, max: 64 }
    }
}

/// How much memory the machine must have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Memory {
    /// The least: cpu.min times memoryPerCpu, where nothing is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Bytes>,
    /// The most: 64Gi for amd64, 128Gi for arm64, where nothing is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Bytes>,
}

/// Which of the machines that have what they must is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Selection {
    /// What comes first.
    pub strategy: Strategy,
    /// How many are tried, one after the other.
    #[schemars(range(min = 1, max = 100))]
    pub max_candidates: u32,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            max_candidates: 5,
        }
    }
}

/// Which machine comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Strategy {
    /// The smallest with exactly the usual memory for its cores, and only then any other; the cheapest per core of each.
    #[default]
    ExactRatioFirst,
    /// The cheapest.
    LowestTotalPrice,
    /// The cheapest per core.
    LowestPricePerCore,
}

/// How the machine is paid for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Spot {
    /// At the market's price, and so reclaimed at any time; else at the list price.
    pub enabled: bool,
    /// How many times today's price may be paid.
    pub price_multiplier: Decimal,
    /// The most that may be paid in CNY an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_price: Option<Decimal>,
}

impl Default for Spot {
    fn default() -> Self {
        Self {
            enabled: true,
            price_multiplier: Decimal::of_millionths(1_200_000),
            max_price: None,
        }
    }
}

/// The disk that the machine starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SystemDisk {
    /// What sort of disk, tried in order.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub categories: Vec<DiskCategory>,
    /// How much greater than its image it is.
    pub headroom: Bytes,
    /// How great it is at least.
    pub min_size: Bytes,
}

impl Default for SystemDisk {
    fn default() -> Self {
        Self {
            categories: vec![
                DiskCategory::CloudEssd,
                DiskCategory::CloudSsd,
                DiskCategory::CloudEfficiency,
            ],
            headroom: Bytes::gib(10),
            min_size: Bytes::gib(20),
        }
    }
}

/// A sort of disk (ECS API reference, `RunInstances`, `SystemDisk.Category`).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DiskCategory {
    /// Fast.
    CloudEssd,
    /// Fast, and faster for a while.
    CloudAuto,
    /// The smallest of the fast ones.
    CloudEssdEntry,
    /// Of the generation before.
    CloudSsd,
    /// Slow.
    CloudEfficiency,
    /// The slowest.
    Cloud,
}

impl DiskCategory {
    /// As ECS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudEssd => "cloud_essd",
            Self::CloudAuto => "cloud_auto",
            Self::CloudEssdEntry => "cloud_essd_entry",
            Self::CloudSsd => "cloud_ssd",
            Self::CloudEfficiency => "cloud_efficiency",
            Self::Cloud => "cloud",
        }
    }
}

fn ttl() -> Span {
    Span(Duration::from_secs(2 * 3600))
}

impl Spec {
    /// How it is paid for.
    pub fn purchase(&self) -> Purchase {
        if self.spot.enabled {
            Purchase::Spot
        } else {
            Purchase::OnDemand
        }
    }

    /// How much memory a core needs at least.
    pub fn memory_per_core(&self) -> Bytes {
        let usual = match self.architecture {
            Architecture::Amd64 => Bytes::gib(1),
            Architecture::Arm64 => Bytes::gib(2),
        };
        self.requirements.memory_per_cpu.unwrap_or(usual)
    }

    /// The least memory that will do.
    pub fn least_memory(&self) -> Bytes {
        let usual = || {
            let bytes =
                u64::from(self.requirements.cpu.min).saturating_mul(self.memory_per_core().0);
            Bytes(bytes)
        };
        self.requirements.memory.min.unwrap_or_else(usual)
    }

    /// The most memory that will do.
    pub fn most_memory(&self) -> Bytes {
        let usual = match self.architecture {
            Architecture::Amd64 => Bytes::gib(64),
            Architecture::Arm64 => Bytes::gib(128),
        };
        self.requirements.memory.max.unwrap_or(usual)
    }

    /// The size in GiB of a system disk for an image of this size.
    pub fn disk_gib(&self, image_gib: u64) -> u64 {
        let disk = &self.system_disk;
        let wanted = image_gib.saturating_add(disk.headroom.gib_rounded_up());
        wanted.max(disk.min_size.gib_rounded_up())
    }
}
