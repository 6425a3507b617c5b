//! What is planned for which images: an image a line, a step a line.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::ids::{ImageId, RegionId, ResourceId, SnapshotId};
use crate::kinds::aliyun_region::Home;
use crate::kinds::architecture::Architecture;
use crate::kinds::tags;
use crate::plan::{Cause, Health};
use crate::providers::aliyun::Place;
use crate::resource::{Policy, Resource, Source};

use super::plan::plan;
use super::seen::{Image, Phase, Seen, Snapshot};
use super::spec::Spec;

pub(super) fn resource(spec: &str) -> Resource<Spec> {
    let mut value = serde_json::json!({
        "regionRef": "r", "namePrefix": "p", "architectures": ["amd64"], "retention": {"keep": 2},
    });
    let changes: serde_json::Value = serde_json::from_str(spec).expect("a test writes JSON");
    for (key, change) in changes.as_object().expect("a test writes an object") {
        value[key] = change.clone();
    }
    Resource {
        id: ResourceId::new("MachineImage", "x"),
        labels: BTreeMap::new(),
        policy: Policy::default(),
        spec: serde_json::from_value(value).expect("a test writes a valid spec"),
        source: Source::start_of("state/x.yaml"),
    }
}

/// Reads `id name @MMDD word…`, where a name is `latest`, the digits of a date, or `=` and the whole name.
fn image(line: &str, resource: &Resource<Spec>) -> Image {
    let mut words = line.split_whitespace();
    let id = words.next().expect("an image has an id");
    let name = words.next().expect("an image has a name");
    let mut image = Image {
        id: ImageId::new(id),
        name: name
            .strip_prefix('=')
            .map_or(format!("p-amd64-{name}"), str::to_owned),
        phase: Phase::Available,
        architecture: Some(Architecture::Amd64),
        created: None,
        in_use: false,
        shared: false,
        size_gib: 20,
        family: None,
        snapshots: vec![SnapshotId::new(&id.replace('m', "s"))],
        progress: String::new(),
        tags: BTreeMap::new(),
    };
    for word in words {
        match word {
            "ours" => image.tags.extend(tags::ownership("demo", &resource.id)),
            "theirs" => image.tags.extend(tags::ownership("other", &resource.id)),
            "L" => drop(
                image
                    .tags
                    .insert(tags::LATEST.to_owned(), "true".to_owned()),
            ),
            "family" => image.family = Some("p-amd64".to_owned()),
            "used" => image.in_use = true,
            "shared" => image.shared = true,
            "making" => image.phase = Phase::Making,
            "failed" => image.phase = Phase::Failed,
            "withdrawn" => image.phase = Phase::Withdrawn,
            "arm64" => image.architecture = Some(Architecture::Arm64),
            date => {
                let (month, day) = date
                    .strip_prefix('@')
                    .expect("a date begins with @")
                    .split_at(2);
                image.created = Timestamp::parse(&format!("2026-{month}-{day}T02:17:30Z"));
            }
        }
    }
    image
}

pub(super) fn seen(images: &str, resource: &Resource<Spec>) -> Seen {
    Seen {
        home: Home {
            place: Place {
                region: RegionId::new("cn-hangzhou"),
                endpoint: None,
            },
            scope: "demo".to_owned(),
        },
        images: images
            .lines()
            .filter(|it| !it.trim().is_empty())
            .map(|it| image(it, resource))
            .collect(),
        images_listed: 0,
        at: Timestamp::parse("2026-11-21T02:00:00Z").expect("a valid time"),
        snapshots: None,
        snapshots_listed: 0,
        bench: None,
        shares: Fact::Known(BTreeMap::new()),
        templates: Some(Fact::Known(Vec::new())),
    }
}

fn show(resource: &Resource<Spec>, seen: &Seen) -> String {
    let plan = plan(resource, seen, seen.at);
    let mut text = String::new();
    for step in &plan.steps {
        let why = match &step.cause {
            Cause::File(field) => format!("file {field}"),
            Cause::Drift => "drift".to_owned(),
            Cause::Clock(rule) => rule.clone(),
            Cause::Upstream(what) => what.clone(),
            Cause::Resume => "resume".to_owned(),
        };
        let verb = crate::kind::Op::verb(&step.op).symbol();
        let _ = writeln!(
            text,
            "{verb} {} {} [{why}]",
            crate::kind::Op::object(&step.op).unwrap_or("new"),
            step.op
        );
    }
    for notice in &plan.notices {
        let _ = writeln!(text, "{}: {}", notice.kind, notice.why.message);
    }
    match &plan.health {
        Health::Ready => {}
        Health::Working(why) => drop(writeln!(text, "working: {}", why.reason)),
        Health::Stuck(why) => drop(writeln!(text, "stuck: {}", why.reason)),
    }
    for unmanaged in &plan.unmanaged {
        let _ = writeln!(text, "alone: {} {}", unmanaged.object, unmanaged.reason);
    }
    text
}

