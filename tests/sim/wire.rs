//! Parameters, formats, and the shape of answers.

use serde_json::{Value, json};

use super::{Bench, admin_request, body, form, image, instance, small_world, text};

#[test]
fn answers_xml_unless_json_is_asked_for_in_any_case() {
    let mut bench = small_world();
    for (format, start) in [
        ("JSON", "{"),
        ("json", "{"),
        ("XML", "<?xml"),
        ("", "<?xml"),
    ] {
        let answer = bench.answer("DescribeRegions", &[("Format", format)]);
        assert!(
            text(&answer).starts_with(start),
            "{format}: {}",
            text(&answer)
        );
    }
    let answer = bench.answer("DescribeImages", &[("Format", "XML")]);
    assert!(
        text(&answer).contains("<Error><Code>MissingParameter</Code>"),
        "{}",
        text(&answer)
    );
}

#[test]
fn an_error_says_where_what_and_where_to_read_on() {
    let mut bench = small_world();
    let answer = body(&bench.answer(
        "DeleteImage",
        &[("RegionId", "cn-hangzhou"), ("ImageId", "m-none")],
    ));
    let fields: Vec<&String> = answer.as_object().expect("an object").keys().collect();
    assert_eq!(
        fields,
        ["Code", "HostId", "Message", "Recommend", "RequestId"]
    );
    assert_eq!(
        (&answer["HostId"], &answer["Code"]),
        (&json!("127.0.0.1:1"), &json!("InvalidImageId.NotFound"))
    );
}

#[test]
fn refuses_parameters_that_are_unknown_missing_or_of_the_wrong_type() {
    let mut bench = small_world();
    let refused = |bench: &mut Bench, action: &str, parameters: &[(&str, &str)]| {
        let answer = body(&bench.answer(action, parameters));
        format!(
            "{}: {}",
            answer["Code"].as_str().unwrap_or("-"),
            answer["Message"].as_str().unwrap_or("-")
        )
    };
    let region = ("RegionId", "cn-hangzhou");
    assert_eq!(
        refused(&mut bench, "DescribeImages", &[]),
        "MissingParameter: The input parameter \"RegionId\" that is mandatory for processing this request is not \
         supplied."
    );
    assert_eq!(
        refused(
            &mut bench,
            "DescribeImages",
            &[region, ("ImageNames", "one")]
        ),
        "UnsupportedParameter: The parameter \"ImageNames\" is unsupported."
    );
    assert_eq!(
        refused(&mut bench, "DescribeImages", &[region, ("PageSize", "ten")]),
        "InvalidParameter: The specified parameter \"PageSize\" is not valid."
    );
    assert_eq!(
        refused(
            &mut bench,
            "DeleteImage",
            &[region, ("ImageId", "m-one"), ("Force", "yes")]
        ),
        "InvalidParameter: The specified parameter \"Force\" is not valid."
    );
    assert_eq!(
        refused(
            &mut bench,
            "DescribeInstanceStatus",
            &[region, ("InstanceId.2", "i-1")]
        ),
        "InvalidParameter: The specified parameter \"InstanceId.N\" is not valid."
    );
    assert_eq!(
        refused(&mut bench, "TagResources", &[region]),
        "MissingParameter.ResourceType: The parameter - ResourceType should not be null."
    );
}

#[test]
fn takes_booleans_in_any_case() {
    let mut bench = small_world();
    assert_eq!(
        bench.refused("DescribeImages", &[("DryRun", "True")]),
        "400 DryRunOperation"
    );
    assert_eq!(
        bench.refused("DescribeImages", &[("DryRun", "true")]),
        "400 DryRunOperation"
    );
    bench.ok("DescribeImages", &[("DryRun", "False")]);
}

#[test]
fn merges_query_and_form_and_refuses_what_comes_twice() {
    let mut bench = small_world();
    let mut parameters = bench.signed(
        "DescribeImages",
        &[("RegionId", "cn-hangzhou"), ("ImageName", "a b")],
    );
    parameters.remove("ImageName");
    let mut request = form(&parameters);
    "ImageName=a+b".clone_into(&mut request.query);
    assert_eq!(bench.world.handle(&request, bench.now).status, 200);
    "ImageName=a+b&ImageName=c".clone_into(&mut request.query);
    assert_eq!(
        body(&bench.world.handle(&request, bench.now))["Code"],
        "InvalidParameter"
    );
}

#[test]
fn knows_only_the_regions_of_the_scenario() {
    let mut bench = small_world();
    let answer = bench.answer("DescribeImages", &[("RegionId", "cn-nowhere")]);
    assert_eq!(
        (answer.status, &body(&answer)["Code"]),
        (404, &json!("InvalidRegionId.NotFound"))
    );
}

#[test]
fn says_so_when_an_action_is_not_modelled() {
    let mut bench = small_world();
    assert_eq!(
        bench.refused("DescribeDisks", &[]),
        "400 UnsupportedOperation"
    );
    assert_eq!(
        bench.refused("DescribeEverything", &[]),
        "404 InvalidAction.NotFound"
    );
    let more = [("ResourceGroupId", "rg-1")];
    assert_eq!(
        bench.refused("DescribeImages", &more),
        "400 UnsupportedOperation"
    );
}

#[test]
fn tells_world_time_with_every_answer() {
    let mut bench = small_world();
    bench.wait(5);
    let answer = bench.answer("DescribeImages", &[]);
    assert_eq!(answer.headers["date"], "Sat, 21 Nov 2026 02:00:05 GMT");
    let answer = bench
        .world
        .handle(&admin_request("GET", "/_sim/nothing", ""), bench.now);
    assert_eq!(
        (answer.status, answer.headers.contains_key("date")),
        (400, true)
    );
}

