//! `Registry`: where repositories of container images are, and who we are there.

mod op;
mod spec;

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::kind::{Context, Kind, Need, Outputs};
use crate::plan::{Because, Health, Plan};
use crate::resource::{Problem, Resource};

pub use spec::{Attestations, Deletion, Spec};

/// The kind.
#[derive(Debug)]
pub struct Registry;

impl Kind for Registry {
    const NAME: &'static str = "Registry";
    type Spec = Spec;
    type Seen = ();
    type Op = op::Op;

    fn validate(spec: &Spec) -> Vec<Problem> {
        spec::validate(spec)
    }

    fn needs(_: &Spec) -> Vec<Need> {
        Vec::new()
    }

    /// Asks nothing: each repository finds out whether its registry can be reached.
    async fn observe(_: &Resource<Spec>, _: &Context<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn outputs(_: &Resource<Spec>, (): &()) -> Outputs {
        Outputs::new()
    }

    fn claims(_: &Resource<Spec>, (): &()) -> BTreeSet<String> {
        BTreeSet::new()
    }

    fn plan(_: &Resource<Spec>, (): &(), _: Timestamp) -> Plan<op::Op> {
        Plan::idle(Health::Ready)
    }

    fn why(_: &Resource<Spec>, (): &(), _: &str, _: Timestamp) -> Option<Because> {
        None
    }
}
