//! Machines at work: nobody else takes them, and two reconcilers make one.

use serde_json::json;

use super::{check_built, lab, launches};

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
