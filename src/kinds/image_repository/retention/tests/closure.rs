//! The rules and the closure, each by a small case.

use std::fmt::Write;

use super::super::closure::{Graph, Rule};
use super::{USUAL, close, digest, goes, spec, versions};

#[test]
fn what_a_required_tag_needs_stays_to_the_fixpoint() {
    let text = "
        index 90 latest > amd arm said
        amd 90 -
        arm 90 -
        said 90 -
        outer 90 v1 > inner
        inner 90 - > deep
        deep 90 -
        old 90 - > orphan amd
        orphan 90 -";
    assert_eq!(goes(USUAL, text), "old orphan");
}

#[test]
fn what_is_about_a_version_stays_and_goes_with_it() {
    let text = "
        index 90 latest > amd
        amd 90 -
        signature 90 - @ amd
        report 90 - @ signature
        cosign 90 #amd.sig
        fallback 90 #index > attached
        attached 90 - @ index
        old 90 -
        about 90 - @ old
        named 90 #old.att
        dangling 90 #nobody";
    assert_eq!(goes(USUAL, text), "about named dangling old");
}

#[test]
fn the_sources_of_a_tag_that_stays_stay() {
    let text = "
        latest 90 latest > a b
        a 90 latest-amd64
        b 90 latest-arm64
        release 90 v1 > c d
        c 90 v1-amd64 > e
        d 90 v1-arm64
        e 90 -
        one 80 pr-1 > f
        f 80 pr-1-amd64
        two 70 pr-2 > g
        g 70 pr-2-amd64
        three 60 pr-3 > h
        h 60 pr-3-amd64";
    assert_eq!(
        goes(USUAL, text),
        "one f",
        "each counts once, with its sources"
    );
}

#[test]
fn a_version_stays_when_one_of_its_tags_does() {
    let text = "
        latest 90 latest
        both 90 pr-1,v1
        two 80 pr-2
        three 70 pr-3
        four 60 pr-4";
    assert_eq!(goes(USUAL, text), "two");
}

#[test]
fn the_young_stay_and_those_of_which_nothing_tells_the_age() {
    let text = "
        latest 90 latest
        pushed 0 - > child
        child 90 -
        building 6 pr-1
        ageless ? pr-2
        one 9 pr-3
        two 8 pr-4
        three 7 pr-5
        blob ? -";
    // Those two are the newest that count, since nothing tells that they are not.
    assert_eq!(goes(USUAL, text), "one two three");
    let kept = close(&spec(USUAL), &versions(text)).kept;
    assert_eq!(kept[8], Some(Rule::Ageless));
    assert_eq!(kept[3], Some(Rule::Last(2)));
}

#[test]
fn what_no_rule_is_for_stays() {
    let text = "
        latest 90 latest
        one 90 pr-1
        none 90 -";
    let tagged = r#""tags": ["latest"], "retention": {"tagged": {"olderThan": "7d"}}"#;
    let untagged = r#""tags": ["latest"], "retention": {"untagged": {"olderThan": "7d"}}"#;
    assert_eq!(goes(tagged, text), "one");
    assert_eq!(goes(untagged, text), "none");
}

#[test]
fn a_tag_that_a_pattern_requires_stays_although_its_sources_are_gone() {
    let text = "
        latest 90 latest
        one 90 2.1.0
        two 90 pr-2";
    let more =
        r#""tags": ["latest", {"pattern": "2.*"}], "retention": {"tagged": {"olderThan": "7d"}}"#;
    assert_eq!(goes(more, text), "two");
}

#[test]
fn the_last_version_with_a_tag_stays() {
    let text = "
        one 90 pr-1
        two 80 pr-2 > child
        child 80 -";
    let more = r#""tags": ["latest"], "retention": {"tagged": {"olderThan": "7d"}, "untagged": {"olderThan": "1d"}}"#;
    assert_eq!(goes(more, text), "one");
    assert_eq!(
        close(&spec(more), &versions(text)).kept[1],
        Some(Rule::LastTagged)
    );
}

#[test]
fn a_child_that_is_not_there_makes_only_what_stays_broken() {
    let text = "
        index 90 latest > amd gone
        amd 90 -
        old 90 - > lost";
    let closure = close(&spec(USUAL), &versions(text));
    assert_eq!(closure.broken, [(0, digest("gone"))]);
}

#[test]
fn parents_go_before_what_they_are_put_together_of_and_hang_together() {
    let text = "
        latest 90 latest
        child 90 -
        index 90 - > child other
        other 90 -
        alone 90 -
        signature 90 - @ index";
    assert_eq!(goes(USUAL, text), "alone signature index child other");
    let (spec, versions) = (spec(USUAL), versions(text));
    let graph = Graph::new(&spec, &versions);
    let order = graph.order(&close(&spec, &versions));
    let groups: Vec<usize> = order.iter().map(|(_, group)| *group).collect();
    assert!(groups[1..].iter().all(|it| *it == groups[1]) && groups[0] != groups[1]);
}

#[test]
fn naive_deletion_of_untagged_manifests_would_break_a_tag_and_this_does_not() {
    let text = "
        index 90 latest > amd arm
        amd 90 -
        arm 90 -
        old 90 -";
    let all = versions(text);
    let naive: Vec<_> = all
        .iter()
        .filter(|it| !it.tags.is_empty())
        .cloned()
        .collect();
    let broken = close(&spec(USUAL), &naive).broken;
    assert_eq!(broken, [(0, digest("amd")), (0, digest("arm"))]);
    assert_eq!(goes(USUAL, text), "old");
}

/// What the issue of speed is: time that grows with the versions alone. Debug builds are many times slower, so this bounds
/// the work and `cargo bench` the time.
#[test]
fn twenty_thousand_versions_are_judged_once_each() {
    let mut text = String::new();
    for number in 0..5000 {
        let tag = if number == 0 {
            "latest".to_owned()
        } else {
            format!("pr-{number}")
        };
        writeln!(
            text,
            "i{number} {} {tag} > a{number} b{number} s{number}",
            number % 365 + 1
        )
        .expect("text");
        for child in ["a", "b", "s"] {
            writeln!(text, "{child}{number} {} -", number % 365 + 1).expect("text");
        }
    }
    let (spec, versions) = (spec(USUAL), versions(&text));
    assert_eq!(versions.len(), 20_000);
    let closure = close(&spec, &versions);
    let order = Graph::new(&spec, &versions).order(&closure);
    let kept = closure.kept.iter().filter(|it| it.is_some()).count();
    assert_eq!(kept + order.len(), 20_000);
    // The required one, and all of the last six full days.
    assert_eq!(kept % 4, 0);
    assert!(order.len() > 19_000, "{}", order.len());
}
