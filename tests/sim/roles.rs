//! Sessions of roles: parameters, whom a role trusts, and how long the keys are good.

use std::collections::BTreeMap;

use reconcile::sim::identity::token::{Claims, GITHUB, issue};
use serde_json::{Value, json};

use super::{Bench, body, form};

const ROLE: &str = "acs:ram::1000000000000001:role/ci";
const NAME: (&str, &str) = ("RoleSessionName", "run-7");

fn account() -> Bench {
    Bench::new(json!({
        "arn": "acs:ram::1000000000000001:user/ci",
        "roles": [
            {"name": "ci", "denied": ["DescribeRegions"],
             "tokens": {"provider": "github", "audience": "sts.aliyuncs.com", "subject": "repo:demo/images:*"}},
            {"name": "two", "trusted": ["ci"], "externalId": "demo-1"},
        ],
        "identityProviders": [{"name": "github", "issuer": GITHUB, "audiences": ["sts.aliyuncs.com", "unused"]}],
    }))
}

/// Signs with the key of a session from now on.
fn take(bench: &mut Bench, answer: &Value) -> String {
    let text = |name: &str| {
        answer["Credentials"][name]
            .as_str()
            .expect("a text")
            .to_owned()
    };
    bench.key = (text("AccessKeyId"), text("AccessKeySecret"));
    text("SecurityToken")
}

#[test]
fn the_key_of_a_session_is_good_until_it_ends() {
    let mut bench = account();
    let wanted = [("RoleArn", ROLE), NAME, ("DurationSeconds", "900")];
    let answer = bench.ok("AssumeRole", &wanted);
    assert_eq!(answer["Credentials"]["Expiration"], "2026-11-21T02:15:00Z");
    assert_eq!(answer["AssumedRoleUser"]["Arn"], format!("{ROLE}/run-7"));
    let token = take(&mut bench, &answer);
    assert_eq!(
        bench.refused("DescribeImages", &[]),
        "400 MissingSecurityToken"
    );
    let token = ("SecurityToken", token.as_str());
    bench.ok("DescribeImages", &[token]);
    assert_eq!(
        bench.refused("DescribeRegions", &[token]),
        "403 Forbidden.RAM"
    );
    let caller = bench.ok("GetCallerIdentity", &[token]);
    assert_eq!(
        caller["Arn"],
        "acs:ram::1000000000000001:assumed-role/ci/run-7"
    );
    assert_eq!(caller["IdentityType"], "AssumedRoleUser");
    bench.wait(900);
    assert_eq!(
        bench.refused("DescribeImages", &[token]),
        "400 InvalidSecurityToken.Expired"
    );
    assert!(bench.world.calls().iter().all(|it| !it.write));
}

#[test]
fn parameters_are_held_against_their_rules() {
    let long = "x".repeat(65);
    let policy = format!("{{\"a\": \"{}\"}}", "x".repeat(2048));
    let mut bench = account();
    for (name, value, refusal) in [
        ("RoleArn", "", "400 MissingParameter"),
        ("RoleArn", "ci", "400 InvalidParameter.RoleArn"),
        (
            "RoleArn",
            "acs:ram::1000000000000001:role/none",
            "404 EntityNotExist.Role",
        ),
        (
            "RoleArn",
            "acs:ram::2000000000000002:role/ci",
            "404 EntityNotExist.Role",
        ),
        ("RoleSessionName", "", "400 MissingParameter"),
        (
            "RoleSessionName",
            "x",
            "400 InvalidParameter.RoleSessionName",
        ),
        (
            "RoleSessionName",
            &long,
            "400 InvalidParameter.RoleSessionName",
        ),
        (
            "RoleSessionName",
            "a b",
            "400 InvalidParameter.RoleSessionName",
        ),
        (
            "DurationSeconds",
            "899",
            "400 InvalidParameter.DurationSeconds",
        ),
        (
            "DurationSeconds",
            "3601",
            "400 InvalidParameter.DurationSeconds",
        ),
        ("DurationSeconds", "soon", "400 InvalidParameter"),
        ("Policy", "no JSON", "400 InvalidParameter.PolicyGrammar"),
        ("Policy", &policy, "400 InvalidParameter.PolicyGrammar"),
        ("ExternalId", "a b", "400 InvalidParameter.ExternalId"),
        ("Unknown", "x", "400 UnsupportedParameter"),
    ] {
        let mut wanted = BTreeMap::from([("RoleArn", ROLE), NAME]);
        wanted.insert(name, value);
        let wanted: Vec<(&str, &str)> = wanted.into_iter().collect();
        assert_eq!(
            bench.refused("AssumeRole", &wanted),
            refusal,
            "{name} {value:.20}"
        );
    }
}

#[test]
fn a_role_is_given_only_to_whom_it_trusts() {
    let mut bench = account();
    let two = ("RoleArn", "acs:ram::1000000000000001:role/two");
    let id = ("ExternalId", "demo-1");
    assert_eq!(
        bench.refused("AssumeRole", &[two, NAME, id]),
        "403 NoPermission"
    );
    let answer = bench.ok("AssumeRole", &[("RoleArn", ROLE), NAME]);
    let token = take(&mut bench, &answer);
    let token = ("SecurityToken", token.as_str());
    assert_eq!(
        bench.refused("AssumeRole", &[two, NAME, token]),
        "403 NoPermission"
    );
    bench.ok("AssumeRole", &[two, NAME, id, token]);
    let mut root = Bench::new(json!({"roles": [{"name": "ci"}]}));
    assert_eq!(
        root.refused("AssumeRole", &[("RoleArn", ROLE), NAME]),
        "403 NoPermission"
    );
}

