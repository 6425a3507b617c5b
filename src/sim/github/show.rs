//! How packages, versions and runs look (GitHub REST API, "Packages" and "Workflow runs").

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::sim::github::runs::Run;
use crate::sim::github::wire::Ask;
use crate::sim::registry::Manifest;
use crate::sim::registry::store::{Repository, number};

/// A version of a package: its manifest, and when it was last changed.
pub(super) struct Version<'a> {
    pub(super) digest: &'a Digest,
    pub(super) manifest: &'a Manifest,
    pub(super) tags: Vec<String>,
    pub(super) updated: Timestamp,
    pub(super) deleted: Option<Timestamp>,
}

/// A version. `place` is where the package is, as in `orgs/example/packages/container/app`.
pub(super) fn version(ask: &Ask, place: &str, version: &Version) -> Value {
    let Manifest { id, created, .. } = version.manifest;
    let mut shown = json!({
        "id": id,
        "name": version.digest,
        "url": format!("{}/{place}/versions/{id}", ask.base),
        "package_html_url": format!("https://github.com/{place}"),
        "html_url": format!("https://github.com/{place}/{id}"),
        "created_at": created,
        "updated_at": version.updated,
        "metadata": {"package_type": "container", "container": {"tags": version.tags}},
    });
    if let Some(deleted) = version.deleted {
        shown["deleted_at"] = json!(deleted);
    }
    shown
}

pub(super) fn package(ask: &Ask, (owner, name): (&str, &str), repository: &Repository) -> Value {
    let versions: Vec<_> = repository.manifests().collect();
    let created = versions.iter().map(|(_, it)| it.created).min();
    let updated = versions.iter().map(|(it, _)| repository.updated(it)).max();
    let escaped = name.replace('/', "%2F");
    json!({
        "id": number(&format!("package/{owner}/{name}")),
        "name": name,
        "package_type": "container",
        "visibility": if repository.public { "public" } else { "private" },
        "url": format!("{}/orgs/{owner}/packages/container/{escaped}", ask.base),
        "html_url": format!("https://github.com/orgs/{owner}/packages/container/package/{escaped}"),
        "version_count": versions.len(),
        "owner": user(owner),
        "created_at": created.unwrap_or(Timestamp::EPOCH),
        "updated_at": updated.unwrap_or(Timestamp::EPOCH),
    })
}

pub(super) fn user(login: &str) -> Value {
    json!({
        "login": login,
        "id": number(&format!("user/{login}")),
        "node_id": format!("U_{login}"),
        "url": format!("https://api.github.com/users/{login}"),
        "html_url": format!("https://github.com/{login}"),
        "type": "User",
        "site_admin": false,
    })
}

fn repository(full_name: &str) -> Value {
    let (owner, name) = full_name.split_once('/').unwrap_or_default();
    json!({
        "id": number(&format!("repository/{full_name}")),
        "node_id": format!("R_{name}"),
        "name": name,
        "full_name": full_name,
        "owner": user(owner),
        "private": false,
        "html_url": format!("https://github.com/{full_name}"),
        "description": null,
        "fork": false,
        "url": format!("https://api.github.com/repos/{full_name}"),
    })
}

/// A run, as it is at `at`.
pub(super) fn run(ask: &Ask, run: &Run, at: Timestamp) -> Value {
    let status = run.status(at);
    let conclusion = run.conclusion_at(at);
    let url = run.url(&ask.base);
    let commit = format!("{:040x}", number(&run.repository));
    json!({
        "id": run.id,
        "name": run.file,
        "node_id": format!("WFR_{}", run.id),
        "head_branch": run.reference,
        "head_sha": commit,
        "path": format!(".github/workflows/{}", run.file),
        "display_title": run.file,
        "run_number": run.number,
        "run_attempt": 1,
        "event": run.event,
        "status": status,
        "conclusion": conclusion,
        "workflow_id": run.workflow_id(),
        "url": url,
        "html_url": run.html_url(),
        "pull_requests": [],
        "created_at": run.created,
        "updated_at": run.changed(at),
        "run_started_at": run.created,
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "check_suite_url": format!("{}/repos/{}/check-suites/{}", ask.base, run.repository, run.id),
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "workflow_url": format!("{}/repos/{}/actions/workflows/{}", ask.base, run.repository, run.workflow_id()),
        "head_commit": {
            "id": commit, "tree_id": commit, "message": "", "timestamp": run.created,
            "author": null, "committer": null,
        },
        "repository": repository(&run.repository),
        "head_repository": repository(&run.repository),
    })
}
