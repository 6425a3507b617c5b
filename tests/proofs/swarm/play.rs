//! Plays one seed: a world, files, and a time of troubles with crashes, a second reconciler and people in it. When that
//! is over, the world must settle, and stay so.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reconcile::engine::load;
use reconcile::kinds::KINDS;
use reconcile::report::{Report, State};
use reconcile::sim::object::ImageStatus;
use reconcile::sim::scenario::Scenario;
use reconcile::sim::server::{Gate, GatePoint, Side, Verdict};
use serde_json::json;
use tokio::sync::watch;

use super::draw::Draw;
use super::troubles::{self, has_past, troubles};
use super::{files, repositories, world};
use crate::proofs::cases::Case;
use crate::proofs::change::{Change, changes};
use crate::proofs::lab::Lab;
use crate::proofs::people::check_heeded;
use crate::proofs::served::Served;
use crate::proofs::state::state_of;

/// How long a process goes on in the time of troubles.
const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);

/// As long as anything takes to show in listings.
const SHOWN: Duration = Duration::from_secs(300);

const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// How many passes a world may take to settle when nothing goes wrong any more.
const PASSES_MAX: u32 = 40;

/// How many processes may go on where a guard held something back.
const PROCESSES_MAX: u64 = 20;

/// What became of a seed.
pub(super) struct Played {
    /// Everything that was asked, answered, done and said.
    pub(super) log: String,
    /// How many passes all processes made until the world was settled; none: an image is being made for ever.
    pub(super) passes: Option<u32>,
}

/// What a seed stands for.
pub(super) struct Seeded {
    pub(super) case: Case,
    /// What is declared, as it was written.
    pub(super) files: String,
    /// Decides everything else.
    draw: Draw,
}

/// What happens in the time of troubles.
struct Plot {
    /// Each process, and whether another one runs beside it.
    processes: Vec<bool>,
    /// At which call, and where in it, a process dies.
    deaths: Vec<(u64, Side)>,
    /// Before which call somebody does something.
    acts: Vec<(u64, Change)>,
    /// Whether the time of troubles is over.
    is_over: Arc<AtomicBool>,
}

fn plot(draw: &mut Draw, case: &Case) -> Plot {
    let sides = [Side::Before, Side::Applied, Side::Answered];
    let deaths = draw.pick(&[0, 0, 1, 3]);
    let acts = draw.pick(&[0, 0, 2, 6]);
    let company = draw.pick(&[0, 0, 50, 100]);
    let possible = changes(&case.scenario);
    let acts = if possible.is_empty() { 0 } else { acts };
    Plot {
        is_over: Arc::default(),
        processes: (0..draw.between(1, 4))
            .map(|_| draw.chance(company))
            .collect(),
        deaths: (0..deaths)
            .map(|_| (draw.between(1, 120), draw.pick(&sides)))
            .collect(),
        acts: (0..acts)
            .map(|_| (draw.between(1, 120), draw.pick(&possible)))
            .collect(),
    }
}

impl Plot {
    /// Asks every call what happens at it.
    fn gate(
        &self,
        world: impl Fn() -> Served + Send + Sync + 'static,
        died: watch::Sender<bool>,
    ) -> Gate {
        let (deaths, acts) = (self.deaths.clone(), self.acts.clone());
        let is_over = Arc::clone(&self.is_over);
        let done: Vec<AtomicBool> = acts.iter().map(|_| AtomicBool::new(false)).collect();
        Gate::new(move |point: &GatePoint| {
            if is_over.load(Ordering::Relaxed) {
                return Verdict::Go;
            }
            for ((n, change), done) in acts.iter().zip(&done) {
                let is_now = point.call.n == *n && point.side == Side::Before;
                if is_now && !done.swap(true, Ordering::Relaxed) {
                    world().change(change);
                }
            }
            if deaths.contains(&(point.call.n, point.side)) {
                died.send_replace(true);
                return Verdict::Halt;
            }
            Verdict::Go
        })
    }
}

/// The case of a seed, and what goes wrong with its calls.
pub(super) fn case_of(seed: u64) -> Seeded {
    let mut draw = Draw::new(seed);
    let files = files::files(&mut draw);
    let scenario = world::world(&mut draw, &files, seed);
    seeded((seed, draw), files.yaml, scenario, &troubles::ACTIONS)
}

/// The case of a seed in registries, and what goes wrong with its calls.
pub(super) fn repositories_of(seed: u64) -> Seeded {
    let mut draw = Draw::new(seed);
    let (files, scenario) = repositories::files_and_world(&mut draw, seed);
    seeded((seed, draw), files, scenario, &repositories::ACTIONS)
}

fn seeded(
    (seed, mut draw): (u64, Draw),
    files: String,
    mut scenario: Scenario,
    actions: &[&str],
) -> Seeded {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    std::fs::write(folder.path().join("all.yaml"), &files).expect("a file can be written");
    let inventory = load(folder.path(), KINDS)
        .unwrap_or_else(|findings| panic!("seed {seed}: {findings:#?}\n{files}"));
    scenario.troubles = troubles(&mut draw, actions)
        .into_iter()
        .map(|it| serde_json::from_value(it).expect("troubles are written right"))
        .collect();
    let case = Case {
        name: format!("seed {seed}"),
        inventory: Arc::new(inventory),
        scenario,
    };
    Seeded { case, files, draw }
}

