//! What is remembered within a pass, and what makes it forgotten; the tags that do so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reconcile::ids::{ImageId, InstanceId, SnapshotId};
use reconcile::providers::aliyun::{ImageChange, Taggable};
use serde_json::json;

use super::listing::{image, instances, page};
use super::{Cloud, error, ok};

#[tokio::test(start_paused = true)]
async fn a_pass_reads_a_listing_once_until_it_is_changed_or_forgotten() {
    let cloud = Cloud::new(|_, form| match form["Action"].as_str() {
        "DescribeImages" => page(form, &[image(1)]),
        "DescribeSnapshots" => ok(&json!({"Snapshots": {"Snapshot": []}})),
        _ => ok(&json!({})),
    })
    .await;
    let (aliyun, place) = (&cloud.clients.aliyun, &cloud.place);
    let sent = || cloud.requests().len();
    let (one, two) = tokio::join!(aliyun.images(place), aliyun.images(place));
    assert!(Arc::ptr_eq(&one.expect("a list"), &two.expect("a list")));
    assert_eq!(sent(), 1);
    aliyun.snapshots(place).await.expect("a list");
    let tags = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
    aliyun
        .tag(place, Taggable::Image, &["m-1".to_owned()], &tags)
        .await
        .expect("done");
    aliyun.images(place).await.expect("a list");
    aliyun.snapshots(place).await.expect("a list");
    assert_eq!(sent(), 4);
    cloud.clients.forget();
    aliyun.images(place).await.expect("a list");
    aliyun.images(place).await.expect("a list");
    assert_eq!(sent(), 5);
    assert_eq!(cloud.requests()[2]["Tag.1.Key"], "a");
    assert_eq!(cloud.requests()[2]["ResourceId.1"], "m-1");
    assert_eq!(cloud.requests()[2]["ResourceType"], "image");
}

#[tokio::test(start_paused = true)]
async fn what_changes_or_removes_an_object_is_not_answered_from_memory() {
    let cloud = Cloud::new(|_, form| match form["Action"].as_str() {
        "DescribeImages" => page(form, &[]),
        "DescribeInstances" => instances(&[], ""),
        "DescribeSnapshots" => ok(&json!({"Snapshots": {"Snapshot": []}})),
        _ => error(403, "Forbidden.RAM", "even a refusal forgets"),
    })
    .await;
    let (aliyun, place) = (&cloud.clients.aliyun, &cloud.place);
    let image = ImageId::new("m-1");
    for round in 1..=2 {
        aliyun.images(place).await.expect("a list");
        let change = ImageChange::default();
        assert!(aliyun.modify_image(place, &image, &change).await.is_err());
        aliyun.images(place).await.expect("a list");
        assert!(aliyun.delete_image(place, &image).await.is_err());
        aliyun.instances(place).await.expect("a list");
        let instance = InstanceId::new("i-1");
        assert!(aliyun.delete_instance(place, &instance).await.is_err());
        aliyun.snapshots(place).await.expect("a list");
        let snapshot = SnapshotId::new("s-1");
        assert!(aliyun.delete_snapshot(place, &snapshot).await.is_err());
        assert_eq!(cloud.requests().len(), 8 * round);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_listing_is_not_remembered() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let cloud = Cloud::new(move |_, form| {
        if counter.fetch_add(1, Ordering::Relaxed) == 0 {
            ok(&json!({}))
        } else {
            page(form, &[])
        }
    })
    .await;
    assert!(cloud.clients.aliyun.images(&cloud.place).await.is_err());
    assert!(cloud.clients.aliyun.images(&cloud.place).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn tags_more_objects_than_one_request_may_name() {
    let cloud = Cloud::new(|_, _| ok(&json!({}))).await;
    let ids: Vec<String> = (0..120).map(|it| format!("s-{it}")).collect();
    let done = cloud
        .clients
        .aliyun
        .untag(&cloud.place, Taggable::Snapshot, &ids, &["a", "b"])
        .await;
    assert_eq!(done, Ok(()));
    let requests = cloud.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[2]["ResourceId.20"], "s-119");
    assert_eq!(
        (&*requests[0]["TagKey.1"], &*requests[0]["TagKey.2"]),
        ("a", "b")
    );
}
