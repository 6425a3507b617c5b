//! Who calls, and whether the signature is right: RPC V1 (HMAC-SHA1) and V3 (ACS3-HMAC-SHA256).
//!
//! Sources: ECS documentation, "Request signatures" (V1) and "V3 request structure and signature".

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::ids::hex;
use crate::providers::aliyun::sign;
use crate::sim::aliyun::Cloud;
use crate::sim::aliyun::wire::{Incoming, Refusal};
use crate::sim::scenario::Key;
use crate::sim::{Moment, Request};

/// How far a request's time may be off (Common errors, `InvalidTimeStamp.Expired`).
const SKEW_MAX: Duration = Duration::from_secs(15 * 60);

const V3: &str = "ACS3-HMAC-SHA256";

/// What a request says about its sender.
struct Claim {
    key_id: String,
    token: Option<String>,
    time: String,
    nonce: String,
    signature: String,
    string_to_sign: String,
    is_v3: bool,
}

/// Says whose request it is, or why it is not believed.
pub(super) fn check(
    cloud: &mut Cloud,
    request: &Request,
    incoming: &Incoming,
    moment: Moment,
) -> Result<Key, Refusal> {
    if let Some(name) = incoming.repeated.first() {
        return Err(Refusal::invalid(name));
    }
    let is_v3 = request.headers.contains_key("authorization");
    let claim = if is_v3 {
        read_v3(request, incoming)?
    } else {
        read_v1(incoming)?
    };
    check_time(&claim.time, moment)?;
    let known = cloud.scenario.keys.iter().find(|it| it.id == claim.key_id);
    let known = known.or_else(|| cloud.sessions.get(&claim.key_id));
    let Some(key) = known.cloned() else {
        // ASSUMED: 404; older documentation says 400.
        let message = "Specified access key is not found.";
        return Err(Refusal::new(404, "InvalidAccessKeyId.NotFound", message));
    };
    check_token(&key, claim.token.as_deref(), moment.now)?;
    let expected = if claim.is_v3 {
        sign_v3(&claim.string_to_sign, &key.secret)
    } else {
        let mut parameters = incoming.parameters.0.clone();
        parameters.remove("Signature");
        sign::sign(&incoming.method, &parameters, &key.secret)
    };
    if expected != claim.signature {
        // The official SDKs take this text apart to tell a wrong secret from a wrong signer.
        let message = format!(
            "Specified signature is not matched with our calculation. server string to sign is:{}",
            claim.string_to_sign
        );
        return Err(Refusal::new(400, "SignatureDoesNotMatch", &message));
    }
    remember_nonce(cloud, claim, moment.now)?;
    Ok(key)
}

/// What can be said of a request that need not be signed.
pub(super) fn check_unsigned(incoming: &Incoming, moment: Moment) -> Result<(), Refusal> {
    if let Some(name) = incoming.repeated.first() {
        return Err(Refusal::invalid(name));
    }
    let time = incoming.parameters.text("Timestamp");
    check_time(time.ok_or_else(|| Refusal::missing("Timestamp"))?, moment)
}

fn read_v1(incoming: &Incoming) -> Result<Claim, Refusal> {
    let get = |name: &str| incoming.parameters.text(name).map(str::to_owned);
    let need = |name: &str| get(name).ok_or_else(|| Refusal::missing(name));
    let key_id = get("AccessKeyId").ok_or_else(|| {
        Refusal::new(
            400,
            "MissingAccessKeyId",
            "AccessKeyId is mandatory for this action.",
        )
    })?;
    let signature = need("Signature")?;
    // ASSUMED: the code for another method or version of signing.
    if need("SignatureMethod")? != "HMAC-SHA1" || need("SignatureVersion")? != "1.0" {
        return Err(incomplete());
    }
    let mut signed = incoming.parameters.0.clone();
    signed.remove("Signature");
    Ok(Claim {
        key_id,
        token: get("SecurityToken"),
        time: need("Timestamp")?,
        nonce: need("SignatureNonce")?,
        signature,
        string_to_sign: sign::string_to_sign(&incoming.method, &signed),
        is_v3: false,
    })
}

