//! The market as a scenario writes it: which types there are, where they are sold, and for how much.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::sim::aliyun::market::decimal::Decimal;

/// What is sold. Without any of this the built-in types are sold in four zones of each region, at prices that stand still.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Market {
    /// The types that there are; left out: the built-in ones.
    pub types: Option<Vec<Type>>,
    /// How many types to make besides, of families, sizes and prices that the seed decides.
    pub generated: u32,
    /// What is sold where. Empty: every type in every zone, except that the seed decides for generated ones.
    pub offers: Vec<Offer>,
    /// Whether prices, and stock where no offer says it, change from hour to hour as the seed decides.
    pub moves: bool,
    /// Which spot instances the cloud takes back; left out: none.
    pub reclaims: Option<Reclaims>,
}

/// One instance type.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Type {
    /// As in `ecs.c7.large`.
    pub id: String,
    /// Left out: the id up to its last dot.
    #[serde(default)]
    pub family: Option<String>,
    /// In the words of images.
    pub architecture: Architecture,
    pub cores: u32,
    pub memory_gib: Decimal,
    /// CNY an hour on the spot, where no offer says it; left out: 0.04 a core.
    #[serde(default)]
    pub price: Option<Decimal>,
}

/// An architecture in the words of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Architecture {
    #[serde(rename = "x86_64")]
    X86,
    #[serde(rename = "arm64")]
    Arm,
}

/// One type in one zone.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Offer {
    #[serde(rename = "type")]
    pub instance_type: String,
    /// As in `cn-hangzhou-h`.
    pub zone: String,
    /// CNY an hour on the spot, around which it moves; left out: the type's.
    #[serde(default)]
    pub price: Option<Decimal>,
    /// CNY an hour when it is paid as used; left out: five times the spot price.
    #[serde(default)]
    pub origin_price: Option<Decimal>,
    /// What `DescribeAvailableResource` says; left out: there is enough, unless stock moves.
    #[serde(default)]
    pub stock: Option<Stock>,
    /// What an order finds; left out: what `DescribeAvailableResource` says.
    #[serde(default)]
    pub really: Option<Stock>,
    /// The categories that a system disk may be of; left out: all.
    #[serde(default)]
    pub disks: Option<BTreeSet<String>>,
}

/// How much there is (ECS API reference, `DescribeAvailableResource`, `StatusCategory`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Stock {
    WithStock,
    /// Little, and no more to come.
    ClosedWithStock,
    WithoutStock,
    /// None, and no more to come.
    ClosedWithoutStock,
}

/// Spot instances that the cloud takes back.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reclaims {
    /// How many of a hundred, as the seed decides.
    #[serde(default = "all")]
    pub percent: u64,
    /// How long after their launch, at least.
    pub seconds: u64,
    /// How much longer than that it takes at most, as the seed decides.
    #[serde(default)]
    pub spread: u64,
}

fn all() -> u64 {
    100
}

impl Architecture {
    /// In the words of images.
    pub(crate) fn of_image(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
        }
    }

    /// Instance types have another word for it (ECS API reference, `DescribeInstanceTypes`, `CpuArchitecture`).
    pub(crate) fn of_type(self) -> &'static str {
        match self {
            Self::X86 => "X86",
            Self::Arm => "ARM",
        }
    }
}

impl Stock {
    pub(crate) fn is_there(self) -> bool {
        match self {
            Self::WithStock | Self::ClosedWithStock => true,
            Self::WithoutStock | Self::ClosedWithoutStock => false,
        }
    }

    /// The field `StatusCategory`.
    pub(crate) fn category(self) -> &'static str {
        match self {
            Self::WithStock => "WithStock",
            Self::ClosedWithStock => "ClosedWithStock",
            Self::WithoutStock => "WithoutStock",
            Self::ClosedWithoutStock => "ClosedWithoutStock",
        }
    }

    /// The field `Status`.
    pub(crate) fn status(self) -> &'static str {
        if self.is_there() {
            "Available"
        } else {
            "SoldOut"
        }
    }
}
