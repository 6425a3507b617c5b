//! What a valid file means: values, defaults, places; and how it is written again.

use std::time::Duration;

use reconcile::resource::{
    Goal, Guards, Policy, Problem, Reference, Resource, Source, Span, nearest, to_yaml, yaml_value,
};
use serde_json::{Value, json};

use super::{GARDEN, Garden, Season, load};

/// The only resource of a file.
fn garden(text: &str) -> Resource<Garden> {
    let manifests = load(text).expect("the file is valid");
    let [manifest] = manifests.as_slice() else {
        panic!("one resource stands in the file");
    };
    manifest.typed().expect("the schema has accepted it")
}

#[test]
fn what_is_left_out_has_its_default() {
    let garden = garden(GARDEN);
    assert_eq!(garden.id.to_string(), "Garden/roof");
    assert_eq!(garden.policy, Policy::default());
    assert_eq!(garden.policy.ensure, Goal::Present);
    assert!(garden.labels.is_empty());
    assert_eq!(garden.spec.season, Season::Spring);
    assert_eq!(garden.spec.visitors, None);
}

#[test]
fn what_is_written_is_read() {
    let text = GARDEN.replace("roof", "roof\n  labels: {team: edge}\npolicy:\n  suspend: until Friday\n  ensure: Absent\n  guards: {maxDeletes: 0}");
    let garden = garden(&format!(
        "{text}  visitors: []\n  depth: 0x10\n  watering: {{every: 90s}}\n  plan: \"1.10\"\n"
    ));
    let policy = Policy {
        suspend: Some("until Friday".to_owned()),
        ensure: Goal::Absent,
        guards: Guards {
            max_deletes: Some(0),
            max_delete_percent: None,
        },
    };
    assert_eq!(garden.policy, policy);
    assert_eq!(garden.labels.get("team").map(String::as_str), Some("edge"));
    assert_eq!(
        garden.spec.visitors.map(|it| it.len()),
        Some(0),
        "empty is not left out"
    );
    assert_eq!(garden.spec.depth, Some(16));
    assert_eq!(garden.spec.plan.as_deref(), Some("1.10"));
    let every = garden.spec.watering.map(|it| it.every);
    assert_eq!(every, Some(Span(Duration::from_secs(90))));
}

#[test]
fn a_path_leads_to_its_place_or_the_nearest_above() {
    let text = format!(
        "# a comment\n---\n{GARDEN}  watering:\n    every: 5m\n  tools:\n    - spade\n    - name: fork\n      number: 2\n  notes: {{a.b: x, a: y}}\n"
    );
    let source = garden(&text).source;
    for (path, place) in [
        ("", (3, 1)),
        ("metadata.name", (6, 9)),
        ("spec.groundRef", (8, 14)),
        ("spec.plants[0]", (9, 12)),
        ("spec.plants[7]", (9, 11)),
        ("spec.watering", (10, 3)),
        ("spec.watering.every", (11, 12)),
        ("spec.watering.cans", (10, 3)),
        ("spec.tools[1]", (14, 7)),
        ("spec.tools[1].number", (15, 15)),
        ("spec.notes.a.b", (16, 16)),
        ("spec.notes.a", (16, 22)),
        ("spec.nothing.at.all", (7, 1)),
        ("nothing", (3, 1)),
    ] {
        assert_eq!(source.line(path), place, "{path}");
    }
    let problem = Problem::new(
        "spec.tools[1].number",
        "2 is even, odd numbers are accepted",
    );
    let expected = "state/a.yaml:15:15: spec.tools[1].number: 2 is even, odd numbers are accepted";
    assert_eq!(source.finding(&problem).to_string(), expected);
    assert_eq!(Source::start_of("a.yaml").line("spec.tools"), (1, 1));
}

#[test]
fn plain_words_follow_the_core_schema() {
    for (written, read) in [
        ("null", json!(null)),
        ("~", json!(null)),
        ("True", json!(true)),
        ("no", json!("no")),
        ("on", json!("on")),
        ("010", json!(10)),
        ("-7", json!(-7)),
        ("+7", json!(7)),
        ("0x1F", json!(31)),
        ("0o17", json!(15)),
        ("0b1", json!("0b1")),
        ("1_000", json!("1_000")),
        ("18446744073709551615", json!(u64::MAX)),
        ("1.0", json!(1)),
        ("1.10", json!(1.1)),
        (".5", json!(0.5)),
        ("5.", json!(5)),
        ("1e3", json!(1000)),
        ("-1.5E-1", json!(-0.15)),
        ("1e", json!("1e")),
        (".", json!(".")),
        ("-", json!([null])),
        ("+", json!("+")),
        ("1.2.3", json!("1.2.3")),
        ("12:30", json!("12:30")),
        ("2026-11-21", json!("2026-11-21")),
        ("'5'", json!("5")),
        ("|-\n  a\n  b\n", json!("a\nb")),
    ] {
        assert_eq!(yaml_value(written), Ok(read), "{written}");
    }
}

