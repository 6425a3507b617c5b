//! `show`: the resources with every default filled in.

use serde_json::{Value, json};

use crate::ids::ResourceId;
use crate::kind::AnyResource;
use crate::kinds::KINDS;
use crate::resource::{API_VERSION, to_yaml};

use super::arguments::{Form, Global, Selection};
use super::output::{self, Failure, Output};
use super::schema::unknown_kind;
use super::session::{choose, declared};

pub(super) fn show(global: &Global, selection: &Selection, output: Output) -> Result<u8, Failure> {
    let inventory = declared(global)?;
    let chosen = choose(global, &inventory)?;
    let selected = selection.parse()?;
    let documents: Vec<Value> = inventory
        .resources
        .iter()
        .filter(|(id, _)| selected.accepts(id) && chosen.contains(id))
        .map(|(_, it)| document(it.as_ref()))
        .collect();
    if documents.is_empty() && selection.of.is_some() {
        return Err(Failure::new(1, &selected.found_nothing("is declared")));
    }
    match output.form {
        Form::Json => output::print_json(&Value::from(documents)),
        Form::Text | Form::Markdown => {
            let texts: Vec<String> = documents.iter().map(to_yaml).collect();
            output::print(&fenced(&texts.join("---\n"), output));
        }
    }
    Ok(0)
}

fn fenced(yaml: &str, output: Output) -> String {
    match output.form {
        Form::Markdown => format!("```yaml\n{yaml}```\n"),
        Form::Text | Form::Json => yaml.to_owned(),
    }
}

fn document(resource: &dyn AnyResource) -> Value {
    let id = resource.id();
    let mut policy = resource.policy().clone();
    policy.guards = resource.limits().into();
    json!({
        "apiVersion": API_VERSION,
        "kind": id.kind,
        "metadata": {"name": id.name, "labels": resource.labels()},
        "policy": policy,
        "spec": resource.spec_value(),
    })
}

/// Which resources a command is about.
#[derive(Debug)]
pub(super) struct Selected<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) name: Option<&'a str>,
}

impl Selection {
    /// Reads `KIND` or `KIND/NAME`.
    pub(super) fn parse(&self) -> Result<Selected<'_>, Failure> {
        let (kind, name) = match self.of.as_deref() {
            None => (None, None),
            Some(of) => match of.split_once('/') {
                Some((kind, name)) => (Some(kind), Some(name)),
                None => (Some(of), None),
            },
        };
        match kind.filter(|kind| !KINDS.iter().any(|it| it.name == *kind)) {
            Some(kind) => Err(unknown_kind(kind)),
            None => Ok(Selected { kind, name }),
        }
    }
}

impl Selected<'_> {
    /// Whether a resource is meant.
    pub(super) fn accepts(&self, id: &ResourceId) -> bool {
        self.kind.is_none_or(|it| it == id.kind) && self.name.is_none_or(|it| it == id.name)
    }

    /// What a person reads when nothing was found.
    pub(super) fn found_nothing(&self, what: &str) -> String {
        match (self.kind, self.name) {
            (Some(kind), Some(name)) => format!("no {kind}/{name} {what}"),
            (Some(kind), None) => format!("no {kind} {what}"),
            (None, _) => format!("nothing {what}"),
        }
    }
}
