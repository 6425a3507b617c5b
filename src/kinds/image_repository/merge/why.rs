//! Why a tag is as it is: pure.

use crate::fact::Fact;
use crate::plan::{Because, Fate};
use crate::resource::Resource;

use super::super::seen::Seen;
use super::super::spec::Spec;
use super::judge::{Verdict, judge};
use super::seen::Tag;

/// Says what becomes of a required tag or a source; none: the tag is neither.
pub(in super::super) fn why(
    resource: &Resource<Spec>,
    seen: &Seen,
    object: &str,
) -> Option<Because> {
    let spec = &resource.spec;
    let because = |fate, rule: String, change: &str, field| Because {
        object: object.to_owned(),
        name: object.to_owned(),
        fate,
        rule,
        change: change.to_owned(),
        field,
    };
    match seen.merge.tags.get(object) {
        Some(Fact::Known(tag)) => {
            let (fate, rule, change, field) = known(spec, seen, (object, tag));
            return Some(because(fate, rule, change, field));
        }
        Some(Fact::Unknown(fault)) => {
            let rule = fault.to_string();
            return Some(because(
                Fate::Unknown,
                rule,
                "a complete answer",
                "spec.tags",
            ));
        }
        None => {}
    }
    let stem = spec
        .stem(object)
        .filter(|it| seen.merge.tags.contains_key(*it));
    if let Some(stem) = stem {
        let rule = format!("{stem} is merged from it");
        return Some(because(
            Fate::Kept,
            rule,
            "another suffix",
            "spec.sources.suffix",
        ));
    }
    let listed = seen.merge.listed.as_ref();
    let is_listed = listed.is_some_and(|it| match it {
        Fact::Known(listed) => listed.iter().any(|it| it == object),
        Fact::Unknown(_) => false,
    });
    (is_listed && spec.fits_pattern(object)).then(|| {
        let rule = "a pattern fits it, and it has no sources".to_owned();
        because(
            Fate::LeftAlone,
            rule,
            "that its sources are pushed",
            "spec.tags",
        )
    })
}

/// What becomes of a tag: its fate, the rule, what would change that, and the field that says so.
fn known(
    spec: &Spec,
    seen: &Seen,
    (name, tag): (&str, &Tag),
) -> (Fate, String, &'static str, &'static str) {
    match judge((&seen.home, spec), name, tag) {
        Verdict::Right => (
            Fate::Kept,
            "it is required, and serves what its sources do".to_owned(),
            "that a source is pushed anew",
            "spec.tags",
        ),
        Verdict::Write(op) => (
            Fate::Changes,
            format!("it is required, and is to be {}", op.digest),
            "that a source is pushed anew",
            "spec.tags",
        ),
        Verdict::Keep(refusal) => (
            Fate::Kept,
            refusal.why().message,
            "that a source is pushed anew",
            "spec.sources",
        ),
        Verdict::Left => (
            Fate::LeftAlone,
            "a pattern fits it, and its sources are gone".to_owned(),
            "that its sources are pushed",
            "spec.tags",
        ),
    }
}
