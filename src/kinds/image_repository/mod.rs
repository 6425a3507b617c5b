//! `ImageRepository`: a repository of container images, its required tags, its mirrors, and what is retained.

mod dispatch;
mod estargz;
mod merge;
mod mirror;
mod op;
mod plan;
mod platform;
pub mod retention;
mod rules;
mod seen;
mod spec;
mod tags;
mod why;

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::ResourceId;
use crate::kind::{Context, Kind, Need, Outputs, Resources};
use crate::kinds::registry::Registry;
use crate::plan::{Because, Plan};
use crate::resource::{Limits, Problem, Resource};

pub use platform::Platform;
pub use spec::{Consistency, Spec};

/// The kind.
#[derive(Debug)]
pub struct ImageRepository;

impl Kind for ImageRepository {
    const NAME: &'static str = "ImageRepository";
    type Spec = Spec;
    type Seen = seen::Seen;
    type Op = op::Op;
    /// One build leaves a handful of versions.
    const LIMITS: Limits = Limits {
        max_deletes: 500,
        ..Limits::USUAL
    };

    fn validate(spec: &Spec) -> Vec<Problem> {
        rules::validate(spec)
    }

    fn validate_among(resource: &Resource<Spec>, resources: &Resources) -> Vec<Problem> {
        retention::rivals(resource, resources)
    }

    fn needs(spec: &Spec) -> Vec<Need> {
        let need = |field, name: &str| Need {
            field,
            id: ResourceId::new(Registry::NAME, name),
        };
        let own = need("spec.registryRef", spec.registry_ref.as_str());
        let mirrors = spec.mirrors.iter();
        let mirrors = mirrors.map(|it| need("spec.mirrors", it.registry_ref.as_str()));
        std::iter::once(own).chain(mirrors).collect()
    }

    async fn observe(
        resource: &Resource<Spec>,
        context: &Context<'_>,
    ) -> Result<seen::Seen, Fault> {
        seen::observe(resource, context).await
    }

    fn outputs(_: &Resource<Spec>, seen: &seen::Seen) -> Outputs {
        merge::outputs(&seen.merge)
    }

    fn claims(resource: &Resource<Spec>, seen: &seen::Seen) -> BTreeSet<String> {
        let mut claims = merge::claims(&resource.spec, seen);
        claims.extend(mirror::claims(&seen.mirrors));
        claims
    }

    fn plan(resource: &Resource<Spec>, seen: &seen::Seen, now: Timestamp) -> Plan<op::Op> {
        plan::plan(resource, seen, now)
    }

    fn why(
        resource: &Resource<Spec>,
        seen: &seen::Seen,
        object: &str,
        _: Timestamp,
    ) -> Option<Because> {
        why::why(resource, seen, object)
    }
}
