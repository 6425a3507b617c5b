//! The listing of instance types (ECS API reference: `DescribeInstanceTypes`), which says nothing of stock.

use serde_json::{Value, json};

use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::market::{Decimal, InstanceType};
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Reply, page};

/// How many families, or types, one request may name (ECS API reference, `InstanceTypeFamilies.N`, `InstanceTypes.N`).
const NAMES_MAX: usize = 10;

pub(in crate::sim::aliyun) fn describe(cloud: &Cloud, ask: &Ask) -> Reply {
    ask.only(&[
        "InstanceTypes",
        "InstanceTypeFamily",
        "InstanceTypeFamilies",
        "CpuArchitecture",
        "CpuArchitectures",
        "MinimumCpuCoreCount",
        "MaximumCpuCoreCount",
        "MinimumMemorySize",
        "MaximumMemorySize",
    ])?;
    ask.choose("CpuArchitecture", &["X86", "ARM"], "400 InvalidParameter")?;
    for name in ["InstanceTypes", "InstanceTypeFamilies"] {
        // ASSUMED: the code for more names than are allowed.
        if ask.parameters.list(name).len() > NAMES_MAX {
            return Err(Refusal::invalid(&format!("{name}.N")));
        }
    }
    let page = page::of_types(ask, cloud)?;
    let mut types = Vec::new();
    for machine in cloud.market.types() {
        if lets_pass(ask, machine)? {
            types.push(machine);
        }
    }
    let mut answer = page
        .cut(ask, types)
        .answer("InstanceTypes", "InstanceType", row);
    // Neither total nor number (ECS API reference, response of `DescribeInstanceTypes`).
    if let Value::Object(fields) = &mut answer {
        fields.retain(|name, _| name == "InstanceTypes" || name == "NextToken");
    }
    Ok(answer)
}

fn row(machine: &InstanceType) -> Value {
    json!({
        "InstanceTypeId": machine.id,
        "InstanceTypeFamily": machine.family,
        "CpuArchitecture": machine.architecture.of_type(),
        "CpuCoreCount": machine.cores,
        "MemorySize": machine.memory.json(),
        "LocalStorageCategory": "",
        "NvmeSupport": "supported",
    })
}

fn lets_pass(ask: &Ask, machine: &InstanceType) -> Result<bool, Refusal> {
    let is_listed = |name: &str, value: &str| {
        let list = ask.parameters.list(name);
        list.is_empty() || list.contains(&value)
    };
    let cores = Decimal::from_millionths(1_000_000).times(machine.cores);
    Ok(is_listed("InstanceTypes", &machine.id)
        && is_listed("InstanceTypeFamilies", &machine.family)
        && is_listed("CpuArchitectures", machine.architecture.of_type())
        && ask.passes("InstanceTypeFamily", &machine.family)
        && ask.passes("CpuArchitecture", machine.architecture.of_type())
        && limit(ask, "MinimumCpuCoreCount")?.is_none_or(|it| cores >= it)
        && limit(ask, "MaximumCpuCoreCount")?.is_none_or(|it| cores <= it)
        && limit(ask, "MinimumMemorySize")?.is_none_or(|it| machine.memory >= it)
        && limit(ask, "MaximumMemorySize")?.is_none_or(|it| machine.memory <= it))
}

fn limit(ask: &Ask, name: &str) -> Result<Option<Decimal>, Refusal> {
    let Some(text) = ask.text(name) else {
        return Ok(None);
    };
    let limit = Decimal::parse(text).ok_or_else(|| Refusal::invalid(name))?;
    Ok(Some(limit))
}
