//! What a world begins with, and the admin interface.

use reconcile::sim::scenario::Scenario;
use reconcile::sim::{World, environment};
use serde_json::{Value, json};

use super::{Bench, admin_request, body, image, instance, small_world};

const REGION: &str = "cn-hangzhou";

fn past() -> (World, reconcile::clock::Timestamp) {
    let scenario = Scenario::default_past();
    (World::from_scenario(&scenario), scenario.start)
}

#[test]
fn the_default_past_has_seven_images_an_architecture_and_look_alikes() {
    let (mut world, now) = past();
    let images = world.images(REGION, now);
    for (name, architecture) in [("amd64", "x86_64"), ("arm64", "arm64")] {
        let prefix = format!("demo-runner-{name}-");
        let line: Vec<_> = images
            .iter()
            .filter(|it| it.tags.get("Architecture").is_some_and(|it| it == name))
            .collect();
        assert_eq!(line.len(), 7);
        for image in &line {
            assert_eq!(
                (image.architecture.as_str(), image.tags["Latest"].as_str()),
                (architecture, "true")
            );
            assert!(!image.tags.contains_key("reconcile:managed-by"));
            let dated = format!("{prefix}{}", image.creation_time.minute_digits());
            assert!(image.image_name == dated || image.image_name == format!("{prefix}latest"));
        }
        let newest = line
            .iter()
            .max_by_key(|it| it.creation_time)
            .expect("an image");
        assert!(newest.image_name.starts_with(&format!("{prefix}20261118")));
        let oldest = line
            .iter()
            .min_by_key(|it| it.creation_time)
            .expect("an image");
        assert_eq!(oldest.image_name, format!("{prefix}latest"));
    }
    let own = images.iter().filter(|it| it.image_owner_alias == "self");
    assert_eq!(own.count(), 19);
    assert_eq!(
        images
            .iter()
            .filter(|it| it
                .tags
                .get("reconcile:managed-by")
                .is_some_and(|it| it == "other-team"))
            .count(),
        2
    );
    assert_eq!(world.snapshots(REGION, now).len(), 19);
}

