//! Deleting one version, and what must be so right before.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::kind::Check;
use crate::providers::Clients;
use crate::providers::github::Package;
use crate::providers::registry::Location;

use super::plan::Size;

/// Deletes one version with all its tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Op {
    /// Where it is.
    #[serde(rename = "deleteFrom")]
    pub home: Location,
    /// The package on GitHub; none: it is deleted in the registry itself.
    pub package: Option<Package>,
    /// Its digest.
    pub object: String,
    /// GitHub's number of it.
    pub id: Option<u64>,
    /// The tags that it must still have, and no other.
    pub tags: Vec<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When the newest version was made: one that is newer yet may need this one.
    pub newest: Option<Timestamp>,
    /// The bytes that go with it.
    pub frees: u64,
    /// What every tag named when this was planned, where the registry itself deletes it: one that names something else by
    /// now may need it.
    #[serde(skip)]
    pub named: Arc<BTreeMap<String, Digest>>,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags = match self.tags.as_slice() {
            [] => "untagged".to_owned(),
            tags => tags.join(", "),
        };
        let created = self
            .created
            .map_or("unknown".to_owned(), |it| it.to_string());
        let size = Size(self.frees);
        write!(
            f,
            "{tags}  frees {size}, created {created}, nothing that stays needs it"
        )
    }
}

impl Op {
    pub(in super::super) fn object(&self) -> &str {
        &self.object
    }

    pub(in super::super) async fn check(&self, clients: &Clients) -> Result<Check, Fault> {
        let checked = match (&self.package, self.id) {
            (Some(package), Some(id)) => self.check_package(clients, (package, id)).await,
            (Some(_), None) | (None, _) => self.check_manifest(clients).await,
        };
        // What GitHub does not serve in this hour is no failure: the next run goes on with the rest.
        match (checked, clients.github.pause()) {
            (Ok(Check::Go), Some(wait)) if self.package.is_some() => Ok(later(wait.as_secs())),
            (Err(fault), _) => {
                if let Class::Throttled { wait: Some(wait) } = fault.class {
                    return Ok(later(wait.as_secs()));
                }
                Err(fault)
            }
            (checked, _) => checked,
        }
    }

    async fn check_package(
        &self,
        clients: &Clients,
        (package, id): (&Package, u64),
    ) -> Result<Check, Fault> {
        if let Some(wait) = clients.github.pause() {
            return Ok(later(wait.as_secs()));
        }
        let newest = clients.github.newest_version(package).await?;
        let newest = newest.map(|it| it.created);
        if newest > self.newest {
            return Ok(stale(
                "a newer version was pushed meanwhile, which may need it",
            ));
        }
        let Some(version) = clients.github.version(package, id).await? else {
            return Ok(Check::AlreadyDone);
        };
        if version.digest.as_str() != self.object {
            return Ok(stale("it is another manifest by now"));
        }
        if version.tags != self.tags {
            let tags = version.tags.join(", ");
            return Ok(stale(&format!("its tags are [{tags}] by now")));
        }
        Ok(Check::Go)
    }

    async fn check_manifest(&self, clients: &Clients) -> Result<Check, Fault> {
        let registries = &clients.registries;
        if registries
            .head_now(&self.home, &self.object)
            .await?
            .is_none()
        {
            return Ok(Check::AlreadyDone);
        }
        let named = registries.named(&self.home).await?;
        let is_new = |(tag, digest): &(&String, &Digest)| self.named.get(*tag) != Some(digest);
        if let Some((tag, digest)) = named.iter().find(is_new) {
            return Ok(stale(&format!(
                "{tag} names {digest} by now, which may need it"
            )));
        }
        let gone = self.tags.iter().find(|it| !named.contains_key(*it));
        Ok(match gone {
            Some(tag) => stale(&format!("{tag} is gone")),
            None => Check::Go,
        })
    }

    pub(in super::super) async fn apply(&self, clients: &Clients) -> Result<(), Fault> {
        if let (Some(package), Some(id)) = (&self.package, self.id) {
            return clients.github.delete_version(package, id).await;
        }
        let digest = Digest::parse(&self.object).expect("it was written from a digest");
        let registries = &clients.registries;
        registries.delete_manifest(&self.home, &digest).await
    }
}

fn later(seconds: u64) -> Check {
    stale(&format!(
        "GitHub's budget is spent for {seconds} s: the next run goes on with it"
    ))
}

fn stale(why: &str) -> Check {
    Check::Stale(why.to_owned())
}
