//! Reading the answers of ECS field by field: what is missing may be none, what is wrong is never guessed.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::clock::Timestamp;

/// The fields of one JSON object. Every method says in words what is wrong with a field.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The object in `value`.
    pub(super) fn new(value: &'a Value) -> Result<Self, String> {
        value
            .as_object()
            .map(Self)
            .ok_or_else(|| "it is no object".to_owned())
    }

    /// A text that must be there, and may be empty.
    pub(super) fn text(self, name: &str) -> Result<&'a str, String> {
        let value = self
            .0
            .get(name)
            .ok_or_else(|| format!("{name} is missing"))?;
        value.as_str().ok_or_else(|| format!("{name} is no text"))
    }

    /// A name that must be there and must not be empty.
    pub(super) fn id(self, name: &str) -> Result<&'a str, String> {
        let text = self.text(name)?;
        if text.is_empty() {
            Err(format!("{name} is empty"))
        } else {
            Ok(text)
        }
    }

    /// A name that must be there, or a number that stands for one.
    pub(super) fn key(self, name: &str) -> Result<String, String> {
        match self.0.get(name).and_then(Value::as_u64) {
            Some(number) => Ok(number.to_string()),
            None => self.id(name).map(str::to_owned),
        }
    }

    /// An object that must be there.
    pub(super) fn object(self, name: &str) -> Result<Self, String> {
        let value = self
            .present(name)
            .ok_or_else(|| format!("{name} is missing"))?;
        Self::new(value).map_err(|_| format!("{name} is no object"))
    }

    /// A text; none: absent, null or empty.
    pub(super) fn optional(self, name: &str) -> Result<Option<&'a str>, String> {
        match self.present(name) {
            None => Ok(None),
            Some(_) => self.text(name).map(Some),
        }
    }

    /// A number, which ECS writes with or without quotes; zero: absent or empty.
    pub(super) fn number(self, name: &str) -> Result<u64, String> {
        let Some(value) = self.present(name) else {
            return Ok(0);
        };
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        number.ok_or_else(|| format!("{name} is no whole number"))
    }

    /// A number that must be there.
    pub(super) fn count(self, name: &str) -> Result<u64, String> {
        match self.present(name) {
            Some(_) => self.number(name),
            None => Err(format!("{name} is missing")),
        }
    }

    /// A decimal number as it is written, with or without quotes; none: absent or empty.
    pub(super) fn decimal(self, name: &str) -> Result<Option<String>, String> {
        let Some(value) = self.present(name) else {
            return Ok(None);
        };
        // The shortest text that means the same number: the one that was sent.
        let text = match (value.as_str(), value.as_number()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(number)) => number.to_string(),
            (None, None) => return Err(format!("{name} is no number")),
        };
        Ok(Some(text))
    }

    /// Yes or no, which ECS writes as `true` or `"True"`; none: absent or empty.
    pub(super) fn flag(self, name: &str) -> Result<Option<bool>, String> {
        let Some(value) = self.present(name) else {
            return Ok(None);
        };
        let word = value.as_str().map(str::to_ascii_lowercase);
        let flag = value.as_bool().or_else(|| word?.parse().ok());
        flag.map(Some)
            .ok_or_else(|| format!("{name} is neither true nor false"))
    }

    /// A time; none: absent or empty.
    pub(super) fn time(self, name: &str) -> Result<Option<Timestamp>, String> {
        let Some(text) = self.optional(name)? else {
            return Ok(None);
        };
        Timestamp::parse(text)
            .map(Some)
            .ok_or_else(|| format!("{name} is no time"))
    }

    /// A list in a list's name, as in `Tags.Tag`; empty: absent or null.
    pub(super) fn list(self, outer: &str, inner: &str) -> Result<Vec<Self>, String> {
        let wrong = || format!("{outer}.{inner} is no list of objects");
        let Some(outer) = self.present(outer) else {
            return Ok(Vec::new());
        };
        let Some(inner) = Self::new(outer).map_err(|_| wrong())?.present(inner) else {
            return Ok(Vec::new());
        };
        let items = inner.as_array().ok_or_else(wrong)?;
        items
            .iter()
            .map(|it| Self::new(it).map_err(|_| wrong()))
            .collect()
    }

    /// The tags of an object of ECS.
    pub(super) fn tags(self) -> Result<BTreeMap<String, String>, String> {
        let mut tags = BTreeMap::new();
        for tag in self.list("Tags", "Tag")? {
            let value = tag.optional("TagValue")?.unwrap_or_default();
            tags.insert(tag.text("TagKey")?.to_owned(), value.to_owned());
        }
        Ok(tags)
    }

    fn present(self, name: &str) -> Option<&'a Value> {
        self.0
            .get(name)
            .filter(|it| !it.is_null() && it.as_str() != Some(""))
    }
}
