//! `InstancePolicy`: nothing that is billed is left without work.

mod judge;
mod op;
mod plan;
mod records;
mod seen;
mod spec;
#[cfg(test)]
mod tests;
mod why;

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::ResourceId;
use crate::kind::{Context, Kind, Need, Outputs};
use crate::kinds::aliyun_region::AliyunRegion;
use crate::plan::{Because, Plan};
use crate::resource::{Problem, Resource};

pub use spec::{Purchase, Spec};

/// The kind.
#[derive(Debug)]
pub struct InstancePolicy;

impl Kind for InstancePolicy {
    const NAME: &'static str = "InstancePolicy";
    type Spec = Spec;
    type Seen = seen::Seen;
    type Op = op::Op;

    fn validate(spec: &Spec) -> Vec<Problem> {
        spec::validate(spec)
    }

    fn needs(spec: &Spec) -> Vec<Need> {
        let id = ResourceId::new(AliyunRegion::NAME, spec.region_ref.as_str());
        vec![Need {
            field: "spec.regionRef",
            id,
        }]
    }

    async fn observe(
        resource: &Resource<Spec>,
        context: &Context<'_>,
    ) -> Result<seen::Seen, Fault> {
        seen::observe(resource, context).await
    }

    fn outputs(_: &Resource<Spec>, _: &seen::Seen) -> Outputs {
        Outputs::new()
    }

    fn claims(resource: &Resource<Spec>, seen: &seen::Seen) -> BTreeSet<String> {
        judge::claims(resource, seen)
    }

    fn plan(resource: &Resource<Spec>, seen: &seen::Seen, now: Timestamp) -> Plan<op::Op> {
        plan::plan(resource, seen, now)
    }

    fn why(
        resource: &Resource<Spec>,
        seen: &seen::Seen,
        object: &str,
        now: Timestamp,
    ) -> Option<Because> {
        why::why(resource, seen, object, now)
    }
}