/// Checks what is planned, whatever the order of the listing.
fn check(spec: &str, images: &str, expected: &str) {
    let resource = resource(spec);
    let mut seen = seen(images, &resource);
    let lines = |text: &str| {
        text.lines()
            .map(|it| it.trim().to_owned())
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>()
    };
    for _ in 0..2 {
        assert_eq!(lines(&show(&resource, &seen)), lines(expected));
        seen.images.reverse();
    }
}

#[test]
fn adopts_by_exact_name_and_architecture_and_does_nothing_else_then() {
    check(
        "{}",
        "m-1 latest @1110 L
         m-2 202611120217 @1112
         m-3 202611130217 @1113 arm64
         m-4 latest-debug @1101
         m-5 20261101 @1101
         m-6 =p-amd64x-latest @1101
         m-7 202611140217 @1114 theirs
         m-8 202611150217 @1115 making",
        "~ m-1 adopt p-amd64-latest [an image of this line that nobody owns]
         ~ m-2 adopt p-amd64-202611120217 [an image of this line that nobody owns]
         alone: m-3 its name or architecture is not exactly one of this line
         alone: m-4 its name or architecture is not exactly one of this line
         alone: m-5 its name or architecture is not exactly one of this line
         alone: m-6 its name or architecture is not exactly one of this line
         alone: m-7 it belongs to scope other
         alone: m-8 it is being made",
    );
}

#[test]
fn adopts_nothing_by_tag() {
    check(
        r#"{"adopt": "ByTag"}"#,
        "m-1 latest @1110 L
         m-2 202611120217 @1112 ours",
        "NameTaken: m-1 holds the name p-amd64-latest and is not ours; rename it, or choose another prefix
         stuck: NameTaken
         alone: m-1 nobody owns it, and spec.adopt is ByTag",
    );
}

#[test]
fn moves_latest_by_renaming_the_old_one_first_and_deletes_nothing_in_that_pass() {
    check(
        "{}",
        "m-1 latest @1110 ours L family
         m-2 202611120217 @1112 ours
         m-3 202611090217 @1109 ours
         m-4 202611080217 @1108 ours",
        "~ m-1 p-amd64-latest → p-amd64-202611100217 [m-2 is the newest]
         ~ m-2 p-amd64-202611120217 → p-amd64-latest, family p-amd64 [m-2 is the newest]
         ~ m-2 p-amd64-202611120217 gets the tag Latest=true [m-2 is the newest]
         ~ m-1 p-amd64-latest loses the tag Latest [m-2 is the newest]",
    );
}

#[test]
fn deletes_the_surplus_oldest_first_once_every_name_is_right() {
    check(
        "{}",
        "m-2 latest @1112 ours L family
         m-1 202611100217 @1110 ours
         m-3 202611090217 @1109 ours
         m-4 202611080217 @1108 ours",
        "~ m-4 p-amd64-202611080217: mark snapshot s-4 to go with it [retention.keep=2]
         - m-4 p-amd64-202611080217  20 GiB, created 2026-11-08T02:17:30Z, unused [retention.keep=2]
         ~ m-3 p-amd64-202611090217: mark snapshot s-3 to go with it [retention.keep=2]
         - m-3 p-amd64-202611090217  20 GiB, created 2026-11-09T02:17:30Z, unused [retention.keep=2]",
    );
}

#[test]
fn keeps_what_is_used_shared_listed_or_of_unknown_age() {
    check(
        r#"{"retention": {"keep": 1, "keepIds": ["m-5"], "deleteSnapshots": false}}"#,
        "m-2 latest @1112 ours L family
         m-1 202611100217 @1110 ours used
         m-3 202611090217 @1109 ours shared
         m-4 202611080217 ours
         m-5 202611070217 @1107 ours
         m-6 202611060217 @1106 ours withdrawn
         m-7 202611050217 @1105 ours",
        "- m-7 p-amd64-202611050217  20 GiB, created 2026-11-05T02:17:30Z, unused [retention.keep=1]
         InUse: m-1 (p-amd64-202611100217) is kept beyond keep=1: an instance uses it
         Shared: m-3 (p-amd64-202611090217) is kept beyond keep=1: it is shared with other accounts
         Kept: m-5 (p-amd64-202611070217) is kept beyond keep=1: spec.retention.keepIds names it
         AgeUnknown: m-4 (p-amd64-202611080217) is kept beyond keep=1: the service does not say when it was created",
    );
}

#[test]
fn a_pin_names_an_older_image_and_takes_the_family_from_newer_ones() {
    check(
        r#"{"latest": {"imageId": "m-1"}}"#,
        "m-2 latest @1112 ours L family
         m-1 202611100217 @1110 ours",
        "~ m-2 p-amd64-latest → p-amd64-202611120217 [file spec.latest.imageId]
         ~ m-1 p-amd64-202611100217 → p-amd64-latest, family p-amd64 [file spec.latest.imageId]
         ~ m-1 p-amd64-202611100217 gets the tag Latest=true [file spec.latest.imageId]
         ~ m-2 p-amd64-latest loses the tag Latest [file spec.latest.imageId]
         ~ m-2 p-amd64-latest into family p-amd64-retired [file spec.latest.imageId]",
    );
}