/// Plays one seed to its end.
pub(super) fn play(seeded: &Seeded) -> Played {
    let case = &seeded.case;
    let plot = plot(&mut seeded.draw.clone(), case);
    let (died, mut dead) = watch::channel(false);
    let mut lab = Lab::new(case);
    lab.gate = Some(plot.gate(lab.outlook(), died.clone()));
    lab.block_on(async |lab| {
        let mut log = String::new();
        for (number, has_company) in (1..).zip(&plot.processes) {
            died.send_replace(false);
            let (seed, other) = (number * 2, number * 2 + 1);
            let both = async {
                if *has_company {
                    let one = lab.go_on(seed, HALF_AN_HOUR);
                    let (one, other) = tokio::join!(one, lab.converge_elsewhere(other));
                    vec![one, other]
                } else {
                    vec![lab.go_on(seed, HALF_AN_HOUR).await]
                }
            };
            tokio::select! {
                biased;
                _ = dead.wait_for(|it| *it) => log += "died\n",
                reports = both => reports.iter().for_each(|it| tell(&mut log, it)),
            }
        }
        check_acts(lab, case, &plot);
        lab.trouble(&json!([]));
        plot.is_over.store(true, Ordering::Relaxed);
        let passes = settle(lab, (&case.name, &mut log)).await;
        for call in lab.with_world(|it| it.calls().to_vec()) {
            let _ = writeln!(log, "{call:?}");
        }
        let _ = writeln!(log, "{:#?}", state_of(lab));
        // Each play has a port of its own.
        let base = &lab.served().settings["ALIYUN_ECS_ENDPOINT"];
        let address = base.trim_start_matches("http://");
        let mut log = log.replace(address, "the service");
        for (host, address) in lab.with_world(|it| it.registry_addresses()) {
            log = log.replace(&address, &host);
        }
        Played { log, passes }
    })
}

fn tell(log: &mut String, report: &Report) {
    let _ = writeln!(log, "{}", report.to_json());
}

/// I1: what somebody protected before the last look at it is still there. With two reconcilers nobody can tell who
/// looked, and where listings show the past, a look is none.
fn check_acts(lab: &Lab, case: &Case, plot: &Plot) {
    let lags = case.scenario.times.listing_lag > 0;
    let troubles = serde_json::to_value(&case.scenario.troubles).expect("troubles are JSON");
    let has_past = has_past(troubles.as_array().expect("a list"));
    if lags || has_past || plot.processes.contains(&true) {
        return;
    }
    let calls = lab.with_world(|it| it.calls().to_vec());
    for (n, change) in plot.acts.iter().filter(|it| it.1.protects()) {
        check_heeded(&calls, (*n, &change.object), &case.name);
    }
}

/// L1: the world settles within so many passes, and stays so; what is said to be ready is so. Says how many passes all
/// processes made until then.
async fn settle(lab: &Lab, (name, log): (&str, &mut String)) -> Option<u32> {
    let begun = lab.passes();
    let mut passes = None;
    let mut is_guarded = false;
    // Later ones come when all of it shows in listings, and when the daily looks are due.
    for (seed, until_then) in [(101, SHOWN), (102, SHOWN), (103, A_DAY), (104, SHOWN)] {
        lab.wait(until_then).await;
        let report = lab.converge(seed).await;
        tell(log, &report);
        if seed == 101 && !is_making(lab) {
            passes = Some(lab.passes());
        }
        // A snapshot whose image somebody else took away goes with the daily sweep.
        if seed == 104 {
            check_settled(lab, &report, name);
        }
        is_guarded = is_refused(&report);
    }
    let calm = passes.unwrap_or(begun) - begun;
    assert!(calm <= PASSES_MAX, "{name}: L1, it took {calm} passes");
    // A guard counts what one process does: where it held something back, another one may go on.
    for seed in 105..105 + PROCESSES_MAX {
        let writes = lab.writes();
        let again = lab.once(seed).await;
        tell(log, &again);
        if lab.writes() == writes {
            return passes;
        }
        let said = again.to_json();
        assert!(is_guarded, "{name}: L1, it does not stay so: {said}");
        is_guarded = is_refused(&again);
        lab.wait(SHOWN).await;
    }
    panic!("{name}: L1, it does not stay so")
}

/// Whether a guard holds something back.
fn is_refused(report: &Report) -> bool {
    let mut resources = report.resources.values();
    resources.any(|it| it.state == State::Refused)
}

/// Nothing is under way for ever but what waits for an image that is being made for ever.
fn check_settled(lab: &Lab, report: &Report, name: &str) {
    lab.check_end(report);
    if is_making(lab) {
        return;
    }
    for (id, resource) in &report.resources {
        let is_over = match &resource.state {
            State::Ready | State::Suspended | State::Stalled | State::Refused => true,
            State::Working | State::FactUnknown | State::Unseen(_) => false,
        };
        assert!(
            is_over,
            "{name}: L1, {id} does not come to an end: {}",
            report.to_json()
        );
    }
}

/// Whether an image is being made: in these worlds it is for ever.
fn is_making(lab: &Lab) -> bool {
    let now = lab.now();
    let images = lab.with_world(|it| it.images("cn-hangzhou", now));
    images.iter().any(|it| {
        let is_begun = matches!(it.status, ImageStatus::Creating | ImageStatus::Waiting);
        is_begun || !it.usable
    })
}
