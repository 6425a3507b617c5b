//! Zones and vSwitches (ECS API reference: `DescribeZones`; VPC API reference: `DescribeVSwitches`), and where an order
//! may be put.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::ids::RegionId;
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::market::is_zone_of;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Reply, page};
use crate::sim::network::VSwitch;

impl Cloud {
    /// The zones of a region, also those that only a vSwitch names.
    pub(super) fn zones(&self, region: &RegionId) -> BTreeSet<String> {
        let mut zones = self.market.zones(region);
        zones.extend(self.switches(region).map(|it| it.zone_id.clone()));
        zones
    }

    fn switches(&self, region: &RegionId) -> impl Iterator<Item = &VSwitch> {
        let switches = self.scenario.v_switches.iter();
        switches.filter(move |it| is_zone_of(&it.zone_id, region))
    }

    /// The VPC of a vSwitch; empty where vSwitches are not declared.
    pub(super) fn vpc_of(&self, switch: &str) -> &str {
        let mut switches = self.scenario.v_switches.iter();
        let found = switches.find(|it| it.v_switch_id == switch);
        found.map_or("", |it| &it.vpc_id)
    }

    /// What is left of the addresses: every instance that was launched since the beginning has one.
    fn free_addresses(&self, region: &RegionId, switch: &VSwitch) -> u64 {
        let is_inside = |it: &&crate::sim::object::Instance| {
            it.v_switch_id == switch.v_switch_id && it.creation_time >= self.scenario.start
        };
        let used = self.regions[region].instances.all().filter(is_inside);
        let used = u64::try_from(used.count()).unwrap_or(u64::MAX);
        switch.available_ip_address_count.saturating_sub(used)
    }
}

pub(super) fn describe_zones(cloud: &Cloud, ask: &Ask) -> Reply {
    ask.only(&[
        "AcceptLanguage",
        "InstanceChargeType",
        "SpotStrategy",
        "Verbose",
    ])?;
    let is_brief = ask.text("Verbose").is_some() && !ask.is_true("Verbose");
    let row = |zone: &String| {
        if is_brief {
            return json!({"ZoneId": zone, "LocalName": zone});
        }
        let sold = |it: &&_| cloud.market.terms(it, zone, ask.now).is_some();
        let types = cloud.market.types().filter(sold);
        let types: Vec<&str> = types.map(|it| it.id.as_str()).collect();
        json!({
            "ZoneId": zone,
            "LocalName": zone,
            "ZoneType": "AvailabilityZone",
            "AvailableInstanceTypes": {"InstanceTypes": types},
            "AvailableResourceCreation": {"ResourceTypes": ["VSwitch", "IoOptimized", "Instance", "Disk"]},
        })
    };
    let zones = cloud.zones(&ask.region_id(cloud));
    let rows: Vec<Value> = zones.iter().map(row).collect();
    Ok(json!({"Zones": {"Zone": rows}}))
}

/// At least the region or the VPC is needed.
pub(super) fn describe_switches(cloud: &Cloud, ask: &Ask) -> Reply {
    ask.only(&["VSwitchId", "VSwitchName", "VpcId", "ZoneId", "IsDefault"])?;
    if ask.text("RegionId").is_none() && ask.text("VpcId").is_none() {
        return Err(Refusal::missing("RegionId"));
    }
    let page = page::by_number(ask, 50)?;
    let region = ask.region_id(cloud);
    let lets_pass = |it: &&VSwitch| {
        ask.passes("VSwitchId", &it.v_switch_id)
            && ask.passes("VSwitchName", &it.v_switch_name)
            && ask.passes("VpcId", &it.vpc_id)
            && ask.passes("ZoneId", &it.zone_id)
            && !ask.is_true("IsDefault")
    };
    let row = |it: &VSwitch| {
        json!({
            "VSwitchId": it.v_switch_id,
            "VSwitchName": it.v_switch_name,
            "VpcId": it.vpc_id,
            "ZoneId": it.zone_id,
            "CidrBlock": it.cidr_block,
            "Status": it.status,
            "AvailableIpAddressCount": cloud.free_addresses(&region, it),
            "Description": "",
            "IsDefault": false,
            "Tags": {"Tag": []},
        })
    };
    let switches = cloud.switches(&region).filter(lets_pass).collect();
    Ok(page.cut(ask, switches).answer("VSwitches", "VSwitch", row))
}

