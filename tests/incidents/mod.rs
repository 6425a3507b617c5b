//! What has gone wrong with today's scripts and their like, each as a test that begins with its id.
//!
//! Ids are those of the record that this project began with: `A` leaked machines, `B` image builds, `C` runners, `D` merges,
//! `E` process, `W` weaknesses found by reading and running the scripts, `PA` pains of their users. `custodian_6554` is
//! the issue of that number of cloud-custodian: what deletes unused images did not know of launch templates.
//!
//! | tested in | ids |
//! |---|---|
//! | builds.rs | A8 B2 B3 B5 B6 B7 B8 B9 C4 PA5 PA7 PA9 W12 W13 W14 W15 W17 W39 |
//! | launches.rs | A2 C8 C10 C11 F1 PA4 PA8 W16 W19 W21 W23 W24 W25 W36 |
//! | listing.rs | A1b E1 PA6 W9 W10 W11 |
//! | machines.rs | A1c A1d A7 W9 W20 W21 W22 |
//! | merges.rs | R58 R59 R60 W31 W33 chainguard_173 harbor_17746 pulumi_577 pulumi_630 |
//! | mirrors.rs | W30 W34 docker_cli_4833 image_syncer_152 image_syncer_154 koordinator_3194 mibeenvr_397 regclient_215 |
//! | mirrors.rs | skopeo_1021 skopeo_1645 skopeo_2426 spiffe_csi_280 zrlog_252 |
//! | naming.rs | B1 B4 B10 K2 W1 W2 W3 W4 W5 W6 W7 W8 |
//! | retention/elsewhere.rs | harbor_8717 harbor_9472 harbor_16335 harbor_23530 |
//! | retention/mod.rs | chainguard_173 delete_package_versions_58 snok_33 |
//! | retention/races.rs | action_ghcr_prune_76 ghcr_cleanup_action_1 snok_33 snok_97 vault_db_injector_78 |
//! | retention/rows.rs | acr_cli_670 action_ghcr_prune_76 addon_62 delete_package_versions_90 delete_package_versions_162 |
//! | retention/rows.rs | ghcr_cleanup_action_1 glycemicgpt_552 gzctf_123 kubernoodles_664 mcp_memory_1052 moneyman_789 |
//! | retention/rows.rs | niks3_479 snok_3 snok_43 snok_48 snok_63 snok_95 snok_97 untagged_action_45 |
//! | retention/rows.rs | vault_db_injector_78 weathernode_24 |
//! | runners.rs | A1a A1e A2 A3 A4 A5 A6 C1 C2 C6 PA3 W26 W28 W29 arc_4307 fvdb_core_768 garm_79 karpenter_aws_549 |
//! | runners.rs | machulav_69 pytorch_87500 runs_on_44 tce_2502 tf_aws_167 tf_aws_3199 tf_aws_4376 tf_aws_4391 tf_aws_4724 |
//! | runners.rs | tf_aws_5105 |
//! | tags.rs | D1 PA10 R59 R60 R61 W30 W31 W32 W33 W34 buildx_1519 manifest_tool_233 observal_560 regclient_215 |
//! | tags.rs | skopeo_1021 skopeo_2111 spiffe_csi_280 |
//! | templates.rs | custodian_6554 |
//!
//! | not tested here | because |
//! |---|---|
//! | W27 W35 W38, PA2 | the guest's script, in a real Debian; nothing of a registration goes through a workflow; the proofs, `deaths` |
//! | runs_on_259 | nothing starts a job again that was interrupted |
//! | C3 C5 | beside `guest.rs` of machine images: the proxy reaches the script, what is too long is refused |
//! | C7 C9 | beside `instance_class`: offers that say nothing are skipped, no price is asked for that cannot matter |
//! | D3, PA11 PA12 | nothing builds containers yet |
//! | W18 | is about what uses the images |
//! | D2, E2 E3, W37 | not about behaviour |
//! | E1, every call | the proofs, `calls` |
//! | E4 | the simulator's tests |
//! | PA1 | is A1 again |

mod builds;
mod launches;
mod listing;
mod machines;
mod merges;
mod mirrors;
mod naming;
mod races;
mod retention;
mod runners;
mod tags;
mod templates;

use reconcile::report::{Report, State};
use serde_json::{Value, json};

use crate::declared::document;
use crate::proofs::lab::Lab;

pub(crate) use retention::meddle;

const REGION: &str = "cn-hangzhou";
/// What images of the line `p` for amd64 are called.
const STEM: &str = "p-amd64-";

/// A line of images `p` whose spec says this besides.
fn line(spec: &str) -> String {
    declared(
        "MachineImage",
        "line",
        &format!("namePrefix: p, architectures: [amd64], {spec}"),
    )
}

/// A policy whose spec says this.
fn policy(spec: &str) -> String {
    declared("InstancePolicy", "idle", spec)
}

fn declared(kind: &str, name: &str, spec: &str) -> String {
    let rest = format!(
        "policy: {{guards: {{maxDeletes: 1000, maxDeletePercent: 100}}}}\nspec: {{regionRef: home, {spec}}}"
    );
    document(kind, name, &rest)
}