#[test]
fn a_pin_that_names_nothing_stops_the_line() {
    let pin = r#"{"latest": {"imageId": "m-9"}}"#;
    check(pin, "m-1 latest @1110 ours", "stuck: PinMissing");
    check(
        pin,
        "m-1 latest @1110 ours\nm-9 =p-amd64-x @1101 theirs",
        "stuck: PinMissing\nalone: m-9 it belongs to scope other",
    );
    check(
        pin,
        "m-1 latest @1110 ours L family\nm-9 =q @1101 arm64",
        "",
    );
}

#[test]
fn leaves_a_foreign_latest_alone_and_says_so() {
    check(
        "{}",
        "m-1 latest @1110 theirs
         m-2 202611120217 @1112 ours
         m-3 202611090217 @1109 ours
         m-4 202611080217 @1108 ours",
        "NameTaken: m-1 holds the name p-amd64-latest and is not ours; rename it, or choose another prefix
         stuck: NameTaken
         alone: m-1 it belongs to scope other",
    );
}

#[test]
fn waits_for_an_image_that_is_made_under_the_name_latest() {
    check(
        "{}",
        "m-1 latest @1121 making
         m-2 202611120217 @1112 ours L",
        "working: ImageNotAvailable
         alone: m-1 it is being made",
    );
}

#[test]
fn waits_for_an_image_of_ours_that_is_made_under_the_name_latest() {
    check(
        "{}",
        "m-1 latest @1121 ours making
         m-2 202611120217 @1112 ours L",
        "working: ImageNotAvailable",
    );
}

#[test]
fn leaves_a_latest_of_another_architecture_alone_and_says_so() {
    check(
        "{}",
        "m-1 latest @1110 ours arm64
         m-2 202611120217 @1112 ours",
        "NameTaken: m-1 holds the name p-amd64-latest and is of another architecture; rename it, or choose another prefix
         stuck: NameTaken",
    );
}

#[test]
fn removes_a_failed_image_that_holds_the_name_before_the_name_is_given_on() {
    check(
        "{}",
        "m-1 latest @1124 ours failed
         m-2 202611120217 @1112 ours",
        "~ m-1 p-amd64-latest: mark snapshot s-1 to go with it [the image could not be made]
         - m-1 p-amd64-latest  20 GiB, created 2026-11-24T02:17:30Z, unused [the image could not be made]
         ~ m-2 p-amd64-202611120217 → p-amd64-latest, family p-amd64 [m-2 is the newest]
         ~ m-2 p-amd64-202611120217 gets the tag Latest=true [m-2 is the newest]",
    );
}

#[test]
fn takes_the_next_free_minute_the_newest_image_first() {
    check(
        "{}",
        "m-1 =p-amd64-one @1110 ours
         m-2 =p-amd64-two @1110 ours
         m-3 202611100217 @1109 ours
         m-4 latest @1112 ours L family",
        "~ m-1 p-amd64-one → p-amd64-202611100218 [drift]
         ~ m-2 p-amd64-two → p-amd64-202611100219 [drift]",
    );
}

#[test]
fn puts_family_and_mark_right_where_somebody_changed_them() {
    check(
        "{}",
        "m-1 latest @1112 ours
         m-2 202611100217 @1110 ours L",
        "~ m-1 p-amd64-latest into family p-amd64 [drift]
         ~ m-1 p-amd64-latest gets the tag Latest=true [drift]
         ~ m-2 p-amd64-202611100217 loses the tag Latest [drift]",
    );
}

#[test]
fn says_that_there_is_no_image_rather_than_that_all_is_well() {
    check("{}", "", "stuck: NoImage");
    check(
        "{}",
        "m-1 202611100217 @1110 ours making",
        "working: ImageNotAvailable",
    );
    check(
        "{}",
        "m-1 202611100217 @1110 ours withdrawn",
        "stuck: NoImage",
    );
}

#[test]
fn sweeps_snapshots_of_images_that_are_proven_gone() {
    let resource = resource("{}");
    let mut seen = seen("m-1 latest @1112 ours L family", &resource);
    let snapshot = |id: &str, image: &str, scope: &str| Snapshot {
        id: SnapshotId::new(id),
        tags: {
            let mut tags = tags::ownership(scope, &resource.id);
            tags.insert(tags::ORPHAN_OF.to_owned(), image.to_owned());
            tags
        },
    };
    seen.snapshots = Some(vec![
        snapshot("s-9", "m-9", "demo"),
        snapshot("s-8", "m-8", "other"),
        snapshot("s-7", "m-1", "demo"),
        // A person made an image of it since.
        snapshot("s-1", "m-9", "demo"),
    ]);
    assert_eq!(
        show(&resource, &seen),
        "- s-9 snapshot left by m-9 [image m-9 is gone]\n"
    );
}