fn claims(bench: &Bench) -> Claims {
    let now = bench.now.millis() / 1000;
    Claims {
        iss: GITHUB.to_owned(),
        aud: "sts.aliyuncs.com".to_owned(),
        sub: "repo:demo/images:pull_request".to_owned(),
        iat: now,
        exp: now + 300,
    }
}

/// What a request with a token is answered, with these parameters changed.
fn by_token(bench: &mut Bench, token: &str, changes: &[(&str, &str)]) -> (u16, Value) {
    let time = bench.now.to_string();
    let mut all = BTreeMap::from([
        ("Action", "AssumeRoleWithOIDC"),
        ("Version", "2015-04-01"),
        ("Format", "JSON"),
        ("Timestamp", &time),
        ("RoleArn", ROLE),
        (
            "OIDCProviderArn",
            "acs:ram::1000000000000001:oidc-provider/github",
        ),
        ("OIDCToken", token),
        NAME,
    ]);
    all.extend(changes.iter().copied());
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let all: BTreeMap<String, String> = all.into_iter().map(owned).collect();
    let answer = bench.world.handle(&form(&all), bench.now);
    (answer.status, body(&answer))
}

#[test]
fn a_token_gives_a_session_without_a_signature() {
    let mut bench = account();
    let token = issue(1, &claims(&bench));
    let (status, answer) = by_token(&mut bench, &token, &[]);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["OIDCTokenInfo"]["Issuer"], GITHUB);
    let token = take(&mut bench, &answer);
    bench.ok("DescribeImages", &[("SecurityToken", &token)]);
}

#[test]
fn a_token_is_not_believed_unless_all_of_it_is_right() {
    let mut bench = account();
    let good = claims(&bench);
    let fail = "400 AuthenticationFail.OIDCToken";
    for (claims, refusal) in [
        (
            Claims {
                iss: "https://other.example".to_owned(),
                ..good.clone()
            },
            format!("{fail}.IssuerMismatch"),
        ),
        (
            Claims {
                aud: "other".to_owned(),
                ..good.clone()
            },
            format!("{fail}.AudienceMismatch"),
        ),
        (
            Claims {
                exp: good.iat,
                ..good.clone()
            },
            format!("{fail}.Expired"),
        ),
        // The identity provider knows this audience, the role does not trust it.
        (
            Claims {
                aud: "unused".to_owned(),
                ..good.clone()
            },
            "403 NoPermission".to_owned(),
        ),
        (
            Claims {
                sub: "repo:demo/other:pull_request".to_owned(),
                ..good.clone()
            },
            "403 NoPermission".to_owned(),
        ),
    ] {
        let (status, answer) = by_token(&mut bench, &issue(1, &claims), &[]);
        let code = answer["Code"].as_str().unwrap_or("no code");
        assert_eq!(format!("{status} {code}"), refusal, "{claims:?}");
    }
    // Of another world.
    let (_, answer) = by_token(&mut bench, &issue(2, &good), &[]);
    assert_eq!(answer["Code"], "AuthenticationFail.OIDCToken.Invalid");
}

#[test]
fn what_goes_with_a_token_is_held_against_its_rules() {
    let mut bench = account();
    let token = issue(1, &claims(&bench));
    let long = "x".repeat(20_001);
    for (name, value, refusal) in [
        ("OIDCToken", "", "400 MissingParameter"),
        ("OIDCToken", "x.y", "400 InvalidParameter.OIDCToken"),
        ("OIDCToken", &long, "400 InvalidParameter.OIDCToken"),
        (
            "OIDCProviderArn",
            "acs:ram::1000000000000001:oidc-provider/none",
            "404 EntityNotExist.OIDCProvider",
        ),
        (
            "RoleArn",
            "acs:ram::1000000000000001:role/none",
            "404 EntityNotExist.Role",
        ),
        (
            "RoleSessionName",
            "x",
            "400 InvalidParameter.RoleSessionName",
        ),
        (
            "DurationSeconds",
            "60",
            "400 InvalidParameter.DurationSeconds",
        ),
        ("Timestamp", "", "400 MissingParameter"),
        (
            "Timestamp",
            "2026-11-21T03:00:00Z",
            "400 InvalidTimeStamp.Expired",
        ),
        ("AccessKeyId", "LTAI-simulated", "400 InvalidParameter"),
        ("ExternalId", "demo-1", "400 UnsupportedParameter"),
    ] {
        let (status, answer) = by_token(&mut bench, &token, &[(name, value)]);
        let code = answer["Code"].as_str().unwrap_or("no code");
        assert_eq!(format!("{status} {code}"), refusal, "{name} {value:.20}");
    }
}

#[test]
fn troubles_strike_sts_by_its_actions() {
    let mut bench = account();
    bench.trouble(&json!({"service": "sts", "action": "AssumeRole", "object": ROLE, "fault": "status", "status": 503}));
    assert_eq!(
        bench.refused("AssumeRole", &[("RoleArn", ROLE), NAME]),
        "503 ServiceUnavailable"
    );
    bench.ok("AssumeRole", &[("RoleArn", ROLE), NAME]);
}
