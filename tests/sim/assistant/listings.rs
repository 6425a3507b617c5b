//! How invocations are found and listed.

use serde_json::json;

use super::send;
use crate::sim::{Bench, instance};

#[test]
fn invocations_are_found_by_tag_for_four_weeks() {
    let mut bench = Bench::new(json!({
        "times": {"tagFilterLag": 30},
        "objects": {"instances": [instance("i-one", "m-one")]},
    }));
    let tags = |version| {
        [
            ("Tag.1.Key", "owner"),
            ("Tag.1.Value", "we"),
            ("Tag.2.Key", "version"),
            ("Tag.2.Value", version),
        ]
    };
    for version in ["1", "2", "2"] {
        send(&mut bench, "i-one", &tags(version));
    }
    let found = |bench: &mut Bench, version| {
        bench
            .list("DescribeInvocations", &tags(version), "InvokeId")
            .len()
    };
    assert_eq!(found(&mut bench, "2"), 0);
    bench.wait(30);
    assert_eq!(found(&mut bench, "1"), 1);
    assert_eq!(found(&mut bench, "2"), 2);
    bench.wait(4 * 7 * 24 * 60 * 60 - 30);
    assert_eq!(found(&mut bench, "2"), 2);
    bench.wait(1);
    assert_eq!(found(&mut bench, "2"), 0);
}

#[test]
fn invocations_come_in_pages_of_at_most_fifty_and_with_output_only_when_it_is_asked_for() {
    let mut bench = Bench::new(json!({"objects": {"instances": [instance("i-one", "m-one")]}}));
    for n in 0..23 {
        send(&mut bench, "i-one", &[("Name", &format!("command-{n}"))]);
    }
    bench.wait(500);
    let refused =
        |bench: &mut Bench, name, value| bench.refused("DescribeInvocations", &[(name, value)]);
    assert_eq!(
        refused(&mut bench, "MaxResults", "51"),
        "400 InvalidParameter.MaxResults"
    );
    assert_eq!(
        refused(&mut bench, "PageSize", "51"),
        "403 InvalidParam.PageSize"
    );
    assert_eq!(
        refused(&mut bench, "NextToken", "x"),
        "400 InvalidParameter.NextToken"
    );
    assert_eq!(
        refused(&mut bench, "IncludeOutput", "true"),
        "400 MissingParameter"
    );
    let mut token = String::new();
    let mut sizes = Vec::new();
    loop {
        let answer = bench.ok(
            "DescribeInvocations",
            &[("MaxResults", "10"), ("NextToken", &token)],
        );
        let rows = answer["Invocations"]["Invocation"].as_array();
        sizes.push(rows.expect("a list").len());
        answer["NextToken"]
            .as_str()
            .expect("a token")
            .clone_into(&mut token);
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [10, 10, 3]);
    let output = |bench: &mut Bench, more: &[(&str, &str)]| {
        let all: Vec<_> = [("InstanceId", "i-one")]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let answer = bench.ok("DescribeInvocations", &all);
        answer["Invocations"]["Invocation"][0]["InvokeInstances"]["InvokeInstance"][0]["Output"]
            .as_str()
            .expect("a text")
            .len()
    };
    assert_eq!(output(&mut bench, &[]), 0);
    assert_eq!(output(&mut bench, &[("IncludeOutput", "true")]), 60);
    let plain = [("IncludeOutput", "true"), ("ContentEncoding", "PlainText")];
    assert_eq!(output(&mut bench, &plain), 43);
}
