//! The same `ClientToken`, the same effect (ECS documentation, "How to ensure idempotence").

use std::collections::BTreeMap;

use serde_json::Value;

use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Reply, metadata};

/// What each token of each action was used for. ASSUMED: tokens are kept for ever.
pub(super) type Tokens = BTreeMap<(String, String), Bound>;

/// One use of a token.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    parameters: BTreeMap<String, String>,
    /// None: the call was refused.
    answer: Option<Value>,
}

/// Does the work once for each token: the same request gets the same answer, another one is refused.
pub(super) fn once(cloud: &mut Cloud, ask: &Ask, work: impl FnOnce(&mut Cloud) -> Reply) -> Reply {
    let Some(token) = ask.text("ClientToken") else {
        return work(cloud);
    };
    if token.len() > 64 || !token.is_ascii() {
        let message = "The ClientToken provided is invalid.";
        let code = match ask.action.as_str() {
            "RunCommand" => "InvalidClientToken.Malformed",
            _ => "InvalidClientToken.ValueNotSupported",
        };
        return Err(Refusal::new(400, code, message));
    }
    let name = (ask.action.clone(), token.to_owned());
    let parameters = compared(ask);
    match cloud.tokens.get(&name) {
        Some(bound) if bound.parameters != parameters => return Err(mismatch(ask)),
        Some(Bound {
            answer: Some(answer),
            ..
        }) => return Ok(answer.clone()),
        Some(_) | None => {}
    }
    let reply = work(cloud);
    let binds = reply.is_ok() || cloud.scenario.settings.refused_binds_token;
    if binds && !ask.is_true("DryRun") {
        let answer = reply.clone().ok();
        cloud.tokens.insert(name, Bound { parameters, answer });
    }
    reply
}

/// A retry has a new nonce, time stamp and signature; all else must be the same.
fn compared(ask: &Ask) -> BTreeMap<String, String> {
    let is_compared = |name: &str| name == "RegionId" || !metadata::is_common(name);
    let parameters = ask
        .parameters
        .0
        .iter()
        .filter(|(name, _)| is_compared(name));
    parameters
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// `CreateImage` has a code of its own (ECS API reference, `CreateImage`, error codes).
fn mismatch(ask: &Ask) -> Refusal {
    let message =
        "Request uses a client token in a previous request but is not identical to that request.";
    let code = match ask.action.as_str() {
        "CreateImage" => "IdempotenceParamNotMatch",
        _ => "IdempotentParameterMismatch",
    };
    Refusal::new(400, code, message)
}
