//! What a type costs now, in each zone: one call a type, for there is none for many.
//!
//! Source: ECS API reference, `DescribeSpotPriceHistory`. It tells the list price beside the market's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::Aliyun;
use super::call::{Call, Reply, parameters};
use super::place::{Place, Service};
use super::price::Price;
use super::wire::Fields;
use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::resource::Decimal;
use crate::retry::Effect;

/// Types that are asked for at once.
const TYPES_AT_ONCE: usize = 6;
/// How long a price counts within a pass.
const PRICE_LASTS: Duration = Duration::from_secs(600);
/// Pages of one type's history: at most 1000 rows each, and the window has a few a zone.
const PAGES_MAX: u32 = 20;

/// The latest price of one type in one zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The market's price; none: it is not told.
    pub spot: Option<Price>,
    /// The list price; none: it is not told.
    pub list: Option<Price>,
}

/// What one type costs, by zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotes {
    /// By zone; a zone that is not in it sells none.
    pub by_zone: BTreeMap<String, Quote>,
    /// When that was answered, by the service's clock.
    pub at: Timestamp,
}

struct Row {
    zone: String,
    at: Timestamp,
    quote: Quote,
}

impl Aliyun {
    /// What these types cost now, in their order. Who asks again within ten minutes of a pass gets the same answer.
    /// All of them, or a fault: the cheapest could be the one that is missing.
    pub async fn quotes(&self, place: &Place, types: &[String]) -> Result<Vec<Arc<Quotes>>, Fault> {
        let asked: Vec<_> = types.iter().map(|it| self.quotes_of(place, it)).collect();
        stream::iter(asked)
            .buffered(TYPES_AT_ONCE)
            .try_collect()
            .await
    }

    async fn quotes_of(&self, place: &Place, instance_type: &str) -> Result<Arc<Quotes>, Fault> {
        let key = (place.clone(), instance_type.to_owned());
        let read = || self.read_quotes(place, instance_type);
        let known = self.quotes.get(&key, read).await?;
        if self.http.now().since(known.at) <= PRICE_LASTS {
            return Ok(known);
        }
        self.quotes.forget(&key);
        self.quotes.get(&key, read).await
    }

    /// Without `StartTime` the window is that of the last three hours, by the service's clock.
    async fn read_quotes(&self, place: &Place, instance_type: &str) -> Result<Quotes, Fault> {
        let mut call = Call {
            service: Service::Ecs,
            action: "DescribeSpotPriceHistory",
            doing: "ask what a type costs",
            effect: Effect::Read,
            subject: Some(instance_type),
            parameters: parameters([
                ("InstanceType", instance_type),
                ("NetworkType", "vpc"),
                ("IoOptimized", "optimized"),
                ("OSType", "linux"),
                ("SpotDuration", "1"),
            ]),
        };
        let unreadable = Class::Unavailable {
            maybe_applied: false,
        };
        let mut rows = Vec::new();
        let mut offset = 0;
        for _ in 0..PAGES_MAX {
            let reply = self.call(place, &call).await?;
            let (page, next) =
                read(&reply, instance_type).map_err(|it| call.fault(unreadable.clone(), &it))?;
            // ASSUMED: at the end there is no offset, 0, or no row.
            if next == 0 || page.is_empty() {
                rows.extend(page);
                return Ok(latest(rows, reply.at));
            }
            if next <= offset {
                let message = format!("NextOffset is {next} after {offset}");
                return Err(call.fault(unreadable, &message));
            }
            rows.extend(page);
            offset = next;
            call.parameters
                .insert("Offset".to_owned(), offset.to_string());
        }
        let message = format!("its history has more than {PAGES_MAX} pages");
        Err(call.fault(unreadable, &message))
    }
}

/// The rows of a page, and where the next one begins.
fn read(reply: &Reply, instance_type: &str) -> Result<(Vec<Row>, u64), String> {
    let fields = Fields(&reply.body);
    fields.object("SpotPrices")?;
    let currency = fields.optional("Currency")?;
    if currency.is_some_and(|it| it != "CNY") {
        let currency = currency.unwrap_or_default();
        return Err(format!("the prices are in {currency}, not in CNY"));
    }
    let mut rows = Vec::new();
    for item in fields.list("SpotPrices", "SpotPriceType")? {
        let is_meant = item.id("InstanceType")? == instance_type
            && passes(item, "NetworkType", "vpc")?
            && passes(item, "IoOptimized", "optimized")?;
        if is_meant {
            rows.push(row(item)?);
        }
    }
    Ok((rows, fields.number("NextOffset")?))
}

fn passes(item: Fields<'_>, name: &str, wanted: &str) -> Result<bool, String> {
    Ok(item.optional(name)?.is_none_or(|it| it == wanted))
}

fn row(item: Fields<'_>) -> Result<Row, String> {
    let at = item.time("Timestamp")?;
    Ok(Row {
        zone: item.id("ZoneId")?.to_owned(),
        at: at.ok_or_else(|| "Timestamp is missing".to_owned())?,
        quote: Quote {
            spot: price(item, "SpotPrice")?,
            list: price(item, "OriginPrice")?,
        },
    })
}

/// A price of nothing is none.
fn price(item: Fields<'_>, name: &str) -> Result<Option<Price>, String> {
    let Some(text) = item.decimal(name)? else {
        return Ok(None);
    };
    let price = Decimal::read(&text).map(Price::of);
    let price = price.ok_or_else(|| format!("{name} is no price: {text}"))?;
    Ok(Some(price).filter(|it| it.is_positive()))
}

/// The latest row of each zone; of two at one time the dearer, in whatever order they come.
fn latest(rows: Vec<Row>, at: Timestamp) -> Quotes {
    let mut latest: BTreeMap<String, Row> = BTreeMap::new();
    let key = |it: &Row| (it.at, it.quote.spot, it.quote.list);
    for row in rows {
        let known = latest.get(&row.zone);
        if known.is_none_or(|it| key(it) < key(&row)) {
            latest.insert(row.zone.clone(), row);
        }
    }
    let by_zone = latest.into_iter().map(|(zone, it)| (zone, it.quote));
    Quotes {
        by_zone: by_zone.collect(),
        at,
    }
}
