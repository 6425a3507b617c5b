//! Docker's credential helpers: programs that are asked for the credential of one host.
//!
//! Source: docker/docker-credential-helpers, README ("Development") and `credentials/error.go`.

use std::io;
use std::process::{Output, Stdio};
use std::time::Duration;

use oci_client::secrets::RegistryAuth;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::providers::Settings;

/// How long a helper may take: it may ask a service, or a person.
const HELPER_MAX: Duration = Duration::from_secs(30);
/// How much it may say.
const OUTPUT_BYTES_MAX: usize = 64 << 10;
/// What it says, with an exit code other than 0, when it has none.
const NOT_FOUND: &str = "credentials not found in native keychain";
/// The user's name that says that the secret is an identity token.
const IDENTITY: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Said {
    username: String,
    secret: String,
}

/// Asks a helper for the credential of a host.
pub(super) async fn get(
    settings: &Settings,
    name: &str,
    host: &str,
) -> Result<RegistryAuth, String> {
    let is_name = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    if !name.chars().all(is_name) {
        return Err(format!("`{name}` is no name of a helper"));
    }
    let program = format!("docker-credential-{name}");
    let mut command = Command::new(&program);
    command.arg("get");
    if let Some(path) = settings.get("PATH") {
        command.env("PATH", path);
    }
    let output = match timeout(HELPER_MAX, run(command, host)).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("{program} cannot be run: {error}")),
        Err(_) => {
            return Err(format!(
                "{program} did not end within {} s",
                HELPER_MAX.as_secs()
            ));
        }
    };
    read(&output).map_err(|why| format!("{program} has none for {host}: {why}"))
}

/// The process ends with the waiting for it.
async fn run(mut command: Command, host: &str) -> io::Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read its input may know its answer all the same.
        let _ = stdin.write_all(format!("{host}\n").as_bytes()).await;
    }
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let most = u64::try_from(OUTPUT_BYTES_MAX).unwrap_or(u64::MAX);
        stdout.take(most + 1).read_to_end(&mut said).await?;
    }
    Ok(Output {
        status: child.wait().await?,
        stdout: said,
        stderr: Vec::new(),
    })
}

/// What it said is never quoted.
fn read(output: &Output) -> Result<RegistryAuth, String> {
    if output.stdout.len() > OUTPUT_BYTES_MAX {
        return Err(format!("it said more than {OUTPUT_BYTES_MAX} bytes"));
    }
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        if said.trim() == NOT_FOUND {
            return Ok(RegistryAuth::Anonymous);
        }
        let code = output.status.code().unwrap_or(-1);
        return Err(format!("it ended with {code}"));
    }
    let said: Said = serde_json::from_slice(&output.stdout)
        .map_err(|_| "what it said is no JSON object with Username and Secret".to_owned())?;
    if said.username == IDENTITY {
        return Err(
            "it holds an identity token, which only Docker can use; log in with a password"
                .to_owned(),
        );
    }
    if said.username.is_empty() && said.secret.is_empty() {
        return Ok(RegistryAuth::Anonymous);
    }
    Ok(RegistryAuth::Basic(said.username, said.secret))
}
