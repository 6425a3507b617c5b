//! A JSON Schema made ready for checking: patterns compiled, and what it accepts put into words.
//!
//! Only the keywords that our own schemas use are known. Any other is an error here, so that no schema can promise to
//! an editor what the loader would not hold.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Map, Number, Value};

/// Keywords that explain and refuse nothing.
const ANNOTATIONS: [&str; 6] = [
    "$schema",
    "title",
    "description",
    "default",
    "examples",
    "format",
];

/// What a type of JSON Schema is, for people.
const TYPES: [(&str, &str); 7] = [
    ("null", "null"),
    ("boolean", "true or false"),
    ("integer", "a whole number"),
    ("number", "a number"),
    ("string", "text"),
    ("array", "a list"),
    ("object", "a map"),
];

/// The least and the most that are allowed, both included.
#[derive(Debug, Default)]
pub(super) struct Limits {
    pub(super) least: Option<Number>,
    pub(super) most: Option<Number>,
}

/// What one value may be. Everything left empty allows everything.
#[derive(Debug, Default)]
pub(super) struct Rule {
    /// What is accepted, in words.
    pub(super) words: String,
    /// Names of JSON Schema's types.
    pub(super) types: Vec<String>,
    pub(super) choices: Vec<Value>,
    pub(super) not: Option<Box<Self>>,
    /// Any of these (`exactly_one`: one and no other).
    pub(super) forms: Vec<Self>,
    pub(super) exactly_one: bool,
    pub(super) pattern: Option<Regex>,
    pub(super) characters: Limits,
    pub(super) range: Limits,
    pub(super) items: Option<Box<Self>>,
    pub(super) count: Limits,
    pub(super) unique: bool,
    pub(super) properties: BTreeMap<String, Self>,
    pub(super) required: Vec<String>,
    pub(super) patterns: Vec<(Regex, Self)>,
    pub(super) others: Others,
    pub(super) names: Option<Box<Self>>,
    pub(super) size: Limits,
}

/// What a key may hold that is not named.
#[derive(Debug, Default)]
pub(super) enum Others {
    /// Anything.
    #[default]
    Free,
    /// There may be no such key.
    Refused,
    /// What this allows.
    Allowed(Box<Rule>),
}

