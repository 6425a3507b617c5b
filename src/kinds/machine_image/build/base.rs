//! What a build begins with: the newest image of a family, or the newest that fits a distribution and release.

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::ImageId;
use crate::kinds::architecture::Architecture;
use crate::plan::pages;
use crate::providers::aliyun::{Aliyun, Image, Place};

use super::super::recipe::{Base as Written, Owner, Query};

/// What an image is built upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its id.
    pub id: ImageId,
    /// Its name.
    pub name: String,
    /// When it was created; none: the service does not say.
    pub created: Option<Timestamp>,
    /// Its size.
    pub size_gib: u64,
}

/// What was found, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The newest that fits; none: nothing does.
    pub base: Option<Base>,
    /// What was listed, and the fewest calls that that takes.
    pub listing: (String, u64),
}

/// Looks up what is built upon for one architecture.
pub(super) async fn look(
    written: &Written,
    ecs: &Aliyun,
    (place, architecture): (&Place, Architecture),
) -> Result<Lookup, Fault> {
    let name = architecture.ecs_name();
    let (found, listing) = match written {
        Written::Family(families) => {
            let family = families.get(&architecture).map_or("", String::as_str);
            let all = ecs.images_in_family(place, family).await?;
            // A family may be of the other architecture; nothing is built on that.
            let fits = |it: &&Image| it.architecture == name;
            let calls = pages(all.items().len(), 100);
            (
                newest(all.items().iter().filter(fits)),
                (format!("family {family}"), calls),
            )
        }
        Written::Query(query) => {
            let owner = query.owner.name();
            let all = ecs.images_published(place, (owner, name)).await?;
            let fits = |it: &&Image| fits(query, architecture, &it.name);
            let calls = pages(all.items().len(), 100);
            let listing = format!("images of {owner} {name}");
            (newest(all.items().iter().filter(fits)), (listing, calls))
        }
    };
    let base = found.map(|it| Base {
        id: it.id,
        name: it.name,
        created: it.created,
        size_gib: it.size_gib,
    });
    Ok(Lookup { base, listing })
}

fn newest<'a>(images: impl Iterator<Item = &'a Image>) -> Option<Image> {
    let newest = images.max_by_key(|it| (it.created, it.id.clone()));
    newest.cloned()
}

/// Whether an image of this name is of the distribution and exactly the release.
///
/// Alibaba Cloud names its own `ubuntu_24_04_x64_20G_alibase_20261110.vhd`; those with another word in between (`uefi`, `dtc`,
/// …) are for special machines (ECS documentation, "Release notes of public images").
fn fits(query: &Query, architecture: Architecture, name: &str) -> bool {
    let release = query.release.replace('.', "_");
    let start = format!("{}_{release}_", query.distribution).to_lowercase();
    let name = name.to_lowercase();
    let Some(rest) = name.strip_prefix(&start) else {
        return false;
    };
    match query.owner {
        Owner::System => is_plain(rest, architecture),
        Owner::Own | Owner::Others | Owner::Marketplace => true,
    }
}

/// Whether this is `<arch>_<n>g_alibase_<date>.vhd`.
fn is_plain(rest: &str, architecture: Architecture) -> bool {
    let word = match architecture {
        Architecture::Amd64 => "x64",
        Architecture::Arm64 => "arm64",
    };
    let words: Vec<&str> = rest.split('_').collect();
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    match words.as_slice() {
        [arch, size, "alibase", date] => {
            *arch == word
                && size.strip_suffix('g').is_some_and(is_number)
                && date.strip_suffix(".vhd").is_some_and(is_number)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(distribution: &str, release: &str) -> Query {
        Query {
            owner: Owner::System,
            distribution: distribution.to_owned(),
            release: release.to_owned(),
        }
    }

    #[test]
    fn takes_exactly_the_release_and_no_date_that_looks_like_one() {
        let fits = |name: &str| fits(&query("ubuntu", "24.04"), Architecture::Amd64, name);
        assert!(fits("ubuntu_24_04_x64_20G_alibase_20261110.vhd"));
        assert!(!fits("ubuntu_22_04_x64_20G_alibase_20240819.vhd"));
        assert!(!fits("ubuntu_24_10_x64_20G_alibase_20261110.vhd"));
        assert!(!fits("ubuntu_24_04_arm64_20G_alibase_20261110.vhd"));
        assert!(!fits("ubuntu_24_04_x64_dtc_20G_alibase_20261110.vhd"));
        assert!(!fits("my-ubuntu_24_04_x64_20G_alibase_20261110.vhd"));
    }

    #[test]
    fn a_release_is_not_the_beginning_of_another() {
        let fits = |release: &str| {
            let name = "aliyun_3_9_x64_20G_alibase_20260101.vhd";
            fits(&query("aliyun", release), Architecture::Amd64, name)
        };
        assert!(fits("3.9"));
        assert!(!fits("3"));
    }
}
