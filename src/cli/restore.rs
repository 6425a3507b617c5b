//! `restore`: what GitHub still holds of the versions that were deleted from a package, and how one comes back.

use serde_json::{Value, json};

use crate::engine::load;
use crate::fault::Fault;
use crate::ids::{Digest, ResourceId};
use crate::kind::Kind;
use crate::kinds::KINDS;
use crate::kinds::image_repository::{self, ImageRepository};
use crate::kinds::registry::{self, Deletion, Registry};
use crate::providers::github::{GitHub, Package, Version};

use super::arguments::{Form, Global, Lost};
use super::cloud::with_cloud;
use super::output::{self, Failure, Output};
use super::{settings, workflow};

pub(super) fn restore(global: &Global, lost: &Lost, output: Output) -> Result<u8, Failure> {
    let package = package(global, &lost.repository)?;
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
    let (version, is_back) = with_cloud(global, async |cloud| {
        let (package, digest) = (&package, &digest);
        bring_back(&cloud.clients.github, package, digest).await
    })?;
    let said = if is_back {
        "restored"
    } else {
        "was there already"
    };
    match output.form {
        Form::Text | Form::Markdown => {
            output::print(&format!("{digest} of {package} {said}{}\n", tags(&version)));
        }
        Form::Json => output::print_json(&json!({
            "formatVersion": 1,
            "package": package.to_string(),
            "restored": is_back,
            "version": shown(&version),
        })),
    }
    Ok(0)
}

/// Brings a version back; false: it is there. One that was pushed again since it was deleted is there, and held besides.
async fn bring_back(
    github: &GitHub,
    package: &Package,
    digest: &Digest,
) -> Result<(Version, bool), Failure> {
    let failed = |it: Fault| Failure::of(&it);
    let is_meant = |it: &&Version| it.digest == *digest;
    let there = github.versions(package).await.map_err(failed)?;
    if let Some(version) = there.items().iter().find(is_meant) {
        return Ok((version.clone(), false));
    }
    let held = github.deleted_versions(package).await.map_err(failed)?;
    let Some(version) = held.items().iter().find(is_meant) else {
        let message = format!(
            "GitHub holds no deleted version {digest} of {package}: it keeps them for 30 days\n  hint: `reconcile restore {package}` lists what it holds"
        );
        return Err(Failure::new(1, &message));
    };
    let restored = github.restore_version(package, version.id).await;
    restored.map_err(failed)?;
    Ok((version.clone(), true))
}

/// The package that a name on the command line means: OWNER/NAME, or an `ImageRepository` in the state files.
fn package(global: &Global, name: &str) -> Result<Package, Failure> {
    if let Some(package) = Package::of_repository(name) {
        return Ok(package);
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
    let deletion = registry
        .and_then(|it| it.downcast_ref::<registry::Spec>())
        .map(registry::Spec::deletion);
    let package = Package::of_repository(&declared.repository);
    match (deletion, package) {
        (Some(Deletion::Packages), Some(package)) => Ok(package),
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
