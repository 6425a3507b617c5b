//! What the program takes from its environment, and what it says when that is missing.

use super::Place;

#[test]
fn without_credentials_it_says_what_it_looked_for_and_exits_with_78() {
    let place = Place::with_examples();
    let mut command = place.command(&["plan"]);
    let run = super::finish(command.env("HOME", place.path("."))).exits(78);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(
        said.contains("ALIBABA_CLOUD_ACCESS_KEY_ID") && said.contains(".aliyun/config.json"),
        "{said}"
    );
    // Nobody listens there.
    let mut command = place.command(&["image-id", "x", "--region", "cn-hangzhou"]);
    command
        .env_remove("ALIBABA_CLOUD_ECS_METADATA_DISABLED")
        .env("ALIYUN_METADATA_ENDPOINT", "http://127.0.0.1:1");
    let run = super::finish(&mut command).exits(78);
    assert!(
        run.stderr
            .contains("asked the metadata service: no answer from 127.0.0.1:1"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("ALIBABA_CLOUD_ACCESS_KEY_ID"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_demo_asks_no_proxy_and_reads_no_credentials_of_the_user() {
    let place = Place::with_examples();
    let mut command = place.command(&["--once", "--simulate", "--wait", "2h"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    command
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "real")
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "real-secret");
    command.env("ALIYUN_ECS_ENDPOINT", "http://127.0.0.1:9");
    super::finish(&mut command).exits(0);
}

#[test]
fn no_secret_is_printed_logged_or_kept() {
    let place = Place::with_examples();
    let mut command = place.command(&["--once", "-v", "-v", "--status-dir", "status"]);
    command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI-visible");
    command
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "hunter2-secret")
        .env("ALIBABA_CLOUD_SECURITY_TOKEN", "hunter2-token");
    // Nothing answers there: every way of failing is shown.
    command
        .env("ALIYUN_ECS_ENDPOINT", "http://127.0.0.1:9")
        .env("ALIYUN_STS_ENDPOINT", "http://127.0.0.1:9");
    let run = super::finish(&mut command).exits(1);
    let status =
        std::fs::read_to_string(place.path("status/status.json")).expect("the status is there");
    for text in [&run.stdout, &run.stderr, &status] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn the_simulated_cloud_listens_on_loopback_alone() {
    let place = Place::empty();
    place.run(&["simulate", "--listen", "0.0.0.0:0"]).exits(64);
}
