//! What may be written of an `InstancePolicy`.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::resource::{Problem, Reference, Span};

/// Zero idle instances: nothing that is billed may be left without work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The `AliyunRegion` that they run in.
    pub region_ref: Reference,
    /// The instances that this policy may touch.
    pub selector: Selector,
    /// How they must be paid for.
    #[serde(default)]
    pub purchase: Purchase,
    /// How many idle ones may stay, the newest.
    #[serde(default)]
    #[schemars(range(max = 10_000))]
    pub max_idle: u32,
    /// How long without work counts as idle.
    #[serde(default = "idle_after")]
    pub idle_after: Span,
    /// Older than this and not proven busy is deleted.
    #[serde(default = "max_age")]
    pub max_age: Span,
    /// GitHub repositories or organizations whose runner lists tell who is busy; a runner has its instance's name.
    /// Left out, nothing can prove work, and only Stopped and maxAge act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1),
        inner(regex(pattern = r"^https://[^/\s]+/[^/\s]+(/[^/\s]+)?$"))
    )]
    pub runners_of: Option<Vec<String>>,
    /// Whether offline runner records go whose instance is proven gone.
    #[serde(default = "yes")]
    pub sweep_runners: bool,
}

/// Which instances a policy may touch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selector {
    /// Tags that an instance must all have, with exactly these values.
    #[schemars(extend("minProperties" = 1))]
    pub tags: BTreeMap<String, String>,
}

/// How instances that a policy may touch are paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Purchase {
    /// Only spot instances.
    #[default]
    Spot,
    /// On-demand ones too. Subscriptions are never touched.
    PayAsYouGo,
}

fn idle_after() -> Span {
    Span(Duration::from_secs(10 * 60))
}

fn max_age() -> Span {
    Span(Duration::from_secs(4 * 3600))
}

fn yes() -> bool {
    true
}

pub(super) fn validate(spec: &Spec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if spec.idle_after.0 > spec.max_age.0 {
        problems.push(Problem {
            path: "spec.idleAfter".to_owned(),
            message: format!(
                "idleAfter is {}, more than maxAge, which is {}",
                spec.idle_after, spec.max_age
            ),
        });
    }
    problems
}
