//! C7: no stock, a price that moved, a quota, machines that vanish or are taken back at any step.

use std::collections::BTreeMap;
use std::time::Duration;

use reconcile::plan::Rent;
use reconcile::report::cny;
use serde_json::{Value, json};

use super::{DAY, check_built, instances, lab, launches, said};
use crate::proofs::{each, figure};

fn refused(code: &str, status: u16, times: u64) -> Value {
    json!({"troubles": [{"action": "RunInstances", "fault": "status", "status": status, "code": code, "nth": 2, "times": times}]})
}

#[test]
fn a_candidate_without_stock_is_followed_by_the_next_with_the_same_token() {
    for code in [
        "OperationDenied.NoStock",
        "Zone.NotOnSale",
        "InvalidSpotPriceLimit.LowerThanPublicPrice",
    ] {
        for binds in [false, true] {
            // The first call is the dry run.
            let mut world = refused(code, 403, 1);
            world["settings"] = json!({"refusedBindsToken": binds});
            let lab = lab("", world);
            lab.block_on(async |lab| {
                let report = lab.converge(1).await;
                check_built(lab, &report);
                assert_eq!(launches(lab), 1, "{code}");
            });
        }
    }
}

#[test]
fn a_disk_category_that_does_not_go_is_followed_by_the_next_for_the_same_candidate() {
    let lab = lab(
        "",
        refused("InvalidSystemDiskCategory.ValueNotSupported", 400, 1),
    );
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
    });
}

#[test]
fn a_quota_or_a_permission_stops_the_launch_and_says_so() {
    let lab = lab(
        "",
        json!({"troubles": [
            {"action": "RunInstances", "fault": "status", "status": 403, "code": "Forbidden.RAM", "nth": 1, "times": 1000},
        ]}),
    );
    lab.block_on(async |lab| {
        let report = lab.go_on(1, Duration::from_secs(3600)).await;
        assert!(!report.is_converged());
        assert!(said(&report).contains("RunInstances"), "{}", said(&report));
        assert_eq!(launches(lab), 0);
    });
}

#[test]
fn an_accepted_machine_that_vanishes_counts_as_no_stock() {
    for seconds in [0, 10, 40, 100] {
        let lab = lab(
            "",
            json!({"troubles": [
                {"action": "RunInstances", "fault": "vanish", "nth": 2, "times": 2, "seconds": seconds},
            ]}),
        );
        lab.block_on(async |lab| {
            let report = lab.converge(1).await;
            check_built(lab, &report);
        });
    }
}

/// A machine may be taken back in the middle of everything.
#[test]
fn a_machine_that_is_reclaimed_at_any_step_is_replaced_and_nothing_is_left() {
    let moments: Vec<u64> = (1..=60).map(|it| it * 20).collect();
    let worked = each(&moments, |seconds| {
        let lab = lab(
            "",
            json!({"troubles": [
                {"action": "RunInstances", "fault": "reclaim", "nth": 2, "times": 1, "seconds": seconds},
            ]}),
        );
        lab.block_on(async |lab| {
            let report = lab.converge(1).await;
            check_built(lab, &report);
            launches(lab)
        })
    });
    let again = worked.iter().filter(|it| **it == 2).count();
    assert!(worked.iter().all(|it| *it <= 2), "{worked:?}");
    assert!(again > 20, "it was replaced in {again} of {}", worked.len());
    figure(
        "moments at which a builder was reclaimed (C7)",
        &moments.len().to_string(),
    );
}

/// Where each call that changes something stands among those of its action.
fn writes() -> Vec<(String, u64)> {
    lab("", json!({})).block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        let calls = lab.with_world(|it| it.calls().to_vec());
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        let mut writes = Vec::new();
        for call in calls {
            let count = seen.entry(call.action.clone()).or_default();
            *count += 1;
            if call.write {
                writes.push((call.action, *count));
            }
        }
        writes
    })
}

