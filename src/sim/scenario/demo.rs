//! The worlds that the program carries.

use serde::Deserialize;
use serde_json::Value;

use super::{Objects, Scenario};
use crate::sim::trouble::Trouble;

/// What a day brings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Day {
    troubles: Vec<Trouble>,
    objects: Objects,
}

impl Scenario {
    /// A past to begin with: a factory that has run for months without anybody looking.
    pub fn default_past() -> Self {
        Self::from_value(json(include_str!("../default.json"))).expect("the file is a scenario")
    }

    /// The same, and what its first day brings: jobs that come and go. Their times are those of the world, so this is for one
    /// whose clock begins with it.
    pub fn default_day() -> Self {
        let mut scenario = Self::default_past();
        let day = Day::deserialize(json(include_str!("../day.json")));
        let day = day.expect("the file is a day");
        scenario.troubles = day.troubles;
        scenario.objects.jobs = day.objects.jobs;
        scenario.objects.runners = day.objects.runners;
        scenario
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("the file is JSON")
}
