//! Listings: pages, filters, order, and how late they are.

use serde_json::{Value, json};

use super::{Bench, image, instance, small_world};

/// Twenty-five images and as many instances, a day apart.
fn crowd(settings: &Value, times: &Value) -> Bench {
    let day = |n: usize| format!("2026-10-{:02}T00:00:00Z", n + 1);
    let images: Vec<Value> = (0..25)
        .map(|n| image(&format!("m-{n:02}"), &format!("line-{n:02}"), &day(n)))
        .collect();
    let instances: Vec<Value> = (0..25)
        .map(|n| instance(&format!("i-{n:02}"), "m-00"))
        .collect();
    Bench::new(json!({
        "settings": settings, "times": times, "objects": {"images": images, "instances": instances},
    }))
}

#[test]
fn a_page_holds_ten_unless_told_otherwise() {
    let mut bench = crowd(&json!({}), &json!({}));
    for action in [
        "DescribeImages",
        "DescribeInstances",
        "DescribeSnapshots",
        "DescribeInstanceStatus",
    ] {
        let answer = bench.ok(action, &[]);
        let shape = (
            &answer["TotalCount"],
            &answer["PageSize"],
            &answer["PageNumber"],
        );
        assert_eq!(shape, (&json!(25), &json!(10), &json!(1)), "{action}");
    }
    assert_eq!(
        bench
            .list("DescribeImages", &[("PageSize", "100")], "ImageId")
            .len(),
        25
    );
    assert_eq!(
        bench
            .list("DescribeImages", &[("PageNumber", "3")], "ImageId")
            .len(),
        5
    );
    assert_eq!(
        bench
            .list("DescribeImages", &[("PageNumber", "4")], "ImageId")
            .len(),
        0
    );
    assert_eq!(
        bench.refused("DescribeImages", &[("PageSize", "101")]),
        "400 InvalidParameter"
    );
    assert_eq!(
        bench.refused("DescribeImages", &[("PageNumber", "0")]),
        "400 InvalidParameter"
    );
    assert_eq!(
        bench.refused("DescribeInstanceStatus", &[("PageSize", "51")]),
        "400 InvalidParameter"
    );
}

