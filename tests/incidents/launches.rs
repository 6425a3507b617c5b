//! What went wrong with launches: W16, W19, W21, W23 to W25, W36, A2, C8, C10, C11, F1, PA4, PA8.

use std::time::Duration;

use reconcile::engine::load;
use reconcile::kinds::KINDS;
use reconcile::sim::history::{Call, Removal, What};
use reconcile::sim::object::Instance;
use serde_json::{Value, json};

use crate::builds::{
    base, check_built, edited, instances, lab, launches, networked, said, written,
};
use crate::proofs::lab::Lab;

const SELECTION: &str = "selection: {maxCandidates: 2}";
const CPU: &str = "cpu: {min: 2, max: 4}";

/// A world with these machines for sale.
fn selling(market: &Value, edits: &[(&str, &str)]) -> Lab {
    let base = base("20261110", "2026-11-11T03:00:00Z");
    edited(
        edits,
        &networked(json!({"market": market, "objects": {"images": [base]}})),
    )
}

/// The one machine that there is after a pass.
async fn launched(lab: &Lab) -> Instance {
    let _ = lab.once(1).await;
    let mut all = instances(lab);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// The calls that were meant to buy something.
fn orders(lab: &Lab) -> usize {
    let is_order = |it: &&Call| it.action == "RunInstances" && it.write;
    lab.with_world(|it| it.calls().iter().filter(is_order).count())
}

/// The scripts read another variable than was set, and so no machine ever had its role.
#[test]
fn w16_pa8_a_role_that_is_written_arrives_and_a_field_that_nobody_reads_is_refused() {
    let role = |field: &str, name: &str| format!("{SELECTION}\n  {field}: {name}");
    for (name, machines) in [("builder", 1), ("bilder", 0)] {
        let class = role("instanceRoleName", name);
        let world = json!({
            "roles": [{"name": "builder"}],
            "objects": {"images": [base("20261110", "2026-11-11T03:00:00Z")]},
        });
        edited(&[(SELECTION, &class)], &networked(world)).block_on(async |lab| {
            let report = lab.once(1).await;
            assert_eq!(instances(lab).len(), machines, "{name}");
            let is_told = said(&report).contains("InvalidRamRole.NotFound");
            assert_eq!(is_told, machines == 0, "{}", said(&report));
        });
    }
    let folder = written(&[(SELECTION, &role("ramRoleName", "builder"))]);
    let findings = load(folder.path(), KINDS).expect_err("there is no such field");
    assert!(format!("{findings:?}").contains("ramRoleName"));
}

#[test]
fn pa8_w36_a_machine_has_from_its_birth_the_tags_that_policies_ask_for_and_guards_its_metadata() {
    lab("", json!({})).block_on(async |lab| {
        let _ = lab.once(1).await;
        let history = lab.with_world(|it| it.history().to_vec());
        let born = history.into_iter().find_map(|it| {
            let What::InstanceCreated(instance) = it.what else {
                return None;
            };
            Some(instance)
        });
        let born = born.expect("one was launched");
        let tag = |key: &str| born.tags.get(key).map(String::as_str);
        assert_eq!(tag("GITHUB_RUNNER_TYPE"), Some("aliyun-ecs-spot"));
        assert_eq!(tag("reconcile:owner"), Some("MachineImage/line"));
        assert_eq!(tag("reconcile:managed-by"), Some("test"));
        assert_eq!(born.http_tokens, "required");
    });
}

#[test]
fn w19_pa4_an_order_whose_answer_is_lost_late_or_garbled_buys_one_machine() {
    let ways = [
        json!({"fault": "dropAfter"}),
        json!({"fault": "dropAfter", "times": 3}),
        json!({"fault": "delay", "seconds": 100}),
        json!({"fault": "garbage"}),
        json!({"fault": "garbage", "status": 502}),
    ];
    for mut way in ways {
        way["action"] = json!("RunInstances");
        // The first call is the dry run.
        way["nth"] = json!(2);
        lab("", json!({"troubles": [way]})).block_on(async |lab| {
            let report = lab.converge(1).await;
            check_built(lab, &report);
            assert_eq!(launches(lab), 1, "{way}");
        });
    }
}

/// Neither the guest, which never answers, nor a role, which it has not, nor anybody else has a part in it.
#[test]
fn w21_a2_a_machine_that_everybody_has_forgotten_ends_by_itself() {
    let world = json!({"troubles": [{"action": "RunInstances", "fault": "agentNever", "nth": 2}]});
    lab("", world).block_on(async |lab| {
        let machine = launched(lab).await;
        let release = machine.auto_release_time.expect("it always has one");
        let lives = release.since(machine.creation_time);
        assert!(lives <= Duration::from_secs(2 * 3600 + 60), "{lives:?}");
        lab.wait(lives + Duration::from_secs(60)).await;
        assert_eq!(instances(lab), []);
        let history = lab.with_world(|it| it.history().to_vec());
        let is_released = |it: &What| {
            matches!(
                it,
                What::InstanceDeleted {
                    by: Removal::Release,
                    ..
                }
            )
        };
        assert!(history.iter().any(|it| is_released(&it.what)));
    });
}

/// The scripts tried such an order fifteen times: three disks for each of five candidates.
#[test]
fn w23_what_no_other_candidate_can_mend_is_asked_once_and_said() {
    for code in [
        "Forbidden.RAM",
        "InvalidAccountStatus.NotEnoughBalance",
        "InvalidImageId.NotFound",
        "InvalidSecurityGroupId.NotFound",
        "SomethingNew",
    ] {
        // The first call is the dry run: where it is told already there, nothing is ordered at all.
        for (nth, expected) in [(1, 0), (2, 1)] {
            let trouble = json!({
                "action": "RunInstances", "fault": "status", "status": 403, "code": code, "nth": nth, "times": 1000,
            });
            lab("", json!({"troubles": [trouble]})).block_on(async |lab| {
                let report = lab.once(1).await;
                assert_eq!((orders(lab), instances(lab)), (expected, vec![]), "{code}");
                assert!(said(&report).contains(code), "{}", said(&report));
            });
        }
    }
}

#[test]
fn w23_too_many_calls_are_waited_for_and_cost_no_candidate() {
    let first = lab("", json!({})).block_on(async |lab| launched(lab).await);
    for (status, code) in [(400, "Throttling.User"), (503, "ServiceUnavailable")] {
        let trouble = json!({
            "action": "RunInstances", "fault": "status", "status": status, "code": code, "nth": 2, "times": 2,
        });
        lab("", json!({"troubles": [trouble]})).block_on(async |lab| {
            let machine = launched(lab).await;
            assert_eq!(machine.instance_type, first.instance_type, "{code}");
            assert_eq!(machine.zone_id, first.zone_id, "{code}");
            assert_eq!(orders(lab), 3, "{code}");
        });
    }
}

/// The scripts wrote four decimals, of which the service takes three, and 0.0000 where they did not know how many cores.
#[test]
fn w24_c8_the_limit_is_the_whole_price_times_the_factor_rounded_up_to_what_the_service_takes() {
    let class = format!("{CPU}, instanceTypes: [ecs.c7.large]");
    for (price, limit) in [
        (0.0812, 0.098),
        (0.333, 0.4),
        (0.1, 0.12),
        (0.0001, 0.001),
        (1.0, 1.2),
    ] {
        let market =
            json!({"offers": [{"type": "ecs.c7.large", "zone": "cn-hangzhou-k", "price": price}]});
        selling(&market, &[(CPU, &class)]).block_on(async |lab| {
            let machine = launched(lab).await;
            let paid = machine.spot_price_limit;
            assert!((paid - limit).abs() < 1e-9, "{price}: {paid}");
            assert_eq!(machine.spot_strategy, "SpotWithPriceLimit");
        });
    }
}

/// The scripts' successor gave exact half hours, which a slow request makes too short.
#[test]
fn c11_a_release_time_is_never_at_the_edge_of_what_is_accepted() {
    let folder = written(&[(SELECTION, &format!("{SELECTION}\n  ttl: 30m"))]);
    let findings = load(folder.path(), KINDS).expect_err("it is too short");
    assert!(format!("{findings:?}").contains("35m"), "{findings:?}");
    let least = format!("{SELECTION}\n  ttl: 35m");
    let short = ("provision: {", "provision: {timeout: 20m, ");
    selling(&json!({}), &[(SELECTION, &least), short]).block_on(async |lab| {
        let machine = launched(lab).await;
        let release = machine.auto_release_time.expect("it always has one");
        assert_eq!(release.millis() % 60_000, 0);
        assert!(release.since(machine.creation_time) > Duration::from_secs(35 * 60));
    });
}

fn sort(name: &str, (cores, gib): (u32, u32), price: f64) -> Value {
    json!({"id": name, "architecture": "x86_64", "cores": cores, "memoryGib": gib, "price": price})
}

/// The scripts forgot the most cores and the least memory, and so took what was cheap and of no use.
#[test]
fn w25_every_strategy_keeps_to_what_the_class_asks_for() {
    let market = json!({"types": [
        sort("ecs.a.large", (2, 4), 0.01),
        sort("ecs.b.large", (16, 32), 0.02),
        sort("ecs.c.large", (4, 8), 0.3),
        sort("ecs.d.large", (4, 128), 0.02),
    ]});
    let memory = format!("{CPU}, memory: {{min: 8Gi, max: 64Gi}}");
    for strategy in ["ExactRatioFirst", "LowestTotalPrice", "LowestPricePerCore"] {
        let selection = format!("selection: {{strategy: {strategy}}}");
        selling(&market, &[(CPU, &memory), (SELECTION, &selection)]).block_on(async |lab| {
            assert_eq!(
                launched(lab).await.instance_type,
                "ecs.c.large",
                "{strategy}"
            );
        });
    }
}

#[test]
fn w25_who_wants_the_cheapest_does_not_get_the_largest() {
    let market = json!({"types": [
        sort("ecs.small.large", (2, 4), 0.168),
        sort("ecs.big.large", (8, 16), 0.64),
    ]});
    let wide = "cpu: {min: 2, max: 8}";
    for (strategy, expected) in [
        ("LowestTotalPrice", "ecs.small.large"),
        ("LowestPricePerCore", "ecs.big.large"),
    ] {
        let selection = format!("selection: {{strategy: {strategy}}}");
        selling(&market, &[(CPU, wide), (SELECTION, &selection)]).block_on(async |lab| {
            assert_eq!(launched(lab).await.instance_type, expected);
        });
    }
}

/// The scripts took the five cheapest first, and looked for their zones' vSwitches afterwards.
#[test]
fn w25_c10_f1_what_cannot_be_had_where_we_are_takes_no_place_among_the_candidates() {
    let name = |number: usize| format!("ecs.t{number}.large");
    let types = (1..=7).map(|it| sort(&name(it), (2, 4), 0.01));
    let types: Vec<Value> = types.collect();
    // Zone h has no vSwitch of ours.
    let mut offers: Vec<Value> = (1..=6)
        .map(|it| json!({"type": name(it), "zone": "cn-hangzhou-h"}))
        .collect();
    offers.push(json!({"type": name(1), "zone": "cn-hangzhou-k", "stock": "WithoutStock"}));
    offers.push(json!({"type": name(7), "zone": "cn-hangzhou-k", "price": 0.5}));
    selling(&json!({"types": types, "offers": offers}), &[]).block_on(async |lab| {
        let machine = launched(lab).await;
        assert_eq!(machine.instance_type, name(7));
        assert_eq!(machine.zone_id, "cn-hangzhou-k");
        assert_eq!(orders(lab), 1);
    });
}
