//! Files that are no state files at all, or that are made to do harm: a clear error within a second, and no crash.

use std::time::{Duration, Instant};

use super::{GARDEN, load, said};

/// What follows `GARDEN` in the file, from line 8 on, and what is said of it.
const REFUSED: &[(&str, &str)] = &[
    (
        "  notes: &notes {a: b}",
        "8:10: an anchor is not read here: write the value wherever it is needed",
    ),
    (
        "  plan: *plan",
        "8:9: not YAML: while parsing node, found unknown anchor; an alias is not read here: write the value itself",
    ),
    (
        "  notes:\n    <<: {a: b}",
        "9:5: a merge key is not read here: write the keys themselves",
    ),
    (
        "  plan: !!str 24.04",
        "8:9: a tag is not read here: text stands in quotes, all else without",
    ),
    (
        "  area: .inf",
        "8:9: `.inf` is no number that can be used here",
    ),
    (
        "  area: 1e999",
        "8:9: `1e999` is no number that can be used here",
    ),
    ("  notes: {? [a] : b}", "8:13: a key must be text"),
    ("  notes: {: b}", "8:11: a key is missing before the colon"),
    (
        "  notes:\n\ta: b",
        "9:2: not YAML: tabs disallowed within this context (block indentation); indent with spaces",
    ),
    (
        "  tools: [a",
        "9:1: not YAML: while parsing a flow sequence, expected ',' or ']'; the bracket was opened at 8:10",
    ),
    (
        "  notes: {a: b",
        "9:1: not YAML: while parsing a flow mapping, did not find expected ',' or '}'; \
         the bracket was opened at 8:10",
    ),
    (
        "  plan: a: b",
        "8:10: not YAML: mapping values are not allowed in this context; text that holds a colon stands in quotes",
    ),
    (
        "  plan: @a",
        "8:9: not YAML: unexpected character: `@'; text that begins so stands in quotes",
    ),
    (
        "  plan: \"a",
        "8:9: not YAML: while scanning a quoted scalar, found unexpected end of stream",
    ),
    (
        "  plan: \"a\u{0}\"",
        "8:11: the control character U+0000 stands here: a state file is text",
    ),
];

#[test]
fn what_is_not_read_is_refused_at_its_place() {
    for (addition, expected) in REFUSED {
        let refused = load(&format!("{GARDEN}{addition}\n")).expect_err(addition);
        assert_eq!(said(&refused), *expected, "{addition}");
    }
}

#[test]
fn files_without_documents_hold_nothing() {
    for text in [
        "",
        "\n",
        "# a comment\n",
        "---\n---\n",
        "\u{feff}",
        "---\n# a comment\n...\n",
    ] {
        assert_eq!(load(text).map(|it| it.len()), Ok(0), "{text:?}");
    }
}

#[test]
fn a_byte_order_mark_and_the_line_ends_of_windows_change_no_place() {
    let text = format!("\u{feff}{GARDEN}  area: big\n  depth: deep\n").replace('\n', "\r\n");
    let expected = "\
8:9: spec.area: expected a number; `big` was written
9:10: spec.depth: expected a whole number; `deep` was written";
    assert_eq!(
        said(&load(&text).expect_err("two values are wrong")),
        expected
    );
}

#[test]
fn columns_are_counted_in_characters() {
    let text = format!("{GARDEN}  notes: {{größe: äöü, b: 1}}\n");
    let expected = "8:26: spec.notes.b: expected text; `1` was written without quotes; write \"1\"";
    assert_eq!(
        said(&load(&text).expect_err("one value is wrong")),
        expected
    );
}

