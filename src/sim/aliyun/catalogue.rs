//! What there is without anybody having made it: regions, instance types, the caller
//! (ECS API reference: `DescribeRegions`, `DescribeInstanceTypes`; STS API reference: `GetCallerIdentity`).

use serde_json::{Value, json};

use crate::ids::RegionId;
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::{Cloud, Reply, page};

/// One instance type.
#[derive(Clone, Copy, Debug)]
pub(super) struct InstanceType {
    pub(super) id: &'static str,
    pub(super) family: &'static str,
    /// In the words of images.
    pub(super) architecture: &'static str,
    pub(super) cores: u64,
    pub(super) memory_gib: u64,
    /// CNY an hour; ASSUMED, and the same in every zone at all times.
    pub(super) spot_price: f64,
}

const X86: &str = "x86_64";
const ARM: &str = "arm64";

const TYPES: [InstanceType; 12] = [
    machine("ecs.c7.large", "ecs.c7", X86, (2, 4, 0.08)),
    machine("ecs.c7.xlarge", "ecs.c7", X86, (4, 8, 0.16)),
    machine("ecs.c7.2xlarge", "ecs.c7", X86, (8, 16, 0.32)),
    machine("ecs.c7.4xlarge", "ecs.c7", X86, (16, 32, 0.64)),
    machine("ecs.g7.2xlarge", "ecs.g7", X86, (8, 32, 0.42)),
    machine("ecs.e-c1m1.2xlarge", "ecs.e", X86, (8, 8, 0.2)),
    machine("ecs.c8y.large", "ecs.c8y", ARM, (2, 4, 0.07)),
    machine("ecs.c8y.xlarge", "ecs.c8y", ARM, (4, 8, 0.14)),
    machine("ecs.c8y.2xlarge", "ecs.c8y", ARM, (8, 16, 0.28)),
    machine("ecs.c8y.4xlarge", "ecs.c8y", ARM, (16, 32, 0.56)),
    machine("ecs.g8y.2xlarge", "ecs.g8y", ARM, (8, 32, 0.36)),
    machine("ecs.g8y.4xlarge", "ecs.g8y", ARM, (16, 64, 0.72)),
];

const fn machine(
    id: &'static str,
    family: &'static str,
    architecture: &'static str,
    (cores, memory_gib, spot_price): (u64, u64, f64),
) -> InstanceType {
    InstanceType {
        id,
        family,
        architecture,
        cores,
        memory_gib,
        spot_price,
    }
}

/// An instance type by its id.
pub(super) fn find(id: &str) -> Option<&'static InstanceType> {
    TYPES.iter().find(|it| it.id == id)
}

pub(super) fn regions(cloud: &Cloud) -> Value {
    let row = |(id, _): (&RegionId, _)| {
        let endpoint = format!("ecs.{id}.aliyuncs.com");
        json!({"RegionId": id, "LocalName": id, "RegionEndpoint": endpoint, "Status": "available"})
    };
    let rows: Vec<Value> = cloud.regions().map(row).collect();
    json!({"Regions": {"Region": rows}})
}

pub(super) fn instance_types(cloud: &Cloud, ask: &Ask) -> Reply {
    ask.only(&[
        "InstanceTypes",
        "InstanceTypeFamily",
        "InstanceTypeFamilies",
        "CpuArchitecture",
        "MinimumCpuCoreCount",
        "MaximumCpuCoreCount",
        "MinimumMemorySize",
        "MaximumMemorySize",
    ])?;
    let page = page::by_token(ask, cloud)?;
    let types = TYPES.iter().filter(|it| lets_pass(ask, it)).collect();
    let row = |it: &InstanceType| {
        json!({
            "InstanceTypeId": it.id,
            "InstanceTypeFamily": it.family,
            "CpuArchitecture": cpu_of(it),
            "CpuCoreCount": it.cores,
            "MemorySize": it.memory_gib,
            "LocalStorageCategory": "",
            "NvmeSupport": "supported",
        })
    };
    let mut answer = page
        .cut(ask, types)
        .answer("InstanceTypes", "InstanceType", row);
    if let Value::Object(fields) = &mut answer {
        fields.retain(|name, _| name == "InstanceTypes" || name == "NextToken");
    }
    Ok(answer)
}

fn lets_pass(ask: &Ask, machine: &InstanceType) -> bool {
    let is_listed = |name: &str, value: &str| {
        let list = ask.parameters.list(name);
        list.is_empty() || list.contains(&value)
    };
    let limit = |name: &str| ask.text(name).and_then(|it| it.parse::<f64>().ok());
    let is_within = |value: u64, least: &str, most: &str| {
        let value = f64::from(u32::try_from(value).unwrap_or(u32::MAX));
        limit(least).is_none_or(|it| value >= it) && limit(most).is_none_or(|it| value <= it)
    };
    is_listed("InstanceTypes", machine.id)
        && is_listed("InstanceTypeFamilies", machine.family)
        && ask.passes("InstanceTypeFamily", machine.family)
        && ask.passes("CpuArchitecture", cpu_of(machine))
        && is_within(machine.cores, "MinimumCpuCoreCount", "MaximumCpuCoreCount")
        && is_within(machine.memory_gib, "MinimumMemorySize", "MaximumMemorySize")
}

/// Instance types have another word for the architecture than images.
fn cpu_of(machine: &InstanceType) -> &'static str {
    if machine.architecture == ARM {
        "ARM"
    } else {
        "X86"
    }
}

pub(super) fn caller(cloud: &Cloud, ask: &Ask) -> Value {
    let account = &cloud.scenario.account;
    let root = format!("acs:ram::{account}:root");
    let arn = ask.key.arn.as_ref().or(cloud.scenario.arn.as_ref());
    let arn = arn.unwrap_or(&root);
    let kind = match (
        arn.contains(":assumed-role/") || ask.key.token.is_some(),
        arn == &root,
    ) {
        (true, _) => "AssumedRoleUser",
        (false, true) => "Account",
        (false, false) => "RAMUser",
    };
    json!({
        "AccountId": account,
        "UserId": account,
        "PrincipalId": account,
        "Arn": arn,
        "IdentityType": kind,
    })
}
