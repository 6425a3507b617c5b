//! A class is as declared as soon as it is declared.

use crate::plan::{Health, Plan};

use super::op::Op;

pub(super) fn plan() -> Plan<Op> {
    Plan::idle(Health::Ready)
}
