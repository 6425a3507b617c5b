//! The actions on tags (ECS API reference: `TagResources`, `UntagResources`, `ListTagResources`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Region, Reply, names, page};
use crate::sim::history::What;

/// The most objects that one request may tag.
const RESOURCES_MAX: usize = 50;

/// What the service tags besides what exists here.
const OTHER_TYPES: [&str; 13] = [
    "disk",
    "securitygroup",
    "eni",
    "ddh",
    "keypair",
    "launchtemplate",
    "reservedinstance",
    "snapshotpolicy",
    "elasticityassurance",
    "capacityreservation",
    "command",
    "invocation",
    "activation",
];

/// What can be tagged here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Image,
    Instance,
    Snapshot,
}

pub(super) fn tag(cloud: &mut Cloud, ask: &Ask) -> Reply {
    let sort = sort_of(ask)?;
    let tags = names::tags(&ask.parameters)?;
    let region = ask.region_id(cloud);
    let ids = resources(&cloud.regions[&region], ask, sort)?;
    for id in &ids {
        let mut all = get(&cloud.regions[&region], sort, id, ask.now)
            .cloned()
            .unwrap_or_default();
        all.extend(tags.clone());
        if all.len() > names::TAGS_MAX {
            let message = "The quota of tags on resource is beyond permitted range.";
            return Err(Refusal::new(400, "OperationDenied.QuotaExceed", message));
        }
    }
    for object in ids {
        set(cloud.region_mut(&region), sort, (&object, ask.now), |it| {
            it.extend(tags.clone());
        });
        cloud.record(
            ask.now,
            &region,
            What::Tagged {
                object,
                tags: tags.clone(),
            },
        );
    }
    Ok(json!({}))
}

/// `All` counts only without `TagKey`; ASSUMED: both together are refused, as the newer error code says.
pub(super) fn untag(cloud: &mut Cloud, ask: &Ask) -> Reply {
    let sort = sort_of(ask)?;
    let keys: Vec<String> = ask
        .parameters
        .list("TagKey")
        .into_iter()
        .map(str::to_owned)
        .collect();
    if keys.len() > names::TAGS_MAX {
        let message = "The Tags parameter's number is exceed , Valid : 20.";
        return Err(Refusal::new(400, "NumberExceed.Tags", message));
    }
    let removes_all = ask.is_true("All");
    if removes_all && !keys.is_empty() {
        let message = "The specified all is true, but the specified TagKey.N is not empty.";
        return Err(Refusal::new(400, "Param.Conflict", message));
    }
    let region = ask.region_id(cloud);
    for object in resources(&cloud.regions[&region], ask, sort)? {
        let tags = get(&cloud.regions[&region], sort, &object, ask.now)
            .cloned()
            .unwrap_or_default();
        let keys: Vec<String> = tags
            .into_keys()
            .filter(|it| removes_all || keys.contains(it))
            .collect();
        if keys.is_empty() {
            continue;
        }
        let is_kept = |key: &String| !keys.contains(key);
        set(cloud.region_mut(&region), sort, (&object, ask.now), |it| {
            it.retain(|key, _| is_kept(key));
        });
        cloud.record(ask.now, &region, What::Untagged { object, keys });
    }
    Ok(json!({}))
}

