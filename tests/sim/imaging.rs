//! `CreateImage` as it can go: slowly, after waiting, longer than its instance lives; and what the world notes of it.

use reconcile::sim::object::ImageStatus;
use serde_json::json;

use super::{Bench, small_world};

const REGION: &str = "cn-hangzhou";

fn create(bench: &mut Bench, instance: &str) -> String {
    let two = [("InstanceId", instance), ("ImageName", "two")];
    let answer = bench.ok("CreateImage", &two);
    answer["ImageId"].as_str().expect("an id").to_owned()
}

/// Status and progress, as they are listed.
fn told(bench: &mut Bench, id: &str) -> String {
    let answer = bench.ok("DescribeImages", &[("ImageId", id), ("Status", "ALL")]);
    let row = &answer["Images"]["Image"][0];
    let text = |name: &str| row[name].as_str().expect("a text").to_owned();
    format!("{} {}", text("Status"), text("Progress"))
}

#[test]
fn progress_rises_until_the_image_is_available() {
    let mut bench = small_world();
    let builder = bench.launch("builder");
    bench.trouble(&json!({"action": "CreateImage", "fault": "imageSlow", "seconds": 2400}));
    let id = create(&mut bench, &builder);
    assert_eq!(told(&mut bench, &id), "Creating 0%");
    bench.wait(1200);
    assert_eq!(told(&mut bench, &id), "Creating 50%");
    bench.wait(1199);
    assert_eq!(told(&mut bench, &id), "Creating 99%");
    bench.wait(1);
    assert_eq!(told(&mut bench, &id), "Available 100%");
}

#[test]
fn an_image_may_have_to_wait_and_holds_its_instance_meanwhile() {
    let mut bench = small_world();
    let builder = bench.launch("builder");
    bench.trouble(&json!({"action": "CreateImage", "fault": "imageWaits", "seconds": 600}));
    let id = create(&mut bench, &builder);
    assert_eq!(told(&mut bench, &id), "Waiting 0%");
    let three = [("InstanceId", builder.as_str()), ("ImageName", "three")];
    assert_eq!(
        bench.refused("CreateImage", &three),
        "403 IncorrectDiskStatus.CreatingSnapshot"
    );
    let rename = [("ImageId", id.as_str()), ("ImageName", "four")];
    assert_eq!(
        bench.refused("ModifyImageAttribute", &rename),
        "403 InvalidStatus.ImageIsCreating"
    );
    bench.wait(600);
    assert!(told(&mut bench, &id).starts_with("Creating"));
    bench.wait(300);
    assert_eq!(told(&mut bench, &id), "Available 100%");
}

#[test]
fn an_image_that_waits_fails_when_its_instance_goes() {
    let mut bench = small_world();
    let builder = bench.launch("builder");
    bench.trouble(&json!({"action": "CreateImage", "fault": "imageWaits", "seconds": 600}));
    let id = create(&mut bench, &builder);
    let builder = [("InstanceId", builder.as_str()), ("Force", "true")];
    bench.ok("DeleteInstance", &builder);
    bench.wait(3000);
    assert_eq!(told(&mut bench, &id), "CreateFailed 0%");
}

#[test]
fn an_image_fails_that_takes_longer_than_its_instance_may_live() {
    let mut bench = small_world();
    let release = [("AutoReleaseTime", "2026-11-21T02:35:00Z")];
    let builder = bench.order(&release);
    bench.wait(60);
    bench.trouble(&json!({"action": "CreateImage", "fault": "imageSlow", "seconds": 2400}));
    let id = create(&mut bench, &builder);
    bench.wait(34 * 60);
    assert_eq!(told(&mut bench, &id), "CreateFailed 0%");
    assert!(bench.world.instances(REGION, bench.now).is_empty());
}

#[test]
fn how_long_an_image_takes_may_be_for_the_seed_to_decide() {
    let took = |seed: u64| {
        let mut bench = Bench::new(json!({
            "seed": seed, "times": {"imageAvailable": [180, 2400]},
            "objects": {"images": [super::image("m-one", "one", "2026-11-01T00:00:00Z")]},
        }));
        let builder = bench.launch("builder");
        let id = create(&mut bench, &builder);
        (0..2500).find(|_| {
            bench.wait(1);
            let images = bench.world.images(REGION, bench.now);
            let image = images.iter().find(|it| it.image_id.as_str() == id);
            image.is_some_and(|it| it.status == ImageStatus::Available)
        })
    };
    let all: Vec<u32> = (1..=8).map(|it| took(it).expect("it ends")).collect();
    assert!(all.iter().all(|it| (179..2400).contains(it)), "{all:?}");
    assert!(all.iter().any(|it| *it != all[0]), "{all:?}");
    assert_eq!(took(3), Some(all[2]));
}

#[test]
fn the_world_notes_whether_the_instance_had_been_provisioned() {
    let mut bench = small_world();
    let mut provisioned = |name: &str, trouble: serde_json::Value| {
        let builder = bench.launch(name);
        bench.admin("PUT", "/_sim/trouble", &trouble);
        let command = [
            ("Type", "RunShellScript"),
            ("CommandContent", "true"),
            ("Timeout", "900"),
            ("InstanceId.1", &builder),
        ];
        bench.ok("RunCommand", &command);
        bench.wait(600);
        let of_it = [("InstanceId", builder.as_str()), ("ImageName", name)];
        bench.ok("CreateImage", &of_it);
        let images = bench.world.images(REGION, bench.now);
        let image = images.iter().find(|it| it.image_name == name);
        let image = image.expect("the image");
        let source = image.source.as_ref().expect("a source");
        assert_eq!(source.as_str(), builder);
        image.provisioned
    };
    let failing = json!([{"action": "RunCommand", "fault": "scriptEnds", "seconds": 60}]);
    assert!(provisioned("good", json!([])));
    assert!(!provisioned("bad", failing));
}
