//! The runs of the workflow that makes what is missing: looked at only while something is.

use std::collections::{BTreeMap, BTreeSet};

use crate::fact::Fact;
use crate::providers::Clients;
use crate::providers::github::{Workflow, WorkflowRun};

use super::super::merge;
use super::super::spec::{Dispatch, Spec};
use super::super::tags::SourceName;

/// What was seen for starting a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The workflow.
    pub workflow: Workflow,
    /// What it is to be given, each once, with a source that is missing for it.
    pub inputs: BTreeMap<Inputs, String>,
    /// Its runs, newest first.
    pub runs: Fact<Vec<WorkflowRun>>,
}

/// What a workflow is given.
pub(super) type Inputs = BTreeMap<String, String>;

/// Looks at the runs; none: nothing is missing, or nothing is to be done about it.
pub(in super::super) async fn observe(
    clients: &Clients,
    spec: &Spec,
    merge: &merge::Seen,
) -> Option<Seen> {
    let dispatch = &spec.on_missing.as_ref()?.dispatch;
    let inputs = inputs(dispatch, missing(spec, merge));
    if inputs.is_empty() {
        return None;
    }
    let workflow = Workflow {
        repository: dispatch
            .repository
            .clone()
            .unwrap_or_else(|| spec.repository.clone()),
        workflow: dispatch.workflow.clone(),
        reference: dispatch.reference.clone(),
    };
    let runs = match clients.github.runs(&workflow).await {
        Ok(runs) => Fact::Known(runs.to_vec()),
        Err(fault) => Fact::Unknown(fault),
    };
    Some(Seen {
        workflow,
        inputs,
        runs,
    })
}

/// The required tags that are written by their name and lack a source, and that source.
fn missing(spec: &Spec, merge: &merge::Seen) -> Vec<(String, SourceName)> {
    let named: BTreeSet<&str> = spec.named_tags().collect();
    let tags = merge
        .tags
        .iter()
        .filter(|(name, _)| named.contains(name.as_str()));
    tags.flat_map(|(name, tag)| match tag {
        Fact::Known(tag) => tag
            .missing()
            .iter()
            .map(|it| (name.clone(), it.clone()))
            .collect(),
        Fact::Unknown(_) => Vec::new(),
    })
    .collect()
}

/// What the workflow is given, the same only once.
pub(super) fn inputs(
    dispatch: &Dispatch,
    missing: Vec<(String, SourceName)>,
) -> BTreeMap<Inputs, String> {
    let mut inputs = BTreeMap::new();
    for (tag, source) in missing {
        let platform = source.platform.to_string();
        let fill = |it: &String| {
            it.replace("{{tag}}", &tag)
                .replace("{{platform}}", &platform)
        };
        let filled = dispatch
            .inputs
            .iter()
            .map(|(name, it)| (name.clone(), fill(it)));
        inputs.entry(filled.collect()).or_insert(source.tag);
    }
    inputs
}
