//! `RunInstances` (ECS API reference, RunInstances): accepted at once, carried out later.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::clock::Timestamp;
use crate::ids::{ImageId, InstanceId};
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::market::InstanceType;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{
    Cloud, Reply, assistant, images, lifecycle, names, network, purchase, token,
};
use crate::sim::github;
use crate::sim::history::{Removal, What};
use crate::sim::object::{Agent, Image, ImageStatus, Instance, InstanceChange, InstanceStatus};
use crate::sim::trouble::{Trouble, TroubleKind};

/// User data may have 32 KiB before it is encoded.
const USER_DATA_MAX: usize = 32 * 1024;

/// How long before a spot instance is taken back it is announced (ECS documentation, "Preemptible instances").
const RECYCLING_NOTICE: Duration = Duration::from_secs(300);

pub(super) fn run(cloud: &mut Cloud, ask: &Ask) -> Reply {
    token::once(cloud, ask, |cloud| {
        let order = order_of(cloud, ask)?;
        ask.unless_dry()?;
        let region = ask.region_id(cloud);
        let mut ids = Vec::new();
        for index in 1..=order.amount {
            let instance = instance_of(cloud, ask, &order, index);
            ids.push(instance.instance_id.clone());
            cloud
                .region_mut(&region)
                .instances
                .put(ask.now, instance.clone());
            cloud.record(ask.now, &region, What::InstanceCreated(Box::new(instance)));
        }
        Ok(json!({"InstanceIdSets": {"InstanceIdSet": ids}, "OrderId": "", "TradePrice": 0.0}))
    })
}

/// What is asked for, as far as it had to be checked.
struct Order {
    image: ImageId,
    machine: String,
    zone: String,
    /// The system disk, in GiB.
    disk: u64,
    tags: BTreeMap<String, String>,
    amount: i64,
    release: Option<Timestamp>,
}

fn order_of(cloud: &Cloud, ask: &Ask) -> Result<Order, Refusal> {
    let image = image(cloud, ask)?;
    let machine = machine(cloud, ask, image)?;
    let amount = amount(ask)?;
    let zone = network::place(cloud, ask, amount)?;
    purchase::check(cloud, ask, (machine, &zone), amount)?;
    check_texts(ask)?;
    check_guest(cloud, ask)?;
    Ok(Order {
        image: image.image_id.clone(),
        machine: machine.id.clone(),
        zone,
        disk: disk(ask, image)?,
        tags: names::tags(&ask.parameters)?,
        amount,
        release: lifecycle::release_time(ask)?,
    })
}

fn instance_of(cloud: &Cloud, ask: &Ask, order: &Order, index: i64) -> Instance {
    let region = ask.region_id(cloud);
    let text = |name: &str, default: &str| ask.text(name).unwrap_or(default).to_owned();
    let subject = ask
        .text("ClientToken")
        .or(ask.text("InstanceName"))
        .unwrap_or_default();
    let id = InstanceId::new(&cloud.fresh_id(&region, "i", subject));
    let mut upcoming = upcoming(cloud, ask, &id);
    let agent = assistant::agent_of(cloud, ask, running_at(cloud, ask));
    let data = ask.text("UserData").and_then(|it| STANDARD.decode(it).ok());
    let data = String::from_utf8(data.unwrap_or_default()).unwrap_or_default();
    let runner = github::configured(&data);
    if let Some(minutes) = armed(&data).filter(|_| runner.is_some() && agent != Agent::Never) {
        let off = running_at(cloud, ask).plus(Duration::from_secs(minutes * 60));
        upcoming.push((off, InstanceChange::Turn(InstanceStatus::Stopped)));
    }
    Instance {
        region_id: Some(region),
        instance_name: name_of(ask, &id, index),
        instance_id: id,
        image_id: order.image.clone(),
        instance_type: order.machine.clone(),
        status: InstanceStatus::Pending,
        creation_time: ask.now,
        auto_release_time: order.release,
        instance_charge_type: text("InstanceChargeType", "PostPaid"),
        spot_strategy: text("SpotStrategy", "NoSpot"),
        spot_price_limit: price_limit(ask).unwrap_or_default(),
        spot_duration: purchase::duration(ask),
        http_tokens: text("HttpTokens", "optional"),
        deletion_protection: ask.is_true("DeletionProtection"),
        zone_id: order.zone.clone(),
        v_switch_id: text("VSwitchId", ""),
        security_group_ids: network::security_groups(ask),
        key_pair_name: text("KeyPairName", ""),
        stopped_mode: "Not-applicable".to_owned(),
        system_disk_size: order.disk,
        recycling: false,
        tags: order.tags.clone(),
        runner,
        agent,
        upcoming,
    }
}

