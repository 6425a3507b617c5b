//! What seeds and enumerations have found, each as the smallest case that shows it.

use std::time::Duration;

use reconcile::report::{Report, State};
use reconcile::sim::scenario::Scenario;
use serde_json::{Value, json};

use super::lab::Lab;

/// One line of images `p` for amd64, and this resource.
fn lab(resource: &str, objects: &Value) -> Lab {
    let declared = format!(
        "apiVersion: reconcile/v1alpha1
kind: AliyunRegion
metadata: {{name: home}}
spec: {{regionId: cn-hangzhou, scope: test}}
---
apiVersion: reconcile/v1alpha1
{resource}"
    );
    let world = Scenario::from_value(json!({"objects": objects})).expect("a scenario");
    Lab::declaring(&declared, &world)
}

fn line(policy: &str) -> String {
    format!(
        "kind: MachineImage
metadata: {{name: line}}
policy: {policy}
spec: {{regionRef: home, namePrefix: p, architectures: [amd64]}}
"
    )
}

/// An image of the line, as far as `more` says nothing else.
fn image(id: &str, name: &str, more: &Value) -> Value {
    let mut image = json!({
        "ImageId": id, "ImageName": name, "CreationTime": "2026-11-19T02:00:00Z",
        "Tags": {"reconcile:managed-by": "test", "reconcile:owner": "MachineImage/line"},
    });
    for (key, value) in more.as_object().expect("a map") {
        image[key] = value.clone();
    }
    image
}

fn state(report: &Report, kind: &str) -> State {
    let mut resources = report.resources.iter();
    let found = resources.find(|it| it.0.kind == kind);
    found.map(|it| it.1.state.clone()).expect("it is declared")
}

/// The wait until an instance is as old as maxAge was over a moment before it was older, and then was no wait at all.
#[test]
fn an_instance_that_is_exactly_as_old_as_it_may_be_is_not_asked_for_without_a_pause() {
    let policy = "kind: InstancePolicy
metadata: {name: all}
spec: {regionRef: home, selector: {tags: {ci: \"yes\"}}, idleAfter: 10m, maxAge: 4h}
";
    let instance = |id: &str, status: &str, created: &str| {
        json!({
            "InstanceId": id, "InstanceName": id, "ImageId": "ubuntu", "Status": status,
            "CreationTime": created, "SpotStrategy": "SpotAsPriceGo", "Tags": {"ci": "yes"},
        })
    };
    let objects = json!({"instances": [
        instance("i-1", "Running", "2026-11-20T22:01:00Z"),
        instance("i-2", "Stopped", "2026-11-21T01:59:00Z"),
    ]});
    lab(policy, &objects).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        let mut deleted = lab.deleted();
        deleted.sort();
        assert_eq!(deleted, ["i-1", "i-2"]);
        assert!(lab.passes() < 20, "{} passes", lab.passes());
    });
}

/// The name was taken by an image of another architecture that is ours by its tags: giving it on failed for ever.
#[test]
fn a_name_that_an_image_of_another_architecture_holds_is_not_asked_for_again_and_again() {
    let objects = json!({"images": [
        image("m-1", "p-amd64-latest", &json!({"Architecture": "i386"})),
        image("m-2", "p-amd64-202611190200", &json!({})),
    ]});
    lab(&line("{}"), &objects).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert_eq!(state(&report, "MachineImage"), State::Stalled);
        assert_eq!(lab.writes(), 0);
    });
}

/// A guard that keeps a failed image kept the names of its line from being put right, and the run from ending.
#[test]
fn a_failed_image_that_may_not_go_does_not_keep_the_names_from_being_put_right() {
    let failed = json!({"Status": "CreateFailed"});
    let objects = json!({"images": [
        image("m-1", "p-amd64-202611200200", &failed),
        image("m-2", "p-amd64-202611190200", &json!({})),
    ]});
    let guarded = line("{guards: {maxDeletes: 0}}");
    lab(&guarded, &objects).block_on(async |lab| {
        let begun = lab.now();
        let report = lab.converge(1).await;
        assert_eq!(state(&report, "MachineImage"), State::Refused);
        let now = lab.now();
        let images = lab.with_world(|it| it.images("cn-hangzhou", now));
        assert_eq!(images[1].image_name, "p-amd64-latest");
        assert!(
            now.since(begun) < Duration::from_secs(600),
            "it waits for a person"
        );
    });
}