impl Rule {
    /// Makes a schema ready. Fails where it says something that is not known here; the text names the keyword.
    pub(super) fn compile(schema: &Value) -> Result<Self, String> {
        let keywords = match schema {
            Value::Bool(true) => &Map::new(),
            Value::Object(keywords) => keywords,
            Value::Null
            | Value::Bool(false)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                return Err(format!("a schema cannot be {schema}"));
            }
        };
        let mut rule = Self::default();
        for (keyword, value) in keywords {
            let is_known = ANNOTATIONS.contains(&keyword.as_str())
                || rule.accept_scalar(keyword, value)?
                || rule.accept_list(keyword, value)?
                || rule.accept_map(keyword, value)?;
            if !is_known {
                return Err(format!("the schema keyword `{keyword}` is not supported"));
            }
        }
        rule.fold_choices();
        rule.words = rule.describe(keywords);
        Ok(rule)
    }

    fn accept_scalar(&mut self, keyword: &str, value: &Value) -> Result<bool, String> {
        match keyword {
            "type" => self.types = types(value)?,
            "const" => self.choices = vec![value.clone()],
            "enum" => self.choices.clone_from(list(keyword, value)?),
            "not" => self.not = Some(Box::new(Self::compile(value)?)),
            "pattern" => self.pattern = Some(regex(text(keyword, value)?)?),
            "minLength" => self.characters.least = Some(number(keyword, value)?),
            "maxLength" => self.characters.most = Some(number(keyword, value)?),
            "minimum" => self.range.least = Some(number(keyword, value)?),
            "maximum" => self.range.most = Some(number(keyword, value)?),
            "anyOf" | "oneOf" if self.forms.is_empty() => {
                let forms = list(keyword, value)?;
                self.forms = forms.iter().map(Self::compile).collect::<Result<_, _>>()?;
                self.exactly_one = keyword == "oneOf";
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn accept_list(&mut self, keyword: &str, value: &Value) -> Result<bool, String> {
        match keyword {
            "items" => self.items = Some(Box::new(Self::compile(value)?)),
            "minItems" => self.count.least = Some(number(keyword, value)?),
            "maxItems" => self.count.most = Some(number(keyword, value)?),
            "uniqueItems" => self.unique = *value == Value::Bool(true),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn accept_map(&mut self, keyword: &str, value: &Value) -> Result<bool, String> {
        match keyword {
            "properties" => {
                for (key, schema) in map(keyword, value)? {
                    let rule = Self::compile(schema).map_err(|it| format!("{key}: {it}"))?;
                    self.properties.insert(key.clone(), rule);
                }
            }
            "patternProperties" => {
                for (pattern, schema) in map(keyword, value)? {
                    self.patterns
                        .push((regex(pattern)?, Self::compile(schema)?));
                }
            }
            "additionalProperties" => {
                self.others = match value.as_bool() {
                    Some(true) => Others::Free,
                    Some(false) => Others::Refused,
                    None => Others::Allowed(Box::new(Self::compile(value)?)),
                };
            }
            "required" => {
                let keys = list(keyword, value)?.iter();
                let keys = keys.map(|it| text(keyword, it).map(str::to_owned));
                self.required = keys.collect::<Result<_, _>>()?;
            }
            "propertyNames" => self.names = Some(Box::new(Self::compile(value)?)),
            "minProperties" => self.size.least = Some(number(keyword, value)?),
            "maxProperties" => self.size.most = Some(number(keyword, value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Forms that are nothing but choices (a documented enum) become one list of choices.
    fn fold_choices(&mut self) {
        if self.choices.is_empty() && self.forms.iter().all(|it| !it.choices.is_empty()) {
            let choices = self.forms.drain(..).flat_map(|it| it.choices);
            self.choices = choices.collect();
        }
    }

    fn describe(&self, keywords: &Map<String, Value>) -> String {
        let mut words = match keywords.get("title").and_then(Value::as_str) {
            Some(title) => title.to_owned(),
            None => self.describe_form(),
        };
        let examples = keywords.get("examples").and_then(Value::as_array);
        let examples: Vec<String> = examples.into_iter().flatten().map(quote).collect();
        if !examples.is_empty() {
            words = format!("{words} such as {}", or(&examples));
        }
        words
    }

    fn describe_form(&self) -> String {
        if !self.choices.is_empty() {
            let choices: Vec<String> = self.choices.iter().map(quote).collect();
            return or(&choices);
        }
        if !self.forms.is_empty() {
            let forms: Vec<String> = self.forms.iter().map(|it| it.words.clone()).collect();
            return or(&forms);
        }
        let names = self.types.iter().map(|it| type_words(it).to_owned());
        let mut words = or(&names.collect::<Vec<_>>());
        if words.is_empty() {
            "anything".clone_into(&mut words);
        }
        if let Some(pattern) = &self.pattern {
            words = format!("{words} that matches `{}`", pattern.as_str());
        }
        if !self.required.is_empty() {
            let keys = self.required.iter().map(|it| format!("`{it}`"));
            words = format!("{words} with {}", keys.collect::<Vec<_>>().join(", "));
        }
        match (&self.characters.least, &self.characters.most) {
            (Some(least), Some(most)) => format!("{words} of {least} to {most} characters"),
            (Some(least), None) => format!("{words} of {least} characters or more"),
            (None, Some(most)) => format!("{words} of at most {most} characters"),
            (None, None) => words,
        }
    }
}

/// What a type of JSON Schema is, for people.
pub(super) fn type_words(name: &str) -> &'static str {
    let known = TYPES.iter().find(|(it, _)| *it == name);
    known.map_or("anything", |(_, words)| words)
}

/// A value as it stands in messages.
pub(super) fn quote(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", super::tree::shorten(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}

fn or(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn types(value: &Value) -> Result<Vec<String>, String> {
    let one = std::slice::from_ref(value);
    let names = value.as_array().map_or(one, Vec::as_slice);
    let known = |it: &Value| TYPES.iter().find(|(name, _)| it == name);
    let found = names.iter().map(|it| match known(it) {
        Some((name, _)) => Ok((*name).to_owned()),
        None => Err(format!("the schema type {it} is not known")),
    });
    found.collect()
}

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| format!("the pattern `{pattern}` cannot be read: {error}"))
}

fn text<'a>(keyword: &str, value: &'a Value) -> Result<&'a str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("`{keyword}` must be text"))
}

fn list<'a>(keyword: &str, value: &'a Value) -> Result<&'a Vec<Value>, String> {
    value
        .as_array()
        .ok_or_else(|| format!("`{keyword}` must be a list"))
}

fn map<'a>(keyword: &str, value: &'a Value) -> Result<&'a Map<String, Value>, String> {
    value
        .as_object()
        .ok_or_else(|| format!("`{keyword}` must be a map"))
}

fn number(keyword: &str, value: &Value) -> Result<Number, String> {
    match value {
        Value::Number(number) => Ok(number.clone()),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            Err(format!("`{keyword}` must be a number"))
        }
    }
}
