//! A model of how a machine with a just-in-time runner lives and ends, and all that can happen in it: the rules of
//! `RunnerSet` held against cloud, guest, GitHub, dying processes and each other, step by step, without exception.
//!
//! One machine stands for any number. What it sees of others is that jobs wait or wait no longer, and that a pass takes
//! its time; both may happen here at any moment. A list that is out of date is one that was asked for earlier.

use std::collections::HashSet;
use std::iter::successors;

use super::figure;

/// All that follows is in ticks.
const TICK_MINUTES: u8 = 10;
const LEASE: u8 = 60 / TICK_MINUTES;
/// With less than this left, a lease is moved on.
const LEASE_LOW: u8 = 40 / TICK_MINUTES;
/// The shortest lease that is asked for: 35 minutes, in whole ticks.
const LEASE_MIN: u8 = 40 / TICK_MINUTES;
/// The cloud refuses an earlier release (ECS API reference, `ModifyInstanceAutoReleaseTime`).
const RELEASE_MIN: u8 = 30 / TICK_MINUTES;
/// Twelve hours by default; two and a half are enough for a lease to be moved on time and again.
const LIFETIME_MAX: u8 = 150 / TICK_MINUTES;
/// A pass to which GitHub answers takes place at least so often. One to which it does not proves nothing, and is none.
const PASS_EVERY: u8 = 20 / TICK_MINUTES;
/// Both idleAfter and startupTimeout, five minutes and seven, in whole ticks.
const STARTUP: u8 = 1;
/// How long GitHub takes a runner that it lost for busy: 15 minutes, in whole ticks.
const LOST_MAX: u8 = 2;

const REMOVED: &str = "a machine with work is removed by us";
const RELEASED: &str = "a lease ends under a job, before maxLifetime";
const OUTLIVED: &str = "a machine outlives its lease when all processes are dead";
const OVERDUE: &str = "a machine outlives maxLifetime";
const WORKLESS: &str = "a machine without work stays";
const LEFTOVER: &str = "a record without a machine stays";

/// A rule that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The registration is deleted before the machine.
    RegistrationGoesFirst,
    /// A 422 to that keeps the machine.
    RefusalIsHeeded,
    /// A 422 says busy, and the lease is moved on at once: the next pass may be too late.
    RefusalMovesLease,
    /// Without an answer nobody is idle (I-A6).
    SilenceProvesNothing,
    /// A runner that a list lacks is asked for by its id before it counts as gone.
    MissingIsAskedFor,
    /// The call that launches sets the release time (I-A1).
    LaunchSetsLease,
    /// A machine is not left to what runs in it (I-A5, I-A8).
    EndComesFromOutside,
    LeaseIsMovedOn,
    /// The lease of an idle machine that stays is moved on too: a job may come right after the look.
    IdleLeaseIsMovedOn,
    /// No lease is asked for that the cloud refuses, though maxLifetime is near.
    LeaseIsLongEnough,
    /// The lease is not moved beyond maxLifetime, but for that.
    LeaseEndsWithLifetime,
    /// Stopped is not gone (A1 d).
    StoppedIsThere,
    RecordsAreSwept,
}

/// What is broken when a rule is left out.
const AT_STAKE: [(Rule, &str); 13] = [
    (Rule::RegistrationGoesFirst, REMOVED),
    (Rule::RefusalIsHeeded, REMOVED),
    (Rule::RefusalMovesLease, RELEASED),
    (Rule::SilenceProvesNothing, REMOVED),
    (Rule::MissingIsAskedFor, REMOVED),
    (Rule::LaunchSetsLease, OUTLIVED),
    (Rule::EndComesFromOutside, WORKLESS),
    (Rule::LeaseIsMovedOn, RELEASED),
    (Rule::IdleLeaseIsMovedOn, RELEASED),
    (Rule::LeaseIsLongEnough, RELEASED),
    (Rule::LeaseEndsWithLifetime, OVERDUE),
    (Rule::StoppedIsThere, WORKLESS),
    (Rule::RecordsAreSwept, LEFTOVER),
];

