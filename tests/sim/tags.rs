//! Tags: their rules, and the three actions on them.

use serde_json::json;

use super::{Bench, small_world};

fn tag(bench: &mut Bench, tags: &[(&str, &str)]) -> String {
    let names: Vec<(String, &str)> = tags
        .iter()
        .enumerate()
        .flat_map(|(index, (key, value))| {
            let n = index + 1;
            [
                (format!("Tag.{n}.Key"), *key),
                (format!("Tag.{n}.Value"), *value),
            ]
        })
        .collect();
    let tags = names.iter().map(|(name, value)| (name.as_str(), *value));
    let all: Vec<_> = [("ResourceType", "image"), ("ResourceId.1", "m-one")]
        .into_iter()
        .chain(tags)
        .collect();
    bench.refused("TagResources", &all)
}

fn listed(bench: &mut Bench) -> String {
    let list = [("ResourceType", "image"), ("ResourceId.1", "m-one")];
    let answer = bench.ok("ListTagResources", &list);
    let rows = answer["TagResources"]["TagResource"]
        .as_array()
        .expect("rows")
        .clone();
    let row = |it: &serde_json::Value| {
        format!(
            "{}={}",
            it["TagKey"].as_str().unwrap_or("?"),
            it["TagValue"].as_str().unwrap_or("?")
        )
    };
    rows.iter().map(row).collect::<Vec<_>>().join(" ")
}

const DONE: &str = "200 no code";

#[test]
fn tags_are_added_overwritten_and_removed() {
    let mut bench = small_world();
    assert_eq!(tag(&mut bench, &[("a", "1"), ("b", "")]), DONE);
    assert_eq!(tag(&mut bench, &[("a", "2"), ("c", "3")]), DONE);
    assert_eq!(listed(&mut bench), "a=2 b= c=3");
    let object = [("ResourceType", "image"), ("ResourceId.1", "m-one")];
    let untag: Vec<_> = object
        .into_iter()
        .chain([("TagKey.1", "a"), ("TagKey.2", "none")])
        .collect();
    bench.ok("UntagResources", &untag);
    assert_eq!(listed(&mut bench), "b= c=3");
    let both: Vec<_> = object
        .into_iter()
        .chain([("TagKey.1", "b"), ("All", "true")])
        .collect();
    assert_eq!(bench.refused("UntagResources", &both), "400 Param.Conflict");
    let all: Vec<_> = object.into_iter().chain([("All", "true")]).collect();
    bench.ok("UntagResources", &all);
    assert_eq!(listed(&mut bench), "");
}

#[test]
fn refuses_tags_that_are_malformed_doubled_or_too_many() {
    let mut bench = small_world();
    let long = "x".repeat(129);
    for key in ["", "aliyun.x", "acs:x", "see http://x", &long] {
        let refusal = if key.is_empty() {
            "404 MissingParameter.Tags"
        } else {
            "400 InvalidTagKey.Malformed"
        };
        assert_eq!(tag(&mut bench, &[(key, "v")]), refusal, "{key}");
    }
    assert_eq!(
        tag(&mut bench, &[("k", "https://x")]),
        "400 InvalidTagValue.Malformed"
    );
    assert_eq!(
        tag(&mut bench, &[("k", &long)]),
        "400 InvalidTagValue.Malformed"
    );
    assert_eq!(
        tag(&mut bench, &[("k", "1"), ("k", "2")]),
        "400 Duplicate.TagKey"
    );
    assert_eq!(
        tag(&mut bench, &[("k", "1"), ("K", "2")]),
        "400 TagKey.Duplication"
    );
    let keys: Vec<String> = (0..21).map(|it| format!("k{it}")).collect();
    let many: Vec<(&str, &str)> = keys.iter().map(|it| (it.as_str(), "v")).collect();
    assert_eq!(tag(&mut bench, &many), "400 NumberExceed.Tags");
    assert_eq!(tag(&mut bench, &many[..20]), DONE);
    assert_eq!(
        tag(&mut bench, &many[20..]),
        "400 OperationDenied.QuotaExceed"
    );
    assert_eq!(tag(&mut bench, &many[..1]), DONE);
}

#[test]
fn one_object_that_is_not_there_keeps_all_untagged() {
    let mut bench = small_world();
    let tags = [("Tag.1.Key", "k"), ("Tag.1.Value", "v")];
    let objects = [
        ("ResourceType", "image"),
        ("ResourceId.1", "m-one"),
        ("ResourceId.2", "m-none"),
    ];
    let all: Vec<_> = objects.into_iter().chain(tags).collect();
    assert_eq!(
        bench.refused("TagResources", &all),
        "404 InvalidResourceId.NotFound"
    );
    assert_eq!(listed(&mut bench), "");
}

#[test]
fn knows_which_types_have_tags() {
    let mut bench = small_world();
    let list = |kind| [("ResourceType", kind), ("ResourceId.1", "x")];
    assert_eq!(
        bench.refused("ListTagResources", &list("disk")),
        "400 UnsupportedOperation"
    );
    assert_eq!(
        bench.refused("ListTagResources", &list("cloud")),
        "404 InvalidResourceType.NotFound"
    );
    assert_eq!(
        bench.refused("ListTagResources", &[("ResourceType", "image")]),
        "400 BothEmpty.TagsAndResources"
    );
}

#[test]
fn snapshots_and_instances_have_tags_too() {
    let mut bench = small_world();
    let id = bench.launch("one");
    for (kind, id) in [("snapshot", "s-of-m-one"), ("instance", id.as_str())] {
        let tag = [
            ("ResourceType", kind),
            ("ResourceId.1", id),
            ("Tag.1.Key", "k"),
            ("Tag.1.Value", "v"),
        ];
        bench.ok("TagResources", &tag);
        let list = [("ResourceType", kind), ("Tag.1.Key", "k")];
        assert_eq!(bench.list("ListTagResources", &list, "ResourceId"), [id]);
    }
    let state = bench.admin("GET", "/_sim/state", &json!({}));
    let region = &state["regions"]["cn-hangzhou"];
    let tag = json!([{"TagKey": "k", "TagValue": "v"}]);
    assert_eq!(
        (
            &region["snapshots"][0]["Tags"]["Tag"],
            &region["instances"][0]["Tags"]["Tag"]
        ),
        (&tag, &tag)
    );
}
