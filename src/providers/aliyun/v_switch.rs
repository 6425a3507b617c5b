//! The vSwitches of a VPC: what a machine is plugged into, one zone each.
//!
//! Source: VPC API reference, `DescribeVSwitches`.

use std::sync::Arc;

use super::Aliyun;
use super::call::parameters;
use super::listing::Listing;
use super::place::{Place, Service};
use super::wire::Fields;
use crate::fact::Complete;
use crate::fault::Fault;

/// A vSwitch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VSwitch {
    /// Its id.
    pub id: String,
    /// The zone that it is in.
    pub zone: String,
    /// Whether machines can be plugged into it.
    pub is_available: bool,
    /// How many addresses are free.
    pub free_addresses: u64,
}

const V_SWITCHES: Listing<VSwitch> = Listing {
    service: Service::Vpc,
    action: "DescribeVSwitches",
    doing: "list the vSwitches",
    outer: "VSwitches",
    inner: "VSwitch",
    id: "VSwitchId",
    page_size: 50,
    read,
};

fn read(item: Fields<'_>) -> Result<VSwitch, String> {
    Ok(VSwitch {
        id: item.id("VSwitchId")?.to_owned(),
        zone: item.id("ZoneId")?.to_owned(),
        is_available: item.id("Status")? == "Available",
        free_addresses: item.count("AvailableIpAddressCount")?,
    })
}

impl Aliyun {
    /// All vSwitches of a VPC; read once a pass.
    pub async fn v_switches(
        &self,
        place: &Place,
        vpc: &str,
    ) -> Result<Arc<Complete<VSwitch>>, Fault> {
        let key = (place.clone(), vpc.to_owned());
        let filter = parameters([("VpcId", vpc)]);
        let read = || async {
            let listed = self.list_by_number(place, &V_SWITCHES, &filter).await;
            listed.map_err(|it| it.of(vpc))
        };
        self.v_switches.get(&key, read).await
    }
}