/// All rules, but for one at most.
#[derive(Clone, Copy, Debug)]
struct Rules(Option<Rule>);

impl Rules {
    fn hold(self, rule: Rule) -> bool {
        self.0 != Some(rule)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Phase {
    #[default]
    Unmade,
    Starting,
    Running,
    Stopped,
    Gone,
}

/// What GitHub has of the runner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Record {
    #[default]
    Absent,
    Offline,
    Idle,
    Busy,
    /// Still busy for GitHub, though its machine has been down for so long.
    Lost(u8),
}

/// A machine in the cloud's list, and what its lease should be; none: it is long enough.
type Sight = (Phase, Option<u8>);

/// How far a reconciler has come in its pass, and what it holds to be true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Stage {
    #[default]
    Resting,
    HasRunners(Record),
    HasMachines(Sight),
    /// The runner is registered.
    Launching,
    Renewing(u8),
    /// The machine goes after that.
    Deregistering,
    Deleting,
    /// There is no machine.
    Sweeping,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Reconciler {
    stage: Stage,
    /// Its pass began in an earlier tick. It may still write, ever so late, but that is no pass to rely on.
    is_late: bool,
}

/// How often somebody looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Passes {
    #[default]
    Regular,
    /// Now and then, or not for long. One that is done in time makes them regular again.
    Irregular,
    /// All processes are dead.
    Ended,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct State {
    phase: Phase,
    age: u8,
    /// What is left of it; zero: it has no end.
    lease: u8,
    record: Record,
    is_job_waiting: bool,
    /// How long there has been neither work nor a job that waits.
    workless: u8,
    reconcilers: [Reconciler; 2],
    passes: Passes,
    /// How long the last pass is ago, or the death of the last process.
    since: u8,
    /// The promise that the last step broke.
    harm: Option<&'static str>,
}

impl State {
    fn has_machine(&self) -> bool {
        !matches!(self.phase, Phase::Unmade | Phase::Gone)
    }

    fn with_phase(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }

    fn with_record(self, record: Record) -> Self {
        Self { record, ..self }
    }

    fn with_passes(mut self, passes: Passes) -> Self {
        (self.passes, self.since, self.workless) = (passes, 0, 0);
        self
    }

    fn without_machine(mut self) -> Self {
        if self.has_machine() {
            (self.age, self.lease, self.workless) = (0, 0, 0);
        }
        self.with_phase(Phase::Gone)
    }

    /// A reconciler dies, or gives up since there is no answer.
    fn left_off(mut self, index: usize) -> Self {
        self.reconcilers[index] = Reconciler::default();
        self
    }

    /// A reconciler goes on; resting: it has come to the end of its pass.
    fn followed(mut self, index: usize, stage: Stage) -> Self {
        if stage != Stage::Resting {
            self.reconcilers[index].stage = stage;
            return self;
        }
        if !self.reconcilers[index].is_late {
            (self.passes, self.since) = (Passes::Regular, 0);
        }
        self.left_off(index)
    }

    fn is_launching(&self) -> bool {
        let mut reconcilers = self.reconcilers.iter();
        reconcilers.any(|it| it.stage == Stage::Launching)
    }

    /// What follows at once. What nothing tells apart becomes equal: reconcilers, and one machine after another, since
    /// no id is used twice.
    fn settled(mut self) -> Self {
        // With whoever registered the runner, its id is lost.
        if self.phase == Phase::Unmade && self.record != Record::Absent && !self.is_launching() {
            self.phase = Phase::Gone;
        }
        if self.phase == Phase::Gone && self.record == Record::Absent {
            return Self::default();
        }
        if self.phase != Phase::Running && self.record == Record::Busy {
            self.record = Record::Lost(0);
        }
        self.reconcilers.sort_unstable();
        self
    }

    /// The runner, as GitHub shows it now.
    fn listed(&self) -> Record {
        let is_busy = matches!(self.record, Record::Busy | Record::Lost(_));
        if is_busy { Record::Busy } else { self.record }
    }

