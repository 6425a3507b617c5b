//! Too many requests: an account that allows only a few a minute, or none.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use reconcile::ids::{ImageId, RegionId};
use reconcile::providers::aliyun::Place;
use reconcile::report::Style;
use reconcile::sim::scenario::Throttling;
use serde_json::json;

use super::place;
use super::told::tell;
use crate::proofs::cases::Case;
use crate::proofs::figure;
use crate::proofs::lab::Lab;
use crate::proofs::reference::Reference;

#[test]
fn an_account_that_allows_three_calls_a_minute_comes_to_the_same_end() {
    let reference = Reference::of(&Case::demo());
    for status in [400, 429] {
        let mut case = Case::demo();
        case.scenario.settings.throttling = Some(Throttling {
            per_minute: 3,
            status,
        });
        let slow = Reference::of(&case);
        assert_eq!(slow.state, reference.state, "{status}");
    }
}

#[test]
fn an_account_that_is_always_throttled_is_given_up_without_a_change() {
    for (status, seconds) in [(429, 7), (429, 3600), (400, 0)] {
        let trouble = json!([{"fault": "status", "status": status, "code": "Throttling", "seconds": seconds, "times": 1_000_000}]);
        let place = place(&json!({"troubles": trouble}));
        let told = tell(&place, &["--once", "--simulate=world.yaml", "--wait", "1h"]).exits(1);
        let told = told
            .says("Throttling")
            .says("No changes, but not everything is as declared.");
        assert_eq!(told.report["complete"], false);
        assert_eq!(told.report["calls"]["writes"], 0);
    }
}

fn hangzhou() -> Place {
    Place {
        region: RegionId::new("cn-hangzhou"),
        endpoint: None,
    }
}

/// Sends so many calls of one action, eight at a time.
async fn send(lab: &Lab, calls: usize) {
    let clients = lab.clients(1);
    let (place, image) = (hangzhou(), ImageId::new("m-none"));
    let look = |_| clients.aliyun.image(&place, &image);
    let looks = stream::iter((0..calls).map(look)).buffer_unordered(8);
    looks
        .for_each(|it| async move { assert_eq!(it, Ok(None)) })
        .await;
}

#[test]
fn calls_are_made_as_fast_as_the_account_allows_and_few_are_refused() {
    const MINUTES: usize = 100;
    for (per_minute, status) in [(3, 400), (3, 429), (20, 400), (20, 429)] {
        let mut case = Case::demo();
        case.scenario.settings.throttling = Some(Throttling { per_minute, status });
        let calls = MINUTES * usize::try_from(per_minute).expect("a small number");
        Lab::new(&case).block_on(async |lab| {
            let begun = lab.now();
            send(lab, calls).await;
            let took = lab.now().since(begun).as_secs();
            let refused =
                lab.with_world(|it| it.calls().iter().filter(|it| it.status != 200).count());
            let fewest = (MINUTES as u64 - 1) * 60;
            let said = format!("{refused} ÷ {calls}, {took} s ÷ {fewest} s");
            let name =
                format!("refused calls, time ÷ least possible at {per_minute} a minute ({status})");
            figure(&name, &said);
            assert!(refused * 100 <= calls * 8, "{said}");
            assert!(took * 100 <= fewest * 108, "{said}");
        });
    }
}

#[test]
fn one_refusal_holds_back_all_calls_of_its_kind_and_no_other() {
    Lab::new(&Case::demo()).block_on(async |lab| {
        lab.trouble(
            &json!([{"action": "DescribeImages", "fault": "status", "status": 429, "seconds": 40}]),
        );
        let (clients, place, begun) = (lab.clients(1), hangzhou(), lab.now());
        let at = async |name: &str| {
            let listed = clients.aliyun.images_named(&place, name).await;
            listed.expect("a list");
            lab.now().since(begun).as_secs()
        };
        let late = async {
            lab.wait(Duration::from_secs(10)).await;
            at("late").await
        };
        let other = async {
            lab.wait(Duration::from_secs(10)).await;
            clients.aliyun.snapshots(&place).await.expect("a list");
            lab.now().since(begun).as_secs()
        };
        let (first, late, other) = tokio::join!(at("first"), late, other);
        assert!(
            first.min(late) == 40 && other == 10,
            "{first} {late} {other}"
        );
        // The one that was refused, and nobody before it was time.
        let refused = lab.with_world(|it| it.calls().iter().filter(|it| it.status == 429).count());
        assert_eq!(refused, 1);
        let waits = clients.waits();
        let reasons: Vec<&str> = waits.reasons.keys().map(String::as_str).collect();
        assert_eq!(reasons, ["throttling (ecs DescribeImages cn-hangzhou)"]);
    });
}

#[test]
fn speed_comes_back_within_minutes_after_a_single_refusal() {
    Lab::new(&Case::demo()).block_on(async |lab| {
        lab.trouble(&json!([{"fault": "status", "status": 400, "code": "Throttling.User"}]));
        let begun = lab.now();
        send(lab, 1000).await;
        let took = lab.now().since(begun);
        assert!(took < Duration::from_secs(15 * 60), "{took:?}");
    });
}

#[test]
fn an_hour_of_throttling_is_waited_out_and_told() {
    Lab::new(&Case::demo()).block_on(async |lab| {
        let throttled = json!([{"fault": "status", "status": 400, "code": "Throttling.User", "times": 1_000_000}]);
        lab.trouble(&throttled);
        let hour = async {
            lab.wait(Duration::from_secs(3600)).await;
            lab.trouble(&json!([]));
        };
        let (report, ()) = tokio::join!(lab.converge(1), hour);
        assert!(report.is_converged(), "{}", report.to_json());
        let refused = lab.with_world(|it| it.calls().iter().filter(|it| it.status == 400).count());
        assert!(refused < 70, "{refused} calls for nothing");
        let waited = report.calls.waits.total.as_secs();
        assert!((30 * 60..2 * 3600).contains(&waited), "{waited}");
        let said = report.closing_text(Style::Plain);
        let words = " s for throttling (sts GetCallerIdentity)\n";
        assert!(said.contains(words), "{said}");
    });
}
