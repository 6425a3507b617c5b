//! C1 of mirrors: the process dies at a call of a pass that merges and mirrors, and the next one goes on. Nothing that had
//! arrived is sent again, and no tag ever names what is not whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use reconcile::ids::Digest;
use reconcile::resource::yaml_value;
use reconcile::sim::history::Call;
use reconcile::sim::registry::history::Deed;
use reconcile::sim::scenario::Scenario;
use reconcile::sim::server::{Gate, GatePoint, Side, Verdict};
use tokio::sync::watch;

use super::cases::Case;
use super::lab::Lab;
use super::{each, figure, is_all};

/// What is declared and what exists: three mirrors of two tags.
fn case() -> Case {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/mirrors");
    let world = fs::read_to_string(folder.join("world.yaml")).expect("the case has a world");
    let world = yaml_value(&world).expect("the world can be read");
    let scenario = Scenario::from_value(world).expect("the world can be read");
    Case::new("mirrors", &folder.join("state"), &scenario)
}

/// Where images are, in the world of the case.
const PLACES: [(&str, &str); 4] = [
    ("ghcr.io", "example/app"),
    ("ghcr.io", "example-mirror/app"),
    ("registry.cn-hangzhou.aliyuncs.com", "example/of-app"),
    ("cr.example", "copies/app"),
];

/// What every tag names.
fn tags(lab: &Lab) -> Vec<(String, Digest)> {
    let now = lab.now();
    let of = |place: &(&str, &str)| {
        let (host, repository) = *place;
        let tags = lab.with_world(|it| it.tags(*place, now)).into_iter();
        tags.map(move |(tag, digest)| (format!("{host}/{repository}:{tag}"), digest))
            .collect::<Vec<_>>()
    };
    PLACES.iter().flat_map(of).collect()
}

/// The manifests that an index names and its repository does not have.
fn lacking(lab: &Lab) -> Vec<String> {
    let now = lab.now();
    let of = |place: &(&str, &str)| {
        let manifests = lab.with_world(|it| it.manifests(*place, now));
        let tags = lab.with_world(|it| it.tags(*place, now));
        let mut lacking = Vec::new();
        for (tag, digest) in tags {
            let bytes = manifests.get(&digest).map(|it| it.bytes.to_vec());
            let content = serde_json::from_slice(&bytes.unwrap_or_default());
            let content: serde_json::Value = content.expect("a tag names a manifest");
            let children = content["manifests"].as_array().into_iter().flatten();
            let children = children.filter_map(|it| Digest::parse(it["digest"].as_str()?));
            let missing = children.filter(|it| !manifests.contains_key(it));
            lacking.extend(missing.map(|it| format!("{place:?} {tag} {it}")));
        }
        lacking
    };
    PLACES.iter().flat_map(of).collect()
}

/// Blobs whose content was sent to one repository more than once.
fn sent_twice(lab: &Lab) -> Vec<String> {
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    lab.with_world(|it| {
        for happening in it.registry_history() {
            if let Deed::BlobPushed { digest, .. } = &happening.what {
                let place = format!("{}/{} {digest}", happening.host, happening.repository);
                *sent.entry(place).or_default() += 1;
            }
        }
    });
    let twice = sent.into_iter().filter(|(_, times)| *times > 1);
    twice.map(|(blob, _)| blob).collect()
}

/// The calls of a run without a fault, and what every tag names in the end.
fn reference(case: &Case) -> (Vec<Call>, Vec<(String, Digest)>) {
    Lab::new(case).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        assert_eq!(lacking(lab), [""; 0]);
        assert_eq!(sent_twice(lab), [""; 0]);
        let calls = lab.with_world(|it| it.calls().to_vec());
        (calls, tags(lab))
    })
}

/// Kills the process at one point, starts another one, and holds the world against the reference.
fn crash((case, expected, (n, side)): &(&Case, &[(String, Digest)], (u64, Side))) {
    let (n, side) = (*n, *side);
    let what = format!("dies at call {n}, {side:?}");
    let (died, mut dead) = watch::channel(false);
    let mut lab = Lab::new(case);
    lab.gate = Some(Gate::new(move |point: &GatePoint| {
        if point.call.n != n || point.side != side || *died.borrow() {
            return Verdict::Go;
        }
        died.send_replace(true);
        Verdict::Halt
    }));
    lab.block_on(async |lab| {
        tokio::select! {
            biased;
            _ = dead.wait_for(|it| *it) => {}
            _ = lab.converge(1) => {}
        }
        assert_eq!(lacking(lab), [""; 0], "{what}");
        let report = lab.converge(2).await;
        assert!(report.is_converged(), "{what}: {}", report.to_json());
        assert_eq!(tags(lab), *expected, "{what}");
        assert_eq!(lacking(lab), [""; 0], "{what}");
        assert_eq!(sent_twice(lab), [""; 0], "{what}");
        let writes = lab.writes();
        let again = lab.once(3).await;
        assert!(
            again.actions.is_empty() && lab.writes() == writes,
            "{what}: {}",
            again.to_json()
        );
    });
}

#[test]
fn whenever_the_process_dies_the_next_one_finishes_the_mirrors_and_sends_nothing_twice() {
    let case = case();
    let (calls, expected) = reference(&case);
    let sides = [Side::Before, Side::Applied, Side::Answered];
    let is_tried = |call: &&Call| is_all() || call.write;
    let every = if is_all() { 1 } else { 3 };
    let tried = calls.iter().filter(is_tried).step_by(every);
    let points = tried.flat_map(|call| {
        let sides = sides
            .into_iter()
            .filter(|it| is_all() || *it == Side::Applied);
        sides.map(|side| (call.n, side))
    });
    let points: Vec<_> = points.map(|it| (&case, expected.as_slice(), it)).collect();
    each(&points, crash);
    assert!(points.len() > 20, "only {} points were found", points.len());
    let extent = if is_all() {
        "every call on every side"
    } else {
        "every third write on one side"
    };
    figure(
        &format!("crash points of mirrors enumerated and passed (C1), {extent}"),
        &points.len().to_string(),
    );
}
