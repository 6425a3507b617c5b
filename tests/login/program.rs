//! The whole program without a long-lived key: what it does, prints and keeps.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{assert_no_secret, instance, workflow};
use crate::cli::{Place, Run, finish};

/// The demo's account with the principals of another scenario, and the example files.
fn place(principals: &Value) -> Place {
    let mut world: Value =
        serde_json::from_str(include_str!("../../src/sim/default.json")).expect("JSON");
    for (name, value) in principals.as_object().expect("a scenario is a map") {
        world[name] = value.clone();
    }
    let place = Place::with_machines();
    place.write("world.yaml", &world.to_string());
    place
}

const ALL: [&str; 8] = [
    "--once",
    "--simulate=world.yaml",
    "--wait",
    "2h",
    "--status-dir",
    "status",
    "-v",
    "-v",
];

/// Fails when a secret is printed or kept.
fn assert_tight(place: &Place, run: &Run) {
    assert_no_secret(&run.stdout);
    assert_no_secret(&run.stderr);
    let mut folders = vec![place.path("status")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the status is there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_no_secret(&fs::read_to_string(&path).expect("it is text"));
                files += 1;
            }
        }
    }
    assert!(files > 0);
}

#[test]
fn a_workflow_and_an_instance_do_all_the_work_without_a_key_that_lasts() {
    for principals in [workflow(), instance("required")] {
        let place = place(&principals);
        let run = place.run(&ALL).exits(0);
        assert!(
            run.stdout.ends_with("Everything is as declared.\n"),
            "{}",
            run.stdout
        );
        assert_tight(&place, &run);
    }
}

#[test]
fn troubles_of_every_service_print_no_secret() {
    for service in ["sts", "actions"] {
        for trouble in [
            json!({"fault": "garbage"}),
            json!({"fault": "garbage", "status": 502}),
            json!({"fault": "dropAfter"}),
            json!({"fault": "status", "status": 403, "code": "NoPermission"}),
        ] {
            let mut principals = workflow();
            let mut trouble = trouble;
            trouble["service"] = json!(service);
            trouble["times"] = json!(1000);
            principals["troubles"] = json!([trouble]);
            let place = place(&principals);
            let run = place.run(&["plan", "--simulate=world.yaml", "-v", "-v"]);
            assert!([Some(1), Some(77)].contains(&run.code), "{run:?}");
            assert_no_secret(&format!("{}{}", run.stdout, run.stderr));
            let once = place.run(&["--once", "--simulate=world.yaml", "--status-dir", "status"]);
            assert_tight(&place, &once);
        }
    }
}

#[test]
fn a_role_that_does_not_trust_the_job_is_77_and_no_credentials_at_all_are_78() {
    let mut stranger = workflow();
    stranger["job"]["subject"] = json!("repo:demo/other:pull_request");
    let run = place(&stranger)
        .run(&["plan", "--simulate=world.yaml"])
        .exits(77);
    let words =
        "does the trust policy of acs:ram::1000000000000001:role/ci allow tokens of GitHub Actions";
    assert!(run.stdout.contains(words), "{}", run.stdout);
    let mut nobody = instance("required");
    nobody["metadata"] = json!({});
    let run = place(&nobody)
        .run(&["plan", "--simulate=world.yaml"])
        .exits(78);
    assert!(run.stdout.contains("there are none"), "{}", run.stdout);
}

#[test]
fn a_pull_request_sends_nothing_to_the_endpoint_of_a_state_file() {
    let place = Place::with_machines();
    place.edit(
        "state/region.yaml",
        "  scope: demo\n",
        "  scope: demo\n  endpoint: https://ecs.evil.example\n",
    );
    let mut command = place.command(&["plan"]);
    command
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI-visible")
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "hunter2-secret")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_EVENT_NAME", "pull_request");
    let run = finish(&mut command).exits(78);
    for words in [
        "ecs.evil.example",
        "spec.endpoint",
        "RECONCILE_ALLOWED_HOSTS",
    ] {
        assert!(run.stdout.contains(words), "no {words} in {}", run.stdout);
    }
    let calls = run.stdout.lines().last().unwrap_or_default();
    assert!(calls.contains(" 0 calls"), "{}", run.stdout);
}

