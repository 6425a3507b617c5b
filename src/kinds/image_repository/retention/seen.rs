//! The versions of a repository and what each points to: all of it, or nothing is known.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::kind::Context;
use crate::kinds::registry::{Deletion, Registry};
use crate::plan::pages;
use crate::providers::github::Package;
use crate::providers::registry::Location;

use super::super::spec::Spec;
use super::read::Look;
use super::version::Version;

/// What was seen for the retention of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where it is.
    pub home: Location,
    /// How versions are removed there.
    pub way: Way,
    /// When they were listed, by the service's clock.
    pub at: Timestamp,
    /// All versions, by digest.
    pub versions: Vec<Version>,
    /// When the newest was made; none: nothing tells.
    pub newest: Option<Timestamp>,
    /// What versions are put together of and is not there, although one was asked for it after a deletion.
    pub lost: BTreeSet<Digest>,
    /// Whether that was asked.
    pub verified: bool,
    /// How many tags the registry lists.
    pub tags: usize,
    /// What was to be deleted before, where the registry does not list what has no tag.
    pub recalled: BTreeSet<Digest>,
}

/// How versions are removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By GitHub's Packages API.
    Packages(Package),
    /// By deleting the manifest in the registry.
    Manifest,
    /// Not at all.
    Never,
}

/// What is remembered between passes: when versions may have been deleted and it was not yet verified that all that is
/// kept is whole.
pub(super) const DELETED: &str = "versions-deleted";
/// What is remembered between passes: what is to be deleted, by this and its digest.
pub(super) const DOOMED: &str = "version-doomed ";
/// What is remembered between passes: when it is worth looking at the versions again.
pub(super) const DUE: &str = "versions-due";

/// How long a page of versions is left alone after nothing was to be done: at most 180 of the 1000 calls that GitHub
/// serves a workflow an hour.
const REST_A_PAGE: Duration = Duration::from_secs(20);
/// Versions to a page (GitHub REST API, "List package versions").
const PAGE: usize = 100;
/// How many tags a page has at most.
const PAGE_TAGS: usize = 1000;

impl Seen {
    /// The fewest calls that tell this. What manifests say is remembered by their digest.
    pub(super) fn listings(&self) -> BTreeMap<String, u64> {
        let place = format!("{}/{}", self.home.site.host, self.home.repository);
        let tags = (
            format!("registry {place} tags"),
            pages(self.tags, PAGE_TAGS),
        );
        match &self.way {
            Way::Packages(package) => {
                let versions = pages(self.versions.len(), PAGE);
                [tags, (format!("github {package} versions"), versions)].into()
            }
            Way::Manifest => {
                let tagged = self.versions.iter().flat_map(|it| &it.tags);
                let heads = tagged.map(|tag| (format!("registry {place}:{tag}"), 1));
                heads.chain([tags]).collect()
            }
            Way::Never => BTreeMap::new(),
        }
    }

    /// When it is worth looking again where nothing was to be done.
    pub(super) fn due(&self) -> Timestamp {
        let pages = pages(self.versions.len(), PAGE).saturating_sub(1);
        self.at
            .plus(REST_A_PAGE * u32::try_from(pages).unwrap_or(u32::MAX))
    }
}

/// Looks at all versions; none: nothing is retained here, or it was looked at lately.
pub(in super::super) async fn observe(
    (spec, home): (&Spec, &Location),
    context: &Context<'_>,
) -> Option<Fact<Seen>> {
    spec.retention.as_ref()?;
    let now = context.clients.now();
    if context.remembered.get(DUE).is_some_and(|due| now < *due) {
        return None;
    }
    let deletion = context
        .spec::<Registry>(spec.registry_ref.as_str())
        .deletion();
    let look = Look {
        clients: context.clients,
        home,
        verify: context.remembered.contains_key(DELETED),
    };
    let seen = match deletion {
        Deletion::Packages => match Package::of_repository(&home.repository) {
            Some(package) => look.packages(package).await,
            None => Err(nameless(home)),
        },
        Deletion::Manifest => {
            let remembered = context.remembered.keys();
            let doomed = remembered.filter_map(|it| Digest::parse(it.strip_prefix(DOOMED)?));
            look.manifests(doomed.collect()).await
        }
        Deletion::Never => Ok(nothing(home, now)),
    };
    Some(match seen {
        Ok(seen) => Fact::Known(seen),
        Err(fault) => Fact::Unknown(fault),
    })
}

fn nameless(home: &Location) -> Fault {
    let message = "a package of GitHub is named OWNER/NAME";
    Fault::new(Class::Invalid, "list the versions of a package", message).of(&home.repository)
}

/// Nothing is looked at where nothing can be removed.
fn nothing(home: &Location, now: Timestamp) -> Seen {
    Seen {
        home: home.clone(),
        way: Way::Never,
        at: now,
        versions: Vec::new(),
        newest: None,
        lost: BTreeSet::new(),
        verified: false,
        tags: 0,
        recalled: BTreeSet::new(),
    }
}
