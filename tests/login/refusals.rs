//! What is said when there is no key, and that no secret is in it.

use std::time::Duration;

use reconcile::clock::Clock;
use reconcile::fault::{Class, Fault};
use serde_json::{Value, json};

use super::{
    Login, PROVIDER, REQUEST_TOKEN, ROLE, account, account_with, assert_no_secret, instance, put,
    token, with_key, workflow,
};

/// The fault that asking who we are ends with; it shows no secret.
async fn refused(login: &Login) -> Fault {
    let fault = login.arn().await.expect_err("there is no key");
    assert_no_secret(&format!("{fault} {fault:?}"));
    fault
}

async fn with_token_file(content: &str) -> Login {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.keep().join("token");
    if content != "none" {
        std::fs::write(&path, content).expect("a file can be written");
    }
    Login::new(&account_with(&json!({"keys": []})), |it| {
        put(it, "ALIBABA_CLOUD_ROLE_ARN", ROLE);
        put(it, "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", PROVIDER);
        put(
            it,
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
            &path.display().to_string(),
        );
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_token_file_that_holds_no_good_token_is_not_sent() {
    let start = reconcile::sim::scenario::Scenario::default().start;
    for (content, words) in [
        ("none".to_owned(), "No such file"),
        (String::new(), "it is empty"),
        ("a".repeat(1 << 20), "it has more than 20000 characters"),
        (token(start, -3600), "it expired at 2026-11-21T01:00:00Z"),
        ("eyJhbGciOiJub25lIn0".to_owned(), "it is no token"),
    ] {
        let login = with_token_file(&content).await;
        let fault = refused(&login).await;
        assert_eq!(
            (&fault.class, fault.service),
            (&Class::Denied, None),
            "{fault}"
        );
        assert!(fault.to_string().contains(words), "{fault}");
        assert_eq!(login.calls(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_sts_does_not_believe_is_a_refusal_with_advice() {
    let start = reconcile::sim::scenario::Scenario::default().start;
    let good = token(start, 600);
    let mut forged = good.clone();
    forged.truncate(good.len() - 2);
    // Expired by less than our clock may be wrong: STS decides.
    for (content, code) in [
        (forged, "AuthenticationFail.OIDCToken.Invalid"),
        (token(start, -60), "AuthenticationFail.OIDCToken.Expired"),
    ] {
        let login = with_token_file(&content).await;
        let fault = refused(&login).await;
        assert_eq!(
            (&fault.class, fault.service),
            (&Class::Denied, Some("sts")),
            "{fault}"
        );
        assert_eq!(fault.code.as_deref(), Some(code));
        let hint = format!("does the trust policy of {ROLE} allow the token in ");
        assert!(fault.hint.is_some_and(|it| it.starts_with(&hint)));
        assert_eq!(login.count("sts AssumeRoleWithOIDC"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_sts_does_not_give_is_a_refusal() {
    let with = |arn: &str| {
        json!([with_key(
            &json!({"name": "role", "mode": "RamRoleArn", "ram_role_arn": arn})
        )])
    };
    let mut root = account();
    root.as_object_mut().expect("an object").remove("arn");
    let none = "acs:ram::1000000000000001:role/none";
    let two = "acs:ram::1000000000000001:role/two";
    for (scenario, arn, words) in [
        (account(), none, "404: EntityNotExist.Role"),
        (account(), two, "403: NoPermission"),
        (root, ROLE, "Roles may not be assumed by root accounts."),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        let login = Login::with_profiles(&scenario, &path, &with(arn)).await;
        let fault = refused(&login).await;
        assert_eq!(
            (&fault.class, fault.service),
            (&Class::Denied, Some("sts")),
            "{fault}"
        );
        assert!(fault.to_string().contains(words), "{fault}");
        assert_eq!(fault.subject.as_deref(), Some(arn));
        assert_eq!(login.calls().len(), 1);
    }
}

/// A service that a workflow needs; the trouble; the class; the words.
const TROUBLES: [(&str, &str, &str, &str); 8] = [
    (
        "sts",
        r#""fault":"status","status":503"#,
        "Unavailable",
        "503",
    ),
    (
        "sts",
        r#""fault":"dropBefore""#,
        "Unavailable",
        "no answer from",
    ),
    (
        "sts",
        r#""fault":"garbage""#,
        "Unavailable",
        "it is not shown",
    ),
    (
        "sts",
        r#""fault":"status","status":400,"code":"Throttling.User""#,
        "Throttled",
        "Throttling.User",
    ),
    (
        "sts",
        r#""fault":"delay","seconds":600"#,
        "Unavailable",
        "nothing came for 10 s",
    ),
    (
        "actions",
        r#""fault":"status","status":503"#,
        "Unavailable",
        "503",
    ),
    (
        "actions",
        r#""fault":"garbage""#,
        "Unavailable",
        "it gave no token",
    ),
    (
        "actions",
        r#""fault":"delay","seconds":600"#,
        "Unavailable",
        "nothing came for 10 s",
    ),
];

#[tokio::test(start_paused = true)]
async fn a_service_that_is_down_is_never_taken_for_missing_credentials() {
    for (service, trouble, class, words) in TROUBLES {
        let login = Login::new(&workflow(), |_| {}).await;
        let trouble = format!(r#"[{{"service":"{service}","times":1000,{trouble}}}]"#);
        let trouble: Value = serde_json::from_str(&trouble).expect("JSON");
        login.trouble(&trouble);
        let begin = login.clock.now();
        let fault = refused(&login).await;
        assert_eq!(
            (fault.class.name(), fault.service),
            (class, Some(service)),
            "{fault}"
        );
        assert!(fault.to_string().contains(words), "{fault}");
        assert!(login.clock.now().since(begin) < Duration::from_secs(180));
        // Every attempt has a token of its own.
        if service == "sts" {
            assert_eq!(login.count("actions"), login.count("sts"));
        }
        // Nobody asks again in the same pass.
        let calls = login.calls().len();
        assert_eq!(login.arn().await, Err(fault));
        assert_eq!(login.calls().len(), calls);
        login.trouble(&json!([]));
        login.clients.forget();
        assert!(login.arn().await.is_ok(), "it recovers");
    }
}

#[tokio::test(start_paused = true)]
async fn github_without_the_permission_says_which() {
    let login = Login::new(&workflow(), |it| {
        put(
            it,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "another-request-token",
        );
    })
    .await;
    let fault = refused(&login).await;
    assert_eq!(
        fault.to_string(),
        "cannot get a token from GitHub Actions: 401: Bad credentials\n  \
         hint: does the job have `permissions: id-token: write`, and does it still run?"
    );
    assert!(!fault.to_string().contains(REQUEST_TOKEN));
    assert_eq!(
        (fault.class, fault.service),
        (Class::Denied, Some("actions"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_metadata_service_that_hangs_is_given_up_on_soon() {
    let hang = json!([{"service": "metadata", "times": 1000, "fault": "delay", "seconds": 3600}]);
    // A role that is only guessed at, and one that is said to be there.
    for (role, seconds, service) in [("", 5, None), ("ci", 20, Some("metadata"))] {
        let login = Login::new(&instance("required"), |it| {
            put(it, "ALIBABA_CLOUD_ECS_METADATA", role);
        })
        .await;
        login.trouble(&hang);
        let begin = login.clock.now();
        let fault = refused(&login).await;
        assert!(
            login.clock.now().since(begin) <= Duration::from_secs(seconds),
            "{fault}"
        );
        assert_eq!(fault.service, service, "{fault}");
        assert!(
            fault.to_string().contains("nothing came for 2 s"),
            "{fault}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_proven_role_of_the_instance_is_never_said_to_be_missing() {
    let login = Login::new(&instance("required"), |_| {}).await;
    login.arn().await.expect("the key is good");
    login.trouble(&json!([{"service": "metadata", "times": 1000, "fault": "dropBefore"}]));
    login.wait(7 * 3600).await;
    let fault = refused(&login).await;
    assert_eq!(
        (fault.class.name(), fault.service),
        ("Unavailable", Some("metadata")),
        "{fault}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_any_credentials_everything_that_was_tried_is_named() {
    let scenario = account_with(&json!({"keys": []}));
    for (off, words) in [
        (
            false,
            "asked the metadata service: 404: this instance has no role",
        ),
        (
            true,
            "asked the metadata service: switched off by ALIBABA_CLOUD_ECS_METADATA_DISABLED",
        ),
    ] {
        let login = Login::new(&scenario, |it| {
            put(it, "ALIBABA_CLOUD_ECS_METADATA_DISABLED", &off.to_string());
        })
        .await;
        let fault = refused(&login).await;
        assert_eq!((&fault.class, fault.service), (&Class::Denied, None));
        let said = fault.to_string();
        for name in [
            "ALIBABA_CLOUD_ACCESS_KEY_ID with ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            "ALIYUN_ACCESS_KEY_ID",
            "ALIBABA_CLOUD_ROLE_ARN with ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
            "neither ALIBABA_CLOUD_CONFIG_FILE nor HOME is set",
            "ALIBABA_CLOUD_CREDENTIALS_URI",
            words,
        ] {
            assert!(said.contains(name), "no {name} in {said}");
        }
    }
}
