//! Reading all versions of a repository and what each points to. One that cannot be read might point to any other, so
//! then nothing is known.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::providers::Clients;
use crate::providers::github::{self, Package};
use crate::providers::registry::{Blob, Location};

use super::seen::{Seen, Way};
use super::version::{Links, Version};

/// How many manifests are read side by side; how fast a registry is asked is for its client to say.
const SIDE_BY_SIDE_MAX: usize = 16;
/// How deep indexes may lie in each other.
const DEPTH_MAX: usize = 32;
/// Builds that can be repeated to the byte write an early date instead of the time (reproducible-builds.org,
/// "`SOURCE_DATE_EPOCH`"); what is older than containers are tells nothing.
const FIRST_DATE: &str = "2013-03-20T00:00:00Z";

/// Where one looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub(super) clients: &'a Clients,
    pub(super) home: &'a Location,
    /// Whether it is asked for all that versions are put together of: something was deleted.
    pub(super) verify: bool,
}

impl Look<'_> {
    pub(super) async fn packages(self, package: Package) -> Result<Seen, Fault> {
        let listed = self.clients.github.versions(&package).await?;
        let tags = self.clients.registries.tags(self.home).await?;
        self.agree(listed.items(), tags.items())?;
        let reads: Vec<_> = listed.items().iter().map(|it| self.listed(it)).collect();
        let versions = stream::iter(reads).buffered(SIDE_BY_SIDE_MAX);
        let versions: Vec<Version> = versions.try_collect().await?;
        let seen = self.seen(Way::Packages(package), listed.at(), versions);
        self.complete(seen, tags.items().len()).await
    }

    async fn listed(self, listed: &github::Version) -> Result<Version, Fault> {
        let digest = &listed.digest;
        let links = self.links(digest).await?;
        let links = links.ok_or_else(|| self.gone(digest, "it is listed, but not there"))?;
        Ok(Version {
            id: Some(listed.id),
            digest: digest.clone(),
            tags: listed.tags.clone(),
            created: Some(listed.created),
            updated: Some(listed.updated),
            links,
        })
    }

    async fn head(self, tag: &str) -> Result<(Digest, String), Fault> {
        let head = self.clients.registries.head(self.home, tag).await?;
        let digest = head.as_ref().as_ref().map(|it| it.digest.clone());
        let digest = digest.ok_or_else(|| self.fault(tag, "it is listed, but not there"))?;
        Ok((digest, tag.to_owned()))
    }

    async fn are_there<'d>(
        self,
        digests: impl Iterator<Item = &'d Digest>,
    ) -> Result<Vec<(&'d Digest, bool)>, Fault> {
        let heads: Vec<_> = digests.map(|it| self.is_there(it)).collect();
        let heads = stream::iter(heads).buffered(SIDE_BY_SIDE_MAX);
        heads.try_collect().await
    }

    async fn is_there(self, digest: &Digest) -> Result<(&Digest, bool), Fault> {
        let registries = &self.clients.registries;
        let head = registries.head_now(self.home, digest.as_str()).await?;
        Ok((digest, head.is_some()))
    }

    /// Where the two lists differ, one of them lags, and what is not in it would seem to be of no use.
    fn agree(self, versions: &[github::Version], tags: &[String]) -> Result<(), Fault> {
        let listed: BTreeSet<&String> = versions.iter().flat_map(|it| &it.tags).collect();
        let tags: BTreeSet<&String> = tags.iter().collect();
        let Some(tag) = listed.symmetric_difference(&tags).next() else {
            return Ok(());
        };
        let (has, lacks) = if listed.contains(tag) {
            ("the package", "the registry")
        } else {
            ("the registry", "the package")
        };
        let message = format!("{has} has the tag {tag} and {lacks} does not yet, or not any more");
        Err(self.fault(&self.home.repository, &message))
    }

    /// Tags, what is recalled, and all that they lead to: a registry lists nothing that has no tag.
    pub(super) async fn manifests(self, recalled: BTreeSet<Digest>) -> Result<Seen, Fault> {
        let tags = self.clients.registries.tags(self.home).await?;
        let heads: Vec<_> = tags.items().iter().map(|it| self.head(it)).collect();
        let heads = stream::iter(heads).buffered(SIDE_BY_SIDE_MAX);
        let heads: Vec<(Digest, String)> = heads.try_collect().await?;
        let left = self.are_there(recalled.iter()).await?;
        let left = left.into_iter().filter(|(_, is_there)| *is_there);
        let left = left.map(|(digest, _)| digest);
        let named = heads.iter().map(|(digest, _)| digest);
        let mut found = self.reached(named.chain(left).cloned().collect()).await?;
        for (digest, tag) in heads {
            let version = found.get_mut(&digest);
            let version = version.ok_or_else(|| {
                self.gone(&digest, &format!("{tag} names it, but it is not there"))
            })?;
            version.tags.push(tag);
        }
        let versions = found.into_values().collect();
        let seen = self.seen(Way::Manifest, tags.at(), versions);
        let count = tags.items().len();
        self.complete(
            Seen {
                newest: None,
                recalled,
                ..seen
            },
            count,
        )
        .await
    }

    /// These manifests, and all that they lead to.
    async fn reached(self, first: BTreeSet<Digest>) -> Result<BTreeMap<Digest, Version>, Fault> {
        let mut found: BTreeMap<Digest, Version> = BTreeMap::new();
        let mut next = first;
        for _ in 0..DEPTH_MAX {
            let reads = std::mem::take(&mut next)
                .into_iter()
                .map(|it| self.version(it));
            let read: Vec<Option<Version>> = stream::iter(reads)
                .buffered(SIDE_BY_SIDE_MAX)
                .try_collect()
                .await?;
            for version in read.into_iter().flatten() {
                next.extend(version.links.children.iter().cloned());
                found.insert(version.digest.clone(), version);
            }
            next.retain(|it| !found.contains_key(it));
        }
        if next.is_empty() {
            return Ok(found);
        }
        let message = format!("indexes lie in each other more than {DEPTH_MAX} deep");
        Err(self.fault(&self.home.repository, &message))
    }

    async fn version(self, digest: Digest) -> Result<Option<Version>, Fault> {
        let Some(links) = self.links(&digest).await? else {
            return Ok(None);
        };
        let built = match links.blobs.first() {
            Some(config) => self.built(config).await?,
            None => None,
        };
        Ok(Some(Version {
            id: None,
            digest,
            tags: Vec::new(),
            created: built,
            updated: built,
            links,
        }))
    }

    /// When an image says that it was built; none: it does not, or not in earnest.
    async fn built(self, config: &Blob) -> Result<Option<Timestamp>, Fault> {
        #[derive(Deserialize)]
        struct Config {
            created: Option<String>,
        }
        let blob = self.clients.registries.blob(self.home, config).await?;
        let config: Option<Config> = serde_json::from_slice(&blob).ok();
        let created = config.and_then(|it| Timestamp::parse(&it.created?));
        Ok(created.filter(|it| Some(*it) >= Timestamp::parse(FIRST_DATE)))
    }

    async fn links(self, digest: &Digest) -> Result<Option<Links>, Fault> {
        let manifest = self.clients.registries.manifest(self.home, digest).await?;
        let Some(manifest) = manifest else {
            return Ok(None);
        };
        let links = Links::of(&manifest);
        links.map(Some).map_err(|why| {
            let hint = "what it points to is not known, so nothing of this repository is deleted";
            self.gone(digest, &why).hint(hint)
        })
    }

    fn seen(self, way: Way, at: Timestamp, mut versions: Vec<Version>) -> Seen {
        dated(&mut versions);
        versions.sort_by(|a, b| a.digest.cmp(&b.digest));
        Seen {
            home: self.home.clone(),
            way,
            at,
            newest: versions.iter().filter_map(|it| it.created).max(),
            versions,
            lost: BTreeSet::new(),
            verified: false,
            tags: 0,
            recalled: BTreeSet::new(),
        }
    }

    /// Asks for what versions are put together of and no list has, and after a deletion for all of it.
    async fn complete(self, mut seen: Seen, tags: usize) -> Result<Seen, Fault> {
        let listed: BTreeSet<&Digest> = seen.versions.iter().map(|it| &it.digest).collect();
        let children = seen.versions.iter().flat_map(|it| &it.links.children);
        let asked: BTreeSet<&Digest> = children
            .filter(|it| self.verify || !listed.contains(it))
            .collect();
        let heads = self.are_there(asked.into_iter()).await?;
        let mut lost = BTreeSet::new();
        for (digest, is_there) in heads {
            match (is_there, listed.contains(digest)) {
                (true, true) => {}
                (true, false) => {
                    return Err(
                        self.gone(digest, "it is there, but not listed yet, or not any more")
                    );
                }
                (false, _) => {
                    lost.insert(digest.clone());
                }
            }
        }
        seen.lost = lost;
        seen.verified = self.verify;
        seen.tags = tags;
        Ok(seen)
    }

    fn gone(self, digest: &Digest, message: &str) -> Fault {
        self.fault(digest.as_str(), message)
    }

    fn fault(self, subject: &str, message: &str) -> Fault {
        let subject = format!("{}/{} {subject}", self.home.site.host, self.home.repository);
        Fault::new(Class::NotYet, "know all versions", message).of(&subject)
    }
}

/// Where nothing else tells, what is about another is as young as that, and an index is as young as the youngest that it
/// is put together of. Attestations have an empty configuration since `BuildKit` 0.32.
fn dated(versions: &mut [Version]) {
    for _ in 0..DEPTH_MAX {
        let dates: BTreeMap<Digest, Option<Timestamp>> = versions
            .iter()
            .map(|it| (it.digest.clone(), it.updated))
            .collect();
        let mut has_changed = false;
        for version in versions.iter_mut().filter(|it| it.updated.is_none()) {
            let links = &version.links;
            let parts = links.children.iter().chain(&links.subject);
            let dates: Option<Vec<Timestamp>> =
                parts.map(|it| dates.get(it).copied().flatten()).collect();
            version.updated = dates.and_then(|it| it.into_iter().max());
            version.created = version.updated;
            has_changed |= version.updated.is_some();
        }
        if !has_changed {
            return;
        }
    }
}
