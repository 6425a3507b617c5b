//! Images that no instance uses and a launch template needs: deleting them stops what is launched tomorrow.

use reconcile::report::{Outcome, Report, State, Style};
use serde_json::{Value, json};

use super::{failures, images, instances, lab, line, names, policy, states};
use crate::proofs::lab::Lab;

/// One more image than is kept: m-3.
const SURPLUS: &str = "
    m-1 latest       11-20T02:17:30 ours L family
    m-2 202611190217 11-19T02:17:30 ours
    m-3 202611180217 11-18T02:17:30 ours";

/// A template whose versions name these, from 1 on.
fn template(id: &str, sources: &[&str]) -> Value {
    let versions = sources.iter().enumerate();
    let versions = versions.map(|(n, it)| json!({"VersionNumber": n + 1, "ImageId": it}));
    let versions: Vec<Value> = versions.collect();
    json!({"LaunchTemplateId": id, "LaunchTemplateName": "web", "Versions": versions})
}

/// The line with that surplus, and these templates.
fn with(templates: &Value) -> Lab {
    let objects = json!({"images": images(SURPLUS), "launchTemplates": templates});
    lab(&line("retention: {keep: 2}"), json!({"objects": objects}))
}

fn said(report: &Report) -> String {
    report.closing_text(Style::Plain)
}

#[test]
fn custodian_6554_an_image_that_any_version_of_a_launch_template_names_is_in_use() {
    with(&json!([template("lt-1", &["m-9", "m-3", "m-9"])])).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(lab.deleted(), [""; 0]);
        let words = "InUse: m-3 stays: launch template web (lt-1) names it in version 2";
        assert!(said(&report).contains(words), "{}", said(&report));
        // One listing of images and snapshots each, one of templates, and one of the versions of the only template.
        let again = lab.once(2).await;
        assert_eq!((again.calls.reads, again.calls.lower_bound), (3, 3));
        assert_eq!(lab.writes(), 0);
    });
}

#[test]
fn custodian_6554_templates_are_read_only_where_an_image_is_to_be_deleted() {
    let objects =
        json!({"images": images(SURPLUS), "launchTemplates": [template("lt-1", &["m-3"])]});
    let lab = lab(&line("retention: {keep: 3}"), json!({"objects": objects}));
    lab.block_on(async |lab| {
        assert!(lab.converge(1).await.is_converged());
        let is_asked =
            lab.with_world(|it| it.calls().iter().any(|it| it.action.contains("Template")));
        assert!(!is_asked);
    });
}

#[test]
fn custodian_6554_a_family_stands_for_its_newest_image_alone() {
    for (source, deleted) in [
        ("acs:image-family:p-amd64", ["m-3"].as_slice()),
        ("old", &[]),
        ("family/old", &[]),
        // Whatever may mean the family counts.
        ("older", &[]),
        ("other", &["m-3"]),
        ("m-3", &[]),
        ("", &["m-3"]),
    ] {
        let mut all = images(SURPLUS);
        all[2]["ImageFamily"] = json!("old");
        let objects = json!({"images": all, "launchTemplates": [template("lt-1", &[source])]});
        let lab = lab(&line("retention: {keep: 2}"), json!({"objects": objects}));
        lab.block_on(async |lab| {
            assert!(lab.converge(1).await.is_converged());
            assert_eq!(lab.deleted(), deleted, "{source}");
        });
    }
}

#[test]
fn custodian_6554_a_template_that_appears_between_plan_and_deletion_keeps_its_image() {
    for source in ["m-3", "p-amd64-old"] {
        let mut all = images(SURPLUS);
        all[2]["ImageFamily"] = json!("p-amd64-old");
        all[2]["DiskDeviceMappings"] = json!({"DiskDeviceMapping": [{"SnapshotId": "s-3"}]});
        let mut lab = lab(
            &line("retention: {keep: 2}"),
            json!({"objects": {"images": all}}),
        );
        let late = json!({"launchTemplates": [template("lt-1", &[source])]});
        // The first look at the image itself: its snapshot is marked to go with it.
        lab.meddle_before("DescribeImages", "m-3", late);
        lab.block_on(async |lab| {
            let report = lab.once(1).await;
            assert_eq!(lab.deleted(), [""; 0], "{source}");
            let is_stale = |it: &Outcome| matches!(it, Outcome::Stale(why) if why.contains("launch template web (lt-1)"));
            let stale = report.actions.iter().filter(|it| is_stale(&it.result));
            assert_eq!(stale.count(), 1, "{}", report.to_json());
            assert!(lab.converge(2).await.is_converged());
            assert_eq!(lab.deleted(), [""; 0], "{source}");
        });
    }
}

