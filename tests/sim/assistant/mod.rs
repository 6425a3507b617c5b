//! Cloud Assistant: commands that run on instances, and what is known of them afterwards.

mod listings;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reconcile::sim::history::What;
use serde_json::{Value, json};

use super::{Bench, instance, small_world};

const REGION: &str = "cn-hangzhou";

/// What `RunCommand` needs at least besides an instance, with time enough for the script.
const COMMAND: [(&str, &str); 3] = [
    ("Type", "RunShellScript"),
    ("CommandContent", "echo one"),
    ("Timeout", "1800"),
];

/// Launches an instance and waits until its agent is online.
fn ready(bench: &mut Bench) -> String {
    bench.launch("builder")
}

fn with<'a>(instance: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let all = COMMAND.iter().copied().chain([("InstanceId.1", instance)]);
    all.chain(more.iter().copied()).collect()
}

/// Sends a command and says what its invocation is called.
fn send(bench: &mut Bench, instance: &str, more: &[(&str, &str)]) -> String {
    let answer = bench.ok("RunCommand", &with(instance, more));
    answer["InvokeId"].as_str().expect("an id").to_owned()
}

/// Status, code, error code, output and lost bytes of the only result of an invocation.
fn result(bench: &mut Bench, invocation: &str) -> (String, i64, String, Vec<u8>, u64) {
    let answer = bench.ok("DescribeInvocationResults", &[("InvokeId", invocation)]);
    let row = &answer["Invocation"]["InvocationResults"]["InvocationResult"][0];
    let text = |name: &str| row[name].as_str().expect("a text").to_owned();
    (
        text("InvocationStatus"),
        row["ExitCode"].as_i64().expect("a code"),
        text("ErrorCode"),
        STANDARD.decode(text("Output")).expect("base64"),
        row["Dropped"].as_u64().expect("a number"),
    )
}

fn outcome(bench: &mut Bench, invocation: &str) -> String {
    let (status, code, error, _, _) = result(bench, invocation);
    format!("{status} {code} {error}").trim_end().to_owned()
}

fn is_online(bench: &mut Bench, instance: &str) -> Vec<String> {
    bench.list(
        "DescribeCloudAssistantStatus",
        &[("InstanceId.1", instance)],
        "CloudAssistantStatus",
    )
}

#[test]
fn the_agent_is_online_a_while_after_its_instance_runs() {
    let mut bench = small_world();
    let id = bench.order(&[]);
    bench.wait(54);
    assert_eq!(is_online(&mut bench, &id), ["false"]);
    bench.wait(1);
    assert_eq!(is_online(&mut bench, &id), ["true"]);
    bench.ok("StopInstance", &[("InstanceId", &id)]);
    assert_eq!(is_online(&mut bench, &id), ["false"]);
    bench.wait(60);
    bench.ok("StartInstance", &[("InstanceId", &id)]);
    bench.wait(49);
    assert_eq!(is_online(&mut bench, &id), ["false"]);
    bench.wait(1);
    assert_eq!(is_online(&mut bench, &id), ["true"]);
}

#[test]
fn an_agent_may_come_late_or_never() {
    let mut bench = small_world();
    bench.trouble(&json!({"action": "RunInstances", "fault": "agentLate", "seconds": 600}));
    let late = bench.order(&[]);
    bench.trouble(&json!({"action": "RunInstances", "fault": "agentNever"}));
    let never = bench.order(&[("InstanceName", "never")]);
    bench.wait(654);
    assert_eq!(is_online(&mut bench, &late), ["false"]);
    bench.wait(1);
    assert_eq!(is_online(&mut bench, &late), ["true"]);
    bench.wait(1_000_000);
    assert_eq!(is_online(&mut bench, &never), ["false"]);
    bench.ok("StopInstance", &[("InstanceId", &never)]);
    bench.wait(60);
    bench.ok("StartInstance", &[("InstanceId", &never)]);
    bench.wait(600);
    assert_eq!(is_online(&mut bench, &never), ["false"]);
}

#[test]
fn the_status_of_all_agents_comes_in_pages_and_that_of_named_ones_does_not() {
    let instances: Vec<Value> = (100..123)
        .map(|n| instance(&format!("i-{n}"), "m-one"))
        .collect();
    let mut bench = Bench::new(json!({"objects": {"instances": instances}}));
    let rows = |bench: &mut Bench, parameters: &[(&str, &str)]| {
        bench
            .list("DescribeCloudAssistantStatus", parameters, "InstanceId")
            .len()
    };
    assert_eq!(rows(&mut bench, &[]), 10);
    assert_eq!(rows(&mut bench, &[("MaxResults", "20")]), 20);
    let names: Vec<String> = (1..=23).map(|n| format!("InstanceId.{n}")).collect();
    let ids: Vec<String> = (100..123).map(|n| format!("i-{n}")).collect();
    let asked: Vec<(&str, &str)> = names
        .iter()
        .zip(&ids)
        .map(|(name, id)| (name.as_str(), id.as_str()))
        .collect();
    assert_eq!(rows(&mut bench, &asked), 23);
    let unknown = [("InstanceId.1", "i-none")];
    let refusal = bench.refused("DescribeCloudAssistantStatus", &unknown);
    assert_eq!(refusal, "404 InvalidInstance.NotFound");
}

