//! What launch templates say of an image that is to go: they use it tomorrow, when no instance shows it today.

use crate::fact::Fact;

use super::seen::{Image, Phase, Seen, Template, TemplateVersion};

/// What launch templates say of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// No version of any of them names it.
    Free,
    /// One of them names it; how.
    Named(String),
    /// They could not be read; why.
    Unknown(String),
}

/// What launch templates say of an image. Those that nobody looked at may say anything.
pub(super) fn word_on(image: &Image, seen: &Seen) -> Word {
    let why = match &seen.templates {
        Some(Fact::Known(templates)) => {
            return named(image, templates, &seen.images).map_or(Word::Free, Word::Named);
        }
        Some(Fact::Unknown(fault)) => {
            let fault = fault.to_string();
            let lines: Vec<&str> = fault.lines().map(str::trim).collect();
            lines.join("; ")
        }
        None => "nobody looked".to_owned(),
    };
    Word::Unknown(format!(
        "whether a launch template names it is unknown: {why}"
    ))
}

/// How a launch template names an image, which is one of `images`; none: no version of any does.
pub(super) fn named(image: &Image, templates: &[Template], images: &[Image]) -> Option<String> {
    let mut versions = templates
        .iter()
        .flat_map(|template| template.versions.iter().map(move |it| (template, it)));
    let names = |(template, version): (&Template, &TemplateVersion)| {
        let (name, id, number) = (&template.name, &template.id, version.number);
        let what = names(version, image, images)?;
        Some(format!(
            "launch template {name} ({id}) names {what} in version {number}"
        ))
    };
    versions.find_map(names)
}

/// Whether a version may mean a family. In which form it names one is not documented, so the name may be anywhere in it.
pub(super) fn may_mean(version: &TemplateVersion, family: &str) -> bool {
    let source = version.source.as_deref();
    source.is_some_and(|it| it.contains(family))
}

fn names(version: &TemplateVersion, image: &Image, images: &[Image]) -> Option<String> {
    if version.source.as_deref() == Some(image.id.as_str()) {
        return Some("it".to_owned());
    }
    // What is left of a deleted image goes too, and the template's data disk with it.
    let snapshot = image
        .snapshots
        .iter()
        .find(|it| version.snapshots.contains(it));
    if let Some(snapshot) = snapshot {
        return Some(format!("its snapshot {snapshot}"));
    }
    let family = image.family.as_deref()?;
    (may_mean(version, family) && stands_for(image, family, images))
        .then(|| format!("its family {family}"))
}

/// Whether a family stands for this image: it is the newest Available one (ECS API reference,
/// `DescribeImageFromFamily`). One of unknown age may be.
fn stands_for(image: &Image, family: &str, images: &[Image]) -> bool {
    let is_newer = |it: &Image| {
        it.family.as_deref() == Some(family)
            && it.phase == Phase::Available
            && image.created.is_some()
            && it.created > image.created
    };
    image.phase == Phase::Available && !images.iter().any(is_newer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Class, Fault};
    use crate::ids::{LaunchTemplateId, SnapshotId};
    use crate::kinds::machine_image::tests::{resource, seen};

    /// What a template says of m-1 whose second version is made like this.
    fn word(images: &str, source: &str, snapshots: &[&str]) -> Word {
        let version = |number, source: &str, snapshots: &[&str]| TemplateVersion {
            number,
            source: Some(source.to_owned()).filter(|it| !it.is_empty()),
            snapshots: snapshots.iter().map(|it| SnapshotId::new(it)).collect(),
        };
        let template = Template {
            id: LaunchTemplateId::new("lt-1"),
            name: "web".to_owned(),
            versions: vec![version(1, "m-9", &[]), version(2, source, snapshots)],
        };
        let mut seen = seen(images, &resource("{}"));
        seen.templates = Some(Fact::Known(vec![template]));
        word_on(&seen.images[0], &seen)
    }

    #[test]
    fn any_version_speaks_for_an_image_its_family_and_its_snapshots() {
        let named = |what: &str| {
            Word::Named(format!(
                "launch template web (lt-1) names {what} in version 2"
            ))
        };
        let by_family = named("its family p-amd64");
        for (images, source, snapshots, expected) in [
            ("m-1 latest @1110", "m-1", [].as_slice(), named("it")),
            ("m-1 latest @1110", "m-11", &[], Word::Free),
            ("m-1 latest @1110", "", &[], Word::Free),
            (
                "m-1 latest @1110",
                "",
                &["s-0", "s-1"],
                named("its snapshot s-1"),
            ),
            ("m-1 latest @1110", "p-amd64", &[], Word::Free),
            (
                "m-1 latest @1110 family",
                "x/p-amd64",
                &[],
                by_family.clone(),
            ),
            (
                "m-1 latest @1110 family\nm-2 a @1109 family",
                "p-amd64",
                &[],
                by_family.clone(),
            ),
            (
                "m-1 latest @1110 family\nm-2 a @1111 family",
                "p-amd64",
                &[],
                Word::Free,
            ),
            (
                "m-1 latest @1110 family\nm-2 a @1111 family failed",
                "p-amd64",
                &[],
                by_family.clone(),
            ),
            (
                "m-1 latest family\nm-2 a @1111 family",
                "p-amd64",
                &[],
                by_family,
            ),
            ("m-1 latest @1110 family failed", "p-amd64", &[], Word::Free),
        ] {
            assert_eq!(
                word(images, source, snapshots),
                expected,
                "{images}: {source}"
            );
        }
    }

    #[test]
    fn templates_that_were_not_read_may_say_anything() {
        let mut seen = seen("m-1 latest @1110", &resource("{}"));
        let fault = Fault::new(Class::Denied, "list the launch templates", "403");
        for (templates, why) in [
            (None, "nobody looked"),
            (
                Some(Fact::Unknown(fault.hint("ask"))),
                "cannot list the launch templates: 403; hint: ask",
            ),
        ] {
            seen.templates = templates;
            let expected = format!("whether a launch template names it is unknown: {why}");
            assert_eq!(word_on(&seen.images[0], &seen), Word::Unknown(expected));
        }
    }
}
