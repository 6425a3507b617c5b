//! What went wrong between a look and the deed: two runs at once, and people who change things meanwhile.

use serde_json::{Value, json};

use super::{REGION, images, instances, lab, line, machines, names, policy};
use crate::proofs::cases;
use crate::proofs::lab::Lab;
use crate::proofs::state::state_of;

#[test]
fn toctou_two_runs_at_once_come_to_the_same_as_one() {
    for case in cases::all() {
        let alone = Lab::new(&case).block_on(async |lab| {
            let _ = lab.converge(1).await;
            state_of(lab)
        });
        Lab::new(&case).block_on(async |lab| {
            let _ = tokio::join!(lab.converge(1), lab.converge_elsewhere(2));
            let report = lab.converge(3).await;
            assert!(report.is_converged(), "{}: {}", case.name, report.to_json());
            assert_eq!(state_of(lab), alone, "{}", case.name);
            lab.check_end(&report);
        });
    }
}

/// What somebody makes of `m-2`, which is to be deleted; all of it means that it stays.
fn changes_of_an_image() -> Vec<Value> {
    let images_of = |lines: &str| json!({"images": images(lines)});
    vec![
        json!({"instances": instances("i-9 Starting 11-21T01:59:00 from=m-2")}),
        images_of("m-2 202611190217 11-19T02:17:30 ours shared"),
    ]
}

/// The same, and what nobody would notice after the last look.
fn changes_before_the_look() -> Vec<Value> {
    let images_of = |lines: &str| json!({"images": images(lines)});
    let mut changes = changes_of_an_image();
    changes.extend([
        images_of("m-2 202611190217 11-19T02:17:30 another's"),
        images_of("m-2 202611190217 11-19T02:17:30 theirs"),
        images_of("m-2 202611190217 11-19T02:17:30"),
        images_of("m-2 do-not-delete 11-19T02:17:30 ours"),
        images_of("m-1 given-away 11-20T02:17:30 ours L family"),
        images_of("m-1 latest 11-20T02:17:30 ours L family Deprecated"),
    ]);
    changes
}

fn check_deletion(action: &'static str, change: &Value) {
    let world = json!({"objects": {"images": images("
        m-1 latest       11-20T02:17:30 ours L family
        m-2 202611190217 11-19T02:17:30 ours")}});
    let mut lab = lab(&line("retention: {keep: 1, deleteSnapshots: false}"), world);
    lab.meddle_before(action, "m-2", change.clone());
    lab.block_on(async |lab| {
        let _ = lab.once(1).await;
        assert_eq!(lab.deleted(), [""; 0], "{action}: {change}");
        assert!(
            names(lab).iter().any(|it| it.starts_with("m-2 ")),
            "{action}: {change}"
        );
    });
}

#[test]
fn toctou_an_image_that_changed_since_it_was_listed_is_not_deleted() {
    for change in changes_before_the_look() {
        check_deletion("DescribeImages", &change);
    }
}

#[test]
fn toctou_the_snapshots_of_an_image_that_was_taken_over_are_not_marked_to_go_with_it() {
    let with_snapshot = |lines: &str| {
        let mut all = images(lines);
        all[0]["DiskDeviceMappings"] = json!({"DiskDeviceMapping": [{"SnapshotId": "s-2"}]});
        all
    };
    let lines = "
        m-2 202611190217 11-19T02:17:30 ours
        m-1 latest       11-20T02:17:30 ours L family";
    let world = json!({"objects": {"images": with_snapshot(lines)}});
    let mut lab = lab(&line("retention: {keep: 1}"), world);
    let change = json!({"images": with_snapshot("m-2 202611190217 11-19T02:17:30 theirs")});
    lab.meddle_before("DescribeImages", "m-2", change);
    lab.block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        let now = lab.now();
        let snapshots = lab.with_world(|it| it.snapshots(REGION, now));
        let tags: Vec<_> = snapshots.iter().map(|it| it.tags.len()).collect();
        assert_eq!((tags, lab.writes()), (vec![0], 0));
    });
}

#[test]
fn toctou_an_image_that_is_used_since_it_was_looked_at_is_not_deleted_by_force() {
    for change in changes_of_an_image() {
        check_deletion("DeleteImage", &change);
    }
}

#[test]
fn toctou_an_image_that_was_renamed_or_taken_over_since_it_was_listed_keeps_its_name() {
    for change in [
        "m-2 my-own 11-20T02:17:30 ours",
        "m-2 202611200217 11-20T02:17:30 theirs",
    ] {
        let world = json!({"objects": {"images": images("
            m-1 =p-amd64-gone 11-19T02:17:30 theirs
            m-2 202611200217  11-20T02:17:30 ours")}});
        let mut lab = lab(&line("retention: {keep: 1}"), world);
        lab.meddle_before("DescribeImages", "m-2", json!({"images": images(change)}));
        lab.block_on(async |lab| {
            let _ = lab.once(1).await;
            let name = change.split(' ').take(2).collect::<Vec<_>>().join(" ");
            assert_eq!(names(lab)[1], name);
        });
    }
}

#[test]
fn toctou_a_name_that_is_taken_since_it_was_listed_costs_nobody_an_image() {
    let world = json!({"objects": {"images": images("
        m-1 latest       11-18T02:17:30 ours L family
        m-2 202611190217 11-19T02:17:30 ours")}});
    let mut lab = lab(&line("retention: {keep: 2}"), world);
    let change = json!({"images": images("m-3 202611180217 11-17T02:17:30")});
    lab.meddle_before("ModifyImageAttribute", "m-1", change);
    lab.block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        let expected = ["m-1 202611180218", "m-2 latest"];
        assert_eq!(
            names(lab),
            expected,
            "the intruder is called like ours, and is the surplus"
        );
        assert_eq!(lab.deleted(), ["m-3"]);
    });
}

#[test]
fn toctou_a_machine_that_changed_since_it_was_listed_is_not_deleted() {
    let changes = [
        "i-1 Running 11-20T02:00:00 ci=yes",
        "i-1 Stopped 11-20T02:00:00 ci=no",
        "i-1 Stopped 11-20T02:00:00 ci=yes protected",
        "i-1 Stopped 11-20T02:00:00 ci=yes reconcile:retiring=true reconcile:managed-by=other",
        "i-1 Stopped 11-20T02:00:00 ci=yes reconcile:retiring=true owner=RunnerSet/a",
    ];
    let spec = "selector: {tags: {ci: \"yes\"}}, runnersOf: [\"https://github.com/acme/app\"]";
    for change in changes {
        let stopped = "i-1 Stopped 11-20T02:00:00 ci=yes reconcile:retiring=true";
        let tokens = json!([{"token": "ghp-nobody", "login": "bot", "scopes": ["repo"]}]);
        let world =
            json!({"github": {"tokens": tokens}, "objects": {"instances": instances(stopped)}});
        let mut lab = lab(&policy(spec), world);
        let objects = json!({"instances": instances(change)});
        lab.meddle_before("DescribeInstances", "[\"i-1\"]", objects);
        lab.block_on(async |lab| {
            let _ = lab.once(1).await;
            assert_eq!(
                (machines(lab).len(), lab.deleted()),
                (1, vec![]),
                "{change}"
            );
            let looked = |it: &reconcile::sim::history::Call| {
                it.action == "DescribeInstances" && it.object.as_deref() == Some("[\"i-1\"]")
            };
            let looked = lab.with_world(|it| it.calls().iter().any(looked));
            assert!(looked, "{change}: nobody looked once more");
        });
    }
}
