//! What is sold where, and of what disks (ECS API reference: `DescribeAvailableResource`; the Chinese text, since the
//! English one describes no parameter).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::market::written::Stock;
use crate::sim::aliyun::market::{Decimal, InstanceType};
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Reply};

/// The categories of system disks that new instances can have (ECS API reference, `RunInstances`,
/// `SystemDisk.Category`).
pub(in crate::sim::aliyun) const DISKS: [&str; 6] = [
    "cloud",
    "cloud_auto",
    "cloud_efficiency",
    "cloud_essd",
    ENTRY_DISK,
    "cloud_ssd",
];

/// For types of `ecs.u1` and `ecs.e` only (same place).
const ENTRY_DISK: &str = "cloud_essd_entry";

const DESTINATIONS: [&str; 7] = [
    "Zone",
    "IoOptimized",
    "InstanceType",
    "Network",
    "ddh",
    "SystemDisk",
    "DataDisk",
];

pub(in crate::sim::aliyun) fn describe(cloud: &Cloud, ask: &Ask) -> Reply {
    check(ask)?;
    let wanted = wanted(cloud, ask)?;
    let region = ask.region_id(cloud);
    let mut rows = Vec::new();
    for zone in cloud.zones(&region) {
        if !ask.passes("ZoneId", &zone) {
            continue;
        }
        let (stock, resources) = match ask.text("DestinationResource") {
            Some("SystemDisk") => disks_in(cloud, ask, (&wanted, &zone)),
            _ => types_in(cloud, ask, (&wanted, &zone)),
        };
        rows.push(json!({
            "RegionId": region,
            "ZoneId": zone,
            "Status": stock.status(),
            "StatusCategory": stock.category(),
            "AvailableResources": {"AvailableResource": resources},
        }));
    }
    // An object without the list is what nothing looks like (same place, notes).
    if rows.is_empty() {
        return Ok(json!({"AvailableZones": {}}));
    }
    Ok(json!({"AvailableZones": {"AvailableZone": rows}}))
}

fn check(ask: &Ask) -> Result<(), Refusal> {
    ask.only(&[
        "DestinationResource",
        "InstanceChargeType",
        "SpotStrategy",
        "SpotDuration",
        "IoOptimized",
        "NetworkCategory",
        "ResourceType",
        "ZoneId",
        "InstanceType",
        "Cores",
        "Memory",
    ])?;
    let choices: [(&str, &[&str], &str); 7] = [
        (
            "DestinationResource",
            &DESTINATIONS,
            "404 Invalid.DestinationResource",
        ),
        (
            "InstanceChargeType",
            &["PostPaid", "PrePaid"],
            "400 Invalid.InstanceChargeType",
        ),
        (
            "SpotStrategy",
            &["NoSpot", "SpotWithPriceLimit", "SpotAsPriceGo"],
            "404 Invalid.SpotStrategy",
        ),
        ("SpotDuration", &["0", "1"], "400 Invalid.Param"),
        (
            "IoOptimized",
            &["optimized", "none"],
            "404 Invalid.IoOptimized",
        ),
        (
            "NetworkCategory",
            &["vpc", "classic"],
            "404 Invalid.NetworkCategory",
        ),
        ("ResourceType", &["instance"], "404 Invalid.ResourceType"),
    ];
    for (name, choices, refusal) in choices {
        ask.choose(name, choices, refusal)?;
    }
    let is_spot = ask.text("SpotStrategy").is_some_and(|it| it != "NoSpot");
    if is_spot && !ask.passes("InstanceChargeType", "PostPaid") {
        let message = "The specified SpotStrategy is not valid.";
        return Err(Refusal::new(404, "Invalid.SpotStrategy", message));
    }
    check_shape(ask)
}

/// Cores and memory are for types only, and instead of a type.
fn check_shape(ask: &Ask) -> Result<(), Refusal> {
    let destination = ask.text("DestinationResource").unwrap_or_default();
    let has_type = ask.text("InstanceType").is_some();
    let shape = ["Cores", "Memory"].map(|it| ask.text(it).is_some());
    if has_type && shape != [false, false] {
        let message =
            "The specified 'InstanceType' and 'Cores','Memory' are not blank at the same time.";
        let code = "InvalidParam.TypeAndCpuMem.Conflict";
        return Err(Refusal::new(403, code, message));
    }
    match (destination, shape) {
        ("InstanceType", _) => Ok(()),
        (_, [true, _]) => {
            let message = "The specified parameter 'Cores' should be empty.";
            Err(Refusal::new(403, "InvalidParam.Cores", message))
        }
        (_, [_, true]) => {
            let message = "The specified parameter 'Memory' should be empty.";
            Err(Refusal::new(403, "InvalidParam.Memory", message))
        }
        ("SystemDisk", _) if has_type => Ok(()),
        // ASSUMED: the code for what the chain of resources needs.
        ("SystemDisk", _) => {
            let message = "The input parameter InstanceType that is mandatory for processing this request is not \
                           supplied.";
            Err(Refusal::new(400, "Invalid.Param", message))
        }
        (other, _) => Err(Refusal::unmodelled(&format!("the resource {other}"))),
    }
}

