//! `restore`: what GitHub still holds of the versions that were deleted from a package, and how one comes back.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::engine::load;
use crate::fault::Fault;
use crate::ids::{Digest, ResourceId};
use crate::kind::Kind;
use crate::kinds::KINDS;
use crate::kinds::image_repository::{self, ImageRepository};
use crate::kinds::registry::{self, Deletion, Registry};
use crate::providers::Clients;
use crate::providers::github::{Package, Version};
use crate::providers::registry::content::Content;
use crate::providers::registry::{Location, Site};

use super::arguments::{Form, Global, Lost};
use super::cloud::with_cloud;
use super::output::{self, Failure, Output};
use super::{settings, workflow};

/// How deep indexes may lie in each other.
const DEPTH_MAX: usize = 32;

pub(super) fn restore(global: &Global, lost: &Lost, output: Output) -> Result<u8, Failure> {
    let (package, home) = place(global, &lost.repository)?;
    let Some(wanted) = &lost.digest else {
        let versions = with_cloud(global, async |cloud| {
            let listed = cloud.clients.github.deleted_versions(&package).await;
            listed.map_err(|it| Failure::of(&it))
        })?;
        print(&package, versions.items(), output);
        return Ok(0);
    };
    let Some(digest) = Digest::parse(wanted) else {
        let message = format!(
            "`{wanted}` is no digest: write one as `reconcile restore {package}` lists them"
        );
        return Err(Failure::usage(&message));
    };
    workflow::refuse_to_apply(global)?;
    let back = with_cloud(global, async |cloud| {
        let restoring = Restoring {
            clients: &cloud.clients,
            package: &package,
            home: &home,
        };
        restoring.bring_back(&digest).await
    })?;
    match output.form {
        Form::Text | Form::Markdown => output::print(&back.text(&package)),
        Form::Json => output::print_json(&json!({
            "formatVersion": 1,
            "package": package.to_string(),
            "restored": back.restored,
            "version": shown(&back.version),
            "parts": back.parts.iter().map(shown).collect::<Vec<_>>(),
            "lost": back.lost,
        })),
    }
    Ok(u8::from(!back.lost.is_empty()))
}

/// What came back.
struct Back {
    version: Version,
    /// False: it was there.
    restored: bool,
    /// What it is put together of and was not there either.
    parts: Vec<Version>,
    /// What it is put together of, and GitHub holds no more.
    lost: Vec<Digest>,
}

impl Back {
    fn text(&self, package: &Package) -> String {
        let said = if self.restored {
            "restored"
        } else {
            "was there already"
        };
        let (digest, tags) = (&self.version.digest, tags(&self.version));
        let first = format!("{digest} of {package} {said}{tags}\n");
        let parts = self.parts.iter();
        let parts = parts.map(|it| format!("{} restored with it{}\n", it.digest, self::tags(it)));
        let lost = self.lost.iter();
        let lost = lost.map(|it| {
            format!("{it} is a part of it that GitHub does not hold any more: push it again\n")
        });
        std::iter::once(first).chain(parts).chain(lost).collect()
    }
}

/// Where something comes back.
struct Restoring<'a> {
    clients: &'a Clients,
    package: &'a Package,
    home: &'a Location,
}

