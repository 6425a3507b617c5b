//! Tokens: which one is for what, and where they are sent.

use std::fmt;

use http::HeaderValue;
use reqwest::Url;

use crate::fault::{Class, Fault};
use crate::providers::Settings;
use crate::providers::http::is_loopback;

/// Where GitHub answers: everything that holds a token goes there and nowhere else.
const BASE: &str = "GITHUB_API_URL";
/// Where it answers when nothing else is said.
const USUAL_BASE: &str = "https://api.github.com";
/// For packages: a classic token (GitHub Docs, "About permissions for GitHub Packages").
const FOR_PACKAGES: &str = "GHCR_TOKEN";
/// For all the rest, and for packages where there is no other.
const FOR_ALL: &str = "GITHUB_TOKEN";

/// What a call is about: it decides by which token it is made, and what that token may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Versions of packages.
    Packages,
    /// Workflows and their runs.
    Actions,
    /// Runners of a repository.
    Runners,
    /// Runners of an organization.
    RunnersOfOrganization,
}

impl Scope {
    /// Whether the token of an App's installation is taken where there is one: packages know none (GitHub Docs, "About
    /// permissions for GitHub Packages").
    pub(super) fn is_for_apps(self) -> bool {
        match self {
            Self::Packages => false,
            Self::Actions | Self::Runners | Self::RunnersOfOrganization => true,
        }
    }

    /// What the token must be allowed (GitHub Docs, "About permissions for GitHub Packages"; GitHub REST API,
    /// "Workflows").
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Packages => {
                "GHCR_TOKEN must be a classic token with read:packages, delete:packages to delete and write:packages to restore; in a workflow GITHUB_TOKEN with packages: write does where the package lists this repository as admin under \"Manage Actions access\""
            }
            Self::Actions => {
                "GITHUB_TOKEN needs Actions: read, and write to start a workflow (a classic token: repo; in a workflow: permissions: actions: write)"
            }
            Self::Runners => {
                "the token needs Administration: read, and write to register and remove runners (a classic token: repo); the token of a workflow cannot have it, so take a GitHub App (RECONCILE_GITHUB_APP_ID) or a personal token as GITHUB_TOKEN"
            }
            Self::RunnersOfOrganization => {
                "the token needs the organization's permission Self-hosted runners: read, and write to register and remove runners (a classic token: admin:org); the token of a workflow cannot have it, so take a GitHub App (RECONCILE_GITHUB_APP_ID) or a personal token as GITHUB_TOKEN"
            }
        }
    }
}

/// A token, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(String);

impl Token {
    pub(super) fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// What proves who we are.
    pub(super) fn header(&self) -> Result<HeaderValue, String> {
        let value = HeaderValue::try_from(format!("Bearer {}", self.0));
        let mut value =
            value.map_err(|_| "the token holds characters that none may have".to_owned())?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where GitHub is, and who we are there.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// The base URL, without a slash at its end.
    base: Url,
    packages: Option<Token>,
    all: Option<Token>,
}

impl Account {
    /// Fails when the settings name a base that must not be used.
    pub(super) fn new(settings: &Settings) -> Result<Self, Fault> {
        let token = |name| settings.get(name).map(Token::new);
        Ok(Self {
            base: base(settings.get(BASE).unwrap_or(USUAL_BASE))?,
            packages: token(FOR_PACKAGES),
            all: token(FOR_ALL),
        })
    }

    /// The URL of a path with its query, both of which are encoded already.
    pub(super) fn url(&self, path: &str) -> Result<Url, String> {
        let text = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        Url::parse(&text).map_err(|it| format!("{text} is no URL: {it}"))
    }

    /// Whether a URL that an answer named is GitHub's: nothing is sent anywhere else.
    pub(super) fn is_home_of(&self, url: &Url) -> bool {
        let path = self.base.path().trim_end_matches('/');
        url.origin() == self.base.origin()
            && url
                .path()
                .strip_prefix(path)
                .is_some_and(|it| it.starts_with('/'))
    }

    /// The host that is asked.
    pub(super) fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    /// Whether it answers for pages of this host: `api.github.com` for `github.com`, `api.SUB.ghe.com` for `SUB.ghe.com`, a
    /// server of one's own for itself, and one on this machine for all (GitHub Enterprise Docs, "Getting started with the
    /// REST API").
    pub(super) fn serves(&self, host: &str) -> bool {
        let mine = self.host();
        is_loopback(&self.base) || mine == host || mine.strip_prefix("api.") == Some(host)
    }

