//! Classes of machines: what is wrong with them is said in its place, and what `spot` refuses.

use serde_json::{Value, json};

use super::Place;
use crate::proofs::figure;

const REGION: &str = "\
apiVersion: reconcile/v1alpha1
kind: AliyunRegion
metadata: {name: home}
spec:
  regionId: cn-hangzhou
  scope: test
  network: {vpcId: vpc-1, securityGroupId: sg-1, discoverVSwitches: true}
---
";

/// Seven lines, so that what is added begins at line 8.
const CLASS: &str = "\
apiVersion: reconcile/v1alpha1
kind: InstanceClass
metadata:
  name: builder
spec:
  regionRef: home
  architecture: amd64
";

fn place(network: &str, addition: &str) -> Place {
    let place = Place::empty();
    let region = REGION.replace(
        "{vpcId: vpc-1, securityGroupId: sg-1, discoverVSwitches: true}",
        network,
    );
    place.write("state/region.yaml", &region);
    place.write("state/class.yaml", &format!("{CLASS}{addition}"));
    place
}

const NETWORK: &str = "{vpcId: vpc-1, securityGroupId: sg-1, discoverVSwitches: true}";

/// What is added to a class, and what is said of it.
const WRONG: [(&str, &str); 15] = [
    (
        "  requirements: {cpu: {min: 8, max: 4}}",
        "8:37: spec.requirements.cpu.max: 4 is less than cpu.min, which is 8",
    ),
    (
        "  requirements: {memory: {min: 8Gi, max: 4Gi}}",
        "8:42: spec.requirements.memory.max: 4Gi is less than memory.min, which is 8Gi",
    ),
    (
        "  requirements: {memory: {min: 65Gi}}",
        "8:32: spec.requirements.memory.min: 65Gi is more than 64Gi, the most for amd64",
    ),
    (
        "  requirements: {memoryPerCpu: 16Gi}",
        "8:17: spec.requirements.memory: 8 cores with 16Gi each need 128Gi, more than memory.max, which is 64Gi",
    ),
    (
        "  ttl: 34m",
        "8:8: spec.ttl: 34m is less than 35m, the least that is sure to be accepted",
    ),
    ("  ttl: 1096d", "8:8: spec.ttl: 1096d is more than 1095d"),
    (
        "  spot: {priceMultiplier: \"0.9\"}",
        "8:27: spec.spot.priceMultiplier: 0.9 is less than 1",
    ),
    (
        "  spot: {priceMultiplier: lots}",
        "8:27: spec.spot.priceMultiplier: expected a decimal number in quotes, with 6 places at most, such as `1.2` or `0.35`",
    ),
    (
        "  spot: {priceMultiplier: 1.2}",
        "`1.2` was written without quotes; write \"1.2\"",
    ),
    (
        "  spot: {maxPrice: \"0\"}",
        "8:20: spec.spot.maxPrice: 0 is no price",
    ),
    (
        "  spot: {maxPrice: \"0.1234\"}",
        "8:20: spec.spot.maxPrice: a price of the cloud has three decimals at most",
    ),
    (
        "  requirements: {families: []}",
        "8:28: spec.requirements.families",
    ),
    (
        "  requirements: {instanceTypes: [c7.large]}",
        "8:34: spec.requirements.instanceTypes[0]",
    ),
    (
        "  requirements: {instanceTypes: [ecs.g7.large], families: [ecs.g7ne]}",
        "8:34: spec.requirements.instanceTypes[0]: `ecs.g7.large` is of the family ecs.g7, which is not among families",
    ),
    (
        "  systemDisk: {categories: [], headroom: 3000Gi}",
        "8:28: spec.systemDisk.categories",
    ),
];

#[test]
fn what_is_wrong_with_a_class_is_said_in_its_place() {
    for (addition, said) in WRONG {
        let run = place(NETWORK, addition).run(&["check"]).exits(65);
        assert!(run.stderr.contains(said), "{addition}\n{}", run.stderr);
    }
    let all =
        "  requirements: {cpu: {min: 8, max: 4}}\n  spot: {priceMultiplier: \"0\"}\n  ttl: 1s";
    let run = place(NETWORK, all).run(&["check"]).exits(65);
    assert!(run.stderr.contains("3 errors"), "{}", run.stderr);
    place(NETWORK, "").run(&["check"]).exits(0);
}

