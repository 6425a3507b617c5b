//! The tags that say whose an object is: tags are identity, names are presentation.

use std::collections::BTreeMap;

use crate::ids::ResourceId;

/// The scope that manages an object; an object of another scope is foreign.
pub const MANAGED_BY: &str = "reconcile:managed-by";
/// The resource that an object belongs to, as `Kind/name`.
pub const OWNER: &str = "reconcile:owner";
/// On a snapshot: the image it was behind, which is to be deleted.
pub const ORPHAN_OF: &str = "reconcile:orphan-of";
/// On an instance: its removal has begun.
pub const RETIRING: &str = "reconcile:retiring";
/// On an instance: since when it was seen without work.
pub const IDLE_SINCE: &str = "reconcile:idle-since";
/// On what was built, and on what builds it: the hash of what it is made from.
pub const VERSION: &str = "reconcile:version";
/// On an image: the machine that it was made of.
pub const BUILDER: &str = "reconcile:builder";
/// On a machine: the number of its runner on GitHub.
pub const RUNNER: &str = "reconcile:runner-id";
/// On a machine: where that runner is registered, as in `github.com/example/app`.
pub const RUNNER_OF: &str = "reconcile:runner-of";
/// On a machine: the number of the job that it was launched for.
pub const JOB: &str = "reconcile:job";
/// On a machine: what an hour of it cost when it was launched, in CNY.
pub const PRICE: &str = "reconcile:price";
/// On what was built: when its builder was created, in seconds since 1970. Consumers of today's scripts read it.
pub const BUILD_TIMESTAMP: &str = "BuildTimestamp";
/// On what was built, and on what builds it: `amd64` or `arm64`. Consumers of today's scripts read it.
pub const ARCHITECTURE: &str = "Architecture";
/// On exactly one image of a line: it is the one that `-latest` names. Consumers of today's scripts read it.
pub const LATEST: &str = "Latest";

/// Whose an object is, by its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It belongs to the resource that asks.
    Ours,
    /// No resource and no other scope has it.
    Nobody,
    /// It belongs to another resource of this scope.
    Resource(String),
    /// It belongs to another scope.
    Scope(String),
}

/// The tags that make an object belong to a resource.
pub fn ownership(scope: &str, id: &ResourceId) -> BTreeMap<String, String> {
    BTreeMap::from([
        (MANAGED_BY.to_owned(), scope.to_owned()),
        (OWNER.to_owned(), id.to_string()),
    ])
}

/// Says whose an object with these tags is, seen from the resource `id` of `scope`.
pub fn owner(tags: &BTreeMap<String, String>, scope: &str, id: &ResourceId) -> Owner {
    match (tags.get(MANAGED_BY), tags.get(OWNER)) {
        (Some(other), _) if other != scope => Owner::Scope(other.clone()),
        (Some(_), Some(owner)) if is_of(owner, id) => Owner::Ours,
        (_, Some(owner)) => Owner::Resource(owner.clone()),
        (_, None) => Owner::Nobody,
    }
}

fn is_of(owner: &str, id: &ResourceId) -> bool {
    owner.split_once('/') == Some((&id.kind, &id.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_scope_is_foreign_whatever_the_owner_says() {
        let id = ResourceId::new("MachineImage", "demo");
        let ours = ownership("demo", &id);
        assert_eq!(owner(&ours, "demo", &id), Owner::Ours);
        assert_eq!(owner(&ours, "prod", &id), Owner::Scope("demo".to_owned()));
        assert_eq!(owner(&BTreeMap::new(), "demo", &id), Owner::Nobody);
        let other = ResourceId::new("MachineImage", "other");
        assert_eq!(
            owner(&ours, "demo", &other),
            Owner::Resource("MachineImage/demo".to_owned())
        );
        let without_scope = BTreeMap::from([(OWNER.to_owned(), id.to_string())]);
        assert_eq!(
            owner(&without_scope, "demo", &id),
            Owner::Resource(id.to_string())
        );
    }
}
