//! Whether a workflow is started for what is missing: not while one runs, and not again too soon after one that did not
//! help. GitHub's own runs tell; nothing else is remembered.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::plan::{Cause, Health, Notice, Plan, Step, UnknownObject, Why};
use crate::providers::github::WorkflowRun;

use super::super::op::Op as Any;
use super::op::Op;
use super::seen::Seen;

/// How many runs in a row may have been of no use before a person must look.
pub(super) const FAILURES_MAX: usize = 6;
/// How long after a first run that was of no use the next one starts; each further one doubles it.
const WAIT_FIRST: Duration = Duration::from_secs(60);
/// The wait that is not grown beyond. A run that succeeded and left the source missing counts for as long.
const WAIT_MOST: Duration = Duration::from_secs(3600);
/// How long a run counts.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);
/// How soon it is worth looking whether a run has ended.
const RUNNING: Duration = Duration::from_secs(30);

/// Adds what is to be started.
pub(in super::super) fn plan(seen: Option<&Seen>, now: Timestamp, plan: &mut Plan<Any>) {
    let Some(seen) = seen else {
        return;
    };
    let listing = format!("github runs {}", seen.workflow);
    plan.listings.insert(listing, 1);
    let runs = match &seen.runs {
        Fact::Known(runs) => runs,
        Fact::Unknown(fault) => {
            return plan.unknown.push(UnknownObject {
                object: format!("runs of {}", seen.workflow),
                reason: fault.to_string(),
            });
        }
    };
    match verdict(runs, now) {
        Verdict::Runs(run) => {
            look_again(plan, RUNNING);
            let message = format!("{} runs: {}", seen.workflow, run.url);
            working(plan, Why::new("WorkflowRuns", message));
        }
        Verdict::Waits(run, rest) => {
            look_again(plan, rest);
            let message = format!(
                "{} was of no use, the next run starts in {} s: {}",
                seen.workflow,
                rest.as_secs(),
                run.url
            );
            working(plan, Why::new("WorkflowWaits", message));
        }
        Verdict::Useless(run, count) => {
            let message = format!(
                "the last {count} runs of {} were of no use, no other is started: see {}, and run it by hand once that is mended",
                seen.workflow, run.url
            );
            let why = Why::new("WorkflowFails", message);
            plan.notices.push(Notice {
                kind: "WorkflowFails",
                why: why.clone(),
            });
            plan.worsen(Health::Stuck(why));
        }
        Verdict::Starts => start(seen, runs, plan),
    }
}

fn start(seen: &Seen, runs: &[WorkflowRun], plan: &mut Plan<Any>) {
    let newest = runs.iter().map(|it| it.id).max();
    look_again(plan, RUNNING);
    for (earlier, (inputs, source)) in seen.inputs.iter().enumerate() {
        let op = Op {
            object: seen.workflow.workflow.clone(),
            start: seen.workflow.clone(),
            inputs: inputs.clone(),
            newest,
            earlier,
        };
        plan.steps.push(Step {
            op: Any::Dispatch(op),
            cause: Cause::Upstream(format!("{source} is missing")),
            chain: format!("dispatch {}", seen.workflow),
            group: None,
        });
    }
}

fn working(plan: &mut Plan<Any>, why: Why) {
    plan.notices.push(Notice {
        kind: why.reason,
        why: why.clone(),
    });
    plan.worsen(Health::Working(why));
}

fn look_again(plan: &mut Plan<Any>, after: Duration) {
    plan.look_again = Some(plan.look_again.map_or(after, |it| it.min(after)));
}

/// What the runs so far say about another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    Starts,
    Runs(&'a WorkflowRun),
    /// So long from now.
    Waits(&'a WorkflowRun, Duration),
    Useless(&'a WorkflowRun, usize),
}

/// Judges runs, newest first.
pub(super) fn verdict(runs: &[WorkflowRun], now: Timestamp) -> Verdict<'_> {
    if let Some(run) = runs.iter().find(|it| !it.is_completed) {
        return Verdict::Runs(run);
    }
    let is_useless = |it: &&WorkflowRun| {
        let age = now.since(it.created);
        let succeeded = it.conclusion.as_deref() == Some("success");
        age < FORGOTTEN_AFTER && (!succeeded || age < WAIT_MOST)
    };
    let count = runs.iter().take_while(is_useless).count();
    let Some(newest) = runs.first().filter(|_| count > 0) else {
        return Verdict::Starts;
    };
    if count >= FAILURES_MAX {
        return Verdict::Useless(newest, count);
    }
    let doublings = u32::try_from(count - 1).unwrap_or(u32::MAX);
    let wait = WAIT_FIRST * 2_u32.saturating_pow(doublings);
    let rest = newest.created.plus(wait.min(WAIT_MOST)).since(now);
    if rest.is_zero() {
        Verdict::Starts
    } else {
        Verdict::Waits(newest, rest)
    }
}