/// The zone that an order for so many instances goes to. A scenario without vSwitches has any vSwitch in any zone, and
/// one without security groups any group: so does a world that is about something else.
pub(super) fn place(cloud: &Cloud, ask: &Ask, amount: i64) -> Result<String, Refusal> {
    check_groups(ask)?;
    let region = ask.region_id(cloud);
    let zones = cloud.zones(&region);
    let named = ask.text("ZoneId");
    if named.is_some_and(|it| !zones.contains(it)) {
        return Err(no_zone());
    }
    if cloud.scenario.v_switches.is_empty() {
        // ASSUMED: the first zone, when none is named; the service picks one.
        let zone = named.or(zones.first().map(String::as_str));
        return zone.map(str::to_owned).ok_or_else(no_zone);
    }
    let switch = switch_of(cloud, ask, &region)?;
    let is_spot = ask.text("SpotStrategy").is_some_and(|it| it != "NoSpot");
    if is_spot && named.is_none() {
        let message = "The specified zoneid is empty when SpotStrategy is set.";
        return Err(Refusal::new(400, "InvalidSpotParam.EmptyZoneID", message));
    }
    if named.is_some_and(|it| it != switch.zone_id) {
        // ASSUMED: the code.
        let message = "The specified virtual switch is not in the specified zone.";
        return Err(Refusal::new(400, "InvalidParameter.VSwitchId", message));
    }
    if switch.status != "Available" {
        let message = "The current status of virtual switch does not support this operation.";
        return Err(Refusal::new(400, "IncorrectVSwitchStatus", message));
    }
    if cloud.free_addresses(&region, switch) < u64::try_from(amount).unwrap_or_default() {
        let message = "Don't have enough private IPs in this switch.";
        return Err(Refusal::new(403, "QuotaExceeded.PrivateIpAddress", message));
    }
    check_vpc(cloud, ask, switch)?;
    Ok(switch.zone_id.clone())
}

fn switch_of<'a>(cloud: &'a Cloud, ask: &Ask, region: &RegionId) -> Result<&'a VSwitch, Refusal> {
    let id = ask.text("VSwitchId").unwrap_or_default();
    let found = cloud.switches(region).find(|it| it.v_switch_id == id);
    found.ok_or_else(|| {
        let message = "Specified virtual switch does not exist.";
        Refusal::new(404, "InvalidVSwitchId.NotFound", message)
    })
}

/// All groups are in the VPC of the vSwitch.
fn check_vpc(cloud: &Cloud, ask: &Ask, switch: &VSwitch) -> Result<(), Refusal> {
    let groups = &cloud.scenario.security_groups;
    if groups.is_empty() {
        return Ok(());
    }
    for id in security_groups(ask) {
        let Some(group) = groups.iter().find(|it| it.security_group_id == id) else {
            let message = "The SecurityGroupId provided does not exist in our records.";
            return Err(Refusal::new(
                404,
                "InvalidSecurityGroupId.NotFound",
                message,
            ));
        };
        if group.vpc_id != switch.vpc_id {
            let message = "The specified security group and vswitch are not in the same vpc.";
            let code = "OperationDenied.InconsistentNetwork";
            return Err(Refusal::new(403, code, message));
        }
    }
    Ok(())
}

fn check_groups(ask: &Ask) -> Result<(), Refusal> {
    if ask.text("VSwitchId").is_none() {
        return Err(Refusal::missing("VSwitchId"));
    }
    let one = ask.text("SecurityGroupId").is_some();
    let many = !ask.parameters.list("SecurityGroupIds").is_empty();
    if one && many {
        let message =
            "The parameters SecurityGroupId and SecurityGroupIds.N cannot be specified together.";
        return Err(Refusal::new(
            400,
            "InvalidSecurityGroupId.SingleIdAndMultiIdConflict",
            message,
        ));
    }
    if one || many {
        Ok(())
    } else {
        Err(Refusal::missing("SecurityGroupId"))
    }
}

/// The security groups that an order names.
pub(super) fn security_groups(ask: &Ask) -> Vec<String> {
    let one = ask.text("SecurityGroupId");
    one.into_iter()
        .chain(ask.parameters.list("SecurityGroupIds"))
        .map(str::to_owned)
        .collect()
}

fn no_zone() -> Refusal {
    let message = "The ZoneId provided does not exist in our records.";
    Refusal::new(404, "InvalidZoneId.NotFound", message)
}
