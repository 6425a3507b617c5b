//! Instances: how they start, stop, and go.

use reconcile::sim::history::{Removal, What};
use serde_json::json;

use super::{Bench, instance, small_world};

fn statuses(bench: &mut Bench) -> Vec<String> {
    bench.list("DescribeInstanceStatus", &[], "Status")
}

fn removals(bench: &Bench) -> Vec<(String, Removal)> {
    let mut removals = Vec::new();
    for event in bench.world.history() {
        if let What::InstanceDeleted { by, .. } = &event.what {
            removals.push((event.at.to_string(), *by));
        }
    }
    removals
}

#[test]
fn an_instance_is_pending_then_starting_then_running() {
    let mut bench = small_world();
    bench.order(&[]);
    for (seconds, status) in [
        (0, "Pending"),
        (4, "Pending"),
        (1, "Starting"),
        (19, "Starting"),
        (1, "Running"),
    ] {
        bench.wait(seconds);
        assert_eq!(statuses(&mut bench), [status]);
    }
}

#[test]
fn a_stopped_instance_is_still_there() {
    let mut bench = small_world();
    let id = bench.launch("one");
    bench.ok(
        "StopInstance",
        &[("InstanceId", &id), ("StoppedMode", "StopCharging")],
    );
    assert_eq!(statuses(&mut bench), ["Stopping"]);
    bench.wait(100_000);
    assert_eq!(statuses(&mut bench), ["Stopped"]);
    assert_eq!(
        bench.refused("StopInstance", &[("InstanceId", &id)]),
        "403 IncorrectInstanceStatus"
    );
    bench.ok("StartInstance", &[("InstanceId", &id)]);
    bench.wait(60);
    assert_eq!(statuses(&mut bench), ["Running"]);
}

#[test]
fn instances_are_stopped_all_together_or_not_at_all() {
    let mut bench = small_world();
    let (one, two) = (bench.launch("one"), bench.order(&[]));
    let both = [
        ("InstanceId.1", one.as_str()),
        ("InstanceId.2", two.as_str()),
    ];
    assert_eq!(
        bench.refused("StopInstances", &both),
        "403 IncorrectInstanceStatus"
    );
    let dry = [("InstanceId.1", one.as_str()), ("DryRun", "true")];
    assert_eq!(bench.refused("StopInstances", &dry), "400 DRYRUN.SUCCESS");
    bench.wait(60);
    let rows = bench.list("StopInstances", &both, "CurrentStatus");
    assert_eq!(rows, ["Stopping", "Stopping"]);
    assert_eq!(
        bench.refused("StopInstances", &[("InstanceId.1", "i-none")]),
        "404 InvalidInstanceIds.NotFound"
    );
}

#[test]
fn a_running_instance_is_deleted_by_force_and_seen_for_a_while() {
    let mut bench = small_world();
    let id = bench.order(&[]);
    let force = [("InstanceId", id.as_str()), ("Force", "true")];
    assert_eq!(
        bench.refused("DeleteInstance", &force),
        "403 IncorrectInstanceStatus.Initializing"
    );
    bench.wait(60);
    assert_eq!(
        bench.refused("DeleteInstance", &[("InstanceId", &id)]),
        "403 IncorrectInstanceStatus"
    );
    bench.ok("DeleteInstance", &force);
    assert_eq!(statuses(&mut bench), ["Stopping"]);
    bench.ok("DeleteInstance", &force);
    bench.wait(20);
    assert_eq!(statuses(&mut bench), Vec::<String>::new());
    assert_eq!(
        bench.refused("DeleteInstance", &force),
        "404 InvalidInstanceId.NotFound"
    );
    assert_eq!(
        removals(&bench),
        [("2026-11-21T02:01:20Z".to_owned(), Removal::Request)]
    );
}

#[test]
fn a_stopped_instance_is_deleted_without_force() {
    let mut stopped = instance("i-one", "m-one");
    stopped["Status"] = json!("Stopped");
    let mut bench = Bench::new(json!({"objects": {"instances": [stopped]}}));
    bench.ok("DeleteInstance", &[("InstanceId", "i-one")]);
    assert_eq!(statuses(&mut bench), ["Stopped"]);
    bench.wait(20);
    assert_eq!(statuses(&mut bench), Vec::<String>::new());
}

