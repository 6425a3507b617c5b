//! What GitHub's refusals mean: the only file that knows their words and statuses.

use std::time::Duration;

use serde_json::Value;

use super::call::Call;
use super::token::Account;
use crate::clock::Timestamp;
use crate::fault::{Class, Fault};
use crate::providers::http::Answer;
use crate::retry::Effect;

/// How much later than GitHub's own reckoning a call comes, for clocks that are cut to the second.
const MARGIN: Duration = Duration::from_secs(1);
/// The longest wait that is believed: budgets are of an hour (GitHub Docs, "Rate limits for the REST API"). After it we ask
/// again, for nobody else would ever end it.
const WAIT_MOST: Duration = Duration::from_secs(3600);

/// The words of a refused deletion, what they mean, and what may help (GitHub REST API, "Delete a package version"; the
/// texts for downloads and for a runner with a job were seen in answers: `cybozu-go/meows`, pull request 136).
const RULES: [(&str, &str); 4] = [
    (
        "last tagged version",
        "GitHub keeps the last version of a package that has a tag: push another tag first, or delete the whole package by hand",
    ),
    (
        "last version",
        "GitHub keeps the last version of a package: push another one first, or delete the whole package by hand",
    ),
    (
        "5000 downloads",
        "a public version with more than 5000 downloads can only be deleted by GitHub's support, or while the package is private",
    ),
    (
        "is still running a job",
        "it goes when its job is over; one that was lost says so for some minutes more",
    ),
];

/// The failure that an answer with any other status than success is. A wait of `None` was not told.
pub(super) fn of(call: &Call<'_>, answer: &Answer, account: &Account, now: Timestamp) -> Fault {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = body.get("message").and_then(Value::as_str);
    let message = match said {
        Some(said) => account.clean(said, call.scope),
        None => "the answer is no JSON object of GitHub".to_owned(),
    };
    let class = class(call, answer, &message, now);
    let hint = hint(call, answer, &message, &class);
    Fault {
        subject: Some(call.subject.to_owned()),
        service: Some(super::SERVICE),
        status: Some(answer.status),
        request_id: answer.header("x-github-request-id").map(str::to_owned),
        hint,
        ..Fault::new(class, call.doing, &message)
    }
}

fn class(call: &Call<'_>, answer: &Answer, message: &str, now: Timestamp) -> Class {
    let rule = RULES.iter().any(|(words, _)| message.contains(words));
    match answer.status {
        403 | 429 if is_throttled(answer, message) => Class::Throttled {
            wait: wait(answer, now),
        },
        400 | 422 if rule => Class::InUse,
        // A runner of this name is there already (`ubicloud`, issue 692).
        409 => Class::InUse,
        401 | 403 => Class::Denied,
        404 => Class::Gone,
        408 | 500.. => Class::Unavailable {
            maybe_applied: call.effect != Effect::Read,
        },
        _ => Class::Invalid,
    }
}

/// GitHub refuses for the rate by 403 as well as by 429 (GitHub Docs, "Rate limits for the REST API").
fn is_throttled(answer: &Answer, message: &str) -> bool {
    answer.status == 429
        || answer.header("retry-after").is_some()
        || answer.header("x-ratelimit-remaining") == Some("0")
        || message.to_ascii_lowercase().contains("rate limit")
}

/// How long GitHub asks to wait. `x-ratelimit-reset` counts only where nothing remains: it is on every answer.
fn wait(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let number = |name| answer.header(name)?.trim().parse::<u64>().ok();
    if let Some(seconds) = number("retry-after") {
        return Some(Duration::from_secs(seconds).min(WAIT_MOST));
    }
    spent(answer, now)
}

/// How long it is until GitHub serves calls again, once the hour's budget is spent; none: it is not.
pub(super) fn spent(answer: &Answer, now: Timestamp) -> Option<Duration> {
    if answer.header("x-ratelimit-remaining") != Some("0") {
        return None;
    }
    let reset = answer.header("x-ratelimit-reset")?.trim().parse().ok()?;
    let reset = Timestamp::EPOCH.plus(Duration::from_secs(reset));
    let wait = reset.since(answer.date().unwrap_or(now));
    Some(wait.min(WAIT_MOST) + MARGIN)
}

fn hint(call: &Call<'_>, answer: &Answer, message: &str, class: &Class) -> Option<String> {
    let rule = RULES.iter().find(|(words, _)| message.contains(words));
    match (class, rule) {
        (Class::InUse, Some((_, advice))) => Some((*advice).to_owned()),
        (Class::Denied | Class::Gone, _) => {
            let accepted = answer.header("x-accepted-github-permissions");
            let accepted = accepted.map(|it| format!(" (GitHub accepts {it})"));
            Some(format!(
                "{}{}",
                call.scope.advice(),
                accepted.unwrap_or_default()
            ))
        }
        (Class::Invalid, _) if answer.status == 410 => {
            Some("this version of GitHub's API has ended: a newer reconcile is needed".to_owned())
        }
        _ => None,
    }
}
