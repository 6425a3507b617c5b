//! The faults under which today's scripts lost `-latest` or a machine: `tests/golden/faults`, from the same beginning.

use reconcile::sim::history::What;
use serde_json::{Value, json};

use super::{
    RENAMES, THEIRS, base, count, edited, gaps, instances, launches, networked, recorded, rests,
};
use crate::proofs::lab::Lab;

fn case(name: &str) -> Value {
    recorded("faults/build-faults.json")["cases"][name].take()
}

/// One `-latest`, as the scripts found it, and what goes wrong.
fn lab(trouble: &Value) -> Lab {
    let latest = json!({
        "ImageId": "m-latest0", "ImageName": "github-runner-ubuntu24-amd64-latest",
        "CreationTime": "2025-11-24T02:17:30Z", "Tags": {"VersionHash": "old"},
    });
    let world = json!({
        "start": "2025-11-25T02:00:00Z",
        "troubles": [trouble],
        "objects": {"images": [latest, base("20251110", "2025-11-10T03:00:00Z")]},
    });
    edited(&THEIRS, &networked(world))
}

/// The end that was intended, whatever happened: the new image serves, the old one has its date, no machine is left, and
/// `-latest` was never gone for longer than two renames take.
async fn check(lab: &Lab) {
    let report = lab.converge(1).await;
    assert!(report.is_converged(), "{}", report.to_json());
    lab.check_end(&report);
    assert_eq!(rests(lab), ["latest", "202511240217"]);
    assert_eq!(instances(lab), []);
    let gaps = gaps(lab);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0] <= RENAMES, "{gaps:?}");
}

/// The scripts renamed first, waited an hour for an image that they could not see, and ended without `-latest`.
#[test]
fn an_image_that_cannot_be_made_costs_another_attempt_and_not_the_name() {
    let theirs = case("createfailed");
    assert_eq!(theirs["images"][0], json!(["-latest", "CreateFailed"]));
    let failing = json!({"action": "CreateImage", "fault": "createFailed"});
    lab(&failing).block_on(async |lab| {
        check(lab).await;
        let created = count(lab, |it| matches!(it, What::ImageCreated(_)));
        assert_eq!((launches(lab), created), (1, 2));
    });
}

/// The scripts launched another machine, and the first one stayed for ever.
#[test]
fn an_answer_that_gets_lost_costs_no_second_machine() {
    let theirs = case("runinstances-timeout-lost-response");
    assert_eq!(theirs["instances"], json!(["i-fake00000001"]));
    // The first call is the dry run.
    let lost = json!({"action": "RunInstances", "fault": "dropAfter", "nth": 2});
    lab(&lost).block_on(async |lab| {
        check(lab).await;
        assert_eq!(launches(lab), 1);
    });
}

/// The scripts had renamed the old image before, and ended without `-latest`.
#[test]
fn a_machine_that_is_taken_back_while_it_is_provisioned_costs_another_one_and_not_the_name() {
    let theirs = case("instance-reclaimed-during-provisioning");
    assert_eq!(theirs["images"], json!([["-202511240217", "Available"]]));
    let reclaimed = json!({"action": "RunInstances", "fault": "reclaim", "nth": 2, "seconds": 480});
    lab(&reclaimed).block_on(async |lab| {
        check(lab).await;
        let ended = count(lab, |it| {
            matches!(
                it,
                What::CommandEnded {
                    exit_code: None,
                    ..
                }
            )
        });
        assert_eq!((launches(lab), ended), (2, 1), "it was at work");
    });
}
