//! What a repository is called in a registry that takes only so many levels, and who else is called so: pure.

use std::collections::BTreeMap;

use crate::plan::Why;
use crate::providers::registry::Location;

/// The name of a repository where a name may have so many levels; 0: any number.
///
/// The namespace counts as a level: the personal edition of Alibaba Cloud's registry takes two, `namespace/repository`
/// (help.aliyun.com, document 60744). What is too deep is joined with `-` from the last level that is allowed, so that
/// the namespace stays what it is as long as there may be one.
pub(in super::super) fn flattened(repository: &str, depth_max: u32) -> String {
    let levels: Vec<&str> = repository.split('/').collect();
    let depth_max = usize::try_from(depth_max).unwrap_or(usize::MAX);
    if depth_max == 0 || levels.len() <= depth_max {
        return repository.to_owned();
    }
    let (kept, deeper) = levels.split_at(depth_max - 1);
    let mut kept: Vec<String> = kept.iter().map(|it| (*it).to_owned()).collect();
    kept.push(deeper.join("-"));
    kept.join("/")
}

/// A repository as people write it.
pub(super) fn written(at: &Location) -> String {
    format!("{}/{}", at.site.host, at.repository)
}

/// Why nothing may be mirrored: two of these mirrors are one repository, or one is the source. Each comes with the name
/// that was declared for it.
pub(super) fn contested(source: &Location, mirrors: &[(&Location, &str)]) -> Option<Why> {
    let mut declared = BTreeMap::from([(written(source), "spec.repository".to_owned())]);
    for (at, name) in mirrors {
        let name = format!("the mirror {name}");
        let Some(other) = declared.insert(written(at), name.clone()) else {
            continue;
        };
        let message = format!(
            "{other} and {name} are both {}; nothing is mirrored until each has a name of its own",
            written(at)
        );
        return Some(Why::new("Contested", message));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::registry::Site;

    #[test]
    fn deeper_names_are_joined_from_the_last_level_that_is_allowed() {
        for (name, depth_max, expected) in [
            ("acme/app/debug", 0, "acme/app/debug"),
            ("acme/app/debug", 3, "acme/app/debug"),
            ("acme/app/debug", 2, "acme/app-debug"),
            ("acme/app/debug", 1, "acme-app-debug"),
            ("acme/a/b/c", 2, "acme/a-b-c"),
            ("acme/a/b/c", 3, "acme/a/b-c"),
            ("app", 1, "app"),
            ("acme/app", 2, "acme/app"),
        ] {
            assert_eq!(flattened(name, depth_max), expected, "{name} {depth_max}");
        }
    }

    fn at(host: &str, repository: &str) -> Location {
        let site = Site {
            host: host.to_owned(),
            insecure: false,
            login: None,
        };
        Location {
            site,
            repository: repository.to_owned(),
        }
    }

    #[test]
    fn two_mirrors_of_one_name_are_contested_and_so_is_the_source() {
        let source = at("ghcr.io", "acme/app");
        let one = at("cr.example", "acme/a-b");
        let of = |mirrors: &[(&Location, &str)]| contested(&source, mirrors).map(|it| it.message);
        assert_eq!(
            of(&[(&one, "acme/a-b"), (&source, "acme/app")]).as_deref(),
            Some(
                "spec.repository and the mirror acme/app are both ghcr.io/acme/app; nothing is mirrored until each has a name of its own"
            )
        );
        assert_eq!(
            of(&[(&one, "acme/a-b"), (&one, "acme/a/b")]).as_deref(),
            Some(
                "the mirror acme/a-b and the mirror acme/a/b are both cr.example/acme/a-b; nothing is mirrored until each has a name of its own"
            )
        );
        let elsewhere = at("other.example", "acme/a-b");
        assert_eq!(of(&[(&one, "acme/a-b"), (&elsewhere, "acme/a-b")]), None);
    }
}
