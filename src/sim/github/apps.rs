//! GitHub Apps: who proves to be one gets a token of its installation, for an hour (GitHub REST API, "Create an
//! installation access token for an app"; GitHub Docs, "Generating a JSON Web Token (JWT) for a GitHub App").

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::sim::Answer;
use crate::sim::github::GitHub;
use crate::sim::github::wire::{Ask, Refusal, Reply};
use crate::sim::github::written::{App, Token};

/// The longest that a proof may be good for.
const GOOD_FOR_MAX: i64 = 600;

impl GitHub {
    /// A token of an installation.
    pub(super) fn install(&mut self, ask: &Ask, installation: &str) -> Reply {
        let mut apps = self.rules.apps.iter();
        let app = apps.find(|it| it.installation.to_string() == installation);
        let app = app.ok_or_else(Refusal::not_found)?.clone();
        prove(ask, &app)?;
        let count = self.installed.len();
        // Tokens are several hundred characters since 2026 (GitHub REST API, the same place).
        let token = format!("ghs_{}_{count}_{}", app.id, "x".repeat(300));
        let ends = ask.now.plus(std::time::Duration::from_secs(app.seconds));
        let of_it = Token {
            token: token.clone(),
            login: format!("{}[bot]", app.id),
            scopes: app.scopes,
        };
        self.installed.push((of_it, ends));
        let permissions = json!({"administration": "write", "actions": "read"});
        let body = json!({"token": token, "expires_at": ends, "permissions": permissions});
        Ok(Answer::json(201, &body))
    }

    /// The token that somebody sent, while it lasts.
    pub(super) fn installed_token(&self, sent: &str, now: Timestamp) -> Option<Token> {
        let mut all = self.installed.iter();
        let found = all.find(|(token, ends)| token.token == sent && now < *ends);
        found.map(|it| it.0.clone())
    }
}

/// ASSUMED: the words for a wrong signature.
fn prove(ask: &Ask, app: &App) -> Result<(), Refusal> {
    let refuse = |text: &str| Err(Refusal::new(401, text));
    let sent = ask.header("authorization").unwrap_or_default();
    let sent = sent.strip_prefix("Bearer ").unwrap_or_default();
    let parts: Vec<&str> = sent.split('.').collect();
    let [head, claims, signature] = parts[..] else {
        return refuse("A JSON web token could not be decoded");
    };
    let decoded = |it: &str| URL_SAFE_NO_PAD.decode(it).unwrap_or_default();
    let key = STANDARD.decode(&app.public_key).unwrap_or_default();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
    let text = format!("{head}.{claims}");
    if key.verify(text.as_bytes(), &decoded(signature)).is_err() {
        return refuse("A JSON web token could not be decoded");
    }
    let claims: Value = serde_json::from_slice(&decoded(claims)).unwrap_or_default();
    let number = |name: &str| claims.get(name).and_then(Value::as_i64).unwrap_or_default();
    let now = ask.now.millis().div_euclid(1000);
    if claims.get("iss").and_then(Value::as_str) != Some(&app.id) {
        return refuse("Integration not found");
    }
    if number("exp") > now + GOOD_FOR_MAX {
        return refuse("'Expiration time' claim ('exp') is too far in the future");
    }
    if number("exp") <= now || number("iat") > now {
        return refuse(
            "'Expiration' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        );
    }
    Ok(())
}
