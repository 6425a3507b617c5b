//! What a choice comes to: the machines to try, and in words why there is none.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::providers::aliyun::Price;
use crate::resource::Bytes;

use super::spec::Spec;

/// The machines to try, one after the other.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// The first is the best; empty: there is none.
    pub candidates: Vec<Candidate>,
    /// The types whose prices were needed.
    pub asked: BTreeSet<String>,
    /// What was left out.
    pub dropped: Dropped,
    /// The fewest calls that tell this, by listing; equal listings are read once for all.
    pub listings: BTreeMap<String, u64>,
}

/// One machine to try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Its type.
    pub instance_type: String,
    /// The zone that it is in.
    pub zone: String,
    /// The vSwitch that it is plugged into.
    pub v_switch: String,
    /// How many cores it has.
    pub cores: u32,
    /// How much memory it has.
    pub memory: Bytes,
    /// What it costs now.
    pub price: Price,
    /// The most that is paid; none: it is paid at the list price.
    pub limit: Option<Price>,
}

/// What was left out, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dropped {
    /// How many types the class accepts.
    pub types: usize,
    /// How many of them are nowhere in stock.
    pub without_stock: usize,
    /// Zones where one is in stock and no vSwitch is ours.
    pub zones_without_v_switch: BTreeSet<String>,
    /// Zones where one is in stock and our vSwitch has no free address.
    pub zones_without_room: BTreeSet<String>,
    /// How many offers had no price.
    pub unpriced: usize,
    /// How many offers were above the highest price that is allowed.
    pub too_dear: usize,
    /// The cheapest of those.
    pub cheapest_too_dear: Option<Offer>,
}

/// What something costs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// What it costs.
    pub price: Price,
    /// The type.
    pub instance_type: String,
    /// The zone.
    pub zone: String,
}

impl Dropped {
    /// Counts an offer that costs too much.
    pub(super) fn too_dear(&mut self, candidate: &Candidate) {
        let offer = Offer {
            price: candidate.price,
            instance_type: candidate.instance_type.clone(),
            zone: candidate.zone.clone(),
        };
        self.too_dear += 1;
        let cheapest = self.cheapest_too_dear.take().into_iter();
        self.cheapest_too_dear = cheapest.chain([offer]).min();
    }

    /// What was left out, a clause a reason; empty: nothing.
    pub fn reasons(&self, spec: &Spec) -> Vec<String> {
        let list = |zones: &BTreeSet<String>| {
            let zones: Vec<&str> = zones.iter().map(String::as_str).collect();
            zones.join(", ")
        };
        let mut reasons = Vec::new();
        if self.without_stock > 0 {
            let (count, all) = (self.without_stock, self.types);
            reasons.push(format!("{count} of {all} types are nowhere in stock"));
        }
        if !self.zones_without_v_switch.is_empty() {
            let zones = list(&self.zones_without_v_switch);
            reasons.push(format!("no vSwitch of ours is in {zones}"));
        }
        if !self.zones_without_room.is_empty() {
            let zones = list(&self.zones_without_room);
            reasons.push(format!("the vSwitch has no free address in {zones}"));
        }
        if self.unpriced > 0 {
            reasons.push(format!("{} offers have no price", self.unpriced));
        }
        if let (Some(cheapest), Some(ceiling)) = (&self.cheapest_too_dear, spec.spot.max_price) {
            let Offer {
                price,
                instance_type,
                zone,
            } = cheapest;
            reasons.push(format!(
                "{} offers are above spot.maxPrice, which is {ceiling}: the cheapest costs {price} ({instance_type} in {zone})",
                self.too_dear
            ));
        }
        reasons
    }
}

impl Ranking {
    /// Why there is nothing to try, as one sentence; none: there is something.
    pub fn why_none(&self, spec: &Spec) -> Option<String> {
        if !self.candidates.is_empty() {
            return None;
        }
        let cpu = &spec.requirements.cpu;
        let (least, most) = (spec.least_memory(), spec.most_memory());
        let wanted = format!(
            "{} with {} to {} cores and {least} to {most}",
            spec.architecture, cpu.min, cpu.max
        );
        let reasons = self.dropped.reasons(spec);
        Some(match reasons.as_slice() {
            [] => format!("there is no type of {wanted} as the class wants it"),
            _ => format!("no machine of {wanted} can be had: {}", reasons.join("; ")),
        })
    }
}
