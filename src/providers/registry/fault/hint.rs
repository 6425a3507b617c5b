//! What may help against a refusal.

use super::{Refusal, Said, UNKNOWN_CLASS};
use crate::fault::Class;
use crate::providers::registry::credentials::Credential;
use crate::retry::Effect;

impl Refusal<'_> {
    pub(super) fn hint(&self, class: &Class, said: &Said) -> Option<String> {
        if said.text.contains(UNKNOWN_CLASS) {
            return Some(
                "this registry takes no attestations of this form; `attestations: auto` or `drop` of the Registry leaves them out"
                    .to_owned(),
            );
        }
        let host = &self.call.at.site.host;
        let is_aliyun = host.ends_with(".aliyuncs.com");
        match class {
            Class::Denied => Some(denied(host, self.credential)),
            Class::Gone if self.call.effect != Effect::Read => Some(format!(
                "does {} exist, and may it be made by a push?",
                self.call.at.repository
            )),
            Class::Invalid if is_aliyun => Some(
                "does the namespace exist, and does it make repositories by itself?".to_owned(),
            ),
            Class::Invalid
            | Class::Account
            | Class::NoCapacity
            | Class::DiskUnsupported
            | Class::InUse
            | Class::Gone
            | Class::NotYet
            | Class::TokenUsed
            | Class::Throttled { .. }
            | Class::Unavailable { .. }
            | Class::Bug => None,
        }
    }
}

fn denied(host: &str, credential: Option<&Credential>) -> String {
    match credential {
        None => format!(
            "there are no credentials for {host}: log in with `docker login {host}`, or name variables in the Registry's credentials"
        ),
        Some(it) if it.source == "GITHUB_TOKEN" => {
            "GITHUB_TOKEN needs `packages: write` of its workflow (`read` to look), and access in the package's settings, under \"Manage Actions access\""
                .to_owned()
        }
        Some(it) if host == "ghcr.io" => format!(
            "the token in {} needs read:packages, write:packages to push; a classic token, for others are not taken",
            it.source
        ),
        Some(it) if host.ends_with(".aliyuncs.com") => format!(
            "may the user of {} do this, does the namespace exist, and does it make repositories by itself?",
            it.source
        ),
        Some(it) => format!("may the user of {} do this?", it.source),
    }
}
