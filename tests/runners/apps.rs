//! A GitHub App instead of a person's token.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use reconcile::providers::github::RunnersOf;
use reconcile::providers::{Settings, connect};
use serde_json::{Value, json};

use super::{lab, with_github};
use crate::proofs::lab::Lab;

/// What the key of nobody is verified by.
const PUBLIC_KEY: &str = "MIIBCgKCAQEAjq/IDyHCa2OZIcUjOjmDfkE8YJDJFhbo/64QrlYnnI5vv0tH7gtVh0Py9j98v+cPVE9ECLSAIy3t5U3EuugrRXH0EpxwzsghtbSvX5Eke86CKyjVJx6xkx+F8K+NoqA5f/i3CNaKvF5h0K3M0tankFBbBx4GhIDXqdq+H6dDyMlmX+zlptUuKPjq73DH1ja8k7jB5M6S/5J0oD4XvZjak8WtLklMUI6ajp5Mqcazflgq97zXn4SqodEiiSOCbQSue8aMn5iXPkA96Agbm6JjLnTvtgp9pudrrMXvHi7qVgtjXE0J+TqV+c4WnS6ywUnMKyX+7FFsZCTkVX/Lly/V3wIDAQAB";

fn key_file() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/github/app-of-nobody.pem");
    file.display().to_string()
}

fn app(seconds: u64) -> Value {
    json!({"id": "Iv1.nobody", "installation": 77, "publicKey": PUBLIC_KEY, "scopes": ["repo"], "seconds": seconds})
}

fn installed(seconds: u64) -> Lab {
    let github = json!({"apps": [app(seconds)], "tokens": [{"token": "ghp-of-packages", "login": "a", "scopes": ["read:packages"]}]});
    lab("", with_github(json!({"github": github})))
}

/// Asks for the runners with these settings besides, so often, with so much time in between.
async fn ask(lab: &Lab, more: &[(&str, &str)], (times, wait): (u32, u64)) -> Result<usize, String> {
    let served = lab.served();
    let mut settings: BTreeMap<String, String> = served.settings.clone();
    settings.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    let clients =
        connect(&Settings::new(settings), served.local, 1).map_err(|it| it.to_string())?;
    let of = RunnersOf::parse("https://github.com/example/app").expect("a page");
    for _ in 0..times {
        clients.forget();
        clients
            .github
            .runners(&of)
            .await
            .map_err(|it| it.to_string())?;
        lab.wait(Duration::from_secs(wait)).await;
    }
    let made = |it: &&reconcile::sim::history::Call| it.action == "POST access token";
    Ok(lab.with_world(|it| it.calls().iter().filter(made).count()))
}

#[test]
fn the_token_of_an_app_is_taken_once_and_renewed_before_it_ends() {
    let file = key_file();
    let whole = [
        ("RECONCILE_GITHUB_APP_ID", "Iv1.nobody"),
        ("RECONCILE_GITHUB_APP_KEY_FILE", file.as_str()),
        ("RECONCILE_GITHUB_INSTALLATION_ID", "77"),
    ];
    installed(3600).block_on(async |lab| {
        assert_eq!(ask(lab, &whole, (10, 60)).await, Ok(1));
    });
    installed(3600).block_on(async |lab| {
        // Three hours: it is renewed in the last five minutes of each.
        assert_eq!(ask(lab, &whole, (18, 600)).await, Ok(3));
    });
}

#[test]
fn an_app_that_is_named_wrongly_is_told_what_is_wrong() {
    let file = key_file();
    let said = |more: &[(&str, &str)]| {
        let lab = installed(3600);
        lab.block_on(async |lab| ask(lab, more, (1, 0)).await.expect_err("it is wrong"))
    };
    let half = [("RECONCILE_GITHUB_APP_ID", "Iv1.nobody")];
    assert!(said(&half).contains("go together"));
    let whole = |id: &'static str, file: &'static str, installation: &'static str| {
        [
            ("RECONCILE_GITHUB_APP_ID", id),
            ("RECONCILE_GITHUB_APP_KEY_FILE", file),
            ("RECONCILE_GITHUB_INSTALLATION_ID", installation),
        ]
    };
    assert!(said(&whole("Iv1.nobody", "/nowhere", "77")).contains("cannot be read"));
    assert!(said(&whole("Iv1.nobody", "/etc/hostname", "77")).contains("/etc/hostname"));
    assert!(said(&whole("Iv1.nobody", "/nowhere", "seven")).contains("is no number"));
    let file: &'static str = Box::leak(file.into_boxed_str());
    assert!(said(&whole("Iv1.other", file, "77")).contains("Integration not found"));
    let other = said(&whole("Iv1.nobody", file, "78"));
    assert!(
        other.contains("404") || other.contains("Not Found"),
        "{other}"
    );
}
