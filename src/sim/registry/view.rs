//! What tests and oracles see of registries.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::sim::World;
use crate::sim::registry::history::Happening;
use crate::sim::registry::store::Repository;
use crate::sim::registry::{Host, Manifest};

impl World {
    /// The repositories of all registries: each one's host and its name there.
    pub fn repositories(&self) -> Vec<(String, String)> {
        let hosts = self.registries.hosts.iter();
        let named = |(host, it): (&String, &Host)| {
            let names: Vec<_> = it.repositories.keys().cloned().collect();
            names
                .into_iter()
                .map(|name| (host.clone(), name))
                .collect::<Vec<_>>()
        };
        hosts.flat_map(named).collect()
    }

    /// The tags of a repository, and what each names.
    pub fn tags(
        &mut self,
        (host, repository): (&str, &str),
        now: Timestamp,
    ) -> BTreeMap<String, Digest> {
        let found = self.stored((host, repository), now).map(Repository::tags);
        let found = found.into_iter().flatten();
        found.map(|(tag, it)| (tag.clone(), it.clone())).collect()
    }

    /// The manifests of a repository.
    pub fn manifests(
        &mut self,
        (host, repository): (&str, &str),
        now: Timestamp,
    ) -> BTreeMap<Digest, Manifest> {
        let found = self.stored((host, repository), now);
        let found = found.map(Repository::manifests).into_iter().flatten();
        found
            .map(|(digest, it)| (digest.clone(), it.clone()))
            .collect()
    }

    /// A blob of a repository.
    pub fn blob(&mut self, (host, repository): (&str, &str), digest: &Digest) -> Option<Vec<u8>> {
        let host = self.registries.hosts.get(host)?;
        let blob = host.repositories.get(repository)?.blob(digest)?;
        Some(blob.to_vec())
    }

    /// How often a manifest was downloaded.
    pub fn downloads(&self, (host, repository): (&str, &str), digest: &Digest) -> u64 {
        let host = self.registries.hosts.get(host);
        let repository = host.and_then(|it| it.repositories.get(repository));
        repository.map_or(0, |it| it.downloads(digest))
    }

    /// All that happened in registries and to workflows so far, in the order in which it happened.
    pub fn registry_history(&self) -> &[Happening] {
        &self.registries.history
    }

    /// The hosts that need an address each.
    pub fn hosts(&self) -> Vec<String> {
        self.registries.hosts_to_reach()
    }

    /// Says where hosts really answer, as in `127.0.0.1:5000`: links and challenges lead there.
    pub fn answer_at(&mut self, addresses: BTreeMap<String, String>) {
        self.registries.addresses = addresses;
    }

    /// The address of each registry that was given one, by host.
    pub fn registry_addresses(&self) -> BTreeMap<String, String> {
        let registries = &self.registries;
        let addresses = registries.addresses.iter();
        let is_registry = |(host, _): &(&String, &String)| registries.hosts.contains_key(*host);
        let own = addresses.filter(is_registry);
        own.map(|(host, it)| (host.clone(), it.clone())).collect()
    }

    fn stored(&mut self, (host, repository): (&str, &str), now: Timestamp) -> Option<&Repository> {
        self.settle(now);
        self.registries
            .hosts
            .get(host)?
            .repositories
            .get(repository)
    }
}
