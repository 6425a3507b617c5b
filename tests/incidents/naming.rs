//! What went wrong with names, tags and retention: W1 to W8, B1, B4, B10.

use std::time::Duration;

use reconcile::report::State;
use reconcile::sim::history::What;
use serde_json::{Value, json};

use super::{failures, images, instances, lab, line, names, states};
use crate::proofs::lab::Lab;

/// A newer image than the one that `-latest` names, and two more than are kept.
const MOVED_ON: &str = "
    m-1 latest       11-18T02:17:30 ours L family
    m-2 202611190217 11-19T02:17:30 ours
    m-3 202611170217 11-17T02:17:30 ours
    m-4 202611160217 11-16T02:17:30 ours";

fn line_of(spec: &str, images_of_line: &str) -> Lab {
    lab(
        &line(spec),
        json!({"objects": {"images": images(images_of_line)}}),
    )
}

/// Converges, and compares what there is then.
fn check(spec: &str, images_of_line: &str, expected: &[&str]) {
    line_of(spec, images_of_line).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(names(lab), expected);
    });
}

#[test]
fn w1_a_rename_that_fails_deletes_nothing() {
    for failure in failures("ModifyImageAttribute") {
        line_of("retention: {keep: 2}", MOVED_ON).block_on(async |lab| {
            let before = names(lab);
            lab.trouble(&json!([failure]));
            for process in 1..4 {
                let report = lab.once(process).await;
                assert!(
                    !report.is_converged() && report.exit_code() != 0,
                    "{failure}"
                );
                assert_eq!(
                    (names(lab), lab.deleted()),
                    (before.clone(), vec![]),
                    "{failure}"
                );
            }
            lab.trouble(&json!([]));
            let report = lab.converge(4).await;
            assert!(report.is_converged(), "{failure}: {}", report.to_json());
            assert_eq!(names(lab), ["m-1 202611180217", "m-2 latest"], "{failure}");
        });
    }
}

#[test]
fn w1_an_image_that_does_not_say_when_it_was_created_is_renamed_and_kept() {
    let unknown = "
        m-1 latest       -              ours L
        m-2 202611190217 11-19T02:17:30 ours
        m-3 202611170217 11-17T02:17:30 ours";
    check(
        "retention: {keep: 1}",
        unknown,
        &["m-1 197001010000", "m-2 latest"],
    );
}

#[test]
fn w2_latest_moves_only_to_an_image_that_machines_can_be_made_from() {
    let not_yet = [
        "Creating",
        "Waiting",
        "unusable",
        "UnAvailable",
        "Deprecated",
        "CreateFailed",
    ];
    for status in not_yet {
        let new = format!("m-2 202611190217 11-19T02:17:30 ours {status}");
        let old = "m-1 latest 11-18T02:17:30 ours L family";
        line_of("retention: {keep: 2}", &format!("{old}\n{new}")).block_on(async |lab| {
            let _ = lab.converge(1).await;
            assert_eq!(names(lab)[0], "m-1 latest", "{status}");
            lab.put(&json!({"images": images("m-2 202611190217 11-19T02:17:30 ours")}));
            let _ = lab.converge(2).await;
            assert_eq!(names(lab), ["m-1 202611180217", "m-2 latest"], "{status}");
        });
    }
}

#[test]
fn w2_a_name_that_was_given_up_is_taken_within_a_minute_although_that_fails_at_first() {
    line_of("retention: {keep: 2}", MOVED_ON).block_on(async |lab| {
        lab.trouble(
            &json!([{"action": "ModifyImageAttribute", "nth": 2, "times": 2, "fault": "status"}]),
        );
        assert!(lab.converge(1).await.is_converged());
        let at = |is: fn(&str, &str) -> bool| {
            let history = lab.with_world(|it| it.history().to_vec());
            let renamed = history
                .into_iter()
                .find(|it| matches!(&it.what, What::ImageRenamed { from, to, .. } if is(from, to)));
            renamed.expect("both were renamed").at
        };
        let given_up = at(|from, _| from.ends_with("-latest"));
        let taken = at(|_, to| to.ends_with("-latest"));
        assert!(
            taken.since(given_up) < Duration::from_secs(60),
            "{given_up} {taken}"
        );
    });
}

#[test]
fn w3_an_image_that_failed_does_not_wedge_the_line() {
    let failed = "
        m-1 latest       11-20T02:17:30 CreateFailed
        m-2 202611190217 11-19T02:17:30";
    check("retention: {keep: 5}", failed, &["m-2 latest"]);
}

#[test]
fn w3_a_failed_image_of_somebody_else_stays_and_is_reported() {
    let failed = "
        m-1 latest       11-20T02:17:30 CreateFailed theirs
        m-2 202611190217 11-19T02:17:30 ours";
    line_of("retention: {keep: 5}", failed).block_on(async |lab| {
        let before = names(lab);
        let report = lab.converge(1).await;
        assert_eq!(states(&report, "MachineImage"), [&State::Stalled]);
        assert!(report.to_json().to_string().contains("NameTaken"));
        assert_eq!((names(lab), lab.writes()), (before, 0));
    });
}

#[test]
fn w4_k2_keep_counts_the_image_that_latest_names() {
    for keep in 1..=5 {
        let all = "
            m-1 latest       11-20T02:17:30 ours L family
            m-2 202611190217 11-19T02:17:30 ours
            m-3 202611180217 11-18T02:17:30 ours
            m-4 202611170217 11-17T02:17:30 ours";
        let left = [
            "m-1 latest",
            "m-2 202611190217",
            "m-3 202611180217",
            "m-4 202611170217",
        ];
        check(
            &format!("retention: {{keep: {keep}}}"),
            all,
            &left[..keep.min(4)],
        );
    }
}