#[test]
fn a_token_leads_from_page_to_page_to_an_empty_one() {
    let mut bench = crowd(&json!({}), &json!({}));
    for action in ["DescribeInstances", "DescribeSnapshots"] {
        let (mut token, mut sizes) = (String::new(), Vec::new());
        loop {
            let answer = bench.ok(action, &[("MaxResults", "3"), ("NextToken", &token)]);
            let outer = answer
                .as_object()
                .and_then(|it| it.values().find(|it| it.is_object()))
                .expect("rows");
            let rows = outer
                .as_object()
                .and_then(|it| it.values().next())
                .and_then(Value::as_array);
            sizes.push(rows.expect("rows").len());
            token = answer["NextToken"].as_str().expect("a token").to_owned();
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(
            sizes,
            [10, 10, 5],
            "{action}: fewer than ten cannot be asked for"
        );
    }
    assert_eq!(
        bench.refused("DescribeInstances", &[("NextToken", "none")]),
        "400 InvalidParameter.NextToken"
    );
}

#[test]
fn small_pages_are_a_setting() {
    let mut bench = crowd(&json!({"pageSizeMax": 2}), &json!({}));
    assert_eq!(
        bench
            .list("DescribeInstances", &[("MaxResults", "100")], "InstanceId")
            .len(),
        2
    );
}

#[test]
fn the_order_is_a_setting() {
    let order = |order: &str| {
        let mut bench = crowd(&json!({"listingOrder": order}), &json!({}));
        bench.list("DescribeImages", &[("PageSize", "100")], "ImageId")
    };
    let (newest, mut oldest, mut shuffled) = (
        order("newestFirst"),
        order("oldestFirst"),
        order("shuffled"),
    );
    assert_eq!((newest[0].as_str(), oldest[0].as_str()), ("m-24", "m-00"));
    assert_ne!(shuffled, oldest);
    assert_eq!(shuffled, order("shuffled"));
    shuffled.sort();
    oldest.sort();
    assert_eq!(shuffled, oldest);
}

#[test]
fn only_available_images_are_listed_unless_asked_for() {
    let (mut creating, mut old) = (
        image("m-a", "a1", "2026-11-01T00:00:00Z"),
        image("m-b", "b1", "2026-11-02T00:00:00Z"),
    );
    creating["Status"] = json!("UnAvailable");
    old["Status"] = json!("Deprecated");
    let mut bench = Bench::new(
        json!({"objects": {"images": [creating, old, image("m-c", "c1", "2026-11-03T00:00:00Z")]}}),
    );
    let mut list = |status: &str| {
        bench
            .list("DescribeImages", &[("Status", status)], "ImageId")
            .join(" ")
    };
    assert_eq!(list(""), "m-c");
    assert_eq!(list("Available,UnAvailable"), "m-c m-a");
    assert_eq!(list("ALL"), "m-c m-b m-a");
}

#[test]
fn a_name_finds_what_contains_it_or_only_itself() {
    for (setting, found) in [
        ("substring", vec!["line-latest-debug", "line-latest"]),
        ("exact", vec!["line-latest"]),
    ] {
        let images = json!([
            image("m-a", "line-latest", "2026-11-01T00:00:00Z"),
            image("m-b", "line-latest-debug", "2026-11-02T00:00:00Z"),
            image("m-c", "other", "2026-11-03T00:00:00Z"),
        ]);
        let mut bench = Bench::new(
            json!({"settings": {"imageNameMatch": setting}, "objects": {"images": images}}),
        );
        assert_eq!(
            bench.list(
                "DescribeImages",
                &[("ImageName", "line-latest")],
                "ImageName"
            ),
            found
        );
    }
}

#[test]
fn filters_narrow_a_listing_and_wrong_ones_are_refused() {
    let mut bench = crowd(&json!({}), &json!({}));
    let since = [
        ("Filter.1.Key", "CreationStartTime"),
        ("Filter.1.Value", "2026-10-24T00:00Z"),
        ("Filter.2.Key", "CreationEndTime"),
        ("Filter.2.Value", "2026-10-24T12:00Z"),
    ];
    assert_eq!(bench.list("DescribeImages", &since, "ImageId"), ["m-23"]);
    assert_eq!(
        bench.list("DescribeImages", &[("SnapshotId", "s-of-m-07")], "ImageId"),
        ["m-07"]
    );
    let refused = [
        ("Architecture", "sparc", "404 InvalidArchitecture"),
        ("Usage", "some", "404 InvalidUsage"),
        (
            "ImageOwnerAlias",
            "me",
            "400 InvalidImageOwnerAlias.ValueNotSupported",
        ),
        ("Filter.1.Key", "Colour", "404 InvalidFilterKey.NotFound"),
        ("Usable", "true", "400 MissingParameter"),
    ];
    for (name, value, refusal) in refused {
        assert_eq!(
            bench.refused("DescribeImages", &[(name, value)]),
            refusal,
            "{name}"
        );
    }
    assert_eq!(
        bench.list(
            "DescribeInstances",
            &[("InstanceName", "i-*7")],
            "InstanceId"
        ),
        ["i-17", "i-07"]
    );
    assert_eq!(
        bench.list(
            "DescribeInstances",
            &[("InstanceName", "i-1")],
            "InstanceId"
        ),
        Vec::<String>::new()
    );
    let ids = [("InstanceIds", "[\"i-03\",\"i-none\"]")];
    assert_eq!(
        bench.list("DescribeInstances", &ids, "InstanceId"),
        ["i-03"]
    );
    assert_eq!(
        bench.refused("DescribeInstances", &[("InstanceIds", "i-03")]),
        "400 InvalidParameter"
    );
    assert_eq!(
        bench.refused("DescribeInstances", &[("Status", "Gone")]),
        "404 InvalidStatus.NotFound"
    );
    assert_eq!(
        bench.list(
            "DescribeInstanceStatus",
            &[("InstanceId.1", "i-03")],
            "InstanceId"
        ),
        ["i-03"]
    );
}

#[test]
fn a_change_shows_in_listings_only_after_the_lag() {
    let mut bench = crowd(&json!({}), &json!({"listingLag": 30}));
    bench.ok("DeleteImage", &[("ImageId", "m-24")]);
    let id = bench.order_of("m-00");
    let ids = format!("[\"{id}\"]");
    let seen = |bench: &mut Bench| {
        let images = bench.ok("DescribeImages", &[])["TotalCount"].clone();
        (
            images,
            bench
                .list("DescribeInstances", &[("InstanceIds", &ids)], "Status")
                .join(" "),
        )
    };
    assert_eq!(seen(&mut bench), (json!(25), String::new()));
    bench.wait(29);
    assert_eq!(seen(&mut bench), (json!(25), String::new()));
    bench.wait(1);
    assert_eq!(seen(&mut bench), (json!(24), "Pending".to_owned()));
    assert_eq!(
        bench.refused("DeleteImage", &[("ImageId", "m-24")]),
        "404 InvalidImageId.NotFound"
    );
}

#[test]
fn a_tag_shows_at_once_but_filters_later() {
    let objects = json!({"images": [image("m-one", "one", "2026-11-01T00:00:00Z")]});
    let mut bench = Bench::new(json!({"times": {"tagFilterLag": 60}, "objects": objects}));
    let tag = [
        ("ResourceType", "image"),
        ("ResourceId.1", "m-one"),
        ("Tag.1.Key", "k"),
        ("Tag.1.Value", "v"),
    ];
    bench.ok("TagResources", &tag);
    let answer = bench.ok("DescribeImages", &[]);
    assert_eq!(
        answer["Images"]["Image"][0]["Tags"]["Tag"],
        json!([{"TagKey": "k", "TagValue": "v"}])
    );
    let filter = [("Tag.1.Key", "k"), ("Tag.1.Value", "v")];
    let list = [("ResourceType", "image"), ("Tag.1.Key", "k")];
    assert_eq!(
        bench.list("DescribeImages", &filter, "ImageId"),
        Vec::<String>::new()
    );
    assert_eq!(
        bench.list("ListTagResources", &list, "ResourceId"),
        Vec::<String>::new()
    );
    bench.wait(60);
    assert_eq!(bench.list("DescribeImages", &filter, "ImageId"), ["m-one"]);
    assert_eq!(
        bench.list("ListTagResources", &list, "ResourceId"),
        ["m-one"]
    );
}

#[test]
fn times_of_instances_have_no_seconds_and_those_of_images_do() {
    let mut bench = small_world();
    bench.wait(7);
    bench.order(&[]);
    assert_eq!(
        bench.list("DescribeInstances", &[], "CreationTime"),
        ["2026-11-21T02:00Z"]
    );
    assert_eq!(
        bench.list("DescribeImages", &[], "CreationTime"),
        ["2026-11-01T00:00:00Z"]
    );
}