/// The image by its id or as the newest of its family, but not by both.
fn image<'a>(cloud: &'a Cloud, ask: &Ask) -> Result<&'a Image, Refusal> {
    let images = &ask.region(cloud).images;
    let image = match (ask.text("ImageId"), ask.text("ImageFamily")) {
        (None, None) => return Err(Refusal::missing("ImageId")),
        (Some(_), Some(_)) => {
            let message = "The input parameter ImageFamily must be null when image id is set.";
            return Err(Refusal::new(
                400,
                "UnexpectedImageFamily.ImageIdSupplied",
                message,
            ));
        }
        (Some(id), None) => images.get(ImageId::new(id).as_str()).ok_or_else(|| {
            Refusal::new(
                404,
                "InvalidImageId.NotFound",
                "The specified ImageId does not exist.",
            )
        })?,
        (None, Some(family)) => {
            images::newest_of_family(images.all(), family).ok_or_else(|| {
                let message = "There is no available image related to the specified image family.";
                Refusal::new(403, "InvalidImageFamily.MissingAvailableImage", message)
            })?
        }
    };
    // ASSUMED: this code for an image that is not Available yet, or not yet usable.
    if image.status != ImageStatus::Available || !image.usable {
        let message = "The specified Image is disabled or is deleted.";
        return Err(Refusal::new(403, "OperationDenied.ImageNotValid", message));
    }
    Ok(image)
}

fn machine<'a>(cloud: &'a Cloud, ask: &Ask, image: &Image) -> Result<&'a InstanceType, Refusal> {
    let id = ask
        .text("InstanceType")
        .ok_or_else(|| Refusal::missing("InstanceType"))?;
    let Some(machine) = cloud.market.find(id) else {
        let message = "The specified InstanceType beyond the permitted range.";
        return Err(Refusal::new(
            400,
            "InvalidInstanceType.ValueNotSupported",
            message,
        ));
    };
    if machine.architecture.of_image() != image.architecture {
        let message = "The specified image does not support the specified instance type.";
        return Err(Refusal::new(400, "InvalidParameter.Conflict", message));
    }
    Ok(machine)
}

fn price_limit(ask: &Ask) -> Option<f64> {
    ask.text("SpotPriceLimit")?.parse().ok()
}

/// The system disk's size in GiB: at least the image's, by default 40 or the image's.
fn disk(ask: &Ask, image: &Image) -> Result<u64, Refusal> {
    let Some(text) = ask.text("SystemDisk.Size") else {
        return Ok(image.size.max(40));
    };
    let size: u64 = text
        .parse()
        .map_err(|_| Refusal::invalid("SystemDisk.Size"))?;
    if size < image.size.max(1) {
        let message = "The specified parameter SystemDisk.Size is less than the image size.";
        return Err(Refusal::new(
            404,
            "InvalidSystemDiskSize.LessThanImageSize",
            message,
        ));
    }
    Ok(size)
}

fn check_texts(ask: &Ask) -> Result<(), Refusal> {
    let name = ask.text("InstanceName").unwrap_or_default();
    if name.contains('[') {
        return Err(Refusal::unmodelled(
            "instance names with a range in brackets",
        ));
    }
    if !name.is_empty() && !names::is_instance_name(name) {
        let message = "The specified parameter \"InstanceName\" is not valid.";
        return Err(Refusal::new(400, "InvalidInstanceName.Malformed", message));
    }
    let Some(data) = ask.text("UserData") else {
        return Ok(());
    };
    match STANDARD.decode(data) {
        Ok(decoded) if decoded.len() <= USER_DATA_MAX => Ok(()),
        Ok(_) => {
            let message = "The specified parameter \"UserData\" exceeds the size.";
            Err(Refusal::new(400, "InvalidUserData.SizeExceeded", message))
        }
        Err(_) => {
            let message = "The specified UserData is not valid.";
            Err(Refusal::new(
                400,
                "InvalidUserData.Base64FormatInvalid",
                message,
            ))
        }
    }
}