#[test]
fn tells_the_caller_who_it_is() {
    let mut bench = small_world();
    let answer = bench.ok("GetCallerIdentity", &[]);
    let fields = (
        &answer["AccountId"],
        &answer["Arn"],
        &answer["IdentityType"],
    );
    assert_eq!(
        fields,
        (
            &json!("1000000000000001"),
            &json!("acs:ram::1000000000000001:root"),
            &json!("Account")
        )
    );
}

#[test]
fn lists_regions_and_instance_types() {
    let mut bench = small_world();
    assert_eq!(
        bench.list("DescribeRegions", &[], "RegionId"),
        ["cn-hangzhou"]
    );
    let filter = [
        ("CpuArchitecture", "ARM"),
        ("MinimumCpuCoreCount", "16"),
        ("MaximumMemorySize", "32"),
    ];
    assert_eq!(
        bench.list("DescribeInstanceTypes", &filter, "InstanceTypeId"),
        ["ecs.c8y.4xlarge"]
    );
}

#[test]
fn an_empty_list_stands_for_a_missing_permission_unless_it_is_a_dry_run() {
    let key = json!({"id": super::ID, "secret": super::SECRET, "denied": ["DescribeInstances", "DeleteImage"]});
    let objects = json!({
        "images": [image("m-one", "one", "2026-11-01T00:00:00Z")], "instances": [instance("i-one", "m-one")],
    });
    let mut bench = Bench::new(json!({"keys": [key], "objects": objects}));
    assert_eq!(
        bench.list("DescribeInstances", &[], "InstanceId"),
        Vec::<String>::new()
    );
    assert_eq!(
        bench.refused("DescribeInstances", &[("DryRun", "true")]),
        "403 Forbidden.RAM"
    );
    assert_eq!(
        bench.refused("DeleteImage", &[("ImageId", "m-one")]),
        "403 Forbidden.RAM"
    );
    let mut bench = Bench::new(json!({"objects": objects}));
    assert_eq!(
        bench.refused("DescribeInstances", &[("DryRun", "true")]),
        "400 DryRunOperation"
    );
}

#[test]
fn throttles_by_the_minute_of_the_clock_when_the_scenario_says_so() {
    let mut bench = Bench::new(json!({"settings": {"throttling": {"perMinute": 2}}}));
    bench.ok("DescribeRegions", &[]);
    bench.ok("DescribeRegions", &[]);
    assert_eq!(bench.refused("DescribeRegions", &[]), "400 Throttling.User");
    bench.ok("DescribeImages", &[]);
    bench.wait(60);
    bench.ok("DescribeRegions", &[]);

    let mut bench =
        Bench::new(json!({"settings": {"throttling": {"perMinute": 1, "status": 429}}}));
    bench.wait(15);
    bench.ok("DescribeRegions", &[]);
    let answer = bench.answer("DescribeRegions", &[]);
    assert_eq!(
        (answer.status, answer.headers["x-acs-retry-after"].as_str()),
        (429, "45000")
    );
}

/// Every field of every answer is one of the official models, and of that type.
#[test]
fn answers_with_nothing_that_the_official_models_do_not_know() {
    let metadata = include_str!("../../src/sim/aliyun/ecs-metadata-subset.json");
    let metadata: Value = serde_json::from_str(metadata).expect("JSON");
    let mut bench = small_world();
    let id = bench.launch("builder");
    bench.ok(
        "CreateImage",
        &[
            ("InstanceId", &id),
            ("ImageName", "two"),
            ("ImageFamily", "line"),
            ("Tag.1.Key", "k"),
            ("Tag.1.Value", ""),
        ],
    );
    bench.wait(600);
    let calls: [(&str, &[(&str, &str)]); 9] = [
        ("DescribeImages", &[]),
        ("DescribeImageFromFamily", &[("ImageFamily", "line")]),
        ("DescribeInstances", &[("MaxResults", "10")]),
        ("DescribeInstanceStatus", &[]),
        ("DescribeSnapshots", &[("MaxResults", "10")]),
        (
            "ListTagResources",
            &[("ResourceType", "image"), ("Tag.1.Key", "k")],
        ),
        ("DescribeRegions", &[]),
        ("DescribeInstanceTypes", &[]),
        ("StopInstances", &[("InstanceId.1", &id)]),
    ];
    for (action, parameters) in calls {
        let answer = bench.ok(action, parameters);
        let model = &metadata["actions"][format!("Ecs:2014-05-26:{action}")]["response"];
        compare(action, &answer, model);
    }
}

fn compare(path: &str, answer: &Value, model: &Value) {
    match (answer, model) {
        (Value::Object(fields), Value::Object(known)) => {
            for (name, value) in fields {
                let model = known
                    .get(name)
                    .unwrap_or_else(|| panic!("{path}.{name} is not in the model"));
                compare(&format!("{path}.{name}"), value, model);
            }
        }
        (Value::Array(rows), Value::Array(known)) => {
            assert!(
                !rows.is_empty()
                    || path.ends_with("LockReason")
                    || path.ends_with("Tag")
                    || path.ends_with("IpAddress"),
                "{path} is empty, so nothing was compared"
            );
            for row in rows {
                compare(path, row, &known[0]);
            }
        }
        (value, Value::String(kind)) => {
            let fits = match kind.as_str() {
                "int" => value.is_i64() || value.is_u64(),
                "float" => value.is_number(),
                "bool" => value.is_boolean(),
                _ => value.is_string(),
            };
            assert!(fits, "{path} is {value}, not {kind}");
        }
        (value, model) => panic!("{path} is {value}, the model says {model}"),
    }
}
