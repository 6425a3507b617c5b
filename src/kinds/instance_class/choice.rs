//! Which machines are tried, in which order, and why the others are not: pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::providers::aliyun::{InstanceTypes, Price, Purchase, Quotes, Stock};
use crate::resource::Bytes;

use super::plug::Plug;
use super::ranking::{Candidate, Dropped, Ranking};
use super::shape::{Shape, shapes};
use super::spec::{Spec, Strategy};

/// What there is, before its price is known.
#[derive(Clone, Debug)]
pub(super) struct Market {
    /// The types that the class accepts.
    pub(super) types: Arc<InstanceTypes>,
    /// Where they are in stock.
    pub(super) stock: Arc<Stock>,
    /// Where a machine can be plugged in.
    pub(super) plugs: BTreeMap<String, Plug>,
}

/// A choice under way: shape by shape it asks for prices, until there are enough candidates.
#[derive(Debug)]
pub(super) struct Search<'a> {
    spec: &'a Spec,
    market: &'a Market,
    shapes: VecDeque<Shape>,
    asked: BTreeSet<String>,
    candidates: Vec<Candidate>,
    dropped: Dropped,
}

impl<'a> Search<'a> {
    pub(super) fn new(spec: &'a Spec, market: &'a Market) -> Self {
        Self {
            spec,
            market,
            shapes: shapes(spec).into(),
            asked: BTreeSet::new(),
            candidates: Vec::new(),
            dropped: dropped(market),
        }
    }

    /// The types whose prices are needed next; none: it is over.
    pub(super) fn next_types(&mut self) -> Option<Vec<String>> {
        while !self.is_full() {
            let shape = self.shapes.pop_front()?;
            let wanted = self.market.types.all.iter().filter(|it| {
                shape.accepts(it)
                    && !self.asked.contains(&it.id)
                    && self.zones(&it.id).next().is_some()
            });
            let types: BTreeSet<String> = wanted.map(|it| it.id.clone()).collect();
            if !types.is_empty() {
                self.asked.extend(types.iter().cloned());
                return Some(types.into_iter().collect());
            }
        }
        None
    }

    /// Takes the prices of the types that were needed, in their order.
    pub(super) fn take(&mut self, types: &[String], quotes: &[Arc<Quotes>]) {
        let mut offers = Vec::new();
        for (name, quotes) in types.iter().zip(quotes) {
            let found = self.market.types.all.iter().find(|it| it.id == *name);
            let it = found.expect("only types of the market are asked for");
            for (zone, plug) in self.zones(name) {
                let quote = quotes.by_zone.get(zone);
                let price = match self.spec.purchase() {
                    Purchase::Spot => quote.and_then(|it| it.spot),
                    Purchase::OnDemand => quote.and_then(|it| it.list),
                };
                offers.push((it, zone, plug, price));
            }
        }
        let mut candidates = Vec::new();
        for (it, zone, plug, price) in offers {
            let Some(price) = price else {
                self.dropped.unpriced += 1;
                continue;
            };
            let candidate = Candidate {
                instance_type: it.id.clone(),
                zone: zone.to_owned(),
                v_switch: plug.v_switch.clone(),
                cores: it.cores,
                memory: Bytes(it.memory_bytes),
                price,
                limit: limit(self.spec, price),
            };
            match ceiling(self.spec) {
                Some(ceiling) if price > ceiling => self.dropped.too_dear(&candidate),
                Some(_) | None => candidates.push(candidate),
            }
        }
        sort(self.spec.selection.strategy, &mut candidates);
        let room = self.room();
        self.candidates.extend(candidates.into_iter().take(room));
    }

    /// What was found.
    pub(super) fn end(self) -> Ranking {
        Ranking {
            candidates: self.candidates,
            asked: self.asked,
            dropped: self.dropped,
            listings: BTreeMap::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.room() == 0
    }

    fn room(&self) -> usize {
        let most = usize::try_from(self.spec.selection.max_candidates).unwrap_or(usize::MAX);
        most.saturating_sub(self.candidates.len())
    }

    /// Where a type can be had and plugged in.
    fn zones(&self, name: &str) -> impl Iterator<Item = (&'a str, &'a Plug)> + use<'a> {
        let market = self.market;
        let zones = market.stock.get(name).into_iter().flatten();
        let plug = |zone: &'a String| Some((zone.as_str(), market.plugs.get(zone)?));
        zones.filter_map(plug).filter(|(_, it)| it.has_room)
    }
}

/// What is out of the question whatever it costs.
fn dropped(market: &Market) -> Dropped {
    let mut dropped = Dropped {
        types: market.types.all.len(),
        ..Dropped::default()
    };
    for it in &market.types.all {
        let Some(zones) = market.stock.get(&it.id) else {
            dropped.without_stock += 1;
            continue;
        };
        for zone in zones {
            match market.plugs.get(zone) {
                None => dropped.zones_without_v_switch.insert(zone.clone()),
                Some(plug) if !plug.has_room => dropped.zones_without_room.insert(zone.clone()),
                Some(_) => false,
            };
        }
    }
    dropped
}

fn ceiling(spec: &Spec) -> Option<Price> {
    spec.spot.max_price.map(Price::of)
}

/// What may be paid at most: never more than what was written.
fn limit(spec: &Spec, price: Price) -> Option<Price> {
    let limit = price.limit(spec.spot.price_multiplier);
    let limit = ceiling(spec).map_or(limit, |ceiling| ceiling.min(limit));
    match spec.purchase() {
        Purchase::Spot => Some(limit),
        Purchase::OnDemand => None,
    }
}

/// The same offers come out in the same order, in whatever order they came in.
fn sort(strategy: Strategy, candidates: &mut [Candidate]) {
    let ties = |a: &Candidate, b: &Candidate| {
        let per_core = a.micros_for(b.cores).cmp(&b.micros_for(a.cores));
        let names = (&a.instance_type, &a.zone).cmp(&(&b.instance_type, &b.zone));
        per_core.then(a.price.cmp(&b.price)).then(names)
    };
    candidates.sort_by(|a, b| match strategy {
        Strategy::LowestTotalPrice => a.price.cmp(&b.price).then_with(|| ties(a, b)),
        Strategy::ExactRatioFirst | Strategy::LowestPricePerCore => ties(a, b),
    });
}

impl Candidate {
    /// What so many of it cost, so that prices per core can be compared without a division.
    fn micros_for(&self, count: u32) -> u128 {
        u128::from(self.price.micros()) * u128::from(count)
    }
}
