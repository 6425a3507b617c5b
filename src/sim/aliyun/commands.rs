//! `RunCommand` (ECS API reference, `RunCommand`): accepted at once, carried out by the agent of the instance.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::clock::Timestamp;
use crate::ids::InstanceId;
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Reply, names, token};
use crate::sim::history::What;
use crate::sim::invocation::{Invocation, Run, RunStatus, Script};
use crate::sim::trouble::{Trouble, TroubleKind};

const MODELLED: [&str; 16] = [
    "Type",
    "CommandContent",
    "ContentEncoding",
    "Timeout",
    "ClientToken",
    "Tag",
    "KeepCommand",
    "EnableParameter",
    "Parameters",
    "InstanceId",
    "Name",
    "Description",
    "RepeatMode",
    "WorkingDir",
    "Username",
    "TerminationMode",
];

/// The most instances of a command.
pub(super) const INSTANCES_MAX: usize = 100;

/// A command may have so many bytes in base64 …
const CONTENT_MAX: usize = 24 * 1024;

/// … and so many when it is kept.
const KEPT_CONTENT_MAX: usize = 18 * 1024;

/// In seconds.
const TIMEOUT_DEFAULT: i64 = 60;

/// In seconds. ASSUMED: the documentation that the parameters were taken from gives no range.
const TIMEOUT_RANGE: std::ops::RangeInclusive<i64> = 10..=24 * 60 * 60;

/// How long it takes until a command begins, or cannot be delivered; ASSUMED.
const DELIVERY: Duration = Duration::from_secs(2);

pub(super) fn run(cloud: &mut Cloud, ask: &Ask) -> Reply {
    token::once(cloud, ask, |cloud| {
        let invocation = invocation_of(cloud, ask)?;
        let (id, command) = (invocation.invoke_id.clone(), invocation.command_id.clone());
        let region = ask.region_id(cloud);
        cloud
            .region_mut(&region)
            .invocations
            .put(ask.now, invocation.clone());
        cloud.record(ask.now, &region, What::CommandSent(Box::new(invocation)));
        Ok(json!({"InvokeId": id, "CommandId": command}))
    })
}

fn invocation_of(cloud: &Cloud, ask: &Ask) -> Result<Invocation, Refusal> {
    ask.only(&MODELLED)?;
    check_type(ask)?;
    check_texts(ask)?;
    let content = content(ask)?;
    let tags = names::tags(&ask.parameters)?;
    let timeout = timeout(ask)?;
    let instances = instances(cloud, ask)?;
    let subject = ask.text("ClientToken").or(ask.text("Name"));
    let subject = subject.unwrap_or(instances[0].as_str());
    let region = ask.region_id(cloud);
    let id = cloud.fresh_id(&region, "t", subject);
    Ok(Invocation {
        command_id: format!("c{}", &id[1..]),
        name: ask.text("Name").unwrap_or_default().to_owned(),
        description: ask.text("Description").unwrap_or_default().to_owned(),
        content,
        timeout,
        creation_time: ask.now,
        tags,
        runs: instances
            .iter()
            .map(|it| run_of(ask.now, it, script(cloud, ask, (&id, it))))
            .collect(),
        region_id: region,
        invoke_id: id,
    })
}

fn run_of(now: Timestamp, instance: &InstanceId, script: Script) -> Run {
    Run {
        instance: instance.clone(),
        status: RunStatus::Pending,
        exit_code: None,
        output: Vec::new(),
        dropped: 0,
        begun: None,
        ended: None,
        error: None,
        due: Some(now.plus(DELIVERY)),
        script,
    }
}

fn check_type(ask: &Ask) -> Result<(), Refusal> {
    match ask.text("Type").unwrap_or_default() {
        "RunShellScript" => {}
        "RunBatScript" | "RunPowerShellScript" => {
            let message = "The specified instance type does not match the command.";
            return Err(Refusal::new(403, "InvalidInstance.NotMatch", message));
        }
        _ => {
            let message = "The specified command type does not exist.";
            return Err(Refusal::new(403, "InvalidCmdType.NotFound", message));
        }
    }
    ask.choose(
        "RepeatMode",
        &["Once", "Period", "NextRebootOnly", "EveryReboot"],
        "400 InvalidRepeatMode.NotFound",
    )?;
    if ask.text("RepeatMode").is_some_and(|it| it != "Once") {
        return Err(Refusal::unmodelled("commands that are repeated"));
    }
    ask.choose(
        "TerminationMode",
        &["Process", "ProcessTree"],
        "400 InvalidTerminationMode.NotFound",
    )?;
    if ask.is_true("EnableParameter") {
        return Err(Refusal::unmodelled("parameters of a command"));
    }
    if ask.text("Parameters").is_some() {
        let message =
            "Parameters should not be passed when CreateCommand.EnableParameter is false.";
        return Err(Refusal::new(400, "Parameter.Disabled", message));
    }
    Ok(())
}

