//! Deletion: what stays is whole and that is looked at afterwards, and GitHub's limits cost time and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use reconcile::clock::Timestamp;
use reconcile::ids::Digest;
use reconcile::report::{Outcome, Report, State};
use reconcile::sim::registry::history::Happening;
use reconcile::sim::server::{Gate, GatePoint, Side, Verdict};
use serde_json::{Value, json};

use super::{condition, declared, lab, place, shown, tags, world};
use crate::incidents::meddle;
use crate::proofs::lab::Lab;

const SPEC: &str =
    "tags: [latest], retention: {tagged: {keep: ['v*'], olderThan: 7d}, untagged: {olderThan: 1d}}";
const OLD: &str = "2026-08-01T00:00:00Z";
const PLAIN: (&str, &str) = ("registry.example", "example/app");
const ONCE: [&str; 2] = ["--once", "--simulate=world.yaml"];

fn image(name: &str, tags: &[&str]) -> Value {
    let architecture = if name.ends_with("arm64") {
        "arm64"
    } else {
        "amd64"
    };
    json!({
        "name": name, "tags": tags, "platform": format!("linux/{architecture}"), "revision": "r1",
        "layers": [name], "pushed": OLD,
    })
}

/// A merged tag, and a release whose parts have no tags.
fn kept() -> Vec<Value> {
    vec![
        image("a", &["latest-amd64"]),
        image("b-arm64", &["latest-arm64"]),
        json!({"tags": ["latest"], "of": ["a", "b-arm64"], "pushed": OLD}),
        image("part", &[]),
        json!({"tags": ["v1"], "of": ["part", "b-arm64"], "pushed": OLD}),
    ]
}

/// The same, and so many that nothing needs: each without a tag, or with one of its own.
fn crowded(count: usize, is_tagged: bool) -> Value {
    let surplus = (0..count).map(|number| {
        let tag = format!("pr-{number}");
        let tags = if is_tagged {
            vec![tag.as_str()]
        } else {
            Vec::new()
        };
        image(&format!("n{number}"), &tags)
    });
    kept().into_iter().chain(surplus).collect()
}

/// When we deleted what.
fn deletions(lab: &Lab) -> Vec<(Timestamp, Digest)> {
    lab.with_world(|it| {
        let deleted = |it: &Happening| Some((it.at, it.deleted_by_client()?.clone()));
        it.registry_history().iter().filter_map(deleted).collect()
    })
}

/// What is left of it: names of tags, and how many manifests.
fn left(lab: &Lab, place: (&str, &str)) -> (Vec<String>, usize) {
    let now = lab.now();
    lab.with_world(|it| {
        let tags = it.tags(place, now).into_keys().collect();
        (tags, it.manifests(place, now).len())
    })
}

const STAY: [&str; 4] = ["latest", "latest-amd64", "latest-arm64", "v1"];

/// The parts of the index that a tag names, and whether each is there.
fn parts(lab: &Lab, place: (&str, &str), tag: &str) -> BTreeMap<Digest, bool> {
    let now = lab.now();
    lab.with_world(|it| {
        let digest = it.tags(place, now)[tag].clone();
        let there = it.manifests(place, now);
        let index: Value = serde_json::from_slice(&there[&digest].bytes).expect("it is JSON");
        let entries = index["manifests"]
            .as_array()
            .expect("it is an index")
            .iter();
        let digests = entries.filter_map(|it| Digest::parse(it["digest"].as_str()?));
        digests
            .map(|it| (it.clone(), there.contains_key(&it)))
            .collect()
    })
}

/// A registry that deletes manifests itself, and lists only what has a tag.
fn plain(manifests: &Value) -> Lab {
    let state = declared(SPEC).replace("host: ghcr.io", "host: registry.example");
    let repositories = json!({"example/app": {"manifests": manifests}});
    let world =
        json!({"objects": {"registries": {"registry.example": {"repositories": repositories}}}});
    Lab::written(&state, world)
}

fn removed(digest: &Digest) -> Value {
    json!({"registries": {PLAIN.0: {"repositories": {PLAIN.1: {"removed": [digest]}}}}})
}

#[test]
fn a_registry_that_deletes_manifests_keeps_every_index_whole() {
    plain(&crowded(5, true)).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", shown(&report));
        assert_eq!(deletions(lab).len(), 5);
        let (tags, count) = left(lab, PLAIN);
        assert_eq!(
            (tags.as_slice(), count),
            (STAY.map(str::to_owned).as_slice(), 5)
        );
        for tag in ["latest", "v1"] {
            let parts = parts(lab, PLAIN, tag);
            assert!(parts.values().all(|it| *it), "{tag}: {parts:?}");
        }
        let writes = lab.writes();
        assert!(lab.converge_elsewhere(2).await.is_converged());
        assert_eq!(lab.writes(), writes);
    });
}

/// The part of the release that nothing else has.
fn own_part(lab: &Lab) -> Digest {
    let shared = parts(lab, PLAIN, "latest");
    let mut own = parts(lab, PLAIN, "v1").into_keys();
    let own = own.find(|it| !shared.contains_key(it));
    own.expect("it has a part of its own")
}

fn pushed(image: &Value) -> Value {
    json!({"registries": {PLAIN.0: {"repositories": {PLAIN.1: {"manifests": [image]}}}}})
}

fn check_broken(report: &Report, part: &Digest) {
    let app = report.resources.iter().find(|(id, _)| id.name == "app");
    assert_eq!(app.expect("it is declared").1.state, State::Stalled);
    let said = condition(report, "Ready").expect("it is said");
    assert!(said.contains(&format!("v1 lacks {part}")), "{said}");
    assert!(said.contains("push it again"), "{said}");
}

