//! Records of self-hosted runners, and registering one for one job (GitHub REST API, "Self-hosted runners").

use std::fmt;
use std::sync::Arc;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::GitHub;
use super::call::Call;
use super::packages::encode;
use super::token::Scope;
use crate::fact::Complete;
use crate::fault::{Class, Fault};
use crate::providers::secret::Secret;
use crate::retry::Effect;

/// Records to a page: the most that GitHub gives.
const PAGE: usize = 100;
/// The group that every repository and organization has (GitHub Docs, "Managing access to self-hosted runners using
/// groups": `Default`).
const GROUP: u64 = 1;

/// Whose runners: a repository's or an organization's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RunnersOf {
    /// The host of its page, as in `github.com`.
    pub host: String,
    /// The user or organization.
    pub owner: String,
    /// The repository below it; none: the organization's own.
    pub repository: Option<String>,
}

/// The record of one runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runner {
    /// GitHub's number of it.
    pub id: u64,
    /// Its name, which nobody else has there.
    pub name: String,
    /// Whether it is connected. A record is made before its runner connects for the first time.
    pub is_online: bool,
    /// Whether it has a job. That of a runner which was lost says so for some minutes more.
    pub is_busy: bool,
    /// Whether GitHub removes it after one job; none: this server does not tell.
    pub is_ephemeral: Option<bool>,
    /// Its labels.
    pub labels: Vec<String>,
}

/// A runner that was registered just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// GitHub's number of it.
    pub id: u64,
    /// What lets one process be this runner, for one job.
    pub config: Secret,
}

impl RunnersOf {
    /// Reads the page of a repository or an organization, as in `https://github.com/example/app`.
    pub fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("https://")?;
        let mut parts = rest.split('/');
        let (host, owner) = (parts.next()?, parts.next()?);
        let repository = parts.next().map(str::to_owned);
        let is_name = |it: &str| {
            !it.is_empty()
                && it
                    .bytes()
                    .all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
        };
        let all = [Some(host), Some(owner), repository.as_deref()];
        let is_known = all.into_iter().flatten().all(is_name)
            && parts.next().is_none()
            && !["enterprises", "orgs"].contains(&owner);
        is_known.then(|| Self {
            host: host.to_ascii_lowercase(),
            owner: owner.to_owned(),
            repository,
        })
    }

    fn path(&self, rest: &str) -> String {
        let owner = encode(&self.owner);
        match &self.repository {
            Some(name) => format!("/repos/{owner}/{}/actions/runners{rest}", encode(name)),
            None => format!("/orgs/{owner}/actions/runners{rest}"),
        }
    }

    fn call<'a>(&self, subject: &'a str, rest: &str) -> Call<'a> {
        Call {
            action: "actions/list-self-hosted-runners",
            doing: "list the runners",
            effect: Effect::Read,
            scope: match self.repository {
                Some(_) => Scope::Runners,
                None => Scope::RunnersOfOrganization,
            },
            subject,
            method: Method::GET,
            path: self.path(rest),
            body: Value::Null,
            is_kept: true,
        }
    }
}

impl fmt::Display for RunnersOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repository {
            Some(name) => write!(f, "{}/{name}", self.owner),
            None => f.write_str(&self.owner),
        }
    }
}

impl GitHub {
    /// All records, once a pass. What is not among them may have come since.
    pub async fn runners(&self, of: &RunnersOf) -> Result<Arc<Complete<Runner>>, Fault> {
        let read = || async {
            self.is_here(of)?;
            let subject = of.to_string();
            let call = of.call(&subject, &format!("?per_page={PAGE}"));
            self.list(&call, Some("runners"), read)
                .await
                .map_err(unseen)
        };
        self.runners.get(of, read).await
    }

