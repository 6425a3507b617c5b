//! `RunnerSet`: a machine for each job that waits, for one job each.

mod count;
mod demand;
mod guest;
mod image;
mod judge;
mod launch;
mod memory;
mod op;
mod plan;
mod seen;
mod spec;
#[cfg(test)]
mod tests;
mod why;

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::ResourceId;
use crate::kind::{Context, Kind, Need, Outputs, Resources};
use crate::kinds::instance_class::InstanceClass;
use crate::plan::{Because, Plan};
use crate::resource::{Problem, Resource};

pub use spec::{Backoff, Fallback, ImageRef, Spec};

/// The kind.
#[derive(Debug)]
pub struct RunnerSet;

impl Kind for RunnerSet {
    const NAME: &'static str = "RunnerSet";
    type Spec = Spec;
    type Seen = seen::Seen;
    type Op = op::Op;

    fn validate(spec: &Spec) -> Vec<Problem> {
        spec::validate(spec)
    }

    fn validate_among(resource: &Resource<Spec>, resources: &Resources) -> Vec<Problem> {
        spec::validate_among(resource, resources)
    }

    fn needs(spec: &Spec) -> Vec<Need> {
        let class = Need {
            field: "spec.instanceClassRef",
            id: ResourceId::new(InstanceClass::NAME, spec.instance_class_ref.as_str()),
        };
        // A MachineImage that cannot be looked at, or whose build is stuck, must not keep leases from being moved on: what its
        // `-latest` names is looked up here, and only launches need it.
        vec![class]
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

    fn claims(_: &Resource<Spec>, _: &seen::Seen) -> BTreeSet<String> {
        BTreeSet::new()
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
        why::why(resource, seen, (object, now))
    }
}
