//! When nothing is built, and when something is, against what today's scripts did: the cases of `tests/golden/skip`.
//!
//! Where a recorded image is of a version, it bears the tags that an image of the same base has which `reconcile` built.

use reconcile::sim::history::What;
use serde_json::{Value, json};

use super::{
    DAY, REGION, STEM, THEIRS, base, commands, count, edited, instances, launches, networked,
    recorded, recorded_images, rests, version_tags,
};
use crate::golden_cases::WAYS;
use crate::proofs::lab::Lab;

/// When the base image of the cases was created.
const CREATED: &str = "2025-11-10T03:00:00Z";
const START: &str = "2025-11-25T12:00:00Z";

fn base_created(created: &str) -> Value {
    base("20251110", created)
}

/// The images of a case; those that say of what they were made say it in our words too.
fn translated(case: &Value) -> Vec<Value> {
    let mut images = recorded_images(&case["images"]);
    for image in &mut images {
        let hash = &image["Tags"]["Tag"][0]["TagValue"];
        let hash = hash.as_str().expect("a recorded image has a version");
        let Some((_, created)) = hash.rsplit_once('_').filter(|it| it.1.ends_with('Z')) else {
            continue;
        };
        let mut tags = version_tags(&THEIRS, &base_created(created));
        tags["VersionHash"] = json!(hash);
        image["Tags"] = tags;
    }
    images
}

fn lab(images: &[Value], edits: &[(&str, &str)], (name_match, order): (&str, &str)) -> Lab {
    let mut images = images.to_vec();
    images.push(base_created(CREATED));
    let world = json!({
        "start": START,
        "settings": {"imageNameMatch": name_match, "listingOrder": order, "pageSizeMax": 10},
        "objects": {"images": images},
    });
    let edits: Vec<(&str, &str)> = THEIRS.iter().chain(edits).copied().collect();
    edited(&edits, &networked(world))
}

/// Nothing is launched, run or imaged.
fn check_nothing_is_built(lab: &Lab, what: &str) {
    let created = count(lab, |it| matches!(it, What::ImageCreated(_)));
    assert_eq!(
        (launches(lab), commands(lab), created),
        (0, 0, 0),
        "{what} was built again"
    );
}

/// The id of the image that `-latest` names.
fn latest(lab: &Lab) -> String {
    let now = lab.now();
    let images = lab.with_world(|it| it.images(REGION, now));
    let latest = images
        .iter()
        .find(|it| it.image_name == format!("{STEM}latest"));
    latest
        .map(|it| it.image_id.to_string())
        .expect("it is there")
}

/// 01 to 03: the scripts asked for the first ten images, and built every day where names are matched exactly (01) or where
/// the image was not among them (03).
#[test]
fn an_image_of_the_same_version_is_found_wherever_it_stands_in_a_listing() {
    let cases = [
        "01-same-version-exact",
        "02-same-version-substring",
        "03-same-version-beyond-first-page",
    ];
    for name in cases {
        let case = recorded(&format!("skip/{name}.json"));
        let images = translated(&case);
        for way in WAYS {
            lab(&images, &[], way).block_on(async |lab| {
                let report = lab.converge(1).await;
                assert!(report.is_converged(), "{name}: {}", report.to_json());
                check_nothing_is_built(lab, name);
                assert_eq!(latest(lab), "m-1", "{name}");
                assert_eq!(rests(lab), ["latest"], "{name}");
            });
        }
    }
}

/// 04: the scripts found the version and left it at that, so that no `-latest` was there until the next base.
#[test]
fn an_image_of_which_only_the_dated_name_is_left_becomes_latest_and_is_not_built_again() {
    let case = recorded("skip/04-crash-left-dated-only.json");
    assert_eq!(case["upstream"]["stdout"]["SKIP_BUILD"], "true");
    let images = translated(&case);
    for way in WAYS {
        lab(&images, &[], way).block_on(async |lab| {
            assert_eq!(rests(lab), ["202511200200"]);
            let report = lab.converge(1).await;
            assert!(report.is_converged(), "{}", report.to_json());
            check_nothing_is_built(lab, "04");
            assert_eq!(
                (latest(lab), rests(lab)),
                ("m-1".to_owned(), vec!["latest".to_owned()])
            );
        });
    }
}

/// One build, after which the names are those that the scripts had.
fn check_is_built_once(images: &[Value], edits: &[(&str, &str)], case: &Value) {
    let names = case["upstream"]["final_own_images"].as_array();
    let names = names.into_iter().flatten().map(|it| &it["ImageName"]);
    let mut expected: Vec<&str> = names
        .filter_map(|it| it.as_str()?.strip_prefix(STEM))
        .collect();
    expected.sort_by(|a, b| b.cmp(a));
    assert_eq!(expected.len(), 2);
    lab(images, edits, WAYS[0]).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!((launches(lab), rests(lab)), (1, to_owned(&expected)));
        assert_ne!(latest(lab), "m-1");
        assert_eq!(instances(lab), []);
        lab.wait(DAY).await;
        let _ = lab.converge(2).await;
        assert_eq!(
            (launches(lab), rests(lab)),
            (1, to_owned(&expected)),
            "the next day it is there"
        );
    });
}

fn to_owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|it| (*it).to_owned()).collect()
}

/// 05: to force a build is to want another version; what is there is looked at all the same, and so it is built once.
#[test]
fn another_nonce_is_another_version_and_is_built_once() {
    let case = recorded("skip/05-force-build.json");
    let forced = [("retention:", "forceNonce: again\n  retention:")];
    check_is_built_once(&translated(&case), &forced, &case);
}

/// 06: the same id, created at another time, is another base.
#[test]
fn a_base_image_that_was_made_anew_under_its_id_is_built_upon_once() {
    let case = recorded("skip/06-base-image-recreated.json");
    check_is_built_once(&translated(&case), &[], &case);
}

/// On purpose not as the scripts have it: their version knew the base alone, ours the script and its inputs too. What they
/// built is adopted, served, and replaced once.
#[test]
fn what_the_scripts_built_is_built_once_more_because_they_did_not_say_by_which_recipe() {
    let case = recorded("skip/02-same-version-substring.json");
    check_is_built_once(
        &recorded_images(&case["images"]),
        &[],
        &recorded("skip/01-same-version-exact.json"),
    );
}
