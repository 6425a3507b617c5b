//! Why one object is kept or goes, as the kinds say.

use crate::fault::Fault;
use crate::ids::ResourceId;
use crate::plan::Because;

use super::look::look;
use super::run::Run;
use super::state::State;

/// What one resource says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The resource.
    pub resource: ResourceId,
    /// What it says.
    pub because: Because,
    /// File and line of what it says that by.
    pub at: (String, usize),
}

/// What is known of an object.
#[derive(Debug, Default)]
pub struct Found {
    /// What the resources say that have to do with it.
    pub reasons: Vec<Reason>,
    /// Why others could not be looked at.
    pub unseen: Vec<Fault>,
}

/// Looks, and lets each resource say what becomes of the object of this id or exact name.
pub async fn why(run: &Run<'_>, state: &mut State, object: &str) -> Found {
    let look = look(run, &state.record).await;
    let mut found = Found::default();
    let about = look.resources.into_iter();
    for (id, planned) in about.filter(|(id, _)| run.selection.about.contains(id)) {
        let planned = match planned {
            Ok(planned) => planned,
            Err(fault) => {
                found.unseen.push(fault);
                continue;
            }
        };
        let Some(resource) = run.inventory.resources.get(&id) else {
            continue;
        };
        let source = resource.source();
        let reason = |because: Because| Reason {
            resource: id.clone(),
            at: (source.file.to_string(), source.line(because.field).0),
            because,
        };
        found
            .reasons
            .extend(planned.seen.why(object, look.now).into_iter().map(reason));
    }
    found
}
