//! Launching a machine.
//!
//! Source: ECS API reference, `RunInstances`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::call::{Call, Parameters, Reply, parameters};
use super::place::{Place, Service};
use super::{Aliyun, fault};
use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::ids::{ImageId, InstanceId};
use crate::providers::secret::Secret;
use crate::retry::Effect;

/// One machine to be launched. It gets no public address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// What it is launched from.
    pub image: ImageId,
    /// Its type, as in `ecs.c7.large`.
    pub instance_type: String,
    /// The zone that it is in.
    pub zone: String,
    /// A vSwitch of that zone.
    pub v_switch: String,
    /// A security group of that vSwitch's network.
    pub security_group: String,
    /// Its name.
    pub name: String,
    /// The category of its system disk.
    pub disk_category: String,
    /// The size of its system disk in GiB.
    pub disk_gib: u64,
    /// The most that an hour may cost in CNY, with at most three decimals; none: it is no spot machine.
    pub spot_limit: Option<String>,
    /// The RAM role of the guest; none: it has none.
    pub role: Option<String>,
    /// The key pair of its root user; none: nobody can log in.
    pub key_pair: Option<String>,
    /// What its cloud-init runs at the first boot.
    pub user_data: UserData,
    /// When the service releases it by itself: a full minute, at least half an hour ahead.
    pub release: Timestamp,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What the cloud-init of a machine runs at the first boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserData {
    /// The text; where it holds a secret, [`UserData::SECRET`] stands in its place.
    pub text: String,
    /// The secret, which is of no use once the machine has used it; none: there is none.
    pub secret: Option<Secret>,
}

impl UserData {
    /// What stands in the text for the secret.
    pub const SECRET: &str = "@secret@";
    /// How many bytes it may have (ECS API reference, `RunInstances`, `UserData`: 32 KB before it is encoded).
    pub const BYTES_MAX: usize = 32 * 1024;

    /// A text without a secret.
    pub fn open(text: String) -> Self {
        Self { text, secret: None }
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> usize {
        self.revealed().len()
    }

    fn revealed(&self) -> String {
        let secret = self.secret.as_ref().map_or("", Secret::reveal);
        self.text.replace(Self::SECRET, secret)
    }
}

impl Aliyun {
    /// Launches a machine, once for each token: the same request gives the same machine again.
    ///
    /// The machine may be gone again soon, where its stock was not there after all. Where the token was used for another
    /// request, the class is [`Class::TokenUsed`].
    pub async fn launch(
        &self,
        place: &Place,
        launch: &Launch,
        token: &str,
    ) -> Result<InstanceId, Fault> {
        let mut call = call(launch);
        call.parameters
            .insert("ClientToken".to_owned(), token.to_owned());
        let outcome = self.call(place, &call).await;
        self.instances.forget(place);
        let reply = outcome?;
        instance_of(&reply).ok_or_else(|| {
            let unreadable = Class::Unavailable {
                maybe_applied: true,
            };
            call.fault(unreadable, "the answer names no instance")
        })
    }

    /// Asks whether a machine could be launched: permissions, quota and parameters; nothing is launched.
    pub async fn prove_launchable(&self, place: &Place, launch: &Launch) -> Result<(), Fault> {
        let mut call = call(launch);
        call.doing = "make sure that an instance can be launched";
        call.effect = Effect::Read;
        call.parameters
            .insert("DryRun".to_owned(), "true".to_owned());
        match self.call(place, &call).await {
            Err(fault) if fault::dry_run_passed(&fault) => Ok(()),
            Err(fault) => Err(fault),
            Ok(_) => Err(call.fault(Class::Bug, "a dry run was not answered as one")),
        }
    }
}

fn call(launch: &Launch) -> Call<'_> {
    let disk = launch.disk_gib.to_string();
    let data = STANDARD.encode(launch.user_data.revealed());
    let release = launch.release.to_string();
    let mut all = parameters([
        ("ImageId", launch.image.as_str()),
        ("InstanceType", &launch.instance_type),
        // Spot requests without a zone are refused (`InvalidSpotParam.EmptyZoneID`).
        ("ZoneId", &launch.zone),
        ("VSwitchId", &launch.v_switch),
        ("SecurityGroupId", &launch.security_group),
        ("InstanceName", &launch.name),
        ("InstanceChargeType", "PostPaid"),
        ("SystemDisk.Category", &launch.disk_category),
        ("SystemDisk.Size", &disk),
        ("InternetMaxBandwidthOut", "0"),
        ("SecurityEnhancementStrategy", "Deactive"),
        ("HttpTokens", "required"),
        ("UserData", &data),
        ("AutoReleaseTime", &release),
    ]);
    let mut put = |name: &str, value: &str| all.insert(name.to_owned(), value.to_owned());
    if let Some(limit) = &launch.spot_limit {
        put("SpotStrategy", "SpotWithPriceLimit");
        put("SpotPriceLimit", limit);
    }
    if let Some(role) = &launch.role {
        put("RamRoleName", role);
    }
    if let Some(key) = &launch.key_pair {
        put("KeyPairName", key);
    }
    all.extend(named_tags(&launch.tags));
    Call {
        service: Service::Ecs,
        action: "RunInstances",
        doing: "launch an instance",
        effect: Effect::Repeatable,
        subject: Some(&launch.name),
        parameters: all,
    }
}

/// Tags as parameters, counted from 1.
pub(super) fn named_tags(tags: &BTreeMap<String, String>) -> Parameters {
    let mut named = Parameters::new();
    for (number, (key, value)) in (1..).zip(tags) {
        named.insert(format!("Tag.{number}.Key"), key.clone());
        named.insert(format!("Tag.{number}.Value"), value.clone());
    }
    named
}

fn instance_of(reply: &Reply) -> Option<InstanceId> {
    let ids = reply.body.get("InstanceIdSets")?.get("InstanceIdSet")?;
    let id = ids.as_array()?.first().and_then(Value::as_str)?;
    (!id.is_empty()).then(|| InstanceId::new(id))
}
