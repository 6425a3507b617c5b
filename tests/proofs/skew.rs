//! C8: our clock is wrong. The service's time counts, from its first answer on, in every case and in every decision
//! about time.

use std::time::Duration;

use reconcile::report::Style;
use reconcile::sim::history::{Call, Event};
use serde_json::json;

use super::cases::{Case, all};
use super::lab::Lab;
use super::state::state_of;
use super::{each, figure};

/// Five minutes, within which signatures are accepted (ECS documentation, "Request signatures": fifteen), and so long
/// that the service refuses the first one.
const AHEAD: [i64; 4] = [-300, 300, -20 * 60, 20 * 60];

fn is_untimely(call: &Call) -> bool {
    let code = call.code.as_deref().unwrap_or_default();
    code.starts_with("InvalidTimeStamp")
}

/// What happened, and the state in the end.
fn run(case: &Case, ahead: i64) -> (Vec<Event>, Vec<String>) {
    let mut lab = Lab::new(case);
    lab.ahead_seconds = ahead;
    lab.block_on(async |lab| {
        let report = lab.converge(1).await;
        let name = &case.name;
        assert!(
            report.is_converged(),
            "{name} {ahead}: {}",
            report.to_json()
        );
        lab.check_end(&report);
        let refused = lab.with_world(|it| it.calls().iter().filter(|it| is_untimely(it)).count());
        // No registry looks at our clock.
        let is_signed = |it: &Call| !["registry", "github"].contains(&it.service);
        let is_signed = lab.with_world(|it| it.calls().iter().any(is_signed));
        let expected = usize::from(is_signed && ahead.unsigned_abs() > 15 * 60);
        assert_eq!(
            refused, expected,
            "the time is learnt from the first answer"
        );
        assert!(lab.once(2).await.actions.is_empty(), "{name} {ahead}");
        (lab.with_world(|it| it.history().to_vec()), state_of(lab))
    })
}

/// What happened, without the fractions of a second by which our idea of the service's time is off.
fn gist(history: &[Event]) -> Vec<String> {
    let gist = |it: &Event| {
        let text = format!("{:?}", it.what);
        let what = text.split("idle-since").next().unwrap_or_default();
        let what = what.split("retiring").next().unwrap_or_default();
        // Each time that is said of an object has digits of its own.
        let times = what.split("Timestamp(").map(|it| {
            let digits = it.find(|it: char| !it.is_ascii_digit()).unwrap_or(0);
            &it[digits..]
        });
        let what: Vec<&str> = times.collect();
        format!("{} {}", it.at.millis() / 30_000, what.concat())
    };
    history.iter().map(gist).collect()
}

#[test]
fn a_clock_that_is_off_changes_neither_what_happens_nor_when() {
    let mut points: Vec<(Case, i64)> = Vec::new();
    for case in all() {
        points.extend(AHEAD.map(|it| (case.clone(), it)));
    }
    each(&points, |(case, ahead)| {
        let (right, expected) = run(case, 0);
        let (history, state) = run(case, *ahead);
        assert_eq!(state, expected, "{} {ahead}", case.name);
        for (one, other) in gist(&history).iter().zip(gist(&right)) {
            assert_eq!(*one, other, "{} {ahead}", case.name);
        }
        assert_eq!(history.len(), right.len(), "{} {ahead}", case.name);
    });
    figure(
        "clocks that are off, enumerated and passed (C8), every case",
        &points.len().to_string(),
    );
}

#[test]
fn the_same_is_planned_whatever_our_clock_says() {
    for case in all() {
        let plan = |seconds| {
            let mut lab = Lab::new(&case);
            lab.ahead_seconds = seconds;
            lab.block_on(async |lab| lab.plan(1).await.pass_text(1, Style::Plain))
        };
        let right = plan(0);
        for seconds in AHEAD {
            assert_eq!(plan(seconds), right, "{} {seconds}", case.name);
        }
    }
}

