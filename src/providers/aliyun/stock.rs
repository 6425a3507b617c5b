//! What is in stock: which type can be had in which zone.
//!
//! Source: ECS API reference, `DescribeAvailableResource`. Its word is a hint: the launch may still be refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Aliyun;
use super::call::{Call, Reply, parameters};
use super::place::{Place, Service};
use super::wire::Fields;
use crate::fault::{Class, Fault};
use crate::retry::Effect;

/// How a machine is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purchase {
    /// At the market's price, until it is reclaimed.
    Spot,
    /// At the list price.
    OnDemand,
}

/// The zones in which each type is in stock. A type that is nowhere is not in it.
pub type Stock = BTreeMap<String, BTreeSet<String>>;

impl Aliyun {
    /// What is in stock in the region; read once a pass.
    pub async fn stock(&self, place: &Place, purchase: Purchase) -> Result<Arc<Stock>, Fault> {
        let key = (place.clone(), purchase);
        let read = || self.read_stock(place, purchase);
        self.stocks.get(&key, read).await
    }

    async fn read_stock(&self, place: &Place, purchase: Purchase) -> Result<Stock, Fault> {
        let mut parameters = parameters([
            ("DestinationResource", "InstanceType"),
            ("InstanceChargeType", "PostPaid"),
            ("NetworkCategory", "vpc"),
            ("IoOptimized", "optimized"),
        ]);
        let strategy = match purchase {
            Purchase::Spot => "SpotWithPriceLimit",
            Purchase::OnDemand => "NoSpot",
        };
        parameters.insert("SpotStrategy".to_owned(), strategy.to_owned());
        if purchase == Purchase::Spot {
            parameters.insert("SpotDuration".to_owned(), "1".to_owned());
        }
        let call = Call {
            service: Service::Ecs,
            action: "DescribeAvailableResource",
            doing: "ask what is in stock",
            effect: Effect::Read,
            subject: None,
            parameters,
        };
        let reply = self.call(place, &call).await?;
        let unreadable = Class::Unavailable {
            maybe_applied: false,
        };
        read(&reply).map_err(|why| call.fault(unreadable, &why))
    }
}

fn read(reply: &Reply) -> Result<Stock, String> {
    let fields = Fields(&reply.body);
    // Without stock it is there and empty.
    fields.object("AvailableZones")?;
    let mut stock = Stock::new();
    for zone in fields.list("AvailableZones", "AvailableZone")? {
        let name = zone.id("ZoneId")?;
        if zone.optional("Status")?.is_some_and(|it| it != "Available") {
            continue;
        }
        for sort in zone.list("AvailableResources", "AvailableResource")? {
            if sort.optional("Type")? != Some("InstanceType") {
                continue;
            }
            for it in sort.list("SupportedResources", "SupportedResource")? {
                if is_in_stock(it)? {
                    let zones = stock.entry(it.id("Value")?.to_owned()).or_default();
                    zones.insert(name.to_owned());
                }
            }
        }
    }
    Ok(stock)
}

/// `ClosedWithStock` is the last of it: it may be sold, and will not be filled up.
fn is_in_stock(resource: Fields<'_>) -> Result<bool, String> {
    let is_sold = resource.optional("Status")? == Some("Available");
    let category = resource.optional("StatusCategory")?;
    Ok(is_sold && matches!(category, Some("WithStock" | "ClosedWithStock")))
}
