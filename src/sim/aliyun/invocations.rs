//! What became of commands (ECS API reference: `DescribeInvocations`, `DescribeInvocationResults`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Reply, page, show};
use crate::sim::invocation::{Invocation, Run, RunStatus};

const MODELLED: [&str; 9] = [
    "InvokeId",
    "CommandId",
    "CommandName",
    "CommandType",
    "InstanceId",
    "InvokeStatus",
    "IncludeOutput",
    "ContentEncoding",
    "Tag",
];

const RESULTS_MODELLED: [&str; 7] = [
    "InvokeId",
    "CommandId",
    "InstanceId",
    "InvokeRecordStatus",
    "IncludeHistory",
    "ContentEncoding",
    "Tag",
];

/// Output only with `IncludeOutput`, and that only with `InvokeId` or `InstanceId`; ASSUMED: refused without.
pub(super) fn describe(cloud: &Cloud, ask: &Ask) -> Reply {
    ask.only(&MODELLED)?;
    check_encoding(ask)?;
    let has_output = ask.is_true("IncludeOutput");
    if has_output && ask.text("InvokeId").is_none() && ask.text("InstanceId").is_none() {
        return Err(Refusal::missing("InvokeId"));
    }
    let page = page::of_commands(ask, cloud)?;
    let mut invocations = kept(cloud, ask)?;
    invocations.retain(|it| {
        ask.passes("CommandName", &it.name)
            && ask.passes("CommandType", "RunShellScript")
            && ask.passes("InvokeStatus", older_status_of(it))
    });
    let page = page.cut(ask, invocations);
    Ok(page.answer("Invocations", "Invocation", |it| {
        invocation(it, ask, has_output)
    }))
}

pub(super) fn describe_results(cloud: &Cloud, ask: &Ask) -> Reply {
    ask.only(&RESULTS_MODELLED)?;
    check_encoding(ask)?;
    let page = page::of_commands(ask, cloud)?;
    let mut rows: Vec<(&Invocation, &Run)> = Vec::new();
    for invocation in kept(cloud, ask)? {
        let runs = invocation.runs.iter();
        let runs = runs.filter(|it| {
            ask.passes("InstanceId", it.instance.as_str())
                && ask.passes("InvokeRecordStatus", older_status(it.status))
        });
        rows.extend(runs.map(|it| (invocation, it)));
    }
    let page = page.cut(ask, rows);
    let rows = page.answer("InvocationResults", "InvocationResult", |(it, run)| {
        result(it, run, ask)
    });
    Ok(json!({"Invocation": rows}))
}

fn check_encoding(ask: &Ask) -> Result<(), Refusal> {
    ask.choose(
        "ContentEncoding",
        &["PlainText", "Base64"],
        "400 InvalidParameter",
    )
}

/// The invocations that both actions narrow further, of the time for which they are kept.
fn kept<'a>(cloud: &'a Cloud, ask: &Ask) -> Result<Vec<&'a Invocation>, Refusal> {
    let kept = std::time::Duration::from_secs(cloud.scenario.times.invocation_kept);
    let since = ask.view.minus(kept);
    let mut invocations = page::listing(cloud, ask, &ask.region(cloud).invocations)?;
    invocations.retain(|it| {
        let ran_there = |id: &str| it.runs.iter().any(|it| it.instance.as_str() == id);
        it.creation_time >= since
            && ask.passes("InvokeId", &it.invoke_id)
            && ask.passes("CommandId", &it.command_id)
            && ask.text("InstanceId").is_none_or(ran_there)
    });
    Ok(invocations)
}

pub(super) fn invocation(invocation: &Invocation, ask: &Ask, has_output: bool) -> Value {
    let runs: Vec<Value> = invocation
        .runs
        .iter()
        .map(|it| run(invocation, it, (ask, has_output)))
        .collect();
    json!({
        "InvokeId": invocation.invoke_id,
        "CommandId": invocation.command_id,
        "CommandName": invocation.name,
        "CommandDescription": invocation.description,
        "CommandType": "RunShellScript",
        "CommandContent": encoded(ask, &STANDARD.decode(&invocation.content).unwrap_or_default()),
        "CreationTime": invocation.creation_time,
        "Timeout": invocation.timeout.as_secs(),
        "RepeatMode": "Once",
        "Timed": false,
        "Frequency": "",
        "Parameters": "{}",
        "Username": "root",
        "WorkingDir": "",
        "InvocationStatus": status_of(invocation),
        "InvokeStatus": older_status_of(invocation),
        "InvokeInstances": {"InvokeInstance": runs},
        "Tags": show::tags(&invocation.tags),
    })
}

