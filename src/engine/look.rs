//! One look at everything: what was seen of each resource, and what is to be done about it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::ids::{ResourceId, Token, hex};
use crate::kind::{AnyOp, AnyResource, AnySeen, Context, Outputs};
use crate::plan::{Health, Plan, Verb, Why};
use crate::store::record::Record;

use super::load::Inventory;
use super::run::Run;

/// How many resources are looked at side by side.
const SIDE_BY_SIDE_MAX: usize = 8;

/// What was seen and planned, of all resources, at one time.
#[must_use]
#[derive(Debug)]
pub struct Look {
    /// The cloud's time when it was over.
    pub now: Timestamp,
    /// The cloud's time when it began: a listing shows what was there then, however long the rest had to wait.
    pub began: Timestamp,
    /// By resource; a fault where it could not be looked at.
    pub resources: BTreeMap<ResourceId, Result<Planned, Fault>>,
}

/// What was planned for one resource.
#[derive(Debug)]
pub struct Planned {
    /// What is to be done.
    pub plan: Plan<Box<dyn AnyOp>>,
    /// What others may use of it.
    pub outputs: Outputs,
    /// What was seen.
    pub seen: Box<dyn AnySeen>,
}

/// The token of an effect: the same resource and effect give the same one for ever.
pub(super) fn token(resource: &ResourceId, op: &dyn AnyOp) -> Token {
    let mut hash = Sha256::new();
    hash.update(resource.to_string());
    hash.update([0]);
    hash.update(op.content().to_string());
    Token::new(&hex(&hash.finalize()[..16]))
}

/// Looks at the resources that a run must look at, each after all that it needs.
pub(super) async fn look(run: &Run<'_>, record: &Record) -> Look {
    let (inventory, clients) = (run.inventory, run.clients);
    let set_out = run.clock.now();
    clients.forget();
    let mut seen: BTreeMap<ResourceId, Result<Box<dyn AnySeen>, Fault>> = BTreeMap::new();
    let nothing = BTreeMap::new();
    for wave in &inventory.waves {
        let observe = |id: &ResourceId| {
            let resource = &inventory.resources[id];
            let failed_need = failed_need(resource.as_ref(), &seen);
            let remembered = record
                .resources
                .get(id)
                .map_or(&nothing, |it| &it.remembered);
            let context = Context {
                clients,
                resources: &inventory.resources,
                remembered,
            };
            let id = id.clone();
            async move {
                match failed_need {
                    Some(fault) => (id, Err(fault)),
                    None => (id, resource.observe(context).await),
                }
            }
        };
        let is_looked_at = |id: &&ResourceId| run.selection.looked_at.contains(id);
        let looks: Vec<_> = wave.iter().filter(is_looked_at).map(observe).collect();
        let found: Vec<_> = stream::iter(looks)
            .buffered(SIDE_BY_SIDE_MAX)
            .collect()
            .await;
        seen.extend(found);
    }
    let now = clients.now();
    // Only the answers told the cloud's time.
    let began = now.minus(run.clock.now().since(set_out));
    let mut resources = planned(seen, now);
    hold_another_account(&mut resources);
    hold_rivals(inventory, &mut resources);
    hold_creations(inventory, &mut resources);
    Look {
        now,
        began,
        resources,
    }
}

/// Plans for everything that was seen.
fn planned(
    seen: BTreeMap<ResourceId, Result<Box<dyn AnySeen>, Fault>>,
    now: Timestamp,
) -> BTreeMap<ResourceId, Result<Planned, Fault>> {
    let contested = contested(&seen);
    let with_plan = |(id, seen): (ResourceId, Result<Box<dyn AnySeen>, Fault>)| {
        let planned = seen.map(|seen| {
            let mut plan = seen.plan(now);
            if let Some(message) = contested.get(&id) {
                // It was looked at all the same.
                let listings = std::mem::take(&mut plan.listings);
                plan = Plan::idle(Health::Stuck(Why::new("Contested", message)));
                plan.listings = listings;
            }
            let outputs = seen.outputs();
            Planned {
                plan,
                outputs,
                seen,
            }
        });
        (id, planned)
    };
    seen.into_iter().map(with_plan).collect()
}

/// What cannot be looked at stops all that refers to it: it may be another account.
fn failed_need(
    resource: &dyn AnyResource,
    seen: &BTreeMap<ResourceId, Result<Box<dyn AnySeen>, Fault>>,
) -> Option<Fault> {
    let needs = resource.needs();
    let failed = |need: &crate::kind::Need| seen.get(&need.id)?.as_ref().err();
    let (need, fault) = needs.iter().find_map(|it| Some((it, failed(it)?)))?;
    let message = format!("it needs {}, which is unknown", need.id);
    Some(follows(fault, &message))
}