/// A lab with one region, these resources in it, and this world.
fn lab(resources: &str, world: Value) -> Lab {
    let home = "apiVersion: reconcile/v1alpha1
kind: AliyunRegion
metadata: {name: home}
spec: {regionId: cn-hangzhou, scope: test}
";
    Lab::written(&format!("{home}{resources}"), world)
}

/// Reads `id name MM-DDTHH:MM:SS word…`, an image a line, where `-` stands for an unknown time. It is 2026-11-21T02:00:00.
fn images(lines: &str) -> Value {
    let image = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [id, name, created, words @ ..] = words.as_slice() else {
            panic!("{line} lacks an id, a name or a time");
        };
        let name = name
            .strip_prefix('=')
            .map_or(format!("{STEM}{name}"), str::to_owned);
        let mut tags = json!({});
        let mut image = json!({"ImageId": id, "ImageName": name, "CreationTime": time(created)});
        for word in words {
            match *word {
                "ours" => own(&mut tags, "test", "MachineImage/line"),
                "theirs" => own(&mut tags, "other", "MachineImage/line"),
                "another's" => own(&mut tags, "test", "MachineImage/another"),
                "L" => tags["Latest"] = json!("true"),
                "family" => image["ImageFamily"] = json!("p-amd64"),
                "arm64" => image["Architecture"] = json!("arm64"),
                "shared" => image["IsSelfShared"] = json!(true),
                "unusable" => image["Usable"] = json!(false),
                status => image["Status"] = json!(status),
            }
        }
        image["Tags"] = tags;
        image
    };
    let lines = lines.lines().filter(|it| !it.trim().is_empty());
    Value::Array(lines.map(image).collect())
}

fn own(tags: &mut Value, scope: &str, owner: &str) {
    tags["reconcile:managed-by"] = json!(scope);
    tags["reconcile:owner"] = json!(owner);
}

fn time(text: &str) -> String {
    if text == "-" {
        String::new()
    } else {
        format!("2026-{text}Z")
    }
}

/// Reads `id status MM-DDTHH:MM:SS word…`, an instance a line: words are `on-demand`, `protected`, `release=` and a time,
/// `from=` and an image, and tags.
fn instances(lines: &str) -> Value {
    let instance = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [id, status, created, words @ ..] = words.as_slice() else {
            panic!("{line} lacks an id, a status or a time");
        };
        let mut tags = json!({});
        let mut instance = json!({
            "InstanceId": id, "InstanceName": id, "ImageId": "ubuntu", "Status": status,
            "CreationTime": time(created), "SpotStrategy": "SpotAsPriceGo",
        });
        for word in words {
            match word.split_once('=') {
                Some(("release", at)) => instance["AutoReleaseTime"] = json!(time(at)),
                Some(("from", image)) => instance["ImageId"] = json!(image),
                Some(("owner", owner)) => own(&mut tags, "test", owner),
                Some((key, value)) => tags[key] = json!(value),
                None if *word == "on-demand" => instance["SpotStrategy"] = json!("NoSpot"),
                None => instance["DeletionProtection"] = json!(*word == "protected"),
            }
        }
        instance["Tags"] = tags;
        instance
    };
    let lines = lines.lines().filter(|it| !it.trim().is_empty());
    Value::Array(lines.map(instance).collect())
}

/// The images of the world, `id name` each, by id; names of the line without what they all begin with.
fn names(lab: &Lab) -> Vec<String> {
    let now = lab.now();
    let images = lab.with_world(|it| it.images(REGION, now));
    let name = |it: &str| {
        it.strip_prefix(STEM)
            .map_or(format!("={it}"), str::to_owned)
    };
    images
        .iter()
        .map(|it| format!("{} {}", it.image_id, name(&it.image_name)))
        .collect()
}

/// The ids of the machines of the world.
fn machines(lab: &Lab) -> Vec<String> {
    let now = lab.now();
    let machines = lab.with_world(|it| it.instances(REGION, now));
    machines
        .iter()
        .map(|it| it.instance_id.to_string())
        .collect()
}

/// How the resources of a kind are.
pub(crate) fn states<'a>(report: &'a Report, kind: &str) -> Vec<&'a State> {
    let of_kind = report.resources.iter().filter(|(id, _)| id.kind == kind);
    of_kind.map(|(_, it)| &it.state).collect()
}

/// Failures of one action that go on until somebody ends them; none of them has an effect.
fn failures(action: &str) -> Vec<Value> {
    let ways = [
        json!({"fault": "status", "status": 500}),
        json!({"fault": "status", "status": 503}),
        json!({"fault": "status", "status": 400, "code": "Throttling.User"}),
        json!({"fault": "status", "status": 429, "seconds": 5}),
        json!({"fault": "status", "status": 403, "code": "Forbidden.RAM"}),
        json!({"fault": "status", "status": 400, "code": "InvalidImageName.Duplicated"}),
        json!({"fault": "dropBefore"}),
    ];
    ways.into_iter()
        .map(|mut it| {
            it["action"] = json!(action);
            it["times"] = json!(1_000_000);
            it
        })
        .collect()
}