    /// What proves who we are; none: there is no token.
    pub(super) fn authorization(&self, scope: Scope) -> Result<Option<HeaderValue>, String> {
        self.token(scope).map(Token::header).transpose()
    }

    /// What a service said, fit to be shown: on one line, not too long, without the token.
    pub(super) fn clean(&self, text: &str, scope: Scope) -> String {
        let text = match self.token(scope) {
            Some(Token(token)) if !token.is_empty() => text.replace(token, "***"),
            Some(_) | None => text.to_owned(),
        };
        let words = text.split(|it: char| it.is_control() || it.is_whitespace());
        let line = words
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        line.chars().take(WORDS_MAX).collect()
    }

    fn token(&self, scope: Scope) -> Option<&Token> {
        match scope {
            Scope::Packages => self.packages.as_ref().or(self.all.as_ref()),
            Scope::Actions | Scope::Runners | Scope::RunnersOfOrganization => self.all.as_ref(),
        }
    }
}

/// How much of a service's words is shown.
const WORDS_MAX: usize = 300;

/// A base URL that may be used: https, or http on this machine, with nothing but a path.
fn base(text: &str) -> Result<Url, Fault> {
    let refusal =
        |why: &str| {
            Err(Fault::new(Class::Invalid, "reach GitHub", &format!("{BASE} {why}"))
            .hint("leave it out for github.com; on a server of your own it is https://HOST/api/v3"))
        };
    let Ok(url) = Url::parse(text) else {
        return refusal("is no URL");
    };
    let is_bare = url.username().is_empty() && url.password().is_none();
    match url.scheme() {
        _ if !is_bare => refusal("holds a name or a password, which belong into GITHUB_TOKEN"),
        _ if url.query().is_some() || url.fragment().is_some() => {
            refusal("has more than a host and a path")
        }
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => refusal("is plain http, which is for loopback only"),
        _ => refusal("is neither https nor http"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(named: &[(&str, &str)]) -> Result<Account, Fault> {
        let named = named
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Account::new(&Settings::new(named.collect()))
    }

    fn shown(account: &Account, scope: Scope) -> Option<String> {
        let value = account.authorization(scope).expect("a usable token")?;
        Some(value.to_str().expect("text").to_owned())
    }

    #[test]
    fn a_base_is_https_or_on_this_machine() {
        for (url, expected) in [
            ("https://api.github.com", true),
            ("https://git.example.com/api/v3", true),
            ("http://127.0.0.1:8080/github", true),
            ("http://api.github.com", false),
            ("ftp://api.github.com", false),
            ("https://someone:secret@api.github.com", false),
            ("https://api.github.com?a=b", false),
            ("api.github.com", false),
        ] {
            let made = account(&[(BASE, url)]);
            assert_eq!(made.is_ok(), expected, "{url}");
            let said = made.err().map(|it| it.to_string()).unwrap_or_default();
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn packages_have_a_token_of_their_own_and_fall_back_to_the_other() {
        let both = account(&[(FOR_PACKAGES, "first\n"), (FOR_ALL, "two")]).expect("an account");
        assert_eq!(
            shown(&both, Scope::Packages).as_deref(),
            Some("Bearer first")
        );
        assert_eq!(shown(&both, Scope::Actions).as_deref(), Some("Bearer two"));
        let one = account(&[(FOR_ALL, "two")]).expect("an account");
        assert_eq!(shown(&one, Scope::Packages).as_deref(), Some("Bearer two"));
        let other = account(&[(FOR_PACKAGES, "first")]).expect("an account");
        assert_eq!(
            shown(&other, Scope::Actions),
            None,
            "it is for packages only"
        );
        assert!(!format!("{both:?}").contains("first"), "{both:?}");
        assert_eq!(
            both.clean("no\tfirst\nsaid", Scope::Packages),
            "no *** said"
        );
    }

    #[test]
    fn only_the_base_is_home() {
        let home = account(&[(BASE, "https://git.example.com/api/v3")]).expect("an account");
        let is_home = |url: &str| home.is_home_of(&Url::parse(url).expect("a URL"));
        assert!(is_home("https://git.example.com/api/v3/orgs/o?page=2"));
        assert!(!is_home("https://git.example.com/api/v33/orgs"));
        assert!(!is_home("https://git.example.org/api/v3/orgs"));
        assert!(!is_home("http://git.example.com/api/v3/orgs"));
    }
}