    /// What the lease should be; none: it is long enough.
    fn renewal(&self, rules: Rules) -> Option<u8> {
        let has_end = rules.hold(Rule::LeaseEndsWithLifetime);
        let end = if has_end { LIFETIME_MAX } else { u8::MAX };
        let rest = end.saturating_sub(self.age);
        let least = LEASE_MIN * u8::from(rules.hold(Rule::LeaseIsLongEnough));
        let is_low = self.has_machine() && self.lease < LEASE_LOW.min(rest);
        let is_moved = is_low && rules.hold(Rule::LeaseIsMovedOn);
        is_moved.then_some(rest.min(LEASE).max(least))
    }
}

/// All that can come next.
fn steps(state: &State, rules: Rules) -> Vec<State> {
    let mut next = Vec::new();
    live(*state, &mut next);
    serve(*state, &mut next);
    if state.passes != Passes::Regular || state.since < PASS_EVERY {
        next.push(tick(*state));
    }
    if state.passes != Passes::Ended {
        for (index, reconciler) in state.reconcilers.iter().enumerate() {
            next.push(state.left_off(index));
            for (done, then) in outcomes(*state, reconciler.stage, rules) {
                next.extend([done.left_off(index), done.followed(index, then)]);
            }
        }
        next.push(state.with_passes(Passes::Irregular));
        next.push(state.left_off(0).left_off(1).with_passes(Passes::Ended));
    }
    next.into_iter().map(State::settled).collect()
}

/// The cloud may reclaim the machine at any time. The guest may power it off at any time, early or late, or never,
/// whatever its watchdogs are for (A2, A3, A4).
fn live(state: State, next: &mut Vec<State>) {
    match state.phase {
        Phase::Unmade | Phase::Gone => return,
        Phase::Starting => next.push(state.with_phase(Phase::Running)),
        Phase::Running => next.push(state.with_phase(Phase::Stopped)),
        Phase::Stopped => {}
    }
    next.push(state.without_machine());
}

/// GitHub: jobs come, are cancelled, or go elsewhere at any time; one that is given ends at any time, or never.
fn serve(state: State, next: &mut Vec<State>) {
    let mut turned = state;
    (turned.is_job_waiting, turned.workless) = (!state.is_job_waiting, 0);
    next.push(turned);
    let is_running = state.phase == Phase::Running;
    match state.record {
        Record::Offline if is_running => next.push(state.with_record(Record::Idle)),
        Record::Absent | Record::Offline => {}
        Record::Idle => {
            next.push(state.with_record(Record::Offline));
            if state.is_job_waiting {
                next.push(state.with_record(Record::Busy));
            }
        }
        // The record of a one-job runner goes with its job.
        Record::Busy | Record::Lost(_) => next.push(state.with_record(Record::Absent)),
    }
}

/// Time passes.
fn tick(mut state: State) -> State {
    let is_regular = state.passes == Passes::Regular;
    let has_work = state.is_job_waiting || state.listed() == Record::Busy;
    if state.has_machine() {
        state.age += 1;
        if state.lease == 1 {
            // Nothing is promised to who does not look regularly, but that he removes no work.
            let is_early = state.record == Record::Busy && state.age < LIFETIME_MAX;
            state.harm = (is_early && is_regular).then_some(RELEASED);
            state = state.without_machine();
        }
        state.lease = state.lease.saturating_sub(1);
    }
    match &mut state.record {
        Record::Idle if state.phase != Phase::Running => state.record = Record::Offline,
        Record::Lost(LOST_MAX..) => state.record = Record::Absent,
        Record::Lost(ticks) => *ticks += 1,
        Record::Absent | Record::Offline | Record::Idle | Record::Busy => {}
    }
    let is_there = state.has_machine() || state.record != Record::Absent;
    let is_workless = is_regular && is_there && !has_work;
    state.workless = if is_workless { state.workless + 1 } else { 0 };
    let is_counted = state.passes != Passes::Irregular;
    state.since = LEASE.min(state.since + u8::from(is_counted));
    state.reconcilers = state.reconcilers.map(aged);
    state
}

/// A look takes a tick at most. A write may be late without limit, but the release time that it carries comes nearer,
/// until the cloud refuses it.
fn aged(mut reconciler: Reconciler) -> Reconciler {
    let resting = Reconciler::default();
    match &mut reconciler.stage {
        Stage::Resting | Stage::Renewing(..=RELEASE_MIN) => return resting,
        Stage::HasRunners(_) | Stage::HasMachines(_) if reconciler.is_late => return resting,
        Stage::Renewing(lease) | Stage::HasMachines((_, Some(lease))) => *lease -= 1,
        Stage::HasRunners(_)
        | Stage::HasMachines(_)
        | Stage::Launching
        | Stage::Deregistering
        | Stage::Deleting
        | Stage::Sweeping => {}
    }
    reconciler.is_late = true;
    reconciler
}

/// What may come of a reconciler's next step, and what it goes on with.
fn outcomes(state: State, at: Stage, rules: Rules) -> Vec<(State, Stage)> {
    let mut done = state;
    match at {
        Stage::Resting => return begun(state, rules),
        Stage::HasRunners(listed) => {
            let sight = (state.phase, state.renewal(rules));
            return vec![(state, decision(&state, sight, listed, rules))];
        }
        Stage::HasMachines(sight) => {
            let decide = |it| (state, decision(&state, sight, it, rules));
            return answers(&state, rules).into_iter().map(decide).collect();
        }
        Stage::Deregistering => return vec![deregistered(state, rules)],
        Stage::Launching => {
            done.lease = LEASE * u8::from(rules.hold(Rule::LaunchSetsLease));
            (done.phase, done.workless) = (Phase::Starting, 0);
        }
        Stage::Renewing(lease) if state.has_machine() && lease >= RELEASE_MIN => done.lease = lease,
        Stage::Renewing(_) => {}
        Stage::Deleting if !rules.hold(Rule::EndComesFromOutside) => {}
        Stage::Deleting => {
            done = state.without_machine();
            let has_work = state.phase == Phase::Running && state.record == Record::Busy;
            done.harm = has_work.then_some(REMOVED);
        }
        Stage::Sweeping if state.listed() == Record::Busy => {}
        Stage::Sweeping => done.record = Record::Absent,
    }
    vec![(done, Stage::Resting)]
}

/// Registers a runner for a job that waits, or looks. Either list may be the older one.
fn begun(state: State, rules: Rules) -> Vec<(State, Stage)> {
    let sight = (state.phase, state.renewal(rules));
    let mut outcomes = vec![(state, Stage::HasMachines(sight))];
    for listed in answers(&state, rules) {
        outcomes.push((state, Stage::HasRunners(listed)));
    }
    if state.phase == Phase::Unmade && state.is_job_waiting && !state.is_launching() {
        outcomes.push((state.with_record(Record::Offline), Stage::Launching));
    }
    outcomes
}

/// What GitHub's list may say. It may lack the runner of a machine. Where there is none, nothing has its id any more,
/// and a look at such a list is not one to rely on.
fn answers(state: &State, rules: Rules) -> Vec<Record> {
    let mut answers = vec![state.listed()];
    if state.has_machine() {
        answers.push(Record::Absent);
        if !rules.hold(Rule::SilenceProvesNothing) {
            answers.push(Record::Idle);
        }
    }
    answers
}

/// What is to be done; resting: nothing.
fn decision(state: &State, (phase, lease): Sight, listed: Record, rules: Rules) -> Stage {
    let is_asked = listed == Record::Absent && rules.hold(Rule::MissingIsAskedFor);
    let listed = if is_asked { state.listed() } else { listed };
    let is_swept = rules.hold(Rule::RecordsAreSwept);
    let is_young = state.age < STARTUP;
    let is_kept = is_young || state.is_job_waiting;
    let renewal = lease.map_or(Stage::Resting, Stage::Renewing);
    let removal = if listed == Record::Absent || !rules.hold(Rule::RegistrationGoesFirst) {
        Stage::Deleting
    } else {
        Stage::Deregistering
    };
    match (phase, listed) {
        (Phase::Unmade | Phase::Gone, Record::Offline) if is_swept => Stage::Sweeping,
        (Phase::Unmade | Phase::Gone, _) => Stage::Resting,
        (Phase::Stopped, _) if !rules.hold(Rule::StoppedIsThere) => Stage::Resting,
        (Phase::Stopped, _) | (_, Record::Absent) => removal,
        (_, Record::Offline) if is_young => Stage::Resting,
        (_, Record::Idle) if is_kept && !rules.hold(Rule::IdleLeaseIsMovedOn) => Stage::Resting,
        (_, Record::Idle) if is_kept => renewal,
        (_, Record::Offline | Record::Idle) => removal,
        (_, Record::Busy | Record::Lost(_)) => renewal,
    }
}

/// After the registration was to be deleted, which GitHub refuses (422) while the runner is busy.
fn deregistered(state: State, rules: Rules) -> (State, Stage) {
    if state.listed() != Record::Busy {
        return (state.with_record(Record::Absent), Stage::Deleting);
    }
    // No answer may come in place of the refusal.
    if !rules.hold(Rule::RefusalIsHeeded) || !rules.hold(Rule::SilenceProvesNothing) {
        return (state, Stage::Deleting);
    }
    let is_moved = rules.hold(Rule::RefusalMovesLease);
    let lease = state.renewal(rules).filter(|_| is_moved);
    (state, lease.map_or(Stage::Resting, Stage::Renewing))
}

/// The promise that is broken.
fn broken(state: &State) -> Option<&'static str> {
    let is_there = state.has_machine();
    let is_alone = state.passes == Passes::Ended && state.since >= LEASE;
    let outlived = (is_there && is_alone).then_some(OUTLIVED);
    let overdue = (state.age >= LIFETIME_MAX + LEASE_MIN).then_some(OVERDUE);
    let stays = if is_there { WORKLESS } else { LEFTOVER };
    let stays = (state.workless > STARTUP + PASS_EVERY).then_some(stays);
    state.harm.or(outlived).or(overdue).or(stays)
}