#[test]
fn what_is_kept_is_looked_at_after_a_deletion_and_what_it_lacks_is_told() {
    let mut lab = plain(&crowded(3, true));
    let part = lab.block_on(async |lab| own_part(lab));
    // The registry deletes more than it was asked to; what the release has is known from before.
    meddle(&mut lab, ("DELETE manifest", None, 3), removed(&part));
    lab.block_on(async |lab| {
        let report = lab.once(1).await;
        assert_eq!(deletions(lab).len(), 3, "{}", shown(&report));
        check_broken(&report, &part);
        // Nothing more goes until it is whole.
        lab.put(&pushed(&image("late", &["pr-9"])));
        let report = lab.converge_elsewhere(2).await;
        check_broken(&report, &part);
        assert_eq!(deletions(lab).len(), 3);
        lab.put(&pushed(&image("part", &[])));
        assert!(parts(lab, PLAIN, "v1")[&part]);
        let end = lab.converge(4).await;
        assert!(end.is_converged(), "{}", shown(&end));
        assert_eq!(left(lab, PLAIN).0, STAY);
    });
}

#[test]
fn a_look_afterwards_that_fails_is_no_proof_and_comes_again() {
    let mut lab = plain(&crowded(3, true));
    let part = lab.block_on(async |lab| own_part(lab));
    let (object, world) = (format!("{}/{}@{part}", PLAIN.0, PLAIN.1), lab.outlook());
    // From the first deletion on, nobody is told whether the part is there.
    lab.gate = Some(Gate::new(move |point: &GatePoint| {
        if point.call.action == "DELETE manifest" && point.side == Side::Applied {
            world().trouble(&json!([
                {"object": object, "fault": "status", "status": 503, "times": 1_000_000},
            ]));
        }
        Verdict::Go
    }));
    lab.block_on(async |lab| {
        let first = lab.once(1).await;
        assert_eq!(deletions(lab).len(), 3, "{}", shown(&first));
        assert!(!first.is_converged(), "{}", shown(&first));
        lab.trouble(&json!([]));
        lab.put(&removed(&part));
        check_broken(&lab.once(2).await, &part);
    });
}

#[test]
fn github_is_asked_for_sixty_deletions_a_minute_and_no_more() {
    lab(SPEC, world(&crowded(150, false), json!({}))).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", shown(&report));
        let at: Vec<Timestamp> = deletions(lab).into_iter().map(|it| it.0).collect();
        assert_eq!(at.len(), 150);
        // The first one of a minute, and the sixty that follow it.
        let minutes = at.windows(61).map(|it| it[60].since(it[0]));
        assert!(minutes.min() >= Some(Duration::from_secs(60)));
        assert_eq!(left(lab, super::HERE).1, kept().len());
    });
}

#[test]
fn a_secondary_limit_is_waited_out_and_nothing_is_lost() {
    for limit in [
        // Twelve writes a minute, if nobody reads; GitHub says when to come again.
        json!({"github": {"pointsPerMinute": 60}}),
        // It says so in words alone, each time anew.
        json!({"troubles": [{"action": "DELETE version", "nth": 3, "every": 7, "fault": "status", "status": 403}]}),
        json!({"troubles": [{"action": "DELETE version", "nth": 2, "every": 5, "fault": "status", "status": 429, "seconds": 9}]}),
    ] {
        lab(SPEC, world(&crowded(30, false), limit.clone())).block_on(async |lab| {
            let report = lab.converge(1).await;
            assert!(report.is_converged(), "{limit}: {}", shown(&report));
            assert_eq!(deletions(lab).len(), 30, "{limit}");
            assert_eq!(
                left(lab, super::HERE),
                (STAY.map(str::to_owned).to_vec(), 5)
            );
            let waits = &report.calls.waits.reasons;
            assert!(
                waits.keys().any(|it| it.starts_with("throttling (github")),
                "{waits:?}"
            );
        });
    }
}

#[test]
fn a_budget_that_is_spent_leaves_the_rest_to_the_next_run_and_the_exit_code_says_so() {
    let world = world(&crowded(60, false), json!({"github": {"perHour": 60}}));
    let place = place(SPEC, &world);
    // What is left could not even be listed any more.
    let run = place.run(&ONCE).exits(1);
    assert!(
        run.stdout.contains("the next run goes on with it"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains(" 0 failed"), "{}", run.stdout);
    // Whoever waits for long enough has it done.
    place
        .run(&[&ONCE[..], &["--wait", "10m"]].concat())
        .exits(1);
    place
        .run(&[&ONCE[..], &["--wait", "12h"]].concat())
        .exits(0);
}

#[test]
fn a_deletion_that_githubs_rules_refuse_is_told_with_what_helps_and_others_go_on() {
    let mut manifests = crowded(2, false);
    manifests[5]["downloads"] = json!(5001);
    let mut world = world(&manifests, json!({}));
    world["objects"]["registries"]["ghcr.io"]["repositories"]["example/app"]["public"] =
        json!(true);
    lab(SPEC, world).block_on(async |lab| {
        let before = tags(lab);
        let report = lab.once(1).await;
        let failed = report.actions.iter().find_map(|it| {
            if let Outcome::Failed(fault) = &it.result {
                return Some(fault.to_string());
            }
            None
        });
        let failed = failed.expect("one was refused");
        assert!(failed.contains("5000 downloads"), "{failed}");
        assert!(failed.contains("GitHub's support"), "{failed}");
        assert_eq!(deletions(lab).len(), 1, "{}", shown(&report));
        assert_eq!(tags(lab), before);
    });
}
