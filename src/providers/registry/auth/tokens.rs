//! Tokens of registries: fetched once for everybody who waits, kept while they last, renewed once when they are refused.
//!
//! Source: documentation of Distribution, "Token authentication". Those of ghcr.io are opaque, others are JSON Web Tokens.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::Scopes;
use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::providers::registry::Site;
use crate::providers::secret::Secret;

/// How long a token lasts that does not say so (documentation of Distribution, "Token response fields").
const LASTS: Duration = Duration::from_secs(60);
/// A token is not used any more so shortly before its end: a request takes a while.
const UNUSED_BEFORE: Duration = Duration::from_secs(10);
/// After a failure nobody asks again for so long.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::providers::registry) struct Wanted {
    pub(in crate::providers::registry) site: Site,
    pub(in crate::providers::registry) realm: String,
    pub(in crate::providers::registry) service: Option<String>,
    /// What a call needs.
    pub(in crate::providers::registry) scopes: Scopes,
}

/// A token, as it came.
#[derive(Clone, Debug)]
pub(in crate::providers::registry) struct Token {
    pub(in crate::providers::registry) text: Secret,
    unused_from: Timestamp,
}

/// A token that is fetched, was fetched, or could not be.
#[derive(Debug)]
struct Slot {
    /// What the call needs, and what the registry asked for beyond it.
    scopes: Scopes,
    outcome: OnceCell<(Result<Token, Fault>, Timestamp)>,
}

/// All tokens.
#[derive(Debug, Default)]
pub(in crate::providers::registry) struct Tokens {
    slots: Mutex<BTreeMap<Wanted, Arc<Slot>>>,
    fetched: AtomicU64,
}

impl Slot {
    /// Whether it is to be fetched anew.
    fn is_spent(&self, refused: Option<&Secret>, now: Timestamp) -> bool {
        match self.outcome.get() {
            None => false,
            Some((Ok(token), _)) => now >= token.unused_from || refused == Some(&token.text),
            Some((Err(_), failed)) => now.since(*failed) >= RETRY_AFTER,
        }
    }
}

impl Tokens {
    /// The token that is wanted, or else what `fetch` gives for all scopes; who asks meanwhile waits for the same one.
    /// `refused` is one that the registry did not take, `asked` what it asked for then.
    pub(in crate::providers::registry) async fn get<F: Future<Output = Result<Token, Fault>>>(
        &self,
        wanted: &Wanted,
        (refused, asked): (Option<&Secret>, &Scopes),
        now: impl Fn() -> Timestamp,
        fetch: impl FnOnce(Scopes) -> F,
    ) -> Result<Token, Fault> {
        let slot = self.slot(wanted, (refused, asked), now());
        let fetched = slot.outcome.get_or_init(|| async {
            let outcome = fetch(slot.scopes.clone()).await;
            self.fetched.fetch_add(1, Ordering::Relaxed);
            (outcome, now())
        });
        fetched.await.0.clone()
    }

    fn slot(
        &self,
        wanted: &Wanted,
        (refused, asked): (Option<&Secret>, &Scopes),
        now: Timestamp,
    ) -> Arc<Slot> {
        let mut slots = self.lock();
        let known = slots.get(wanted);
        let scopes = known.map_or(&wanted.scopes, |it| &it.scopes);
        let scopes = scopes.clone().and(asked);
        match known {
            Some(slot) if slot.scopes == scopes && !slot.is_spent(refused, now) => Arc::clone(slot),
            Some(_) | None => {
                let slot = Arc::new(Slot {
                    scopes,
                    outcome: OnceCell::new(),
                });
                slots.insert(wanted.clone(), Arc::clone(&slot));
                slot
            }
        }
    }

