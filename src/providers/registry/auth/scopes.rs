//! What a token allows, merged from what we want and what a registry asks for. Pure.
//!
//! Source: documentation of Distribution, "Token scope".

use std::collections::{BTreeMap, BTreeSet};

/// Resources, as in `repository:example/app`, and what may be done to each.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::providers::registry) struct Scopes(BTreeMap<String, BTreeSet<String>>);

impl Scopes {
    /// The right to do something to a repository, as in `pull,push`.
    pub(in crate::providers::registry) fn of(repository: &str, actions: &str) -> Self {
        let mut scopes = Self::default();
        scopes.add(&format!("repository:{repository}:{actions}"));
        scopes
    }

    /// Both rights.
    #[must_use]
    pub(in crate::providers::registry) fn and(mut self, other: &Self) -> Self {
        for (resource, actions) in &other.0 {
            let mine = self.0.entry(resource.clone()).or_default();
            mine.extend(actions.iter().cloned());
        }
        self
    }

    /// Reads what a challenge asks for: scopes with spaces between them.
    pub(in crate::providers::registry) fn read(text: &str) -> Self {
        let mut scopes = Self::default();
        text.split_ascii_whitespace().for_each(|it| scopes.add(it));
        scopes
    }

    /// A resource's name may hold colons, its actions do not.
    fn add(&mut self, scope: &str) {
        if let Some((resource, actions)) = scope.rsplit_once(':') {
            let mine = self.0.entry(resource.to_owned()).or_default();
            let actions = actions.split(',').filter(|it| !it.is_empty());
            mine.extend(actions.map(str::to_owned));
        }
    }

    /// One text a resource.
    pub(in crate::providers::registry) fn texts(&self) -> Vec<String> {
        let text = |(resource, actions): (&String, &BTreeSet<String>)| {
            let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
            format!("{resource}:{}", actions.join(","))
        };
        self.0.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_of_one_resource_become_one() {
        let ours = Scopes::of("a/b", "pull").and(&Scopes::of("c", "pull,push"));
        let theirs =
            Scopes::read("repository:a/b:push,pull registry:host:5000/x:* bad repository:c:");
        assert_eq!(
            ours.and(&theirs).texts(),
            [
                "registry:host:5000/x:*",
                "repository:a/b:pull,push",
                "repository:c:pull,push"
            ]
        );
    }
}
