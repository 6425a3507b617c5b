//! A region is only looked at.

use crate::plan::{Health, Plan};
use crate::resource::Resource;

use super::op::Op;
use super::seen::Seen;
use super::spec::Spec;

pub(super) fn plan(resource: &Resource<Spec>, seen: &Seen) -> Plan<Op> {
    let mut plan = Plan::idle(Health::Ready);
    if seen.asked {
        let endpoint = resource.spec.endpoint.clone().unwrap_or_default();
        plan.listings.insert(format!("sts {endpoint} caller"), 1);
    }
    plan
}
