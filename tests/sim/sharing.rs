//! Images that other accounts may use.

use reconcile::sim::history::What;
use serde_json::json;

use super::{Bench, image, small_world};

const ONE: (&str, &str) = ("ImageId", "m-one");

fn accounts(bench: &mut Bench) -> Vec<String> {
    bench.list(
        "DescribeImageSharePermission",
        &[ONE, ("PageSize", "100")],
        "AliyunId",
    )
}

fn is_shared(bench: &mut Bench) -> Vec<String> {
    bench.list("DescribeImages", &[ONE], "IsSelfShared")
}

/// Adds (or with another name removes) accounts in one request.
fn modify(bench: &mut Bench, name: &str, accounts: &[String]) {
    let names: Vec<String> = (1..=accounts.len())
        .map(|n| format!("{name}.{n}"))
        .collect();
    let pairs = names.iter().zip(accounts);
    let pairs = pairs.map(|(name, id)| (name.as_str(), id.as_str()));
    let all: Vec<_> = std::iter::once(ONE).chain(pairs).collect();
    bench.ok("ModifyImageSharePermission", &all);
}

fn ids(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|it| it.to_string()).collect()
}

#[test]
fn an_image_is_shared_and_unshared_and_only_then_deleted() {
    let mut bench = small_world();
    assert_eq!(is_shared(&mut bench), [""]);
    assert!(accounts(&mut bench).is_empty());
    modify(&mut bench, "AddAccount", &ids(100..102));
    assert_eq!(accounts(&mut bench), ["100", "101"]);
    assert_eq!(is_shared(&mut bench), ["True"]);
    assert_eq!(bench.refused("DeleteImage", &[ONE]), "403 ImageUseShared");
    modify(&mut bench, "RemoveAccount", &ids(101..105));
    assert_eq!(accounts(&mut bench), ["100"]);
    modify(&mut bench, "RemoveAccount", &ids(100..101));
    assert_eq!(is_shared(&mut bench), [""]);
    bench.ok("DeleteImage", &[ONE]);
    let mut shared = Vec::new();
    for event in bench.world.history() {
        if let What::ImageShared { with, .. } = &event.what {
            shared.push(with.len());
        }
    }
    assert_eq!(shared, [2, 1, 0]);
}

#[test]
fn more_than_ten_accounts_of_one_request_are_ignored_without_a_word() {
    let mut bench = small_world();
    modify(&mut bench, "AddAccount", &ids(100..115));
    assert_eq!(accounts(&mut bench), ids(100..110));
    modify(&mut bench, "RemoveAccount", &ids(95..110));
    assert_eq!(accounts(&mut bench), ids(105..110));
    let first = bench.ok("DescribeImageSharePermission", &[ONE, ("PageSize", "2")]);
    assert_eq!(first["TotalCount"], json!(5));
    let rows = first["Accounts"]["Account"].as_array().expect("a list");
    assert_eq!(rows.len(), 2);
}

#[test]
fn an_image_is_shared_with_at_most_fifty() {
    let mut bench = small_world();
    for first in [100, 110, 120, 130, 140] {
        modify(&mut bench, "AddAccount", &ids(first..first + 10));
    }
    let more = [ONE, ("AddAccount.1", "200")];
    assert_eq!(
        bench.refused("ModifyImageSharePermission", &more),
        "403 QuotaExceed.ShareImageUser"
    );
    bench.ok(
        "ModifyImageSharePermission",
        &[ONE, ("AddAccount.1", "200"), ("RemoveAccount.1", "100")],
    );
    assert_eq!(accounts(&mut bench).len(), 50);
}

#[test]
fn what_cannot_be_shared_or_with_whom() {
    let mut theirs = image("m-theirs", "theirs", "2026-11-01T00:00:00Z");
    theirs["ImageOwnerAlias"] = json!("others");
    let mut old = image("m-old", "old", "2026-11-01T00:00:00Z");
    old["Status"] = json!("Deprecated");
    let one = image("m-one", "one", "2026-11-01T00:00:00Z");
    let mut bench = Bench::new(json!({"objects": {"images": [one, old, theirs]}}));
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[("AddAccount.1", "12a")], "404 InvalidAccount.NotFound"),
        (&[("RemoveAccount.1", "all")], "404 InvalidAccount.NotFound"),
        (
            &[("AddAccount.1", "1000000000000001")],
            "404 InvalidAccount.Forbbiden",
        ),
        (
            &[("AddAccount.1", "42"), ("ImageId", "m-theirs")],
            "404 InvalidImageId.NotFound",
        ),
        (
            &[("AddAccount.1", "42"), ("ImageId", "m-old")],
            "403 OperationDenied.InvalidImageStatus",
        ),
        (&[], "400 MissingParameter"),
        (&[("IsPublic", "true")], "400 UnsupportedOperation"),
        (
            &[("AddAccount.1", "42"), ("DryRun", "true")],
            "400 DryRunOperation",
        ),
    ];
    for (more, refusal) in cases {
        let all: Vec<_> = std::iter::once(&ONE).chain(more).copied().collect();
        let refused = bench.refused("ModifyImageSharePermission", &all);
        assert_eq!(refused, refusal, "{more:?}");
    }
    assert!(accounts(&mut bench).is_empty());
}
