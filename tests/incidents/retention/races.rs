//! What went wrong between the look at versions and their deletion: tags that move, builds under way, answers that fail.

use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use reconcile::sim::server::{Gate, GatePoint, Side, Verdict};
use serde_json::{Value, json};

use super::HERE;
use super::written::{USUAL, check_whole, go_on, gone, held, manifests, package};
use crate::proofs::lab::Lab;

/// One that nothing needs, beside a tag that is required.
const ONE_TO_GO: &str = "
    latest 90 latest
    part 90 -
    other 90 v0";

fn in_package(manifests: &Value) -> Value {
    json!({"registries": {"ghcr.io": {"repositories": {"example/app": {"manifests": manifests}}}}})
}

/// Lets somebody change the registry right before the `nth` call of `action`, on this object or any.
pub(crate) fn meddle(lab: &mut Lab, call: (&'static str, Option<String>, u32), objects: Value) {
    let (asked, world) = (AtomicU32::new(0), lab.outlook());
    let (action, object, nth) = call;
    lab.gate = Some(Gate::new(move |point: &GatePoint| {
        let is_meant = point.side == Side::Before
            && point.call.action == action
            && (object.is_none() || point.call.object == object);
        if is_meant && asked.fetch_add(1, Ordering::Relaxed) + 1 == nth {
            world().put(&objects);
        }
        Verdict::Go
    }));
}

/// The version whose part was to go, pushed meanwhile, can be pulled; a later run agrees.
fn check_kept(lab: &Lab) {
    lab.block_on(async |lab| {
        let before = held(lab, HERE);
        let _ = lab.once(1).await;
        assert_eq!(gone(lab, HERE, &before), "");
        go_on(lab, 2).await;
        assert_eq!(gone(lab, HERE, &before), "");
        check_whole(lab, HERE);
    });
}

#[test]
fn action_ghcr_prune_76_a_part_that_a_build_under_way_takes_up_stays() {
    let mut lab = package(USUAL, ONE_TO_GO);
    // What is pushed later names what is there by digest.
    let part = lab.block_on(async |lab| {
        let mut held = held(lab, HERE).into_iter();
        let part = held.find(|(_, it)| it.name == "part");
        part.expect("it is there").0.to_string()
    });
    let pushed = json!([{"name": "late", "tags": ["v1"], "of": [part]}]);
    // The first listing is the look; the second one asks right before the deletion what is newest.
    meddle(&mut lab, ("GET versions", None, 2), in_package(&pushed));
    check_kept(&lab);
}

#[test]
fn vault_db_injector_78_a_version_that_is_tagged_as_a_release_after_the_look_stays() {
    let mut lab = package(USUAL, ONE_TO_GO);
    let tagged = json!(manifests("part 90 v9"));
    meddle(&mut lab, ("GET version", None, 1), in_package(&tagged));
    check_kept(&lab);
}

#[test]
fn snok_97_a_part_that_cannot_be_read_hides_what_it_needs_and_so_nothing_goes() {
    for (action, fault) in [
        ("GET manifest", json!({"fault": "status", "status": 429})),
        ("GET manifest", json!({"fault": "status", "status": 500})),
        ("GET manifest", json!({"fault": "status", "status": 404})),
        ("GET manifest", json!({"fault": "garbage"})),
        ("GET versions", json!({"fault": "status", "status": 502})),
        ("GET versions", json!({"fault": "status", "status": 404})),
        ("GET tags", json!({"fault": "status", "status": 403})),
        ("GET tags", json!({"fault": "stale", "seconds": 3600})),
    ] {
        let lab = package(USUAL, ONE_TO_GO);
        lab.block_on(async |lab| {
            let before = held(lab, HERE);
            // A listing of an hour ago lacks this one.
            lab.put(&in_package(&json!(manifests("new 90 v1"))));
            let mut trouble = fault.clone();
            trouble["action"] = json!(action);
            trouble["times"] = json!(1000);
            lab.trouble(&json!([trouble]));
            let _ = lab.once(1).await;
            assert_eq!(gone(lab, HERE, &before), "", "{action} {fault}");
            lab.trouble(&json!([]));
            go_on(lab, 2).await;
            assert_eq!(gone(lab, HERE, &before), "part", "{action} {fault}");
        });
    }
}

#[test]
fn snok_33_a_listing_that_is_torn_between_its_pages_lets_nothing_needed_go() {
    let mut lines = String::from(
        "
        amd 90 -
        latest 90 latest > amd\n",
    );
    for number in 0..150 {
        writeln!(lines, "n{number} {} -", 2 + number).expect("text takes what is written");
    }
    for fault in ["torn", "tornShorter", "tornLonger"] {
        package(USUAL, &lines).block_on(async |lab| {
            lab.trouble(&json!([{"action": "GET versions", "nth": 2, "fault": fault}]));
            let before = held(lab, HERE);
            go_on(lab, 1).await;
            let gone = gone(lab, HERE, &before);
            assert_eq!(gone.split(' ').count(), 150, "{fault}");
            check_whole(lab, HERE);
        });
    }
}

#[test]
fn ghcr_cleanup_action_1_a_deletion_that_fails_half_way_leaves_no_index_without_its_parts() {
    // The first of a group alone, or one after which nobody serves any.
    for (fault, status, times) in [
        ("status", 400, 1),
        ("status", 500, 1000),
        ("dropAfter", 0, 1000),
        ("dropBefore", 0, 1000),
    ] {
        for nth in 1..=3 {
            let lines = "
                a 90 -
                latest 90 latest > a
                b 90 -
                arm-c 90 -
                old 90 pr-1 > b arm-c
                x 20 pr-2
                y 10 pr-3";
            package(USUAL, lines).block_on(async |lab| {
                let struck = json!({"action": "DELETE version", "nth": nth, "times": times, "fault": fault, "status": status});
                lab.trouble(&json!([struck]));
                let before = held(lab, HERE);
                let _ = lab.once(1).await;
                check_whole(lab, HERE);
                lab.trouble(&json!([]));
                go_on(lab, 2).await;
                assert_eq!(gone(lab, HERE, &before), "arm-c b old", "{fault} {status} {nth}");
                check_whole(lab, HERE);
            });
        }
    }
}
