//! Starting a workflow, once.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::fault::Fault;
use crate::kind::Check;
use crate::plan::Verb;
use crate::providers::Clients;
use crate::providers::github::Workflow;

/// Starts a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Op {
    /// The file of the workflow.
    pub object: String,
    /// The workflow.
    pub start: Workflow,
    /// What it is given.
    pub inputs: BTreeMap<String, String>,
    /// The newest run that was seen; none: there was none.
    pub newest: Option<u64>,
    /// How many others are started before it in the same pass.
    pub earlier: usize,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Workflow {
            repository,
            reference,
            ..
        } = &self.start;
        write!(f, "start it on {reference} of {repository}")?;
        let inputs: Vec<String> = self
            .inputs
            .iter()
            .map(|(name, it)| format!("{name}={it}"))
            .collect();
        if !inputs.is_empty() {
            write!(f, " with {}", inputs.join(", "))?;
        }
        Ok(())
    }
}

impl Op {
    pub(in super::super) fn verb(&self) -> Verb {
        Verb::Create
    }

    pub(in super::super) fn object(&self) -> &str {
        &self.object
    }

    /// Whoever started one since then did it for the same reason, but for the runs that this pass started itself.
    pub(in super::super) async fn check(&self, clients: &Clients) -> Result<Check, Fault> {
        let runs = clients.github.runs_now(&self.start).await?;
        let is_new = |id: u64| self.newest.is_none_or(|newest| id > newest);
        let since = runs.iter().filter(|it| is_new(it.id)).count();
        let older = runs.iter().find(|it| !it.is_completed && !is_new(it.id));
        Ok(match older {
            Some(run) => Check::Stale(format!("it runs: {}", run.url)),
            None if since > self.earlier => {
                Check::Stale("somebody started it meanwhile".to_owned())
            }
            None => Check::Go,
        })
    }

    pub(in super::super) async fn apply(&self, clients: &Clients) -> Result<(), Fault> {
        let run = clients.github.dispatch(&self.start, &self.inputs).await?;
        tracing::info!(workflow = %self.start, run, "started");
        Ok(())
    }
}
