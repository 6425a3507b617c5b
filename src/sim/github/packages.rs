//! Packages and their versions (GitHub REST API, "Packages"): one version for each manifest of GHCR, named by its digest.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::sim::Answer;
use crate::sim::github::GitHub;
use crate::sim::github::show::{self, Version};
use crate::sim::github::wire::{Ask, Refusal, Reply, nothing};
use crate::sim::github::written::Token;
use crate::sim::registry::Registries;
use crate::sim::registry::history::{By, Deed};
use crate::sim::registry::store::{Deleted, Repository};
use crate::sim::registry::written::Personality;

/// How long a deleted version can be restored (GitHub Docs, "Deleting and restoring a package").
const RESTORABLE: Duration = Duration::from_secs(30 * 24 * 3600);
/// From how many downloads on a public version cannot be deleted (same place).
const DOWNLOADS_MAX: u64 = 5000;

/// A package that is asked about.
struct Package {
    owner: String,
    name: String,
    /// As in `orgs/example/packages/container/team%2Fapp`.
    place: String,
}

impl Package {
    fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.name).to_lowercase()
    }
}

impl GitHub {
    pub(super) fn packages(
        &mut self,
        registries: &mut Registries,
        ask: &Ask,
        token: &Token,
    ) -> Reply {
        let parts = ask.parts();
        let (realm, owner, rest) = match parts[..] {
            ["user", "packages", ref rest @ ..] => ("user", token.login.as_str(), rest),
            [realm, owner, "packages", ref rest @ ..] => (realm, owner, rest),
            _ => return Err(Refusal::not_found()),
        };
        let is_organization = self.rules.organizations.contains(owner);
        // ASSUMED: an organization is no user, and the other way round.
        if (realm == "orgs") != is_organization {
            return Err(Refusal::not_found());
        }
        // A token without rights sees nothing (GitHub REST API, "Packages").
        if !token.may("read:packages") {
            return Err(Refusal::not_found());
        }
        let ["container", name, rest @ ..] = rest else {
            return Err(Refusal::not_found());
        };
        let place = ask.request.path.trim_start_matches("/github/");
        let place = place.split("/versions").next().unwrap_or_default();
        let package = Package {
            owner: owner.to_owned(),
            name: (*name).to_owned(),
            place: place.to_owned(),
        };
        let deny = |scope: &str| {
            token
                .may(scope)
                .then_some(())
                .ok_or_else(Refusal::not_found)
        };
        match (ask.request.method.as_str(), rest) {
            ("GET", []) => get_package(registries, ask, &package),
            ("GET", ["versions"]) => list(registries, ask, &package),
            ("GET", ["versions", id]) => get(registries, ask, (&package, id)),
            ("DELETE", ["versions", id]) => {
                deny("delete:packages")?;
                delete(registries, ask, (&package, id))
            }
            ("POST", ["versions", id, "restore"]) => {
                deny("write:packages")?;
                restore(registries, ask, (&package, id))
            }
            _ => Err(Refusal::not_found()),
        }
    }
}

/// The host and the repository behind a package.
fn find<'a>(
    registries: &'a mut Registries,
    package: &Package,
) -> Result<(String, &'a mut Repository), Refusal> {
    let name = package.repository();
    let hosts = registries.hosts.iter_mut();
    let mut ghcr = hosts.filter(|(_, it)| it.rules.personality == Personality::Ghcr);
    let found = ghcr.find_map(|(host, it)| Some((host.clone(), it.repositories.get_mut(&name)?)));
    found.ok_or_else(|| Refusal::new(404, "Package not found."))
}

fn get_package(registries: &mut Registries, ask: &Ask, package: &Package) -> Reply {
    let (_, repository) = find(registries, package)?;
    let name = (package.owner.as_str(), package.name.as_str());
    let shown = show::package(ask, name, repository);
    Ok(Answer::json(200, &shown))
}

/// Newest first. The path below `/users/` documents neither pages nor a state; ASSUMED: it knows both.
fn list(registries: &mut Registries, ask: &Ask, package: &Package) -> Reply {
    let at = registries.visible_at(ask.visible());
    let now = ask.now;
    let (_, repository) = find(registries, package)?;
    let mut versions: Vec<Version> = match ask.parameter("state") {
        Some("deleted") => deleted(repository, now).map(of_deleted).collect(),
        Some("active") | None => active(repository, at),
        Some(_) => return Err(Refusal::new(400, "Invalid state.")),
    };
    versions.sort_by_key(|it| Reverse((it.manifest.created, it.manifest.id)));
    let shown = versions
        .iter()
        .map(|it| show::version(ask, &package.place, it));
    Ok(ask.page(shown.collect(), Value::Array))
}

