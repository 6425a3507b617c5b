//! Blobs and referrers: verified, led elsewhere without credentials, and none only where that is proven.

use reconcile::ids::Digest;
use reconcile::providers::registry::Blob;
use reconcile::providers::registry::content::{OCI_INDEX, OCI_MANIFEST};

use super::{Answer, Asked, Server, clients, index, lab, manifest, told};

pub(super) fn blob(bytes: &[u8]) -> Blob {
    Blob {
        digest: Digest::of(bytes),
        size: u64::try_from(bytes.len()).expect("it is small"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_blob_is_verified_and_remembered() {
    let small = blob(b"{}");
    for (answer, start) in [
        (Answer::of(200, "{}"), ""),
        (
            Answer::of(200, "[]"),
            "Unavailable: the answer is not what its digest",
        ),
        (
            Answer::of(200, "{ }"),
            "Unavailable: the answer is not what its digest",
        ),
        (
            Answer::of(200, "{").missing(1),
            "Unavailable: no answer from",
        ),
        (Answer::error(404, "BLOB_UNKNOWN"), "Gone: 404"),
        (Answer::html(404), "Unavailable: 404"),
    ] {
        let (clients, server, at) = lab(move |_| answer.clone()).await;
        let outcome = clients.registries.blob(&at, &small).await;
        if start.is_empty() {
            assert_eq!(*outcome.expect("it is there"), b"{}");
            clients.forget();
            clients
                .registries
                .blob(&at, &small)
                .await
                .expect("it is remembered");
            assert_eq!(server.lines().len(), 1);
        } else {
            let said = told(outcome);
            assert!(said.starts_with(start), "{said}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_blob_that_is_stored_elsewhere_is_read_there_without_credentials() {
    let store = Server::new(|_| Answer::of(200, "{}")).await;
    let there = format!("http://{}/store?signature=x", store.host);
    let script = move |asked: &Asked| match asked.header("authorization") {
        "" => Answer::error(401, "UNAUTHORIZED").with("www-authenticate", "Basic"),
        _ => Answer::of(307, "").with("location", &there),
    };
    let server = Server::new(script).await;
    let clients = clients(&[("RECONCILE_USER_X", "u"), ("RECONCILE_PASSWORD_X", "p")]);
    let at = server.location_with_login("example/app");
    assert_eq!(
        *clients
            .registries
            .blob(&at, &blob(b"{}"))
            .await
            .expect("it is there"),
        b"{}"
    );
    assert_eq!(store.lines(), ["GET /store?signature=x"]);
    assert_eq!(store.asked()[0].header("authorization"), "");
}

#[tokio::test(start_paused = true)]
async fn a_blob_does_not_lead_us_anywhere() {
    for (location, why) in [
        ("http://store.example/x", "it leads to where it must not"),
        (
            "/v2/example/app/blobs/again",
            "it leads elsewhere more than 5 times",
        ),
        ("http://[", "it leads to what is no URL"),
    ] {
        let (clients, _, at) = lab(move |_| Answer::of(302, "").with("location", location)).await;
        let said = told(clients.registries.blob(&at, &blob(b"{}")).await);
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_blob_whose_store_fails_is_asked_for_again_at_the_registry() {
    for broken in [
        Answer::of(503, ""),
        // The link is no longer good.
        Answer::of(403, ""),
        Answer::of(200, "0123").missing(6),
        Answer::default(),
    ] {
        let mut number = 0;
        let store = move |_: &Asked| {
            number += 1;
            match number % 2 {
                1 => broken.clone(),
                _ => Answer::of(200, "0123456789"),
            }
        };
        let store = Server::new(store).await;
        let there = format!("http://{}/store", store.host);
        let (clients, server, at) =
            lab(move |_| Answer::of(307, "").with("location", &there)).await;
        let whole = blob(b"0123456789");
        let part = clients.registries.blob_part(&at, &whole, (3, 6)).await;
        assert_eq!(part.expect("a part"), b"345678");
        let read = clients.registries.blob(&at, &whole).await;
        assert_eq!(*read.expect("it is there"), b"0123456789");
        assert_eq!((server.lines().len(), store.lines().len()), (4, 4));
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_blob_may_come_alone_or_in_the_whole() {
    let whole = blob(b"0123456789");
    let parts = |range: &'static str| Answer::of(206, "345").with("content-range", range);
    for (answer, expected) in [
        (parts("bytes 3-5/10"), Ok("345")),
        (Answer::of(200, "0123456789"), Ok("345")),
        (parts("bytes 4-6/10"), Err("another part")),
        (
            Answer::of(206, "34").with("content-range", "bytes 3-4/10"),
            Err("ends before"),
        ),
        (Answer::of(200, "0123"), Err("ends before")),
        (Answer::error(416, "RANGE_INVALID"), Err("416")),
    ] {
        let (clients, server, at) = lab(move |_| answer.clone()).await;
        let part = clients.registries.blob_part(&at, &whole, (3, 3)).await;
        assert_eq!(server.asked()[0].header("range"), "bytes=3-5");
        match expected {
            Ok(expected) => assert_eq!(part.expect("a part"), expected.as_bytes()),
            Err(why) => assert!(told(part).contains(why)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_blob_is_absent_only_where_a_registry_says_so() {
    let small = blob(b"{}");
    let gone = || Answer::error(404, "BLOB_UNKNOWN");
    for (head, get, expected) in [
        (Answer::of(200, "{}"), Answer::default(), Ok(true)),
        (gone(), Answer::default(), Ok(false)),
        (Answer::html(404), gone(), Ok(false)),
        (Answer::html(404), Answer::of(200, "{}"), Ok(true)),
        (
            Answer::of(307, "").with("location", "/x"),
            Answer::default(),
            Ok(true),
        ),
        (
            Answer::html(404),
            Answer::html(404),
            Err("Unavailable: 404"),
        ),
        (
            Answer::of(200, "{ }"),
            Answer::default(),
            Err("Invalid: it has 3 bytes there"),
        ),
        (Answer::of(403, ""), Answer::default(), Err("Denied: 403")),
    ] {
        let script = move |asked: &Asked| match asked.method.as_str() {
            "HEAD" => head.clone(),
            _ => get.clone(),
        };
        let (clients, _, at) = lab(script).await;
        let outcome = clients.registries.has_blob(&at, &small).await;
        match expected {
            Ok(expected) => assert_eq!(outcome.expect("it is known"), expected),
            Err(start) => {
                let said = told(outcome);
                assert!(said.starts_with(start), "{said}");
            }
        }
    }
}

/// A listing with these referrers.
fn listing(of: &[&Digest]) -> String {
    let manifests: Vec<_> = of
        .iter()
        .map(|it| serde_json::json!({"mediaType": OCI_MANIFEST, "digest": it, "size": 2}))
        .collect();
    serde_json::json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests})
        .to_string()
}

#[tokio::test(start_paused = true)]
async fn referrers_are_none_only_where_that_is_proven() {
    let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
    let listed = Answer::of(200, listing(&[&one])).with("content-type", OCI_INDEX);
    let empty = Answer::of(200, listing(&[])).with("content-type", OCI_INDEX);
    let tagged = Answer::manifest(&manifest(OCI_INDEX, &listing(&[&two])));
    let gone = || Answer::error(404, "MANIFEST_UNKNOWN");
    let never = Answer::default;
    let people = Answer::of(303, "").with("location", "https://github.com/-/v2/packages");
    for (listing, tag, expected) in [
        (listed, never(), Ok(vec![one])),
        (empty.clone(), tagged.clone(), Ok(vec![two.clone()])),
        (empty, gone(), Ok(vec![])),
        (gone(), tagged.clone(), Ok(vec![two.clone()])),
        (Answer::html(404), tagged.clone(), Ok(vec![two.clone()])),
        (people.clone(), tagged.clone(), Ok(vec![two.clone()])),
        (Answer::html(200), tagged.clone(), Ok(vec![two])),
        (people.clone(), gone(), Ok(vec![])),
        (people.clone(), Answer::html(404), Err("Unavailable: 404")),
        (people, Answer::error(403, "DENIED"), Err("Denied: 403")),
        (
            gone(),
            Answer::of(429, "").with("retry-after", "90"),
            Err("Throttled: 429"),
        ),
        (
            Answer::error(403, "DENIED"),
            tagged.clone(),
            Err("Denied: 403"),
        ),
        (
            Answer::of(429, "").with("retry-after", "90"),
            tagged.clone(),
            Err("Throttled: 429"),
        ),
        (Answer::of(500, ""), tagged.clone(), Err("Unavailable: 500")),
        (
            Answer::of(200, "{").with("content-type", OCI_INDEX),
            tagged,
            Err("Unavailable: the answer is no index"),
        ),
        (
            gone(),
            Answer::manifest(&manifest(OCI_MANIFEST, "{}")),
            Err("Invalid: the tag sha256-"),
        ),
    ] {
        let what = format!("{listing:?} {tag:?}");
        let script = move |asked: &Asked| match asked.target.contains("/referrers/") {
            true => listing.clone(),
            false => tag.clone(),
        };
        let (clients, _, at) = lab(script).await;
        let outcome = clients.registries.referrers(&at, &index().digest).await;
        match expected {
            Ok(expected) => assert_eq!(outcome.expect(&what), expected, "{what}"),
            Err(start) => {
                let said = told(outcome);
                assert!(said.starts_with(start), "{said} for {what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_without_such_a_listing_is_asked_for_it_once_a_pass() {
    let (clients, server, at) = lab(|_| Answer::error(404, "MANIFEST_UNKNOWN")).await;
    for text in ["1", "2", "3"] {
        let digest = Digest::of(text.as_bytes());
        assert!(
            clients
                .registries
                .referrers(&at, &digest)
                .await
                .expect("proven")
                .is_empty()
        );
    }
    let lines = server.lines();
    assert_eq!(
        lines.iter().filter(|it| it.contains("/referrers/")).count(),
        1
    );
    assert!(
        lines[1].contains("HEAD /v2/example/app/manifests/sha256-"),
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn listings_of_referrers_have_pages() {
    let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
    let script = move |asked: &Asked| match asked.target.contains("page=2") {
        true => Answer::of(200, listing(&[&two])),
        false => Answer::of(200, listing(&[&one])).with("link", r#"<?page=2>; rel="next""#),
    };
    let (clients, _, at) = lab(script).await;
    let found = clients.registries.referrers(&at, &index().digest).await;
    assert_eq!(found.expect("it is whole").len(), 2);
    let circle = |_: &Asked| Answer::of(200, listing(&[])).with("link", r#"<?page=2>; rel="next""#);
    let (clients, _, at) = lab(circle).await;
    let said = told(clients.registries.referrers(&at, &index().digest).await);
    assert!(said.contains("leads back"), "{said}");
}
