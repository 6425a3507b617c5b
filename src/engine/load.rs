//! The resources that a folder declares, checked as a whole.

use std::collections::BTreeMap;
use std::path::Path;

use crate::ids::ResourceId;
use crate::kind::{AnyResource, Registration, Resources};
use crate::resource::{self, Finding, KindSchema, NamedFiles, Problem, nearest};

use super::order::{Order, order};

/// All resources that are declared, and the order in which they are looked at.
#[derive(Debug)]
pub struct Inventory {
    /// By name.
    pub resources: Resources,
    /// Each resource stands in a later wave than all that it needs.
    pub waves: Vec<Vec<ResourceId>>,
    /// The hash of the state files, and of those that they name.
    pub hash: String,
}

/// Reads and checks a folder of state files. On failure everything that is wrong is named, in the order of the files.
pub fn load(folder: &Path, kinds: &[Registration]) -> Result<Inventory, Vec<Finding>> {
    let schemas: Vec<KindSchema> = kinds
        .iter()
        .map(|it| KindSchema {
            name: it.name,
            spec: (it.schema)(),
        })
        .collect();
    let mut findings = Vec::new();
    let mut resources = BTreeMap::new();
    let declared = resource::read(folder, &schemas)?;
    let mut files = NamedFiles::of(folder);
    for manifest in declared.manifests {
        let kind = kinds.iter().find(|it| it.name == manifest.id.kind);
        match (kind.expect("the reader accepts known kinds only").load)(&manifest, &mut files) {
            Ok(resource) => {
                resources.insert(manifest.id.clone(), resource);
            }
            Err(finding) => findings.push(finding),
        }
    }
    let (hash, unread) = files.finish(&declared.hash);
    findings.extend(unread);
    for resource in resources.values() {
        let source = resource.source();
        let among = resource.problems_among(&resources);
        let problems = resource.problems().into_iter().chain(among);
        findings.extend(problems.map(|it| source.finding(&it)));
        findings.extend(dangling(&resources, resource.as_ref()));
    }
    let needs = resources.iter().map(|(id, it)| (id.clone(), it.needs()));
    let waves = match order(&needs.collect()) {
        Order::Waves(waves) => waves,
        Order::Cycle(cycle) => {
            findings.extend(circular(&resources, &cycle));
            Vec::new()
        }
    };
    if findings.is_empty() {
        return Ok(Inventory {
            resources,
            waves,
            hash,
        });
    }
    findings.sort();
    Err(findings)
}

fn dangling(resources: &Resources, resource: &dyn AnyResource) -> Vec<Finding> {
    let needs = resource.needs();
    let missing = needs.iter().filter(|it| !resources.contains_key(&it.id));
    let finding = |need: &crate::kind::Need| {
        let names = || {
            resources
                .keys()
                .filter(|it| it.kind == need.id.kind)
                .map(|it| it.name.as_str())
        };
        let advice = match nearest(&need.id.name, names()) {
            Some(name) => format!("did you mean `{name}`?"),
            None if names().next().is_none() => format!("no {} is declared", need.id.kind),
            None => format!("declared are {}", names().collect::<Vec<_>>().join(", ")),
        };
        resource.source().finding(&Problem {
            path: need.field.to_owned(),
            message: format!("there is no {} `{}` ({advice})", need.id.kind, need.id.name),
        })
    };
    missing.map(finding).collect()
}

fn circular(resources: &Resources, cycle: &[ResourceId]) -> Vec<Finding> {
    let names: Vec<String> = cycle.iter().map(ToString::to_string).collect();
    let finding = |id: &ResourceId| {
        let resource = resources.get(id)?;
        let need = resource
            .needs()
            .into_iter()
            .find(|it| cycle.contains(&it.id))?;
        Some(resource.source().finding(&Problem {
            path: need.field.to_owned(),
            message: format!(
                "resources refer to each other in a circle: {}",
                names.join(", ")
            ),
        }))
    };
    cycle.iter().filter_map(finding).collect()
}
