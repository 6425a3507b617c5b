//! Which resources a run is about, and which it must look at for their sake: pure.

use std::collections::BTreeSet;

use crate::ids::ResourceId;
use crate::kind::AnyResource;

use super::load::Inventory;

/// The resources of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Acted on and reported; each comes with all that it needs.
    pub about: BTreeSet<ResourceId>,
    /// Looked at: these, and the rest of their kinds, which may claim the same objects.
    pub looked_at: BTreeSet<ResourceId>,
}

impl Selection {
    /// Everything that is declared.
    pub fn all(inventory: &Inventory) -> Self {
        let all: BTreeSet<ResourceId> = inventory.resources.keys().cloned().collect();
        Self {
            about: all.clone(),
            looked_at: all,
        }
    }

    /// These, as far as they are declared. `resting` ones elsewhere are not looked at for the sake of others; where they
    /// need the same, what they may claim must be known.
    pub fn of(
        inventory: &Inventory,
        chosen: &BTreeSet<ResourceId>,
        resting: &BTreeSet<ResourceId>,
    ) -> Self {
        let about = with_needs(inventory, chosen);
        let is_near = |it: &ResourceId| !needs(inventory, it).is_disjoint(&about);
        let is_rival = |it: &&ResourceId| {
            about.iter().any(|one| one.kind == it.kind) && (!resting.contains(it) || is_near(it))
        };
        let rivals = inventory.resources.keys().filter(is_rival).cloned();
        let looked_at = with_needs(inventory, &about.iter().cloned().chain(rivals).collect());
        Self { about, looked_at }
    }
}

fn needs(inventory: &Inventory, id: &ResourceId) -> BTreeSet<ResourceId> {
    let resource = inventory.resources.get(id);
    let needs = resource.into_iter().flat_map(|it| it.needs());
    needs.map(|it| it.id).collect()
}

fn with_needs(inventory: &Inventory, chosen: &BTreeSet<ResourceId>) -> BTreeSet<ResourceId> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<ResourceId> = chosen.iter().cloned().collect();
    while let Some(id) = open.pop() {
        if inventory.resources.contains_key(&id) && reached.insert(id.clone()) {
            open.extend(needs(inventory, &id));
        }
    }
    reached
}

/// What a person chooses of what is declared; empty: everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// A kind, and perhaps one name of it.
    pub only: Option<(String, Option<String>)>,
    /// Labels that a resource must all have.
    pub labels: Vec<(String, String)>,
}

impl Filter {
    /// The resources that are chosen, without what they need.
    pub fn choose(&self, inventory: &Inventory) -> BTreeSet<ResourceId> {
        let is_chosen = |resource: &dyn AnyResource| {
            let (id, labels) = (resource.id(), resource.labels());
            let is_kind = self.only.as_ref().is_none_or(|(kind, name)| {
                *kind == id.kind && name.as_ref().is_none_or(|it| *it == id.name)
            });
            let has = |(key, value): &(String, String)| labels.get(key) == Some(value);
            is_kind && self.labels.iter().all(has)
        };
        let all = inventory.resources.iter();
        let chosen = all.filter(|(_, it)| is_chosen(it.as_ref()));
        chosen.map(|(id, _)| id.clone()).collect()
    }
}
