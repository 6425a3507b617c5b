//! From a stopped machine to `-latest`: images that fail, take hours, or come from a newer base.

use reconcile::report::{Action, Outcome};
use reconcile::sim::history::What;
use serde_json::{Value, json};

use crate::proofs::figure;
use crate::proofs::lab::Lab;

use super::{DAY, base, check_built, count, images, instances, lab, launches, recorded, said};

/// What today's scripts took for a build, calls and seconds, as recorded from them: 300 of these they sleep, whatever their
/// machine does. An answer that got lost costs them a machine, but no time.
fn scripts() -> String {
    let calls = &recorded("skip/01-same-version-exact.json")["upstream"]["api_calls"];
    let calls = calls.as_object().expect("calls were recorded");
    let calls: u64 = calls.values().filter_map(Value::as_u64).sum();
    let lost = &recorded("faults/build-faults.json")["cases"]["runinstances-timeout-lost-response"];
    let seconds = &lost["virtual_seconds"];
    format!("{calls}, {seconds}")
}

fn calls(lab: &Lab) -> usize {
    lab.with_world(|it| it.calls().len())
}

#[test]
fn an_image_that_cannot_be_made_is_made_again_of_the_same_machine() {
    let lab = lab(
        "",
        json!({"troubles": [{"action": "CreateImage", "fault": "createFailed", "nth": 1, "times": 1}]}),
    );
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        assert_eq!(launches(lab), 1);
        assert_eq!(count(lab, |it| matches!(it, What::ImageCreated(_))), 2);
    });
}

#[test]
fn a_machine_outlives_its_release_time_while_its_image_is_made() {
    let lab = lab("", json!({"times": {"imageAvailable": 3 * 3600}}));
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        assert_eq!(launches(lab), 1);
    });
}

/// Each machine's script succeeds, which makes up for nothing.
#[test]
fn images_that_fail_again_and_again_are_given_up_and_no_guard_stands_in_the_way() {
    let fails = json!({"action": "CreateImage", "fault": "createFailed", "times": 1_000_000});
    let lab = lab("", json!({"troubles": [fails]}));
    lab.block_on(async |lab| {
        for process in 1..=30 {
            let report = lab.converge(process).await;
            let is_refused = |it: &Action| matches!(it.result, Outcome::Refused(_));
            assert!(
                !report.actions.iter().any(is_refused),
                "{}",
                report.to_json()
            );
            lab.wait(DAY / 24).await;
        }
        let report = lab.converge(31).await;
        assert!(
            said(&report).contains("6 builds of version"),
            "{}",
            said(&report)
        );
        assert_eq!((instances(lab), images(lab)), (Vec::new(), Vec::new()));
        assert!(launches(lab) <= 6, "{} machines", launches(lab));
    });
}

/// Nothing else would end it: the machine is needed as long as its image is not begun.
#[test]
fn a_quota_that_refuses_the_image_does_not_keep_the_machine() {
    let refused = json!({
        "action": "CreateImage", "fault": "status", "status": 403, "code": "QuotaExceed.Image", "times": 1_000_000,
    });
    let lab = lab("\n  backoff: {limit: 2}", json!({"troubles": [refused]}));
    lab.block_on(async |lab| {
        for process in 1..=60 {
            let _ = lab.converge(process).await;
            lab.wait(DAY / 144).await;
            assert!(instances(lab).len() <= 1);
        }
        let report = lab.converge(61).await;
        assert!(
            said(&report).contains("2 builds of version"),
            "{}",
            said(&report)
        );
        assert_eq!((launches(lab), instances(lab)), (2, Vec::new()));
    });
}

#[test]
fn a_new_base_image_makes_a_new_image_and_the_old_one_gets_its_date() {
    let newer = base("20261121", "2026-11-21T20:00:00Z");
    let lab = lab(
        "",
        json!({
            "releases": [{"at": "2026-11-21T20:00:00Z", "image": newer}],
            "times": {"agentOnline": 30, "provisioning": 300, "imageAvailable": 180},
        }),
    );
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        let first = images(lab);
        lab.wait(DAY).await;
        let (before, since) = (calls(lab), lab.now());
        let report = lab.converge(2).await;
        let seconds = lab.now().since(since).as_secs();
        figure(
            "from a new base image to -latest moved and its builder gone: calls, s; the scripts",
            &format!("{}, {seconds}; {}", calls(lab) - before, scripts()),
        );
        assert!(report.is_converged(), "{}", report.to_json());
        lab.check_end(&report);
        let both = images(lab);
        assert_eq!(both.len(), 2);
        assert_eq!(both[0].image_id, first[0].image_id);
        assert!(
            both[0].image_name.starts_with("p-amd64-20261121"),
            "{}",
            both[0].image_name
        );
        assert_eq!(both[1].image_name, "p-amd64-latest");
        assert_eq!(instances(lab), []);
        let before = calls(lab);
        let again = lab.converge(3).await;
        assert!(again.actions.is_empty(), "{}", again.to_json());
        assert_eq!(again.calls.reads, again.calls.lower_bound);
        figure(
            "a line of which nothing is to be built: calls; the scripts, which build it again: calls, s",
            &format!("{}; {}", calls(lab) - before, scripts()),
        );
    });
}
