//! GitHub Apps: a token of an installation, by the App's key, renewed before it ends (GitHub Docs, "Authenticating as a
//! GitHub App installation").

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method, header};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Deserialize;
use serde_json::{Value, json};

use super::GitHub;
use super::call::Call;
use super::token::{Scope, Token};
use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::providers::Settings;
use crate::retry::Effect;

const ID: &str = "RECONCILE_GITHUB_APP_ID";
const KEY_FILE: &str = "RECONCILE_GITHUB_APP_KEY_FILE";
const INSTALLATION: &str = "RECONCILE_GITHUB_INSTALLATION_ID";

/// How long before its end a token is renewed. It is renewed as late as is safe: with it all `ETag`s change.
const RENEWED_BEFORE: Duration = Duration::from_secs(5 * 60);
/// How long what proves the App is good for: 10 minutes at most, and a minute of the past for clocks (GitHub Docs,
/// "Generating a JSON Web Token (JWT) for a GitHub App").
const GOOD_FOR: Duration = Duration::from_secs(9 * 60);
const PAST: Duration = Duration::from_secs(60);

/// An App, and the token that its installation has now.
#[derive(Debug)]
pub(super) struct App {
    id: String,
    key_file: PathBuf,
    installation: u64,
    token: Mutex<Option<(Token, Timestamp)>>,
}

impl App {
    /// The App that the settings name; none: they name none. Fails where they name it by half.
    pub(super) fn new(settings: &Settings) -> Result<Option<Self>, Fault> {
        let all = [ID, KEY_FILE, INSTALLATION].map(|it| settings.get(it));
        let refusal = |why: &str| Fault::new(Class::Invalid, "use a GitHub App", why);
        match all {
            [None, None, None] => Ok(None),
            [Some(id), Some(key_file), Some(installation)] => Ok(Some(Self {
                id: id.to_owned(),
                key_file: PathBuf::from(key_file),
                installation: installation
                    .parse()
                    .map_err(|_| refusal(&format!("{INSTALLATION} is no number")))?,
                token: Mutex::default(),
            })),
            _ => Err(refusal(&format!(
                "{ID}, {KEY_FILE} and {INSTALLATION} go together"
            ))),
        }
    }

    /// What proves at `now` that we are the App: a JSON Web Token (RFC 7519) signed by RS256.
    fn proof(&self, now: Timestamp) -> Result<String, String> {
        let key = read(&self.key_file)?;
        let seconds = |it: Timestamp| it.millis().div_euclid(1000);
        let claims = json!({
            "iat": seconds(now.minus(PAST)), "exp": seconds(now.plus(GOOD_FOR)), "iss": self.id,
        });
        let part = |it: &Value| URL_SAFE_NO_PAD.encode(it.to_string());
        let text = format!(
            "{}.{}",
            part(&json!({"alg": "RS256", "typ": "JWT"})),
            part(&claims)
        );
        let mut signature = vec![0; key.public().modulus_len()];
        let random = SystemRandom::new();
        key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
            .map_err(|_| "nothing can be signed by it".to_owned())?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The private key of an App, as GitHub gives it (PKCS#1) or as `openssl` makes it of that (PKCS#8).
fn read(path: &Path) -> Result<RsaKeyPair, String> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|it| format!("{shown} cannot be read: {it}"))?;
    let body: String = text
        .lines()
        .map(str::trim)
        .filter(|it| !it.starts_with("-----"))
        .collect();
    let der = STANDARD.decode(body);
    let der = der.map_err(|_| format!("{shown} is no private key in PEM"))?;
    let key = if text.contains("BEGIN RSA PRIVATE KEY") {
        RsaKeyPair::from_der(&der)
    } else {
        RsaKeyPair::from_pkcs8(&der)
    };
    key.map_err(|_| format!("{shown} holds no RSA key"))
}

#[derive(Deserialize)]
struct Made {
    token: String,
    expires_at: Timestamp,
}

impl GitHub {
    /// The token of the App's installation, where this is a call for it; none: there is no App.
    pub(super) async fn installed(&self, scope: Scope) -> Result<Option<Token>, Fault> {
        let Some(app) = self.app.as_ref().filter(|_| scope.is_for_apps()) else {
            return Ok(None);
        };
        let known = || app.token.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.http.now();
        if let Some((token, ends)) = known().as_ref()
            && ends.since(now) > RENEWED_BEFORE
        {
            return Ok(Some(token.clone()));
        }
        let subject = format!("App {}", app.id);
        let call = Call {
            action: "apps/create-installation-access-token",
            doing: "take the token of an App's installation",
            effect: Effect::Repeatable,
            scope,
            subject: &subject,
            method: Method::POST,
            path: format!("/app/installations/{}/access_tokens", app.installation),
            body: json!({}),
            is_kept: false,
        };
        let proof = app
            .proof(now)
            .map_err(|why| call.fault(Class::Denied, &why))?;
        let bearer = HeaderValue::try_from(format!("Bearer {proof}"));
        let mut bearer = bearer.map_err(|_| call.fault(Class::Bug, "no header holds the proof"))?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
        let reply = self.call_with(&call, headers).await.map_err(|fault| {
            // That there is no such installation says nothing of what is asked for with its token.
            let is_gone = fault.class == Class::Gone;
            let class = if is_gone { Class::Denied } else { fault.class };
            Fault { class, ..fault }
        })?;
        let made = Made::deserialize(&reply.body);
        let made = made.map_err(|_| call.unreadable("the answer holds no token"))?;
        let token = Token::new(&made.token);
        *known() = Some((token.clone(), made.expires_at));
        Ok(Some(token))
    }
}
