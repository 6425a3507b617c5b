//! State files: what the loader says of every way to write one wrong.

pub(crate) mod agreement;
mod folders;
mod hostile;
mod machine_images;
mod messages;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use reconcile::resource::{Finding, KindSchema, Manifest, Reference, Span, read_text, spec_schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a garden grows: a kind that uses every sort of value that a spec can have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Garden {
    /// The ground it stands on.
    ground_ref: Reference,
    /// What grows in it.
    #[schemars(length(min = 1))]
    plants: Vec<Plant>,
    /// When it is watered.
    #[serde(default)]
    watering: Option<Watering>,
    /// The version of the plan, such as `24.04`.
    #[serde(default)]
    plan: Option<String>,
    #[serde(default)]
    season: Season,
    /// What the gardener is told.
    #[serde(default)]
    notes: BTreeMap<String, String>,
    /// How many of each neighbour's trees lean over.
    #[serde(default)]
    neighbours: BTreeMap<Reference, u8>,
    #[serde(default)]
    tools: Vec<Tool>,
    #[serde(default)]
    visitors: Option<BTreeSet<String>>,
    #[serde(default)]
    fence: Option<Fence>,
    #[serde(default)]
    area: Option<f64>,
    #[serde(default)]
    depth: Option<i64>,
    #[serde(default)]
    open: bool,
}

/// A sort of plant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
enum Plant {
    /// Wants sun.
    Tomato,
    /// Wants time.
    Asparagus,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
enum Season {
    #[default]
    Spring,
    Summer,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Watering {
    /// How often.
    every: Span,
    /// How many cans.
    #[serde(default)]
    #[schemars(range(min = 1, max = 50))]
    cans: Option<u32>,
}

/// A name, or a name and its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Tool {
    Named(String),
    Counted(Counted),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Counted {
    name: String,
    number: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Fence {
    Wood { planks: u16 },
    Hedge { shrub: String },
}

/// Where a garden stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Ground {
    address: String,
}

static KINDS: LazyLock<Vec<KindSchema>> = LazyLock::new(|| {
    vec![
        KindSchema {
            name: "Garden",
            spec: spec_schema::<Garden>(),
        },
        KindSchema {
            name: "Ground",
            spec: spec_schema::<Ground>(),
        },
    ]
});

/// A document of the kind `Garden` that ends inside its spec, so that a case can go on with line 8.
const GARDEN: &str = "\
apiVersion: reconcile/v1alpha1
kind: Garden
metadata:
  name: roof
spec:
  groundRef: g
  plants: [Tomato]
";

fn load(text: &str) -> Result<Vec<Manifest>, Vec<Finding>> {
    read_text("state/a.yaml", text, &KINDS)
}

/// What is said of a file, a line each, without the file's name.
fn said(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|it| {
        let line = it.to_string();
        line.strip_prefix("state/a.yaml:")
            .unwrap_or(&line)
            .to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}
