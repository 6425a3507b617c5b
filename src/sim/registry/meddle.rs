//! What is in registries from the beginning, and what somebody does to them who is no client here.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::sim::registry::history::{By, Deed};
use crate::sim::registry::make::{self, Made, Parts};
use crate::sim::registry::store::{Repository, When};
use crate::sim::registry::wire::{is_name, is_tag};
use crate::sim::registry::written::{self, Registry};
use crate::sim::registry::{Host, Registries};

/// Where something goes, who puts it there, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) host: &'a str,
    pub(crate) repository: &'a str,
    pub(crate) by: By,
    pub(crate) now: Timestamp,
}

/// All manifests that one description gives a name to.
type Known = BTreeMap<String, Made>;

impl Registries {
    /// Fills the registries; nobody did it, and everything was seen ever since.
    pub(super) fn begin(&mut self, registries: &BTreeMap<String, Registry>, start: Timestamp) {
        for (name, rules) in registries {
            let mut host = Host {
                rules: rules.clone(),
                repositories: BTreeMap::new(),
                issued: BTreeMap::new(),
                uploads: BTreeMap::new(),
            };
            host.rules.repositories.clear();
            self.hosts.insert(name.clone(), host);
            for (repository, written) in &rules.repositories {
                let place = Place {
                    host: name,
                    repository,
                    by: By::Somebody,
                    now: start,
                };
                let created = start;
                let since = Timestamp::EPOCH;
                self.fill(place, written, When { since, created });
            }
        }
        self.history.clear();
    }

    /// Changes registries that are there, as somebody does who is no client here.
    pub(crate) fn meddle(&mut self, registries: &BTreeMap<String, Registry>, now: Timestamp) {
        for (host, rules) in registries {
            for (repository, written) in &rules.repositories {
                let by = By::Somebody;
                let place = Place {
                    host,
                    repository,
                    by,
                    now,
                };
                self.put(place, written);
            }
        }
    }

    /// Puts and takes away what is written.
    pub(crate) fn put(&mut self, place: Place, written: &written::Repository) {
        let now = place.now;
        let when = When {
            since: now,
            created: now,
        };
        self.fill(place, written, when);
    }

    /// Whether an index of this repository can be made of it.
    pub(crate) fn is_known(&self, (host, repository): (&str, &str), reference: &str) -> bool {
        let host = self.hosts.get(host);
        let repository = host.and_then(|it| it.repositories.get(repository));
        repository.is_some_and(|it| it.made(reference).is_some())
    }

    /// Pushes what a run of a workflow pushes; `{{name}}` stands for an input of it.
    pub(crate) fn pushed_by_run(
        &mut self,
        pushes: &BTreeMap<String, BTreeMap<String, written::Repository>>,
        inputs: &BTreeMap<String, String>,
        now: Timestamp,
    ) {
        let by = By::Workflow;
        for (host, repositories) in pushes {
            for (repository, written) in repositories {
                let place = Place {
                    host,
                    repository,
                    by,
                    now,
                };
                self.put(place, &filled_in(written, inputs));
            }
        }
    }

    fn fill(&mut self, place: Place, written: &written::Repository, when: When) {
        let seed = format!("{}/{}/{}", self.seed, place.host, place.repository);
        let Some(host) = self.hosts.get_mut(place.host) else {
            return;
        };
        let name = place.repository.to_owned();
        let repository = host.repositories.entry(name).or_default();
        repository.public |= written.public;
        for text in &written.blobs {
            repository.put_blob(Arc::new(text.clone().into_bytes()));
        }
        let mut known = Known::new();
        let mut deeds = Vec::new();
        for manifest in &written.manifests {
            let Some(parts) = parts(manifest, repository, &known, when.created) else {
                continue;
            };
            deeds.extend(put_parts(
                manifest,
                &parts,
                (repository, &mut known),
                (when, &seed),
            ));
        }
        for tag in &written.untagged {
            deeds.extend(repository.untag(tag, place.now));
        }
        for reference in &written.removed {
            let digest = repository.named(reference);
            let removed = digest.and_then(|it| repository.remove(&it, place.now));
            deeds.extend(removed.map(|it| Deed::ManifestDeleted {
                digest: it.digest,
                tags: it.tags,
            }));
        }
        self.note((place.host, place.repository), place.by, place.now, deeds);
    }
}