#[test]
fn a_command_is_pending_then_running_then_a_success() {
    let mut bench = small_world();
    let builder = ready(&mut bench);
    let id = send(&mut bench, &builder, &[]);
    assert_eq!(outcome(&mut bench, &id), "Pending 0");
    bench.wait(2);
    assert_eq!(outcome(&mut bench, &id), "Running 0");
    bench.wait(419);
    assert_eq!(outcome(&mut bench, &id), "Running 0");
    bench.wait(1);
    let (status, code, error, output, dropped) = result(&mut bench, &id);
    assert_eq!((status.as_str(), code, error.as_str()), ("Success", 0, ""));
    assert_eq!(output, b"phase: provision\nphase: clean\nphase: check\n");
    assert_eq!(dropped, 0);
}

#[test]
fn a_command_for_an_agent_that_is_not_there_is_aborted() {
    let mut bench = small_world();
    let builder = bench.order(&[]);
    let early = send(&mut bench, &builder, &[("Name", "early")]);
    bench.wait(30);
    assert_eq!(outcome(&mut bench, &early), "Aborted 0 InstanceNotRunning");
    let soon = send(&mut bench, &builder, &[("Name", "soon")]);
    bench.wait(5);
    assert_eq!(outcome(&mut bench, &soon), "Aborted 0 ClientNotRunning");
    let found = [("InvokeId", soon.as_str())];
    assert_eq!(
        bench.list("DescribeInvocations", &found, "InvocationStatus"),
        ["Failed"]
    );
}

#[test]
fn a_script_fails_with_its_code_and_the_end_of_what_it_wrote() {
    let mut bench = small_world();
    let builder = ready(&mut bench);
    bench.trouble(&json!({
        "action": "RunCommand", "fault": "scriptEnds", "seconds": 90, "exitCode": 122, "output": 30_000,
    }));
    let id = send(&mut bench, &builder, &[]);
    bench.wait(91);
    assert_eq!(outcome(&mut bench, &id), "Running 0");
    bench.wait(1);
    let (status, code, error, output, dropped) = result(&mut bench, &id);
    let told = (status.as_str(), code, error.as_str());
    assert_eq!(told, ("Failed", 122, "ExitCodeNonzero"));
    assert_eq!((output.len(), dropped), (24_576, 30_000 - 24_576));
    let text = String::from_utf8_lossy(&output).into_owned();
    assert!(text.contains("0001500 – at work"), "{text}");
    assert!(!text.contains("0000001 – at work"), "{text}");
}

#[test]
fn a_script_that_hangs_ends_with_its_time() {
    let mut bench = small_world();
    let builder = ready(&mut bench);
    bench.trouble(&json!({"action": "RunCommand", "fault": "scriptHangs", "times": 9}));
    let id = send(&mut bench, &builder, &[]);
    bench.wait(1801);
    assert_eq!(outcome(&mut bench, &id), "Running 0");
    bench.wait(1);
    assert_eq!(outcome(&mut bench, &id), "Timeout 0 ExecutionTimeout");
    let short = [
        ("Type", "RunShellScript"),
        ("CommandContent", "true"),
        ("InstanceId.1", &builder),
    ];
    let answer = bench.ok("RunCommand", &short);
    bench.wait(62);
    let id = answer["InvokeId"].as_str().expect("an id");
    assert_eq!(outcome(&mut bench, id), "Timeout 0 ExecutionTimeout");
}

#[test]
fn a_command_ends_with_its_instance_and_is_remembered() {
    let mut bench = small_world();
    bench.trouble(&json!({"action": "RunInstances", "fault": "reclaim", "seconds": 400}));
    let reclaimed = ready(&mut bench);
    bench.trouble(&json!({"action": "RunCommand", "fault": "shutsDown", "seconds": 100}));
    let off = bench.launch("off");
    let deleted = bench.launch("deleted");
    let stopped = bench.launch("stopped");
    let shut = send(&mut bench, &off, &[("Name", "shut")]);
    bench.admin("PUT", "/_sim/trouble", &json!([]));
    let ids = [&reclaimed, &deleted, &stopped].map(|it| send(&mut bench, it, &[("Name", it)]));
    bench.wait(10);
    bench.ok(
        "DeleteInstance",
        &[("InstanceId", &deleted), ("Force", "true")],
    );
    bench.ok("StopInstance", &[("InstanceId", &stopped)]);
    bench.wait(1000);
    let outcomes = ids.map(|it| outcome(&mut bench, &it));
    assert_eq!(
        outcomes,
        [
            "Error 0 InstanceReleased",
            "Error 0 InstanceReleased",
            "Error 0 InstanceNotRunning"
        ]
    );
    assert_eq!(outcome(&mut bench, &shut), "Error 0 InstanceNotRunning");
    let of_it = [("InstanceId", deleted.as_str())];
    let names = bench.list("DescribeInvocations", &of_it, "CommandName");
    assert_eq!(names, [deleted]);
}

