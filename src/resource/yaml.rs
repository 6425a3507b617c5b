//! Reads YAML into a tree, within limits that no file can get around.
//!
//! The part of YAML that is read is what JSON can say, many documents to a file. Anchors, aliases, merge keys and
//! tags are refused, so that what a file costs is bounded by its size.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

use super::scalar::{Scalar, scalar};
use super::tree::{Entry, Flaw, Node, Place, Value, place_after, shorten};

/// How deep lists and maps may stand in each other.
const DEPTH_MAX: usize = 32;

/// How many keys and values one file may hold.
const NODES_MAX: usize = 100_000;

/// Reads all documents of a file, and tells all that is wrong. Empty documents are left out. What stands behind a place
/// that is no YAML is not read.
pub(super) fn documents(text: &str) -> (Vec<Node>, Vec<Flaw>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        nodes: 0,
        brackets: Vec::new(),
        flaws: Vec::new(),
    };
    let mut documents = Vec::new();
    let end = match unprintable(text) {
        Some(flaw) => Err(flaw),
        None => reader.stream(&mut documents),
    };
    if let Err(mut flaw) = end {
        // The parser may look for more on a line that does not exist.
        flaw.place = flaw.place.min(place_after(text));
        reader.flaws.push(flaw);
    }
    (documents, reader.flaws)
}

/// Control characters make a file binary: section 5.1 of YAML 1.2 allows none but tab, line feed and carriage return.
fn unprintable(text: &str) -> Option<Flaw> {
    let is_bad = |it: char| it.is_control() && !matches!(it, '\t' | '\n' | '\r' | '\u{85}');
    let index = text.find(is_bad)?;
    let character = text[index..].chars().next().map_or(0, u32::from);
    let message =
        format!("the control character U+{character:04X} stands here: a state file is text");
    Some(Flaw::new(place_after(&text[..index]), message))
}

impl From<&Marker> for Place {
    fn from(marker: &Marker) -> Self {
        Self {
            line: marker.line().max(1),
            column: marker.col() + 1,
        }
    }
}

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    nodes: usize,
    /// The lists and maps that are open, with their places if they began with a bracket.
    brackets: Vec<Option<Place>>,
    flaws: Vec<Flaw>,
}