    /// One record as it is now; none: it is gone. GitHub answers the same to a token that may not look, so whoever concludes
    /// anything from that must have read the list.
    pub async fn runner(&self, of: &RunnersOf, id: u64) -> Result<Option<Runner>, Fault> {
        self.is_here(of)?;
        let subject = format!("{of} {id}");
        let call = Call {
            action: "actions/get-self-hosted-runner",
            doing: "look at a runner",
            is_kept: false,
            ..of.call(&subject, &format!("/{id}"))
        };
        match self.call(&call).await {
            Ok(reply) => match read(&reply.body) {
                Ok((_, runner)) => Ok(Some(runner)),
                Err(why) => Err(call.unreadable(&why)),
            },
            Err(fault) if fault.class == Class::Gone => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The record of this name as it is now; none: there is none.
    pub async fn runner_named(&self, of: &RunnersOf, name: &str) -> Result<Option<Runner>, Fault> {
        self.is_here(of)?;
        let subject = format!("{of} {name}");
        let rest = format!("?name={}&per_page={PAGE}", encode(name));
        let call = Call {
            doing: "look for a runner",
            is_kept: false,
            ..of.call(&subject, &rest)
        };
        let found = self.list(&call, Some("runners"), read).await;
        let found = found.map_err(unseen)?;
        // A server that does not know the filter answers all of them.
        Ok(found.items().iter().find(|it| it.name == name).cloned())
    }

    /// Removes a record; one that is gone is as good. A runner that has a job is refused: [`Class::InUse`]. Once it is done,
    /// GitHub gives that runner no job.
    pub async fn remove_runner(&self, of: &RunnersOf, id: u64) -> Result<(), Fault> {
        let subject = format!("{of} {id}");
        let call = Call {
            action: "actions/delete-self-hosted-runner",
            doing: "remove a runner",
            effect: Effect::Repeatable,
            method: Method::DELETE,
            is_kept: false,
            ..of.call(&subject, &format!("/{id}"))
        };
        let outcome = self.call(&call).await;
        self.runners.forget(of);
        match outcome {
            Ok(_) => Ok(()),
            Err(fault) if fault.class == Class::Gone => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Registers a runner for one job. The name must be free: else [`Class::InUse`].
    ///
    /// It is sent once: an answer that is lost may leave a record that nobody can be. Where there is one, it is removed here,
    /// and the failure stands.
    pub async fn register(
        &self,
        of: &RunnersOf,
        name: &str,
        labels: &[String],
    ) -> Result<Registration, Fault> {
        self.is_here(of)?;
        let subject = format!("{of} {name}");
        let call = Call {
            action: "actions/generate-runner-jitconfig",
            doing: "register a runner",
            effect: Effect::Once,
            method: Method::POST,
            body: json!({"name": name, "runner_group_id": GROUP, "labels": labels, "work_folder": "_work"}),
            is_kept: false,
            ..of.call(&subject, "/generate-jitconfig")
        };
        let outcome = self.call(&call).await;
        self.runners.forget(of);
        let lost = Class::Unavailable {
            maybe_applied: true,
        };
        match outcome {
            Ok(reply) => {
                let made = Made::deserialize(&reply.body);
                let made = made.map_err(|it| call.unreadable(&it.to_string()))?;
                let is_base64 = |it: u8| it.is_ascii_alphanumeric() || b"+/=".contains(&it);
                if !made.encoded_jit_config.bytes().all(is_base64) {
                    return Err(call.unreadable("the configuration is no base64"));
                }
                Ok(Registration {
                    id: made.runner.id,
                    config: Secret::new(&made.encoded_jit_config),
                })
            }
            Err(fault) if fault.class == lost => {
                let left = self.runner_named(of, name).await?;
                if let Some(left) = left.filter(|it| !it.is_online && !it.is_busy) {
                    self.remove_runner(of, left.id).await?;
                }
                Err(fault)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Fails where the page that was declared is of another GitHub than the one that is asked.
    fn is_here(&self, of: &RunnersOf) -> Result<(), Fault> {
        if self.account.serves(&of.host) {
            return Ok(());
        }
        let message = format!("{} does not answer for {}", self.account.host(), of.host);
        let fault = Fault::new(Class::Invalid, "ask for runners", &message).of(&of.to_string());
        Err(fault.hint(&format!(
            "set GITHUB_API_URL, as in https://{}/api/v3 for a server of your own",
            of.host
        )))
    }
}

/// A 404 on a list is what a token sees that may not look, or of a repository that is elsewhere now.
fn unseen(fault: Fault) -> Fault {
    if fault.class != Class::Gone {
        return fault;
    }
    Fault {
        class: Class::Denied,
        message: format!(
            "{}: there is no such repository or organization, or the token may not see its runners",
            fault.message
        ),
        ..fault
    }
}

#[derive(Deserialize)]
struct Made {
    runner: Numbered,
    encoded_jit_config: String,
}

#[derive(Deserialize)]
struct Numbered {
    id: u64,
}

#[derive(Deserialize)]
struct Written {
    id: u64,
    name: String,
    status: String,
    busy: bool,
    ephemeral: Option<bool>,
    labels: Vec<Label>,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

fn read(item: &Value) -> Result<(u64, Runner), String> {
    let written = Written::deserialize(item);
    let written = written.map_err(|it| format!("a runner cannot be read: {it}"))?;
    let is_online = match written.status.as_str() {
        "online" => true,
        "offline" => false,
        other => return Err(format!("a runner is {other:?}, neither online nor offline")),
    };
    let runner = Runner {
        id: written.id,
        name: written.name,
        is_online,
        is_busy: written.busy,
        is_ephemeral: written.ephemeral,
        labels: written.labels.into_iter().map(|it| it.name).collect(),
    };
    Ok((written.id, runner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_a_repository_or_an_organization() {
        let shown = |url: &str| RunnersOf::parse(url).map(|it| it.path("/7"));
        assert_eq!(
            shown("https://github.com/example/app").as_deref(),
            Some("/repos/example/app/actions/runners/7")
        );
        assert_eq!(
            shown("https://git.example.com/example").as_deref(),
            Some("/orgs/example/actions/runners/7")
        );
        for url in [
            "http://github.com/example",
            "https://github.com/",
            "https://github.com/a/b/c",
            "https://github.com/a b",
            "https://github.com/enterprises/a",
            "https://github.com/a/",
        ] {
            assert_eq!(shown(url), None, "{url}");
        }
    }

    #[test]
    fn a_record_in_a_state_that_nobody_knows_is_not_read() {
        let mut item = json!({"id": 34_359_738_369_u64, "name": "a", "os": "linux", "status": "online", "busy": true, "labels": []});
        let (id, runner) = read(&item).expect("a runner");
        assert_eq!(
            (id, runner.is_busy, runner.is_ephemeral),
            (1 << 35 | 1, true, None)
        );
        item["status"] = json!("sleeping");
        assert!(read(&item).is_err());
    }
}