    /// How many tokens were asked for.
    pub(in crate::providers::registry) fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Asks again at the next call where it failed, and lets go of what is over.
    pub(in crate::providers::registry) fn look_again(&self, now: Timestamp) {
        let is_kept = |slot: &Arc<Slot>| match slot.outcome.get() {
            None => true,
            Some((Ok(_), _)) => !slot.is_spent(None, now),
            Some((Err(_), _)) => false,
        };
        self.lock().retain(|_, slot| is_kept(slot));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Wanted, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Claims {
    exp: Option<i64>,
}

impl Token {
    /// Reads the answer of a token service, which was asked at `asked`. It is never quoted.
    pub(in crate::providers::registry) fn read(
        body: &[u8],
        asked: Timestamp,
    ) -> Result<Self, String> {
        let given: Given = serde_json::from_slice(body)
            .map_err(|_| "the answer is no JSON object of a token service".to_owned())?;
        let texts = [given.token, given.access_token];
        let is_sendable =
            |it: &&String| !it.is_empty() && it.bytes().all(|it| it.is_ascii_graphic());
        let Some(text) = texts.iter().find(is_sendable) else {
            return Err("the answer holds no token".to_owned());
        };
        let end = asked.plus(given.expires_in.map_or(LASTS, Duration::from_secs));
        let end = end_of(text).map_or(end, |it| it.min(end));
        Ok(Self {
            text: Secret::new(text),
            unused_from: end.minus(UNUSED_BEFORE),
        })
    }
}

/// When a JSON Web Token ends (RFC 7519, "exp"); none: it is none, or does not say so.
fn end_of(token: &str) -> Option<Timestamp> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Some(Timestamp::from_millis(claims.exp?.saturating_mul(1000)))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::fault::Class;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(seconds))
    }

    /// For how many seconds a token is used.
    fn used(body: &str) -> Result<u64, String> {
        let token = Token::read(body.as_bytes(), at(1000))?;
        Ok(token.unused_from.since(at(1000)).as_secs())
    }

    #[test]
    fn a_token_is_used_until_shortly_before_its_end() {
        let jwt = |exp: u64| {
            format!(
                "h.{}.s",
                URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp}}}"#))
            )
        };
        for (body, expected) in [
            (r#"{"token": "t"}"#.to_owned(), Ok(50)),
            (
                r#"{"access_token": "t", "expires_in": 300}"#.to_owned(),
                Ok(290),
            ),
            (
                format!(r#"{{"token": "{}", "expires_in": 300}}"#, jwt(1100)),
                Ok(90),
            ),
            (
                format!(r#"{{"token": "{}", "expires_in": 300}}"#, jwt(9999)),
                Ok(290),
            ),
            (r#"{"token": "t", "expires_in": 5}"#.to_owned(), Ok(0)),
            (
                r#"{"token": ""}"#.to_owned(),
                Err("the answer holds no token"),
            ),
            (
                r#"{"token": "a\nb"}"#.to_owned(),
                Err("the answer holds no token"),
            ),
            (
                "<html>".to_owned(),
                Err("the answer is no JSON object of a token service"),
            ),
        ] {
            assert_eq!(used(&body), expected.map_err(str::to_owned), "{body}");
        }
    }

    fn wanted() -> Wanted {
        Wanted {
            site: Site {
                host: "a.example".to_owned(),
                insecure: false,
                login: None,
            },
            realm: "https://t".to_owned(),
            service: None,
            scopes: Scopes::of("a", "pull"),
        }
    }

    #[tokio::test]
    async fn is_fetched_once_until_it_is_over_or_refused_or_more_is_asked_for() {
        let (tokens, fetched) = (Tokens::default(), Cell::new(0));
        let get = async |now: u64, refused: Option<&str>, asked: &str| {
            let refused = refused.map(Secret::new);
            let asked = Scopes::read(asked);
            let fetch = |scopes: Scopes| {
                fetched.set(fetched.get() + 1);
                let body = format!(
                    r#"{{"token": "{}-{}"}}"#,
                    fetched.get(),
                    scopes.texts().join("+")
                );
                std::future::ready(Ok(Token::read(body.as_bytes(), at(now)).expect("a token")))
            };
            let wanted = wanted();
            let token = tokens.get(&wanted, (refused.as_ref(), &asked), || at(now), fetch);
            token.await.expect("it succeeds").text.reveal().to_owned()
        };
        assert_eq!(get(0, None, "").await, "1-repository:a:pull");
        assert_eq!(
            get(49, Some("other"), "repository:a:pull").await,
            "1-repository:a:pull"
        );
        assert_eq!(get(50, None, "").await, "2-repository:a:pull");
        assert_eq!(
            get(51, Some("2-repository:a:pull"), "").await,
            "3-repository:a:pull"
        );
        assert_eq!(get(52, None, "x:push").await, "4-repository:a:pull+x:push");
        assert_eq!(get(53, None, "").await, "4-repository:a:pull+x:push");
    }

    #[tokio::test]
    async fn a_failure_stands_for_a_while_and_until_the_next_pass() {
        let (tokens, fetched) = (Tokens::default(), Cell::new(0));
        let fail = async |now: u64| {
            let fetch = |_| {
                fetched.set(fetched.get() + 1);
                std::future::ready(Err(Fault::new(Class::Denied, "try", "no")))
            };
            let (wanted, nothing) = (wanted(), Scopes::default());
            let outcome = tokens.get(&wanted, (None, &nothing), || at(now), fetch);
            assert!(outcome.await.is_err());
            fetched.get()
        };
        assert_eq!((fail(0).await, fail(29).await, fail(30).await), (1, 1, 2));
        tokens.look_again(at(31));
        assert_eq!(fail(31).await, 3);
    }
}
