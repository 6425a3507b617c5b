//! Who asks, and what they may (Docker documentation, "Token authentication specification").

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::clock::Timestamp;
use crate::sim::Answer;
use crate::sim::github::written::Token;
use crate::sim::identity::token::{Claims, issue};
use crate::sim::registry::wire::{Ask, Refusal, Reply, Target};
use crate::sim::registry::written::{LoginBy, Personality};
use crate::sim::registry::{Host, Registries};

/// What the specification says of a token that does not tell, and what GHCR's last is not known.
const TOKEN_SECONDS: u64 = 300;

/// One thing to do with one repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Access {
    repository: String,
    action: String,
}

/// A token of the token service.
#[derive(Clone, Debug)]
pub(super) struct Issued {
    until: Timestamp,
    asked: BTreeSet<Access>,
    granted: BTreeSet<Access>,
}

/// Who asks.
enum Who {
    Nobody,
    User {
        read_only: bool,
    },
    /// Somebody with a token of GitHub.
    Holder(Token),
}

impl Registries {
    /// Lets a request in, or says why not.
    pub(super) fn admit(&self, ask: &Ask) -> Result<(), Refusal> {
        let host = self.host(ask);
        match host.rules.login() {
            None => Ok(()),
            Some(LoginBy::Basic) => self.admit_by_password(ask),
            Some(LoginBy::Token) => self.admit_by_token(ask),
        }
    }

    fn admit_by_password(&self, ask: &Ask) -> Result<(), Refusal> {
        let unauthorized = || self.challenged(ask, unauthorized());
        let who = match ask.header("authorization") {
            None => Who::Nobody,
            Some(sent) => self.known(&ask.host, sent).ok_or_else(unauthorized)?,
        };
        let may = |it: &Access| self.may(&ask.host, &who, it);
        match (&who, needs(ask).iter().all(may)) {
            (Who::Nobody, false) => Err(unauthorized()),
            (Who::Nobody, true) if ask.target == Target::Base => Err(unauthorized()),
            (_, true) => Ok(()),
            (Who::User { .. } | Who::Holder(_), false) => Err(denied()),
        }
    }

    fn admit_by_token(&self, ask: &Ask) -> Result<(), Refusal> {
        let sent = ask.header("authorization").and_then(bearer);
        let Some(sent) = sent else {
            return Err(self.challenged(ask, unauthorized()));
        };
        let host = self.host(ask);
        if let Some(token) = self.encoded_token(host, sent) {
            let who = Who::Holder(token);
            let may = |it: &Access| self.may(&ask.host, &who, it);
            return needs(ask)
                .iter()
                .all(may)
                .then_some(())
                .ok_or_else(|| self.refused(ask));
        }
        let issued = host.issued.get(sent).filter(|it| ask.now < it.until);
        let Some(issued) = issued else {
            return Err(self.challenged_for(ask, "invalid_token"));
        };
        let needs = needs(ask);
        if needs.is_subset(&issued.granted) {
            return Ok(());
        }
        if needs.is_subset(&issued.asked) {
            return Err(self.refused(ask));
        }
        Err(self.challenged_for(ask, "insufficient_scope"))
    }

    /// GHCR also takes a token of GitHub for one of its own, in base64 (snok/container-retention-policy,
    /// `registry/client.rs`).
    fn encoded_token(&self, host: &Host, sent: &str) -> Option<Token> {
        let decoded = STANDARD.decode(sent).ok()?;
        let mut tokens = self.tokens.iter();
        let is_ghcr = host.rules.personality == Personality::Ghcr;
        let token = tokens.find(|it| it.token.as_bytes() == decoded)?;
        is_ghcr.then(|| token.clone())
    }

    /// What somebody gets who asked for the right token and was not granted it. GHCR: `freeipa/ipa-tuura`, issue 38;
    /// ACR: `docker/cli`, issue 4833; ASSUMED: the statuses.
    fn refused(&self, ask: &Ask) -> Refusal {
        match self.personality(ask) {
            Personality::Ghcr => {
                let text = "permission_denied: The token provided does not match expected scopes.";
                Refusal::new(403, "DENIED", text)
            }
            Personality::AcrPersonal | Personality::AcrEnterprise => denied(),
            Personality::Distribution => self.challenged_for(ask, "insufficient_scope"),
        }
    }