/// A person's images: two are called exactly as those of the line, the others almost.
const BY_HAND: &str = "
    m-1 latest           11-18T02:17:30
    m-2 202611170217     11-17T02:17:30
    m-3 202611160217     11-16T02:17:30 arm64
    m-4 202611150217     11-15T02:17:30 theirs
    m-5 latest-debug     11-14T02:17:30
    m-6 202611130217-rc1 11-13T02:17:30
    m-7 =p-amd64x-latest 11-12T02:17:30
    m-8 202611110217     11-11T02:17:30 another's";

#[test]
fn w5_a_name_is_no_ownership_where_only_tags_count() {
    line_of("retention: {keep: 1}, adopt: ByTag", BY_HAND).block_on(async |lab| {
        let _ = lab.converge(1).await;
        assert_eq!(lab.writes(), 0);
    });
}

#[test]
fn w5_what_is_adopted_by_its_name_is_only_tagged_at_first_and_look_alikes_never() {
    line_of("retention: {keep: 1}", BY_HAND).block_on(async |lab| {
        let before = names(lab);
        let _ = lab.once(1).await;
        assert_eq!((names(lab), lab.deleted()), (before.clone(), vec![]));
        assert_eq!(lab.writes(), 2, "a tag for each of the two");
        assert!(lab.converge(2).await.is_converged());
        let mut left = before;
        left.remove(1);
        assert_eq!((names(lab), lab.deleted()), (left, vec!["m-2".to_owned()]));
    });
}

#[test]
fn w6_an_image_in_use_stays_until_nothing_uses_it() {
    let world = json!({"objects": {
        "images": images("
            m-1 latest       11-20T02:17:30 ours L family
            m-2 202611190217 11-19T02:17:30 ours
            m-3 202611180217 11-18T02:17:30 ours shared"),
        "instances": instances("i-1 Running 11-20T02:17:00 from=m-2 release=11-21T03:00:00"),
    }});
    lab(&line("retention: {keep: 1}"), world).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(names(lab).len(), 3);
        lab.wait(Duration::from_secs(2 * 3600)).await;
        let _ = lab.converge(2).await;
        assert_eq!(
            names(lab),
            ["m-1 latest", "m-3 202611180217"],
            "a shared one stays"
        );
    });
}

#[test]
fn w7_images_of_one_minute_get_names_of_their_own_and_the_minute_is_utc() {
    let same = "
        m-1 latest       11-18T23:59:50 ours L family
        m-2 latest       11-18T23:59:10 ours
        m-3 202611182359 11-18T23:59:00 ours
        m-4 202611190800 11-19T08:00:00 ours";
    let apart = [
        "m-1 202611190000",
        "m-2 202611190001",
        "m-3 202611182359",
        "m-4 latest",
    ];
    check("retention: {keep: 5}", same, &apart);
}

#[test]
fn w8_the_mark_of_the_latest_is_on_one_image_alone() {
    let marked = MOVED_ON.replace(" ours", " ours L");
    line_of("retention: {keep: 4}", &marked).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        let now = lab.now();
        let images = lab.with_world(|it| it.images(super::REGION, now));
        let marked = images.iter().filter(|it| it.tags.contains_key("Latest"));
        assert_eq!(
            marked.map(|it| it.image_id.as_str()).collect::<Vec<_>>(),
            ["m-2"]
        );
    });
}

#[test]
fn b1_nothing_is_deleted_before_its_successor_serves() {
    line_of("retention: {keep: 1}", MOVED_ON).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        let history = lab.with_world(|it| it.history().to_vec());
        let serves = history.iter().position(
            |it| matches!(&it.what, What::ImageRenamed { to, .. } if to.ends_with("-latest")),
        );
        let deleted = history
            .iter()
            .position(|it| matches!(it.what, What::ImageDeleted { .. }));
        assert!(serves.is_some() && serves < deleted, "{history:#?}");
        assert_eq!(
            lab.deleted(),
            ["m-4", "m-3", "m-1"],
            "the oldest goes first"
        );
    });
}

#[test]
fn b4_the_number_to_keep_has_one_default() {
    line_of("adopt: ByTag", "").block_on(async |lab| {
        let shown: Vec<Value> = lab
            .inventory
            .resources
            .values()
            .map(|it| it.spec_value())
            .collect();
        assert!(
            shown.iter().any(|it| it["retention"]["keep"] == 5),
            "{shown:?}"
        );
        let schema = reconcile::kinds::KINDS
            .iter()
            .find(|it| it.name == "MachineImage");
        let schema = (schema.expect("the kind is there").schema)();
        assert_eq!(
            schema["properties"]["retention"]["default"]["keep"], 5,
            "{schema:#}"
        );
    });
}

#[test]
fn b10_an_image_is_found_by_its_tags_whatever_it_is_called() {
    let odd = "
        m-1 =my-image    11-20T02:17:30 ours
        m-2 latest       11-19T02:17:30 ours L
        m-3 202611180217 11-18T02:17:30 ours
        m-4 202611170217 11-17T02:17:30 another's";
    let expected = ["m-1 latest", "m-2 202611190217", "m-4 202611170217"];
    check("retention: {keep: 2}", odd, &expected);
}
