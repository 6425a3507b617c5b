//! Which provider is taken, and what is said when one is configured wrongly.

use std::path::Path;

use super::*;
use crate::clock::Timestamp;

const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const ROLE: &str = "ALIBABA_CLOUD_ROLE_ARN=acs:ram::1000000000000001:role/ci";
const IDP: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN=acs:ram::1000000000000001:oidc-provider/github";
const GITHUB: &str = "ACTIONS_ID_TOKEN_REQUEST_URL=https://x.actions.githubusercontent.com/?v=1 ACTIONS_ID_TOKEN_REQUEST_TOKEN=hidden-r";
const FILE: &str = r#"{"current": "ci", "unknown": 1, "profiles": [
    {"name": "ci", "mode": "AK", "access_key_id": "ci-id", "access_key_secret": "ci-secret"},
    {"name": "sts", "mode": "stsToken", "access_key_id": "sts-id", "access_key_secret": "sts-secret", "sts_token": "t"},
    {"name": "role", "mode": "RamRoleArn", "access_key_id": "LTAI-role-key-0001", "access_key_secret": "hidden-one",
     "ram_role_arn": "acs:ram::1000000000000001:role/ci", "ram_session_name": "nightly", "expired_seconds": 0},
    {"name": "vpc", "mode": "RamRoleArn", "access_key_id": "LTAI-role-key-0001", "access_key_secret": "hidden-one",
     "ram_role_arn": "acs:ram::1000000000000001:role/ci", "sts_region": "cn-beijing", "enable_vpc": true},
    {"name": "chain", "mode": "ChainableRamRoleArn", "source_profile": "role", "ram_role_arn": "acs:ram::1000000000000001:role/two"},
    {"name": "a", "mode": "ChainableRamRoleArn", "source_profile": "b", "ram_role_arn": "acs:ram::1:role/x"},
    {"name": "b", "mode": "ChainableRamRoleArn", "source_profile": "a", "ram_role_arn": "acs:ram::1:role/x"},
    {"name": "leads-nowhere", "mode": "ChainableRamRoleArn", "source_profile": "none", "ram_role_arn": "acs:ram::1:role/x"},
    {"name": "ecs", "mode": "EcsRamRole", "ram_role_name": ""},
    {"name": "pod", "mode": "OIDC", "oidc_provider_arn": "acs:ram::1000000000000001:oidc-provider/ack",
     "oidc_token_file": "/var/run/token", "ram_role_arn": "acs:ram::1000000000000001:role/pod", "role_session_name": "pod"},
    {"name": "uri", "mode": "CredentialsURI", "credentials_uri": "http://localhost:8081/x"},
    {"name": "malformed", "mode": "RamRoleArn", "access_key_id": "x", "access_key_secret": "hidden-three", "ram_role_arn": "role/hidden"},
    {"name": "long", "mode": "RamRoleArn", "access_key_id": "x", "access_key_secret": "hidden-three",
     "ram_role_arn": "acs:ram::1:role/x", "expired_seconds": 86400},
    {"name": "far", "mode": "CredentialsURI", "credentials_uri": "http://10.0.0.1/x"},
    {"name": "sso", "mode": "CloudSSO"},
    {"name": "bad", "mode": "AK", "access_key_id": 7, "access_key_secret": "hidden-two"}]}"#;

