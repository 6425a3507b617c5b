//! Docker's credential file.
//!
//! Source: Docker documentation, "docker login" (credential stores and helpers), and docker/cli,
//! `cli/config/configfile/file.go`. Keys that are not known are ignored.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;

use super::{Credential, helper, of_auth};
use crate::providers::Settings;

const FOLDER: &str = "DOCKER_CONFIG";
/// How Docker calls its own registry in the file and to helpers.
const DOCKER_KEY: &str = "https://index.docker.io/v1/";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "lowercase", default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// The credential of a host; none: there is no file, or nothing in it and its helpers about the host.
pub(super) async fn find(settings: &Settings, host: &str) -> Result<Option<Credential>, String> {
    let Some(path) = path(settings) else {
        return Ok(None);
    };
    let Some(config) = read(&path)? else {
        return Ok(None);
    };
    let asked = config.cred_helpers.get(host).unwrap_or(&config.creds_store);
    if !asked.is_empty() {
        let key = if is_docker(host) { DOCKER_KEY } else { host };
        let auth = helper::get(settings, asked, key).await?;
        let source = format!("docker-credential-{asked}");
        if let Some(credential) = of_auth(&auth, &source) {
            return Ok(Some(credential));
        }
    }
    let entries = config.auths.iter();
    let mut entries = entries.filter(|(key, _)| host_of(key) == host_of(host));
    let Some((_, entry)) = entries.next() else {
        return Ok(None);
    };
    let shown = path.display();
    let auth = entry
        .read()
        .map_err(|why| format!("{shown}: the entry of {host} {why}"))?;
    Ok(of_auth(&auth, &shown.to_string()))
}

fn path(settings: &Settings) -> Option<PathBuf> {
    let said = settings.get(FOLDER).map(PathBuf::from);
    let folder = said.or_else(|| Some(Path::new(settings.get("HOME")?).join(".docker")));
    Some(folder?.join("config.json"))
}

