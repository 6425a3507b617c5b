//! C6 in registries: somebody gives a tag to a version that is about to go, or puts it into a new index. Before every call
//! of a run that deletes, every version that it deletes; where it must be quick, before some calls.

use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reconcile::ids::Digest;
use reconcile::sim::World;
use reconcile::sim::history::Call;
use reconcile::sim::registry::history::{Deed, Happening};
use reconcile::sim::server::{Gate, GatePoint, Side, Verdict};
use serde_json::{Value, json};

use super::cases::{Case, named};
use super::lab::Lab;
use super::{each, figure, is_all};

/// What somebody calls what he needs.
const BY_HAND: &str = "by-hand";

/// Before one of how many calls is quick.
const QUICK: usize = 10;

/// A version that goes.
#[derive(Clone)]
struct Doomed {
    host: String,
    repository: String,
    digest: Digest,
    /// What the call names that deletes it.
    deleted_as: String,
}

impl Doomed {
    fn of(happening: &Happening) -> Option<Self> {
        let (host, repository) = (&happening.host, &happening.repository);
        let digest = happening.deleted_by_client()?;
        let deleted_as = if let Deed::VersionDeleted { id, .. } = &happening.what {
            format!("{repository}@{id}")
        } else {
            format!("{host}/{repository}@{digest}")
        };
        Some(Self {
            host: host.clone(),
            repository: repository.clone(),
            digest: digest.clone(),
            deleted_as,
        })
    }

    fn place(&self) -> (&str, &str) {
        (&self.host, &self.repository)
    }

    /// The same manifest once more under a tag of its own, or a new index that has it.
    fn needed(&self, world: &mut World, by: By) -> Value {
        let now = world.scenario().start;
        let manifest = world.manifests(self.place(), now).remove(&self.digest);
        let Some(manifest) = manifest else {
            return json!({});
        };
        let manifest = match by {
            By::Tag => json!({
                "tags": [BY_HAND],
                "base64": STANDARD.encode(manifest.bytes.as_slice()),
                "mediaType": manifest.media_type,
            }),
            By::Index => json!({"tags": [BY_HAND], "of": [self.digest], "nested": true}),
        };
        json!({"registries": {&self.host: {"repositories": {&self.repository: {"manifests": [manifest]}}}}})
    }
}

/// How a version comes to be needed.
#[derive(Clone, Copy, Debug)]
enum By {
    Tag,
    Index,
}

fn reference(case: &Case) -> (Vec<Call>, Vec<Doomed>) {
    Lab::new(case).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        lab.with_world(|it| {
            let doomed = it.registry_history().iter().filter_map(Doomed::of);
            (it.calls().to_vec(), doomed.collect())
        })
    })
}

/// Whether a call shows that a version came to be needed.
fn shows(call: &Call, (doomed, by): (&Doomed, By)) -> bool {
    let place = format!("{}/{}", doomed.host, doomed.repository);
    let object = call.object.as_deref().unwrap_or_default();
    match (call.action.as_str(), by) {
        ("GET tags", By::Tag | By::Index) => object == place && doomed.host != "ghcr.io",
        ("GET version", By::Tag) => object == doomed.deleted_as,
        ("GET versions", By::Index) => object == doomed.repository,
        _ => false,
    }
}

fn interfere((case, n, (doomed, by)): &(&Case, u64, (&Doomed, By))) {
    let what = format!("{by:?} for {} before call {n}", doomed.digest);
    let mut lab = Lab::new(case);
    let (world, n) = (lab.outlook(), *n);
    let (deed, by, is_over) = ((*doomed).clone(), *by, AtomicBool::new(false));
    lab.gate = Some(Gate::new(move |point: &GatePoint| {
        let is_meant = point.side == Side::Before && point.call.n == n;
        if is_meant && !is_over.swap(true, Ordering::Relaxed) {
            let served = world();
            let needed = served.with_world(|it| deed.needed(it, by));
            served.put(&needed);
        }
        Verdict::Go
    }));
    lab.block_on(async |lab| {
        let _ = lab.converge(1).await;
        let calls = lab.with_world(|it| it.calls().to_vec());
        let is_deletion = |it: &Call| {
            it.action.starts_with("DELETE") && it.object.as_ref() == Some(&doomed.deleted_as)
        };
        if let Some(deletion) = calls.iter().find(|it| it.n > n && is_deletion(it)) {
            let mut between = calls.iter().filter(|it| (n..deletion.n).contains(&it.n));
            let was_seen = between.any(|it| shows(it, (doomed, by)));
            assert!(!was_seen, "I1, {what}: it was seen to be needed");
        }
        // Whatever it was, it comes to an end.
        let _ = lab.converge(2).await;
        let writes = lab.writes();
        let _ = lab.once(3).await;
        assert_eq!(lab.writes(), writes, "{what}");
    });
}

#[test]
fn a_version_that_somebody_comes_to_need_between_two_calls_stays() {
    let case = named("retained");
    let (calls, doomed) = reference(&case);
    let mut points = Vec::new();
    let every = if is_all() { 1 } else { QUICK };
    for call in calls.iter().step_by(every) {
        for it in &doomed {
            points.extend([By::Tag, By::Index].map(|by| (&case, call.n, (it, by))));
        }
    }
    assert!(points.len() > 100, "only {} points", points.len());
    each(&points, interfere);
    let extent = if is_all() {
        "before every call"
    } else {
        "before every tenth"
    };
    figure(
        &format!("versions that come to be needed between two calls, passed (C6), {extent}"),
        &points.len().to_string(),
    );
}
