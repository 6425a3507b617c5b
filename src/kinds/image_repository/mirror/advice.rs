//! What a registry means that takes no copy, and what helps: pure.

use crate::fault::{Class, Fault};
use crate::providers::registry::{Site, refuses_attestations};

/// What may help where a mirror's registry answers this; none: that is not known here.
pub(super) fn advice(fault: &Fault, site: &Site) -> Option<&'static str> {
    let is_alibaba = site.host.ends_with(".aliyuncs.com");
    match fault.class {
        _ if refuses_attestations(fault) => Some(
            "this registry takes no attestations: write `attestations: auto` or `attestations: drop` in its Registry",
        ),
        // Threads docker/cli 4833, skopeo 1645, image-syncer 149: the same words for all of these.
        Class::Denied if is_alibaba => Some(
            "Alibaba Cloud answers this where the namespace is absent, or is another's, or makes no repository by itself (auto-create is off), or the login may not use it",
        ),
        Class::Denied => {
            Some("the login lacks the permission to push there, or there is no such namespace")
        }
        Class::Invalid
        | Class::Account
        | Class::NoCapacity
        | Class::DiskUnsupported
        | Class::InUse
        | Class::Gone
        | Class::NotYet
        | Class::TokenUsed
        | Class::Throttled { .. }
        | Class::Unavailable { .. }
        | Class::Bug => None,
    }
}

/// The same failure, with that advice.
pub(super) fn advised(fault: Fault, site: &Site) -> Fault {
    match advice(&fault, site) {
        Some(advice) => fault.hint(advice),
        None => fault,
    }
}
