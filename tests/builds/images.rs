//! From a stopped machine to `-latest`: images that fail, take hours, or come from a newer base.

use reconcile::sim::history::What;
use serde_json::json;

use super::{DAY, base, check_built, count, images, instances, lab, launches};

#[test]
fn an_image_that_cannot_be_made_is_made_again_of_the_same_machine() {
    let lab = lab(
        "",
        json!({"troubles": [{"action": "CreateImage", "fault": "createFailed", "nth": 1, "times": 1}]}),
    );
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        assert_eq!(launches(lab), 1);
        assert_eq!(count(lab, |it| matches!(it, What::ImageCreated(_))), 2);
    });
}

#[test]
fn a_machine_outlives_its_release_time_while_its_image_is_made() {
    let lab = lab("", json!({"times": {"imageAvailable": 3 * 3600}}));
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        assert_eq!(launches(lab), 1);
    });
}

#[test]
fn a_new_base_image_makes_a_new_image_and_the_old_one_gets_its_date() {
    let newer = base("20261121", "2026-11-21T20:00:00Z");
    let lab = lab(
        "",
        json!({"releases": [{"at": "2026-11-21T20:00:00Z", "image": newer}]}),
    );
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        check_built(lab, &report);
        let first = images(lab);
        lab.wait(DAY).await;
        let report = lab.converge(2).await;
        assert!(report.is_converged(), "{}", report.to_json());
        lab.check_end(&report);
        let both = images(lab);
        assert_eq!(both.len(), 2);
        assert_eq!(both[0].image_id, first[0].image_id);
        assert!(
            both[0].image_name.starts_with("p-amd64-20261121"),
            "{}",
            both[0].image_name
        );
        assert_eq!(both[1].image_name, "p-amd64-latest");
        assert_eq!(instances(lab), []);
        let again = lab.converge(3).await;
        assert!(again.actions.is_empty(), "{}", again.to_json());
    });
}
