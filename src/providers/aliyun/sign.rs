//! The RPC signature V1 of Alibaba Cloud: a pure function of the request's parameters.
//!
//! Source: Alibaba Cloud ECS documentation, "Request signatures"; checked against vectors of the official SDKs.

use std::collections::BTreeMap;

use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Percent-encodes UTF-8 as RFC 3986 does; only letters, digits and `-_.~` stay as they are.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                encoded.push('%');
                encoded.push(char::from(HEX[usize::from(byte >> 4)]));
                encoded.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    encoded
}

/// Joins parameters as `k=v&…`, encoded and sorted by the bytes of the name; this is also the body of a form.
pub fn canonical_query(parameters: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    pairs.join("&")
}

/// What is signed: the method, the path `/`, and all parameters but `Signature` itself.
pub fn string_to_sign(method: &str, parameters: &BTreeMap<String, String>) -> String {
    format!("{method}&%2F&{}", encode(&canonical_query(parameters)))
}

/// The value of the parameter `Signature`, before it is encoded for the wire.
pub fn sign(method: &str, parameters: &BTreeMap<String, String>, secret: &str) -> String {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(format!("{secret}&").as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(string_to_sign(method, parameters).as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}
