//! `MachineImage`: a line of custom images per architecture, named by a prefix, and how many of them are kept.

mod build;
mod builders;
mod change;
pub mod guest;
mod latest;
mod names;
mod op;
mod plan;
mod recipe;
mod retention;
mod script;
mod seen;
mod share;
mod spec;
mod templates;
#[cfg(test)]
mod tests;
mod unmanaged;
pub mod version;
mod why;

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::{ImageId, ResourceId};
use crate::kind::{Context, Kind, Need, Outputs, Resources};
use crate::kinds::aliyun_region::AliyunRegion;
use crate::kinds::architecture::Architecture;
use crate::kinds::instance_class::InstanceClass;
use crate::kinds::tags::{self, Owner as TagOwner};
use crate::plan::{Because, Plan};
use crate::providers::aliyun;
use crate::resource::{NamedFile, Problem, Reference, Resource};

pub use recipe::{Backoff, Base, Owner, Provision, Query, Share};
pub use script::script;
pub use spec::{Adopt, Spec};

/// The kind.
#[derive(Debug)]
pub struct MachineImage;

impl Kind for MachineImage {
    const NAME: &'static str = "MachineImage";
    type Spec = Spec;
    type Seen = seen::Seen;
    type Op = op::Op;

    fn validate(spec: &Spec) -> Vec<Problem> {
        spec::validate(spec)
    }

    fn files(spec: &Spec) -> Vec<NamedFile> {
        recipe::files(spec)
    }

    fn validate_among(resource: &Resource<Spec>, resources: &Resources) -> Vec<Problem> {
        let mut problems = builders::problems(resource, resources);
        problems.extend(script::problems(resource, resources));
        problems.extend(share::problems(resource, resources));
        problems
    }

    fn needs(spec: &Spec) -> Vec<Need> {
        let id = ResourceId::new(AliyunRegion::NAME, spec.region_ref.as_str());
        let region = Need {
            field: "spec.regionRef",
            id,
        };
        let class = |(architecture, name): (&Architecture, &Reference)| Need {
            field: recipe::class_field(*architecture),
            id: ResourceId::new(InstanceClass::NAME, name.as_str()),
        };
        let classes = spec.instance_class_refs.iter().map(class);
        std::iter::once(region).chain(classes).collect()
    }

    async fn observe(
        resource: &Resource<Spec>,
        context: &Context<'_>,
    ) -> Result<seen::Seen, Fault> {
        seen::observe(resource, context).await
    }

    fn outputs(resource: &Resource<Spec>, seen: &seen::Seen) -> Outputs {
        let served = |architecture: &Architecture| {
            let image = names::serving(resource, seen, *architecture)?;
            Some((architecture.to_string(), image.id.to_string()))
        };
        resource
            .spec
            .architectures
            .iter()
            .filter_map(served)
            .collect()
    }

    fn claims(resource: &Resource<Spec>, seen: &seen::Seen) -> BTreeSet<String> {
        let claim = |architecture: &Architecture| {
            let name = names::latest(&resource.spec, *architecture);
            format!("image name {name} in {}", seen.home.place)
        };
        resource.spec.architectures.iter().map(claim).collect()
    }

    fn plan(resource: &Resource<Spec>, seen: &seen::Seen, now: Timestamp) -> Plan<op::Op> {
        plan::plan(resource, seen, now)
    }

    fn why(
        resource: &Resource<Spec>,
        seen: &seen::Seen,
        object: &str,
        now: Timestamp,
    ) -> Option<Because> {
        why::why(resource, seen, object).or_else(|| build::why(resource, seen, (object, now)))
    }
}

/// The image that `-latest` names now, out of all images of the account; none: there is none yet.
pub fn latest<'a>(
    line: &Spec,
    (scope, owner): (&str, &ResourceId),
    (architecture, images): (Architecture, &'a [aliyun::Image]),
) -> Option<&'a aliyun::Image> {
    let name = names::latest(line, architecture);
    let mut images = images.iter();
    images.find(|it| {
        it.name == name
            && tags::owner(&it.tags, scope, owner) == TagOwner::Ours
            && seen::image(it).phase == seen::Phase::Available
    })
}

/// The newest Available one of some images, of one architecture where that matters.
pub fn newest_available(
    images: &[aliyun::Image],
    architecture: Option<Architecture>,
) -> Option<ImageId> {
    let images = images.iter().map(seen::image);
    let is_wanted = |it: &seen::Image| {
        it.phase == seen::Phase::Available
            && (architecture.is_none() || it.architecture == architecture)
    };
    images
        .filter(is_wanted)
        .max_by_key(|it| (it.created, it.id.clone()))
        .map(|it| it.id)
}
