//! What an order finds on the market, and what it may buy there (ECS API reference, `RunInstances`, parameters and error
//! codes).

use std::time::Duration;

use crate::ids::InstanceId;
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::market::{Decimal, InstanceType, Terms, prices, stock};
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, drawn_below};

/// Refuses what cannot be bought at this moment, whatever other actions said before.
pub(super) fn check(
    cloud: &Cloud,
    ask: &Ask,
    (machine, zone): (&InstanceType, &str),
    amount: i64,
) -> Result<(), Refusal> {
    let terms = terms(cloud, ask, (machine, zone))?;
    check_spot(ask, &terms)?;
    check_disk(ask, machine, &terms)?;
    check_quota(cloud, ask, machine, amount)
}

/// What the zone has of the type at this moment, whatever it said before.
fn terms(
    cloud: &Cloud,
    ask: &Ask,
    (machine, zone): (&InstanceType, &str),
) -> Result<Terms, Refusal> {
    let Some(terms) = cloud.market.terms(machine, zone, ask.now) else {
        let message = "The resource in the specified zone is no longer available for sale. Please try other regions \
                       and zones.";
        return Err(Refusal::new(403, "Zone.NotOnSale", message));
    };
    if !terms.really.is_there() {
        let message = "The resource is out of usage.";
        return Err(Refusal::new(403, "OperationDenied.NoStock", message));
    }
    Ok(terms)
}

fn check_spot(ask: &Ask, terms: &Terms) -> Result<(), Refusal> {
    let strategies = ["NoSpot", "SpotWithPriceLimit", "SpotAsPriceGo"];
    ask.choose("SpotStrategy", &strategies, "400 InvalidSpotStrategy")?;
    let charges = ["PostPaid", "PrePaid"];
    ask.choose(
        "InstanceChargeType",
        &charges,
        "404 InvalidInstanceChargeType.NotFound",
    )?;
    let strategy = ask.text("SpotStrategy").unwrap_or("NoSpot");
    if strategy == "NoSpot" {
        return Ok(());
    }
    ask.choose(
        "InstanceChargeType",
        &charges[..1],
        "400 InvalidSpotPrepaid",
    )?;
    ask.choose("SpotDuration", &["0", "1"], "400 InvalidSpotDuration")?;
    let behaviors = ["Terminate", "Stop"];
    ask.choose(
        "SpotInterruptionBehavior",
        &behaviors,
        "400 InvalidSpotInterruptionBehavior",
    )?;
    if !ask.passes("SpotInterruptionBehavior", "Terminate") {
        return Err(Refusal::unmodelled("spot instances that are stopped only"));
    }
    if ask.is_true("DeletionProtection") {
        let message = "Deletion protection is only valid for postPaid instance, not for prePaid or spot instance.";
        return Err(Refusal::new(
            400,
            "InvalidChargeType.ValueNotSupported",
            message,
        ));
    }
    if strategy == "SpotWithPriceLimit" {
        check_limit(ask, terms)?;
    }
    Ok(())
}

/// "At most three decimals"; ASSUMED: more are refused, and so is no limit at all.
fn check_limit(ask: &Ask, terms: &Terms) -> Result<(), Refusal> {
    let fraction = ask.text("SpotPriceLimit").and_then(|it| it.split_once('.'));
    let is_fine = fraction.is_none_or(|it| it.1.len() <= 3);
    let limit = ask.text("SpotPriceLimit").and_then(Decimal::parse);
    let Some(limit) = limit.filter(|it| *it > Decimal::ZERO && is_fine) else {
        let message = "The specified SpotPriceLimitis not valid.";
        return Err(Refusal::new(400, "InvalidSpotPriceLimit", message));
    };
    if limit < prices::of(ask, terms) {
        let message =
            "The specified parameter \"spotPriceLimit\" can't be lower than current public price.";
        return Err(Refusal::new(
            400,
            "InvalidSpotPriceLimit.LowerThanPublicPrice",
            message,
        ));
    }
    Ok(())
}

/// The default is the oldest that is still sold. Where a scenario says which disks a type takes in a zone, it is all.
fn check_disk(ask: &Ask, machine: &InstanceType, terms: &Terms) -> Result<(), Refusal> {
    let levels = ["PL0", "PL1", "PL2", "PL3"];
    ask.choose(
        "SystemDisk.PerformanceLevel",
        &levels,
        "400 InvalidPerformanceLevel.ValueNotSupported",
    )?;
    let category = ask
        .text("SystemDisk.Category")
        .unwrap_or("cloud_efficiency");
    let is_known = stock::DISKS.contains(&category);
    if is_known && stock::takes_disk(machine, terms.disks.as_ref(), category) {
        return Ok(());
    }
    let message = "The specified parameter \"SystemDisk.Category\" is not valid.";
    let code = "InvalidSystemDiskCategory.ValueNotSupported";
    Err(Refusal::new(400, code, message))
}

/// ASSUMED: the quota of a type counts what there is of it in the region.
fn check_quota(
    cloud: &Cloud,
    ask: &Ask,
    machine: &InstanceType,
    amount: i64,
) -> Result<(), Refusal> {
    let Some(quota) = cloud.scenario.settings.quotas.instances else {
        return Ok(());
    };
    let instances = ask.region(cloud).instances.all();
    let used = instances.filter(|it| it.instance_type == machine.id);
    let used = u64::try_from(used.count()).unwrap_or(u64::MAX);
    if used.saturating_add(u64::try_from(amount).unwrap_or_default()) <= quota {
        return Ok(());
    }
    let message = "No additional quota is available for the specified ECS instance type.";
    Err(Refusal::new(403, "QuotaExceed.ElasticQuota", message))
}

/// Refuses an image beyond the quota of the region (ECS API reference, `CreateImage`, error codes).
pub(super) fn check_images(cloud: &Cloud, ask: &Ask) -> Result<(), Refusal> {
    let Some(quota) = cloud.scenario.settings.quotas.images else {
        return Ok(());
    };
    let own = ask.region(cloud).images.all().filter(|it| it.is_own());
    if u64::try_from(own.count()).is_ok_and(|it| it < quota) {
        return Ok(());
    }
    let message = "The Image Quota exceeds.";
    Err(Refusal::new(403, "QuotaExceed.Image", message))
}

/// The protected hours of a spot instance: one, unless the order says none.
pub(super) fn duration(ask: &Ask) -> i64 {
    ask.parameters.number("SpotDuration").unwrap_or(1)
}

/// When the cloud takes a spot instance back, counted from its launch; none: never.
pub(super) fn reclaimed_after(cloud: &Cloud, ask: &Ask, id: &InstanceId) -> Option<Duration> {
    let reclaims = cloud.scenario.market.reclaims?;
    let seed = cloud.scenario.seed;
    let draw = |what: &str, below| drawn_below(seed, &format!("reclaims/{id}/{what}"), below);
    let is_spot = ask.text("SpotStrategy").is_some_and(|it| it != "NoSpot");
    if !is_spot || draw("whether", 100) >= reclaims.percent {
        return None;
    }
    let later = draw("when", reclaims.spread.saturating_add(1));
    Some(Duration::from_secs(reclaims.seconds.saturating_add(later)))
}