/// ASSUMED: how long a name and a description may be.
fn check_texts(ask: &Ask) -> Result<(), Refusal> {
    let is_long =
        |name: &str, most: usize| ask.text(name).is_some_and(|it| it.chars().count() > most);
    if is_long("Name", 128) {
        let message = "The length of the command name exceeds the upper limit.";
        return Err(Refusal::new(403, "CmdName.ExceedLimit", message));
    }
    if is_long("Description", 512) {
        let message = "The length of the command description exceeds the upper limit.";
        return Err(Refusal::new(403, "CmdDesc.ExceedLimit", message));
    }
    Ok(())
}

/// The command in base64.
fn content(ask: &Ask) -> Result<String, Refusal> {
    let sent = ask.text("CommandContent").unwrap_or_default();
    let encoded = match ask.text("ContentEncoding").unwrap_or("PlainText") {
        "PlainText" => STANDARD.encode(sent),
        "Base64" if STANDARD.decode(sent).is_ok() => sent.to_owned(),
        "Base64" => {
            let message = "The CommandContent can not be base64 decoded.";
            return Err(Refusal::new(400, "CmdContent.DecodeError", message));
        }
        _ => return Err(Refusal::invalid("ContentEncoding")),
    };
    let most = if ask.is_true("KeepCommand") {
        KEPT_CONTENT_MAX
    } else {
        CONTENT_MAX
    };
    if encoded.len() > most {
        let message = "The length of the command content exceeds the upper limit.";
        return Err(Refusal::new(400, "CmdContent.ExceedLimit", message));
    }
    Ok(encoded)
}

fn timeout(ask: &Ask) -> Result<Duration, Refusal> {
    let seconds = ask.parameters.number("Timeout").unwrap_or(TIMEOUT_DEFAULT);
    let fits = TIMEOUT_RANGE.contains(&seconds);
    let seconds = u64::try_from(seconds).ok().filter(|_| fits);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let message = "The specified parameter Timeout exceeds the upper limit.";
        Refusal::new(400, "InvalidTimeout.ExceedLimit", message)
    })
}

/// At least one; whether it runs and whether its agent is there shows only when the command is delivered.
fn instances(cloud: &Cloud, ask: &Ask) -> Result<Vec<InstanceId>, Refusal> {
    let ids = ask.parameters.list("InstanceId");
    if ids.is_empty() {
        let message = "The parameter instanceId is missing or empty.";
        return Err(Refusal::new(400, "MissingParam.InstanceId", message));
    }
    if ids.len() > INSTANCES_MAX {
        let message = "The number of instance IDs exceeds the upper limit.";
        return Err(Refusal::new(403, "InstanceIds.ExceedLimit", message));
    }
    let instances = &ask.region(cloud).instances;
    if ids.iter().any(|it| instances.get(it).is_none()) {
        let message = "The specified instance does not exist.";
        return Err(Refusal::new(404, "InvalidInstance.NotFound", message));
    }
    Ok(ids.into_iter().map(InstanceId::new).collect())
}

/// What the command will do on an instance: it takes its time and succeeds, unless a trouble says otherwise.
fn script(cloud: &Cloud, ask: &Ask, (id, instance): (&str, &InstanceId)) -> Script {
    let subject = format!("script/{id}/{instance}");
    let takes = cloud.lasting(cloud.scenario.times.provisioning, &subject);
    let fine = Script {
        takes: Some(takes),
        exit_code: 0,
        output: phases(3),
        shuts_down: None,
    };
    match &ask.trouble {
        Some(it) if it.fault == TroubleKind::ScriptEnds => Script {
            takes: Some(it.duration()),
            exit_code: it.exit_code,
            output: written(it),
            ..fine
        },
        Some(it) if it.fault == TroubleKind::ScriptHangs => Script {
            takes: None,
            output: phases(1),
            ..fine
        },
        Some(it) if it.fault == TroubleKind::ShutsDown => Script {
            output: phases(1),
            shuts_down: Some(it.duration()),
            ..fine
        },
        Some(_) | None => fine,
    }
}

/// What a script writes that does its work in phases, as far as it comes.
fn phases(count: usize) -> Vec<u8> {
    let phases = ["provision", "clean", "check"];
    let lines = phases.iter().take(count).map(|it| format!("phase: {it}\n"));
    lines.collect::<String>().into_bytes()
}

/// As many bytes as a trouble asks for, in numbered lines. A dash of three bytes in each makes sure that whoever cuts
/// the text somewhere meets a broken character now and then.
fn written(trouble: &Trouble) -> Vec<u8> {
    let mut text = String::new();
    let mut line = 0_u64;
    while text.len() < trouble.output {
        line += 1;
        writeln!(text, "{line:07} – at work").expect("a text takes everything");
    }
    let mut bytes = text.into_bytes();
    bytes.truncate(trouble.output);
    bytes
}