    fn challenged_for(&self, ask: &Ask, error: &str) -> Refusal {
        let challenge = format!("{},error=\"{error}\"", self.challenge(ask));
        unauthorized().with("www-authenticate", &challenge)
    }

    /// A refusal that says how to sign in.
    pub(super) fn challenged(&self, ask: &Ask, refusal: Refusal) -> Refusal {
        refusal.with("www-authenticate", &self.challenge(ask))
    }

    fn challenge(&self, ask: &Ask) -> String {
        let host = self.hosts.get(&ask.host);
        if host.and_then(|it| it.rules.login()) == Some(LoginBy::Basic) {
            return "Basic realm=\"Registry Realm\"".to_owned();
        }
        let realm = self.url(&ask.host, "/token");
        let mut scopes: Vec<String> = Vec::new();
        for Access { repository, action } in needs(ask) {
            let start = format!("repository:{repository}:");
            match scopes.iter_mut().find(|it| it.starts_with(&start)) {
                Some(scope) => *scope = format!("{scope},{action}"),
                None => scopes.push(format!("{start}{action}")),
            }
        }
        let scope = scopes.join(" ");
        let service = &ask.host;
        if scope.is_empty() {
            return format!("Bearer realm=\"{realm}\",service=\"{service}\"");
        }
        format!("Bearer realm=\"{realm}\",service=\"{service}\",scope=\"{scope}\"")
    }

    /// The token service.
    pub(super) fn token(&mut self, ask: &Ask) -> Reply {
        let is_meant = self.host(ask).rules.login() == Some(LoginBy::Token);
        if ask.method() != "GET" || !is_meant {
            // Clients that begin with the form of OAuth2 fall back then.
            return Ok(Answer::new(404, "text/plain", "404 page not found\n"));
        }
        if ask.parameter("service").is_some_and(|it| it != ask.host) {
            return Err(Refusal::new(400, "UNSUPPORTED", "unknown service"));
        }
        let is_ghcr = self.personality(ask) == Personality::Ghcr;
        let who = match ask.header("authorization") {
            None => Who::Nobody,
            Some(sent) => match self.known(&ask.host, sent) {
                Some(who) => who,
                // ASSUMED: `docker login` with a wrong token says "denied".
                None if is_ghcr => return Err(Refusal::new(403, "DENIED", "denied")),
                None => return Err(unauthorized()),
            },
        };
        let asked = asked(ask);
        let granted: BTreeSet<Access> = asked
            .iter()
            .filter(|it| self.may(&ask.host, &who, it))
            .cloned()
            .collect();
        // `openai/tunnel-client`, issue 75; `mccutchen/go-httpbin`, issue 223.
        if is_ghcr && matches!(who, Who::Nobody) && granted != asked {
            return Err(unauthorized());
        }
        Ok(self.issue(ask, asked, granted))
    }

    fn issue(&mut self, ask: &Ask, asked: BTreeSet<Access>, granted: BTreeSet<Access>) -> Answer {
        self.drawn += 1;
        let rules = &self.host(ask).rules;
        let seconds = rules.token_seconds.unwrap_or(TOKEN_SECONDS);
        let until = ask.now.plus(Duration::from_secs(seconds));
        let token = if rules.personality == Personality::Ghcr {
            self.draw(&format!("registry token/{}", self.drawn))
        } else {
            let claims = Claims {
                iss: ask.host.clone(),
                aud: ask.host.clone(),
                sub: self.drawn.to_string(),
                iat: ask.now.millis() / 1000,
                exp: until.millis() / 1000,
            };
            issue(self.seed, &claims)
        };
        let issued = Issued {
            until,
            asked,
            granted,
        };
        let host = self.hosts.get_mut(&ask.host);
        let host = host.expect("a request only gets to hosts that exist");
        host.issued.retain(|_, it| ask.now < it.until);
        host.issued.insert(token.clone(), issued);
        let body = json!({"token": token, "expires_in": seconds, "issued_at": ask.now});
        Answer::json(200, &body)
    }

