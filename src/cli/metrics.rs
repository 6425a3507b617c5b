//! What a daemon has done and how it is, for probes and for Prometheus.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::clock::Timestamp;
use crate::engine::Ended;
use crate::ids::ResourceId;
use crate::report::State;

type Number = Gauge<f64, AtomicU64>;

/// What is counted.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    passes: Counter,
    actions: Family<ActionLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    writes: Counter,
    resources: Family<ResourceLabels, Gauge>,
    states: BTreeMap<ResourceId, &'static str>,
    files_valid: Gauge,
    status_written: Gauge,
    last_pass_at: Number,
    /// When the last pass ended; none: none has.
    pub(super) passed_at: Option<Timestamp>,
    /// Whether the status directory could be written in the last pass.
    pub(super) is_kept: bool,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ActionLabels {
    kind: String,
    verb: String,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    service: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResourceLabels {
    kind: String,
    name: String,
    state: &'static str,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("reconcile"),
            passes: Counter::default(),
            actions: Family::default(),
            calls: Family::default(),
            writes: Counter::default(),
            resources: Family::default(),
            states: BTreeMap::new(),
            files_valid: Gauge::default(),
            status_written: Gauge::default(),
            last_pass_at: Number::default(),
            passed_at: None,
            is_kept: false,
        };
        let registry = &mut metrics.registry;
        registry.register(
            "passes",
            "Looks that came to their end",
            metrics.passes.clone(),
        );
        registry.register(
            "actions",
            "Actions, by what became of them",
            metrics.actions.clone(),
        );
        registry.register("calls", "Requests sent, by service", metrics.calls.clone());
        registry.register(
            "writes",
            "Requests that may have changed something",
            metrics.writes.clone(),
        );
        registry.register(
            "resource",
            "1 for the state that a resource is in",
            metrics.resources.clone(),
        );
        registry.register(
            "state_files_valid",
            "Whether the state files that are there are in force",
            metrics.files_valid.clone(),
        );
        registry.register(
            "status_written",
            "Whether the status directory could be written",
            metrics.status_written.clone(),
        );
        registry.register(
            "last_pass_timestamp_seconds",
            "When the last pass ended",
            metrics.last_pass_at.clone(),
        );
        metrics
    }

    /// Takes in what a pass came to.
    pub(super) fn passed(&mut self, ended: &Ended, now: Timestamp) {
        let report = &ended.report;
        self.passes.inc();
        for action in &report.actions {
            let labels = ActionLabels {
                kind: action.resource.kind.clone(),
                verb: format!("{:?}", action.verb).to_lowercase(),
                result: action.result.word(),
            };
            self.actions.get_or_create(&labels).inc();
        }
        for (service, count) in &report.calls.by_service {
            let service = service.clone();
            self.calls
                .get_or_create(&CallLabels { service })
                .inc_by(*count);
        }
        self.writes.inc_by(report.calls.writes);
        for (id, resource) in &report.resources {
            self.turn(id, Some(word(&resource.state)));
        }
        self.is_kept = ended.kept.is_ok();
        self.status_written.set(i64::from(self.is_kept));
        self.passed_at = Some(now);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a time in seconds has room in an f64"
        )]
        self.last_pass_at.set(now.millis() as f64 / 1000.0);
    }

    /// Takes in which resources are declared, and whether the files that are there say so.
    pub(super) fn declared<'a>(&mut self, ids: impl Iterator<Item = &'a ResourceId>) {
        self.files_valid.set(1);
        let ids: std::collections::BTreeSet<&ResourceId> = ids.collect();
        let known: Vec<ResourceId> = self.states.keys().cloned().collect();
        for id in known.iter().filter(|it| !ids.contains(it)) {
            self.turn(id, None);
        }
    }

    /// Takes in that the files that are there are invalid.
    pub(super) fn broken(&mut self) {
        self.files_valid.set(0);
    }

    /// A resource is in one state at a time; none: it is not declared any more.
    fn turn(&mut self, id: &ResourceId, state: Option<&'static str>) {
        let labels = |state| ResourceLabels {
            kind: id.kind.clone(),
            name: id.name.clone(),
            state,
        };
        let before = match state {
            Some(state) => self.states.insert(id.clone(), state),
            None => self.states.remove(id),
        };
        if before == state {
            return;
        }
        if let Some(before) = before {
            self.resources.remove(&labels(before));
        }
        if let Some(state) = state {
            self.resources.get_or_create(&labels(state)).set(1);
        }
    }

    /// All of it in the text format of `OpenMetrics`.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes all that is written");
        text
    }
}

fn word(state: &State) -> &'static str {
    match state {
        State::Ready => "ready",
        State::Working => "working",
        State::Suspended => "suspended",
        State::Stalled => "stalled",
        State::Refused => "refused",
        State::FactUnknown | State::Unseen(_) => "unknown",
    }
}
