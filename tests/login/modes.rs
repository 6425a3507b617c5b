//! Every provider of the chain, from where it is written to a call that succeeds.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    Login, PROVIDER, ROLE, account, account_with, forget_keys, instance, put, token, with_key,
    workflow,
};

const SESSION: &str = "acs:ram::1000000000000001:assumed-role/ci";

/// Asks who we are and lists something, and says who and with which calls besides.
async fn asked(login: &Login) -> (String, Vec<String>) {
    let arn = login.arn().await.expect("the key is good");
    let images = login.clients.aliyun.images(&login.place).await;
    assert!(images.is_ok(), "{images:?}");
    let mut calls = login.calls();
    let last = calls.split_off(calls.len() - 2);
    assert_eq!(
        last,
        ["sts GetCallerIdentity 200", "ecs DescribeImages 200"]
    );
    let counted = login.clients.calls();
    assert_eq!(counted.total, counted.reads);
    assert_eq!(counted.total, 2 + login.clients.calls_for_credentials());
    (arn, calls)
}

#[tokio::test(start_paused = true)]
async fn a_workflow_needs_no_long_lived_key() {
    let login = Login::new(&workflow(), |_| {}).await;
    let (arn, calls) = asked(&login).await;
    assert_eq!(arn, format!("{SESSION}/reconcile"));
    assert_eq!(
        calls,
        ["actions GetIdToken 200", "sts AssumeRoleWithOIDC 200"]
    );
    let services = login.clients.calls().by_service;
    assert_eq!((services["actions"], services["sts"]), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_token_file_gives_a_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    let login = Login::new(&account_with(&json!({"keys": []})), |it| {
        put(it, "ALIBABA_CLOUD_ROLE_ARN", ROLE);
        put(it, "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", PROVIDER);
        put(
            it,
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
            &path.display().to_string(),
        );
        put(it, "ALIBABA_CLOUD_ROLE_SESSION_NAME", "pod-7@demo");
    })
    .await;
    let text = token(login.clients.now(), 600);
    std::fs::write(&path, text + "\n").expect("a file can be written");
    let (arn, calls) = asked(&login).await;
    assert_eq!(arn, format!("{SESSION}/pod-7@demo"));
    assert_eq!(calls, ["sts AssumeRoleWithOIDC 200"]);
}

/// Profiles, the first of which is taken; the end of who we are then; the calls that it takes.
fn profiles(folder: &Path) -> Vec<(Value, &'static str, &'static [&'static str])> {
    let path = folder.join("token").display().to_string();
    let role = json!({"name": "role", "mode": "RamRoleArn", "ram_role_arn": ROLE, "ram_session_name": "nightly"});
    let chain = json!({
        "name": "chain", "mode": "ChainableRamRoleArn", "source_profile": "role",
        "ram_role_arn": "acs:ram::1000000000000001:role/two", "external_id": "demo-1",
        "policy": "{\"Version\":\"1\"}",
    });
    let by_token = json!({
        "name": "oidc", "mode": "OIDC", "ram_role_arn": ROLE, "oidc_provider_arn": PROVIDER,
        "oidc_token_file": path, "expired_seconds": 7200,
    });
    vec![
        (
            json!([with_key(&json!({"name": "key", "mode": "AK"}))]),
            "user/ci",
            &[],
        ),
        (
            json!([with_key(&role)]),
            "assumed-role/ci/nightly",
            &["sts AssumeRole 200"],
        ),
        (
            json!([chain, with_key(&role)]),
            "assumed-role/two/reconcile",
            &["sts AssumeRole 200", "sts AssumeRole 200"],
        ),
        (
            json!([by_token]),
            "assumed-role/ci/reconcile",
            &["sts AssumeRoleWithOIDC 200"],
        ),
        (
            json!([{"name": "ecs", "mode": "EcsRamRole"}]),
            "assumed-role/ci/instance",
            &[
                "metadata GetToken 200",
                "metadata GetRole 200",
                "metadata GetRoleKey 200",
            ],
        ),
        (
            json!([{"name": "ecs", "mode": "EcsRamRole", "ram_role_name": "ci"}]),
            "assumed-role/ci/instance",
            &["metadata GetToken 200", "metadata GetRoleKey 200"],
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_mode_of_a_profile_gives_a_key() {
    let folder = tempfile::tempdir().expect("a folder");
    for (profiles, end, expected) in profiles(folder.path()) {
        let scenario = account_with(&json!({"metadata": {"role": "ci"}}));
        let config = folder.path().join("config.json");
        let login = Login::with_profiles(&scenario, &config, &profiles).await;
        let text = token(login.clients.now(), 600);
        std::fs::write(folder.path().join("token"), text).expect("a file can be written");
        let (arn, calls) = asked(&login).await;
        assert_eq!(arn, format!("acs:ram::1000000000000001:{end}"));
        assert_eq!(calls, expected, "{profiles}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_without_anything_else_has_its_role() {
    for (rule, expected) in [
        (
            "required",
            &["GetToken 200", "GetRole 200", "GetRoleKey 200"],
        ),
        (
            "optional",
            &["GetToken 200", "GetRole 200", "GetRoleKey 200"],
        ),
        // An older instance: asking for a token is the only way to find that out.
        (
            "unknown",
            &["GetToken 405", "GetRole 200", "GetRoleKey 200"],
        ),
    ] {
        let login = Login::new(&instance(rule), |_| {}).await;
        assert_eq!(
            login.arn().await,
            Ok(format!("{SESSION}/instance")),
            "{rule}"
        );
        let calls = login.calls();
        let expected: Vec<String> = expected.iter().map(|it| format!("metadata {it}")).collect();
        assert_eq!(calls[..3], expected, "{rule}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_without_tokens_is_not_asked_where_that_is_forbidden() {
    let login = Login::new(&instance("unknown"), |it| {
        put(it, "ALIBABA_CLOUD_IMDSV1_DISABLED", "true");
        put(it, "ALIBABA_CLOUD_ECS_METADATA", "ci");
    })
    .await;
    let fault = login.arn().await.expect_err("no token");
    assert!(
        fault.to_string().contains("405: it gave no token"),
        "{fault}"
    );
    assert_eq!(login.calls(), ["metadata GetToken 405"]);
}

#[tokio::test(start_paused = true)]
async fn a_credentials_uri_gives_a_key_before_the_metadata_service_is_guessed_at() {
    let scenario =
        account_with(&json!({"keys": [], "credentialsUri": "ci", "metadata": {"role": "two"}}));
    let login = Login::new(&scenario, |_| {}).await;
    let (arn, calls) = asked(&login).await;
    assert_eq!(arn, format!("{SESSION}/uri"));
    assert_eq!(calls, ["uri GetCredentials 200"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_in_the_environment_asks_nobody() {
    let scenario = account_with(&json!({"metadata": {"role": "ci"}, "credentialsUri": "ci"}));
    let login = Login::new(&scenario, |_| {}).await;
    let (arn, calls) = asked(&login).await;
    assert_eq!(arn, "acs:ram::1000000000000001:user/ci");
    assert!(calls.is_empty(), "{calls:?}");
    let older = Login::new(&account(), |it| {
        forget_keys(it);
        put(it, "ALIYUN_ACCESS_KEY_ID", "LTAI-simulated");
        put(
            it,
            "ALIYUN_ACCESS_KEY_SECRET",
            "simulated-secret-of-no-account",
        );
    })
    .await;
    assert_eq!(
        older.arn().await.as_deref(),
        Ok("acs:ram::1000000000000001:user/ci")
    );
}
