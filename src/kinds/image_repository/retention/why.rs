//! Which rule keeps or removes one version, and what would change that: pure.

use crate::fact::Fact;
use crate::plan::{Because, Fate};
use crate::resource::Resource;

use super::super::merge;
use super::super::spec::Spec;
use super::closure::Rule;
use super::plan::{judge, name, rule};
use super::seen::{Seen, Way};
use super::version::Version;

/// What becomes of the version of a digest, a tag or a number.
pub(in super::super) fn why(
    resource: &Resource<Spec>,
    (merge, seen): (&merge::Seen, &Option<Fact<Seen>>),
    object: &str,
) -> Option<Because> {
    let retention = resource.spec.retention.as_ref()?;
    let seen = match seen {
        Some(Fact::Known(seen)) if seen.way != Way::Never => seen,
        Some(Fact::Known(_) | Fact::Unknown(_)) | None => return None,
    };
    let is_meant = |it: &Version| {
        let number = it.id.map(|id| id.to_string());
        it.digest.as_str() == object
            || it.tags.iter().any(|tag| tag == object)
            || number.as_deref() == Some(object)
    };
    let at = seen.versions.iter().position(is_meant)?;
    let version = &seen.versions[at];
    let (_, closure) = judge(&resource.spec, (merge, seen), retention);
    let (fate, rule, change, field) = match &closure.kept[at] {
        Some(kept) => {
            let (rule, change, field) = said(kept, &seen.versions);
            (Fate::Kept, rule, change, field)
        }
        None => (
            Fate::Goes,
            format!(
                "{}, and nothing that stays needs it",
                rule(version, retention)
            ),
            "a pattern in spec.retention.tagged.keep, or a required tag on it".to_owned(),
            "spec.retention",
        ),
    };
    Some(Because {
        object: version.digest.to_string(),
        name: version.tags.join(", "),
        fate,
        rule,
        change,
        field,
    })
}

fn said(rule: &Rule, versions: &[Version]) -> (String, String, &'static str) {
    let said = |rule: String, change: &str, field| (rule, change.to_owned(), field);
    match rule {
        Rule::Required(tag) => said(
            format!("{tag} is a required tag"),
            "another list of spec.tags",
            "spec.tags",
        ),
        Rule::RequiredSource(tag) => said(
            format!("{tag} is what a required tag is merged from"),
            "another list of spec.tags",
            "spec.sources",
        ),
        Rule::LikeRequired(tag) => said(
            format!("a pattern of required tags fits {tag}"),
            "another pattern in spec.tags",
            "spec.tags",
        ),
        Rule::Pattern(tag, pattern) => said(
            format!("{tag} fits `{pattern}`"),
            "another list of patterns",
            "spec.retention.tagged.keep",
        ),
        Rule::Last(count) => said(
            format!("it is among the {count} newest"),
            "newer tags, or a smaller keepLast",
            "spec.retention.tagged.keepLast",
        ),
        Rule::Young => said(
            "it is younger than olderThan says".to_owned(),
            "time",
            "spec.retention",
        ),
        Rule::Ageless => said(
            "nothing tells how old it is".to_owned(),
            "delete it by hand",
            "spec.retention",
        ),
        Rule::NotManaged => said(
            "there is no rule for versions of its sort".to_owned(),
            "one in spec.retention.tagged or spec.retention.untagged",
            "spec.retention",
        ),
        Rule::LastTagged => said(
            "it is the last version with a tag".to_owned(),
            "another tag",
            "spec.retention",
        ),
        Rule::ChildOf(at) => with_it(&versions[*at], "is put together of it"),
        Rule::SourceOf(at) => with_it(&versions[*at], "is merged from it"),
        Rule::About(at) => with_it(&versions[*at], "is what it is about"),
    }
}

fn with_it(version: &Version, how: &str) -> (String, String, &'static str) {
    (
        format!("{} stays and {how}", name(version)),
        "it goes once that goes".to_owned(),
        "spec.retention",
    )
}
