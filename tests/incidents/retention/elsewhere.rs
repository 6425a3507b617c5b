//! What went wrong with deletions by digest, in a registry that takes them: every tag of a digest goes with it.

use std::collections::{BTreeMap, BTreeSet};

use reconcile::ids::Digest;
use reconcile::report::{Action, Outcome};
use serde_json::{Value, json};

use super::races::meddle;
use super::shown;
use super::written::{USUAL, declared, deleted, go_on, goes_from, manifests, package};
use crate::incidents::lab;
use crate::proofs::lab::Lab;

const HARBOR: (&str, &str) = ("harbor.example", "example/app");

fn in_harbor(lines: &str) -> Value {
    json!({"registries": {"harbor.example": {"repositories": {
        "example/app": {"manifests": manifests(lines)}
    }}}})
}

fn harbor(lines: &str) -> Lab {
    let world = json!({"objects": in_harbor(lines)});
    lab(&declared("host: harbor.example", USUAL), world)
}

fn tags(lab: &Lab) -> BTreeMap<String, Digest> {
    let now = lab.now();
    lab.with_world(|it| it.tags(HARBOR, now))
}

/// The tags after a pass that would delete the oldest of three, but somebody pushes this after it was looked at and before
/// it goes. Nothing does.
fn tags_when_pushed(
    lines: &str,
    (action, object): (&'static str, &str),
) -> BTreeMap<String, Digest> {
    let mut lab = harbor(
        "
        latest 90 latest
        one 80 pr-2
        two 70 pr-3
        three 60 pr-4",
    );
    // The first one is the look, the second one is right before the deletion.
    let call = (action, Some(object.to_owned()), 2);
    meddle(&mut lab, call, in_harbor(lines));
    lab.block_on(async |lab| {
        let _ = lab.once(1).await;
        assert!(deleted(lab).is_empty());
        tags(lab)
    })
}

#[test]
fn harbor_8717_harbor_9472_a_digest_goes_only_when_none_of_its_tags_stays() {
    let lines = "
        a 90 latest-amd64
        arm-b 90 latest-arm64
        latest 90 latest > a arm-b
        kept 90 v1,pr-1
        one 80 pr-2
        two 70 pr-3
        three 60 pr-4,pr-5";
    let lab = harbor(lines);
    assert_eq!(goes_from(&lab, HARBOR), "one");
    lab.block_on(async |lab| {
        go_on(lab, 1).await;
        let tags = tags(lab);
        let tags: Vec<&str> = tags.keys().map(String::as_str).collect();
        let expected = "latest latest-amd64 latest-arm64 pr-1 pr-3 pr-4 pr-5 v1";
        assert_eq!(tags.join(" "), expected);
    });
}

#[test]
fn harbor_8717_a_tag_that_moves_after_the_look_takes_no_version_with_it() {
    let call = ("HEAD manifest", "harbor.example/example/app@pr-2");
    assert!(tags_when_pushed("new 0 pr-2", call).contains_key("pr-2"));
}

#[test]
fn harbor_8717_a_tag_that_comes_after_the_look_keeps_its_version() {
    let call = ("GET tags", "harbor.example/example/app");
    let tags = tags_when_pushed("one 80 v9", call);
    assert_eq!(tags["v9"], tags["pr-2"]);
}

#[test]
fn harbor_16335_harbor_23530_what_is_planned_is_what_is_done() {
    let lines = "
        a 90 -
        latest 90 latest > a
        b 90 -
        old 90 - > b
        one 80 pr-1
        two 70 pr-2
        three 60 pr-3
        kept 50 v1,pr-4";
    package(USUAL, lines).block_on(async |lab| {
        let objects = |actions: &[Action], result: &Outcome| {
            let meant = actions.iter().filter(|it| it.result == *result);
            meant
                .filter_map(|it| it.object.clone())
                .collect::<BTreeSet<_>>()
        };
        let planned = lab.plan(1).await;
        assert!(deleted(lab).is_empty());
        let done = lab.once(2).await;
        let done = objects(&done.actions, &Outcome::Done);
        let planned = objects(&planned.actions, &Outcome::Planned);
        assert_eq!(planned, done, "{}", shown(&lab.plan(3).await));
        let gone: BTreeSet<String> = deleted(lab).iter().map(ToString::to_string).collect();
        assert_eq!(gone, done);
        assert_eq!(gone.len(), 4);
    });
}