const DECLARED: &str = "apiVersion: reconcile/v1alpha1
kind: AliyunRegion
metadata: {name: home}
spec: {regionId: cn-hangzhou, scope: test}
---
apiVersion: reconcile/v1alpha1
kind: MachineImage
metadata: {name: line}
spec: {regionRef: home, namePrefix: line, architectures: [amd64], retention: {keep: 9}}
---
apiVersion: reconcile/v1alpha1
kind: InstancePolicy
metadata: {name: all}
spec: {regionRef: home, selector: {tags: {ci: \"yes\"}}, purchase: PayAsYouGo, idleAfter: 10m, maxAge: 4h}
";

/// It is 02:00:00. One minute less or more than a limit, which five minutes of a wrong clock would turn.
fn borders() -> serde_json::Value {
    let instance = |id: &str, created: &str, more: serde_json::Value| {
        let mut instance = json!({
            "InstanceId": id, "InstanceName": id, "ImageId": "ubuntu", "SpotStrategy": "SpotAsPriceGo",
            "CreationTime": format!("2026-11-{created}Z"), "Tags": {"ci": "yes"},
        });
        for (key, value) in more.as_object().expect("a map") {
            instance[key] = value.clone();
        }
        instance
    };
    let idle = |since: &str| json!({"Status": "Stopped", "Tags": {"ci": "yes", "reconcile:idle-since": since}});
    let others = |until: &str| {
        let tags =
            json!({"ci": "yes", "reconcile:managed-by": "test", "reconcile:owner": "RunnerSet/a"});
        json!({"Tags": tags, "AutoReleaseTime": until})
    };
    json!({"objects": {
        "images": [
            {"ImageId": "m-1", "ImageName": "line-amd64-latest", "CreationTime": "2026-11-20T23:58:30Z"},
            {"ImageId": "m-2", "ImageName": "line-amd64-202611210001", "CreationTime": "2026-11-21T00:01:30Z"},
        ],
        "instances": [
            instance("i-young", "20T22:01:00", json!({})),
            instance("i-old", "20T21:59:00", json!({})),
            instance("i-resting", "21T01:00:00", idle("2026-11-21T01:51:00Z")),
            instance("i-idle", "21T01:00:00", idle("2026-11-21T01:49:00Z")),
            instance("i-leased", "20T20:00:00", others("2026-11-21T02:01:00Z")),
        ],
    }})
}

#[test]
fn each_decision_about_time_is_taken_by_the_time_of_the_service() {
    let scenario = reconcile::sim::scenario::Scenario::from_value(borders()).expect("a scenario");
    for ahead in AHEAD {
        let mut lab = Lab::declaring(DECLARED, &scenario);
        lab.ahead_seconds = ahead;
        lab.block_on(async |lab| {
            let report = lab.once(1).await;
            let mut retired = lab.deleted();
            retired.sort();
            assert_eq!(
                retired,
                ["i-idle", "i-old"],
                "{ahead}: {}",
                report.to_json()
            );
            let report = lab.converge(2).await;
            assert!(report.is_converged(), "{ahead}: {}", report.to_json());
            let now = lab.now();
            let images = lab.with_world(|it| it.images("cn-hangzhou", now));
            let names: Vec<&str> = images.iter().map(|it| it.image_name.as_str()).collect();
            // The names are of the minute of creation, on either side of midnight.
            assert_eq!(
                names,
                ["line-amd64-202611202358", "line-amd64-latest"],
                "{ahead}"
            );
        });
    }
}

#[test]
fn the_daily_looks_are_due_by_the_time_of_the_service() {
    let scenario = json!({"objects": {"images": [
        {"ImageId": "m-1", "ImageName": "line-amd64-latest", "CreationTime": "2026-11-20T23:58:30Z"},
    ]}});
    let scenario = reconcile::sim::scenario::Scenario::from_value(scenario).expect("a scenario");
    for ahead in AHEAD {
        let mut lab = Lab::declaring(DECLARED, &scenario);
        lab.ahead_seconds = ahead;
        lab.block_on(async |lab| {
            assert!(lab.converge(1).await.is_converged());
            let snapshots = |it: &&Call| it.action == "DescribeSnapshots";
            let count = || lab.with_world(|it| it.calls().iter().filter(snapshots).count());
            let before = count();
            lab.wait(Duration::from_secs(24 * 3600 - 120)).await;
            let _ = lab.once(2).await;
            assert_eq!(count(), before, "{ahead}: it is not due yet");
            lab.wait(Duration::from_secs(180)).await;
            let _ = lab.once(3).await;
            assert_eq!(count(), before + 1, "{ahead}: it is due");
        });
    }
}
