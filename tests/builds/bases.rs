//! What is built upon, against what today's `query-ubuntu-image.py` found: `tests/golden/lookup`, 07 to 09. `intended` wins.

use serde_json::json;

use super::{edited, instances, networked, recorded, recorded_images};
use crate::golden_cases::WAYS;

/// Each launches one machine of the image that was meant.
fn check(name: &str) {
    let case = recorded(&format!("lookup/{name}.json"));
    let meant = case["intended"].get("IMAGE_ID");
    let meant = meant.unwrap_or(&case["upstream"]["stdout"]["IMAGE_ID"]);
    for (name_match, order) in WAYS {
        let world = json!({
            "start": "2025-11-25T12:00:00Z",
            "settings": {"imageNameMatch": name_match, "listingOrder": order},
            "objects": {"images": recorded_images(&case["images"])},
        });
        edited(&[], &networked(world)).block_on(async |lab| {
            let _ = lab.once(1).await;
            let of: Vec<String> = instances(lab)
                .iter()
                .map(|it| it.image_id.to_string())
                .collect();
            assert_eq!(json!(of), json!([meant]), "{name}");
        });
    }
}

#[test]
fn the_newest_of_the_release_is_built_upon() {
    check("07-ubuntu-newest-24");
}

/// The scripts' `ubuntu.*24` also fits a 22.04 that was released in 2024.
#[test]
fn another_release_whose_date_looks_like_the_one_is_not() {
    let case = recorded("lookup/08-ubuntu-regex-2204.json");
    assert_ne!(
        case["intended"]["IMAGE_ID"],
        case["upstream"]["stdout"]["IMAGE_ID"]
    );
    check("08-ubuntu-regex-2204");
}

/// The scripts read one page of a hundred, and found nothing.
#[test]
fn an_image_on_the_second_page_is_built_upon() {
    let case = recorded("lookup/09-ubuntu-second-page.json");
    assert_eq!(case["upstream"]["exit_code"], 1);
    check("09-ubuntu-second-page");
}
