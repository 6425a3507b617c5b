//! Tokens of identity providers. They have the form of real ones (RFC 7519), but one key signs for every issuer: it
//! follows from the seed, so that whoever knows the seed can make any token, and nobody else any.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The issuer of GitHub's tokens (GitHub Docs, "`OpenID` Connect reference").
pub const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// What a token says; times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// Whom it speaks of.
    pub sub: String,
    /// When it was made.
    pub iat: i64,
    /// When it ends.
    pub exp: i64,
}

/// Makes a token that a world of this seed believes.
pub fn issue(seed: u64, claims: &Claims) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let head = encode(br#"{"typ":"JWT","alg":"HS256","kid":"simulated"}"#);
    let body = encode(&serde_json::to_vec(claims).expect("claims are JSON"));
    let signed = format!("{head}.{body}");
    let signature = encode(&sign(seed, &signed));
    format!("{signed}.{signature}")
}

/// What a token says; none: it was not made for a world of this seed, or was changed since.
pub(crate) fn read(seed: u64, token: &str) -> Option<Claims> {
    let (signed, signature) = token.rsplit_once('.')?;
    if URL_SAFE_NO_PAD.decode(signature).ok()? != sign(seed, signed) {
        return None;
    }
    let (_, body) = signed.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

fn sign(seed: u64, signed: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(format!("issuer/{seed}").as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(signed.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