#[test]
fn protected_and_prepaid_instances_stay() {
    let (mut protected, mut prepaid) = (
        instance("i-protected", "m-one"),
        instance("i-prepaid", "m-one"),
    );
    protected["DeletionProtection"] = json!(true);
    prepaid["InstanceChargeType"] = json!("PrePaid");
    let mut bench = Bench::new(json!({"objects": {"instances": [protected, prepaid]}}));
    let delete = |id| [("InstanceId", id), ("Force", "true")];
    assert_eq!(
        bench.refused("DeleteInstance", &delete("i-protected")),
        "403 InvalidOperation.DeletionProtection"
    );
    assert_eq!(
        bench.refused("DeleteInstance", &delete("i-prepaid")),
        "403 ChargeTypeViolation"
    );
    let release = [
        ("InstanceId", "i-prepaid"),
        ("AutoReleaseTime", "2026-11-21T03:00:00Z"),
    ];
    assert_eq!(
        bench.refused("ModifyInstanceAutoReleaseTime", &release),
        "403 ChargeTypeViolation"
    );
}

#[test]
fn several_instances_are_deleted_once_for_one_token() {
    let mut bench = small_world();
    let (one, two) = (bench.launch("one"), bench.launch("two"));
    let both = [
        ("InstanceId.1", one.as_str()),
        ("InstanceId.2", two.as_str()),
        ("Force", "true"),
        ("ClientToken", "t"),
    ];
    bench.ok("DeleteInstances", &both);
    bench.wait(60);
    bench.ok("DeleteInstances", &both);
    assert_eq!(removals(&bench).len(), 2);
    let missing = [("InstanceId.1", one.as_str()), ("Force", "true")];
    assert_eq!(
        bench.refused("DeleteInstances", &missing),
        "404 InvalidInstanceIds.NotFound"
    );
    let other = [
        ("InstanceId.1", one.as_str()),
        ("Force", "true"),
        ("ClientToken", "t"),
    ];
    assert_eq!(
        bench.refused("DeleteInstances", &other),
        "400 IdempotentParameterMismatch"
    );
}

#[test]
fn the_cloud_releases_an_instance_at_its_release_time_to_the_minute() {
    let mut bench = small_world();
    let id = bench.order(&[("AutoReleaseTime", "2026-11-21T02:30:59Z")]);
    assert_eq!(
        bench.list("DescribeInstances", &[], "AutoReleaseTime"),
        ["2026-11-21T02:30Z"]
    );
    bench.wait(60);
    let ask = |bench: &mut Bench, time: &str| {
        bench.refused(
            "ModifyInstanceAutoReleaseTime",
            &[("InstanceId", &id), ("AutoReleaseTime", time)],
        )
    };
    for time in [
        "2026-11-21T02:30:59Z",
        "2029-11-30T00:00:00Z",
        "2026-11-21T04:00Z",
        "tomorrow",
    ] {
        assert_eq!(
            ask(&mut bench, time),
            "400 InvalidAutoReleaseTime.Malformed",
            "{time}"
        );
    }
    let later = [
        ("InstanceId", id.as_str()),
        ("AutoReleaseTime", "2026-11-21T04:00:30Z"),
    ];
    bench.ok("ModifyInstanceAutoReleaseTime", &later);
    bench.wait(2 * 3600 - 61);
    assert_eq!(statuses(&mut bench), ["Running"]);
    bench.wait(1);
    assert_eq!(statuses(&mut bench), Vec::<String>::new());
    assert_eq!(
        removals(&bench),
        [("2026-11-21T04:00:00Z".to_owned(), Removal::Release)]
    );
    assert_eq!(
        bench.refused("ModifyInstanceAutoReleaseTime", &later),
        "404 NoSuchResource"
    );
}

#[test]
fn leaving_the_release_time_out_cancels_it() {
    let mut bench = small_world();
    let id = bench.order(&[("AutoReleaseTime", "2026-11-21T03:00:00Z")]);
    bench.ok("ModifyInstanceAutoReleaseTime", &[("InstanceId", &id)]);
    assert_eq!(
        bench.list("DescribeInstances", &[], "AutoReleaseTime"),
        [""]
    );
    bench.wait(100_000);
    assert_eq!(statuses(&mut bench), ["Running"]);
}

#[test]
fn an_id_alone_is_found_in_every_region() {
    let mut far = instance("i-far", "m-one");
    far["RegionId"] = json!("cn-beijing");
    let mut bench = Bench::new(
        json!({"regions": ["cn-hangzhou", "cn-beijing"], "objects": {"instances": [far]}}),
    );
    assert_eq!(
        bench.refused("StopInstance", &[("InstanceId", "i-far")]),
        "404 InvalidInstanceId.NotFound"
    );
    assert_eq!(
        bench
            .answer("StopInstance", &[("InstanceId", "i-far")])
            .status,
        200
    );
}
