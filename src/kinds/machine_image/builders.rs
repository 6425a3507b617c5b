//! What is wrong with the machines that shall build: each of the right architecture, in the same region, for long enough.

use std::time::Duration;

use crate::ids::ResourceId;
use crate::kind::{Kind, Resources};
use crate::kinds::architecture::Architecture;
use crate::kinds::instance_class::{self, InstanceClass};
use crate::resource::{Problem, Reference, Resource, Span};

use super::recipe::class_field;
use super::spec::Spec;

/// What a machine needs besides the script's time: to come up, and to be seen finished by a pass. What its image takes
/// is given to it then.
const BESIDES: Duration = Duration::from_secs(15 * 60);

pub(super) fn problems(resource: &Resource<Spec>, resources: &Resources) -> Vec<Problem> {
    let named = resource.spec.instance_class_refs.iter();
    let judge = |(architecture, name): (&Architecture, &Reference)| {
        let id = ResourceId::new(InstanceClass::NAME, name.as_str());
        // One that is not declared is told as a reference that leads nowhere.
        let class = resources.get(&id)?.spec().downcast_ref()?;
        let refusals = unfit(&resource.spec, *architecture, class);
        let problem = |it: String| Problem::new(class_field(*architecture), &format!("{id} {it}"));
        Some(refusals.into_iter().map(problem).collect::<Vec<_>>())
    };
    named.filter_map(judge).flatten().collect()
}

fn unfit(spec: &Spec, architecture: Architecture, class: &instance_class::Spec) -> Vec<String> {
    let mut refusals = Vec::new();
    if class.architecture != architecture {
        let other = class.architecture;
        refusals.push(format!("is of {other}: name one of {architecture}"));
    }
    if class.region_ref != spec.region_ref {
        let (other, region) = (&class.region_ref, &spec.region_ref);
        refusals.push(format!(
            "rents in AliyunRegion/{other}: name one that rents in AliyunRegion/{region}"
        ));
    }
    if let Some(provision) = &spec.provision {
        let (timeout, ttl) = (provision.timeout, class.ttl);
        let needed = Span(timeout.0 + BESIDES);
        if ttl < needed {
            refusals.push(format!(
                "releases its machines after {ttl}, and {timeout} of provisioning need {needed}: write a longer `ttl` there, or a shorter `spec.provision.timeout`"
            ));
        }
    }
    refusals
}