/// What a manifest is made of; none: it names what is not there, as nobody could push it.
fn parts(
    written: &written::Manifest,
    repository: &Repository,
    known: &Known,
    created: Timestamp,
) -> Option<Parts> {
    let created = written.pushed.unwrap_or(created);
    let find = |name: &str| {
        let stored = || repository.made(name);
        known.get(name).cloned().or_else(stored)
    };
    let only = |made: Made| Parts {
        manifests: vec![made],
        ..Parts::default()
    };
    match (&written.base64, &written.of) {
        (Some(base64), _) => make::raw(written, base64).ok().map(only),
        (None, Some(_)) => make::index(written, find).ok().map(only),
        (None, None) => Some(make::image(written, created)),
    }
}

/// Puts everything that a manifest is made of, and says what happened by it.
fn put_parts(
    written: &written::Manifest,
    parts: &Parts,
    (repository, known): (&mut Repository, &mut Known),
    (when, seed): (When, &str),
) -> Vec<Deed> {
    let mut deeds = Vec::new();
    let when = When {
        created: written.pushed.unwrap_or(when.created),
        ..when
    };
    let last = parts.manifests.last();
    let last = last.expect("everything has a manifest").clone();
    for name in written.tags.iter().chain(&written.name) {
        known.insert(name.clone(), last.clone());
    }
    known.insert(last.pointer.digest.clone(), last.clone());
    if written.absent {
        return deeds;
    }
    for blob in &parts.blobs {
        repository.put_blob(Arc::new(blob.clone()));
    }
    for made in &parts.manifests {
        deeds.extend(repository.put(made, when, seed).1);
    }
    let digest = Digest::of(&last.bytes);
    repository.count_download(&digest, written.downloads);
    for tag in &written.tags {
        deeds.extend(repository.tag(tag, &digest, when));
    }
    deeds
}

/// What is written, with values for its placeholders.
fn filled_in(
    written: &written::Repository,
    values: &BTreeMap<String, String>,
) -> written::Repository {
    let fill = |text: &mut String| {
        for (name, value) in values {
            *text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
    };
    let mut written = written.clone();
    for it in &mut written.manifests {
        it.tags.iter_mut().for_each(fill);
        it.layers.iter_mut().for_each(fill);
        it.of.iter_mut().flatten().for_each(fill);
        it.revision.iter_mut().for_each(fill);
        fill(&mut it.platform);
    }
    written
}

/// Says the first thing that is wrong with registries of a scenario; `is_known` says of an index's child whether it is in
/// the world already.
pub(crate) fn check(
    registries: &BTreeMap<String, Registry>,
    is_known: impl Fn(&str, &str, &str) -> bool,
) -> Result<(), String> {
    for (host, rules) in registries {
        for (name, written) in &rules.repositories {
            let place = format!("{host}/{name}");
            if !is_name(name) {
                return Err(format!("{place} is not a name of a repository"));
            }
            check_repository(&place, written, &|it| is_known(host, name, it))?;
        }
    }
    Ok(())
}

fn check_repository(
    place: &str,
    written: &written::Repository,
    is_known: &dyn Fn(&str) -> bool,
) -> Result<(), String> {
    let mut names = Vec::new();
    for manifest in &written.manifests {
        if let Some(tag) = manifest.tags.iter().find(|it| !is_tag(it)) {
            return Err(format!("{place}: {tag:?} is not a tag"));
        }
        if let Some(base64) = &manifest.base64 {
            make::raw(manifest, base64).map_err(|it| format!("{place}: base64: {it}"))?;
        }
        let of = manifest.of.iter().flatten();
        let mut unknown = of.filter(|it| !names.contains(it) && !is_known(it));
        if let Some(child) = unknown.next() {
            return Err(format!(
                "{place}: an index is made of {child}, which is not there"
            ));
        }
        names.extend(manifest.tags.iter().chain(&manifest.name));
    }
    Ok(())
}
