//! The loader and the JSON Schema refuse the same documents: editors and the command line never disagree.

use jsonschema::Validator;
use reconcile::resource::{KindSchema, document_schema, is_supported, schema, to_yaml};
use serde_json::{Value, json};

use super::{GARDEN, Garden, Ground, KINDS, load};

/// What the loader refuses beyond what a schema can say: each class with an example, as an addition to a valid spec.
/// Dangling references, cycles, and limits whose least is above their most are found when resources are put together.
const ONLY_THE_LOADER: [(&str, &str); 8] = [
    ("a key that stands twice", "  plan: 'a'\n  plan: 'a'\n"),
    ("a resource that is declared twice", "---\n&again\n"),
    ("an anchor", "  plan: &plan 'a'\n"),
    ("an alias", "  plan: *plan\n"),
    ("a merge key", "  <<: {plan: 'a'}\n"),
    ("a tag", "  plan: !!str 'a'\n"),
    ("a number without bounds", "  area: .inf\n"),
    ("text that is no YAML", "  plan: 'a\n"),
];

#[test]
fn what_only_the_loader_knows_is_refused_by_it_alone() {
    assert!(load(GARDEN).is_ok());
    for (class, addition) in ONLY_THE_LOADER {
        let addition = addition.replace("&again\n", GARDEN);
        let refused = load(&format!("{GARDEN}{addition}")).expect_err(class);
        assert_eq!(refused.len(), 1, "{class}: {refused:?}");
    }
}

/// Valid documents that write every key.
fn valid_documents() -> Vec<Value> {
    let garden = json!({
        "apiVersion": "reconcile/v1alpha1",
        "kind": "Garden",
        "metadata": {"name": "roof", "labels": {"team": "edge", "example.org/x": ""}},
        "policy": {
            "suspend": "until Friday",
            "ensure": "Absent",
            "guards": {"maxDeletes": 0, "maxDeletePercent": 100},
        },
        "spec": {
            "groundRef": "roof-1",
            "plants": ["Tomato", "Asparagus"],
            "watering": {"every": "12h", "cans": 50},
            "plan": "24.04",
            "season": "Summer",
            "notes": {"12": "no", "b": "~"},
            "neighbours": {"left": 255, "right": 0},
            "tools": ["spade", {"name": "fork", "number": u64::MAX}],
            "visitors": ["a", "b"],
            "fence": {"wood": {"planks": 3}},
            "area": 1.5,
            "depth": i64::MIN,
            "open": true,
        },
    });
    let ground = json!({
        "apiVersion": "reconcile/v1alpha1",
        "kind": "Ground",
        "metadata": {"name": "roof"},
        "spec": {"address": "here"},
    });
    vec![garden, ground]
}

/// What every node is replaced by, once each.
fn replacements() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.0),
        json!(1.5),
        json!(51),
        json!(256),
        json!(u64::MAX),
        json!(1e30),
        json!(""),
        json!("x"),
        json!("Tomato"),
        json!("Garden"),
        json!("A_B"),
        json!("true"),
        json!("24"),
        json!("5m"),
        json!("5 m"),
        json!("1234567s"),
        json!("reconcile/v1"),
        json!([]),
        json!([null]),
        json!(["a", "a"]),
        json!({}),
        json!({"x": 1}),
        json!({"x": "y"}),
        json!({"UPPER": 1}),
        json!({"name": "x", "number": 1}),
        json!({"hedge": {"shrub": "box"}}),
        json!({"hedge": {"shrub": "box"}, "wood": {"planks": 1}}),
        json!({"hedge": {"shrub": "box", "planks": 1}}),
    ]
}

/// Everything that one change at or below a node can make of it.
pub(crate) fn mutations(node: &Value) -> Vec<Value> {
    let mut mutated = replacements();
    if let Value::Object(map) = node {
        for (key, value) in map {
            let mut without = map.clone();
            without.remove(key);
            mutated.push(without.into());
            for value in mutations(value) {
                let mut changed = map.clone();
                changed.insert(key.clone(), value);
                mutated.push(changed.into());
            }
        }
        for key in ["extra", "name", "a=b", ""] {
            let mut more = map.clone();
            more.entry(key).or_insert(json!("x"));
            mutated.push(more.into());
        }
    }
    if let Value::Array(items) = node {
        for (index, item) in items.iter().enumerate() {
            for value in mutations(item) {
                let mut changed = items.clone();
                changed[index] = value;
                mutated.push(changed.into());
            }
            let mut twice = items.clone();
            twice.push(item.clone());
            mutated.push(twice.into());
        }
    }
    mutated
}

/// Whether the loader takes a document, its types included.
fn is_loaded(document: &Value) -> Result<(), String> {
    let manifests = load(&to_yaml(document)).map_err(|it| super::said(&it))?;
    for manifest in manifests {
        let typed = match manifest.id.kind.as_str() {
            "Garden" => manifest.typed::<Garden>().map(|_| ()),
            "Ground" => manifest.typed::<Ground>().map(|_| ()),
            kind => panic!("the kind {kind} is not known"),
        };
        typed.expect("what the schema accepts has its type");
    }
    Ok(())
}

pub(crate) fn validator(schema: &Value) -> Validator {
    jsonschema::draft7::new(schema).expect("our schemas are draft-07")
}

#[test]
fn the_loader_and_the_schemas_agree_on_every_mutation_of_a_document() {
    let all = validator(&schema(&KINDS));
    let mut accepted = 0;
    let mut refused = 0;
    for document in valid_documents() {
        assert_eq!(is_loaded(&document), Ok(()));
        let kind = KINDS.iter().find(|it| document["kind"] == it.name);
        let one = validator(&document_schema(kind.expect("the kind is known")));
        for mutated in mutations(&document) {
            let loaded = is_loaded(&mutated);
            assert_eq!(
                loaded.is_ok(),
                all.is_valid(&mutated),
                "{mutated:#}\n{loaded:?}"
            );
            if mutated["kind"] == document["kind"] {
                assert_eq!(
                    loaded.is_ok(),
                    one.is_valid(&mutated),
                    "{mutated:#}\n{loaded:?}"
                );
            }
            match loaded {
                Ok(()) => accepted += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(
        accepted > 100 && refused > 1000,
        "{accepted} accepted, {refused} refused"
    );
}

#[test]
fn a_schema_that_the_loader_could_not_hold_is_named() {
    for kind in KINDS.iter() {
        assert_eq!(is_supported(kind), Ok(()));
    }
    let spec = json!({"properties": {"n": {"type": "number", "multipleOf": 2}}});
    let kind = KindSchema { name: "Odd", spec };
    let expected = "spec: n: the schema keyword `multipleOf` is not supported";
    assert_eq!(is_supported(&kind), Err(expected.to_owned()));
}