/// A file that is not there is none; one that cannot be read is a fault that never quotes it.
fn read(path: &Path) -> Result<Option<Config>, String> {
    let shown = path.display();
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| format!("{shown}: line {} cannot be read", error.line())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

fn is_docker(host: &str) -> bool {
    matches!(
        host,
        "docker.io" | "index.docker.io" | "registry-1.docker.io"
    )
}

/// The host of a key, which may be a URL.
fn host_of(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    match rest.split('/').next().unwrap_or_default() {
        host if is_docker(host) => "docker.io",
        host => host,
    }
}

impl Entry {
    fn read(&self) -> Result<RegistryAuth, &'static str> {
        if !self.identitytoken.is_empty() || !self.registrytoken.is_empty() {
            return Err(
                "holds an identity token, which only Docker can use; log in with a password",
            );
        }
        if self.auth.is_empty() && !self.username.is_empty() {
            return Ok(RegistryAuth::Basic(
                self.username.clone(),
                self.password.clone(),
            ));
        }
        if self.auth.is_empty() {
            // What Docker leaves behind where a helper keeps the password.
            return Ok(RegistryAuth::Anonymous);
        }
        let unreadable = "is not a user and a password in base64";
        let bytes = STANDARD.decode(self.auth.trim()).map_err(|_| unreadable)?;
        let pair = String::from_utf8(bytes).map_err(|_| unreadable)?;
        let (user, password) = pair.split_once(':').ok_or(unreadable)?;
        // Docker pads it.
        let password = password.trim_end_matches('\0');
        Ok(RegistryAuth::Basic(user.to_owned(), password.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// The folder with such a file, and with a helper `docker-credential-it` that runs `script`.
    fn folder(config: &str, script: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("config.json"), config).expect("a file");
        let program = folder.path().join("docker-credential-it");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a file");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("a program");
        folder
    }

    async fn found(config: &str, script: &str, host: &str) -> Result<String, String> {
        let folder = folder(config, script);
        let here = folder.path().display().to_string();
        let path = format!("{here}:/usr/bin:/bin");
        let named = [(FOLDER.to_owned(), here.clone()), ("PATH".to_owned(), path)];
        let found = find(&Settings::new(named.into()), host).await;
        let found = found.map_err(|it| it.replace(&here, ""))?;
        Ok(found.map_or("nobody".to_owned(), |it| {
            let source = it.source.replace(&here, "");
            format!("{} {} {source}", it.user, it.password.reveal())
        }))
    }

    #[tokio::test]
    async fn an_entry_is_for_its_host_alone() {
        let config = r#"{"auths": {
            "ghcr.io": {"auth": "dTpwOnE="},
            "https://index.docker.io/v1/": {"username": "d", "password": "q"},
            "https://a.example:5000/v2/": {"auth": "dTpw"},
            "kept.example": {}}, "HttpHeaders": {}}"#;
        for (host, expected) in [
            ("ghcr.io", "u p:q /config.json"),
            ("docker.io", "d q /config.json"),
            ("a.example:5000", "u p /config.json"),
            ("a.example", "nobody"),
            ("ghcr.io.evil.example", "nobody"),
            ("kept.example", "nobody"),
        ] {
            let found = found(config, "", host).await;
            assert_eq!(found.as_deref(), Ok(expected), "{host}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_told_without_its_text() {
        for (config, why) in [
            (
                "{\n\"auths\": {hunter2",
                "/config.json: line 2 cannot be read",
            ),
            (
                r#"{"auths": {"a.example": {"auth": "hunter2"}}}"#,
                "the entry of a.example is not a user",
            ),
            (
                r#"{"auths": {"a.example": {"identitytoken": "hunter2"}}}"#,
                "holds an identity token",
            ),
        ] {
            let said = found(config, "", "a.example").await.expect_err(config);
            assert!(said.contains(why) && !said.contains("hunter2"), "{said}");
        }
    }

    #[tokio::test]
    async fn a_helper_is_asked_for_its_host() {
        let config =
            r#"{"auths": {"b.example": {"auth": "dTpw"}}, "credHelpers": {"a.example": "it"}}"#;
        let says = |user: &str| {
            format!(
                r#"read host; printf '{{"ServerURL":"%s","Username":"{user}","Secret":"for-%s"}}' "$host" "$host""#
            )
        };
        let found_by = async |script: &str, host| found(config, script, host).await;
        assert_eq!(
            found_by(&says("u"), "a.example").await.as_deref(),
            Ok("u for-a.example docker-credential-it")
        );
        assert_eq!(
            found_by("exit 9", "b.example").await.as_deref(),
            Ok("u p /config.json")
        );
        let absent = "echo credentials not found in native keychain; exit 1";
        assert_eq!(found_by(absent, "a.example").await.as_deref(), Ok("nobody"));
        for (script, why) in [
            (says("<token>").as_str(), "identity token"),
            ("echo hunter2; exit 1", "it ended with 1"),
            ("echo hunter2", "no JSON"),
            ("head -c 70000 /dev/zero", "more than 65536 bytes"),
        ] {
            let said = found_by(script, "a.example").await.expect_err(script);
            assert!(said.contains(why) && !said.contains("hunter2"), "{said}");
        }
    }

    #[tokio::test]
    async fn a_store_is_asked_for_all_hosts_and_must_be_there() {
        let config = r#"{"credsStore": "it"}"#;
        let script = r#"read host; printf '{"Username":"u","Secret":"%s"}' "$host""#;
        assert_eq!(
            found(config, script, "docker.io").await.as_deref(),
            Ok("u https://index.docker.io/v1/ docker-credential-it")
        );
        for (config, why) in [
            (
                r#"{"credsStore": "nowhere"}"#,
                "docker-credential-nowhere cannot be run",
            ),
            (r#"{"credsStore": "../it"}"#, "is no name of a helper"),
        ] {
            let said = found(config, "", "a.example").await.expect_err(config);
            assert!(said.contains(why), "{said}");
        }
    }
}
