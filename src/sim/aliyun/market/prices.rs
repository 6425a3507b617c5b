//! What spot instances cost and have cost (ECS API reference: `DescribeSpotPriceHistory`).

use std::cmp::Reverse;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::market::{Decimal, HOUR_MILLIS, InstanceType, Terms, hour};
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Reply};
use crate::sim::scenario::ListingOrder;

/// How far back the window reaches when nothing is said …
const WINDOW: Duration = Duration::from_secs(3 * 3600);

/// … and at most.
const WINDOW_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// How many rows one answer has at most.
const ROWS_MAX: usize = 1000;

/// What one request is about.
struct Window {
    from: Timestamp,
    to: Timestamp,
    zone: Option<String>,
    systems: Vec<System>,
}

#[derive(Clone, Copy)]
enum System {
    Linux,
    Windows,
}

pub(in crate::sim::aliyun) fn describe(cloud: &Cloud, ask: &Ask) -> Reply {
    check(ask)?;
    let id = ask.text("InstanceType").unwrap_or_default();
    let Some(machine) = cloud.market.find(id) else {
        let message = "The specified InstanceType beyond the permitted range.";
        let code = "InvalidInstanceType.ValueNotSupported";
        return Err(Refusal::new(400, code, message));
    };
    let window = window(cloud, ask)?;
    let rows = rows(cloud, ask, (machine, &window));
    let offset = ask.parameters.number("Offset").unwrap_or_default();
    let offset = usize::try_from(offset).map_err(|_| invalid("Offset"))?;
    let small = cloud.scenario.settings.page_size_max.max(1);
    let size = if small < 100 { small } else { ROWS_MAX };
    let end = offset.saturating_add(size);
    // ASSUMED: 0 says that there is no more.
    let next = if end < rows.len() { end } else { 0 };
    let rows: Vec<Value> = rows.into_iter().skip(offset).take(size).collect();
    Ok(json!({"Currency": "CNY", "NextOffset": next, "SpotPrices": {"SpotPriceType": rows}}))
}

fn check(ask: &Ask) -> Result<(), Refusal> {
    ask.only(&[
        "InstanceType",
        "NetworkType",
        "IoOptimized",
        "OSType",
        "SpotDuration",
        "StartTime",
        "EndTime",
        "ZoneId",
        "Offset",
    ])?;
    let choices: [(&str, &[&str], &str); 4] = [
        (
            "NetworkType",
            &["vpc", "classic"],
            "400 InvalidParams.NetworkType",
        ),
        (
            "IoOptimized",
            &["optimized", "none"],
            "400 InvalidParams.IoOptimized",
        ),
        ("OSType", &["linux", "windows"], "400 InvalidParams.OSType"),
        ("SpotDuration", &["0", "1"], "400 InvalidSpotDuration"),
    ];
    for (name, choices, refusal) in choices {
        ask.choose(name, choices, refusal)?;
    }
    // All types are I/O optimized and in VPCs; the others are history.
    if !ask.passes("IoOptimized", "optimized") {
        let message = "The specified instancetype must be IoOptimized instance.";
        return Err(Refusal::new(
            400,
            "DependencyViolation.IoOptimized",
            message,
        ));
    }
    Ok(())
}

fn window(cloud: &Cloud, ask: &Ask) -> Result<Window, Refusal> {
    let to = time(ask, "EndTime")?.unwrap_or(ask.now);
    let from = time(ask, "StartTime")?.unwrap_or(to.minus(WINDOW));
    // ASSUMED: the codes for a window that is none or too long.
    if to < from || to.since(from) > WINDOW_MAX {
        return Err(invalid("StartTime"));
    }
    let zone = ask.text("ZoneId").map(str::to_owned);
    let zones = cloud.zones(&ask.region_id(cloud));
    if zone.as_ref().is_some_and(|it| !zones.contains(it)) {
        let message = "The specified zone does not exist.";
        return Err(Refusal::new(400, "InvalidZoneId.NotFound", message));
    }
    Ok(Window {
        from,
        to: to.min(ask.now),
        zone,
        // ASSUMED: when none is named, rows of both systems come, and none says of which it is.
        systems: match ask.text("OSType") {
            Some("linux") => vec![System::Linux],
            Some(_) => vec![System::Windows],
            None => vec![System::Linux, System::Windows],
        },
    })
}

/// In the same form as `AutoReleaseTime` of `RunInstances`.
fn time(ask: &Ask, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = ask.text(name) else {
        return Ok(None);
    };
    let is_utc = text.len() == "yyyy-MM-ddTHH:mm:ssZ".len() && text.ends_with('Z');
    let time = Timestamp::parse(text).filter(|_| is_utc);
    Ok(Some(time.ok_or_else(|| invalid(name))?))
}

/// One row for each zone and each hour that begins in the window (ASSUMED: prices change at full hours only). A row is no
/// promise: what is sold out has a price too. No order is promised.
fn rows(cloud: &Cloud, ask: &Ask, (machine, window): (&InstanceType, &Window)) -> Vec<Value> {
    let mut rows = Vec::new();
    let zones = cloud.zones(&ask.region_id(cloud));
    let is_meant = |it: &&String| window.zone.as_ref().is_none_or(|zone| zone == *it);
    let first = hour(window.from) + i64::from(window.from.millis() % HOUR_MILLIS != 0);
    for hour in first..=hour(window.to) {
        let at = Timestamp::from_millis(hour * HOUR_MILLIS);
        for zone in zones.iter().filter(is_meant) {
            let Some(terms) = cloud.market.terms(machine, zone, at) else {
                continue;
            };
            let price = of(ask, &terms);
            for system in &window.systems {
                let origin = with_licence(terms.origin, *system).json();
                let price = with_licence(price, *system).json();
                let row = json!({
                    "ZoneId": zone,
                    "InstanceType": machine.id,
                    "IoOptimized": "optimized",
                    "NetworkType": "vpc",
                    "SpotPrice": price,
                    "OriginPrice": origin,
                    "Timestamp": at,
                });
                rows.push((at, row));
            }
        }
    }
    match cloud.scenario.settings.listing_order {
        ListingOrder::NewestFirst => rows.sort_by_key(|it| Reverse(it.0)),
        ListingOrder::OldestFirst => {}
        ListingOrder::Shuffled => rows.sort_by_cached_key(|it| cloud.draw(&it.1.to_string())),
    }
    rows.into_iter().map(|it| it.1).collect()
}

/// What an hour on the spot costs: without a protected hour a tenth less (ECS documentation, "Preemptible instances":
/// about a tenth).
pub(in crate::sim::aliyun) fn of(ask: &Ask, terms: &Terms) -> Decimal {
    match ask.text("SpotDuration") {
        Some("0") => terms.price.percent(90),
        Some(_) | None => terms.price,
    }
}

/// ASSUMED: Windows costs half as much again.
fn with_licence(price: Decimal, system: System) -> Decimal {
    match system {
        System::Linux => price,
        System::Windows => price.percent(150),
    }
}

fn invalid(name: &str) -> Refusal {
    let message = format!("The specified parameter {name} is not valid.");
    Refusal::new(400, &format!("InvalidParams.{name}"), &message)
}
