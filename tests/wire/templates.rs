//! Launch templates are read with all their versions, or not at all.

use std::time::Duration;

use reconcile::clock::Clock;
use reconcile::fault::{Class, Fault};
use serde_json::{Value, json};

use super::{Cloud, Form, Reply, error, ok};

/// The pages of 120 templates, of which the first has 60 versions and each other one has one.
fn answer(form: &Form) -> Reply {
    let number = |name: &str| form[name].parse::<usize>().expect("a number");
    let from = (number("PageNumber") - 1) * number("PageSize") + 1;
    let page = |total: usize| from..=total.min(from + number("PageSize") - 1);
    if form["Action"] == "DescribeLaunchTemplates" {
        let template = |n: usize| json!({"LaunchTemplateId": format!("lt-{n}"), "LaunchTemplateName": "t", "DefaultVersionNumber": 1});
        let items: Vec<Value> = page(120).map(template).collect();
        return ok(&json!({"LaunchTemplateSets": {"LaunchTemplateSet": items}, "TotalCount": 120}));
    }
    let total = if form["LaunchTemplateId"] == "lt-1" {
        60
    } else {
        1
    };
    versions(&page(total).map(version).collect::<Vec<_>>(), total)
}

fn version(number: usize) -> Value {
    let data = json!({"ImageId": format!("m-{number}"), "DataDisks": {"DataDisk": [{"SnapshotId": "s-1"}, {}]}});
    json!({"VersionNumber": number, "LaunchTemplateData": data})
}

fn versions(items: &[Value], total: usize) -> Reply {
    let sets = json!({"LaunchTemplateVersionSet": items});
    ok(&json!({"LaunchTemplateVersionSets": sets, "TotalCount": total}))
}

#[tokio::test(start_paused = true)]
async fn all_templates_are_read_with_all_their_versions() {
    let cloud = Cloud::new(|_, form| answer(form)).await;
    let listed = cloud.clients.aliyun.launch_templates(&cloud.place).await;
    let listed = listed.expect("a list");
    assert_eq!(listed.items().len(), 120);
    let first = &listed.items()[0];
    assert_eq!((first.id.as_str(), first.versions.len()), ("lt-1", 60));
    let last = &first.versions[59];
    assert_eq!((last.number, last.image.as_deref()), (60, Some("m-60")));
    assert_eq!(last.snapshots.len(), 1);
    let requests = cloud.requests();
    assert_eq!(requests.len(), 3 + 2 + 119);
    assert!(requests.iter().all(|it| it["PageSize"] == "50"));
    assert_eq!(requests[3]["DetailFlag"], "true");
}

/// What comes of it when the versions of one template are answered like this.
async fn one(reply: Reply) -> Result<usize, Fault> {
    let cloud = Cloud::new(move |_, form| {
        if form["Action"] == "DescribeLaunchTemplates" {
            let template = json!({"LaunchTemplateId": "lt-1", "LaunchTemplateName": "t", "DefaultVersionNumber": 2});
            return ok(&json!({"LaunchTemplateSets": {"LaunchTemplateSet": [template]}, "TotalCount": 1}));
        }
        reply.clone()
    })
    .await;
    let listed = cloud.clients.aliyun.launch_templates(&cloud.place).await?;
    Ok(listed.items().len())
}

#[tokio::test(start_paused = true)]
async fn versions_that_say_too_little_are_a_fault() {
    let unavailable = Class::Unavailable {
        maybe_applied: false,
    };
    let without_data = json!({"VersionNumber": 2});
    let without_number = json!({"LaunchTemplateData": {"ImageId": "m-1"}});
    let wrong_image = json!({"VersionNumber": 2, "LaunchTemplateData": {"ImageId": 5}});
    for (reply, class, words) in [
        (
            versions(&[], 0),
            &unavailable,
            "version 2, its default, is not among them",
        ),
        (
            versions(&[version(1)], 1),
            &unavailable,
            "version 2, its default",
        ),
        (
            versions(&[without_data], 1),
            &unavailable,
            "LaunchTemplateData is missing",
        ),
        (
            versions(&[without_number], 1),
            &unavailable,
            "VersionNumber is missing",
        ),
        (
            versions(&[wrong_image], 1),
            &unavailable,
            "ImageId is no text",
        ),
        (
            versions(&[version(2)], 2),
            &unavailable,
            "1 items came instead of 2",
        ),
        (error(403, "Forbidden.RAM", "no"), &Class::Denied, "403"),
        (
            error(404, "InvalidLaunchTemplate.NotFound", "gone"),
            &Class::Invalid,
            "404",
        ),
    ] {
        let fault = one(reply).await.expect_err(words);
        assert_eq!(fault.class, *class, "{fault}");
        let said = fault.to_string();
        assert!(said.contains(words) && said.contains("(lt-1)"), "{said}");
    }
    assert_eq!(one(versions(&[version(1), version(2)], 2)).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_second_reading_is_made_after_a_look_and_after_a_minute() {
    let none = json!({"LaunchTemplateSets": {"LaunchTemplateSet": []}, "TotalCount": 0});
    let cloud = Cloud::new(move |_, _| ok(&none)).await;
    let (aliyun, place) = (&cloud.clients.aliyun, &cloud.place);
    for (wait, sent) in [(0, 2), (0, 2), (59, 2), (2, 3), (0, 3)] {
        cloud.clock.sleep(Duration::from_secs(wait)).await;
        aliyun.launch_templates(place).await.expect("a list");
        aliyun.launch_templates_again(place).await.expect("a list");
        assert_eq!(cloud.requests().len(), sent);
    }
    cloud.clients.forget();
    aliyun.launch_templates_again(place).await.expect("a list");
    assert_eq!(cloud.requests().len(), 4);
}