#[test]
fn a_class_needs_a_region_with_a_network() {
    let run = place("{discoverVSwitches: false}", "")
        .run(&["check"])
        .exits(65);
    assert!(
        run.stderr.contains(
            "state/class.yaml:6:14: spec.regionRef: AliyunRegion/home does not say into which network machines are \
             launched: it lacks network.vpcId, network.securityGroupId, network.vSwitches (or network.discoverVSwitches: true)"
        ),
        "{}",
        run.stderr
    );
    let empty = "{vpcId: vpc-1, securityGroupId: sg-1, vSwitches: {}}";
    let run = place(empty, "").run(&["check"]).exits(65);
    assert!(
        run.stderr.contains("it lacks network.vSwitches"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_v_switch_that_is_none_is_refused() {
    let network = "{vpcId: vpc-1, securityGroupId: sg-1, vSwitches: {cn-hangzhou-h: vpc-1}}";
    let run = place(network, "").run(&["check"]).exits(65);
    let said = "state/region.yaml:7:77: spec.network.vSwitches.cn-hangzhou-h: `vpc-1` is no vSwitch such as";
    assert!(run.stderr.contains(said), "{}", run.stderr);
}

#[test]
fn spot_refuses_what_cannot_be_meant() {
    let place = place(NETWORK, "");
    let run = place.run(&["spot", "bilder", "--simulate"]).exits(64);
    assert!(
        run.stderr
            .contains("there is no InstanceClass bilder (did you mean builder?)"),
        "{}",
        run.stderr
    );
    place
        .run(&["spot", "builder", "--env", "--output", "json", "--simulate"])
        .exits(64);
}

/// A world with a VPC in two zones, and this market.
fn world(market: &Value) -> String {
    let switch = |letter: char| json!({"VSwitchId": format!("vsw-{letter}"), "VpcId": "vpc-1", "ZoneId": format!("cn-hangzhou-{letter}")});
    json!({"vSwitches": [switch('h'), switch('k')], "market": market}).to_string()
}

fn two_types() -> Value {
    let kind = |id: &str| json!({"id": id, "architecture": "x86_64", "cores": 8, "memoryGib": 8});
    json!({
        "types": [kind("ecs.a.2xlarge"), kind("ecs.b.2xlarge")],
        "offers": [
            {"type": "ecs.a.2xlarge", "zone": "cn-hangzhou-h", "price": 0.2496, "originPrice": 1.5},
            {"type": "ecs.a.2xlarge", "zone": "cn-hangzhou-k", "price": 0.25},
            {"type": "ecs.b.2xlarge", "zone": "cn-hangzhou-h", "price": 0.1, "stock": "WithoutStock"},
        ],
    })
}

#[test]
fn spot_prints_the_ranking_in_every_form() {
    let place = place(NETWORK, "");
    place.write("world.yaml", &world(&two_types()));
    let spot = ["spot", "builder", "--simulate=world.yaml"];
    let with = |more: &[&str]| place.run(&[&spot[..], more].concat()).exits(0);
    assert_eq!(
        with(&[]).stdout,
        "RANK  TYPE           ZONE           VSWITCH  CORES  MEMORY  PRICE/H  LIMIT/H\n\
         1     ecs.a.2xlarge  cn-hangzhou-h  vsw-h    8      8Gi     0.2496   0.3\n\
         2     ecs.a.2xlarge  cn-hangzhou-k  vsw-k    8      8Gi     0.25     0.3\n\
         In CNY. The prices of 1 types were asked for, 4 calls in all.\n\
         Left out: 1 of 2 types are nowhere in stock.\n"
    );
    let json = with(&["--output", "json"]).json();
    assert_eq!(json["candidates"][0]["price"], "0.2496");
    assert_eq!(json["candidates"][1]["vSwitch"], "vsw-k");
    assert_eq!(
        (&json["pricesAsked"], &json["calls"]),
        (&json!(1), &json!(4))
    );
    let markdown = with(&["--output", "markdown"]).stdout;
    let row = "| 1 | ecs.a.2xlarge | cn-hangzhou-h | vsw-h | 8 | 8Gi | 0.2496 | 0.3 |\n";
    assert!(markdown.contains(row), "{markdown}");
    let lines = "INSTANCE_TYPE=ecs.a.2xlarge\nZONE_ID=cn-hangzhou-h\nVSWITCH_ID=vsw-h\nSPOT_PRICE_LIMIT=0.3\nCPU_CORES=8\n";
    assert_eq!(with(&["--env"]).stdout, lines);
    let output = place.path("output");
    let arguments = [
        "spot",
        "InstanceClass/builder",
        "--env",
        "--simulate=world.yaml",
    ];
    let mut command = place.command(&arguments);
    super::finish(command.env("GITHUB_OUTPUT", &output)).exits(0);
    assert_eq!(std::fs::read_to_string(output).expect("a file"), lines);
}

#[test]
fn spot_asks_for_the_types_once_a_day_where_there_is_a_status_directory() {
    let place = place(NETWORK, "");
    place.write("world.yaml", &world(&two_types()));
    let spot = [
        "spot",
        "builder",
        "--simulate=world.yaml",
        "--output",
        "json",
    ];
    let kept = [&spot[..], &["--status-dir", "kept"]].concat();
    let calls = |arguments: &[&str]| place.run(arguments).exits(0).json()["calls"].clone();
    assert_eq!(calls(&kept), 4);
    assert!(!place.path("kept").exists(), "none is made for this");
    std::fs::create_dir(place.path("kept")).expect("a folder");
    assert_eq!((calls(&kept), calls(&kept)), (json!(4), json!(3)));
}

#[test]
fn spot_says_why_there_is_none() {
    for (addition, market, said) in [
        (
            "  spot: {maxPrice: \"0.1\"}",
            two_types(),
            "2 offers are above spot.maxPrice, which is 0.1: the cheapest costs 0.2496 (ecs.a.2xlarge in cn-hangzhou-h)",
        ),
        (
            "  requirements: {instanceTypes: [ecs.b.2xlarge]}",
            two_types(),
            "1 of 1 types are nowhere in stock",
        ),
        (
            "  requirements: {families: [ecs.nowhere]}",
            two_types(),
            "there is no type of amd64 with 8 to 64 cores and 8Gi to 64Gi",
        ),
    ] {
        let place = place(NETWORK, addition);
        place.write("world.yaml", &world(&market));
        for form in [&["--env"][..], &["--output", "json"], &[]] {
            let arguments = [&["spot", "builder", "--simulate=world.yaml"], form].concat();
            let run = place.run(&arguments).exits(1);
            assert!(run.stderr.contains(said), "{addition}: {}", run.stderr);
            if form.contains(&"json") {
                // What was left out is data too.
                assert_eq!(run.json()["candidates"], json!([]));
            } else {
                assert_eq!(run.stdout, "");
            }
        }
    }
}

#[test]
fn a_choice_among_a_thousand_types_takes_fewer_calls_than_a_price_for_each() {
    for (strategy, class) in [
        ("the default strategy", ""),
        (
            "LowestTotalPrice",
            "  selection: {strategy: LowestTotalPrice}",
        ),
    ] {
        let place = place(NETWORK, class);
        place.write(
            "world.yaml",
            &world(&json!({"types": [], "generated": 1000})),
        );
        std::fs::create_dir(place.path("kept")).expect("a folder");
        let arguments = [
            "spot",
            "builder",
            "--simulate=world.yaml",
            "--output",
            "json",
            "--status-dir",
            "kept",
        ];
        let cold = place.run(&arguments).exits(0).json();
        let warm = place.run(&arguments).exits(0).json();
        assert_eq!(cold["candidates"], warm["candidates"]);
        let number = |value: &Value| value.as_u64().expect("a number");
        let (cold, calls) = (number(&cold["calls"]), number(&warm["calls"]));
        let asked = number(&warm["pricesAsked"]);
        let dropped = &warm["dropped"];
        let others = number(&dropped["types"]) - number(&dropped["withoutStock"]);
        assert_eq!(calls, 2 + asked);
        assert!(asked <= others, "{asked} of {others}");
        figure(
            &format!("calls for a choice among 1000 types, {strategy}"),
            &format!(
                "{calls} (2 + {asked}), {cold} when the types are not kept; a price for each that is in stock anywhere: {} (2 + {others})",
                2 + others
            ),
        );
    }
}
