//! Checks a tree against a rule, and tells everything that is wrong: where, what was written, what would be accepted.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::Number;

use super::nearest::nearest;
use super::rule::{Limits, Others, Rule, quote};
use super::scalar::{Scalar, scalar};
use super::tree::{Entry, Flaw, Node, Value, shorten};

/// Checks a document.
pub(super) fn check(rule: &Rule, document: &Node) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    check_node(rule, document, &Trail::Document, &mut flaws);
    flaws
}

/// How one came to a node, for messages: `spec.runnersOf[1]`.
enum Trail<'a> {
    Document,
    /// Only whether the node fits is asked for.
    Trial,
    Key(&'a Self, &'a str),
    Index(&'a Self, usize),
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document | Self::Trial => f.write_str("the document"),
            Self::Key(Self::Document, key) => f.write_str(&shorten(key)),
            Self::Key(parent, key) => write!(f, "{parent}.{}", shorten(key)),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

fn check_node(rule: &Rule, node: &Node, trail: &Trail<'_>, flaws: &mut Vec<Flaw>) {
    if matches!(node.value, Value::Refused) {
        return;
    }
    if !rule.types.is_empty() && !rule.types.iter().any(|it| is_of_type(&node.value, it)) {
        flaws.push(unexpected(rule, node, trail, &hint(rule, node, trail)));
        return;
    }
    if !rule.choices.is_empty() && !rule.choices.iter().any(|it| equals(node, it)) {
        flaws.push(unexpected(rule, node, trail, &suggestion(rule, node)));
        return;
    }
    if rule.not.as_ref().is_some_and(|it| fits(it, node)) {
        flaws.push(unexpected(rule, node, trail, ""));
        return;
    }
    if !rule.forms.is_empty() {
        check_forms(rule, node, trail, flaws);
    }
    match &node.value {
        Value::Plain(serde_json::Value::Number(number), text) => {
            if let Some(limit) = beyond(&rule.range, number) {
                flaws.push(flaw(
                    node,
                    trail,
                    &format!(" is {}, {limit}", shorten(text)),
                ));
            }
        }
        Value::Text(text) => {
            let is_refused = beyond(&rule.characters, &text.chars().count().into()).is_some()
                || rule.pattern.as_ref().is_some_and(|it| !it.is_match(text));
            if is_refused {
                flaws.push(unexpected(rule, node, trail, ""));
            }
        }
        Value::List(items) => check_list(rule, (node, items), trail, flaws),
        Value::Map(entries) => check_map(rule, (node, entries), trail, flaws),
        Value::Plain(..) | Value::Refused => {}
    }
}

fn check_forms(rule: &Rule, node: &Node, trail: &Trail<'_>, flaws: &mut Vec<Flaw>) {
    let tried = rule.forms.iter().map(|form| {
        let mut flaws = Vec::new();
        check_node(form, node, trail, &mut flaws);
        (form, flaws)
    });
    let (fitting, failing): (Vec<_>, Vec<_>) = tried.partition(|(_, flaws)| flaws.is_empty());
    if fitting.len() > 1 && rule.exactly_one {
        let forms: Vec<&str> = fitting
            .iter()
            .map(|(form, _)| form.words.as_str())
            .collect();
        flaws.push(flaw(
            node,
            trail,
            &format!(" is {} at once", forms.join(" and ")),
        ));
    }
    if !fitting.is_empty() {
        return;
    }
    // The form that was meant is the only one of the right type, or the one whose keys were written.
    let mut meant: Vec<_> = failing
        .into_iter()
        .filter(|(form, _)| form.types.iter().any(|it| is_of_type(&node.value, it)))
        .collect();
    if meant.len() > 1 {
        meant.retain(|(form, _)| has_keys_of(form, node));
    }
    match meant.into_iter().min_by_key(|(_, flaws)| flaws.len()) {
        Some((_, nearest)) => flaws.extend(nearest),
        None => flaws.push(unexpected(rule, node, trail, &hint(rule, node, trail))),
    }
}

fn has_keys_of(form: &Rule, node: &Node) -> bool {
    let Value::Map(entries) = &node.value else {
        return true;
    };
    form.required.iter().all(|it| node.get(it).is_some())
        && entries
            .iter()
            .all(|it| form.properties.contains_key(&it.key))
}

fn check_list(
    rule: &Rule,
    (node, items): (&Node, &[Node]),
    trail: &Trail<'_>,
    flaws: &mut Vec<Flaw>,
) {
    let count = items.len();
    if let Some(limit) = beyond(&rule.count, &count.into()) {
        flaws.push(flaw(node, trail, &format!(" has {count} items, {limit}")));
    }
    if rule.unique {
        let mut first: BTreeMap<String, usize> = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            // Maps of serde_json are sorted, so that equal values have equal text.
            let earlier = *first.entry(item.to_json().to_string()).or_insert(index);
            if earlier != index {
                let message = format!(": {} stands twice, first at [{earlier}]", written(item));
                flaws.push(flaw(item, &Trail::Index(trail, index), &message));
            }
        }
    }
    if let Some(rule) = &rule.items {
        for (index, item) in items.iter().enumerate() {
            check_node(rule, item, &Trail::Index(trail, index), flaws);
        }
    }
}

