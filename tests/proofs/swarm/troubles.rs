//! Troubles whose weights are drawn themselves: in one run some faults are off and others extreme, in the next others.

use serde_json::{Value, json};

use super::draw::Draw;

/// Everything that is asked of Alibaba Cloud.
pub(super) const ACTIONS: [&str; 10] = [
    "GetCallerIdentity",
    "DescribeImages",
    "DescribeInstances",
    "DescribeSnapshots",
    "TagResources",
    "UntagResources",
    "ModifyImageAttribute",
    "DeleteImage",
    "DeleteSnapshot",
    "DeleteInstance",
];

/// All that may go wrong with a call.
fn faults() -> Vec<Value> {
    vec![
        json!({"fault": "dropBefore"}),
        json!({"fault": "dropAfter"}),
        json!({"fault": "status", "status": 500}),
        json!({"fault": "status", "status": 503}),
        json!({"fault": "status", "status": 429, "seconds": 20}),
        json!({"fault": "status", "status": 400, "code": "Throttling.User"}),
        json!({"fault": "status", "status": 403, "code": "Forbidden.RAM"}),
        json!({"fault": "stale", "seconds": 60}),
        json!({"fault": "stale", "seconds": 300}),
        json!({"fault": "stale", "seconds": 100_000_000}),
        json!({"fault": "torn"}),
        json!({"fault": "tornShorter"}),
        json!({"fault": "tornLonger"}),
        json!({"fault": "garbage"}),
        json!({"fault": "garbage", "status": 502}),
        json!({"fault": "garbage", "status": 200}),
        json!({"fault": "delay", "seconds": 30}),
        json!({"fault": "delay", "seconds": 300}),
    ]
}

/// The troubles of one run.
pub(super) fn troubles(draw: &mut Draw, actions: &[&str]) -> Vec<Value> {
    let weigh = |it| {
        (
            it,
            if draw.chance(50) {
                0
            } else {
                draw.between(1, 10)
            },
        )
    };
    let weights: Vec<(Value, u64)> = faults().into_iter().map(weigh).collect();
    let count = draw.pick(&[0, 1, 3, 10, 40]);
    let mut troubles = Vec::new();
    for _ in 0..count {
        let Some(mut trouble) = draw.weighed(&weights) else {
            break;
        };
        if draw.chance(90) {
            trouble["action"] = json!(draw.pick(actions));
        }
        trouble["nth"] = json!(draw.between(1, 30));
        trouble["times"] = json!(draw.pick(&[1, 1, 1, 3, 12, 60]));
        troubles.push(trouble);
    }
    troubles
}

/// Whether some listing may show what was.
pub(super) fn has_past(troubles: &[Value]) -> bool {
    troubles.iter().any(|it| it["fault"] == "stale")
}
