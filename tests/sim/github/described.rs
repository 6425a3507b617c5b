//! GitHub's own description of its operations, and answers held against it.

use reconcile::sim::Answer;
use serde_json::{Value, json};

use crate::sim::registry::text;

const DESCRIPTION: &str = include_str!("../../golden/github/openapi-subset.json");

/// The part of a path that stands for `{name}` in a template fits anything.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(a, b)| a.starts_with('{') || a == b)
}

/// GitHub's own description, as far as we need it.
pub(crate) fn description() -> Value {
    serde_json::from_str(DESCRIPTION).expect("JSON")
}

/// The operation behind a method and a path, with its name.
pub(crate) fn operation(method: &str, path: &str) -> Option<(String, Value)> {
    let description = description();
    let mut operations = description["operations"].as_object()?.iter();
    let is_meant = |it: &Value| {
        it["method"] == method && fits(it["path"].as_str().expect("a path"), &format!("/{path}"))
    };
    let found = operations.find(|(_, it)| is_meant(it));
    found.map(|(name, it)| (name.clone(), it.clone()))
}

/// Panics when an answer is none that GitHub's description has.
pub(crate) fn check(method: &str, path: &str, answer: &Answer) {
    let description = description();
    let (_, operation) = operation(method, path).expect("an operation");
    let known = &operation["responses"][answer.status.to_string()];
    // 400, 410 and 422 are told in words only.
    let mut schema = match (known.is_object(), answer.status) {
        (true, _) => known.get("schema").cloned(),
        (false, 400..) => Some(json!({"$ref": "#/schemas/basic-error"})),
        (false, status) => panic!("{method} {path} does not answer {status}"),
    };
    let Some(schema) = &mut schema else {
        assert!(answer.body.is_empty(), "{method} {path}: {}", text(answer));
        return;
    };
    schema["schemas"] = description["schemas"].clone();
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let validator = jsonschema::validator_for(schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(&body)
        .map(|it| format!("{} at {}", it, it.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{method} {path}: {errors:#?}\n{body:#}");
}
