//! `InstanceClass`: what machine to rent, and which of those that are sold comes first.

mod choice;
mod launch;
mod op;
mod plan;
mod plug;
mod rank;
mod ranking;
mod seen;
mod shape;
mod spec;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::ResourceId;
use crate::kind::{Context, Kind, Need, Outputs, Resources};
use crate::kinds::aliyun_region::AliyunRegion;
use crate::plan::{Because, Plan};
use crate::resource::{Problem, Resource};

pub use launch::{Order, Wanted, disk_gib, disks, exists, found, full_minute, launch, prove};
pub use rank::rank;
pub use ranking::{Candidate, Dropped, Offer, Ranking};
pub use spec::{DiskCategory, Requirements, Selection, Spec, Spot, Strategy, SystemDisk};

/// The kind.
#[derive(Debug)]
pub struct InstanceClass;

impl Kind for InstanceClass {
    const NAME: &'static str = "InstanceClass";
    type Spec = Spec;
    type Seen = seen::Seen;
    type Op = op::Op;

    fn validate(spec: &Spec) -> Vec<Problem> {
        validate::validate(spec)
    }

    fn validate_among(resource: &Resource<Spec>, resources: &Resources) -> Vec<Problem> {
        validate::validate_among(resource, resources)
    }

    fn needs(spec: &Spec) -> Vec<Need> {
        let id = ResourceId::new(AliyunRegion::NAME, spec.region_ref.as_str());
        vec![Need {
            field: "spec.regionRef",
            id,
        }]
    }

    async fn observe(_: &Resource<Spec>, _: &Context<'_>) -> Result<seen::Seen, Fault> {
        Ok(seen::observe())
    }

    fn outputs(_: &Resource<Spec>, _: &seen::Seen) -> Outputs {
        Outputs::new()
    }

    fn claims(_: &Resource<Spec>, _: &seen::Seen) -> BTreeSet<String> {
        BTreeSet::new()
    }

    fn plan(_: &Resource<Spec>, _: &seen::Seen, _: Timestamp) -> Plan<op::Op> {
        plan::plan()
    }

    fn why(_: &Resource<Spec>, _: &seen::Seen, _: &str, _: Timestamp) -> Option<Because> {
        None
    }
}
