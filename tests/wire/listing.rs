//! Listings are read to their end, or they fail.

use std::collections::BTreeMap;

use reconcile::fault::{Class, Fault};
use reconcile::ids::{ImageId, InstanceId};
use reconcile::providers::aliyun::{ImageStatus, InstanceStatus};
use serde_json::{Value, json};

use super::{Cloud, Form, Reply, assert_send, ok};

pub(super) fn image(number: usize) -> Value {
    json!({"ImageId": format!("m-{number}"), "ImageName": format!("image {number}"), "Status": "Available",
           "Architecture": "x86_64", "CreationTime": "2026-11-20T01:02:03Z", "Size": 20})
}

fn instance(number: usize) -> Value {
    json!({"InstanceId": format!("i-{number}"), "InstanceName": "ci", "Status": "Running"})
}

fn number(form: &Form, name: &str) -> usize {
    form[name].parse().expect("a number")
}

/// The page that was asked for.
pub(super) fn page(form: &Form, images: &[Value]) -> Reply {
    let size = number(form, "PageSize");
    let begin = (number(form, "PageNumber") - 1) * size;
    let items: Vec<&Value> = images.iter().skip(begin).take(size).collect();
    ok(&json!({"Images": {"Image": items}, "TotalCount": images.len()}))
}

pub(super) fn instances(items: &[Value], next: &str) -> Reply {
    ok(&json!({"Instances": {"Instance": items}, "NextToken": next}))
}

fn unavailable(fault: &Fault) -> bool {
    fault.class
        == Class::Unavailable {
            maybe_applied: false,
        }
}

