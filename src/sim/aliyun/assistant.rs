//! Cloud Assistant's agent on an instance: whether it answers (ECS API reference, `DescribeCloudAssistantStatus`), and
//! what becomes of the commands that it runs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::ids::{InstanceId, RegionId};
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::commands::INSTANCES_MAX;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Region, Reply, page};
use crate::sim::history::What;
use crate::sim::invocation::{Invocation, Run, RunError, RunStatus};
use crate::sim::object::{Agent, Instance, InstanceChange, InstanceStatus};
use crate::sim::trouble::TroubleKind;

/// How much of a command's output is kept: the last 24 KB (ECS API reference, `DescribeInvocationResults`, `Dropped`;
/// ASSUMED to count before base64).
const OUTPUT_MAX: usize = 24 * 1024;

/// The agent of an instance that is launched, and runs from a time on.
pub(super) fn agent_of(cloud: &Cloud, ask: &Ask, running: Timestamp) -> Agent {
    let usual = running.plus(online_after(cloud));
    match &ask.trouble {
        Some(it) if it.fault == TroubleKind::AgentNever => Agent::Never,
        Some(it) if it.fault == TroubleKind::AgentLate => Agent::Since(usual.plus(it.duration())),
        Some(_) | None => Agent::Since(usual),
    }
}

/// The agent of an instance that is started again.
pub(super) fn agent_again(cloud: &Cloud, before: Agent, running: Timestamp) -> Agent {
    match before {
        Agent::Never => Agent::Never,
        Agent::Usual | Agent::Since(_) => Agent::Since(running.plus(online_after(cloud))),
    }
}

fn online_after(cloud: &Cloud) -> Duration {
    Duration::from_secs(cloud.scenario.times.agent_online)
}

fn is_online(cloud: &Cloud, instance: &Instance, at: Timestamp) -> bool {
    let since = match instance.agent {
        Agent::Never => return false,
        Agent::Since(time) => time,
        Agent::Usual => instance.creation_time.plus(online_after(cloud)),
    };
    instance.status == InstanceStatus::Running && since <= at
}

/// With ids every instance has a row, whatever page is asked for ("`MaxResults` has no effect").
pub(super) fn describe(cloud: &Cloud, ask: &Ask) -> Reply {
    ask.only(&["InstanceId", "OSType"])?;
    ask.choose(
        "OSType",
        &["Linux", "Windows", "FreeBSD"],
        "400 InvalidParameter",
    )?;
    let page = page::of_commands(ask, cloud)?;
    let region = ask.region(cloud);
    let ids = ask.parameters.list("InstanceId");
    if ids.len() > INSTANCES_MAX {
        let message = "The number of instance IDs exceeds the upper limit.";
        return Err(Refusal::new(403, "InstanceIds.ExceedLimit", message));
    }
    if ids.iter().any(|it| region.instances.get(it).is_none()) {
        let message = "The specified instance does not exist.";
        return Err(Refusal::new(404, "InvalidInstance.NotFound", message));
    }
    let mut instances = page::listing(cloud, ask, &region.instances)?;
    let is_asked = |it: &&Instance| ids.is_empty() || ids.contains(&it.instance_id.as_str());
    instances.retain(|it| is_asked(it) && ask.passes("OSType", "Linux"));
    let page = if ids.is_empty() {
        page
    } else {
        page.of_all(instances.len())
    };
    let row = |it: &Instance| status(cloud, ask, it);
    Ok(page.cut(ask, instances).answer(
        "InstanceCloudAssistantStatusSet",
        "InstanceCloudAssistantStatus",
        row,
    ))
}

fn status(cloud: &Cloud, ask: &Ask, instance: &Instance) -> Value {
    let invocations = ask.region(cloud).invocations.all_at(ask.view);
    let runs = invocations.flat_map(|it| it.runs.iter().map(move |run| (it.creation_time, run)));
    let runs: Vec<(Timestamp, &Run)> = runs
        .filter(|it| it.1.instance == instance.instance_id)
        .collect();
    let active = runs.iter().filter(|it| it.1.status == RunStatus::Running);
    let last = runs.iter().map(|it| it.0).max();
    let is_online = is_online(cloud, instance, ask.view);
    json!({
        "InstanceId": instance.instance_id,
        // A text, not a boolean.
        "CloudAssistantStatus": if is_online { "true" } else { "false" },
        "CloudAssistantVersion": if is_online { "2.2.3.857" } else { "" },
        "OSType": "Linux",
        "InvocationCount": runs.len(),
        "ActiveTaskCount": active.count(),
        "LastInvokedTime": last.map_or(String::new(), |it| it.to_string()),
        "LastHeartbeatTime": if is_online { ask.view.to_string() } else { String::new() },
        "SupportSessionManager": is_online,
    })
}

