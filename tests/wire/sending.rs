//! How requests are signed, repeated, timed and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use reconcile::clock::{Clock, SystemClock, Timestamp};
use reconcile::fault::{Class, Fault};
use reconcile::ids::{ImageId, RegionId};
use reconcile::providers::aliyun::sign::sign;
use reconcile::providers::aliyun::{ImageChange, Place};
use reconcile::providers::{Settings, connect};
use serde_json::json;

use super::{Cloud, Form, KEY, Reply, SECRET, TOKEN, error, ok};

fn image() -> ImageId {
    ImageId::new("m-1")
}

fn identity() -> Reply {
    ok(&json!({"AccountId": "1000000000000001", "Arn": "acs:ram::1000000000000001:user/ci"}))
}

async fn delete(cloud: &Cloud) -> Result<(), Fault> {
    cloud
        .clients
        .aliyun
        .delete_image(&cloud.place, &image())
        .await
}

async fn rename(cloud: &Cloud) -> Result<(), Fault> {
    let change = ImageChange {
        name: Some("demo".to_owned()),
        family: Some("demo".to_owned()),
    };
    cloud
        .clients
        .aliyun
        .modify_image(&cloud.place, &image(), &change)
        .await
}

/// Asks whose credentials these are, as a new pass does.
async fn ask(cloud: &Cloud) -> Result<(), Fault> {
    cloud.clients.forget();
    cloud.clients.aliyun.caller(&cloud.place).await.map(|_| ())
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_signed_anew() {
    let cloud = Cloud::new(|request, _| match request {
        1..3 => error(503, "ServiceUnavailable", "later"),
        _ => identity(),
    })
    .await;
    let caller = cloud
        .clients
        .aliyun
        .caller(&cloud.place)
        .await
        .expect("an answer");
    assert_eq!(caller.account.as_str(), "1000000000000001");
    let requests = cloud.requests();
    let nonces: BTreeSet<&String> = requests.iter().map(|it| &it["SignatureNonce"]).collect();
    assert_eq!((requests.len(), nonces.len()), (3, 3));
    for form in &requests {
        let mut signed: Form = form.clone();
        let signature = signed.remove("Signature").expect("a signature");
        assert_eq!(signature, sign("POST", &signed, SECRET));
        let fixed = [
            "AccessKeyId",
            "SecurityToken",
            "Format",
            "Version",
            "SignatureMethod",
            "SignatureVersion",
        ];
        let values = fixed.map(|name| form[name].as_str());
        assert_eq!(
            values,
            [KEY, TOKEN, "JSON", "2015-04-01", "HMAC-SHA1", "1.0"]
        );
    }
    let calls = cloud.clients.calls();
    assert_eq!((calls.total, calls.reads, calls.writes), (3, 3, 0));
    assert_eq!(calls.by_service, BTreeMap::from([("sts".to_owned(), 3)]));
    assert!(cloud.clients.waits().total > Duration::from_millis(1000));
}

#[tokio::test(start_paused = true)]
async fn a_rename_is_not_repeated_when_it_may_have_been_applied() {
    for reply in [
        error(500, "InternalError", "x"),
        Reply::HangUp,
        Reply::Silence,
        Reply::CutOff("{".to_owned()),
    ] {
        let answer = reply.clone();
        let cloud = Cloud::new(move |_, _| answer.clone()).await;
        let fault = rename(&cloud).await.expect_err("no answer");
        assert_eq!(
            fault.class,
            Class::Unavailable {
                maybe_applied: true
            },
            "{reply:?} {fault}"
        );
        assert_eq!(cloud.requests().len(), 1, "{reply:?}");
        assert_eq!(
            delete(&cloud).await.expect_err("no answer").class,
            Class::Unavailable {
                maybe_applied: true
            }
        );
        assert_eq!(
            cloud.requests().len(),
            6,
            "a deletion is repeated after {reply:?}"
        );
        assert_eq!(cloud.clients.calls().writes, 6);
    }
    let cloud = Cloud::new(|request, _| {
        if request == 1 {
            error(400, "Throttling.User", "x")
        } else {
            ok(&json!({}))
        }
    })
    .await;
    assert_eq!(rename(&cloud).await, Ok(()));
    assert_eq!(cloud.requests()[1]["ImageFamily"], "demo");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_no_answer() {
    let page = "<html><body>Bad Gateway</body></html>";
    for (reply, words) in [
        (
            Reply::CutOff(r#"{"RequestId":"#.to_owned()),
            "no answer from 127.0.0.1",
        ),
        (
            Reply::Answer(200, Vec::new(), r#"{"RequestId": "R", "Acc"#.to_owned()),
            "no JSON object",
        ),
        (
            Reply::Answer(200, Vec::new(), page.to_owned()),
            "<html><body>Bad Gateway",
        ),
        (
            Reply::Answer(502, Vec::new(), page.to_owned()),
            "502: the answer is no JSON object of the service: <html>",
        ),
        (
            Reply::Answer(
                302,
                vec![("location", "http://127.0.0.1:1/".to_owned())],
                String::new(),
            ),
            "302",
        ),
        (
            Reply::Answer(200, Vec::new(), "{}".to_owned()),
            "no JSON object",
        ),
        (
            Reply::Answer(200, Vec::new(), "[]".to_owned()),
            "no JSON object",
        ),
        (Reply::Silence, "nothing came for 10 s"),
    ] {
        let answer = reply.clone();
        let cloud = Cloud::new(move |_, _| answer.clone()).await;
        let fault = ask(&cloud).await.expect_err("no answer");
        assert_eq!(
            fault.class,
            Class::Unavailable {
                maybe_applied: false
            },
            "{reply:?}"
        );
        assert!(fault.to_string().contains(words), "{fault}");
        assert_eq!(cloud.requests().len(), 5, "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_waits_as_long_as_the_service_asks() {
    let cloud = Cloud::new(|request, _| match request {
        1..=8 => {
            let body = json!({"RequestId": "R", "Code": "Throttling", "Message": "slow down"});
            Reply::Answer(
                429,
                vec![("x-acs-retry-after", "7500".to_owned())],
                body.to_string(),
            )
        }
        _ => identity(),
    })
    .await;
    let begin = cloud.clock.now();
    assert_eq!(ask(&cloud).await, Ok(()));
    let waited = cloud.clock.now().since(begin);
    assert!((60.0..=65.0).contains(&waited.as_secs_f64()), "{waited:?}");
    assert_eq!(cloud.clients.waits().total.as_secs(), waited.as_secs());
}

#[tokio::test(start_paused = true)]
async fn throttling_without_an_end_is_a_fault() {
    let cloud = Cloud::new(|_, _| error(400, "Throttling.User", "slow down")).await;
    let fault = ask(&cloud).await.expect_err("throttled");
    assert_eq!(fault.class, Class::Throttled { wait: None });
    assert_eq!(cloud.requests().len(), 9);
    assert!(cloud.clients.waits().total > Duration::from_secs(60));
}

/// Refuses timestamps that are more than 15 minutes off.
fn punctual(ahead: i64) -> impl FnMut(usize, &Form) -> Reply + Send {
    let right = Timestamp::parse("2026-11-21T02:00:00Z")
        .expect("a valid time")
        .millis()
        + ahead * 1000;
    move |_, form| {
        let theirs = Timestamp::parse(&form["Timestamp"])
            .expect("a time")
            .millis();
        if (theirs - right).abs() > 15 * 60 * 1000 {
            error(
                400,
                "InvalidTimeStamp.Expired",
                "Specified time stamp or date value is expired.",
            )
        } else {
            identity()
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_is_learnt_once_and_remembered() {
    for ahead in [1200, -1200] {
        let cloud = Cloud::ahead(ahead, punctual(ahead)).await;
        assert_eq!(ask(&cloud).await, Ok(()));
        assert_eq!(cloud.requests().len(), 2);
        assert_eq!(ask(&cloud).await, Ok(()));
        assert_eq!(cloud.requests().len(), 3);
        let learnt = cloud.clients.now().millis() - cloud.clock.now().millis();
        assert!((learnt - ahead * 1000).abs() < 1000, "{learnt}");
        assert_eq!(cloud.clients.waits().total, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_that_the_service_refuses_for_no_reason_is_a_fault() {
    let cloud = Cloud::new(|_, _| error(400, "InvalidTimeStamp.Expired", "expired")).await;
    let fault = ask(&cloud).await.expect_err("refused");
    assert_eq!((fault.class, cloud.requests().len()), (Class::Denied, 1));
    assert!(fault.hint.is_some_and(|it| it.contains("15 minutes")));
}

#[tokio::test(start_paused = true)]
async fn the_cut_seconds_of_a_date_do_not_move_the_time() {
    let cloud = Cloud::new(|_, _| identity()).await;
    cloud.clock.sleep(Duration::from_millis(1400)).await;
    assert_eq!(ask(&cloud).await, Ok(()));
    assert_eq!(cloud.clients.now(), cloud.clock.now());
}

fn settings(named: &[(&str, &str)]) -> Settings {
    Settings::new(
        named
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_closed_port_is_a_fault_after_all_attempts() {
    let named = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET),
        ("ALIYUN_ECS_ENDPOINT", "http://127.0.0.1:1"),
    ];
    let clients = connect(&settings(&named), Arc::new(SystemClock), 7).expect("settings are valid");
    let place = Place {
        region: RegionId::new("cn-beijing"),
        endpoint: None,
    };
    let change = ImageChange {
        name: Some("demo".to_owned()),
        family: None,
    };
    let fault = clients
        .aliyun
        .modify_image(&place, &image(), &change)
        .await
        .expect_err("refused");
    // It never left, so that even this is repeated.
    assert_eq!(
        fault.class,
        Class::Unavailable {
            maybe_applied: false
        }
    );
    assert_eq!(clients.calls().writes, 5);
    assert!(
        fault
            .to_string()
            .contains("no answer from 127.0.0.1:1: Connection refused"),
        "{fault}"
    );
}

#[tokio::test(start_paused = true)]
async fn missing_credentials_are_told_at_the_first_call() {
    let none = [("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")];
    let clients = connect(&settings(&none), Arc::new(SystemClock), 7).expect("settings are valid");
    let place = Place {
        region: RegionId::new("cn-beijing"),
        endpoint: None,
    };
    let fault = clients
        .aliyun
        .images(&place)
        .await
        .expect_err("no credentials");
    assert_eq!((fault.class, fault.service), (Class::Denied, None));
    assert!(
        fault
            .hint
            .is_some_and(|it| it.contains("ALIBABA_CLOUD_ACCESS_KEY_ID with"))
    );
    assert_eq!(clients.calls().total, 0);
}

const CHILD: &str = "RECONCILE_TEST_BEHIND_A_DEAD_PROXY";

/// The environment of a process cannot be changed safely, so that this test runs itself again in another one.
#[test]
fn loopback_is_never_proxied() {
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        let outcome = runtime.expect("a runtime").block_on(async {
            let cloud = Cloud::new(|_, _| identity()).await;
            ask(&cloud).await
        });
        assert_eq!(outcome, Ok(()));
        return;
    }
    let mut again = Command::new(std::env::current_exe().expect("the tests have a path"));
    again
        .args(["--exact", "wire::sending::loopback_is_never_proxied"])
        .env(CHILD, "1");
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        again.env(name, "http://127.0.0.1:1");
    }
    let output = again
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .expect("the tests can be run");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && shown.contains("1 passed"),
        "{shown}"
    );
}
