//! `Registry`: where repositories of container images are, and who we are there.

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

pub use spec::{Attestations, Deletion, Spec};

/// The kind.
#[derive(Debug)]
pub struct Registry;

impl Kind for Registry {
    const NAME: &'static str = "Registry";
    type Spec = Spec;
    type Seen = seen::Seen;
    type Op = op::Op;

    fn validate(spec: &Spec) -> Vec<Problem> {
        spec::validate(spec)
    }

    fn needs(_: &Spec) -> Vec<Need> {
        Vec::new()
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
