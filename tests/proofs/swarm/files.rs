//! State files: several lines of images and several policies, some suspended, some to go, some at odds.

use std::fmt::Write;

use super::draw::Draw;

/// A line of images as the world has to know it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) prefix: String,
    pub(super) architectures: Vec<&'static str>,
}

/// What is declared.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    pub(super) yaml: String,
    pub(super) lines: Vec<Line>,
    /// The key of the tag that each policy selects by; its value is `yes`.
    pub(super) selectors: Vec<&'static str>,
}

const HOME: &str = "apiVersion: reconcile/v1alpha1
kind: AliyunRegion
metadata: {name: home}
spec: {regionId: cn-hangzhou, scope: test, accountId: \"1000000000000001\"}
";

/// Images have ids from `m-1` on.
pub(super) const IMAGES_MAX: u64 = 24;

pub(super) fn files(draw: &mut Draw) -> Files {
    let mut files = Files {
        yaml: HOME.to_owned(),
        ..Files::default()
    };
    let prefixes = ["line", "line-amd64", "p", "runner-2404"];
    for number in 0..draw.between(0, 3) {
        let index = usize::try_from(number).expect("a small number");
        // Now and then two lines claim the same names.
        let prefix = if draw.chance(5) {
            prefixes[0]
        } else {
            prefixes[index]
        };
        line(draw, &mut files, (&format!("l{number}"), prefix));
    }
    for number in 0..draw.between(0, 2) {
        policy(draw, &mut files, number);
    }
    files
}

/// The beginning of a resource, with a policy.
pub(super) fn head(draw: &mut Draw, yaml: &mut String, (kind, name): (&str, &str)) {
    let mut policy = Vec::new();
    if draw.chance(10) {
        policy.push("suspend: \"the swarm says so\"".to_owned());
    }
    if draw.chance(15) {
        policy.push("ensure: Absent".to_owned());
    }
    if draw.chance(60) {
        let (most, percent) = (
            draw.pick(&[0, 1, 2, 5, 50]),
            draw.pick(&[0, 10, 50, 70, 100]),
        );
        policy.push(format!(
            "guards: {{maxDeletes: {most}, maxDeletePercent: {percent}}}"
        ));
    }
    let _ = write!(
        yaml,
        "---\napiVersion: reconcile/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\npolicy: {{{}}}\n",
        policy.join(", ")
    );
}

fn line(draw: &mut Draw, files: &mut Files, (name, prefix): (&str, &str)) {
    let architectures = draw.pick(&[vec!["amd64"], vec!["arm64"], vec!["amd64", "arm64"]]);
    head(draw, &mut files.yaml, ("MachineImage", name));
    let mut retention = vec![format!("keep: {}", draw.pick(&[1, 1, 2, 3, 5]))];
    if draw.chance(20) {
        retention.push(format!("keepIds: [m-{}]", draw.between(1, IMAGES_MAX)));
    }
    if draw.chance(20) {
        retention.push("deleteSnapshots: false".to_owned());
    }
    let mut spec = vec![
        "regionRef: home".to_owned(),
        format!("namePrefix: {prefix}"),
        format!("architectures: [{}]", architectures.join(", ")),
        format!("retention: {{{}}}", retention.join(", ")),
    ];
    if draw.chance(20) {
        spec.push("adopt: ByTag".to_owned());
    }
    if draw.chance(20) {
        let id = draw.between(1, IMAGES_MAX);
        spec.push(format!("latest: {{imageId: m-{id}}}"));
    }
    let _ = writeln!(files.yaml, "spec: {{{}}}", spec.join(", "));
    files.lines.push(Line {
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        architectures,
    });
}

fn policy(draw: &mut Draw, files: &mut Files, number: u64) {
    head(
        draw,
        &mut files.yaml,
        ("InstancePolicy", &format!("p{number}")),
    );
    let selector = ["ci", "build"][usize::try_from(number).expect("a small number")];
    let (idle, age) = (
        draw.pick(&["1m", "5m", "30m"]),
        draw.pick(&["1h", "4h", "7d"]),
    );
    let mut spec = vec![
        "regionRef: home".to_owned(),
        format!("selector: {{tags: {{{selector}: \"yes\"}}}}"),
        format!("maxIdle: {}", draw.pick(&[0, 0, 1, 2])),
        format!("idleAfter: {idle}"),
        format!("maxAge: {age}"),
    ];
    if draw.chance(30) {
        spec.push("purchase: PayAsYouGo".to_owned());
    }
    if draw.chance(30) {
        spec.push("runnersOf: [\"https://github.com/acme/app\"]".to_owned());
    }
    let _ = writeln!(files.yaml, "spec: {{{}}}", spec.join(", "));
    files.selectors.push(selector);
}
