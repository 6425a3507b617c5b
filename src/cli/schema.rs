//! `schema`: what may be written, for editors.

use crate::kinds::KINDS;
use crate::resource::{self, KindSchema, nearest};

use super::arguments::SchemaOf;
use super::output::{self, Failure, Output};

pub(super) fn schema(wanted: &SchemaOf, _output: Output) -> Result<u8, Failure> {
    let kinds = KINDS.iter().map(|it| KindSchema {
        name: it.name,
        spec: (it.schema)(),
    });
    let kinds: Vec<KindSchema> = kinds.collect();
    let schema = match &wanted.kind {
        None => resource::schema(&kinds),
        Some(name) => match kinds.iter().find(|it| it.name == *name) {
            Some(kind) => resource::document_schema(kind),
            None => return Err(unknown_kind(name)),
        },
    };
    output::print_json(&schema);
    Ok(0)
}

/// The failure that names the kinds there are.
pub(super) fn unknown_kind(name: &str) -> Failure {
    let names: Vec<&str> = KINDS.iter().map(|it| it.name).collect();
    let advice = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("kinds are {}", names.join(", ")),
    };
    Failure::usage(&format!("there is no kind `{name}` ({advice})"))
}