/// Where it holds the very name, what waits for it waits for a person: the run ends.
#[test]
fn a_run_ends_when_a_guard_holds_what_everything_else_waits_for() {
    let failed = json!({"Status": "CreateFailed"});
    let objects = json!({"images": [
        image("m-1", "p-amd64-latest", &failed),
        image("m-2", "p-amd64-202611190200", &json!({})),
    ]});
    let guarded = line("{guards: {maxDeletes: 0}}");
    lab(&guarded, &objects).block_on(async |lab| {
        let begun = lab.now();
        let report = lab.converge(1).await;
        assert_eq!(state(&report, "MachineImage"), State::Refused);
        assert_eq!(lab.writes(), 0);
        assert!(lab.now().since(begun) < Duration::from_secs(600));
    });
}

/// It was deleted, or, where the service says that it is shared, its snapshots were marked in every pass.
#[test]
fn a_failed_image_that_is_kept_stays_and_is_left_alone() {
    let keep = "kind: MachineImage
metadata: {name: line}
spec: {regionRef: home, namePrefix: p, architectures: [amd64], retention: {keepIds: [m-1]}}
";
    let disks = json!({"DiskDeviceMapping": [{"SnapshotId": "s-1"}]});
    let failed = json!({"Status": "CreateFailed", "DiskDeviceMappings": disks});
    let mut shared = failed.clone();
    shared["IsSelfShared"] = json!(true);
    for (resource, failed) in [(keep.to_owned(), failed), (line("{}"), shared)] {
        let objects = json!({"images": [
            image("m-1", "p-amd64-202611200200", &failed),
            image("m-2", "p-amd64-202611190200", &json!({})),
        ]});
        lab(&resource, &objects).block_on(async |lab| {
            let report = lab.converge(1).await;
            assert!(report.is_converged(), "{}", report.to_json());
            assert_eq!((lab.deleted().len(), lab.writes()), (0, 2));
        });
    }
}

/// A policy that could not be looked at claimed nothing, so that the other one took what both of them select.
#[test]
fn what_two_policies_select_is_left_alone_when_only_one_of_them_could_be_looked_at() {
    let policy = |name: &str| {
        format!(
            "kind: InstancePolicy
metadata: {{name: {name}}}
spec: {{regionRef: home, selector: {{tags: {{ci: \"yes\"}}}}, maxAge: 4h}}
"
        )
    };
    let both = policy("a") + "---\napiVersion: reconcile/v1alpha1\n" + &policy("b");
    let objects = json!({"instances": [{
        "InstanceId": "i-1", "InstanceName": "i-1", "ImageId": "ubuntu", "SpotStrategy": "SpotAsPriceGo",
        "CreationTime": "2026-11-20T02:00:00Z", "Tags": {"ci": "yes"},
    }]});
    for times in 0..12 {
        lab(&both, &objects).block_on(async |lab| {
            let trouble =
                json!([{"action": "DescribeInstances", "fault": "status", "times": times}]);
            lab.trouble(&trouble);
            let report = lab.once(1).await;
            assert_eq!(lab.deleted(), [""; 0], "{times}: {}", report.to_json());
        });
    }
}

/// A look that had to wait took what it had listed before for what was there after, so that a guard counted what was just
/// deleted once more.
#[test]
fn what_was_listed_before_a_long_wait_is_not_taken_for_what_is_there_after_it() {
    let mut case = super::cases::named("many");
    let throttled = json!([{
        "action": "DescribeSnapshots", "nth": 2, "times": 3,
        "fault": "status", "status": 400, "code": "Throttling.User",
    }]);
    case.scenario.troubles = serde_json::from_value(throttled).expect("troubles are written right");
    Lab::new(&case).block_on(async |lab| {
        let report = lab.converge(1).await;
        let waited = &report.to_json()["calls"]["waitedSeconds"];
        assert!(waited.as_u64() > Some(120), "{waited} s");
        assert!(report.is_converged(), "{}", report.to_json());
    });
}