#[test]
fn the_same_token_runs_a_command_once() {
    let mut bench = small_world();
    let builder = ready(&mut bench);
    let token = [("ClientToken", "token-1")];
    let id = send(&mut bench, &builder, &token);
    bench.wait(30);
    assert_eq!(send(&mut bench, &builder, &token), id);
    let other = with(&builder, &[("ClientToken", "token-1"), ("Name", "other")]);
    assert_eq!(
        bench.refused("RunCommand", &other),
        "400 IdempotentParameterMismatch"
    );
    bench.wait(1000);
    assert_eq!(bench.world.invocations(REGION, bench.now).len(), 1);
    let mut told = Vec::new();
    for event in bench.world.history() {
        if let What::CommandSent(it) = &event.what {
            told.push(format!("sent to {}", it.runs.len()));
        } else if let What::CommandBegun { .. } = event.what {
            told.push("begun".to_owned());
        } else if let What::CommandEnded { status, .. } = event.what {
            told.push(format!("{status:?}"));
        }
    }
    assert_eq!(told, ["sent to 1", "begun", "Success"]);
}

#[test]
fn a_command_that_the_service_refuses() {
    let mut bench = Bench::new(json!({"objects": {"instances": [instance("i-one", "m-one")]}}));
    let long = "A".repeat(24_580);
    let kept = "A".repeat(18_436);
    let plain = "x".repeat(18_433);
    let cases: [(&[(&str, &str)], &str); 12] = [
        (&[("InstanceId.1", "")], "400 MissingParam.InstanceId"),
        (
            &[("InstanceId.1", "i-none")],
            "404 InvalidInstance.NotFound",
        ),
        (&[("Type", "RunBatScript")], "403 InvalidInstance.NotMatch"),
        (&[("Type", "Shell")], "403 InvalidCmdType.NotFound"),
        (
            &[("CommandContent", "***"), ("ContentEncoding", "Base64")],
            "400 CmdContent.DecodeError",
        ),
        (
            &[("CommandContent", &long), ("ContentEncoding", "Base64")],
            "400 CmdContent.ExceedLimit",
        ),
        (
            &[
                ("CommandContent", &kept),
                ("ContentEncoding", "Base64"),
                ("KeepCommand", "true"),
            ],
            "400 CmdContent.ExceedLimit",
        ),
        (&[("CommandContent", &plain)], "400 CmdContent.ExceedLimit"),
        (&[("Timeout", "9")], "400 InvalidTimeout.ExceedLimit"),
        (&[("Parameters", "{}")], "400 Parameter.Disabled"),
        (&[("ClientToken", "ü")], "400 InvalidClientToken.Malformed"),
        (&[("Tag.1.Key", "acs:x")], "400 InvalidTagKey.Malformed"),
    ];
    for (more, refusal) in cases {
        let is_replaced = |name: &str| more.iter().any(|it| it.0 == name);
        let rest = with("i-one", &[]);
        let rest = rest.into_iter().filter(|it| !is_replaced(it.0));
        let all: Vec<_> = rest.chain(more.iter().copied()).collect();
        assert_eq!(bench.refused("RunCommand", &all), refusal, "{more:?}");
    }
    assert!(bench.world.invocations(REGION, bench.now).is_empty());
    let whole = &long[..24_576];
    let fits = [("CommandContent", whole), ("ContentEncoding", "Base64")];
    let all: Vec<_> = with("i-one", &[])
        .into_iter()
        .filter(|it| it.0 != "CommandContent")
        .chain(fits)
        .collect();
    bench.ok("RunCommand", &all);
}

#[test]
fn how_long_a_command_takes_may_be_for_the_seed_to_decide() {
    let took = |seed: u64| {
        let mut bench = Bench::new(json!({
            "seed": seed, "times": {"provisioning": [60, 1200]},
            "objects": {"instances": [instance("i-one", "m-one")]},
        }));
        send(&mut bench, "i-one", &[("ClientToken", "token")]);
        bench.wait(2000);
        let invocations = bench.world.invocations(REGION, bench.now);
        let run = &invocations[0].runs[0];
        let ended = run.ended.expect("it has ended");
        ended.since(run.begun.expect("it has begun")).as_secs()
    };
    let all: Vec<u64> = (1..=20).map(took).collect();
    assert!(all.iter().all(|it| (60..=1200).contains(it)), "{all:?}");
    assert!(all.iter().any(|it| *it != all[0]), "{all:?}");
    assert_eq!(took(7), took(7));
}
