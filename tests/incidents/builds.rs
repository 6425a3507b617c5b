//! What went wrong with builds: W12 to W15, W17, W39, A8, B2, B3, B5 to B9, C4, PA5, PA7, PA9.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use reconcile::clock::Timestamp;
use reconcile::engine::load;
use reconcile::kinds::KINDS;
use reconcile::report::State;
use reconcile::sim::history::What;
use reconcile::sim::object::{Image, ImageStatus, Instance};
use serde_json::{Value, json};

use super::{failures, states};
use crate::builds::{
    base, count, edited, images, instances, lab, launches, networked, said, version_tags, written,
};
use crate::proofs::lab::Lab;

const REGION: &str = "cn-hangzhou";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn usual_base() -> Value {
    base("20261110", "2026-11-11T03:00:00Z")
}

/// A script that ends with this code every time.
fn ends_with(code: i64) -> Value {
    json!({"troubles": [{
        "action": "RunCommand", "fault": "scriptEnds", "exitCode": code, "output": 200, "seconds": 60, "times": 99,
    }]})
}

/// The machine that was launched first, as it was then.
fn launched(lab: &Lab) -> Instance {
    let history = lab.with_world(|it| it.history().to_vec());
    let launched = history.into_iter().find_map(|it| {
        let What::InstanceCreated(instance) = it.what else {
            return None;
        };
        Some(*instance)
    });
    launched.expect("one was launched")
}

/// The images that were made, as they were then, and when.
fn made(lab: &Lab) -> Vec<(Timestamp, Image)> {
    let history = lab.with_world(|it| it.history().to_vec());
    let made = history.into_iter().filter_map(|it| {
        let What::ImageCreated(image) = it.what else {
            return None;
        };
        Some((it.at, *image))
    });
    made.collect()
}

/// Whether anybody asked for a machine, or whether there could be one.
fn asked(lab: &Lab) -> bool {
    lab.with_world(|it| it.calls().iter().any(|it| it.action == "RunInstances"))
}

/// What the check finds is told by its exit code; that it finds what an image must not have is tested beside it.
#[test]
fn w12_pa9_no_image_is_made_of_a_machine_in_which_something_was_left_behind() {
    let lab = lab("\n  backoff: {limit: 2}", ends_with(122));
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        assert_eq!(states(&report, "MachineImage"), [&State::Stalled]);
        assert!(said(&report).contains("exit code 122"), "{}", said(&report));
        assert_eq!((launches(lab), made(lab)), (2, vec![]));
        assert_eq!(instances(lab), []);
    });
}

#[test]
fn w13_pa7_an_image_is_made_when_the_script_has_ended_well_however_long_that_takes() {
    for seconds in [30, 299, 1500] {
        let lab = lab("", json!({"times": {"provisioning": seconds}}));
        lab.block_on(async |lab| {
            assert!(lab.converge(1).await.is_converged());
            let at = |is_meant: fn(&What) -> bool| {
                let history = lab.with_world(|it| it.history().to_vec());
                let event = history.into_iter().find(|it| is_meant(&it.what));
                event.expect("it happened").at
            };
            let begun = at(|it| matches!(it, What::CommandBegun { .. }));
            let ended = at(|it| matches!(it, What::CommandEnded { .. }));
            assert_eq!(ended.since(begun), Duration::from_secs(seconds));
            let made = made(lab);
            assert_eq!(made.len(), 1);
            assert!(made[0].0 > ended && made[0].1.provisioned, "{seconds}");
        });
    }
}

#[test]
fn w13_pa7_a8_a_script_that_fails_makes_no_image_and_its_last_words_outlive_the_machine() {
    let lab = lab("\n  backoff: {limit: 1}", ends_with(3));
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        assert_eq!((made(lab), instances(lab)), (vec![], vec![]));
        let said = said(&report);
        assert!(
            said.contains("exit code 3)") && said.contains("at work"),
            "{said}"
        );
    });
}

/// Opens what is sent packed between a line with this and a line with a full stop.
fn unpacked(command: &str, begin: &str) -> String {
    let mut lines = command.lines().skip_while(|it| !it.contains(begin));
    let packed: String = lines.by_ref().skip(1).take_while(|it| *it != ".").collect();
    let packed = STANDARD.decode(packed).expect("it is base64");
    let mut text = String::new();
    let read = GzDecoder::new(packed.as_slice()).read_to_string(&mut text);
    read.expect("it is compressed text");
    text
}