impl<'text> Reader<'text> {
    fn stream(&mut self, documents: &mut Vec<Node>) -> Result<(), Flaw> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd, _) => {}
                (event, place) => {
                    let is_empty = is_empty(&event);
                    let node = self.node(event, place, 1)?;
                    if !is_empty {
                        documents.push(node);
                    }
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'text>, Place), Flaw> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let place = Place::from(&span.start);
                match event {
                    // Only what begins with a bracket has a width.
                    Event::SequenceStart(..) | Event::MappingStart(..) => {
                        self.brackets.push((!span.is_empty()).then_some(place));
                    }
                    Event::SequenceEnd | Event::MappingEnd => {
                        self.brackets.pop();
                    }
                    Event::Nothing
                    | Event::StreamStart
                    | Event::StreamEnd
                    | Event::DocumentStart(_)
                    | Event::DocumentEnd
                    | Event::Alias(_)
                    | Event::Scalar(..) => {}
                }
                Ok((event, place))
            }
            Some(Err(error)) => Err(no_yaml(&error, self.brackets.last().copied().flatten())),
            None => Ok((Event::StreamEnd, Place::START)),
        }
    }

    fn node(&mut self, event: Event<'text>, place: Place, depth: usize) -> Result<Node, Flaw> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let message = format!("the file holds more than {NODES_MAX} keys and values: split it");
            return Err(Flaw::new(place, message));
        }
        if depth > DEPTH_MAX {
            let message = format!("lists and maps stand in each other more than {DEPTH_MAX} deep");
            return Err(Flaw::new(place, message));
        }
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                if self.has_no_extras(place, anchor, tag.is_some()) {
                    self.scalar(&text, style, place)
                } else {
                    Value::Refused
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.has_no_extras(place, anchor, tag.is_some());
                Value::List(self.list(depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                self.has_no_extras(place, anchor, tag.is_some());
                Value::Map(self.map(depth)?)
            }
            Event::Alias(_) => {
                self.refuse(place, "an alias is not read here: write the value itself");
                Value::Refused
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => {
                return Err(Flaw::new(place, "not YAML: a value is missing".to_owned()));
            }
        };
        Ok(Node { value, place })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Flaw> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, place) => items.push(self.node(event, place, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Flaw> {
        let mut entries = Vec::new();
        let mut places: BTreeMap<String, Place> = BTreeMap::new();
        loop {
            let (event, key_place) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key = self.key(event, key_place, depth)?;
            let (event, place) = self.next()?;
            let stands_elsewhere = is_empty(&event) || place.line != key_place.line;
            let place = if stands_elsewhere { key_place } else { place };
            let value = self.node(event, place, depth + 1)?;
            let Some(key) = key else { continue };
            if let Some(Place { line, column }) = places.get(&key) {
                let key = shorten(&key);
                let message = format!("key `{key}` stands twice, first at {line}:{column}");
                self.flaws.push(Flaw::new(key_place, message));
                continue;
            }
            places.insert(key.clone(), key_place);
            entries.push(Entry {
                key,
                key_place,
                value,
            });
        }
    }

    /// Reads a key; none where it was refused.
    fn key(
        &mut self,
        event: Event<'text>,
        place: Place,
        depth: usize,
    ) -> Result<Option<String>, Flaw> {
        let is_empty = is_empty(&event);
        let is_merge =
            matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
        let node = self.node(event, place, depth + 1)?;
        let refusal = match node.value {
            Value::Plain(..) if is_empty => "a key is missing before the colon",
            Value::Text(_) if is_merge => "a merge key is not read here: write the keys themselves",
            Value::Plain(_, text) | Value::Text(text) => return Ok(Some(text)),
            Value::List(_) | Value::Map(_) => "a key must be text",
            Value::Refused => return Ok(None),
        };
        self.refuse(place, refusal);
        Ok(None)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, place: Place) -> Value {
        match scalar(text) {
            Scalar::Value(value) if style == ScalarStyle::Plain => {
                Value::Plain(value, text.to_owned())
            }
            Scalar::Unbounded if style == ScalarStyle::Plain => {
                let message = format!("`{}` is no number that can be used here", shorten(text));
                self.flaws.push(Flaw::new(place, message));
                Value::Refused
            }
            Scalar::Value(_) | Scalar::Unbounded | Scalar::Text => Value::Text(text.to_owned()),
        }
    }

    fn has_no_extras(&mut self, place: Place, anchor: usize, tag: bool) -> bool {
        if anchor > 0 {
            self.refuse(
                place,
                "an anchor is not read here: write the value wherever it is needed",
            );
        }
        if tag {
            self.refuse(
                place,
                "a tag is not read here: text stands in quotes, all else without",
            );
        }
        anchor == 0 && !tag
    }

    fn refuse(&mut self, place: Place, message: &str) {
        self.flaws.push(Flaw::new(place, message.to_owned()));
    }
}

fn is_empty(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, 0, None) if text.is_empty())
}

/// What helps against the mistakes that are made most, by a part of the parser's message.
const REMEDIES: [(&str, &str); 5] = [
    ("tab", "indent with spaces"),
    (
        "mapping values are not allowed",
        "text that holds a colon stands in quotes",
    ),
    (
        "unexpected character",
        "text that begins so stands in quotes",
    ),
    (
        "did not find expected key",
        "keys of one map stand in one column",
    ),
    (
        "unknown anchor",
        "an alias is not read here: write the value itself",
    ),
];

fn no_yaml(error: &ScanError, bracket: Option<Place>) -> Flaw {
    let what = error.info();
    let mut message = format!("not YAML: {what}");
    if let Some(Place { line, column }) = bracket {
        message = format!("{message}; the bracket was opened at {line}:{column}");
    } else if let Some((_, remedy)) = REMEDIES.iter().find(|(part, _)| what.contains(part)) {
        message = format!("{message}; {remedy}");
    }
    Flaw::new(Place::from(error.marker()), message)
}