/// All states that can be reached, or the promise that comes to be broken, and how, in the fewest steps.
fn explore(rules: Rules) -> Result<Vec<State>, String> {
    let mut seen = HashSet::from([State::default()]);
    // Each with the place of the one that it follows.
    let mut states = vec![(State::default(), 0)];
    let mut done = 0;
    while let Some((state, _)) = states.get(done).copied() {
        if let Some(promise) = broken(&state) {
            let places = successors(Some(done), |it| (*it > 0).then(|| states[*it].1));
            let trace: Vec<String> = places.map(|it| format!("{:?}", states[it].0)).collect();
            return Err(format!("{promise}, backwards:\n{}", trace.join("\n")));
        }
        for next in steps(&state, rules) {
            if seen.insert(next) {
                states.push((next, done));
            }
        }
        done += 1;
    }
    Ok(states.into_iter().map(|it| it.0).collect())
}

#[test]
fn no_machine_with_work_is_ever_removed_and_no_idle_one_stays() {
    let states = explore(Rules(None)).unwrap_or_else(|it| panic!("{it}"));
    let is_old = |it: &State| it.record == Record::Busy && it.age >= LIFETIME_MAX;
    assert!(states.iter().any(is_old), "leases are moved on");
    let is_alone = |it: &&State| it.passes == Passes::Ended && it.has_machine();
    let bound = states.iter().filter(is_alone).map(|it| it.since + 1).max();
    let bound = bound.expect("processes die while there is a machine");
    figure(
        "model of lease, guest, cloud and sweeper: states, all of them; leak bound with all processes dead",
        &format!("{}; {} minutes", states.len(), bound * TICK_MINUTES),
    );
}

#[test]
fn each_rule_that_is_left_out_is_found() {
    for (rule, promise) in AT_STAKE {
        let found = explore(Rules(Some(rule))).err().unwrap_or_default();
        assert!(found.starts_with(promise), "{rule:?}: {found}");
    }
    let count = AT_STAKE.len().to_string();
    figure("rules of the model left out, each found", &count);
}
