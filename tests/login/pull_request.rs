//! Pull requests: nothing secret goes to a host that is not listed.

use std::collections::BTreeMap;

use reconcile::fault::Class;
use serde_json::{Value, json};

use super::{Login, Place, account, account_with, put, workflow};

/// The variables of a pull request, in which these hosts are listed.
fn pull_request(variables: &mut BTreeMap<String, String>, hosts: &str) {
    put(variables, "GITHUB_ACTIONS", "true");
    put(variables, "GITHUB_EVENT_NAME", "pull_request");
    put(variables, "RECONCILE_ALLOWED_HOSTS", hosts);
}

#[tokio::test(start_paused = true)]
async fn a_listed_host_is_used_and_any_other_gets_nothing() {
    let login = Login::new(&workflow(), |it| pull_request(it, "127.0.0.1")).await;
    assert!(login.arn().await.is_ok());
    let login = Login::new(&workflow(), |it| pull_request(it, "")).await;
    let fault = login.arn().await.expect_err("loopback is not listed");
    assert_eq!((fault.class, fault.service), (Class::Denied, None));
    assert_eq!(login.calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_of_a_state_file_is_refused_before_anything_is_sent() {
    let login = Login::new(&account(), |it| {
        it.remove("ALIYUN_ECS_ENDPOINT");
        pull_request(it, "127.0.0.1");
    })
    .await;
    let place = |endpoint: &str| Place {
        endpoint: Some(endpoint.to_owned()),
        ..login.place.clone()
    };
    for endpoint in [
        "https://ecs.evil.example",
        "http://127.0.0.2:8080",
        "https://ecs.aliyuncs.com",
    ] {
        let place = place(endpoint);
        // Not even STS is asked who we are for such a region.
        for fault in [
            login.clients.aliyun.caller(&place).await.map(|_| ()),
            login.clients.aliyun.images(&place).await.map(|_| ()),
        ] {
            let said = fault.expect_err("it is not listed").to_string();
            let host = endpoint
                .split("//")
                .nth(1)
                .and_then(|it| it.split(':').next());
            assert!(said.contains(host.unwrap_or_default()), "{said}");
            assert!(said.contains("spec.endpoint of the AliyunRegion"), "{said}");
            assert!(
                said.contains("RECONCILE_ALLOWED_HOSTS (now 127.0.0.1)"),
                "{said}"
            );
        }
    }
    assert_eq!(login.calls(), Vec::<String>::new());
    assert_eq!(login.clients.calls().total, 0);
}

/// A setting, and what it names instead of the listed host.
const ELSEWHERE: [(&str, &str); 4] = [
    ("ALIYUN_STS_ENDPOINT", "http://127.0.0.2:8080"),
    ("ALIYUN_METADATA_ENDPOINT", "http://127.0.0.2:8080"),
    (
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "https://tokens.evil.example/?v=1",
    ),
    (
        "ALIBABA_CLOUD_CREDENTIALS_URI",
        "https://keys.evil.example/",
    ),
];

fn scenario_for(setting: &str) -> Value {
    let no_keys = json!({"keys": []});
    match setting {
        "ACTIONS_ID_TOKEN_REQUEST_URL" => workflow(),
        "ALIYUN_STS_ENDPOINT" => account(),
        _ => account_with(&no_keys),
    }
}

#[tokio::test(start_paused = true)]
async fn a_setting_that_leads_elsewhere_is_named() {
    for (setting, url) in ELSEWHERE {
        let login = Login::new(&scenario_for(setting), |it| {
            pull_request(it, "127.0.0.1");
            put(it, setting, url);
        })
        .await;
        let fault = login.arn().await.expect_err("it is not listed");
        assert!(fault.message.contains(setting), "{fault}");
        assert_eq!((fault.class, fault.service), (Class::Denied, None));
        assert_eq!(login.clients.calls().total, 0, "{setting}");
    }
}