fn active(repository: &Repository, at: Timestamp) -> Vec<Version<'_>> {
    let mut tags: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (tag, digest) in repository.tags_at(at) {
        tags.entry(digest).or_default().push(tag.clone());
    }
    let manifests = repository.manifests_at(at);
    let shown = manifests.map(|(digest, manifest)| Version {
        digest,
        manifest,
        tags: tags.remove(digest).unwrap_or_default(),
        updated: repository.updated(digest),
        deleted: None,
    });
    shown.collect()
}

/// What can still be restored.
fn deleted(repository: &Repository, now: Timestamp) -> impl Iterator<Item = &Deleted> {
    let all = repository.deleted.values();
    all.filter(move |it| now.since(it.at) <= RESTORABLE)
}

/// ASSUMED: a deleted version still shows its tags.
fn of_deleted(deleted: &Deleted) -> Version<'_> {
    Version {
        digest: &deleted.digest,
        manifest: &deleted.manifest,
        tags: deleted.tags.clone(),
        updated: deleted.at,
        deleted: Some(deleted.at),
    }
}

/// The version of a number.
fn version<'a>(repository: &'a Repository, id: &str) -> Result<Version<'a>, Refusal> {
    let id: Option<u64> = id.parse().ok();
    let mut all = repository.manifests();
    let found = all.find(|(_, it)| Some(it.id) == id);
    let (digest, manifest) = found.ok_or_else(|| Refusal::new(404, "Package not found."))?;
    Ok(Version {
        digest,
        manifest,
        tags: repository.tags_of(digest),
        updated: repository.updated(digest),
        deleted: None,
    })
}

fn get(registries: &mut Registries, ask: &Ask, (package, id): (&Package, &str)) -> Reply {
    let (_, repository) = find(registries, package)?;
    let version = version(repository, id)?;
    let shown = show::version(ask, &package.place, &version);
    Ok(Answer::json(200, &shown))
}

/// A version goes with all its tags. `kairos`, issue 4724: the last tagged one does not, nor the last one at all;
/// `cosign`, issue 3984: nor a public one that many have.
fn delete(registries: &mut Registries, ask: &Ask, (package, id): (&Package, &str)) -> Reply {
    let (host, repository) = find(registries, package)?;
    let found = version(repository, id)?;
    let digest = found.digest.clone();
    if repository.public && repository.downloads(&digest) > DOWNLOADS_MAX {
        let text = "Publicly visible package versions with more than 5000 downloads cannot be deleted. Contact GitHub support for further assistance.";
        return Err(Refusal::new(400, text));
    }
    let is_last = repository.manifests().count() == 1;
    let is_other_tagged = repository.tags().any(|(_, it)| *it != digest);
    if is_last || (!found.tags.is_empty() && !is_other_tagged) {
        let what = if is_last {
            "last version"
        } else {
            "last tagged version"
        };
        let text = format!(
            "You cannot delete the {what} of a package. You must delete the package instead."
        );
        return Err(Refusal::new(400, &text));
    }
    let deleted = repository.remove(&digest, ask.now);
    let deleted = deleted.expect("it was found");
    let tags = deleted.tags.clone();
    let id = deleted.manifest.id;
    repository.deleted.insert(id, deleted);
    let deed = Deed::VersionDeleted { id, digest, tags };
    note(registries, ask, (&host, package), deed);
    Ok(nothing())
}

/// ASSUMED: one whose digest was pushed again in the meantime cannot come back.
fn restore(registries: &mut Registries, ask: &Ask, (package, id): (&Package, &str)) -> Reply {
    let now = ask.now;
    let (host, repository) = find(registries, package)?;
    let id: Option<u64> = id.parse().ok();
    let found = deleted(repository, now).find(|it| Some(it.manifest.id) == id);
    let Some(found) = found.cloned() else {
        return Err(Refusal::new(404, "Package not found."));
    };
    if repository.manifest(&found.digest).is_some() {
        return Err(Refusal::new(400, "A version of this name exists already."));
    }
    let tags = repository.restore(&found, now);
    let id = found.manifest.id;
    repository.deleted.remove(&id);
    let digest = found.digest;
    let deed = Deed::VersionRestored { id, digest, tags };
    note(registries, ask, (&host, package), deed);
    Ok(nothing())
}

fn note(registries: &mut Registries, ask: &Ask, (host, package): (&str, &Package), deed: Deed) {
    let place = package.repository();
    registries.note((host, &place), By::Client, ask.now, vec![deed]);
}
