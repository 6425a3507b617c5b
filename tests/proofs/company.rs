//! C6: a second reconciler acts in between. Every pair of calls of two runs: the first is held after its call i, the
//! second after its call j, then the first goes on to its end, and then the second.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use reconcile::report::Report;
use reconcile::sim::server::{Gate, GatePoint, Side, Verdict};
use tokio::sync::watch;

use super::lab::Lab;
use super::reference::{Reference, references};
use super::state::{difference, state_of};
use super::{each, figure, is_all};

/// The cases that are quick: one that renames, and one that merges.
const QUICK: [&str; 2] = ["rollback", "merged"];

/// Tells when so many calls were made.
struct Meter {
    left: AtomicU64,
    is_up: watch::Sender<bool>,
}

impl Meter {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU64::new(u64::MAX),
            is_up: watch::Sender::new(false),
        })
    }

    /// Asks each call, once it has taken effect.
    fn gate(self: &Arc<Self>) -> Gate {
        let meter = Arc::clone(self);
        Gate::new(move |point: &GatePoint| {
            if point.side == Side::Applied && meter.left.fetch_sub(1, Ordering::Relaxed) == 1 {
                meter.is_up.send_replace(true);
            }
            Verdict::Go
        })
    }

    /// Lets a process go on for so many calls; gives its report when it ends before.
    async fn run(
        &self,
        calls: u64,
        mut process: Pin<&mut impl Future<Output = Report>>,
    ) -> Option<Report> {
        if calls == 0 {
            return None;
        }
        self.left.store(calls, Ordering::Relaxed);
        self.is_up.send_replace(false);
        let mut up = self.is_up.subscribe();
        tokio::select! {
            biased;
            _ = up.wait_for(|it| *it) => None,
            report = &mut process => Some(report),
        }
    }
}

/// Lets two processes go through one world; says whether the second made `second` calls at all.
fn meet(reference: &Reference, first: u64, second: u64) -> bool {
    let mut case = reference.case.clone();
    case.name = format!(
        "{}: another process after call {first}, for {second} calls",
        case.name
    );
    let meter = Meter::new();
    let mut lab = Lab::new(&case);
    lab.gate = Some(meter.gate());
    lab.block_on(async |lab| {
        let mut one = std::pin::pin!(lab.converge(1));
        let mut other = std::pin::pin!(lab.converge_elsewhere(2));
        let ended = meter.run(first, one.as_mut()).await.is_some();
        let other_ended = meter.run(second, other.as_mut()).await.is_some();
        if !ended {
            let _ = one.await;
        }
        if !other_ended {
            let _ = other.await;
        }
        let report = lab.converge(3).await;
        let name = &case.name;
        assert!(report.is_converged(), "{name}: {}", report.to_json());
        let state = state_of(lab);
        assert_eq!(difference(&state, &reference.state), [""; 0], "{name}");
        lab.check_end(&report);
        let writes = lab.writes();
        let again = lab.once(4).await;
        let is_quiet = again.actions.is_empty() && lab.writes() == writes;
        assert!(is_quiet, "{name}: {}", again.to_json());
        !other_ended
    })
}

#[test]
fn two_reconcilers_that_meet_at_any_two_of_their_calls_come_to_the_same_as_one() {
    let mut references = references();
    references.retain(|it| !it.case.is_long());
    references.sort_by_key(|it| it.calls.len());
    references.retain(|it| is_all() || QUICK.contains(&it.case.name.as_str()));
    let mut points: Vec<(&Reference, u64)> = Vec::new();
    for reference in &references {
        points.extend((0..=reference.calls.len() as u64).map(|it| (reference, it)));
    }
    let pairs = AtomicUsize::new(0);
    each(&points, |(reference, first)| {
        let met = (1..).take_while(|second| {
            pairs.fetch_add(1, Ordering::Relaxed);
            meet(reference, *first, *second)
        });
        assert!(met.count() > 0);
    });
    let extent = if is_all() {
        "all cases but the long ones"
    } else {
        "one case that renames, one that merges"
    };
    figure(
        &format!("pairs of calls of two reconcilers, enumerated and passed (C6), {extent}"),
        &pairs.into_inner().to_string(),
    );
}