#[test]
fn the_default_past_has_five_instances_and_an_image_in_use() {
    let (mut world, now) = past();
    let instances = world.instances(REGION, now);
    let names: Vec<&str> = {
        let mut names: Vec<&str> = instances
            .iter()
            .map(|it| it.instance_name.as_str())
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(
        names,
        [
            "demo-ci-busy",
            "demo-image-builder-amd64",
            "demo-image-builder-kept",
            "demo-image-builder-stopped",
            "web-1"
        ]
    );
    let busy = instances
        .iter()
        .find(|it| it.instance_name == "demo-ci-busy")
        .expect("the runner");
    let used = world
        .images(REGION, now)
        .into_iter()
        .find(|it| it.image_id == busy.image_id)
        .expect("the image");
    assert!(used.image_name.starts_with("demo-runner-amd64-2026"));
    assert_eq!(now.since(busy.creation_time).as_secs(), 5 * 3600);
}

#[test]
fn refuses_scenarios_that_make_no_sense() {
    let refused = |value: Value| Scenario::from_value(value).expect_err("a refusal");
    assert!(refused(json!({"sead": 1})).contains("unknown field `sead`"));
    assert!(refused(json!({"regions": []})).contains("must not be empty"));
    assert!(refused(json!({"account": "me"})).contains("digits"));
    let twice = json!([instance("i-one", "m-one"), instance("i-one", "m-one")]);
    assert_eq!(
        refused(json!({"objects": {"instances": twice}})),
        "i-one is there twice"
    );
    let mut far = instance("i-one", "m-one");
    far["RegionId"] = json!("cn-nowhere");
    let message = refused(json!({"objects": {"instances": [far]}}));
    assert_eq!(
        message,
        "i-one is in cn-nowhere, which is not among the regions"
    );
}

#[test]
fn tags_are_written_as_the_service_answers_them_or_as_a_map() {
    let (mut list, mut map) = (
        image("m-a", "a1", "2026-11-01T00:00:00Z"),
        image("m-b", "b1", "2026-11-01T00:00:00Z"),
    );
    list["Tags"] = json!({"Tag": [{"TagKey": "k", "TagValue": "v"}]});
    map["Tags"] = json!({"k": "v"});
    let mut bench = Bench::new(json!({"objects": {"images": [list, map]}}));
    let images = bench.world.images(REGION, bench.now);
    assert_eq!(images[0].tags, images[1].tags);
}

#[test]
fn the_state_is_in_the_words_of_the_services_and_sorted() {
    let mut bench = small_world();
    bench.admin(
        "POST",
        "/_sim/objects",
        &json!({"images": [image("m-a", "a1", "2026-11-01T00:00:00Z")]}),
    );
    let state = bench.admin("GET", "/_sim/state", &json!({}));
    assert_eq!(state["now"], "2026-11-21T02:00:00Z");
    let images = state["regions"][REGION]["images"]
        .as_array()
        .expect("a list");
    let names: Vec<_> = images
        .iter()
        .map(|it| (it["ImageId"].as_str(), it["ImageName"].as_str()))
        .collect();
    assert_eq!(
        names,
        [(Some("m-a"), Some("a1")), (Some("m-one"), Some("one"))]
    );
    assert_eq!(
        (&state["runners"], &state["jobs"], &state["registries"]),
        (&json!([]), &json!([]), &json!({}))
    );
}

#[test]
fn the_list_of_calls_says_what_was_asked_of_what() {
    let mut bench = small_world();
    bench.ok("DescribeImages", &[]);
    bench.refused("DeleteImage", &[("ImageId", "m-none")]);
    let calls = bench.admin("GET", "/_sim/calls?after=1", &json!({}));
    let expected = json!({"last": 2, "calls": [{
        "n": 2, "at": "2026-11-21T02:00:00Z", "service": "ecs", "action": "DeleteImage", "object": "m-none",
        "write": true, "status": 404, "code": "InvalidImageId.NotFound",
    }]});
    assert_eq!(calls, expected);
    bench.admin("POST", "/_sim/reset", &json!({}));
    assert_eq!(
        bench.admin("GET", "/_sim/calls", &json!({})),
        json!({"last": 0, "calls": []})
    );
}

#[test]
fn the_admin_interface_says_what_is_wrong() {
    let mut bench = small_world();
    let cases = [
        ("GET", "/_sim/none", "", "there is no GET /_sim/none"),
        (
            "GET",
            "/_sim/calls?before=1",
            "",
            "the query is \"before=1\", it must be after= and a number",
        ),
        (
            "PUT",
            "/_sim/trouble",
            "[{\"fault\":\"fire\"}]",
            "unknown variant `fire`",
        ),
        (
            "POST",
            "/_sim/objects",
            "{\"machines\":[]}",
            "unknown field `machines`",
        ),
    ];
    for (method, path, sent, message) in cases {
        let answer = bench
            .world
            .handle(&admin_request(method, path, sent), bench.now);
        let error = body(&answer)["error"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(answer.status == 400 && error.contains(message), "{error}");
    }
}

#[test]
fn the_environment_points_a_client_at_the_world() {
    let (world, _) = past();
    let environment = environment("http://127.0.0.1:8080", &world);
    let names: Vec<&str> = environment.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "ALIBABA_CLOUD_ACCESS_KEY_ID",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            "ALIYUN_ECS_ENDPOINT",
            "ALIYUN_METADATA_ENDPOINT",
            "ALIYUN_STS_ENDPOINT",
            "ALIYUN_VPC_ENDPOINT",
            "GHCR_TOKEN",
            "GITHUB_API_URL",
            "GITHUB_TOKEN",
            "NO_PROXY",
            "RECONCILE_PASSWORD_REGISTRY_CN_HANGZHOU_ALIYUNCS_COM",
            "RECONCILE_REGISTRIES",
            "RECONCILE_USER_REGISTRY_CN_HANGZHOU_ALIYUNCS_COM",
        ]
    );
    assert_eq!(environment["ALIYUN_STS_ENDPOINT"], "http://127.0.0.1:8080");
}

#[test]
fn a_world_without_keys_points_a_client_at_its_other_ways() {
    let role = json!({"name": "ci", "tokens": {"provider": "x", "audience": "a", "subject": "s"}});
    let scenario = json!({
        "keys": [], "roles": [role], "credentialsUri": "ci",
        "identityProviders": [{"name": "x", "issuer": "i", "audiences": ["a"]}],
        "job": {"requestToken": "t", "subject": "s"},
    });
    let scenario = Scenario::from_value(scenario).expect("a scenario");
    let world = World::from_scenario(&scenario);
    let environment = environment("http://127.0.0.1:8080", &world);
    for (name, value) in [
        (
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "http://127.0.0.1:8080/github/_oidc?api-version=2.0",
        ),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t"),
        (
            "ALIBABA_CLOUD_ROLE_ARN",
            "acs:ram::1000000000000001:role/ci",
        ),
        (
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
            "acs:ram::1000000000000001:oidc-provider/x",
        ),
        (
            "ALIBABA_CLOUD_CREDENTIALS_URI",
            "http://127.0.0.1:8080/credentials",
        ),
    ] {
        assert_eq!(environment[name], value);
    }
    assert!(!environment.contains_key("ALIBABA_CLOUD_ACCESS_KEY_ID"));
}
