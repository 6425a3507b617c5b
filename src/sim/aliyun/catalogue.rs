//! What there is without anybody having made it: regions, the caller (ECS API reference: `DescribeRegions`; STS API
//! reference: `GetCallerIdentity`).

use serde_json::{Value, json};

use crate::ids::RegionId;
use crate::sim::aliyun::Cloud;
use crate::sim::aliyun::ask::Ask;

pub(super) fn regions(cloud: &Cloud) -> Value {
    let row = |(id, _): (&RegionId, _)| {
        let endpoint = format!("ecs.{id}.aliyuncs.com");
        json!({"RegionId": id, "LocalName": id, "RegionEndpoint": endpoint, "Status": "available"})
    };
    let rows: Vec<Value> = cloud.regions().map(row).collect();
    json!({"Regions": {"Region": rows}})
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