#[tokio::test(start_paused = true)]
async fn reads_all_pages_of_all_statuses() {
    let all: Vec<Value> = (1..=250).map(image).collect();
    let cloud = Cloud::new(move |_, form| page(form, &all)).await;
    let images = assert_send(cloud.clients.aliyun.images(&cloud.place))
        .await
        .expect("a list");
    let ids: Vec<&str> = images.items().iter().map(|it| it.id.as_str()).collect();
    assert_eq!(
        ids,
        (1..=250).map(|it| format!("m-{it}")).collect::<Vec<_>>()
    );
    assert_eq!(images.listed().at().to_string(), "2026-11-21T02:00:00Z");
    assert_eq!(cloud.requests().len(), 3);
    for form in cloud.requests() {
        assert_eq!(form["ImageOwnerAlias"], "self");
        assert_eq!(
            form["Status"],
            "Creating,Waiting,Available,UnAvailable,CreateFailed,Deprecated"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_is_a_list() {
    let cloud = Cloud::new(|_, form| page(form, &[])).await;
    let images = cloud
        .clients
        .aliyun
        .images(&cloud.place)
        .await
        .expect("a list");
    assert_eq!(images.items(), []);
}

#[tokio::test(start_paused = true)]
async fn reads_what_an_image_says() {
    let full = json!({"ImageId": "m-1", "ImageName": "demo", "Status": "Creating", "Architecture": "arm64",
        "CreationTime": "2026-11-20T01:02Z", "Size": "20", "Usable": false, "Usage": "instance", "IsSelfShared": "True",
        "ImageFamily": "demo-arm64", "Tags": {"Tag": [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": ""}]},
        "DiskDeviceMappings": {"DiskDeviceMapping": [{"SnapshotId": "s-1", "Size": "20"}, {"SnapshotId": ""}]}});
    let cloud = Cloud::new(move |_, form| page(form, std::slice::from_ref(&full))).await;
    let found = cloud
        .clients
        .aliyun
        .image(&cloud.place, &ImageId::new("m-1"))
        .await;
    let image = found.expect("a list").expect("the image");
    assert_eq!(image.status, ImageStatus::Creating);
    assert_eq!(
        image.created.map(|it| it.to_string()).as_deref(),
        Some("2026-11-20T01:02:00Z")
    );
    assert_eq!(
        (image.usable, image.in_use, image.shared, image.size_gib),
        (Some(false), true, true, 20)
    );
    assert_eq!(image.family.as_deref(), Some("demo-arm64"));
    assert_eq!(
        image
            .snapshots
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["s-1"]
    );
    let tags = [("a", "1"), ("b", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(image.tags, BTreeMap::from(tags));
    assert_eq!(cloud.requests()[0]["ImageId"], "m-1");
}

#[tokio::test(start_paused = true)]
async fn names_are_compared_here_and_exactly() {
    let mut all: Vec<Value> = (1..=150).map(image).collect();
    all[149]["ImageName"] = "image 15".into();
    let cloud = Cloud::new(move |_, form| page(form, &all)).await;
    let found = cloud
        .clients
        .aliyun
        .images_named(&cloud.place, "image 15")
        .await
        .expect("a list");
    let ids: Vec<&str> = found.items().iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["m-15", "m-150"]);
    assert_eq!(cloud.requests()[0]["ImageName"], "image 15");
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_another_image_is_no_image() {
    let cloud = Cloud::new(|_, form| page(form, &[image(2)])).await;
    let found = cloud
        .clients
        .aliyun
        .image(&cloud.place, &ImageId::new("m-1"))
        .await;
    assert_eq!(found, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn reads_again_when_an_image_was_deleted_between_two_pages() {
    let mut all: Vec<Value> = (1..=250).map(image).collect();
    let cloud = Cloud::new(move |request, form| {
        let reply = page(form, &all);
        if request == 1 {
            all.remove(0);
        }
        reply
    })
    .await;
    let images = cloud
        .clients
        .aliyun
        .images(&cloud.place)
        .await
        .expect("a list");
    assert_eq!(images.items().len(), 249);
    assert_eq!(cloud.requests().len(), 6);
}

/// A listing of two pages of which the second one is always like this.
async fn second_page(total: usize, items: Vec<Value>) -> (Result<usize, Fault>, usize) {
    let cloud = Cloud::new(move |_, form| {
        if form["PageNumber"] == "1" {
            let first: Vec<Value> = (1..=100).map(image).collect();
            ok(&json!({"Images": {"Image": first}, "TotalCount": 102}))
        } else {
            ok(&json!({"Images": {"Image": items}, "TotalCount": total}))
        }
    })
    .await;
    let outcome = cloud.clients.aliyun.images(&cloud.place).await;
    (outcome.map(|it| it.items().len()), cloud.requests().len())
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_never_stands_still_fails() {
    for (total, items, how) in [
        (102, vec![image(101), image(100)], "m-100 is on two pages"),
        (
            103,
            vec![image(101), image(102)],
            "the total went from {102, 103}",
        ),
        (102, vec![image(101)], "101 items came instead of 102"),
        (
            102,
            vec![image(101), image(102), image(103)],
            "103 items came instead of 102",
        ),
    ] {
        let (outcome, requests) = second_page(total, items).await;
        let fault = outcome.expect_err("no list");
        assert!(
            unavailable(&fault) && fault.message.contains(how),
            "{fault}"
        );
        assert_eq!(requests, 6);
    }
    assert_eq!(
        second_page(102, vec![image(101), image(102)]).await,
        (Ok(102), 2)
    );
}

#[tokio::test(start_paused = true)]
async fn one_malformed_image_in_ten_thousand_fails_the_listing_and_is_named() {
    let mut all: Vec<Value> = (1..=10_000).map(image).collect();
    all[4711]["CreationTime"] = "soon".into();
    let cloud = Cloud::new(move |_, form| page(form, &all)).await;
    let fault = cloud
        .clients
        .aliyun
        .images(&cloud.place)
        .await
        .expect_err("no list");
    assert!(unavailable(&fault), "{fault}");
    assert_eq!(
        fault.to_string(),
        "cannot list the images: page 48: Image 12 (m-4712) cannot be read: CreationTime is no time"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_list_is_not_an_empty_one() {
    for body in [
        json!({}),
        json!({"TotalCount": 0}),
        json!({"Images": {}, "TotalCount": 0}),
        json!({"Images": {"Image": []}}),
        json!({"Images": {"Image": [7]}, "TotalCount": 1}),
        json!({"Images": {"Image": [{"ImageName": "x"}]}, "TotalCount": 1}),
        json!({"Images": {"Image": []}, "TotalCount": 9_000_000}),
    ] {
        let shown = body.to_string();
        let cloud = Cloud::new(move |_, _| ok(&body)).await;
        let fault = cloud
            .clients
            .aliyun
            .images(&cloud.place)
            .await
            .expect_err(&shown);
        assert!(unavailable(&fault), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn follows_the_tokens_of_instances() {
    let cloud = Cloud::new(|_, form| match form.get("NextToken").map(String::as_str) {
        None => instances(&[instance(1)], "two"),
        Some("two") => instances(&[], "three"),
        Some(_) => instances(&[instance(2)], ""),
    })
    .await;
    let found = cloud
        .clients
        .aliyun
        .instances(&cloud.place)
        .await
        .expect("a list");
    assert_eq!(found.items().len(), 2);
    assert_eq!(found.items()[0].status, InstanceStatus::Running);
    assert!(
        cloud
            .requests()
            .iter()
            .all(|form| form["MaxResults"] == "100")
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_that_comes_twice_ends_the_listing_with_a_fault() {
    let cloud = Cloud::new(|request, _| instances(&[instance(request)], "again")).await;
    let fault = cloud
        .clients
        .aliyun
        .instances(&cloud.place)
        .await
        .expect_err("no list");
    assert!(
        unavailable(&fault) && fault.message.contains("twice"),
        "{fault}"
    );
    assert_eq!(cloud.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_never_end_are_a_fault() {
    let cloud = Cloud::new(|request, _| instances(&[], &request.to_string())).await;
    let fault = cloud
        .clients
        .aliyun
        .instances(&cloud.place)
        .await
        .expect_err("no list");
    assert!(
        unavailable(&fault) && fault.message.contains("1000 pages"),
        "{fault}"
    );
}

#[tokio::test(start_paused = true)]
async fn looks_at_one_instance_and_at_those_of_one_image() {
    let mut other = instance(1);
    other["ImageId"] = "m-1".into();
    let all = [other, instance(2)];
    let cloud = Cloud::new(move |_, _| instances(&all, "")).await;
    let aliyun = &cloud.clients.aliyun;
    let one = aliyun
        .instance(&cloud.place, &InstanceId::new("i-2"))
        .await
        .expect("a list");
    assert_eq!(one.map(|it| it.id.to_string()).as_deref(), Some("i-2"));
    let of_image = aliyun
        .instances_of_image(&cloud.place, &ImageId::new("m-1"))
        .await
        .expect("a list");
    assert_eq!(of_image.items().len(), 1);
    assert_eq!(cloud.requests()[0]["InstanceIds"], r#"["i-2"]"#);
    assert_eq!(cloud.requests()[1]["ImageId"], "m-1");
}