impl Cloud {
    /// Moves the run of an invocation on that is due.
    pub(super) fn move_invocation(&mut self, at: Timestamp, region_id: &RegionId, id: &str) {
        let region = &self.regions[region_id];
        let Some(invocation) = region.invocations.get(id) else {
            return;
        };
        let Some(run) = invocation.runs.iter().find(|it| it.due == Some(at)) else {
            return;
        };
        let next = if run.status == RunStatus::Pending {
            self.delivered(region, (invocation, run), at)
        } else {
            ended(invocation, run, at)
        };
        let shuts_down = next.script.shuts_down.filter(|_| !next.status.is_over());
        if let Some(after) = shuts_down {
            let off = (
                at.plus(after),
                InstanceChange::Turn(InstanceStatus::Stopped),
            );
            let instance = next.instance.clone();
            self.region_mut(region_id)
                .instances
                .change(at, instance.as_str(), |it| it.upcoming.push(off));
        }
        self.put_run(at, region_id, (id, next));
    }

    /// A command begins only where the agent is there to take it. ASSUMED: it is not waited for, although "within a
    /// minute" is documented; whoever does not ask for the status first has a failed command.
    fn delivered(
        &self,
        region: &Region,
        (invocation, run): (&Invocation, &Run),
        at: Timestamp,
    ) -> Run {
        let error = match region.instances.get(run.instance.as_str()) {
            None => RunError::InstanceReleased,
            Some(it) if it.status != InstanceStatus::Running => RunError::InstanceNotRunning,
            Some(it) if !is_online(self, it, at) => RunError::ClientNotRunning,
            Some(_) => {
                let takes = run.script.takes.unwrap_or(Duration::MAX);
                return Run {
                    status: RunStatus::Running,
                    begun: Some(at),
                    due: Some(at.plus(takes.min(invocation.timeout))),
                    ..run.clone()
                };
            }
        };
        given_up(run, at, error)
    }

    /// Ends all that runs on an instance, or is to run there: it is no place for it any more.
    pub(super) fn interrupt(
        &mut self,
        at: Timestamp,
        region_id: &RegionId,
        (instance, error): (&InstanceId, RunError),
    ) {
        let region = &self.regions[region_id];
        let mut given: Vec<(String, Run)> = Vec::new();
        for invocation in region.invocations.all() {
            let runs = invocation.runs.iter();
            let broken = runs.filter(|it| it.instance == *instance && !it.status.is_over());
            let id = &invocation.invoke_id;
            given.extend(broken.map(|it| (id.clone(), given_up(it, at, error))));
        }
        for (id, run) in given {
            self.put_run(at, region_id, (&id, run));
        }
    }

    fn put_run(&mut self, at: Timestamp, region_id: &RegionId, (id, run): (&str, Run)) {
        let what = if run.status.is_over() {
            What::CommandEnded {
                invocation: id.to_owned(),
                instance: run.instance.clone(),
                status: run.status,
                exit_code: run.exit_code,
            }
        } else {
            What::CommandBegun {
                invocation: id.to_owned(),
                instance: run.instance.clone(),
            }
        };
        let invocations = &mut self.region_mut(region_id).invocations;
        invocations.change(at, id, |it| {
            let mut runs = it.runs.iter_mut();
            if let Some(old) = runs.find(|it| it.instance == run.instance) {
                *old = run;
            }
        });
        self.record(at, region_id, what);
    }
}

/// A run that has begun, at its end: its script's, or the time limit's.
fn ended(invocation: &Invocation, run: &Run, at: Timestamp) -> Run {
    let takes = run.script.takes.filter(|it| *it <= invocation.timeout);
    let code = takes.map(|_| run.script.exit_code);
    let (status, error) = match code {
        None => (RunStatus::Timeout, Some(RunError::ExecutionTimeout)),
        Some(0) => (RunStatus::Success, None),
        Some(_) => (RunStatus::Failed, Some(RunError::ExitCodeNonzero)),
    };
    Run {
        status,
        error,
        exit_code: code,
        ..over(run, at)
    }
}

/// A run that will not come to its end. One that had begun is an `Error`, and what it had written is there.
fn given_up(run: &Run, at: Timestamp, error: RunError) -> Run {
    let status = if run.begun.is_some() {
        RunStatus::Error
    } else {
        RunStatus::Aborted
    };
    Run {
        status,
        error: Some(error),
        ..over(run, at)
    }
}

fn over(run: &Run, at: Timestamp) -> Run {
    let written: &[u8] = match run.begun {
        Some(_) => &run.script.output,
        None => &[],
    };
    let dropped = written.len().saturating_sub(OUTPUT_MAX);
    Run {
        output: written[dropped..].to_vec(),
        dropped,
        ended: Some(at),
        due: None,
        ..run.clone()
    }
}