    /// Who a header of the Basic scheme stands for; none: nobody that is known.
    fn known(&self, host: &str, sent: &str) -> Option<Who> {
        let (scheme, encoded) = sent.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (name, password) = decoded.split_once(':')?;
        let rules = &self.hosts.get(host)?.rules;
        let mut users = rules.users.iter();
        if let Some(user) = users.find(|it| it.name == name && it.password == password) {
            let read_only = user.read_only;
            return Some(Who::User { read_only });
        }
        // GHCR asks for any name together with a token of GitHub (`docker/build-push-action`, issue 626).
        let mut tokens = self.tokens.iter();
        let token = tokens.find(|it| it.token == password && !name.is_empty());
        let token = token.filter(|_| rules.personality == Personality::Ghcr);
        token.cloned().map(Who::Holder)
    }

    fn may(&self, host: &str, who: &Who, access: &Access) -> bool {
        let host = &self.hosts[host];
        if !is_place(host, &access.repository) {
            return false;
        }
        let is_pull = access.action == "pull";
        let repository = host.repositories.get(&access.repository);
        match who {
            _ if is_pull && repository.is_some_and(|it| it.public) => true,
            Who::Nobody => false,
            Who::User { read_only } => is_pull || !read_only,
            Who::Holder(token) => match access.action.as_str() {
                "pull" => token.may("read:packages"),
                "push" => token.may("write:packages"),
                "delete" => token.may("delete:packages"),
                _ => false,
            },
        }
    }
}

/// ACR wants the namespace to be there, and the personal edition one level below it (Alibaba Cloud Container Registry
/// documentation, "Manage image repositories").
fn is_place(host: &Host, repository: &str) -> bool {
    let (namespace, rest) = repository.split_once('/').unwrap_or(("", repository));
    let is_there = || {
        let mut known = host.repositories.keys();
        host.rules.namespaces.iter().any(|it| it == namespace)
            || known.any(|it| it.split('/').next() == Some(namespace))
    };
    match host.rules.personality {
        Personality::Ghcr | Personality::Distribution => true,
        Personality::AcrEnterprise => is_there(),
        Personality::AcrPersonal => !rest.contains('/') && is_there(),
    }
}

fn unauthorized() -> Refusal {
    Refusal::new(401, "UNAUTHORIZED", "authentication required")
}

fn denied() -> Refusal {
    let text = "requested access to the resource is denied";
    Refusal::new(403, "DENIED", text)
}

fn bearer(sent: &str) -> Option<&str> {
    let (scheme, token) = sent.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What a request needs (distribution, `registry/handlers/app.go`, `appendAccessRecords`): a mount needs to read where
/// it comes from, too.
fn needs(ask: &Ask) -> BTreeSet<Access> {
    let is_upload = matches!(ask.target, Target::Uploads | Target::Upload { .. });
    let actions: &[&str] = match ask.method() {
        _ if ask.repository.is_empty() => &[],
        "GET" | "HEAD" => &["pull"],
        "DELETE" if !is_upload => &["delete"],
        _ => &["pull", "push"],
    };
    let access = |repository: &str, action: &str| Access {
        repository: repository.to_owned(),
        action: action.to_owned(),
    };
    let own = actions.iter().map(|it| access(&ask.repository, it));
    let from = ask.parameter("from").filter(|_| is_upload);
    own.chain(from.map(|it| access(it, "pull"))).collect()
}

/// What a token is asked for: `scope` may come several times, and may hold several.
fn asked(ask: &Ask) -> BTreeSet<Access> {
    let scopes = ask.parameters("scope").flat_map(|it| it.split(' '));
    let mut asked = BTreeSet::new();
    for scope in scopes {
        let parts = scope.strip_prefix("repository:");
        let Some((repository, actions)) = parts.and_then(|it| it.rsplit_once(':')) else {
            continue;
        };
        // skopeo asks for everything by a star.
        let actions = if actions == "*" {
            "pull,push,delete"
        } else {
            actions
        };
        asked.extend(actions.split(',').map(|it| Access {
            repository: repository.to_owned(),
            action: it.to_owned(),
        }));
    }
    asked
}
