//! The listings of instances (ECS API reference: `DescribeInstances`, `DescribeInstanceStatus`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Reply, page, show};
use crate::sim::object::{Instance, InstanceStatus};

const MODELLED: [&str; 13] = [
    "InstanceIds",
    "InstanceName",
    "Status",
    "ImageId",
    "InstanceType",
    "InstanceChargeType",
    "ZoneId",
    "VSwitchId",
    "KeyPairName",
    "LockReason",
    "Tag",
    "InstanceNetworkType",
    "IoOptimized",
];

const STATUSES: [&str; 5] = ["Pending", "Running", "Starting", "Stopping", "Stopped"];

pub(super) fn describe(cloud: &mut Cloud, ask: &Ask) -> Reply {
    ask.only(&MODELLED)?;
    ask.choose("Status", &STATUSES, "404 InvalidStatus.NotFound")?;
    let ids = ask.id_array("InstanceIds")?;
    let page = page::by_token(ask, cloud)?;
    ask.unless_dry()?;
    let mut instances = page::listing(cloud, ask, &ask.region(cloud).instances)?;
    instances.retain(|it| {
        ids.as_ref()
            .is_none_or(|ids| ids.contains(it.instance_id.as_str()))
            && lets_pass(ask, it)
    });
    Ok(page
        .cut(ask, instances)
        .answer("Instances", "Instance", |it| show::instance(cloud, it)))
}

fn lets_pass(ask: &Ask, instance: &Instance) -> bool {
    let is_locked = |reason: &str| reason.eq_ignore_ascii_case("recycling") && instance.recycling;
    ask.text("InstanceName")
        .is_none_or(|it| matches(it, &instance.instance_name))
        && ask
            .text("Status")
            .is_none_or(|it| json!(instance.status) == it)
        && ask.passes("ImageId", instance.image_id.as_str())
        && ask.passes("InstanceType", &instance.instance_type)
        && ask.passes("InstanceChargeType", &instance.instance_charge_type)
        && ask.passes("InstanceNetworkType", "vpc")
        && ask.passes("ZoneId", &instance.zone_id)
        && ask.passes("VSwitchId", &instance.v_switch_id)
        && ask.passes("KeyPairName", &instance.key_pair_name)
        && ask.text("LockReason").is_none_or(is_locked)
}

/// `*` stands for any text (ECS API reference, `DescribeInstances`, `InstanceName`).
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    loop {
        if matches(rest, name) {
            return true;
        }
        let mut characters = name.chars();
        if characters.next().is_none() {
            return false;
        }
        name = characters.as_str();
    }
}

/// What the console has said (ECS API reference, `GetInstanceConsoleOutput`); ASSUMED: that one who boots has none yet.
pub(super) fn console(cloud: &mut Cloud, ask: &Ask) -> Reply {
    ask.only(&["InstanceId", "RemoveSymbols"])?;
    let id = ask.text("InstanceId").unwrap_or_default();
    let Some(instance) = ask.region(cloud).instances.get(id) else {
        let message = "The specified parameter \"InstanceId\" is not valid.";
        return Err(Refusal::new(404, "InvalidParameter", message));
    };
    let said = match instance.status {
        InstanceStatus::Pending | InstanceStatus::Starting => {
            let message = "The current status of the resource does not support this operation.";
            return Err(Refusal::new(405, "IncorrectInstanceStatus", message));
        }
        InstanceStatus::Running | InstanceStatus::Stopping | InstanceStatus::Stopped => {
            format!("{id} login: ")
        }
    };
    Ok(json!({
        "InstanceId": id,
        "ConsoleOutput": STANDARD.encode(said),
        "LastUpdateTime": ask.now.to_string(),
    }))
}

/// A released instance is simply missing.
pub(super) fn describe_status(cloud: &mut Cloud, ask: &Ask) -> Reply {
    ask.only(&["InstanceId", "ZoneId"])?;
    let ids = ask.parameters.list("InstanceId");
    if ids.len() > 100 {
        let message = "Instance ids cannot be more than 100.";
        return Err(Refusal::new(
            403,
            "InvalidParameter.TooManyInstanceIds",
            message,
        ));
    }
    let page = page::by_number(ask, 50)?;
    let mut instances = page::listing(cloud, ask, &ask.region(cloud).instances)?;
    instances.retain(|it| {
        (ids.is_empty() || ids.contains(&it.instance_id.as_str()))
            && ask.passes("ZoneId", &it.zone_id)
    });
    let row = |it: &Instance| json!({"InstanceId": it.instance_id, "Status": it.status});
    Ok(page
        .cut(ask, instances)
        .answer("InstanceStatuses", "InstanceStatus", row))
}
