//! What went wrong with listings: W9 to W11, A1b, E1, PA6.

use std::time::Duration;

use reconcile::clock::Timestamp;
use reconcile::fault::Class;
use reconcile::ids::RegionId;
use reconcile::providers::aliyun::Place;
use reconcile::report::State;
use serde_json::{Value, json};

use super::{REGION, failures, images, instances, lab, line, machines, names, policy, states};
use crate::proofs::lab::Lab;
use crate::proofs::state::state_of;

/// 250 images of an account, our line of 30 among them: more than two pages.
fn crowd(settings: &Value) -> Lab {
    let start = Timestamp::parse("2026-11-01T00:00:30Z").expect("a time");
    let image = |number: u64| {
        let created = start.plus(std::time::Duration::from_secs(number * 3600));
        let name = if number % 8 == 1 && number < 240 {
            format!("{}{}", super::STEM, created.minute_digits())
        } else {
            format!("other-team-{number}")
        };
        json!({"ImageId": format!("m-{number}"), "ImageName": name, "CreationTime": created})
    };
    let images: Vec<Value> = (0..250).map(image).collect();
    let world = json!({"settings": settings, "objects": {"images": images}});
    lab(&line("retention: {keep: 5}"), world)
}

fn of_line(lab: &Lab) -> Vec<String> {
    let names = names(lab).into_iter();
    names.filter(|it| !it.contains("=other-team")).collect()
}

const NEWEST: [&str; 5] = [
    "m-201 202611090900",
    "m-209 202611091700",
    "m-217 202611100100",
    "m-225 202611100900",
    "m-233 latest",
];

#[test]
fn w9_images_on_every_page_are_counted_and_deleted() {
    for order in ["newestFirst", "oldestFirst", "shuffled"] {
        crowd(&json!({"listingOrder": order})).block_on(async |lab| {
            assert!(lab.converge(1).await.is_converged(), "{order}");
            assert_eq!(of_line(lab), NEWEST, "{order}");
            assert_eq!(names(lab).len(), 225, "{order}");
        });
    }
}

#[test]
fn w9_a_listing_that_changes_while_it_is_read_is_read_again() {
    for fault in ["torn", "tornShorter"] {
        crowd(&json!({})).block_on(async |lab| {
            lab.trouble(&json!([{"action": "DescribeImages", "nth": 2, "fault": fault}]));
            assert!(lab.converge(1).await.is_converged(), "{fault}");
            assert_eq!(of_line(lab), NEWEST, "{fault}");
        });
    }
}

#[test]
fn w9_a_listing_that_lacks_a_page_or_never_stands_still_is_no_listing() {
    let troubles = [
        json!({"fault": "torn", "nth": 1}),
        json!({"fault": "tornShorter", "nth": 1}),
        json!({"fault": "status", "nth": 2}),
        json!({"fault": "dropAfter", "nth": 3}),
    ];
    for mut trouble in troubles {
        trouble["action"] = json!("DescribeImages");
        trouble["times"] = json!(1_000_000);
        crowd(&json!({})).block_on(async |lab| {
            lab.trouble(&json!([trouble]));
            let report = lab.once(1).await;
            let states = states(&report, "MachineImage");
            assert!(matches!(states[..], [State::Unseen(_)]), "{trouble}");
            assert_eq!(lab.writes(), 0, "{trouble}");
        });
    }
}

#[test]
fn w10_what_the_service_takes_for_a_name_does_not_matter() {
    for name_match in ["exact", "substring"] {
        let all = images(
            "
            m-1 latest           11-18T02:17:30 ours L family
            m-2 latest-test      11-20T02:17:30
            m-3 202611190217-rc1 11-19T02:17:30
            m-4 =my-p-amd64-latest 11-20T02:17:30",
        );
        let world = json!({"settings": {"imageNameMatch": name_match}, "objects": {"images": all}});
        lab(&line("retention: {keep: 1}"), world).block_on(async |lab| {
            let before = names(lab);
            assert!(lab.converge(1).await.is_converged(), "{name_match}");
            assert_eq!((names(lab), lab.writes()), (before, 0), "{name_match}");
            let found = lab
                .clients(2)
                .aliyun
                .images_named(&place(), "p-amd64-latest")
                .await;
            let found = found.expect("it can be looked up");
            let ids: Vec<&str> = found.items().iter().map(|it| it.id.as_str()).collect();
            assert_eq!(ids, ["m-1"], "{name_match}");
        });
    }
}

