//! The JSON form of a report, version 1.

use serde_json::{Value, json};

use crate::fault::{Class, Fault};

use super::{Action, Outcome, Report, seconds};

/// The version of the form.
const FORMAT_VERSION: u32 = 1;

impl Report {
    /// One object with everything.
    pub fn to_json(&self) -> Value {
        let resources = self.resources.iter().map(|(id, resource)| {
            json!({
                "kind": id.kind,
                "name": id.name,
                "conditions": resource.conditions,
                "outputs": resource.outputs,
            })
        });
        let unknown = self.unknown.iter().map(|(resource, it)| {
            json!({"resource": resource, "object": it.object, "reason": it.reason})
        });
        json!({
            "formatVersion": FORMAT_VERSION,
            "startedAt": self.started_at,
            "complete": self.is_complete(),
            "converged": self.is_converged(),
            "resources": resources.collect::<Vec<_>>(),
            "actions": self.actions.iter().map(action).collect::<Vec<_>>(),
            "unknown": unknown.collect::<Vec<_>>(),
            "unmanaged": self.unmanaged,
            "rented": self.rents_json(),
            "underway": self.underway_json(),
            "calls": {
                "total": self.calls.total(),
                "reads": self.calls.reads,
                "writes": self.calls.writes,
                "byService": self.calls.by_service,
                "lowerBound": self.calls.lower_bound,
                "waitedSeconds": seconds(self.calls.waits.total),
                "waitedFor": self.calls.waited_for(),
            },
        })
    }
}

fn action(action: &Action) -> Value {
    let problem = match &action.result {
        Outcome::Planned | Outcome::Done | Outcome::AlreadyDone => Value::Null,
        Outcome::Stale(why) => without_fault("Stale", why),
        Outcome::Failed(fault) => error(fault),
        Outcome::Refused(why) => without_fault("Guard", why),
    };
    let (file, line) = action.cause.at.clone().unzip();
    json!({
        "id": action.id,
        "pass": action.pass,
        "resource": action.resource,
        "verb": action.verb,
        "object": action.object,
        "summary": action.summary,
        "cause": {"kind": action.cause.kind, "file": file, "line": line, "detail": action.cause.detail},
        "result": action.result.word(),
        "error": problem,
    })
}

/// Why nothing was done although nothing failed, in the form of an error.
fn without_fault(class: &str, message: &str) -> Value {
    let mut value = error(&Fault::new(Class::Invalid, "", message));
    value["class"] = class.into();
    value
}

fn error(fault: &Fault) -> Value {
    json!({
        "class": fault.class.name(),
        "service": fault.service,
        "code": fault.code,
        "status": fault.status,
        "message": fault.message,
        "requestId": fault.request_id,
        "hint": fault.hint,
    })
}