fn read_v3(request: &Request, incoming: &Incoming) -> Result<Claim, Refusal> {
    let header = |name: &str| request.headers.get(name).map(|it| it.trim().to_owned());
    let need = |name: &str| header(name).ok_or_else(|| Refusal::missing(name));
    let authorization = need("authorization")?;
    let (scheme, fields) = authorization.split_once(' ').ok_or_else(incomplete)?;
    let field = |name: &str| {
        let value = |it: &str| {
            it.trim()
                .strip_prefix(name)?
                .strip_prefix('=')
                .map(str::to_owned)
        };
        fields.split(',').find_map(value).ok_or_else(incomplete)
    };
    let signed = field("SignedHeaders")?;
    let mandatory = [
        "host",
        "x-acs-action",
        "x-acs-version",
        "x-acs-date",
        "x-acs-signature-nonce",
    ];
    let lacks = |name: &&str| !signed.split(';').any(|it| it == *name);
    if scheme != V3 || mandatory.iter().any(lacks) {
        return Err(incomplete());
    }
    let hash = hex(&Sha256::digest(&request.body));
    // Whoever changes the body on the way is found out by its hash, which is signed.
    if need("x-acs-content-sha256")? != hash {
        let message = "The header x-acs-content-sha256 is not the hash of the body.";
        return Err(Refusal::new(400, "SignatureDoesNotMatch", message));
    }
    let query = sign::canonical_query(&incoming.query.0);
    let mut lines = vec![request.method.clone(), request.path.clone(), query];
    for name in signed.split(';') {
        lines.push(format!("{name}:{}", need(name)?));
    }
    lines.extend([String::new(), signed, hash]);
    let canonical = lines.join("\n");
    Ok(Claim {
        key_id: field("Credential")?,
        token: header("x-acs-security-token"),
        time: need("x-acs-date")?,
        nonce: need("x-acs-signature-nonce")?,
        signature: field("Signature")?,
        string_to_sign: format!("{V3}\n{}", hex(&Sha256::digest(canonical.as_bytes()))),
        is_v3: true,
    })
}

fn sign_v3(string_to_sign: &str, secret: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(string_to_sign.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// Clients sign with world time or with their machine's: both are accepted.
fn check_time(text: &str, moment: Moment) -> Result<(), Refusal> {
    let Some(time) = Timestamp::parse(text).filter(|_| text.ends_with('Z')) else {
        let message = "Specified time stamp or date value is not well formatted.";
        return Err(Refusal::new(400, "InvalidTimeStamp.Format", message));
    };
    let is_near = |now: Timestamp| now.since(time).max(time.since(now)) <= SKEW_MAX;
    if is_near(moment.now) || is_near(moment.real) {
        return Ok(());
    }
    let message = "Specified time stamp or date value is expired.";
    Err(Refusal::new(400, "InvalidTimeStamp.Expired", message))
}

/// STS documentation, "Error codes"; ASSUMED: the statuses.
fn check_token(key: &Key, token: Option<&str>, now: Timestamp) -> Result<(), Refusal> {
    let refuse = |code: &str, message: &str| Err(Refusal::new(400, code, message));
    match (&key.token, token) {
        (None, None) => Ok(()),
        (None, Some(_)) => refuse(
            "InvalidSecurityToken.Malformed",
            "Specified SecurityToken is malformed.",
        ),
        (Some(_), None) => refuse(
            "MissingSecurityToken",
            "SecurityToken is mandatory for this action.",
        ),
        (Some(own), Some(token)) if own != token => refuse(
            "InvalidSecurityToken.MismatchWithAccessKey",
            "Specified SecurityToken mismatch with the AccessKey.",
        ),
        (Some(_), Some(_)) => match key.expires {
            Some(end) if end <= now => refuse(
                "InvalidSecurityToken.Expired",
                "Specified SecurityToken is expired.",
            ),
            Some(_) | None => Ok(()),
        },
    }
}

/// A nonce is good for one request; it is forgotten once its time stamp would be refused anyway.
fn remember_nonce(cloud: &mut Cloud, claim: Claim, now: Timestamp) -> Result<(), Refusal> {
    let oldest = now.minus(2 * SKEW_MAX);
    cloud.nonces.retain(|_, at| *at >= oldest);
    if cloud
        .nonces
        .insert((claim.key_id, claim.nonce), now)
        .is_some()
    {
        let message = "Specified signature nonce was used already.";
        return Err(Refusal::new(400, "SignatureNonceUsed", message));
    }
    Ok(())
}

fn incomplete() -> Refusal {
    let message = "The request signature does not conform to Aliyun standards.";
    Refusal::new(400, "IncompleteSignature", message)
}
