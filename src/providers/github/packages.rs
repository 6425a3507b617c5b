//! The versions of container packages: listed whole, deleted, restored.

use std::fmt::Write;

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::call::Call;
use super::token::Scope;
use super::{GitHub, Package, Version};
use crate::clock::Timestamp;
use crate::fact::Complete;
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::retry::Effect;

/// Versions to a page: the most that GitHub gives.
const PAGE: usize = 100;
/// Versions to a page where the size of pages is not documented (GitHub REST API, "List package versions for a package
/// owned by a user").
const PAGE_LEAST: usize = 30;

/// Under which path the packages of an owner are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// An organization.
    Organization,
    /// Whoever the token is of.
    Ourselves,
    /// Another user.
    User,
}

impl Package {
    /// The path of the package. A name with slashes is one part of it.
    fn path(&self, owner: Owner) -> String {
        let (login, name) = (encode(&self.owner), encode(&self.name));
        match owner {
            Owner::Organization => format!("/orgs/{login}/packages/container/{name}"),
            Owner::Ourselves => format!("/user/packages/container/{name}"),
            Owner::User => format!("/users/{login}/packages/container/{name}"),
        }
    }

    fn call<'a>(&self, subject: &'a str, owner: Owner, rest: &str) -> Call<'a> {
        Call {
            action: "packages/get-package",
            doing: "look at a package",
            effect: Effect::Read,
            scope: Scope::Packages,
            subject,
            method: Method::GET,
            path: format!("{}{rest}", self.path(owner)),
            body: Value::Null,
            is_kept: false,
        }
    }
}

impl GitHub {
    pub(super) async fn read_versions(
        &self,
        package: &Package,
        state: &'static str,
    ) -> Result<Complete<Version>, Fault> {
        let subject = package.to_string();
        let owner = self.owner(package).unwrap_or(Owner::Organization);
        match self.list_versions(package, owner, state).await {
            Err(fault) if fault.class == Class::Gone && self.owner(package).is_none() => {
                let owner = self.find_owner(package).await?;
                self.remember_owner(package, owner);
                self.list_versions(package, owner, state).await
            }
            Err(fault) if fault.class == Class::Gone => Err(hidden(&subject, fault)),
            Ok(versions) => {
                self.remember_owner(package, owner);
                Ok(versions)
            }
            Err(fault) => Err(fault),
        }
    }

    async fn list_versions(
        &self,
        package: &Package,
        owner: Owner,
        state: &'static str,
    ) -> Result<Complete<Version>, Fault> {
        let subject = package.to_string();
        let query = match owner {
            Owner::Organization | Owner::Ourselves => format!("?per_page={PAGE}&state={state}"),
            Owner::User => String::new(),
        };
        let call = Call {
            action: "packages/get-all-package-versions",
            doing: "list the versions of a package",
            ..package.call(&subject, owner, &format!("/versions{query}"))
        };
        if owner == Owner::User && state != ACTIVE {
            let message =
                "GitHub lists the deleted versions of a user only by that user's own token";
            return Err(call.fault(Class::Denied, message).hint(call.scope.advice()));
        }
        let versions = self.list(&call, None, read_version).await?;
        // That a listing without documented pages has an end cannot be seen on a full one.
        if owner == Owner::User && versions.items().len() >= PAGE_LEAST {
            let message =
                "GitHub does not say whether these are all versions of another user's package";
            return Err(call.unreadable(message));
        }
        Ok(versions)
    }

    /// Finds out under which path a package is that is of no organization.
    async fn find_owner(&self, package: &Package) -> Result<Owner, Fault> {
        let subject = package.to_string();
        let of_user = self.call(&package.call(&subject, Owner::User, "")).await;
        let of_user = of_user.map_err(|fault| hidden(&subject, fault))?;
        // The same name may be another package there, of whoever the token is of.
        match self
            .call(&package.call(&subject, Owner::Ourselves, ""))
            .await
        {
            Ok(ours) if ours.body.get("id") == of_user.body.get("id") => Ok(Owner::Ourselves),
            Ok(_) => Ok(Owner::User),
            Err(fault) if matches!(fault.class, Class::Gone | Class::Denied) => Ok(Owner::User),
            Err(fault) => Err(fault),
        }
    }

    /// The path of a package, found by a listing where it is not known yet.
    async fn known_owner(&self, package: &Package) -> Result<Owner, Fault> {
        if self.owner(package).is_none() {
            self.versions(package).await?;
        }
        Ok(self.owner(package).unwrap_or(Owner::Organization))
    }

    /// The version that was made last, as the first page tells now; none: there is none.
    pub async fn newest_version(&self, package: &Package) -> Result<Option<Version>, Fault> {
        let subject = package.to_string();
        let owner = self.known_owner(package).await?;
        let query = match owner {
            Owner::Organization | Owner::Ourselves => format!("?per_page=1&state={ACTIVE}"),
            Owner::User => String::new(),
        };
        let call = Call {
            action: "packages/get-all-package-versions",
            doing: "look at the newest version of a package",
            ..package.call(&subject, owner, &format!("/versions{query}"))
        };
        let reply = self.call(&call).await?;
        let page = reply.body.as_array();
        let page = page.ok_or_else(|| call.unreadable("the page is no list"))?;
        let versions: Result<Vec<_>, String> = page.iter().map(read_version).collect();
        let versions = versions.map_err(|why| call.unreadable(&why))?;
        let versions = versions.into_iter().map(|(_, it)| it);
        // By their numbers where two were made in one second: everybody must see the same one.
        Ok(versions.max_by_key(|it| (it.created, it.id)))
    }

