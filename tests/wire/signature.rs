//! The signature against vectors that the official SDKs computed.

use std::collections::BTreeMap;

use reconcile::providers::aliyun::sign::{canonical_query, sign, string_to_sign};
use serde_json::Value;

use crate::proofs::figure;

#[test]
fn signs_every_vector_of_version_1_like_the_official_sdks() {
    let text = include_str!("../golden/aliyun/signature-vectors.json");
    let file: Value = serde_json::from_str(text).expect("the vectors are JSON");
    let vectors = file["vectors"].as_array().expect("a list");
    let vectors: Vec<&Value> = vectors.iter().filter(|it| it["version"] == "v1").collect();
    for vector in &vectors {
        let part = |name: &str| vector[name].as_object().cloned().unwrap_or_default();
        let all = part("query_params").into_iter().chain(part("body_params"));
        let parameters: BTreeMap<String, String> = all
            .map(|(name, value)| (name, value.as_str().expect("text").to_owned()))
            .collect();
        let field = |name: &str| vector[name].as_str().expect("text");
        let (id, method) = (field("id"), field("http_method"));
        assert_eq!(
            canonical_query(&parameters),
            field("canonicalized_query_string"),
            "{id}"
        );
        assert_eq!(
            string_to_sign(method, &parameters),
            field("string_to_sign"),
            "{id}"
        );
        assert_eq!(
            sign(method, &parameters, field("access_key_secret")),
            field("signature"),
            "{id}"
        );
    }
    assert_eq!(vectors.len(), 13);
    figure(
        "signatures as the official SDKs make them (V1)",
        &vectors.len().to_string(),
    );
}
