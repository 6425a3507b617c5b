//! What is said of a document that is YAML but not what its kind wants: where, what was written, what would be accepted.

use super::{GARDEN, load, said};

/// What follows `GARDEN` in the file, from line 8 on, and what is said of it.
const SPECS: &[(&str, &str)] = &[
    // Keys.
    (
        "  watring: {}",
        "8:3: unknown key `watring` in spec (did you mean `watering`?)",
    ),
    (
        "  groundref: g",
        "8:3: unknown key `groundref` in spec (did you mean `groundRef`?)",
    ),
    (
        "  watering: {every: 5m, volume: 3}",
        "8:25: unknown key `volume` in spec.watering; known: `cans`, `every`",
    ),
    (
        "  plan: a\n  plan: b",
        "9:3: key `plan` stands twice, first at 8:3",
    ),
    (
        "  watering:\n    cans: 3",
        "8:3: spec.watering: the key `every` is missing; expected a duration such as `90s`, `5m`, `4h` or `7d`",
    ),
    (
        "  neighbours: {Foo_: 1}",
        "8:16: spec.neighbours: `Foo_` cannot be a key; \
         expected text that matches `^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`",
    ),
    // Types.
    (
        "  watering: [5m]",
        "8:13: spec.watering: expected a map with `every`; a list was written",
    ),
    (
        "  tools: {a: b, c: d}",
        "8:10: spec.tools: expected a list; a map with `a`, `c` was written",
    ),
    (
        "  area: big",
        "8:9: spec.area: expected a number; `big` was written",
    ),
    (
        "  open: yes",
        "8:9: spec.open: expected true or false; `yes` was written",
    ),
    (
        "  depth: 1.5",
        "8:10: spec.depth: expected a whole number; `1.5` was written",
    ),
    (
        "  plan: 24.04",
        "8:9: spec.plan: expected text; `24.04` was written without quotes; write \"24.04\"",
    ),
    (
        "  notes: {a: true}",
        "8:14: spec.notes.a: expected text; `true` was written without quotes; write \"true\"",
    ),
    (
        "  depth: '4'",
        "8:10: spec.depth: expected a whole number; `4` was written in quotes; write it without",
    ),
    (
        "  plan:",
        "8:3: spec.plan: expected text; nothing was written; leave it out or write a value",
    ),
    (
        "  plan: ~",
        "8:9: spec.plan: expected text; `~` was written; leave it out or write a value",
    ),
    (
        "  tools:\n    - spade\n    -",
        "10:6: spec.tools[1]: expected text or a map with `name`, `number`; nothing was written; \
         leave it out or write a value",
    ),
    // Values.
    (
        "  season: Sumer",
        "8:11: spec.season: expected `Spring` or `Summer`; `Sumer` was written (did you mean `Summer`?)",
    ),
    (
        "  season: 1",
        "8:11: spec.season: expected `Spring` or `Summer`; `1` was written",
    ),
    (
        "  season: ''",
        "8:11: spec.season: expected `Spring` or `Summer`; empty text was written",
    ),
    (
        "  watering: {every: 5 min}",
        "8:21: spec.watering.every: expected a duration such as `90s`, `5m`, `4h` or `7d`; `5 min` was written",
    ),
    (
        "  watering: {every: 9999999d}",
        "8:21: spec.watering.every: expected a duration such as `90s`, `5m`, `4h` or `7d`; `9999999d` was written",
    ),
    (
        "  watering: {every: 5m, cans: 0}",
        "8:31: spec.watering.cans is 0, the least allowed is 1",
    ),
    (
        "  watering: {every: 5m, cans: 0x33}",
        "8:31: spec.watering.cans is 0x33, the most allowed is 50",
    ),
    (
        "  depth: 1e30",
        "8:10: spec.depth is 1e30, the most allowed is 9223372036854775807",
    ),
    (
        "  visitors: [a, b, a]",
        "8:20: spec.visitors[2]: `a` stands twice, first at [0]",
    ),
    // One of several forms.
    (
        "  tools: [{name: fork}]",
        "8:11: spec.tools[0]: the key `number` is missing; expected a whole number",
    ),
    (
        "  tools: [5]",
        "8:11: spec.tools[0]: expected text or a map with `name`, `number`; \
         `5` was written without quotes; write \"5\"",
    ),
    (
        "  fence: {wod: {planks: 3}}",
        "8:10: spec.fence: expected a map with `wood` or a map with `hedge`; a map with `wod` was written",
    ),
    (
        "  fence: {wood: {planks: -3}}",
        "8:26: spec.fence.wood.planks is -3, the least allowed is 0",
    ),
];

