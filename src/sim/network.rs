//! Networks as a scenario writes them: where instances are put. They stay as they are.

use std::collections::BTreeSet;

use serde::Deserialize;

/// A vSwitch (VPC API reference, `DescribeVSwitches`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct VSwitch {
    #[serde(rename = "VSwitchId")]
    pub v_switch_id: String,
    #[serde(default, rename = "VSwitchName")]
    pub v_switch_name: String,
    pub vpc_id: String,
    /// As in `cn-hangzhou-h`; it says the region too.
    pub zone_id: String,
    #[serde(default = "cidr_block")]
    pub cidr_block: String,
    /// How many addresses are free when the world begins.
    #[serde(default = "addresses")]
    pub available_ip_address_count: u64,
    /// `Available` or `Pending`.
    #[serde(default = "available")]
    pub status: String,
}

/// A security group (ECS API reference, `DescribeSecurityGroups`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct SecurityGroup {
    pub security_group_id: String,
    pub vpc_id: String,
}

fn cidr_block() -> String {
    "172.16.0.0/24".to_owned()
}

/// A block of 256 without the four that the service keeps for itself (VPC documentation, "vSwitch").
fn addresses() -> u64 {
    252
}

fn available() -> String {
    "Available".to_owned()
}

/// Says the first id that is there twice.
pub(crate) fn check(switches: &[VSwitch], groups: &[SecurityGroup]) -> Result<(), String> {
    let switches = switches.iter().map(|it| &it.v_switch_id);
    let groups = groups.iter().map(|it| &it.security_group_id);
    let mut seen = BTreeSet::new();
    match switches.chain(groups).find(|it| !seen.insert(*it)) {
        Some(id) => Err(format!("{id} is there twice")),
        None => Ok(()),
    }
}