#[test]
fn custodian_6554_while_templates_cannot_be_read_no_image_is_deleted_and_all_else_is_done() {
    let mut ways = failures("DescribeLaunchTemplates");
    ways.extend(failures("DescribeLaunchTemplateVersions"));
    let garbage =
        json!({"action": "DescribeLaunchTemplateVersions", "fault": "garbage", "times": 1_000_000});
    ways.push(garbage);
    for way in ways {
        let objects = json!({
            "images": images(SURPLUS),
            "instances": instances("i-1 Running 11-20T02:00:00 ci=yes"),
            "launchTemplates": [template("lt-1", &["m-9"])],
        });
        let all = line("retention: {keep: 2}") + &policy("selector: {tags: {ci: \"yes\"}}");
        lab(&all, json!({"objects": objects})).block_on(async |lab| {
            lab.trouble(&json!([way]));
            let report = lab.once(1).await;
            assert_eq!(lab.deleted(), ["i-1"], "{way}");
            assert_eq!(report.exit_code(), 1, "{way}");
            assert!(!report.is_complete() && !report.is_converged(), "{way}");
            assert_eq!(states(&report, "MachineImage"), [&State::FactUnknown]);
            let words = "m-3  whether a launch template names it is unknown: cannot list the ";
            assert!(said(&report).contains(words), "{}", said(&report));
            lab.trouble(&json!([]));
            assert!(lab.converge(2).await.is_converged());
            assert_eq!(lab.deleted(), ["i-1", "m-3"], "{way}");
        });
    }
}

#[test]
fn custodian_6554_templates_on_every_page_are_read() {
    let mut templates: Vec<Value> = (100..220)
        .map(|it| template(&format!("lt-{it}"), &["m-9"]))
        .collect();
    templates[119] = template("lt-219", &["m-3"]);
    for order in ["newestFirst", "shuffled"] {
        let world = json!({
            "settings": {"listingOrder": order},
            "objects": {"images": images(SURPLUS), "launchTemplates": templates},
        });
        lab(&line("retention: {keep: 2}"), world).block_on(async |lab| {
            assert!(lab.converge(1).await.is_converged());
            assert_eq!(lab.deleted(), [""; 0]);
            // Images, three pages of templates, and the versions of each.
            let again = lab.once(2).await;
            assert_eq!(
                (again.calls.reads, again.calls.lower_bound),
                (1 + 3 + 120, 1 + 3 + 120)
            );
        });
    }
}

#[test]
fn custodian_6554_a_listing_of_templates_that_is_torn_is_no_listing() {
    let templates: Vec<Value> = (100..151)
        .map(|it| template(&format!("lt-{it}"), &["m-9"]))
        .collect();
    for fault in ["torn", "tornShorter"] {
        with(&json!(templates)).block_on(async |lab| {
            let torn =
                json!([{"action": "DescribeLaunchTemplates", "fault": fault, "times": 1_000_000}]);
            lab.trouble(&torn);
            let report = lab.once(1).await;
            assert_eq!((lab.deleted(), report.exit_code()), (vec![], 1), "{fault}");
            let words = "it changed while it was read, 3 times";
            assert!(said(&report).contains(words), "{}", said(&report));
        });
    }
}

#[test]
fn custodian_6554_a_line_that_is_to_go_keeps_what_a_template_names() {
    let absent = line("retention: {keep: 2}").replace("policy: {", "policy: {ensure: Absent, ");
    let templates = json!([template("lt-1", &["p-amd64"])]);
    let objects = json!({"images": images(SURPLUS), "launchTemplates": templates});
    lab(&absent, json!({"objects": objects})).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert_eq!(states(&report, "MachineImage"), [&State::Stalled]);
        assert_eq!(names(lab), ["m-1 latest"]);
    });
}

#[test]
fn custodian_6554_a_failed_image_that_a_template_names_stays_and_says_that_it_holds_the_name() {
    let lines = "
        m-1 latest       11-20T02:17:30 ours CreateFailed
        m-2 202611190217 11-19T02:17:30 ours";
    let objects = json!({"images": images(lines), "launchTemplates": [template("lt-1", &["m-1"])]});
    lab(&line("retention: {keep: 2}"), json!({"objects": objects})).block_on(async |lab| {
        let report = lab.once(1).await;
        assert_eq!((lab.writes(), report.is_converged()), (0, false));
        let words = "m-1 holds the name p-amd64-latest, could not be made, and stays for now";
        assert!(said(&report).contains(words), "{}", said(&report));
    });
}