/// A name, a text that is repeated up to the size, and how the first thing that is said begins.
const BOMBS: &[(&str, &str, &str)] = &[
    ("brackets", "[", "1:256: not YAML: recursion limit exceeded"),
    ("braces", "{", "1:256: not YAML: recursion limit exceeded"),
    (
        "dashes",
        "- ",
        "1:65: lists and maps stand in each other more than 32 deep",
    ),
    (
        "question marks",
        "? ",
        "1:65: lists and maps stand in each other more than 32 deep",
    ),
    ("colons", ": ", "1:1: a key is missing before the colon"),
    ("anchors", "&a ", "1:1: an anchor is not read here"),
    ("tags", "- !a b\n", "1:1: the document: expected a map"),
    ("one word", "a", "1:1: the document: expected a map"),
    (
        "one key many times",
        "a: b\n",
        "2:1: key `a` stands twice, first at 1:1",
    ),
    ("documents", "--- a\n", "1:5: the document: expected a map"),
    (
        "empty documents",
        "---\n",
        "100002:1: the file holds more than 100000 keys and values",
    ),
    (
        "directives",
        "%TAG ! x\n",
        "2:1: not YAML: the TAG directive",
    ),
    (
        "nothing",
        "\0",
        "1:1: the control character U+0000 stands here",
    ),
];

/// A second for the program that people run; without optimization, beside other tests, ten times that.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });

#[test]
fn no_bomb_takes_a_second() {
    const BYTES: usize = 500_000;
    for (name, part, expected) in BOMBS {
        let text = part.repeat(BYTES / part.len());
        let start = Instant::now();
        let refused = load(&text).expect_err(name);
        assert!(start.elapsed() < LIMIT, "{name}: {:?}", start.elapsed());
        assert!(
            said(&refused[..1]).starts_with(expected),
            "{name}: {}",
            refused[0]
        );
    }
}

#[test]
fn a_billion_laughs_cost_nothing() {
    let line = |it: u32| {
        format!(
            "    a{it}: &a{it} [{}]\n",
            vec![format!("*a{}", it - 1); 9].join(", ")
        )
    };
    let laughs: String = (1..=9).map(line).collect();
    let text = format!("{GARDEN}  notes:\n    a0: &a0 [ha]\n{laughs}");
    let refused = load(&text).expect_err("anchors are refused");
    let anchor = "9:9: an anchor is not read here: write the value wherever it is needed";
    assert_eq!(said(&refused[..1]), anchor);
    assert_eq!(
        refused.len(),
        10 + 9 * 9 + 10,
        "10 anchors, 81 aliases, and 10 notes that are no text"
    );
}

#[test]
fn five_hundred_resources_are_read_in_no_time() {
    let body = "  watering: {every: 5m, cans: 4}\n  notes: {a: b, c: d}\n  tools: [a, {name: x, number: 7}]\n";
    let text: String = (0..500)
        .map(|it| format!("---\n{GARDEN}{body}").replace("roof", &format!("roof-{it}")))
        .collect();
    let start = Instant::now();
    assert_eq!(load(&text).map(|it| it.len()), Ok(500));
    assert!(
        start.elapsed() < Duration::from_millis(500),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn no_mangled_file_brings_the_reader_down() {
    const PIECES: [&str; 36] = [
        "{", "}", "[", "]", ",", ":", ": ", "?", "? ", "-", "- ", "&", "*", "!", "|", ">", "%",
        "@", "`", "\"", "'", "#", " #", "\n", "\r", "\t", "  ", "---\n", "...\n", "<<: ", "~",
        "\u{feff}", "\u{85}", "ä", "\\", "0x",
    ];
    // A linear congruential generator, so that every run tries the same files.
    let mut state: u64 = 1;
    let mut below = |most: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % most
    };
    for _ in 0..1_000 {
        let mut characters: Vec<char> = GARDEN.chars().collect();
        for _ in 0..=below(6) {
            let at = below(characters.len());
            let until = (at + below(4)).min(characters.len());
            characters.splice(at..until, PIECES[below(PIECES.len())].chars());
        }
        let text: String = characters.into_iter().collect();
        for finding in load(&text).err().into_iter().flatten() {
            assert!(
                finding.line <= text.split(['\n', '\r']).count(),
                "{finding}\n{text}"
            );
        }
    }
}