    /// One version as it is now; none: it is gone, or hidden from a token that may not see it.
    pub async fn version(&self, package: &Package, id: u64) -> Result<Option<Version>, Fault> {
        let subject = format!("{package} {id}");
        let owner = self.known_owner(package).await?;
        let call = Call {
            action: "packages/get-package-version",
            doing: "look at a version",
            ..package.call(&subject, owner, &format!("/versions/{id}"))
        };
        match self.call(&call).await {
            Ok(reply) => match read_version(&reply.body) {
                Ok((_, version)) => Ok(Some(version)),
                Err(why) => Err(call.unreadable(&why)),
            },
            Err(fault) if fault.class == Class::Gone => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn remove_version(&self, package: &Package, id: u64) -> Result<(), Fault> {
        let subject = format!("{package} {id}");
        let owner = self.known_owner(package).await?;
        let call = Call {
            action: "packages/delete-package-version",
            doing: "delete a version",
            effect: Effect::Repeatable,
            method: Method::DELETE,
            ..package.call(&subject, owner, &format!("/versions/{id}"))
        };
        match self.call(&call).await {
            Ok(_) => Ok(()),
            // It is gone, or it is hidden from who may not delete it: only what is still there tells the difference.
            Err(fault) if fault.class == Class::Gone => match self.version(package, id).await? {
                None => Ok(()),
                Some(_) => Err(Fault {
                    class: Class::Denied,
                    message: format!(
                        "{}; the version is there, so the token may not delete it",
                        fault.message
                    ),
                    ..fault
                }),
            },
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn bring_back(&self, package: &Package, id: u64) -> Result<(), Fault> {
        let subject = format!("{package} {id}");
        let owner = self.known_owner(package).await?;
        let call = Call {
            action: "packages/restore-package-version",
            doing: "restore a version",
            effect: Effect::Repeatable,
            method: Method::POST,
            ..package.call(&subject, owner, &format!("/versions/{id}/restore"))
        };
        match self.call(&call).await {
            Ok(_) => Ok(()),
            // An answer that was lost: the second time there is nothing to restore.
            Err(fault) if fault.class == Class::Gone => match self.version(package, id).await? {
                Some(_) => Ok(()),
                None => Err(fault.hint(
                    "GitHub restores a version within 30 days, while nothing else has its place, and to a token with write:packages",
                )),
            },
            Err(fault) => Err(fault),
        }
    }
}

/// The state of versions that exist.
pub(super) const ACTIVE: &str = "active";
/// The state of versions that can be restored.
pub(super) const DELETED: &str = "deleted";

/// A 404 says that there is nothing, or that the token may not see it: never that there are no versions.
fn hidden(subject: &str, fault: Fault) -> Fault {
    if fault.class != Class::Gone {
        return fault;
    }
    let message = format!(
        "{}: there is no such package, or the token may not see it",
        fault.message
    );
    Fault {
        class: Class::Denied,
        subject: Some(subject.to_owned()),
        message,
        ..fault
    }
}

#[derive(Deserialize)]
struct Written {
    id: u64,
    name: Digest,
    created_at: Timestamp,
    updated_at: Timestamp,
    deleted_at: Option<Timestamp>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    container: Container,
}

#[derive(Deserialize)]
struct Container {
    tags: Vec<String>,
}

fn read_version(item: &Value) -> Result<(u64, Version), String> {
    let written = Written::deserialize(item);
    let written = written.map_err(|it| format!("a version cannot be read: {it}"))?;
    let mut tags = written.metadata.container.tags;
    tags.sort();
    let version = Version {
        id: written.id,
        digest: written.name,
        tags,
        created: written.created_at,
        updated: written.updated_at,
        deleted: written.deleted_at,
    };
    Ok((written.id, version))
}

/// One part of a path (RFC 3986, "Unreserved Characters").
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => write!(encoded, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_slashes_is_one_part_of_the_path() {
        let package = Package {
            owner: "example".to_owned(),
            name: "team/app".to_owned(),
        };
        let path = |owner| package.path(owner);
        assert_eq!(
            path(Owner::Organization),
            "/orgs/example/packages/container/team%2Fapp"
        );
        assert_eq!(
            path(Owner::Ourselves),
            "/user/packages/container/team%2Fapp"
        );
        assert_eq!(
            path(Owner::User),
            "/users/example/packages/container/team%2Fapp"
        );
    }

    #[test]
    fn a_version_without_tags_that_can_be_read_is_no_version_without_tags() {
        let digest = Digest::of(b"one");
        let mut item = serde_json::json!({
            "id": 7, "name": digest, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T00:00:00Z",
            "metadata": {"package_type": "container", "container": {"tags": ["b", "a"]}},
        });
        let (id, version) = read_version(&item).expect("a version");
        assert_eq!(
            (id, version.tags),
            (7, vec!["a".to_owned(), "b".to_owned()])
        );
        item["metadata"] = Value::Null;
        assert!(read_version(&item).is_err());
    }
}