/// There is no room for what is asked for, once or for an hour; then there is.
#[test]
fn a_quota_that_refuses_any_step_is_waited_for_and_nothing_is_left() {
    let writes = writes();
    let times = [1, 1_000_000];
    let points: Vec<_> = writes
        .iter()
        .flat_map(|it| times.map(|times| (it, times)))
        .collect();
    each(&points, |((action, nth), times)| {
        let times = *times;
        let refused = json!({
            "action": action, "nth": nth, "fault": "status", "status": 403, "code": "QuotaExceed.Test", "times": times,
        });
        let what = format!("{action} {nth}, {times} times");
        let lab = lab("", json!({"troubles": [refused]}));
        lab.block_on(async |lab| {
            let _ = lab.go_on(1, Duration::from_secs(3600)).await;
            lab.trouble(&json!([]));
            let report = lab.go_on(2, DAY).await;
            assert!(report.is_converged(), "{what}: {}", report.to_json());
            check_built(lab, &report);
            // A machine that cannot be worked with for a long time is given up, and the next one comes later.
            let most = if times == 1 { 1 } else { 3 };
            assert!(launches(lab) <= most, "{what}: {}", launches(lab));
        });
    });
    assert!(points.len() > 10, "{points:?}");
    figure(
        "steps of a build that a quota refused (C7)",
        &points.len().to_string(),
    );
}

/// Each new machine needs a token of its own, however many went before it had a command.
#[test]
fn machines_that_are_all_reclaimed_before_their_script_do_not_end_the_line() {
    let reclaimed = json!({
        "action": "RunInstances", "fault": "reclaim", "nth": 2, "times": 40, "seconds": 60,
    });
    let lab = lab("", json!({"troubles": [reclaimed]}));
    lab.block_on(async |lab| {
        let report = lab.go_on(1, DAY).await;
        check_built(lab, &report);
        let launches = launches(lab);
        assert!(launches > 8, "{launches} machines");
    });
}

/// Nobody comes back: the cloud releases the machine by itself.
#[test]
fn a_machine_whose_reconciler_never_comes_back_ends_by_itself() {
    let lab = lab("", json!({}));
    lab.block_on(async |lab| {
        let _ = lab.once(1).await;
        assert_eq!(instances(lab).len(), 1);
        let looked = lab.once(2).await;
        let rents: Vec<&Rent> = looked.resources.values().flat_map(|it| &it.rents).collect();
        let [rent] = rents.as_slice() else {
            panic!("one machine is paid for: {rents:?}");
        };
        let (cost, more) = rent.by(rent.since);
        let (until, more) = rent.until.zip(more).expect("it ends by itself");
        let minutes = until.since(rent.since).as_secs() / 60;
        assert!((cost, minutes) <= (0, 121), "{minutes} minutes");
        figure(
            "a builder, if everything of ours died with its launch: minutes, CNY at most",
            &format!("{minutes}, {}", cny(more)),
        );
        lab.wait(DAY).await;
        assert_eq!(instances(lab), []);
        let report = lab.converge(3).await;
        check_built(lab, &report);
    });
}

/// Tokens whose machines vanished are no use to a later pass, and do not keep it from the one that is.
#[test]
fn machines_that_vanished_before_there_was_no_stock_do_not_hold_up_the_next_pass() {
    let vanish =
        json!({"action": "RunInstances", "fault": "vanish", "nth": 2, "times": 2, "seconds": 0});
    let no_stock = json!({
        "action": "RunInstances", "fault": "status", "status": 403, "code": "OperationDenied.NoStock", "nth": 4, "times": 4,
    });
    let lab = lab("", json!({"troubles": [vanish, no_stock]}));
    lab.block_on(async |lab| {
        let report = lab.go_on(1, DAY).await;
        check_built(lab, &report);
        assert_eq!(launches(lab), 3);
    });
}

/// Somebody keeps a machine for himself, by taking off whose it is.
#[test]
fn a_machine_that_somebody_takes_over_does_not_hold_up_the_line() {
    let lab = lab("", json!({}));
    lab.block_on(async |lab| {
        let _ = lab.once(1).await;
        let [machine] = instances(lab).try_into().expect("one machine");
        let id = machine.instance_id.as_str();
        lab.put(&json!({"instances": [{
            "InstanceId": id, "InstanceName": "mine", "ImageId": machine.image_id, "Status": "Running",
            "SpotStrategy": "SpotAsPriceGo", "CreationTime": machine.creation_time,
        }]}));
        let report = lab.go_on(2, DAY).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(launches(lab), 2);
        let left: Vec<String> = instances(lab).into_iter().map(|it| it.instance_name).collect();
        assert_eq!(left, ["mine"]);
    });
}
