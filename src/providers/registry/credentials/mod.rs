//! Who we are to a registry: the variables that a state file names, those of GitHub, Docker's credential files; else nobody.
//!
//! A source that is there but cannot be used is a fault: going on without it would find less, and call it all there is.

mod docker;
mod helper;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oci_client::secrets::RegistryAuth;

use super::{Login, Site};
use crate::fault::{Class, Fault};
use crate::providers::Settings;
use crate::providers::secret::Secret;

const DOING: &str = "find the credentials of a registry";

/// Tokens for GitHub's registry; the first that is set counts. Any user's name goes with them (GitHub Docs, "Working with
/// the Container registry").
const OF_GITHUB: [&str; 2] = ["GHCR_TOKEN", "GITHUB_TOKEN"];
const GITHUB: &str = "ghcr.io";
const ANY_USER: &str = "reconcile";

/// A user's name and password for one registry, and where they were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credential {
    user: String,
    password: Secret,
    /// For people, as in `GHCR_TOKEN`.
    pub(super) source: String,
}

impl Credential {
    fn new(user: &str, password: &str, source: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: Secret::new(password),
            source: source.to_owned(),
        }
    }

    /// The value of the header `Authorization` (RFC 7617).
    pub(super) fn basic(&self) -> Secret {
        let pair = format!("{}:{}", self.user, self.password.reveal());
        Secret::new(&format!("Basic {}", STANDARD.encode(pair)))
    }
}

/// What an answer may repeat and nobody may see: the password, and what was sent as `Authorization`.
pub(super) fn not_to_be_shown(
    credential: Option<&Credential>,
    sent: Option<&Secret>,
) -> Vec<Secret> {
    let basic = credential.map(Credential::basic);
    let sent = [basic.as_ref(), sent].into_iter().flatten();
    let sent = sent.filter_map(|it| it.reveal().split_once(' '));
    let sent = sent.map(|(_, it)| Secret::new(it));
    let password = credential.map(|it| it.password.clone());
    password.into_iter().chain(sent).collect()
}

/// The credential for a registry; none: there is no source of one.
pub(super) async fn find(settings: &Settings, site: &Site) -> Result<Option<Credential>, Fault> {
    let found = match &site.login {
        Some(login) => of_login(settings, login).map(Some),
        None => match of_github(settings, &site.host) {
            Some(credential) => Ok(Some(credential)),
            None => docker::find(settings, &site.host).await,
        },
    };
    found.map_err(|why| Fault::new(Class::Denied, DOING, &why).of(&site.host))
}

fn of_login(settings: &Settings, login: &Login) -> Result<Credential, String> {
    let value = |name: &str| {
        let value = settings.get(name);
        value.ok_or_else(|| format!("{name} is not set, and the registry's credentials name it"))
    };
    let (user, password) = (value(&login.username_env)?, value(&login.password_env)?);
    Ok(Credential::new(user, password, &login.password_env))
}

fn of_github(settings: &Settings, host: &str) -> Option<Credential> {
    let mut names = OF_GITHUB.iter().filter(|_| host == GITHUB);
    names.find_map(|name| Some(Credential::new(ANY_USER, settings.get(name)?, name)))
}

/// What a helper or a file says, as oci-client has it.
fn of_auth(auth: &RegistryAuth, source: &str) -> Option<Credential> {
    match auth {
        RegistryAuth::Basic(user, password) => Some(Credential::new(user, password, source)),
        RegistryAuth::Anonymous | RegistryAuth::Bearer(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(named: &[(&str, &str)], host: &str, login: bool) -> Result<String, String> {
        let named = named
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let site = Site {
            host: host.to_owned(),
            insecure: false,
            login: login.then(|| Login {
                username_env: "RECONCILE_USER_X".to_owned(),
                password_env: "RECONCILE_PASSWORD_X".to_owned(),
            }),
        };
        let found = find(&Settings::new(named.collect()), &site).await;
        match found {
            Ok(None) => Ok("nobody".to_owned()),
            Ok(Some(it)) => Ok(format!(
                "{} {} {}",
                it.user,
                it.password.reveal(),
                it.source
            )),
            Err(fault) => Err(fault.to_string()),
        }
    }

    #[tokio::test]
    async fn the_first_source_counts_and_is_for_its_host_alone() {
        let github = [("GHCR_TOKEN", "one"), ("GITHUB_TOKEN", "two")];
        let login = [
            ("RECONCILE_USER_X", "u"),
            ("RECONCILE_PASSWORD_X", "p"),
            ("GHCR_TOKEN", "one"),
        ];
        for (named, host, is_login, expected) in [
            (&github[..], "ghcr.io", false, "reconcile one GHCR_TOKEN"),
            (&github[1..], "ghcr.io", false, "reconcile two GITHUB_TOKEN"),
            (&github, "ghcr.io.evil.example", false, "nobody"),
            (&github, "127.0.0.1:5000", false, "nobody"),
            (&login, "ghcr.io", true, "u p RECONCILE_PASSWORD_X"),
            (&[], "ghcr.io", false, "nobody"),
        ] {
            assert_eq!(
                found(named, host, is_login).await.as_deref(),
                Ok(expected),
                "{host}"
            );
        }
    }

    #[tokio::test]
    async fn a_login_whose_variable_is_missing_is_not_nobody() {
        let said = found(&[("RECONCILE_USER_X", "u")], "a.example", true).await;
        let said = said.expect_err("there is no password");
        assert!(said.contains("RECONCILE_PASSWORD_X is not set"), "{said}");
    }

    #[test]
    fn no_secret_is_printed() {
        let credential = Credential::new("u", "hunter2-x", "X");
        let shown = format!(
            "{credential:?} {:?} {:?}",
            credential.basic(),
            not_to_be_shown(Some(&credential), None)
        );
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(credential.basic().reveal(), "Basic dTpodW50ZXIyLXg=");
    }
}