#[test]
fn what_is_written_as_yaml_is_read_as_the_same() {
    let words = [
        "",
        "~",
        "null",
        "no",
        "True",
        "1.0",
        "0x1F",
        "010",
        "1e3",
        ".inf",
        "a: b",
        "- a",
        "# a",
        "&a",
        "*a",
        "!a",
        "@a",
        "%a",
        "'",
        "\"",
        "a\nb\n",
        " a ",
        "\t",
        "<<",
        "ä\u{85}\u{2028}",
        "---",
        "[",
        "{",
        "|",
        ">",
        "?",
        "1:2",
    ];
    for word in words {
        for value in [json!(word), json!({word: [word]})] {
            let yaml = to_yaml(&value);
            let expected = if value == json!({"<<": ["<<"]}) {
                Err("1:1: a merge key is not read here: write the keys themselves".to_owned())
            } else {
                Ok(value)
            };
            assert_eq!(yaml_value(&yaml), expected, "{yaml}");
        }
    }
}

#[test]
fn a_document_is_written_in_the_order_of_its_keys() {
    let document = json!({"spec": {}, "policy": {}, "metadata": {"name": "a"}, "kind": "Garden", "apiVersion": "v1"});
    assert_eq!(
        to_yaml(&document),
        "apiVersion: v1\nkind: Garden\nmetadata:\n  name: a\npolicy: {}\nspec: {}\n"
    );
}

#[test]
fn a_free_yaml_file_holds_one_document() {
    assert_eq!(yaml_value("# nothing\n"), Ok(Value::Null));
    let two = yaml_value("a: b\n---\na: b\n");
    assert_eq!(
        two,
        Err("3:1: a second document stands here, one is read".to_owned())
    );
    let flaws = yaml_value("a: &b c\na: d\n");
    let expected = "1:4: an anchor is not read here: write the value wherever it is needed\n\
                    2:1: key `a` stands twice, first at 1:1";
    assert_eq!(flaws, Err(expected.to_owned()));
}

#[test]
fn a_duration_is_written_in_its_greatest_whole_unit() {
    for (written, seconds, again) in [
        ("90s", 90, "90s"),
        ("120s", 120, "2m"),
        ("4h", 14_400, "4h"),
        ("48h", 172_800, "2d"),
        ("0d", 0, "0s"),
        ("999999d", 86_399_913_600, "999999d"),
    ] {
        let span: Span = written.parse().expect(written);
        assert_eq!(span, Span(Duration::from_secs(seconds)));
        assert_eq!(span.to_string(), again);
        assert_eq!(json!(span), json!(again));
    }
    for wrong in [
        "", "s", "5", "5 m", "-5m", "+5m", "5M", "1h30m", "1000000s", "٣s",
    ] {
        let refused = wrong.parse::<Span>();
        let expected = format!("`{wrong}` is no duration such as `90s`, `5m`, `4h` or `7d`");
        assert_eq!(refused, Err(expected));
    }
}

#[test]
fn a_reference_is_a_name_that_a_resource_can_have() {
    let longest = "a".repeat(63);
    for name in ["a", "0", "demo-runner", "a--b", &longest] {
        assert_eq!(
            name.parse::<Reference>().map(String::from),
            Ok(name.to_owned())
        );
    }
    let too_long = "a".repeat(64);
    for name in ["", "-a", "a-", "A", "a_b", "a.b", "ä", &too_long] {
        assert!(name.parse::<Reference>().is_err(), "{name}");
    }
}

#[test]
fn the_nearest_word_is_suggested_if_any_is_near() {
    let words = ["retention", "regionRef", "latest", "min", "max"];
    for (word, meant) in [
        ("retension", Some("retention")),
        ("REGIONREF", Some("regionRef")),
        ("region_ref", Some("regionRef")),
        ("ltaest", Some("latest")),
        ("mim", Some("min")),
        ("a", None),
        ("mxa", Some("max")),
        ("architectures", None),
        ("", None),
    ] {
        assert_eq!(nearest(word, words.into_iter()), meant, "{word}");
    }
}
