//! The market of machines: which types there are, where they are sold, how many are left, and for how much.
//!
//! - `written`: the market as a scenario writes it.
//! - `decimal`: prices and sizes.
//! - `table`: the types.
//! - `types`, `stock`, `prices`: what can be asked about it.

mod decimal;
pub(super) mod prices;
pub(super) mod stock;
mod table;
pub(super) mod types;
pub mod written;

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::ids::RegionId;
use crate::sim::aliyun::drawn_below;
pub(super) use crate::sim::aliyun::market::decimal::Decimal;
pub(super) use crate::sim::aliyun::market::table::InstanceType;
use crate::sim::aliyun::market::written::{Offer, Stock};
use crate::sim::scenario::Scenario;

/// The zones of a region whose scenario names none, by their last letter.
const ZONES: [&str; 4] = ["h", "i", "j", "k"];

/// What a type costs when it is paid as used, in spot prices; ASSUMED: a discount of four fifths.
const ORIGIN: u64 = 5;

const HOUR_MILLIS: i64 = 3_600_000;

/// What there is to buy.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    seed: u64,
    moves: bool,
    types: BTreeMap<String, InstanceType>,
    /// By type and zone; none: everything is sold everywhere.
    offers: Option<BTreeMap<(String, String), Offer>>,
    /// Those of the offers.
    zones: BTreeSet<String>,
}

/// One type in one zone at one time.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// CNY an hour on the spot.
    pub(super) price: Decimal,
    /// CNY an hour, paid as used.
    pub(super) origin: Decimal,
    /// What is said to be there.
    pub(super) stock: Stock,
    /// What is there.
    pub(super) really: Stock,
    /// The categories that a system disk may be of; none: all.
    pub(super) disks: Option<BTreeSet<String>>,
}

impl Market {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let offers = &scenario.market.offers;
        let types = table::types(scenario);
        let by_place = |it: &Offer| ((it.instance_type.clone(), it.zone.clone()), it.clone());
        Self {
            seed: scenario.seed,
            moves: scenario.market.moves,
            types: types.into_iter().map(|it| (it.id.clone(), it)).collect(),
            offers: (!offers.is_empty()).then(|| offers.iter().map(by_place).collect()),
            zones: offers.iter().map(|it| it.zone.clone()).collect(),
        }
    }

    /// An instance type by its id.
    pub(super) fn find(&self, id: &str) -> Option<&InstanceType> {
        self.types.get(id)
    }

    pub(super) fn types(&self) -> impl Iterator<Item = &InstanceType> {
        self.types.values()
    }

    /// The zones of a region.
    pub(super) fn zones(&self, region: &RegionId) -> BTreeSet<String> {
        let known = self.zones.iter().filter(|it| is_zone_of(it, region));
        let mut zones: BTreeSet<String> = known.cloned().collect();
        if self.offers.is_none() {
            zones.extend(ZONES.iter().map(|it| format!("{region}-{it}")));
        }
        zones
    }

    /// What is offered in a zone at a time; none: the type is not sold there.
    pub(super) fn terms(&self, machine: &InstanceType, zone: &str, at: Timestamp) -> Option<Terms> {
        let place = (machine.id.clone(), zone.to_owned());
        let offer = match &self.offers {
            Some(offers) => Some(offers.get(&place)?),
            None if machine.is_generated && self.draw((machine, zone, "sold"), 10) == 0 => {
                return None;
            }
            None => None,
        };
        let base = offer.and_then(|it| it.price).unwrap_or(machine.price);
        let origin = offer.and_then(|it| it.origin_price);
        let origin = origin.unwrap_or(base.times(ORIGIN));
        let stock = offer.and_then(|it| it.stock);
        let stock = stock.unwrap_or_else(|| self.stock(machine, zone, at));
        Some(Terms {
            price: self.price((machine, zone), base, at).min(origin),
            origin,
            stock,
            really: offer.and_then(|it| it.really).unwrap_or(stock),
            disks: offer.and_then(|it| it.disks.clone()),
        })
    }

    /// A price moves around its base, from hour to hour (ASSUMED: by a fifth down, by three tenths up).
    fn price(
        &self,
        (machine, zone): (&InstanceType, &str),
        base: Decimal,
        at: Timestamp,
    ) -> Decimal {
        if !self.moves {
            return base;
        }
        let what = format!("price/{}", hour(at));
        base.percent(80 + self.draw((machine, zone, &what), 51))
    }

    /// Three of four places have enough (ASSUMED).
    fn stock(&self, machine: &InstanceType, zone: &str, at: Timestamp) -> Stock {
        let what = match (self.moves, machine.is_generated) {
            (true, _) => format!("stock/{}", hour(at)),
            (false, true) => "stock".to_owned(),
            (false, false) => return Stock::WithStock,
        };
        match self.draw((machine, zone, &what), 100) {
            0..75 => Stock::WithStock,
            75..87 => Stock::ClosedWithStock,
            87..95 => Stock::WithoutStock,
            _ => Stock::ClosedWithoutStock,
        }
    }

    fn draw(&self, (machine, zone, what): (&InstanceType, &str, &str), below: u64) -> u64 {
        let subject = format!("market/{}/{zone}/{what}", machine.id);
        drawn_below(self.seed, &subject, below)
    }
}

/// Says the first thing that is wrong with a scenario's market.
pub(crate) fn check(scenario: &Scenario) -> Result<(), String> {
    let market = &scenario.market;
    let mut types = BTreeSet::new();
    for machine in table::types(scenario) {
        if machine.cores == 0 {
            return Err(format!("{} has no cores", machine.id));
        }
        if let Some(id) = types.replace(machine.id) {
            return Err(format!("{id} is there twice"));
        }
    }
    let mut places = BTreeSet::new();
    for offer in &market.offers {
        let Offer {
            instance_type,
            zone,
            ..
        } = offer;
        if !types.contains(instance_type) {
            return Err(format!(
                "{instance_type} is offered, but is not among the types"
            ));
        }
        check_zone(scenario, zone)?;
        if !places.insert((instance_type, zone)) {
            return Err(format!("{instance_type} is offered in {zone} twice"));
        }
    }
    for zone in scenario.v_switches.iter().map(|it| &it.zone_id) {
        check_zone(scenario, zone)?;
    }
    Ok(())
}

fn check_zone(scenario: &Scenario, zone: &str) -> Result<(), String> {
    if scenario.regions.iter().any(|it| is_zone_of(zone, it)) {
        return Ok(());
    }
    Err(format!("{zone} is in none of the regions"))
}

fn hour(at: Timestamp) -> i64 {
    at.millis().div_euclid(HOUR_MILLIS)
}

/// As `cn-hangzhou-h` is of `cn-hangzhou`, and `ap-southeast-1a` of `ap-southeast-1`.
pub(super) fn is_zone_of(zone: &str, region: &RegionId) -> bool {
    let rest = zone.strip_prefix(region.as_str());
    rest.is_some_and(|it| it.trim_start_matches('-').len() == 1)
}
