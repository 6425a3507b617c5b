//! A region is only looked at.

use crate::plan::{Health, Plan};
use crate::resource::Resource;

use super::op::Op;
use super::seen::Seen;
use super::spec::Spec;

pub(super) fn plan(_: &Resource<Spec>, seen: &Seen) -> Plan<Op> {
    let mut plan = Plan::idle(Health::Ready);
    if seen.asked {
        // One set of credentials, however many regions.
        plan.listings.insert("sts caller".to_owned(), 1);
    }
    plan
}
