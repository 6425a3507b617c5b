//! `AliyunRegion`: where machines and machine images live, and whose account that is.

mod op;
mod plan;
mod seen;
mod spec;

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::kind::{Context, Kind, Need, Outputs};
use crate::plan::{Because, Plan};
use crate::resource::{Problem, Resource};

pub use spec::{Home, Network, Proxy, Spec};

/// The kind.
#[derive(Debug)]
pub struct AliyunRegion;

impl Kind for AliyunRegion {
    const NAME: &'static str = "AliyunRegion";
    type Spec = Spec;
    type Seen = seen::Seen;
    type Op = op::Op;

    fn validate(spec: &Spec) -> Vec<Problem> {
        spec::validate(spec)
    }

    fn needs(_: &Spec) -> Vec<Need> {
        Vec::new()
    }

    async fn observe(
        resource: &Resource<Spec>,
        context: &Context<'_>,
    ) -> Result<seen::Seen, Fault> {
        seen::observe(resource, context).await
    }

    fn outputs(resource: &Resource<Spec>, _: &seen::Seen) -> Outputs {
        Outputs::from([("regionId".to_owned(), resource.spec.region_id.clone())])
    }

    fn claims(_: &Resource<Spec>, _: &seen::Seen) -> BTreeSet<String> {
        BTreeSet::new()
    }

    fn plan(resource: &Resource<Spec>, seen: &seen::Seen, _: Timestamp) -> Plan<op::Op> {
        plan::plan(resource, seen)
    }

    fn why(_: &Resource<Spec>, _: &seen::Seen, _: &str, _: Timestamp) -> Option<Because> {
        None
    }
}