fn check_map(
    rule: &Rule,
    (node, entries): (&Node, &[Entry]),
    trail: &Trail<'_>,
    flaws: &mut Vec<Flaw>,
) {
    let count = entries.len();
    if let Some(limit) = beyond(&rule.size, &count.into()) {
        flaws.push(flaw(node, trail, &format!(" has {count} keys, {limit}")));
    }
    for key in rule.required.iter().filter(|it| node.get(it).is_none()) {
        let words = rule.properties.get(key).map_or("anything", |it| &it.words);
        flaws.push(flaw(
            node,
            trail,
            &format!(": the key `{key}` is missing; expected {words}"),
        ));
    }
    for entry in entries {
        if let Some(names) = &rule.names {
            let name = Value::Text(entry.key.clone());
            let name = Node {
                value: name,
                place: entry.key_place,
            };
            if !fits(names, &name) {
                flaws.push(bad_key(entry, trail, &names.words));
                continue;
            }
        }
        check_entry(rule, entry, trail, flaws);
    }
}

fn check_entry(rule: &Rule, entry: &Entry, trail: &Trail<'_>, flaws: &mut Vec<Flaw>) {
    let inner = Trail::Key(trail, &entry.key);
    let named = rule.properties.get(&entry.key);
    let matching = rule
        .patterns
        .iter()
        .filter(|(pattern, _)| pattern.is_match(&entry.key));
    let rules: Vec<&Rule> = named
        .into_iter()
        .chain(matching.map(|(_, it)| it))
        .collect();
    for rule in &rules {
        check_node(rule, &entry.value, &inner, flaws);
    }
    if !rules.is_empty() {
        return;
    }
    match &rule.others {
        Others::Free => {}
        Others::Allowed(rule) => check_node(rule, &entry.value, &inner, flaws),
        Others::Refused if rule.properties.is_empty() && !rule.patterns.is_empty() => {
            let patterns = rule
                .patterns
                .iter()
                .map(|(it, _)| format!("`{}`", it.as_str()));
            let words = format!(
                "text that matches {}",
                patterns.collect::<Vec<_>>().join(" or ")
            );
            flaws.push(bad_key(entry, trail, &words));
        }
        Others::Refused => flaws.push(unknown_key(rule, entry, trail)),
    }
}

fn unknown_key(rule: &Rule, entry: &Entry, trail: &Trail<'_>) -> Flaw {
    let key = shorten(&entry.key);
    let known = || rule.properties.keys().map(String::as_str);
    let accepted = match nearest(&entry.key, known()) {
        Some(meant) => format!(" (did you mean `{meant}`?)"),
        None if rule.properties.is_empty() => ": no key is known there".to_owned(),
        None => format!("; known: `{}`", known().collect::<Vec<_>>().join("`, `")),
    };
    let message = format!("unknown key `{key}` in {trail}{accepted}");
    Flaw::new(entry.key_place, message)
}

fn bad_key(entry: &Entry, trail: &Trail<'_>, words: &str) -> Flaw {
    let key = shorten(&entry.key);
    let message = format!("{trail}: `{key}` cannot be a key; expected {words}");
    Flaw::new(entry.key_place, message)
}

fn fits(rule: &Rule, node: &Node) -> bool {
    let mut flaws = Vec::new();
    check_node(rule, node, &Trail::Trial, &mut flaws);
    flaws.is_empty()
}

