//! Who else may use an image: the cases of `tests/golden/share`.

use std::collections::BTreeSet;
use std::time::Duration;

use reconcile::engine::load;
use reconcile::kinds::KINDS;
use reconcile::sim::history::Call;
use reconcile::sim::object::Image;
use serde_json::{Value, json};

use super::{DAY, LAST, base, check_built, images, instances, lab, recorded, said, written};
use crate::proofs::lab::Lab;

fn accounts(image: &Image) -> BTreeSet<String> {
    image.shared_with.keys().map(ToString::to_string).collect()
}

fn shares(lab: &Lab) -> Vec<Call> {
    let is_share = |it: &&Call| it.action.contains("SharePermission") && it.write;
    lab.with_world(|it| it.calls().iter().filter(is_share).cloned().collect())
}

/// The numbers of real accounts have more digits than those of the case: a shorter one is refused as a slip.
fn longer(account: &Value) -> String {
    format!("{}0000000000001", account.as_str().expect("a number"))
}

/// 01: the scripts sent both accounts as one parameter, which names none, and said that it had worked.
#[test]
fn two_accounts_are_shared_with_in_one_call_and_so_is_what_comes_next() {
    let case = recorded("share/01-two-accounts.json");
    assert_eq!(case["upstream"]["accounts_after"], json!([]));
    let intended = case["intended"]["accounts_after"].as_array();
    let intended: BTreeSet<String> = intended.into_iter().flatten().map(longer).collect();
    let newer = base("20261121", "2026-11-21T20:00:00Z");
    let list: Vec<&str> = intended.iter().map(String::as_str).collect();
    let spec = format!("\n  share: {{accounts: {}}}", json!(list));
    let lab = lab(
        &spec,
        json!({"releases": [{"at": "2026-11-21T20:00:00Z", "image": newer}]}),
    );
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        assert_eq!(accounts(&images(lab)[0]), intended);
        assert_eq!(shares(lab).len(), 1);
        lab.wait(DAY).await;
        let report = lab.converge(2).await;
        assert!(report.is_converged(), "{}", report.to_json());
        let all = images(lab);
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|it| accounts(it) == intended), "{all:?}");
    });
}

/// A call names ten accounts at most (ECS API reference, `ModifyImageSharePermission`), and ignores the others.
#[test]
fn more_accounts_than_a_call_takes_are_all_shared_with() {
    let all: BTreeSet<String> = (20..43).map(|it| format!("{it}00000000000001")).collect();
    let lab = lab(
        &format!("\n  share: {{accounts: {}}}", json!(all)),
        json!({}),
    );
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        assert_eq!(accounts(&images(lab)[0]), all);
        assert_eq!(shares(lab).len(), 3);
    });
}

/// What fails for good ends a run; the next one must not wait for it before it ends what costs money.
#[test]
fn a_machine_is_released_by_the_next_run_although_its_image_cannot_be_shared() {
    let denied = json!({
        "action": "ModifyImageSharePermission", "fault": "status", "status": 403, "code": "Forbidden.RAM",
        "times": 1_000_000,
    });
    let spec = "\n  share: {accounts: [\"2000000000000001\"]}";
    let lab = lab(spec, json!({"troubles": [denied]}));
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(!report.is_converged());
        assert!(
            said(&report).contains("share an image"),
            "{}",
            said(&report)
        );
        let _ = lab.converge(2).await;
        lab.wait(Duration::from_secs(300)).await;
        assert_eq!(instances(lab), []);
        lab.trouble(&json!([]));
        let report = lab.converge(3).await;
        check_built(lab, &report);
    });
}

/// 02: the scripts took `PUBLISH_PUBLIC` and had nothing behind it. Here there is no such field, which is said at once.
#[test]
fn publishing_to_everybody_is_refused_before_anything_is_built() {
    let case = recorded("share/02-public-is-a-placeholder.json");
    assert_eq!(case["upstream"]["exit_code"], 1);
    let spec = format!("{LAST}\n  share: {{accounts: [], public: true}}");
    let folder = written(&[(LAST, &spec)]);
    let findings = load(folder.path(), KINDS).expect_err("there is no such field");
    let said = format!("{findings:?}");
    assert!(said.contains("public"), "{said}");
}

/// 03: where nothing is written nothing is asked.
#[test]
fn an_image_that_is_to_be_shared_with_nobody_costs_no_call() {
    let case = recorded("share/03-nothing.json");
    assert_eq!(case["upstream"]["exit_code"], 0);
    let lab = lab("", json!({}));
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        assert_eq!(accounts(&images(lab)[0]), BTreeSet::new());
        let asked = lab.with_world(|it| {
            let mut calls = it.calls().iter();
            calls.any(|it| it.action.contains("SharePermission"))
        });
        assert!(!asked);
    });
}
