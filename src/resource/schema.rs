//! The JSON Schema (draft-07) of state files: what editors are given, and what the loader itself checks against.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{API_VERSION, KindSchema, Metadata, Policy};

const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// Bounds of the integer types of Rust that schemars leaves open.
const BOUNDS: [(&str, i128, i128); 6] = [
    ("uint32", 0, u32::MAX as i128),
    ("uint64", 0, u64::MAX as i128),
    ("uint", 0, u64::MAX as i128),
    ("int32", i32::MIN as i128, i32::MAX as i128),
    ("int64", i64::MIN as i128, i64::MAX as i128),
    ("int", i64::MIN as i128, i64::MAX as i128),
];

/// The schema of a type of ours, all in one piece. A map with named keys takes no others, and nothing may be null: a
/// key that is left out is the one way to say nothing.
pub fn spec_schema<Spec: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|it| {
        it.meta_schema = None;
        it.inline_subschemas = true;
    });
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<Spec>()
        .to_value();
    if let Some(root) = schema.as_object_mut() {
        // The name of the Rust type.
        root.remove("title");
    }
    tighten(&mut schema);
    schema
}

fn tighten(schema: &mut Value) {
    let Value::Object(keywords) = schema else {
        return;
    };
    for keyword in ["anyOf", "oneOf"] {
        if let Some(Value::Array(forms)) = keywords.get_mut(keyword) {
            forms.iter_mut().for_each(tighten);
        }
    }
    for keyword in ["items", "additionalProperties", "propertyNames", "not"] {
        keywords.get_mut(keyword).into_iter().for_each(tighten);
    }
    for keyword in ["properties", "patternProperties"] {
        let schemas = keywords.get_mut(keyword).and_then(Value::as_object_mut);
        schemas
            .into_iter()
            .flatten()
            .for_each(|(_, it)| tighten(it));
    }
    forbid_null(keywords);
    forbid_others(keywords);
    bound(keywords);
}

fn forbid_null(keywords: &mut Map<String, Value>) {
    if keywords.get("default") == Some(&Value::Null) {
        keywords.remove("default");
    }
    if let Some(Value::Array(types)) = keywords.get_mut("type") {
        types.retain(|it| it != "null");
        if let [only] = types.as_mut_slice() {
            let only = only.take();
            keywords.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = keywords.get_mut("enum") {
        choices.retain(|it| !it.is_null());
    }
    let Some(Value::Array(forms)) = keywords.get_mut("anyOf") else {
        return;
    };
    forms.retain(|it| it["type"] != "null");
    if let [Value::Object(only)] = forms.as_mut_slice() {
        let only = std::mem::take(only);
        keywords.remove("anyOf");
        for (keyword, value) in only {
            // What is said of the key says more than what is said of the type.
            keywords.entry(keyword).or_insert(value);
        }
    }
}

fn forbid_others(keywords: &mut Map<String, Value>) {
    if keywords.get("type").is_some_and(|it| it == "object") {
        let others = keywords.entry("additionalProperties");
        others.or_insert(Value::Bool(false));
    }
}

fn bound(keywords: &mut Map<String, Value>) {
    let format = keywords.get("format").and_then(Value::as_str);
    let bounds = BOUNDS.iter().find(|(name, ..)| format == Some(name));
    if let Some((_, least, most)) = bounds {
        keywords.entry("minimum").or_insert_with(|| json!(least));
        keywords.entry("maximum").or_insert_with(|| json!(most));
    }
    if keywords.get("type").is_some_and(|it| it == "integer") {
        keywords.remove("format");
    }
}

/// The schema of a whole document of one kind.
pub fn document_schema(kind: &KindSchema) -> Value {
    let mut schema = envelope(&json!({"const": kind.name}), &kind.spec);
    schema["$schema"] = DRAFT.into();
    schema["title"] = kind.name.into();
    schema
}

/// The schema of a document of any of these kinds: the kind that is written says what its spec may hold.
pub fn schema(kinds: &[KindSchema]) -> Value {
    let names: Vec<&str> = kinds.iter().map(|it| it.name).collect();
    let mut schema = envelope(&json!({"enum": names}), &json!({"type": "object"}));
    schema["$schema"] = DRAFT.into();
    schema["title"] = "State files of reconcile".into();
    let branches = kinds.iter().map(|kind| {
        json!({
            "if": {"properties": {"kind": {"const": kind.name}}, "required": ["kind"]},
            "then": {"title": kind.name, "properties": {"spec": kind.spec}},
        })
    });
    schema["allOf"] = branches.collect();
    schema
}

/// A document around a spec.
pub(super) fn envelope(kind: &Value, spec: &Value) -> Value {
    json!({
        "type": "object",
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": kind,
            "metadata": spec_schema::<Metadata>(),
            "policy": spec_schema::<Policy>(),
            "spec": spec,
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
    })
}
