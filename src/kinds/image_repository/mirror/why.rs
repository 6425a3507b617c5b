//! What is to be said of one tag of a mirror: pure.

use crate::fact::Fact;
use crate::plan::{Because, Fate};
use crate::providers::registry::Location;

use super::names::written;
use super::plan::op;
use super::seen::{Seen, Serves, Tag};

const FIELD: &str = "spec.mirrors";

/// Says what becomes of `object`, a tag of a mirror as in `cr.example/acme/app:v1`; none: it is of no mirror.
pub(in super::super) fn why(source: &Location, mirrors: &[Seen], object: &str) -> Option<Because> {
    let of = |mirror: &Seen| {
        let tag = object.strip_prefix(&written(&mirror.at))?.strip_prefix(':');
        tag.map(str::to_owned)
    };
    let (mirror, tag) = mirrors.iter().find_map(|it| Some((it, of(it)?)))?;
    let (fate, rule, change) = match mirror.tags.get(&tag) {
        Some(seen) => required((source, mirror), (&tag, seen)),
        None => (
            Fate::LeftAlone,
            format!(
                "no required tag that {} serves is called so",
                written(source)
            ),
            "a required tag of this name".to_owned(),
        ),
    };
    Some(Because {
        object: object.to_owned(),
        name: tag,
        fate,
        rule,
        change,
        field: FIELD,
    })
}

fn required(
    (source, mirror): (&Location, &Seen),
    (tag, seen): (&str, &Tag),
) -> (Fate, String, String) {
    let here = format!("{}:{tag}", written(source));
    let serves = match &seen.serves {
        Fact::Known(serves) => serves,
        Fact::Unknown(fault) => {
            let rule = format!("what it serves is unknown: {}", fault.answer());
            return (Fate::Unknown, rule, "an answer".to_owned());
        }
    };
    let rule = match serves {
        Serves::Same => format!("it is {} as {here} is", seen.wanted),
        Serves::Reduced => format!("it serves the same images as {here}, without attestations"),
        Serves::Nothing => format!("it is not there, and {here} is {}", seen.wanted),
        Serves::Other(there) => format!("it is {there}, and {here} is {}", seen.wanted),
    };
    let change = format!("another image under {here}, or that this mirror is declared no more");
    match op((source, mirror), (tag, seen), serves) {
        Some(op) => (Fate::Changes, format!("{rule}: it becomes {op}"), change),
        None => (Fate::Kept, rule, change),
    }
}
