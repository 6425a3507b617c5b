//! Keys that end while the work goes on.

use std::time::Duration;

use reconcile::clock::Clock;
use reconcile::engine::{self, Extent, Flags, Run, Selection, State, load};
use reconcile::fault::Class;
use reconcile::kinds::KINDS;
use reconcile::store::record::Record;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use super::{Login, ROLE, account, assert_no_secret, instance, with_key, workflow, write_profiles};
use crate::proofs::figure;

/// A profile of the role, with sessions of so many seconds.
fn profile(seconds: u64) -> Value {
    let role = json!({"name": "role", "mode": "RamRoleArn", "ram_role_arn": ROLE, "expired_seconds": seconds});
    json!([with_key(&role)])
}

async fn with_sessions_of(seconds: u64) -> (Login, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.json");
    (
        Login::with_profiles(&account(), &path, &profile(seconds)).await,
        folder,
    )
}

/// How often a key was asked of STS.
fn assumed(login: &Login) -> usize {
    login.count("sts AssumeRole")
}

#[tokio::test(start_paused = true)]
async fn a_key_is_renewed_before_it_ends_and_not_more_often() {
    // A session; the seconds of its life after which it is renewed, at the earliest and at the latest.
    for (seconds, earliest, latest) in [
        (900, 405, 450),
        (3600, 2520, 2700),
        (43_200, 32_400, 34_560),
    ] {
        let (login, _folder) = with_sessions_of(seconds).await;
        let hours = 2 * seconds / 3600 + 2;
        for _ in 0..hours * 60 {
            login.arn().await.expect("the key is good");
            login.wait(60).await;
        }
        let (fewest, most) = (hours * 3600 / (latest + 60), hours * 3600 / earliest + 1);
        let times = u64::try_from(assumed(&login)).expect("it is small");
        assert!(
            (fewest..=most).contains(&times),
            "{seconds}: {times} of {fewest} to {most}"
        );
        assert_eq!(login.clients.calls_for_credentials(), times);
        assert_eq!(
            login.count("sts GetCallerIdentity 200"),
            usize::try_from(hours * 60).expect("it is small")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_at_once_shares_one_renewal() {
    let (login, _folder) = with_sessions_of(900).await;
    for round in 1..=3 {
        let asks = (0..8).map(|_| login.clients.aliyun.caller_now(&login.place));
        let outcomes = futures_util::future::join_all(asks).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(assumed(&login), round);
        login.wait(500).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_used_on_while_it_lasts_when_it_cannot_be_renewed() {
    let (login, _folder) = with_sessions_of(3600).await;
    login.arn().await.expect("the key is good");
    login.trouble(&json!([{"service": "sts", "action": "AssumeRole", "times": 1000, "fault": "status", "status": 503}]));
    // A minute before its end it is not used any more.
    for _ in 0..58 {
        login.arn().await.expect("the key still lasts");
        login.wait(60).await;
    }
    let tries = assumed(&login);
    assert!((10..=20).contains(&tries), "one try a minute: {tries}");
    login.wait(60).await;
    let fault = login.arn().await.expect_err("it has ended");
    assert_eq!(
        (fault.service, fault.class.name()),
        (Some("sts"), "Unavailable")
    );
    login.trouble(&json!([]));
    login.clients.forget();
    login.arn().await.expect("STS answers again");
    assert_eq!(login.clients.calls_for_credentials(), 2);
    assert_eq!(login.count("sts GetCallerIdentity 400"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_a_service_calls_expired_is_renewed_once_and_the_call_repeated() {
    let (login, _folder) = with_sessions_of(3600).await;
    login.arn().await.expect("the key is good");
    let expired = |times: u64| json!([{"service": "ecs", "times": times, "fault": "status", "status": 400, "code": "InvalidSecurityToken.Expired"}]);
    login.trouble(&expired(1));
    let aliyun = &login.clients.aliyun;
    assert!(aliyun.images(&login.place).await.is_ok());
    assert_eq!(assumed(&login), 2);
    login.trouble(&expired(2));
    let fault = aliyun
        .instances(&login.place)
        .await
        .expect_err("it goes on");
    assert_eq!((fault.class, assumed(&login)), (Class::Denied, 3));
    assert_eq!(login.count("ecs DescribeInstances"), 2);
}

#[tokio::test(start_paused = true)]
async fn parallel_calls_with_an_expired_key_renew_it_once() {
    let (login, _folder) = with_sessions_of(3600).await;
    login.arn().await.expect("the key is good");
    login.trouble(&json!([{"service": "ecs", "times": 3, "fault": "status", "status": 400, "code": "InvalidSecurityToken.Expired"}]));
    let aliyun = &login.clients.aliyun;
    let (images, instances, snapshots) = tokio::join!(
        aliyun.images(&login.place),
        aliyun.instances(&login.place),
        aliyun.snapshots(&login.place)
    );
    assert!(images.is_ok() && instances.is_ok() && snapshots.is_ok());
    assert_eq!(assumed(&login), 2);
}

#[tokio::test(start_paused = true)]
async fn a_changed_profile_is_noticed_by_the_next_pass_and_an_equal_one_keeps_the_key() {
    let (login, folder) = with_sessions_of(3600).await;
    let path = folder.path().join("config.json");
    login.arn().await.expect("the key is good");
    write_profiles(&path, &profile(3600));
    login.clients.forget();
    login.arn().await.expect("the key is good");
    assert_eq!(assumed(&login), 1);
    let key = json!([with_key(&json!({"name": "key", "mode": "AK"}))]);
    write_profiles(&path, &key);
    assert!(
        login
            .arn()
            .await
            .expect("the key is good")
            .contains("assumed-role")
    );
    login.clients.forget();
    assert!(
        login
            .arn()
            .await
            .expect("the key is good")
            .ends_with("user/ci")
    );
    std::fs::write(&path, "{\"profiles\": [").expect("a file can be written");
    login.clients.forget();
    let fault = login.arn().await.expect_err("half a file");
    assert_eq!((fault.class, fault.service), (Class::Denied, None));
    write_profiles(&path, &key);
    login.arn().await.expect("it is whole again");
}

/// The state files of the test: one region, and nothing in it.
const STATE: &str = r#"
apiVersion: reconcile/v1alpha1
kind: AliyunRegion
metadata: {name: hangzhou}
spec: {regionId: cn-hangzhou, scope: demo, accountId: "1000000000000001"}
---
apiVersion: reconcile/v1alpha1
kind: MachineImage
metadata: {name: demo}
spec: {regionRef: hangzhou, namePrefix: demo, architectures: [amd64], retention: {keep: 5}}
"#;

#[tokio::test(start_paused = true)]
async fn two_hundred_passes_of_one_process_fetch_a_key_only_when_that_is_due() {
    // A scenario; a call of each renewal; how many keys 200 minutes need: one of an hour is renewed after 42 to 45
    // minutes, one of six hours after more than four hours.
    for (scenario, renewal, expected) in [
        (workflow(), "sts AssumeRoleWithOIDC 200", 5),
        (instance("required"), "metadata GetRoleKey 200", 1),
    ] {
        let login = Login::new(&scenario, |_| {}).await;
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("all.yaml"), STATE).expect("a file can be written");
        let inventory = load(folder.path(), KINDS).expect("the files are right");
        let mut state = State::unkept(Record::default());
        let (mut calls, mut bound) = (0, 0);
        for pass in 0..200 {
            let (_stop, stopped) = watch::channel(false);
            let run = Run {
                inventory: &inventory,
                selection: Selection::all(&inventory),
                allowed: None,
                standing: None,
                clients: &login.clients,
                clock: login.clock.as_ref(),
                flags: Flags::default(),
                stop: stopped,
            };
            let ended = engine::run(&run, &mut state, Extent::Once, &mut |_, _| {}).await;
            let report = ended.report;
            assert!(report.is_complete(), "{pass}: {}", report.to_json());
            assert_eq!(
                report.calls.reads,
                report.calls.lower_bound,
                "{pass}: {}",
                report.to_json()
            );
            calls += report.calls.reads;
            bound += report.calls.lower_bound;
            assert_no_secret(&report.to_json().to_string());
            login.clock.sleep(Duration::from_secs(60)).await;
        }
        assert_eq!(login.count(renewal), expected);
        figure(
            "calls of 200 passes with keys that end ÷ fewest possible",
            &format!("{calls} ÷ {bound}"),
        );
    }
}
