//! What to do about a repository: merge first, so that what depends on a tag is done once the tag was seen to be right.

use crate::clock::Timestamp;
use crate::plan::{Health, Plan};
use crate::resource::{Goal, Resource};

use super::dispatch;
use super::merge;
use super::mirror;
use super::op::Op;
use super::retention;
use super::seen::Seen;
use super::spec::Spec;

pub(super) fn plan(resource: &Resource<Spec>, seen: &Seen, now: Timestamp) -> Plan<Op> {
    let mut plan = Plan::idle(Health::Ready);
    match resource.policy.ensure {
        Goal::Present => {
            merge::plan(resource, seen, &mut plan);
            mirror::plan(&seen.home, &seen.mirrors, (&mut plan, Op::Mirror));
            retention::plan(resource, (&seen.merge, &seen.retention), &mut plan);
            dispatch::plan(seen.dispatch.as_ref(), now, &mut plan);
        }
        // Tags that others may pull are not taken away because a repository is no longer managed.
        Goal::Absent => {}
    }
    plan
}
