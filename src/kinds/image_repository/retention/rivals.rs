//! What another resource requires of a repository, and a rule of this one would remove from it: pure.

use crate::ids::ResourceId;
use crate::kind::{Kind, Resources};
use crate::kinds::registry::{self, Deletion, Registry};
use crate::resource::{Problem, Reference, Resource};

use super::super::mirror::flattened;
use super::super::spec::{Spec, Tagged};
use super::super::tags::fits;

/// Refuses rules that would remove what another resource requires: by itself, each of the two would be right.
pub(in super::super) fn rivals(resource: &Resource<Spec>, resources: &Resources) -> Vec<Problem> {
    let spec = &resource.spec;
    let retention = spec.retention.as_ref();
    let registry = registry(resources, &spec.registry_ref);
    let (Some(tagged), Some(registry)) = (retention.and_then(|it| it.tagged.as_ref()), registry)
    else {
        return Vec::new();
    };
    if registry.deletion() == Deletion::Never {
        return Vec::new();
    }
    let home = (registry.host.as_str(), spec.repository.as_str());
    let others = resources.iter().filter(|(id, _)| **id != resource.id);
    let others = others.filter_map(|(id, it)| Some((id, it.spec().downcast_ref::<Spec>()?)));
    let problems = others.filter_map(|(id, other)| {
        let required = required((other, resources), home);
        let mut lost = required.iter().filter(|it| !keeps((spec, tagged), it));
        let tag = lost.next()?;
        Some(problem(id, tag, lost.count()))
    });
    problems.collect()
}

fn problem(other: &ResourceId, tag: &str, more: usize) -> Problem {
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let message = format!(
        "`{tag}`{more} would be removed, which {other} requires here: name it under keep, or leave tagged out"
    );
    Problem::new("spec.retention.tagged", &message)
}

fn registry<'a>(resources: &'a Resources, name: &Reference) -> Option<&'a registry::Spec> {
    let found = resources.get(&ResourceId::new(Registry::NAME, name.as_str()));
    found.and_then(|it| it.spec().downcast_ref())
}

/// The tags and patterns of tags that a resource requires of the repository at `home`: its own with their sources, or
/// those that it mirrors to there.
fn required((spec, resources): (&Spec, &Resources), home: (&str, &str)) -> Vec<String> {
    let is_home = |name: &Reference, repository: &str| {
        registry(resources, name).is_some_and(|it| {
            let repository = flattened(repository, it.max_path_depth);
            (it.host.as_str(), repository.as_str()) == home
        })
    };
    let tags = || spec.named_tags().chain(spec.patterns());
    let mirrored = spec.mirrors.iter();
    let mut mirrored = mirrored.filter(|it| is_home(&it.registry_ref, &it.repository));
    // A source of what fits a pattern fits that pattern with the suffix.
    let with_sources = |tag: &str| {
        let sources = spec.sources_of(tag).into_iter().map(|it| it.tag);
        sources.chain([tag.to_owned()]).collect::<Vec<_>>()
    };
    let place = registry(resources, &spec.registry_ref).map(|it| it.host.as_str());
    if (place, spec.repository.as_str()) == (Some(home.0), home.1) {
        tags().flat_map(with_sources).collect()
    } else if mirrored.next().is_some() {
        tags().map(str::to_owned).collect()
    } else {
        Vec::new()
    }
}

/// Whether nothing that fits a pattern, or is this tag, is ever removed by these rules.
fn keeps((spec, tagged): (&Spec, &Tagged), wanted: &str) -> bool {
    let mut sources = spec.named_tags().flat_map(|it| spec.sources_of(it));
    let is_named = spec.named_tags().any(|it| it == wanted) || sources.any(|it| it.tag == wanted);
    let is_like = !spec.is_source(wanted) && spec.patterns().any(|it| covers(it, wanted));
    is_named || is_like || tagged.keep.iter().any(|it| covers(it, wanted))
}

/// Whether all that fits `wanted` fits `pattern`. A `?` is one character, and a `*` may be none or many.
fn covers(pattern: &str, wanted: &str) -> bool {
    let is_telling = !(pattern.contains('?') && wanted.contains('*'));
    pattern == wanted || (is_telling && fits(pattern, wanted))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_pattern_covers_another_one_that_says_more() {
        for (pattern, wanted, expected) in [
            ("v*", "v1", true),
            ("v*", "v1.*", true),
            ("v*", "v*-amd64", true),
            ("v1.*", "v*", false),
            ("v?", "v?", true),
            ("v?", "v*", false),
            ("v*", "v?", true),
            ("v1", "v?", false),
            ("*", "v*", true),
        ] {
            assert_eq!(covers(pattern, wanted), expected, "{pattern} {wanted}");
        }
    }
}
