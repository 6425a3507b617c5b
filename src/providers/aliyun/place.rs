//! A region, and the services of the cloud.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::RegionId;

/// A region, and where its ECS answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The region.
    pub region: RegionId,
    /// The base URL of ECS from a state file; none: by the region.
    pub endpoint: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Some(endpoint) => write!(f, "{} at {endpoint}", self.region),
            None => write!(f, "{}", self.region),
        }
    }
}

/// A service of the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Machines, images, snapshots.
    Ecs,
    /// Networks.
    Vpc,
    /// Who we are.
    Sts,
}

impl Service {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Vpc => "vpc",
            Self::Sts => "sts",
        }
    }

    /// The version of its API.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Ecs => "2014-05-26",
            Self::Vpc => "2016-04-28",
            Self::Sts => "2015-04-01",
        }
    }
}
