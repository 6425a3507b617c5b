//! Which rule decides about one tag, and what would change that: pure.

use crate::plan::Because;
use crate::resource::Resource;

use super::merge;
use super::mirror;
use super::retention;
use super::seen::Seen;
use super::spec::Spec;

pub(super) fn why(resource: &Resource<Spec>, seen: &Seen, object: &str) -> Option<Because> {
    merge::why(resource, seen, object)
        .or_else(|| mirror::why(&seen.home, &seen.mirrors, object))
        .or_else(|| retention::why(resource, (&seen.merge, &seen.retention), object))
}