fn settings(environment: &str, path: Option<&Path>) -> Settings {
    let file = path.map(|it| format!("ALIBABA_CLOUD_CONFIG_FILE={}", it.display()));
    let pairs = environment
        .split_whitespace()
        .map(str::to_owned)
        .chain(file);
    let named = pairs.filter_map(|it| {
        let (name, value) = it.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    Settings::new(named.collect())
}

/// What is found in an environment that is written as `A=1 B=2`, with a profile file.
fn find(environment: &str, file: Option<&str>) -> Result<Provider, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.json");
    if let Some(text) = file {
        std::fs::write(&path, text).expect("the file can be written");
    }
    let found = Provider::find(&settings(environment, Some(&path)));
    let found = found.map_err(|it| it.to_string());
    let shown = format!("{found:?}");
    let is_shown = shown.contains("secret\"") || shown.contains("hidden");
    assert!(!is_shown, "{shown}");
    found
}

/// The key id, the secret and the token that are found.
fn key(environment: &str) -> (String, String, Option<String>) {
    match find(environment, Some(FILE)) {
        Ok(Provider::Key(key)) => {
            let reveal = |it: &Secret| it.reveal().to_owned();
            let token = key.token.as_ref().map(reveal);
            (key.key_id.clone(), reveal(&key.secret), token)
        }
        other => panic!("{environment}: {other:?}"),
    }
}

#[test]
fn the_environment_wins_over_the_profile_file() {
    for (environment, id, secret, token) in [
        (format!("{ID}=a {SECRET}=b"), "a", "b", None),
        (
            format!("{ID}=a {SECRET}=b ALIBABA_CLOUD_SECURITY_TOKEN=c"),
            "a",
            "b",
            Some("c"),
        ),
        (
            format!("ALIYUN_ACCESS_KEY_ID=d ALIYUN_ACCESS_KEY_SECRET=e {ID}=a {SECRET}=b"),
            "a",
            "b",
            None,
        ),
        (
            format!("{ID}=a {SECRET}=b {ROLE} {IDP} {GITHUB}"),
            "a",
            "b",
            None,
        ),
        (
            "ALIYUN_ACCESS_KEY_ID=d ALIYUN_ACCESS_KEY_SECRET=e".to_owned(),
            "d",
            "e",
            None,
        ),
        (format!("{ID}= {SECRET}="), "ci-id", "ci-secret", None),
        (
            "ALIBABA_CLOUD_PROFILE=sts".to_owned(),
            "sts-id",
            "sts-secret",
            Some("t"),
        ),
    ] {
        let expected = (id.to_owned(), secret.to_owned(), token.map(str::to_owned));
        assert_eq!(key(&environment), expected, "{environment}");
    }
}

#[test]
fn the_chain_is_gone_through_in_its_order() {
    let uri = "ALIBABA_CLOUD_CREDENTIALS_URI=http://127.0.0.1:9/credentials";
    let ecs = "ALIBABA_CLOUD_ECS_METADATA=builder";
    let off = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED=true";
    let file = "ALIBABA_CLOUD_OIDC_TOKEN_FILE=/var/run/t";
    let role = "the role acs:ram::1000000000000001:role/ci as";
    let idp = "by acs:ram::1000000000000001:oidc-provider/github";
    let tokens = "for tokens of GitHub Actions for the audience";
    for (environment, expected) in [
        (
            format!("{ROLE} {IDP} {file} {GITHUB} {uri} {ecs}"),
            format!("{role} reconcile, for the token in /var/run/t {idp}"),
        ),
        (
            format!("{ROLE} {IDP} {GITHUB} {uri} {ecs} ALIBABA_CLOUD_ROLE_SESSION_NAME=run-7"),
            format!("{role} run-7, {tokens} sts.aliyuncs.com {idp}"),
        ),
        (
            format!("{ROLE} {IDP} {GITHUB} RECONCILE_OIDC_AUDIENCE=other"),
            format!("{role} reconcile, {tokens} other {idp}"),
        ),
        // Tokens without a role to use them for are for somebody else.
        (
            format!("{GITHUB} {uri} {ecs} {off}"),
            "the role builder of this instance".to_owned(),
        ),
        (format!("{uri} {off}"), "what 127.0.0.1 answers".to_owned()),
        (
            off.to_owned(),
            "the role of this instance, if it has one: nothing else is set".to_owned(),
        ),
    ] {
        let provider = find(&environment, Some(FILE)).expect("there is one");
        assert_eq!(provider.told(), expected, "{environment}");
    }
}

#[test]
fn every_mode_of_a_profile_is_understood() {
    let file = "of CONFIG";
    for (profile, expected) in [
        ("ci", format!("the key ci… in profile ci {file}")),
        ("sts", format!("the temporary key st… in profile sts {file}")),
        (
            "role",
            format!(
                "the role acs:ram::1000000000000001:role/ci as nightly, assumed with the key LTAI…0001 in profile role {file}"
            ),
        ),
        (
            "chain",
            format!(
                "the role acs:ram::1000000000000001:role/two as reconcile, assumed with \
                 the role acs:ram::1000000000000001:role/ci as nightly, assumed with the key LTAI…0001 in profile role {file}"
            ),
        ),
        ("ecs", "the role of this instance".to_owned()),
        (
            "pod",
            "the role acs:ram::1000000000000001:role/pod as pod, for the token in /var/run/token by acs:ram::1000000000000001:oidc-provider/ack"
                .to_owned(),
        ),
        ("uri", "what localhost answers".to_owned()),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        std::fs::write(&path, FILE).expect("the file can be written");
        let chosen = format!("ALIBABA_CLOUD_PROFILE={profile}");
        let provider = Provider::find(&settings(&chosen, Some(&path))).expect("there is one");
        let told = provider.told().replace(&path.display().to_string(), "CONFIG");
        assert_eq!(told, expected);
    }
    let vpc = find("ALIBABA_CLOUD_PROFILE=vpc", Some(FILE)).expect("there is one");
    let Provider::Role { role, .. } = vpc else {
        panic!("{vpc:?}");
    };
    assert_eq!(
        role.sts_host.as_deref(),
        Some("sts-vpc.cn-beijing.aliyuncs.com")
    );
}

/// An environment, a profile file, and words of the fault.
const WRONG: [(&str, Option<&str>, &str); 23] = [
    (
        "ALIBABA_CLOUD_PROFILE=sso",
        Some(FILE),
        "profile sso: mode CloudSSO is not supported",
    ),
    (
        "ALIBABA_CLOUD_PROFILE=bad",
        Some(FILE),
        "profile bad: access_key_id is missing",
    ),
    (
        "ALIBABA_CLOUD_PROFILE=none",
        Some(FILE),
        "there is no profile none",
    ),
    (
        "ALIBABA_CLOUD_PROFILE=a",
        Some(FILE),
        "profiles refer to each other in a circle: a, b, a",
    ),
    (
        "ALIBABA_CLOUD_PROFILE=leads-nowhere",
        Some(FILE),
        ": there is no profile none",
    ),
    (
        "ALIBABA_CLOUD_PROFILE=malformed",
        Some(FILE),
        "profile malformed: ram_role_arn is no name of a role, which is like acs:ram::",
    ),
    (
        "ALIBABA_CLOUD_PROFILE=long",
        Some(FILE),
        "profile long: expired_seconds is 86400, a session lasts 900 to 43200 seconds",
    ),
    (
        "ALIBABA_CLOUD_PROFILE=far",
        Some(FILE),
        "credentials_uri is http, which is only allowed on loopback",
    ),
    ("", Some("{\"profiles\": [\n\"hidden"), "line 2 is no JSON"),
    ("", Some("[]"), "there is no profile default"),
    (
        "",
        None,
        "it does not exist, and ALIBABA_CLOUD_CONFIG_FILE says that it does",
    ),
    (
        "ALIBABA_CLOUD_CLI_PROFILE_DISABLED=True ALIBABA_CLOUD_ECS_METADATA_DISABLED=true",
        Some(FILE),
        "switched off by ALIBABA_CLOUD_CLI_PROFILE_DISABLED",
    ),
    (
        "ALIBABA_CLOUD_ACCESS_KEY_ID=a",
        Some(FILE),
        "ALIBABA_CLOUD_ACCESS_KEY_ID is set, without ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    ),
    (
        "ALIBABA_CLOUD_SECURITY_TOKEN=hidden",
        Some(FILE),
        "without ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    ),
    (
        "ALIBABA_CLOUD_ROLE_ARN=acs:ram::1:role/x",
        Some(FILE),
        "ALIBABA_CLOUD_ROLE_ARN is set, without ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
    ),
    (
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE=/t",
        Some(FILE),
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE is set, without ALIBABA_CLOUD_ROLE_ARN",
    ),
    (
        "ALIBABA_CLOUD_ROLE_ARN=acs:ram::1:role/x ALIBABA_CLOUD_OIDC_PROVIDER_ARN=acs:ram::1:oidc-provider/x",
        Some(FILE),
        "permissions: id-token: write",
    ),
    (
        "ALIBABA_CLOUD_ROLE_ARN=acs:ram::1:role/x ALIBABA_CLOUD_OIDC_PROVIDER_ARN=acs:ram::1:oidc-provider/x ACTIONS_ID_TOKEN_REQUEST_URL=https://x",
        Some(FILE),
        "ACTIONS_ID_TOKEN_REQUEST_URL is set, without ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    ),
    (
        "ALIBABA_CLOUD_ROLE_ARN=hidden ALIBABA_CLOUD_OIDC_PROVIDER_ARN=x ALIBABA_CLOUD_OIDC_TOKEN_FILE=/t",
        Some(FILE),
        "ALIBABA_CLOUD_ROLE_ARN is no name of a role",
    ),
    (
        "ALIBABA_CLOUD_ROLE_ARN=acs:ram::1:role/x ALIBABA_CLOUD_OIDC_PROVIDER_ARN=acs:ram::1:role/x ALIBABA_CLOUD_OIDC_TOKEN_FILE=/t",
        Some(FILE),
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN is no name of an identity provider",
    ),
    (
        "ALIBABA_CLOUD_CLI_PROFILE_DISABLED=true ALIBABA_CLOUD_CREDENTIALS_URI=http://u:hidden@127.0.0.1/",
        None,
        "ALIBABA_CLOUD_CREDENTIALS_URI holds a user or a password",
    ),
    (
        "ALIBABA_CLOUD_CLI_PROFILE_DISABLED=true ALIBABA_CLOUD_ECS_METADATA=../x",
        None,
        "ALIBABA_CLOUD_ECS_METADATA is no name of a role",
    ),
    (
        "ALIBABA_CLOUD_PROFILE=ecs ALIBABA_CLOUD_ECS_METADATA_DISABLED=true",
        Some(FILE),
        "profile ecs: ram_role_name wants the role of the instance, which ALIBABA_CLOUD_ECS_METADATA_DISABLED forbids",
    ),
];

#[test]
fn what_is_wrong_is_told_without_a_secret() {
    for (environment, file, words) in WRONG {
        let fault = find(environment, file).expect_err(words);
        assert!(fault.contains(words), "{fault}");
    }
}

#[test]
fn an_explanation_says_what_a_token_file_lacks() {
    let environment = format!("{ROLE} {IDP} ALIBABA_CLOUD_OIDC_TOKEN_FILE=/nowhere/token");
    let told = explain(&settings(&environment, None), Timestamp::EPOCH);
    assert!(told.taken.is_some_and(|it| it.contains("/nowhere/token")));
    assert!(told.lacks.is_some_and(|it| it.contains("No such file")));
    let told = explain(&settings(&format!("{ID}=a"), None), Timestamp::EPOCH);
    assert_eq!(told.taken, None);
    assert!(told.lacks.is_some_and(|it| it.contains(SECRET)));
}