/// The scripts wrote `${ALIYUN_CLI_VERSION}` where a version was meant, and ran what stood in a proxy's address.
#[test]
fn w14_w39_c4_inputs_arrive_as_they_are_written_and_none_of_them_is_read_as_code() {
    let values = [
        ("VERSION", "${ALIYUN_CLI_VERSION}"),
        ("COMMAND", "$(touch /tmp/owned) `touch /tmp/owned`"),
        ("QUOTES", "it's \"quoted\" & 100% \\ done;"),
        ("LINES", "one\ntwo\n.\n\n"),
    ];
    let inputs: BTreeMap<&str, &str> = values.into();
    let inputs = json!(inputs).to_string();
    let edits = [("{GREETING: hello}", inputs.as_str())];
    let world = json!({"objects": {"images": [usual_base()]}});
    edited(&edits, &networked(world)).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        let now = lab.now();
        let sent = lab.with_world(|it| it.invocations(REGION, now));
        let command = STANDARD
            .decode(&sent[0].content)
            .expect("it is sent as base64");
        let command = String::from_utf8(command).expect("it is text");
        let inputs = unpacked(&command, "/inputs\" <<");
        let read = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            let value = STANDARD.decode(value).ok()?;
            Some((name.to_owned(), String::from_utf8(value).ok()?))
        };
        let arrived: BTreeMap<String, String> = inputs.lines().filter_map(read).collect();
        let meant = values.map(|(name, it)| (name.to_owned(), it.to_owned()));
        assert_eq!(arrived, BTreeMap::from(meant));
        assert!(!command.contains("owned"), "{command}");
    });
}

/// Whether a line that was built before is built again after some edits.
fn is_rebuilt(edits: &[(&str, &str)]) -> bool {
    let mut tags = version_tags(&[], &usual_base());
    tags["Latest"] = json!("true");
    let latest = json!({
        "ImageId": "m-before", "ImageName": "p-amd64-latest", "ImageFamily": "p-amd64",
        "CreationTime": "2026-11-20T02:00:00Z", "Tags": tags,
    });
    let world = json!({"objects": {"images": [latest, usual_base()]}});
    edited(edits, &networked(world)).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        launches(lab) > 0
    })
}

#[test]
fn w15_whatever_the_recipe_says_makes_a_new_image_and_nothing_else_does() {
    let recipe = [
        ("echo \"$GREETING\"", "echo \"$GREETING\" again"),
        ("{GREETING: hello}", "{GREETING: goodbye}"),
        ("{GREETING: hello}", "{GREETING: hello, TOOL: \"1.2\"}"),
    ];
    for edit in recipe {
        assert!(is_rebuilt(&[edit]), "{edit:?}");
    }
    let other = [
        ("keep: 2", "keep: 3"),
        ("provision: {", "provision: {timeout: 40m, "),
        ("cpu: {min: 2, max: 4}", "cpu: {min: 4, max: 8}"),
    ];
    assert!(!is_rebuilt(&[]));
    for edit in other {
        assert!(!is_rebuilt(&[edit]), "{edit:?}");
    }
}

#[test]
fn w17_a_newer_image_of_another_release_is_not_built_upon_because_of_the_year_in_its_name() {
    let mut other = base("20241126", "2026-11-20T03:00:00Z");
    for key in ["ImageId", "ImageName"] {
        other[key] = json!("ubuntu_22_04_x64_20G_alibase_20241126.vhd");
    }
    let world = json!({"objects": {"images": [other, usual_base()]}});
    edited(&[], &networked(world)).block_on(async |lab| {
        let _ = lab.once(1).await;
        assert_eq!(launched(lab).image_id.as_str(), usual_base()["ImageId"]);
    });
}

/// The scripts changed the id of the base image, which then was not found; and their next version had no version at all.
#[test]
fn b2_b3_a_forced_build_is_another_version_upon_the_same_base_and_it_may_be_the_first() {
    let forced = ("retention:", "forceNonce: again\n  retention:");
    assert!(is_rebuilt(&[forced]));
    let world = json!({"objects": {"images": [usual_base()]}});
    edited(&[forced], &networked(world)).block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        assert_eq!(launched(lab).image_id.as_str(), usual_base()["ImageId"]);
        assert_eq!((launches(lab), images(lab).len()), (1, 1));
    });
}

#[test]
fn b5_b6_a_disk_holds_its_image_and_some_more_and_no_less_than_is_written() {
    let class = "selection: {maxCandidates: 2}";
    let larger = format!("{class}\n  systemDisk: {{headroom: 512Mi, minSize: 40Gi}}");
    // The edit, the image's size and the disk's, in GiB.
    let cases = [
        (class, 20, 30),
        (class, 100, 110),
        (class, 5, 20),
        (larger.as_str(), 20, 40),
        (larger.as_str(), 100, 101),
    ];
    for (edit, size, disk) in cases {
        let mut image = usual_base();
        image["Size"] = json!(size);
        let world = json!({"objects": {"images": [image]}});
        edited(&[(class, edit)], &networked(world)).block_on(async |lab| {
            let _ = lab.once(1).await;
            assert_eq!(launched(lab).system_disk_size, disk, "{edit} {size}");
        });
    }
}