impl Restoring<'_> {
    /// Brings a version back, and what it is put together of. One that was pushed again since it was deleted is there, and
    /// held besides.
    async fn bring_back(&self, digest: &Digest) -> Result<Back, Failure> {
        let (github, package) = (&self.clients.github, self.package);
        let failed = |it: Fault| Failure::of(&it);
        let is_meant = |it: &&Version| it.digest == *digest;
        let there = github.versions(package).await.map_err(failed)?;
        let held = github.deleted_versions(package).await.map_err(failed)?;
        let (there, held) = (there.items(), held.items());
        if let Some(version) = there.iter().find(is_meant) {
            let back = (version.clone(), false);
            return self.with_parts(back, (there, held)).await;
        }
        let Some(version) = held.iter().find(is_meant) else {
            let message = format!(
                "GitHub holds no deleted version {digest} of {package}: it keeps them for 30 days\n  hint: `reconcile restore {package}` lists what it holds"
            );
            return Err(Failure::new(1, &message));
        };
        let restored = github.restore_version(package, version.id).await;
        restored.map_err(failed)?;
        self.with_parts((version.clone(), true), (there, held))
            .await
    }

    /// Only a version that is there can be read, so its parts come after it.
    async fn with_parts(
        &self,
        (version, restored): (Version, bool),
        (there, held): (&[Version], &[Version]),
    ) -> Result<Back, Failure> {
        let mut known: BTreeSet<Digest> = there.iter().map(|it| it.digest.clone()).collect();
        known.insert(version.digest.clone());
        let mut next = vec![version.digest.clone()];
        let mut back = Back {
            version,
            restored,
            parts: Vec::new(),
            lost: Vec::new(),
        };
        for _ in 0..DEPTH_MAX {
            let mut found = Vec::new();
            for digest in std::mem::take(&mut next) {
                found.extend(self.parts_of(&digest).await?);
            }
            for part in found {
                if !known.insert(part.clone()) {
                    continue;
                }
                let Some(version) = held.iter().find(|it| it.digest == part) else {
                    back.lost.push(part);
                    continue;
                };
                let restored = self
                    .clients
                    .github
                    .restore_version(self.package, version.id);
                restored.await.map_err(|it| Failure::of(&it))?;
                back.parts.push(version.clone());
                next.push(part);
            }
        }
        Ok(back)
    }

    async fn parts_of(&self, digest: &Digest) -> Result<Vec<Digest>, Failure> {
        let manifest = self.clients.registries.manifest(self.home, digest).await;
        let manifest = manifest.map_err(|it| Failure::of(&it))?;
        let unread = |why: &str| {
            let message = format!(
                "{digest} of {} is there, and what it is put together of cannot be told: {why}\n  hint: the same command goes on with it",
                self.package
            );
            Failure::new(1, &message)
        };
        let manifest = manifest.ok_or_else(|| unread("the registry does not show it yet"))?;
        match manifest.content().map_err(|it| unread(&it))? {
            Content::Index(index) => Ok(index.manifests.into_iter().map(|it| it.digest).collect()),
            Content::Image(_) => Ok(Vec::new()),
        }
    }
}

/// The package that a name on the command line means, OWNER/NAME or an `ImageRepository` in the state files, and where
/// what it holds is pulled from.
fn place(global: &Global, name: &str) -> Result<(Package, Location), Failure> {
    let home = |site: Site, repository: &str| Location {
        site,
        repository: repository.to_owned(),
    };
    if let Some(package) = Package::of_repository(name) {
        let site = Site {
            host: "ghcr.io".to_owned(),
            insecure: false,
            login: None,
        };
        return Ok((package, home(site, name)));
    }
    let inventory =
        load(&settings::state_folder(global), KINDS).map_err(|it| Failure::invalid(&it))?;
    let spec = |kind: &str, name: &str| {
        let found = inventory.resources.get(&ResourceId::new(kind, name));
        found.map(|it| it.spec())
    };
    let declared = spec(ImageRepository::NAME, name)
        .and_then(|it| it.downcast_ref::<image_repository::Spec>());
    let Some(declared) = declared else {
        let message = format!(
            "there is no {} named {name} (write the name of one, or OWNER/NAME)",
            ImageRepository::NAME
        );
        return Err(Failure::usage(&message));
    };
    let registry = spec(Registry::NAME, declared.registry_ref.as_str());
    let registry = registry.and_then(|it| it.downcast_ref::<registry::Spec>());
    let registry = registry.filter(|it| it.deletion() == Deletion::Packages);
    let package = Package::of_repository(&declared.repository);
    match (registry, package) {
        (Some(registry), Some(package)) => {
            Ok((package, home(registry.site(), &declared.repository)))
        }
        (_, _) => Err(Failure::usage(&format!(
            "{name} is in no registry that holds what was deleted: only GitHub does, for 30 days"
        ))),
    }
}

fn print(package: &Package, versions: &[Version], output: Output) {
    match output.form {
        Form::Json => {
            let versions: Vec<Value> = versions.iter().map(shown).collect();
            output::print_json(&json!({
                "formatVersion": 1,
                "package": package.to_string(),
                "versions": versions,
            }));
        }
        Form::Text | Form::Markdown if versions.is_empty() => {
            output::print(&format!("GitHub holds no deleted version of {package}.\n"));
        }
        Form::Text | Form::Markdown => {
            let line = |it: &Version| {
                let deleted = it
                    .deleted
                    .map_or("at an unknown time".to_owned(), |at| at.to_string());
                format!(
                    "{}  deleted {deleted}, created {}, id {}{}\n",
                    it.digest,
                    it.created,
                    it.id,
                    tags(it)
                )
            };
            output::print(&versions.iter().map(line).collect::<String>());
        }
    }
}

/// The tags that a version had or has, where GitHub tells.
fn tags(version: &Version) -> String {
    match version.tags.as_slice() {
        [] => String::new(),
        tags => format!(", tags {}", tags.join(", ")),
    }
}

fn shown(version: &Version) -> Value {
    json!({
        "digest": version.digest,
        "id": version.id,
        "tags": version.tags,
        "createdAt": version.created,
        "deletedAt": version.deleted,
    })
}