fn run(invocation: &Invocation, run: &Run, (ask, has_output): (&Ask, bool)) -> Value {
    let mut shown = outcome(run, (ask, has_output));
    shown["FinishTime"] = json!(time(run.ended));
    shown["InstanceInvokeStatus"] = json!(older_status(run.status));
    shown["CreationTime"] = json!(invocation.creation_time);
    let changed = run.ended.or(run.begun);
    shown["UpdateTime"] = json!(changed.unwrap_or(invocation.creation_time));
    shown["Timed"] = json!(false);
    shown
}

fn result(invocation: &Invocation, run: &Run, ask: &Ask) -> Value {
    let mut shown = outcome(run, (ask, true));
    shown["InvokeId"] = json!(invocation.invoke_id);
    shown["CommandId"] = json!(invocation.command_id);
    shown["FinishedTime"] = json!(time(run.ended));
    shown["InvokeRecordStatus"] = json!(older_status(run.status));
    shown["Username"] = json!("root");
    shown["Tags"] = show::tags(&invocation.tags);
    shown
}

/// What both actions say of a run. ASSUMED: output comes only once it has ended, and the code is 0 where there is none,
/// so that it means nothing without the status.
fn outcome(run: &Run, (ask, has_output): (&Ask, bool)) -> Value {
    let output: &[u8] = if has_output { &run.output } else { &[] };
    json!({
        "InstanceId": run.instance,
        "InvocationStatus": run.status,
        "ExitCode": run.exit_code.unwrap_or(0),
        "ErrorCode": run.error.map_or(json!(""), |it| json!(it)),
        "ErrorInfo": run.error.map_or("", |it| it.info()),
        "Output": encoded(ask, output),
        "Dropped": run.dropped,
        "StartTime": time(run.begun),
        "StopTime": "",
        "Repeats": i32::from(run.begun.is_some()),
    })
}

/// "Base64 by default".
fn encoded(ask: &Ask, bytes: &[u8]) -> String {
    if ask.text("ContentEncoding") == Some("PlainText") {
        String::from_utf8_lossy(bytes).into_owned()
    } else {
        STANDARD.encode(bytes)
    }
}

fn time(time: Option<Timestamp>) -> String {
    time.map_or(String::new(), |it| it.to_string())
}

/// The field `InvocationStatus` of an invocation as a whole.
fn status_of(invocation: &Invocation) -> &'static str {
    let statuses = || invocation.runs.iter().map(|it| it.status);
    if statuses().any(|it| it == RunStatus::Pending) {
        "Pending"
    } else if statuses().any(|it| it == RunStatus::Running) {
        "Running"
    } else if statuses().all(|it| it == RunStatus::Success) {
        "Success"
    } else if statuses().any(|it| it == RunStatus::Success) {
        "PartialFailed"
    } else {
        "Failed"
    }
}

/// The older field for the same; it does not tell a script that failed from one that did not.
fn older_status_of(invocation: &Invocation) -> &'static str {
    let statuses = || invocation.runs.iter().map(|it| older_status(it.status));
    if statuses().any(|it| it == "Running") {
        "Running"
    } else if statuses().all(|it| it == "Finished") {
        "Finished"
    } else if statuses().any(|it| it == "Finished") {
        "PartialFailed"
    } else {
        "Failed"
    }
}

/// ASSUMED: a script that ended with another code than 0 is `Finished` too.
fn older_status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Pending | RunStatus::Running => "Running",
        RunStatus::Success | RunStatus::Failed => "Finished",
        RunStatus::Aborted | RunStatus::Error | RunStatus::Timeout => "Failed",
    }
}