/// The types that are asked for. ASSUMED: a type that does not exist is in no zone.
fn wanted<'a>(cloud: &'a Cloud, ask: &Ask) -> Result<Vec<&'a InstanceType>, Refusal> {
    let memory = match ask.text("Memory") {
        None => None,
        Some(text) => Some(Decimal::parse(text).ok_or_else(|| {
            Refusal::new(
                403,
                "InvalidParam.Memory",
                "The specified Memory is not valid.",
            )
        })?),
    };
    let cores = ask.parameters.number("Cores");
    let is_wanted = |it: &&InstanceType| {
        ask.passes("InstanceType", &it.id)
            && cores.is_none_or(|cores| u64::try_from(cores) == Ok(it.cores))
            && memory.is_none_or(|memory| memory == it.memory)
            // I/O optimized and in VPCs: all others are history, and not modelled.
            && ask.passes("IoOptimized", "optimized")
            && ask.passes("NetworkCategory", "vpc")
    };
    Ok(cloud.market.types().filter(is_wanted).collect())
}

/// The types that a zone sells, those that are sold out too; what it never sells is not there.
fn types_in(
    cloud: &Cloud,
    ask: &Ask,
    (wanted, zone): (&[&InstanceType], &str),
) -> (Stock, Vec<Value>) {
    let mut zone_stock = Stock::WithoutStock;
    let mut rows = Vec::new();
    for machine in wanted {
        let Some(terms) = cloud.market.terms(machine, zone, ask.view) else {
            continue;
        };
        zone_stock = better(zone_stock, terms.stock);
        rows.push(json!({
            "Value": machine.id,
            "Status": terms.stock.status(),
            "StatusCategory": terms.stock.category(),
        }));
    }
    (zone_stock, resources("InstanceType", &rows))
}

fn disks_in(
    cloud: &Cloud,
    ask: &Ask,
    (wanted, zone): (&[&InstanceType], &str),
) -> (Stock, Vec<Value>) {
    let terms = wanted
        .first()
        .and_then(|it| Some((*it, cloud.market.terms(it, zone, ask.view)?)));
    let Some((machine, terms)) = terms else {
        return (Stock::WithoutStock, Vec::new());
    };
    let row = |category: &&str| {
        // ASSUMED: the sizes, and that disks never run out.
        json!({
            "Value": category,
            "Status": "Available",
            "StatusCategory": "WithStock",
            "Min": 20,
            "Max": 2048,
            "Unit": "GiB",
        })
    };
    let disks = DISKS.iter();
    let rows: Vec<Value> = disks
        .filter(|it| takes_disk(machine, terms.disks.as_ref(), it))
        .map(row)
        .collect();
    (Stock::WithStock, resources("SystemDisk", &rows))
}

/// A zone that sells nothing has an empty list (ASSUMED).
fn resources(kind: &str, rows: &[Value]) -> Vec<Value> {
    if rows.is_empty() {
        return Vec::new();
    }
    vec![json!({"Type": kind, "SupportedResources": {"SupportedResource": rows}})]
}

/// Whether a type takes a system disk of a category where these are sold; none: all.
pub(in crate::sim::aliyun) fn takes_disk(
    machine: &InstanceType,
    sold: Option<&BTreeSet<String>>,
    category: &str,
) -> bool {
    let is_entry = ["ecs.e", "ecs.u1"].contains(&machine.family.as_str());
    match sold {
        Some(sold) => sold.contains(category),
        None => category != ENTRY_DISK || is_entry,
    }
}

fn better(one: Stock, other: Stock) -> Stock {
    match (one, other) {
        (Stock::WithStock, _) | (_, Stock::WithStock) => Stock::WithStock,
        (Stock::ClosedWithStock, _) | (_, Stock::ClosedWithStock) => Stock::ClosedWithStock,
        (Stock::WithoutStock, _) | (_, Stock::WithoutStock) => Stock::WithoutStock,
        (Stock::ClosedWithoutStock, Stock::ClosedWithoutStock) => Stock::ClosedWithoutStock,
    }
}