fn flaw(node: &Node, trail: &Trail<'_>, what: &str) -> Flaw {
    Flaw::new(node.place, format!("{trail}{what}"))
}

fn unexpected(rule: &Rule, node: &Node, trail: &Trail<'_>, hint: &str) -> Flaw {
    let (words, written) = (&rule.words, written(node));
    flaw(
        node,
        trail,
        &format!(": expected {words}; {written} was written{hint}"),
    )
}

/// What was written, for messages.
fn written(node: &Node) -> String {
    match &node.value {
        Value::Plain(_, text) if text.is_empty() => "nothing".to_owned(),
        Value::Plain(_, text) => format!("`{}`", shorten(text)),
        Value::Text(text) if text.is_empty() => "empty text".to_owned(),
        Value::Text(text) => quote(&text.as_str().into()),
        Value::List(_) => "a list".to_owned(),
        Value::Map(entries) if entries.is_empty() => "an empty map".to_owned(),
        Value::Map(entries) => {
            let keys = entries
                .iter()
                .take(3)
                .map(|it| format!("`{}`", shorten(&it.key)));
            format!("a map with {}", keys.collect::<Vec<_>>().join(", "))
        }
        Value::Refused => "what is not read here".to_owned(),
    }
}

/// What to do about a value of the wrong type, where that is plain to see.
fn hint(rule: &Rule, node: &Node, trail: &Trail<'_>) -> String {
    // What fits is tried below, and would ask for a hint in turn.
    if matches!(trail, Trail::Trial) {
        return String::new();
    }
    let fits = |value| {
        let place = node.place;
        fits(rule, &Node { value, place })
    };
    match &node.value {
        Value::Plain(serde_json::Value::Null, _) => "; leave it out or write a value".to_owned(),
        Value::Plain(_, text) if fits(Value::Text(text.clone())) => {
            format!(" without quotes; write \"{}\"", shorten(text))
        }
        Value::Text(text) => match scalar(text) {
            Scalar::Value(value) if fits(Value::Plain(value.clone(), text.clone())) => {
                " in quotes; write it without".to_owned()
            }
            Scalar::Value(_) | Scalar::Unbounded | Scalar::Text => String::new(),
        },
        Value::Plain(..) | Value::List(_) | Value::Map(_) | Value::Refused => String::new(),
    }
}

fn suggestion(rule: &Rule, node: &Node) -> String {
    let choices = rule.choices.iter().filter_map(|it| it.as_str());
    match node.text().and_then(|text| nearest(text, choices)) {
        Some(meant) => format!(" (did you mean `{meant}`?)"),
        None => String::new(),
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match value {
        Value::Plain(serde_json::Value::Null, _) => name == "null",
        Value::Plain(serde_json::Value::Bool(_), _) => name == "boolean",
        Value::Plain(number, _) => name == "number" || (name == "integer" && is_whole(number)),
        Value::Text(_) => name == "string",
        Value::List(_) => name == "array",
        Value::Map(_) => name == "object",
        Value::Refused => true,
    }
}

fn is_whole(number: &serde_json::Value) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|it| it.fract() == 0.0)
}

fn equals(node: &Node, value: &serde_json::Value) -> bool {
    match &node.value {
        Value::Plain(plain, _) => plain == value,
        Value::Text(text) => value.as_str() == Some(text),
        Value::List(_) | Value::Map(_) => node.to_json() == *value,
        Value::Refused => true,
    }
}

/// Says which limit a number is beyond.
fn beyond(limits: &Limits, number: &Number) -> Option<String> {
    let is = |limit: &&Number, order| compare(number, limit) == order;
    let least = limits.least.as_ref().filter(|it| is(it, Ordering::Less));
    let most = limits.most.as_ref().filter(|it| is(it, Ordering::Greater));
    let least = least.map(|it| format!("the least allowed is {it}"));
    least.or_else(|| most.map(|it| format!("the most allowed is {it}")))
}

fn compare(left: &Number, right: &Number) -> Ordering {
    if let (Some(left), Some(right)) = (left.as_i128(), right.as_i128()) {
        return left.cmp(&right);
    }
    let (left, right) = (left.as_f64(), right.as_f64());
    left.partial_cmp(&right).unwrap_or(Ordering::Equal)
}
