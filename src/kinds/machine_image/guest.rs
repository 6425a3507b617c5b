//! What a builder is told: by user data to switch itself off in time, by a command to become what its image shall be.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::ids::hex;
use crate::kinds::aliyun_region::Proxy;

use super::recipe::Provision;

const ARM: &str = include_str!("guest/arm.sh");
const GUEST: &str = include_str!("guest/guest.sh");
const COMMAND: &str = include_str!("guest/command.sh");

/// How many characters of base64 a command may have (ECS API reference, `RunCommand`, `CommandContent`: 24 KB).
pub const COMMAND_LENGTH_MAX: usize = 24_576;

/// What a script's success is told by; any other code is the script's own, or one of those below.
pub const DONE: i64 = 0;
/// The command could not begin: a tool is missing, or no file can be written.
pub const NOT_BEGUN: i64 = 120;
/// The clean-up failed.
pub const NOT_CLEANED: i64 = 121;
/// The check found what the clean-up left.
pub const NOT_CLEAN: i64 = 122;

/// Longer than any builder may live, for reckoning how long a command can become.
pub(super) const TTL_MAX: Duration = Duration::from_secs(9_999_999 * 60);

/// The command that makes of a builder what its image shall be: the machine is armed, the script run, its traces are
/// removed, and it is checked that none is left.
pub fn command(
    provision: &Provision,
    script: &str,
    proxy: Option<&Proxy>,
    ttl: Duration,
) -> String {
    let mut inputs = String::new();
    for (name, value) in environment(provision, proxy) {
        let _ = writeln!(inputs, "{name} {}", STANDARD.encode(value));
    }
    let script = script.replace("\r\n", "\n");
    let build = hex(&Sha256::digest(format!("{inputs}\n{script}"))[..8]);
    COMMAND
        .replace("@arm@\n", ARM)
        .replace("@minutes@", &minutes(ttl).to_string())
        .replace("@build@", &build)
        .replace("@guest@", &packed(GUEST))
        .replace("@inputs@", &packed(&inputs))
        .replace("@script@", &packed(&script))
}

/// What a builder is told at its boot: to switch itself off, whether or not anybody ever speaks to it.
pub fn user_data(ttl: Duration) -> String {
    format!("#!/bin/sh\n{ARM}arm {}\n", minutes(ttl))
}

/// How many characters a command has when it is sent.
pub fn sent_length(command: &str) -> usize {
    command.len().div_ceil(3) * 4
}

/// At least one: nothing is switched off at once.
fn minutes(ttl: Duration) -> u64 {
    ttl.as_secs().div_ceil(60).max(1)
}

/// The script's environment: the inputs and the region's proxy, in both spellings that programs look for.
fn environment(provision: &Provision, proxy: Option<&Proxy>) -> BTreeMap<String, String> {
    let mut environment = provision.inputs.clone();
    environment.extend(proxy.map(Proxy::variables).unwrap_or_default());
    environment
}

/// Compressed, or a script of usual size would not fit; in base64, so that no shell can read anything in it.
fn packed(text: &str) -> String {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let bytes = gzip.write_all(text.as_bytes()).and_then(|()| gzip.finish());
    STANDARD.encode(bytes.expect("memory can be written to"))
}

#[cfg(test)]
mod tests;
