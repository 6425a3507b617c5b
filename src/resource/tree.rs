//! A document as it was written: values, and where each of them stands.

/// Where something stands: line and column, both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// The first character of a file.
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

/// Something wrong at a place of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) place: Place,
    pub(super) message: String,
}

impl Flaw {
    /// Puts both together.
    pub(super) fn new(place: Place, message: String) -> Self {
        Self { place, message }
    }
}

/// One value, and where it stands: at its first character, or at its key when it begins on another line.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// What a node holds.
#[derive(Debug)]
pub(super) enum Value {
    /// Null, a boolean or a number, with the text it was written as.
    Plain(serde_json::Value, String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file; no key stands twice.
    Map(Vec<Entry>),
    /// Something that was refused already, so that nothing more is to be said about it.
    Refused,
}

/// One key of a map with its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) value: Node,
}

impl Node {
    /// The value of a key; none where there is no such key, or no map.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else {
            return None;
        };
        let entry = entries.iter().find(|it| it.key == key)?;
        Some(&entry.value)
    }

    /// The text that stands here; none where it is something else.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Plain(..) | Value::List(_) | Value::Map(_) | Value::Refused => None,
        }
    }

    /// The same without places.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Plain(value, _) => value.clone(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|it| (it.key.clone(), it.value.to_json()))
                .collect(),
            Value::Refused => serde_json::Value::Null,
        }
    }

    /// The place of a path such as `spec.runnersOf[1]`, or of the nearest part of it that exists.
    pub(super) fn find(&self, path: &str) -> Place {
        let path = path.strip_prefix('.').unwrap_or(path);
        let inner = match &self.value {
            Value::Map(entries) => entries
                .iter()
                .filter_map(|it| Some((&it.value, after_key(path, &it.key)?)))
                // A key may hold dots: the longest one that fits leaves the shortest rest.
                .min_by_key(|(_, rest)| rest.len()),
            Value::List(items) => {
                after_index(path).and_then(|(index, rest)| Some((items.get(index)?, rest)))
            }
            Value::Plain(..) | Value::Text(_) | Value::Refused => None,
        };
        inner.map_or(self.place, |(node, rest)| node.find(rest))
    }
}

fn after_key<'a>(path: &'a str, key: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(key)?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

fn after_index(path: &str) -> Option<(usize, &str)> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, rest))
}

/// The place that follows a text.
pub(super) fn place_after(text: &str) -> Place {
    let mut place = Place::START;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_lone_return = character == '\r' && characters.peek() != Some(&'\n');
        if character == '\n' || is_lone_return {
            place.line += 1;
            place.column = 1;
        } else {
            place.column += 1;
        }
    }
    place
}

/// A written value, short enough for a message.
pub(super) fn shorten(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    let mut short: String = text.chars().take(CHARACTERS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.replace('\r', "").replace('\n', "⏎")
}
