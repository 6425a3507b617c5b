//! What went wrong in other tools for want of a closure, one case each, named after where it was told.

use super::{USUAL, goes};

#[test]
fn snok_43_an_image_for_many_platforms_keeps_its_parts() {
    let text = "
        index 90 latest > amd arm
        amd 90 -
        arm 90 -";
    assert_eq!(goes(USUAL, text), "");
}

#[test]
fn snok_63_untagged_parts_are_no_candidates_by_themselves() {
    let text = "
        index 400 v1.0.0 > amd
        amd 400 -
        unused 400 -";
    assert_eq!(goes(USUAL, text), "unused");
}

#[test]
fn snok_95_what_was_said_of_where_an_image_comes_from_stays_with_it() {
    let text = "
        index 90 latest > amd said
        amd 90 -
        said 90 -";
    assert_eq!(goes(USUAL, text), "");
}

#[test]
fn snok_97_parts_stay_when_their_index_is_old_and_kept_by_pattern() {
    let text = "
        latest 1 latest
        index 900 v0.1 > amd arm
        amd 900 -
        arm 900 -";
    assert_eq!(goes(USUAL, text), "");
}

#[test]
fn delete_package_versions_90_parts_older_than_the_newest_ten_stay() {
    let more = r#""tags": ["latest"], "retention": {
        "tagged": {"keepLast": 1, "olderThan": "1d"}, "untagged": {"olderThan": "1d"}}"#;
    let text = "
        index 90 latest > amd arm
        amd 90 -
        arm 90 -
        new 5 pr-9
        noise 4 -
        less 3 -";
    assert_eq!(goes(more, text), "noise less");
}

#[test]
fn delete_package_versions_162_releases_stay_whole_when_only_untagged_ones_are_to_go() {
    let more = r#""tags": ["latest"], "retention": {"untagged": {"olderThan": "1d"}}"#;
    let text = "
        latest 9 latest > a
        a 9 -
        release 300 4.0 > b c
        b 300 -
        c 300 -
        leftover 300 -";
    assert_eq!(goes(more, text), "leftover");
}

#[test]
fn action_ghcr_prune_76_pruning_by_age_leaves_the_parts_of_young_tags() {
    let text = "
        latest 90 latest
        index 0 pr-1 > base
        base 300 -";
    assert_eq!(goes(USUAL, text), "");
}

#[test]
fn gzctf_123_a_tag_that_was_moved_leaves_its_old_index_and_no_shared_part() {
    let text = "
        new 2 latest > shared fresh
        fresh 2 -
        old 90 - > shared stale
        shared 90 -
        stale 90 -";
    assert_eq!(goes(USUAL, text), "old stale");
}

#[test]
fn niks3_479_every_release_stays_whole() {
    let text = "
        latest 1 latest > n
        n 1 -
        one 300 v1 > a b
        a 300 -
        b 300 -
        two 200 v2 > a c
        c 200 -";
    assert_eq!(goes(USUAL, text), "");
}

#[test]
fn moneyman_789_the_parts_of_the_newest_tags_stay() {
    let text = "
        latest 90 latest
        one 50 sha-1 > a
        a 50 -
        two 40 sha-2 > b
        b 40 -
        three 30 sha-3 > c
        c 30 -";
    assert_eq!(goes(USUAL, text), "one a");
}

#[test]
fn ghcr_cleanup_action_1_an_index_and_its_parts_are_one() {
    let text = "
        latest 90 latest > a
        a 90 -
        gone 90 - > b c
        b 90 -
        c 90 -";
    assert_eq!(goes(USUAL, text), "gone b c", "the index goes first");
}

#[test]
fn addon_62_the_tags_of_platforms_stay_while_the_index_does() {
    let text = "
        latest 90 latest > a b
        a 90 latest-amd64
        b 90 latest-arm64
        x 20 pr-1
        y 10 pr-2";
    assert_eq!(goes(USUAL, text), "");
}

#[test]
fn glycemicgpt_552_patterns_are_of_tags_and_never_of_digests() {
    let more = r#""tags": ["latest"], "retention": {
        "tagged": {"keep": ["sha256*"], "olderThan": "7d"}, "untagged": {"olderThan": "1d"}}"#;
    let text = "
        latest 90 latest
        one 90 pr-1
        none 90 -";
    assert_eq!(goes(more, text), "one none");
}

#[test]
fn vault_db_injector_78_no_release_goes_with_another_tag_of_its_digest() {
    let text = "
        release 90 v2.0.1,pr-7,main
        latest 1 latest
        a 50 pr-8
        b 40 pr-9";
    assert_eq!(goes(USUAL, text), "");
}

#[test]
fn peers_34_untagged_is_no_reason_by_itself() {
    let text = "
        index 90 latest > amd arm said
        amd 90 -
        arm 90 -
        said 90 -
        signature 90 - @ index";
    assert_eq!(goes(USUAL, text), "");
}

#[test]
fn peers_36_a_digest_goes_only_when_none_of_its_tags_stays() {
    let text = "
        latest 90 latest
        kept 90 v1,pr-1
        one 80 pr-2
        two 70 pr-3
        three 60 pr-4,pr-5";
    assert_eq!(goes(USUAL, text), "one");
}

#[test]
fn peers_40_the_newest_stay_however_old_they_are_and_the_young_however_many() {
    let text = "
        latest 90 latest
        one 900 pr-1
        two 800 pr-2
        three 700 pr-3";
    assert_eq!(goes(USUAL, text), "one", "keepLast wins over age");
    let text = "
        latest 90 latest
        one 3 pr-1
        two 2 pr-2
        three 1 pr-3";
    assert_eq!(goes(USUAL, text), "", "age wins over keepLast");
}
