//! Runs of workflows, and starting one.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::packages::encode;
use super::token::Scope;
use super::{GitHub, Workflow, WorkflowRun};
use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::retry::Effect;

/// Runs to a page: the most that GitHub gives.
const PAGE: usize = 100;

impl Workflow {
    fn path(&self, rest: &str) -> String {
        let parts: Vec<String> = self.repository.split('/').map(encode).collect();
        format!(
            "/repos/{}/actions/workflows/{}{rest}",
            parts.join("/"),
            encode(&self.workflow)
        )
    }

    fn call<'a>(&self, subject: &'a str) -> Call<'a> {
        let branch = encode(&self.reference);
        Call {
            action: "actions/list-workflow-runs",
            doing: "list the runs of a workflow",
            effect: Effect::Read,
            scope: Scope::Actions,
            subject,
            method: Method::GET,
            path: self.path(&format!("/runs?branch={branch}&per_page={PAGE}")),
            body: Value::Null,
            is_kept: false,
        }
    }
}

impl GitHub {
    /// The runs of a workflow on its branch as they are now, newest first, as many as one page holds.
    pub async fn runs_now(&self, workflow: &Workflow) -> Result<Vec<WorkflowRun>, Fault> {
        let subject = workflow.to_string();
        let call = workflow.call(&subject);
        let reply = self.call(&call).await.map_err(unseen)?;
        let listed = Listed::deserialize(&reply.body);
        let listed = listed.map_err(|it| call.unreadable(&it.to_string()))?;
        let mut runs: Vec<WorkflowRun> = listed.workflow_runs.into_iter().map(run).collect();
        runs.sort_by_key(|it| std::cmp::Reverse((it.created, it.id)));
        Ok(runs)
    }

    pub(super) async fn start(
        &self,
        workflow: &Workflow,
        inputs: &BTreeMap<String, String>,
    ) -> Result<Option<u64>, Fault> {
        let subject = workflow.to_string();
        // Since 2026 GitHub tells the run when it is asked to; older servers refuse to be asked.
        let body = json!({"ref": workflow.reference, "inputs": inputs, "return_run_details": true});
        let mut call = Call {
            action: "actions/create-workflow-dispatch",
            doing: "start a workflow",
            effect: Effect::Once,
            method: Method::POST,
            path: workflow.path("/dispatches"),
            body,
            ..workflow.call(&subject)
        };
        let mut outcome = self.call(&call).await;
        if outcome.as_ref().is_err_and(is_old_server) {
            call.body = json!({"ref": workflow.reference, "inputs": inputs});
            outcome = self.call(&call).await;
        }
        let reply = outcome.map_err(unseen)?;
        Ok(reply.body.get("workflow_run_id").and_then(Value::as_u64))
    }
}

fn is_old_server(fault: &Fault) -> bool {
    fault.status == Some(400) && fault.message.contains("return_run_details")
}

/// A 404 is also what a token sees that may not look.
fn unseen(fault: Fault) -> Fault {
    if fault.class != Class::Gone {
        return fault;
    }
    Fault {
        class: Class::Denied,
        message: format!(
            "{}: there is no such repository or workflow, or the token may not see it",
            fault.message
        ),
        ..fault
    }
}

#[derive(Deserialize)]
struct Listed {
    workflow_runs: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    id: u64,
    status: Option<String>,
    conclusion: Option<String>,
    created_at: Timestamp,
    html_url: String,
}

fn run(written: Written) -> WorkflowRun {
    WorkflowRun {
        id: written.id,
        is_completed: written.status.as_deref() == Some("completed"),
        conclusion: written.conclusion,
        created: written.created_at,
        url: written.html_url,
    }
}
