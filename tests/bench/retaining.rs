//! How long it takes to say what of a repository stays, what goes and what that frees, of what was seen already.

use std::hint::black_box;

use reconcile::clock::Timestamp;
use reconcile::ids::Digest;
use reconcile::kinds::image_repository::Spec;
use reconcile::kinds::image_repository::retention::{Graph, Links, Rules, Version, frees, roots};
use reconcile::providers::registry::Blob;
use serde_json::json;

use crate::figures::{Figures, best_of, tell};
use crate::planning::cpu_milliseconds;

const ROUNDS: u32 = 9;
/// A merged tag, two sources, two images with an attestation each, a signature.
const VERSIONS_PER_BUILD: usize = 8;
const BUILDS: usize = 2500;
/// Milliseconds of one core.
const PLANNING_MAX: f64 = 200.0;
/// Time at 20,000 versions ÷ time at 2,000.
const GROWTH_MAX: f64 = 30.0;
const NOW: &str = "2026-11-21T02:00:00Z";

pub(crate) fn measure(figures: &mut Figures) {
    let (large, going) = planning(BUILDS);
    let (small, _) = planning(BUILDS / 10);
    let versions = BUILDS * VERSIONS_PER_BUILD;
    tell(
        "planning retention of 20,000 versions, ms of CPU",
        format!("{large:.0} ({going} go)"),
    );
    let growth = large / small;
    tell(
        "planning retention, 20,000 versions ÷ 2,000",
        format!("{growth:.1}"),
    );
    figures.hold(
        large < PLANNING_MAX,
        &format!(
            "retention of {versions} versions takes {large:.0} ms, {PLANNING_MAX} are allowed"
        ),
    );
    figures.hold(
        growth < GROWTH_MAX,
        &format!("ten times the versions take {growth:.1} times as long"),
    );
}

/// Milliseconds, and how many versions go.
fn planning(builds: usize) -> (f64, usize) {
    let spec: Spec = serde_json::from_value(json!({
        "registryRef": "home",
        "repository": "example/app",
        "tags": [format!("v{}", builds - 1), "v0"],
        "retention": {
            "tagged": {"keepLast": 3 * (builds / 10), "keep": ["v1*"], "olderThan": "1d"},
            "untagged": {"olderThan": "1d"},
        },
    }))
    .expect("the spec is right");
    let retention = spec.retention.as_ref().expect("it is written");
    let versions: Vec<Version> = (0..builds).flat_map(build).collect();
    let required = spec.named_tags().map(str::to_owned).collect();
    let now = Timestamp::parse(NOW).expect("a time in RFC 3339");
    let mut going = 0;
    let milliseconds = best_of(ROUNDS, || {
        let begun = cpu_milliseconds();
        let rules = Rules {
            spec: &spec,
            retention,
            required: &required,
            now,
        };
        let graph = Graph::new(&spec, black_box(&versions));
        let closure = graph.close(roots(rules, &versions));
        let order = graph.order(&closure);
        let freed = black_box(frees(&versions, &closure, &order));
        let took = cpu_milliseconds() - begun;
        let gone = closure.kept.iter().filter(|it| it.is_none());
        assert_eq!(gone.count(), freed.len(), "what goes has an order");
        going = order.len();
        took
    });
    assert!(
        0 < going && going < versions.len(),
        "{going} versions of {} go",
        versions.len()
    );
    (milliseconds, going)
}

/// All versions that one build leaves. What the attestations are about is told by their subject, as BuildKit does it.
fn build(number: usize) -> [Version; VERSIONS_PER_BUILD] {
    let digest = |part: usize| {
        let text = format!("sha256:{:064x}", number * VERSIONS_PER_BUILD + part);
        Digest::parse(&text).expect("a digest")
    };
    let newest = Timestamp::parse("2026-11-19T00:00:00Z").expect("a time in RFC 3339");
    let age = i64::try_from(number).expect("there are not that many") * 60_000;
    let changed = Timestamp::from_millis(newest.millis() - age);
    let version =
        |part: usize, tags: &[String], children: &[usize], subject: Option<usize>| Version {
            digest: digest(part),
            id: None,
            tags: tags.to_vec(),
            created: Some(changed),
            updated: Some(changed),
            links: Links {
                children: children.iter().map(|it| digest(*it)).collect(),
                subject: subject.map(digest),
                blobs: vec![Blob {
                    digest: digest(part),
                    size: 1000,
                }],
                size: 1000,
            },
        };
    let tag = format!("v{number}");
    let about = digest(0).as_str().replace(':', "-");
    [
        version(0, &[tag.clone()], &[3, 4, 5, 6], None),
        version(1, &[format!("{tag}-amd64")], &[3, 4], None),
        version(2, &[format!("{tag}-arm64")], &[5, 6], None),
        version(3, &[], &[], None),
        version(4, &[], &[], Some(3)),
        version(5, &[], &[], None),
        version(6, &[], &[], Some(5)),
        version(7, &[format!("{about}.sig")], &[], None),
    ]
}
