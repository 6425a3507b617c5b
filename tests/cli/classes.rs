//! Classes of machines: what is wrong with them is said in its place, and what `spot` refuses.

use super::Place;

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
        "8:36: spec.requirements.cpu.max: 4 is less than cpu.min, which is 8",
    ),
    (
        "  requirements: {memory: {min: 8Gi, max: 4Gi}}",
        "8:41: spec.requirements.memory.max: 4Gi is less than memory.min, which is 8Gi",
    ),
    (
        "  requirements: {memory: {min: 65Gi}}",
        "8:32: spec.requirements.memory.min: 65Gi is more than 64Gi, the most for amd64",
    ),
    (
        "  requirements: {memoryPerCpu: 16Gi}",
        "8:3: spec.requirements.memory: 8 cores with 16Gi each need 128Gi, more than memory.max, which is 64Gi",
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
        "8:27: spec.spot.priceMultiplier: expected a decimal number in quotes",
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
