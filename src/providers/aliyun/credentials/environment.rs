//! A key in the environment.

use std::sync::Arc;

use super::{Credentials, Provider, Secret, refuse};
use crate::fault::Fault;
use crate::providers::Settings;

/// Key id, secret and token; the second pair is the older name that workflows use.
const KEYS: [(&str, &str, Option<&str>); 2] = [
    (
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        Some("ALIBABA_CLOUD_SECURITY_TOKEN"),
    ),
    ("ALIYUN_ACCESS_KEY_ID", "ALIYUN_ACCESS_KEY_SECRET", None),
];

/// The key that is set; none: neither half of any is.
pub(super) fn configured(settings: &Settings) -> Result<Option<Provider>, Fault> {
    for (id, secret, token) in KEYS {
        let security_token = token.and_then(|it| settings.get(it));
        let (key_id, found) = match (settings.get(id), settings.get(secret)) {
            (Some(key_id), Some(found)) => (key_id, found),
            (None, None) => match (token, security_token) {
                (Some(token), Some(_)) => return Err(half(token, &format!("{id} and {secret}"))),
                (Some(_), None) | (None, _) => continue,
            },
            // Going on would find somebody else's key.
            (Some(_), None) => return Err(half(id, secret)),
            (None, Some(_)) => return Err(half(secret, id)),
        };
        return Ok(Some(Provider::Key(Arc::new(Credentials {
            key_id: key_id.to_owned(),
            secret: Secret::new(found),
            token: security_token.map(Secret::new),
            key_source: id.to_owned(),
            secret_source: secret.to_owned(),
        }))));
    }
    Ok(None)
}

/// A part is set without the other that it needs.
pub(super) fn half(is_set: &str, is_not: &str) -> Fault {
    refuse(&format!("{is_set} is set, without {is_not}"))
}

/// The names that are looked for.
pub(super) fn names() -> String {
    KEYS.map(|(id, secret, _)| format!("{id} with {secret}"))
        .join(", ")
}
