//! Machines at work: nobody else takes them, and two reconcilers make one.

use std::sync::Arc;

use serde_json::json;

use super::{LAST, base, check_built, edited, images, instances, lab, launches, networked, said};

#[test]
fn a_policy_for_its_tag_never_touches_a_machine_at_work() {
    let policy = "
---
apiVersion: reconcile/v1alpha1
kind: InstancePolicy
metadata: {name: idle}
spec: {regionRef: home, selector: {tags: {GITHUB_RUNNER_TYPE: aliyun-ecs-spot}}, maxAge: 1m, idleAfter: 1m}
";
    let lab = lab(policy, json!({}));
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        assert_eq!(launches(lab), 1);
    });
}

/// Who waits for the line must not leave a machine alone because nothing can be built for the other architecture.
#[test]
fn an_architecture_that_is_stuck_does_not_end_a_run_while_another_is_built() {
    let classes = "instanceClassRefs: {amd64: small, arm64: other}
---
apiVersion: reconcile/v1alpha1
kind: InstanceClass
metadata: {name: other}
spec: {regionRef: home, architecture: arm64}";
    let edits = [
        ("architectures: [amd64]", "architectures: [amd64, arm64]"),
        (LAST, classes),
    ];
    let world = json!({"objects": {"images": [base("20261110", "2026-11-11T03:00:00Z")]}});
    edited(&edits, &networked(world)).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(
            said(&report).contains("NoBase: p-arm64: "),
            "{}",
            said(&report)
        );
        let names: Vec<String> = images(lab).into_iter().map(|it| it.image_name).collect();
        assert_eq!(
            (names, instances(lab)),
            (vec!["p-amd64-latest".to_owned()], Vec::new())
        );
    });
}

#[test]
fn two_reconcilers_that_race_build_one_image() {
    let lab = lab("", json!({}));
    lab.block_on(async |lab| {
        let (one, other) = tokio::join!(lab.converge(1), lab.converge_elsewhere(2));
        check_built(lab, &one);
        check_built(lab, &other);
        assert_eq!(launches(lab), 1);
    });
}

/// The file that it builds for is changed while it builds: nothing else would end it before its release time.
#[test]
fn a_machine_whose_line_builds_no_more_is_released() {
    let edits = [
        (
            "  base: {query: {owner: system, distribution: ubuntu, release: \"24.04\"}}\n",
            "",
        ),
        (
            "  provision: {script: scripts/provision.sh, inputs: {GREETING: hello}}\n",
            "",
        ),
        ("  instanceClassRefs: {amd64: small}", ""),
    ];
    let plain = Arc::clone(&edited(&edits, &networked(json!({}))).inventory);
    let lab = lab("", json!({}));
    lab.block_on(async |lab| {
        let _ = lab.once(1).await;
        assert_eq!(instances(lab).len(), 1);
        let report = lab.converge_to(&plain, 2).await;
        assert_eq!(instances(lab), [], "{}", report.to_json());
        let reads = lab.converge_to(&plain, 3).await.calls.reads;
        assert_eq!(reads, 1, "what is gone is not looked for again");
    });
}
