//! Signatures of both versions, held against vectors that the official SDKs computed.

use std::collections::BTreeMap;

use reconcile::clock::Timestamp;
use reconcile::providers::aliyun::sign;
use reconcile::sim::Request;
use serde_json::{Value, json};

use super::{Bench, body, form, small_world};

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../golden/aliyun/signature-vectors.json"))
        .expect("JSON");
    file["vectors"].as_array().expect("a list").clone()
}

fn text(vector: &Value, name: &str) -> String {
    vector[name].as_str().unwrap_or_default().to_owned()
}

fn map(value: &Value) -> BTreeMap<String, String> {
    let fields = value.as_object().cloned().unwrap_or_default();
    fields
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

fn request_of(vector: &Value) -> Request {
    let mut query = map(&vector["query_params"]);
    let (mut headers, mut body) = (map(&vector["headers"]), text(vector, "body"));
    if vector["version"] == "v1" {
        query.insert("Signature".to_owned(), text(vector, "signature"));
        let form = map(&vector["body_params"]);
        if !form.is_empty() {
            headers.insert(
                "content-type".to_owned(),
                "application/x-www-form-urlencoded".to_owned(),
            );
            body = sign::canonical_query(&form);
        }
    } else {
        headers.insert("authorization".to_owned(), text(vector, "authorization"));
    }
    Request {
        method: text(vector, "http_method"),
        path: "/".to_owned(),
        query: sign::canonical_query(&query),
        headers,
        body: body.into_bytes(),
    }
}

/// The message of the refusal, if the signature is what is refused.
fn complaint(vector: &Value, secret: &str) -> Option<String> {
    let header = |name: &str| vector["headers"][name].as_str();
    let parameter = |name: &str| vector["query_params"][name].as_str();
    let token = parameter("SecurityToken").or(header("x-acs-security-token"));
    let mut key = json!({"id": vector["access_key_id"], "secret": secret});
    if let Some(token) = token {
        key["token"] = json!(token);
    }
    let mut bench = Bench::new(json!({"keys": [key]}));
    let time = parameter("Timestamp")
        .or(header("x-acs-date"))
        .expect("a time");
    bench.now = Timestamp::parse(time).expect("a time");
    let answer = bench.world.handle(&request_of(vector), bench.now);
    let answer_text = super::text(&answer);
    let is_about = |word: &str| answer_text.contains(word);
    let words = ["Signature", "AccessKey", "SecurityToken", "TimeStamp"];
    let code_is_about = words
        .iter()
        .any(|it| is_about(&format!("<Code>{it}")) || is_about(&format!("\"Code\":\"{it}")));
    code_is_about.then_some(answer_text)
}

#[test]
fn accepts_every_vector_of_both_versions() {
    let vectors = vectors();
    assert!(vectors.len() >= 20);
    for vector in &vectors {
        assert_eq!(
            complaint(vector, &text(vector, "access_key_secret")),
            None,
            "{}",
            vector["id"]
        );
    }
}

#[test]
fn refuses_every_vector_under_another_secret() {
    for vector in &vectors() {
        let answer = complaint(vector, "another").expect("a refusal");
        assert!(
            answer.contains("SignatureDoesNotMatch"),
            "{}: {answer}",
            vector["id"]
        );
    }
}

#[test]
fn says_what_the_server_signed_word_for_word() {
    let vectors = vectors();
    let vector = vectors
        .iter()
        .find(|it| it["id"] == "v3-01-describe-images")
        .expect("the vector");
    let answer: Value =
        serde_json::from_str(&complaint(vector, "another").expect("a refusal")).expect("JSON");
    let expected = format!(
        "Specified signature is not matched with our calculation. server string to sign is:{}",
        text(vector, "string_to_sign")
    );
    assert_eq!(answer["Message"], expected);

    let mut bench = small_world();
    let mut parameters = bench.signed("DescribeRegions", &[]);
    parameters.insert("Signature".to_owned(), "wrong".to_owned());
    let answer = bench.world.handle(&form(&parameters), bench.now);
    parameters.remove("Signature");
    let expected = format!(
        "Specified signature is not matched with our calculation. server string to sign is:{}",
        sign::string_to_sign("POST", &parameters)
    );
    assert_eq!(
        (answer.status, &body(&answer)["Message"]),
        (400, &json!(expected))
    );
}

#[test]
fn takes_a_nonce_only_once() {
    let mut bench = small_world();
    let request = form(&bench.signed("DescribeRegions", &[]));
    assert_eq!(bench.world.handle(&request, bench.now).status, 200);
    let answer = bench.world.handle(&request, bench.now);
    assert_eq!(
        (answer.status, &body(&answer)["Code"]),
        (400, &json!("SignatureNonceUsed"))
    );
}

#[test]
fn accepts_a_time_within_fifteen_minutes_and_no_more() {
    for (seconds, code) in [(900, None), (901, Some("InvalidTimeStamp.Expired"))] {
        let mut bench = small_world();
        let request = form(&bench.signed("DescribeRegions", &[]));
        bench.wait(seconds);
        let answer = bench.world.handle(&request, bench.now);
        assert_eq!(body(&answer)["Code"].as_str(), code, "{seconds} s");
    }
}

#[test]
fn refuses_a_time_without_zone() {
    let mut bench = small_world();
    assert_eq!(
        bench.refused("DescribeRegions", &[("Timestamp", "2026-11-21 02:00:00")]),
        "400 InvalidTimeStamp.Format"
    );
}

#[test]
fn knows_only_the_keys_of_the_scenario() {
    let mut bench = small_world();
    bench.key.0 = "LTAI-other".to_owned();
    assert_eq!(
        bench.refused("DescribeRegions", &[]),
        "404 InvalidAccessKeyId.NotFound"
    );
}

#[test]
fn wants_the_security_token_of_a_temporary_key_until_it_ends() {
    let key = json!({"id": "STS.one", "secret": "secret", "token": "token", "expires": "2026-11-21T03:00:00Z"});
    let mut bench = Bench::new(json!({"keys": [key]}));
    bench.key = ("STS.one".to_owned(), "secret".to_owned());
    assert_eq!(
        bench.refused("DescribeRegions", &[]),
        "400 MissingSecurityToken"
    );
    let other = [("SecurityToken", "other")];
    assert_eq!(
        bench.refused("DescribeRegions", &other),
        "400 InvalidSecurityToken.MismatchWithAccessKey"
    );
    bench.ok("DescribeRegions", &[("SecurityToken", "token")]);
    bench.wait(3600);
    let token = [("SecurityToken", "token")];
    assert_eq!(
        bench.refused("DescribeRegions", &token),
        "400 InvalidSecurityToken.Expired"
    );
}

#[test]
fn refuses_a_body_that_was_changed_on_the_way() {
    let vectors = vectors();
    let mut vector = vectors
        .iter()
        .find(|it| it["id"] == "v3-05-form-body")
        .expect("the vector")
        .clone();
    vector["body"] = json!(format!("{}&More=1", text(&vector, "body")));
    let answer = complaint(&vector, &text(&vector, "access_key_secret")).expect("a refusal");
    assert!(answer.contains("SignatureDoesNotMatch"));
}