/// What is unknown because something else is.
fn follows(fault: &Fault, message: &str) -> Fault {
    Fault {
        doing: "look at it".to_owned(),
        message: message.to_owned(),
        code: None,
        status: None,
        hint: None,
        subject: None,
        ..fault.clone()
    }
}

/// Files that are for another account are not for these credentials: nothing of them is done, in whatever service.
fn hold_another_account(resources: &mut BTreeMap<ResourceId, Result<Planned, Fault>>) {
    let mut faults = resources.values().filter_map(|it| it.as_ref().err());
    let Some(fault) = faults.find(|it| it.class == Class::Account).cloned() else {
        return;
    };
    for planned in resources.values_mut() {
        if planned.as_ref().is_ok_and(|it| !it.plan.steps.is_empty()) {
            *planned = Err(follows(
                &fault,
                "nothing is done, for the account is another",
            ));
        }
    }
}

/// What cannot be looked at may claim what another resource of its kind claims at the same place: where anything would
/// be done about that one, it is unknown too.
fn hold_rivals(
    inventory: &Inventory,
    resources: &mut BTreeMap<ResourceId, Result<Planned, Fault>>,
) {
    let needs = |id: &ResourceId| -> BTreeSet<ResourceId> {
        let resource = inventory.resources.get(id).map(|it| it.needs());
        resource.into_iter().flatten().map(|it| it.id).collect()
    };
    let unseen = resources
        .iter()
        .filter_map(|(id, it)| Some((id, it.as_ref().err()?)));
    let unseen: Vec<(ResourceId, Fault)> =
        unseen.map(|(id, it)| (id.clone(), it.clone())).collect();
    for (id, planned) in resources {
        let would_act = planned.as_ref().is_ok_and(|it| !it.plan.steps.is_empty());
        let mine = needs(id);
        let is_rival =
            |it: &&(ResourceId, Fault)| it.0.kind == id.kind && !mine.is_disjoint(&needs(&it.0));
        if let (true, Some((rival, fault))) = (would_act, unseen.iter().find(is_rival)) {
            *planned = Err(follows(
                fault,
                &format!("{rival} may claim the same, and is unknown"),
            ));
        }
    }
}

/// A need that is stuck blocks creations that use it, never removals.
fn hold_creations(
    inventory: &Inventory,
    resources: &mut BTreeMap<ResourceId, Result<Planned, Fault>>,
) {
    let is_stuck = |planned: &Result<Planned, Fault>| {
        planned
            .as_ref()
            .is_ok_and(|it| matches!(it.plan.health, Health::Stuck(_)))
    };
    let stuck: BTreeSet<ResourceId> = resources
        .iter()
        .filter(|(_, it)| is_stuck(it))
        .map(|(id, _)| id.clone())
        .collect();
    for (id, planned) in resources {
        let (Ok(planned), Some(resource)) = (planned, inventory.resources.get(id)) else {
            continue;
        };
        let Some(need) = resource
            .needs()
            .into_iter()
            .find(|it| stuck.contains(&it.id))
        else {
            continue;
        };
        let before = planned.plan.steps.len();
        planned.plan.steps.retain(|it| it.op.verb() != Verb::Create);
        if planned.plan.steps.len() < before {
            let message = format!("{} is stalled; nothing is created until it is not", need.id);
            planned
                .plan
                .worsen(Health::Working(Why::new("NeedStalled", message)));
        }
    }
}

/// Resources that claim an object which another one claims too, with what a person reads.
fn contested(
    seen: &BTreeMap<ResourceId, Result<Box<dyn AnySeen>, Fault>>,
) -> BTreeMap<ResourceId, String> {
    let mut claimants: BTreeMap<String, Vec<&ResourceId>> = BTreeMap::new();
    for (id, seen) in seen {
        for claim in seen.iter().flat_map(|it| it.claims()) {
            claimants.entry(claim).or_default().push(id);
        }
    }
    let mut contested = BTreeMap::new();
    for (object, ids) in claimants.into_iter().filter(|(_, ids)| ids.len() > 1) {
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        for id in ids {
            contested.entry(id.clone()).or_insert_with(|| {
                format!(
                    "{object} is claimed by {}; nothing is done by either",
                    names.join(" and ")
                )
            });
        }
    }
    contested
}