/// How the guest is set up. The roles that may be given to it are those of the scenario; one without roles has any.
fn check_guest(cloud: &Cloud, ask: &Ask) -> Result<(), Refusal> {
    let tokens = ["optional", "required"];
    ask.choose("HttpTokens", &tokens, "400 InvalidHttpTokens.NotSupported")?;
    let strategies = ["Active", "Deactive"];
    // ASSUMED: the code.
    ask.choose(
        "SecurityEnhancementStrategy",
        &strategies,
        "400 InvalidParameter",
    )?;
    let roles = &cloud.scenario.roles;
    let is_known = |name| roles.is_empty() || roles.iter().any(|it| it.name == name);
    if ask.text("RamRoleName").is_some_and(|it| !is_known(it)) {
        let message = "The specified parameter \"RAMRoleName\" does not exist.";
        return Err(Refusal::new(404, "InvalidRamRole.NotFound", message));
    }
    Ok(())
}

fn amount(ask: &Ask) -> Result<i64, Refusal> {
    let amount = ask.parameters.number("Amount").unwrap_or(1);
    if !(1..=100).contains(&amount) {
        let message = "The specified parameter Amount is not valid.";
        return Err(Refusal::new(403, "InvalidParam.Amount", message));
    }
    let least = ask.parameters.number("MinAmount").unwrap_or(amount);
    if !(1..=amount).contains(&least) {
        let message = "The specified parameter MinAmount is not valid.";
        return Err(Refusal::new(400, "InvalidMinAmount.Malformed", message));
    }
    Ok(amount)
}

/// After how many minutes a guest switches itself off that was told so by its user data.
fn armed(data: &str) -> Option<u64> {
    let mut lines = data.lines();
    lines.find_map(|it| it.trim_start().strip_prefix("arm ")?.parse().ok())
}

/// The default is the id; `UniqueSuffix` numbers the names of one request from 001.
fn name_of(ask: &Ask, id: &InstanceId, index: i64) -> String {
    match ask.text("InstanceName") {
        None => id.to_string(),
        Some(name) if ask.is_true("UniqueSuffix") => format!("{name}{index:03}"),
        Some(name) => name.to_owned(),
    }
}

fn running_at(cloud: &Cloud, ask: &Ask) -> Timestamp {
    let times = &cloud.scenario.times;
    let seconds = times.instance_starting + times.instance_running;
    ask.now.plus(Duration::from_secs(seconds))
}

/// An instance is Pending, then Starting, then Running; or it vanishes, although it was accepted.
fn upcoming(cloud: &Cloud, ask: &Ask, id: &InstanceId) -> Vec<(Timestamp, InstanceChange)> {
    let times = &cloud.scenario.times;
    let starting = ask.now.plus(Duration::from_secs(times.instance_starting));
    let running = running_at(cloud, ask);
    let mut upcoming = vec![
        (starting, InstanceChange::Turn(InstanceStatus::Starting)),
        (running, InstanceChange::Turn(InstanceStatus::Running)),
    ];
    let trouble = ask.trouble.as_ref();
    let of_kind = |kind: TroubleKind| trouble.filter(|it| it.fault == kind);
    // Out of stock after all: the system deletes the instance (RunInstances, event `SystemFailure.Delete`).
    if let Some(vanish) = of_kind(TroubleKind::Vanish) {
        let end = ask.now.plus(vanish.duration());
        upcoming.push((end, InstanceChange::Go(Removal::System)));
    }
    let reclaim = of_kind(TroubleKind::Reclaim).map(Trouble::duration);
    if let Some(after) = reclaim.or_else(|| purchase::reclaimed_after(cloud, ask, id)) {
        let end = ask.now.plus(after);
        let notice = end.minus(RECYCLING_NOTICE).max(ask.now);
        upcoming.push((notice, InstanceChange::Recycle));
        upcoming.push((end, InstanceChange::Go(Removal::System)));
    }
    upcoming
}