fn place() -> Place {
    Place {
        region: RegionId::new(REGION),
        endpoint: None,
    }
}

/// Failures that go on, and answers that cannot be read.
fn no_answers(action: &str) -> Vec<Value> {
    let more = [
        json!({"fault": "garbage"}),
        json!({"fault": "garbage", "status": 502}),
        json!({"fault": "garbage", "status": 200}),
        json!({"fault": "delay", "seconds": 600}),
    ];
    let more = more.into_iter().map(|mut it| {
        it["action"] = json!(action);
        it["times"] = json!(1_000_000);
        it
    });
    failures(action).into_iter().chain(more).collect()
}

/// One line with surplus, an orphan of a deleted image, and a machine that is overdue.
fn small() -> Lab {
    let mut orphan = json!({"SnapshotId": "s-9", "CreationTime": "2026-11-01T02:00:00Z"});
    orphan["Tags"] = json!({
        "reconcile:managed-by": "test", "reconcile:owner": "MachineImage/line", "reconcile:orphan-of": "m-9",
    });
    let world = json!({"objects": {
        "images": images("
            m-1 latest       11-20T02:17:30 ours L family
            m-2 202611190217 11-19T02:17:30 ours"),
        "instances": instances("i-1 Running 11-20T02:17:00 ci=yes"),
        "snapshots": [orphan],
    }});
    let resources = format!(
        "{}{}",
        line("retention: {keep: 1}"),
        policy("selector: {tags: {ci: \"yes\"}}")
    );
    lab(&resources, world)
}

#[test]
fn w11_a_listing_that_failed_is_not_an_empty_one() {
    for action in ["DescribeImages", "DescribeInstances", "DescribeSnapshots"] {
        let kind = if action == "DescribeInstances" {
            "InstancePolicy"
        } else {
            "MachineImage"
        };
        for failure in no_answers(action) {
            small().block_on(async |lab| {
                lab.trouble(&json!([failure]));
                let report = lab.once(1).await;
                assert!(
                    matches!(states(&report, kind)[..], [State::Unseen(_)]),
                    "{failure}"
                );
                assert_ne!(report.exit_code(), 0, "{failure}");
                let images_left = names(lab);
                assert_eq!(images_left.len(), 2, "{failure}");
                if kind == "InstancePolicy" {
                    assert_eq!(machines(lab), ["i-1"], "{failure}");
                }
                lab.trouble(&json!([]));
                assert!(lab.converge(2).await.is_converged(), "{failure}");
                assert_eq!((names(lab).len(), machines(lab).len()), (1, 0), "{failure}");
            });
        }
    }
}

#[test]
fn w11_a_lookup_that_failed_is_not_an_image_that_is_missing() {
    for failure in no_answers("DescribeImages") {
        small().block_on(async |lab| {
            lab.trouble(&json!([failure]));
            let found = lab
                .clients(1)
                .aliyun
                .images_named(&place(), "p-amd64-latest")
                .await;
            assert!(found.is_err(), "{failure}");
        });
    }
}

#[test]
fn a1b_an_error_is_never_read_as_gone() {
    for failure in no_answers("DescribeInstances") {
        small().block_on(async |lab| {
            // The listing still works, and every look at the one machine fails.
            let mut failure = failure.clone();
            failure["object"] = json!("[\"i-1\"]");
            lab.trouble(&json!([failure]));
            let report = lab.once(1).await;
            assert!(
                !report.is_converged() && report.exit_code() != 0,
                "{failure}"
            );
            assert_eq!(machines(lab), ["i-1"], "{failure}");
        });
    }
}

#[test]
fn a1b_a_machine_is_gone_when_a_listing_lacks_it_and_not_when_its_deletion_was_accepted() {
    small().block_on(async |lab| {
        // The machine stays for 20 seconds after its deletion was accepted, and then no listing succeeds.
        lab.trouble(
            &json!([{"action": "DescribeInstances", "nth": 5, "times": 20, "fault": "status"}]),
        );
        let report = lab.once(1).await;
        assert_eq!(lab.deleted().iter().filter(|it| *it == "i-1").count(), 1);
        assert!(!report.is_converged(), "{}", report.to_json());
        assert!(lab.converge(2).await.is_converged());
        assert_eq!(machines(lab), [""; 0]);
    });
}

#[test]
fn a1b_a_key_that_may_not_look_sees_nothing_and_proves_nothing() {
    let world = |denied: Value| {
        let images = images(
            "
            m-1 latest       11-20T02:17:30 ours L family
            m-2 202611190217 11-19T02:17:30 ours",
        );
        let key = json!({"id": "LTAI-simulated", "secret": "simulated-secret", "denied": denied});
        let instances = instances("i-1 Running 11-20T02:17:00 ci=yes");
        json!({"keys": [key], "objects": {"images": images, "instances": instances}})
    };
    let resources = format!(
        "{}{}",
        line("retention: {keep: 1}"),
        policy("selector: {tags: {ci: \"yes\"}}")
    );
    lab(&resources, world(json!(["DescribeInstances"]))).block_on(async |lab| {
        let report = lab.once(1).await;
        assert_eq!(
            (names(lab).len(), machines(lab).len()),
            (2, 1),
            "{:?}",
            lab.deleted()
        );
        let states = states(&report, "InstancePolicy");
        let is_denied =
            |it: &&State| matches!(it, State::Unseen(fault) if fault.class == Class::Denied);
        assert!(states.iter().all(is_denied), "{}", report.to_json());
    });
    lab(&resources, world(json!([]))).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        assert_eq!((names(lab).len(), machines(lab).len()), (1, 0));
    });
}