pub(super) fn list(cloud: &mut Cloud, ask: &Ask) -> Reply {
    let sort = sort_of(ask)?;
    if ask
        .parameters
        .0
        .keys()
        .any(|it| it.starts_with("TagFilter."))
    {
        return Err(Refusal::unmodelled("TagFilter of ListTagResources"));
    }
    let ids = ask.parameters.list("ResourceId");
    let filter = names::tag_filter(&ask.parameters)?;
    if ids.is_empty() && filter.is_empty() {
        let message = "The specified Tags and ResourcesIds are not allow to both empty.";
        return Err(Refusal::new(400, "BothEmpty.TagsAndResources", message));
    }
    check_count(&ids)?;
    let page = page::by_service(ask, cloud)?;
    let region = ask.region(cloud);
    let mut rows: Vec<(&str, &str, &str)> = Vec::new();
    for (id, tags) in all_at(region, sort, ask.tag_view) {
        let is_meant = ids.is_empty() || ids.contains(&id);
        if is_meant && names::has_tags(tags, &filter) {
            rows.extend(
                tags.iter()
                    .map(|(key, value)| (id, key.as_str(), value.as_str())),
            );
        }
    }
    let kind = ask.text("ResourceType").unwrap_or_default();
    let row = |(id, key, value): (&str, &str, &str)| json!({"ResourceId": id, "ResourceType": kind, "TagKey": key, "TagValue": value});
    let mut answer = page
        .cut(ask, rows)
        .answer("TagResources", "TagResource", row);
    if let Value::Object(fields) = &mut answer {
        fields.remove("TotalCount");
    }
    Ok(answer)
}

fn sort_of(ask: &Ask) -> Result<Sort, Refusal> {
    match ask.text("ResourceType").unwrap_or_default() {
        "image" => Ok(Sort::Image),
        "instance" => Ok(Sort::Instance),
        "snapshot" => Ok(Sort::Snapshot),
        other if OTHER_TYPES.contains(&other) => {
            Err(Refusal::unmodelled(&format!("tags of a {other}")))
        }
        _ => {
            let message = "The ResourceType provided does not exist in our records.";
            Err(Refusal::new(404, "InvalidResourceType.NotFound", message))
        }
    }
}

/// The objects that a request names; one that does not exist refuses all.
fn resources(region: &Region, ask: &Ask, sort: Sort) -> Result<Vec<String>, Refusal> {
    let ids = ask.parameters.list("ResourceId");
    check_count(&ids)?;
    if ids
        .iter()
        .any(|id| get(region, sort, id, ask.now).is_none())
    {
        let message = "The specified ResourceIds are not found in our records.";
        return Err(Refusal::new(404, "InvalidResourceId.NotFound", message));
    }
    Ok(ids.into_iter().map(str::to_owned).collect())
}

fn check_count(ids: &[&str]) -> Result<(), Refusal> {
    if ids.len() <= RESOURCES_MAX {
        return Ok(());
    }
    let message = "The ResourceIds parameter's number is exceed , Valid : 50.";
    Err(Refusal::new(400, "NumberExceed.ResourceIds", message))
}

fn get<'a>(
    region: &'a Region,
    sort: Sort,
    id: &str,
    at: Timestamp,
) -> Option<&'a BTreeMap<String, String>> {
    match sort {
        Sort::Image => region
            .images
            .get_at(id, at)
            .filter(|it| it.is_own())
            .map(|it| &it.tags),
        Sort::Instance => region.instances.get_at(id, at).map(|it| &it.tags),
        Sort::Snapshot => region.snapshots.get_at(id, at).map(|it| &it.tags),
    }
}

fn all_at(region: &Region, sort: Sort, at: Timestamp) -> Vec<(&str, &BTreeMap<String, String>)> {
    match sort {
        Sort::Image => region
            .images
            .all_at(at)
            .map(|it| (it.image_id.as_str(), &it.tags))
            .collect(),
        Sort::Instance => region
            .instances
            .all_at(at)
            .map(|it| (it.instance_id.as_str(), &it.tags))
            .collect(),
        Sort::Snapshot => region
            .snapshots
            .all_at(at)
            .map(|it| (it.snapshot_id.as_str(), &it.tags))
            .collect(),
    }
}

fn set(
    region: &mut Region,
    sort: Sort,
    (id, at): (&str, Timestamp),
    change: impl FnOnce(&mut BTreeMap<String, String>),
) {
    match sort {
        Sort::Image => drop(region.images.change(at, id, |it| change(&mut it.tags))),
        Sort::Instance => drop(region.instances.change(at, id, |it| change(&mut it.tags))),
        Sort::Snapshot => drop(region.snapshots.change(at, id, |it| change(&mut it.tags))),
    }
}
