//! Where a machine can be plugged in: one vSwitch a zone. Pure.

use std::collections::BTreeMap;

use crate::kinds::aliyun_region::Network;
use crate::providers::aliyun::VSwitch;

/// A vSwitch, and whether there is room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plug {
    pub(super) v_switch: String,
    pub(super) has_room: bool,
}

/// The plug of each zone, out of all vSwitches of the VPC. The text says everything that is wrong with what was written.
pub(super) fn plugs(
    network: &Network,
    listed: &[VSwitch],
) -> Result<BTreeMap<String, Plug>, String> {
    match &network.v_switches {
        Some(written) => by_hand(written, listed),
        None => Ok(discovered(listed)),
    }
}

fn by_hand(
    written: &BTreeMap<String, String>,
    listed: &[VSwitch],
) -> Result<BTreeMap<String, Plug>, String> {
    let mut plugs = BTreeMap::new();
    let mut wrong = Vec::new();
    for (zone, id) in written {
        match listed.iter().find(|it| it.id == *id) {
            Some(found) if found.zone == *zone => {
                plugs.insert(zone.clone(), plug(found));
            }
            Some(found) => wrong.push(format!(
                "the vSwitch {id} of spec.network.vSwitches.{zone} is in {}",
                found.zone
            )),
            None => wrong.push(format!(
                "the vSwitch {id} of spec.network.vSwitches.{zone} is not in this VPC"
            )),
        }
    }
    if wrong.is_empty() {
        Ok(plugs)
    } else {
        Err(wrong.join("; "))
    }
}

/// The one with the most room of each zone.
fn discovered(listed: &[VSwitch]) -> BTreeMap<String, Plug> {
    let mut best: BTreeMap<&str, &VSwitch> = BTreeMap::new();
    let key = |it: &VSwitch| {
        (
            !it.is_available,
            u64::MAX - it.free_addresses,
            it.id.clone(),
        )
    };
    for it in listed {
        let known = best.get(it.zone.as_str());
        if known.is_none_or(|known| key(it) < key(known)) {
            best.insert(&it.zone, it);
        }
    }
    let plugs = best.into_iter();
    plugs
        .map(|(zone, it)| (zone.to_owned(), plug(it)))
        .collect()
}

fn plug(it: &VSwitch) -> Plug {
    Plug {
        v_switch: it.id.clone(),
        has_room: it.is_available && it.free_addresses > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v_switch(id: &str, zone: &str, free_addresses: u64) -> VSwitch {
        VSwitch {
            id: id.to_owned(),
            zone: zone.to_owned(),
            is_available: true,
            free_addresses,
        }
    }

    fn shown(plugs: &BTreeMap<String, Plug>) -> Vec<(&str, &str, bool)> {
        let plugs = plugs.iter();
        plugs
            .map(|(zone, it)| (zone.as_str(), it.v_switch.as_str(), it.has_room))
            .collect()
    }

    #[test]
    fn the_vswitch_with_the_most_room_of_each_zone_is_discovered() {
        let mut pending = v_switch("vsw-0", "a", 900);
        pending.is_available = false;
        let mut listed = vec![
            pending,
            v_switch("vsw-2", "a", 5),
            v_switch("vsw-1", "a", 5),
            v_switch("vsw-3", "a", 4),
            v_switch("vsw-4", "b", 0),
        ];
        for _ in 0..listed.len() {
            listed.rotate_left(1);
            let plugs = plugs(&Network::default(), &listed).expect("nothing is written");
            assert_eq!(shown(&plugs), [("a", "vsw-1", true), ("b", "vsw-4", false)]);
        }
    }

    #[test]
    fn what_is_written_must_be_in_the_vpc_and_in_its_zone() {
        let listed = [v_switch("vsw-1", "a", 1), v_switch("vsw-2", "b", 1)];
        let network = |written: &[(&str, &str)]| Network {
            v_switches: Some(
                written
                    .iter()
                    .map(|(zone, id)| ((*zone).to_owned(), (*id).to_owned()))
                    .collect(),
            ),
            ..Network::default()
        };
        let right = plugs(&network(&[("a", "vsw-1")]), &listed).expect("it is there");
        assert_eq!(shown(&right), [("a", "vsw-1", true)]);
        let wrong = plugs(&network(&[("a", "vsw-2"), ("c", "vsw-3")]), &listed);
        assert_eq!(
            wrong.expect_err("neither is right"),
            "the vSwitch vsw-2 of spec.network.vSwitches.a is in b; \
             the vSwitch vsw-3 of spec.network.vSwitches.c is not in this VPC"
        );
    }
}
