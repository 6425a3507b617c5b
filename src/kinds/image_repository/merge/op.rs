//! The writing of a required tag, and what must be so right before.

use std::fmt;

use futures_util::future::try_join_all;
use serde::Serialize;

use crate::fault::Fault;
use crate::ids::Digest;
use crate::kind::Check;
use crate::plan::Verb;
use crate::providers::Clients;
use crate::providers::registry::{Location, Manifest};

/// A tag is to name an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Op {
    /// Where.
    pub home: Location,
    /// The tag.
    pub tag: String,
    /// What it named; none: it was not there.
    pub was: Option<Digest>,
    /// What it is merged from, in the order of the platforms.
    pub sources: Vec<Pinned>,
    /// The media type of the index.
    pub media_type: String,
    /// The digest of the index.
    pub digest: Digest,
    /// The index, to the byte.
    pub index: String,
}

/// A tag, and what it named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pinned {
    /// The tag.
    pub tag: String,
    /// What it named.
    pub digest: Digest,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<&str> = self.sources.iter().map(|it| it.tag.as_str()).collect();
        let digest = short(&self.digest);
        write!(f, "merge {} → {digest}", sources.join(" and "))
    }
}

/// As much of a digest as people tell digests apart by.
pub(super) fn short(digest: &Digest) -> String {
    digest.digits().chars().take(12).collect()
}

impl Op {
    pub(in super::super) fn verb(&self) -> Verb {
        match self.was {
            None => Verb::Create,
            Some(_) => Verb::Update,
        }
    }

    pub(in super::super) fn object(&self) -> &str {
        &self.tag
    }

    /// What the tag is to name.
    pub(in super::super) fn manifest(&self) -> Manifest {
        Manifest {
            digest: self.digest.clone(),
            media_type: self.media_type.clone(),
            bytes: self.index.clone().into_bytes(),
        }
    }

    /// A source that moved in between is a new look's business: its partner may be on its way.
    pub(in super::super) async fn check(&self, clients: &Clients) -> Result<Check, Fault> {
        let now = |tag: &str| {
            let tag = tag.to_owned();
            async move { clients.registries.head_now(&self.home, &tag).await }
        };
        let sources = self.sources.iter().map(|it| it.tag.as_str());
        let tags: Vec<&str> = std::iter::once(self.tag.as_str()).chain(sources).collect();
        let heads = try_join_all(tags.iter().copied().map(now)).await?;
        let found = heads.iter().map(|it| it.as_ref().map(|it| &it.digest));
        let planned = self.sources.iter().map(|it| Some(&it.digest));
        let planned = std::iter::once(self.was.as_ref()).chain(planned);
        let tag = heads[0].as_ref().map(|it| &it.digest);
        if tag == Some(&self.digest) {
            return Ok(Check::AlreadyDone);
        }
        let moved = tags
            .iter()
            .zip(found.zip(planned))
            .find(|(_, (found, planned))| found != planned);
        Ok(match moved {
            Some((tag, _)) => Check::Stale(format!("{tag} was moved in between")),
            None => Check::Go,
        })
    }

    pub(in super::super) async fn apply(&self, clients: &Clients) -> Result<(), Fault> {
        let registries = &clients.registries;
        registries
            .put_manifest(&self.home, &self.tag, &self.manifest())
            .await
    }
}