#[test]
fn pa6_a_world_full_of_traps_is_read_right() {
    for name_match in ["exact", "substring"] {
        crowd(&json!({"imageNameMatch": name_match, "listingOrder": "shuffled"})).block_on(
            async |lab| {
                lab.put(&json!({"images": images("
                m-a latest       11-20T02:17:30 CreateFailed
                m-b latest-test  11-20T02:17:30
                m-c 202611200217 11-20T02:17:30 Creating
                m-d 202611010217 11-01T02:17:30 Deprecated
                m-e 202611190217 11-19T02:17:30 ours UnAvailable")}));
                let report = lab.converge(1).await;
                assert!(report.is_converged(), "{}", report.to_json());
                let others = [
                    "m-b latest-test",
                    "m-c 202611200217",
                    "m-d 202611010217",
                    "m-e 202611190217",
                ];
                assert_eq!(
                    of_line(lab),
                    [NEWEST.as_slice(), &others].concat(),
                    "{name_match}"
                );
                let state = state_of(lab);
                assert!(lab.once(2).await.actions.is_empty());
                assert_eq!(state_of(lab), state, "{name_match}");
            },
        );
    }
}

#[test]
fn e1_a_snapshot_that_an_empty_listing_hid_goes_a_day_later() {
    let mut all = images(
        "m-1 latest       11-20T02:17:30 ours L family
         m-2 202611190217 11-19T02:17:30 ours",
    );
    all[1]["DiskDeviceMappings"] = json!({"DiskDeviceMapping": [{"SnapshotId": "s-2"}]});
    let world = json!({"objects": {"images": all}});
    lab(&line("retention: {keep: 1}"), world).block_on(async |lab| {
        lab.trouble(&json!([
            {"action": "DescribeSnapshots", "times": 12, "fault": "stale", "seconds": 100_000_000},
        ]));
        assert!(lab.converge(1).await.is_converged());
        assert_eq!(lab.deleted(), ["m-2"]);
        lab.trouble(&json!([]));
        lab.wait(Duration::from_secs(25 * 3600)).await;
        assert!(lab.converge(2).await.is_converged());
        assert_eq!(lab.deleted(), ["m-2", "s-2"]);
    });
}