#[test]
fn b7_an_image_of_the_other_architecture_is_never_asked_for_nor_a_machine_that_could_not_boot_it() {
    let mut arm = usual_base();
    arm["ImageFamily"] = json!("ubuntu");
    arm["Architecture"] = json!("arm64");
    let query = r#"query: {owner: system, distribution: ubuntu, release: "24.04"}"#;
    let world = json!({"objects": {"images": [arm]}});
    let family = [(query, "family: {amd64: ubuntu}")];
    edited(&family, &networked(world)).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(!asked(lab) && said(&report).contains("NoBase"));
    });
    let folder = written(&[("architecture: amd64", "architecture: arm64")]);
    let findings = load(folder.path(), KINDS).expect_err("its class is of the other architecture");
    let told = format!("{findings:?}");
    assert!(told.contains("small") && told.contains("arm64"), "{told}");
}

#[test]
fn b8_where_only_other_distributions_or_releases_are_to_be_had_nothing_is_built() {
    let named = |name: &str| {
        let mut image = usual_base();
        image["ImageId"] = json!(name);
        image["ImageName"] = json!(name);
        image
    };
    let others = [
        named("aliyun_3_x64_20G_alibase_20261110.vhd"),
        named("ubuntu_22_04_x64_20G_alibase_20261110.vhd"),
        named("ubuntu_24_10_x64_20G_alibase_20261110.vhd"),
    ];
    edited(&[], &networked(json!({"objects": {"images": others}}))).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(!report.is_converged() && report.exit_code() != 0);
        assert!(!asked(lab) && said(&report).contains("NoBase"));
    });
}

#[test]
fn b9_what_was_built_is_found_the_next_day_however_names_are_matched() {
    for name_match in ["exact", "substring"] {
        let lab = lab("", json!({"settings": {"imageNameMatch": name_match}}));
        lab.block_on(async |lab| {
            for day in 1..=3 {
                assert!(lab.converge(day).await.is_converged());
                lab.wait(DAY).await;
            }
            let created = count(lab, |it| matches!(it, What::ImageCreated(_)));
            assert_eq!((launches(lab), created), (1, 1), "{name_match}");
        });
    }
}

/// An image that serves while its successor is built.
fn serving() -> Value {
    json!({
        "ImageId": "m-old", "ImageName": "p-amd64-latest", "ImageFamily": "p-amd64",
        "CreationTime": "2026-11-18T02:17:30Z",
        "Tags": {
            "reconcile:managed-by": "test", "reconcile:owner": "MachineImage/line", "reconcile:version": "before",
            "Latest": "true",
        },
    })
}

fn is_latest(image: &Image) -> bool {
    image.image_name == "p-amd64-latest" && image.status == ImageStatus::Available
}

#[test]
fn pa5_latest_serves_at_every_moment_of_a_build_that_takes_hours() {
    let slow = json!({"times": {"imageAvailable": 3 * 3600}, "objects": {"images": [serving()]}});
    let mut lab = lab("", slow);
    let passes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&passes);
    lab.after_pass = Some(Box::new(move |served, pass| {
        let now = served.now();
        let images = served.with_world(|it| it.images(REGION, now));
        assert!(images.iter().any(is_latest), "not after pass {pass}");
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    lab.block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        let names: Vec<String> = images(lab).into_iter().map(|it| it.image_name).collect();
        assert_eq!(names, ["p-amd64-202611180217", "p-amd64-latest"]);
    });
    assert!(passes.load(Ordering::Relaxed) > 50, "{passes:?}");
}

#[test]
fn pa5_a_rename_that_fails_keeps_what_serves_and_deletes_nothing() {
    for failure in failures("ModifyImageAttribute") {
        let mut world = json!({"objects": {"images": [serving()]}});
        world["troubles"] = json!([failure]);
        lab("", world).block_on(async |lab| {
            let _ = lab.go_on(1, Duration::from_secs(3 * 3600)).await;
            let all = images(lab);
            let old = all.iter().find(|it| is_latest(it));
            assert_eq!(old.map(|it| it.image_id.as_str()), Some("m-old"));
            assert_eq!((all.len(), made(lab).len()), (2, 1), "{failure}");
            lab.trouble(&json!([]));
            assert!(lab.converge(2).await.is_converged(), "{failure}");
            assert_eq!((images(lab).len(), launches(lab)), (2, 1), "{failure}");
            assert_eq!(instances(lab), []);
        });
    }
}