#[test]
fn a_spec_is_refused_with_place_what_was_written_and_what_is_accepted() {
    for (addition, expected) in SPECS {
        let refused = load(&format!("{GARDEN}{addition}\n")).expect_err(addition);
        assert_eq!(said(&refused), *expected, "{addition}");
    }
}

/// Whole files, and what is said of them.
const DOCUMENTS: &[(&str, &str)] = &[
    (
        "foo",
        "1:1: the document: expected a map with `apiVersion`, `kind`, `metadata`, `spec`; `foo` was written",
    ),
    (
        "kind: Gardn",
        "1:1: the document: the key `apiVersion` is missing; expected `reconcile/v1alpha1`\n\
         1:1: the document: the key `metadata` is missing; expected a map with `name`\n\
         1:1: the document: the key `spec` is missing; expected a map\n\
         1:7: kind: expected `Garden` or `Ground`; `Gardn` was written (did you mean `Garden`?)",
    ),
    (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nspec: {}",
        "1:13: apiVersion: expected `reconcile/v1alpha1`; `v1` was written\n\
         2:7: kind: expected `Garden` or `Ground`; `ConfigMap` was written",
    ),
    (
        "apiVersion: reconcile/v1alpha1\nkind: Ground\nmetadata: {name: A_b, labels: {a=b: c}}\nspec: {address: x}\ndata: 1",
        "3:18: metadata.name: expected a name of lower-case letters, digits and `-`, 63 at most; `A_b` was written\n\
         3:32: metadata.labels: `a=b` cannot be a key; \
         expected letters and digits, with `-`, `_`, `.` and `/` between them, 63 at most\n\
         5:1: unknown key `data` in the document; known: `apiVersion`, `kind`, `metadata`, `policy`, `spec`",
    ),
    (
        "apiVersion: reconcile/v1alpha1\nkind: Ground\nmetadata: {name: a}\nspec: {address: x}\n\
         policy: {suspend: true, ensure: absent, guards: {maxDeletePercent: 101, max_deletes: 3}}",
        "5:19: policy.suspend: expected a reason in 3 characters or more, other than true and false; `true` was written\n\
         5:33: policy.ensure: expected `Present` or `Absent`; `absent` was written (did you mean `Absent`?)\n\
         5:68: policy.guards.maxDeletePercent is 101, the most allowed is 100\n\
         5:73: unknown key `max_deletes` in policy.guards (did you mean `maxDeletes`?)",
    ),
    (
        "apiVersion: reconcile/v1alpha1\nkind: Ground\nmetadata: {name: a}\nspec: {address: x}\npolicy: {suspend: 'true'}",
        "5:19: policy.suspend: expected a reason in 3 characters or more, other than true and false; `true` was written",
    ),
    (
        "apiVersion: reconcile/v1alpha1\nkind: Ground\nmetadata: {name: a}\nspec: {address: x}\npolicy: {suspend: no}",
        "5:19: policy.suspend: expected a reason in 3 characters or more, other than true and false; `no` was written",
    ),
];

#[test]
fn a_document_is_refused_with_all_that_is_wrong_with_it() {
    for (text, expected) in DOCUMENTS {
        let refused = load(text).expect_err(text);
        assert_eq!(said(&refused), *expected, "{text}");
    }
}

#[test]
fn all_documents_of_a_file_are_told_of_at_once_in_their_order() {
    let text = format!(
        "{GARDEN}  area: big\n---\n{GARDEN}  depth: deep\n---\n# nothing\n---\n- a\n---\nkind: ["
    );
    let refused = load(&text).expect_err("five things are wrong");
    let expected = "\
8:9: spec.area: expected a number; `big` was written
13:9: Garden/roof is declared twice, first at state/a.yaml:4:9
17:10: spec.depth: expected a whole number; `deep` was written
21:1: the document: expected a map with `apiVersion`, `kind`, `metadata`, `spec`; a list was written
23:8: not YAML: while parsing a node, did not find expected node content; the bracket was opened at 23:7";
    assert_eq!(said(&refused), expected);
}