/// What `check -v` says after its first line, in an environment that is written as `A=1 B=2`.
fn sources(place: &Place, environment: &str) -> String {
    let mut command = place.command(&["check", "-v"]);
    let pairs = environment
        .split_whitespace()
        .filter_map(|it| it.split_once('='));
    command.envs(pairs);
    let run = finish(&mut command).exits(0);
    assert!(!run.stdout.contains("hunter2"), "{}", run.stdout);
    run.stdout
}

#[test]
fn check_says_where_every_value_comes_from() {
    let place = Place::with_machines();
    let said = sources(
        &place,
        "RECONCILE_STATUS_DIR=kept ALIBABA_CLOUD_ACCESS_KEY_ID=LTAI5tSimulated0001 ALIBABA_CLOUD_ACCESS_KEY_SECRET=hunter2 \
         GITHUB_TOKEN=hunter2 HTTPS_PROXY=http://user:hunter2@proxy.example:3128 ALIYUN_STS_ENDPOINT=https://sts-vpc.cn-beijing.aliyuncs.com",
    );
    for line in [
        "4 resources in state: valid",
        "  state folder       state   [the default]",
        "  status directory   kept   [RECONCILE_STATUS_DIR]",
        "  ecs cn-hangzhou    https://ecs-cn-hangzhou.aliyuncs.com/   [the region's rule]",
        "  vpc cn-hangzhou    https://vpc.aliyuncs.com/   [the region's rule]",
        "  sts                https://sts-vpc.cn-beijing.aliyuncs.com/   [ALIYUN_STS_ENDPOINT]",
        "  metadata           http://100.100.100.200/   [the default]",
        "  credentials        the key LTAI…0001 in ALIBABA_CLOUD_ACCESS_KEY_ID, with ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "  GITHUB_TOKEN       set; for runs and packages of GitHub, and ghcr.io",
        "  GHCR_TOKEN         not set; for packages of GitHub and ghcr.io",
        "  allowed hosts      all   [this is no pull request]",
        "  proxy              proxy.example:3128   [HTTPS_PROXY]",
    ] {
        assert!(said.lines().any(|it| it == line), "no {line} in\n{said}");
    }
    assert!(
        !Path::new(&place.path("kept")).exists(),
        "it writes nothing"
    );
}

#[test]
fn check_says_what_the_credentials_lack_and_which_hosts_a_pull_request_reaches() {
    let place = Place::with_machines();
    place.edit(
        "state/region.yaml",
        "  scope: demo\n",
        "  scope: demo\n  endpoint: https://ecs.evil.example\n",
    );
    let said = sources(
        &place,
        "GITHUB_ACTIONS=true GITHUB_EVENT_NAME=pull_request ALIBABA_CLOUD_OIDC_TOKEN_FILE=/nowhere/token \
         ALIBABA_CLOUD_ROLE_ARN=acs:ram::1000000000000001:role/ci \
         ALIBABA_CLOUD_OIDC_PROVIDER_ARN=acs:ram::1000000000000001:oidc-provider/github",
    );
    for words in [
        "the token in /nowhere/token",
        "credentials lack   cannot read a token of an identity provider (/nowhere/token): No such file",
        "names the host ecs.evil.example, which may not be sent anything secret",
        "allowed hosts      aliyuncs.com,github.com,ghcr.io,pkg-containers.githubusercontent.com,actions.githubusercontent.com,100.100.100.200   [the default for pull requests]",
    ] {
        assert!(said.contains(words), "no {words} in\n{said}");
    }
    let none = sources(&place, "ALIBABA_CLOUD_ACCESS_KEY_ID=LTAI5tSimulated0001");
    assert!(none.contains("none can be taken"), "{none}");
    let mut command = place.command(&["check", "-v", "--output", "json"]);
    let json = finish(&mut command).exits(0).json();
    let sources = json["sources"].as_array().expect("a list");
    assert!(
        sources.iter().any(|it| it["what"] == "credentials"),
        "{json}"
    );
}
