//! Launch templates: their pages, their versions, and who may see them.

use serde_json::{Value, json};

use super::Bench;

fn template(n: usize, versions: usize) -> Value {
    let versions: Vec<Value> = (1..=versions)
        .map(
            |it| json!({"VersionNumber": it, "ImageId": format!("m-{it}"), "SnapshotIds": ["s-1"]}),
        )
        .collect();
    json!({"LaunchTemplateId": format!("lt-{n:03}"), "LaunchTemplateName": format!("t{n}"), "Versions": versions})
}

fn bench(denied: &[&str]) -> Bench {
    let mut templates: Vec<Value> = (1..=120).map(|it| template(it, 1)).collect();
    templates[0] = template(1, 60);
    let key = json!({"id": super::ID, "secret": super::SECRET, "denied": denied});
    Bench::new(json!({"keys": [key], "objects": {"launchTemplates": templates}}))
}

#[test]
fn a_page_holds_fifty_at_most_of_templates_and_of_versions() {
    let mut bench = bench(&[]);
    let answer = bench.ok("DescribeLaunchTemplates", &[]);
    let shape = (&answer["TotalCount"], &answer["PageSize"]);
    assert_eq!(shape, (&json!(120), &json!(10)));
    let page = [("PageSize", "50"), ("PageNumber", "3")];
    let ids = bench.list("DescribeLaunchTemplates", &page, "LaunchTemplateId");
    assert_eq!(ids.len(), 20);
    for action in ["DescribeLaunchTemplates", "DescribeLaunchTemplateVersions"] {
        let size = [
            ("PageSize", "51"),
            ("LaunchTemplateName", "t1"),
            ("LaunchTemplateId.1", "lt-1"),
        ];
        let only = if action.ends_with('s') { 1 } else { 2 };
        assert_eq!(
            bench.refused(action, &size[..only]).split(' ').next(),
            Some("400"),
            "{action}"
        );
    }
}

#[test]
fn a_version_says_what_it_launches_only_in_detail() {
    let mut bench = bench(&[]);
    let of = ("LaunchTemplateId", "lt-001");
    let answer = bench.ok("DescribeLaunchTemplateVersions", &[of]);
    let first = &answer["LaunchTemplateVersionSets"]["LaunchTemplateVersionSet"][0];
    assert_eq!(
        (&first["VersionNumber"], &first["DefaultVersion"]),
        (&json!(60), &json!(true))
    );
    assert_eq!(
        (first.get("LaunchTemplateData"), &answer["TotalCount"]),
        (None, &json!(60))
    );
    let answer = bench.ok(
        "DescribeLaunchTemplateVersions",
        &[of, ("DetailFlag", "true")],
    );
    let data =
        &answer["LaunchTemplateVersionSets"]["LaunchTemplateVersionSet"][0]["LaunchTemplateData"];
    assert_eq!(data["ImageId"], "m-60");
    assert_eq!(data["DataDisks"]["DataDisk"][0]["SnapshotId"], "s-1");
}

#[test]
fn a_template_that_does_not_exist_has_no_versions() {
    let mut bench = bench(&[]);
    let missing = [("LaunchTemplateId", "lt-999")];
    assert_eq!(
        bench.refused("DescribeLaunchTemplateVersions", &missing),
        "404 InvalidLaunchTemplate.NotFound"
    );
    assert_eq!(
        bench.refused("DescribeLaunchTemplateVersions", &[]),
        "400 MissingParameter"
    );
}

#[test]
fn without_permission_templates_are_refused() {
    for action in ["DescribeLaunchTemplates", "DescribeLaunchTemplateVersions"] {
        let refusal = bench(&[action]).refused(
            action,
            &[("LaunchTemplateId", "lt-001")][..usize::from(action.ends_with("Versions"))],
        );
        assert_eq!(refusal, "403 Forbidden.RAM");
    }
}

#[test]
fn a_template_without_a_version_is_no_template() {
    let world = json!({"objects": {"launchTemplates": [template(1, 0)]}});
    let refusal = reconcile::sim::scenario::Scenario::from_value(world).expect_err("refused");
    assert_eq!(refusal, "lt-001 has no version");
}
