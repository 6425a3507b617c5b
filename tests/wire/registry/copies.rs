//! Blobs brought from one repository to another.

use super::blobs::blob;
use super::{Answer, Asked, Server, clients, told};

const BYTES: &[u8] = b"0123456789";

/// A registry without the blob, which takes uploads at `/upload`.
fn target(mount: u16) -> impl FnMut(&Asked) -> Answer + Send + 'static {
    move |asked| match asked.method.as_str() {
        "HEAD" => Answer::error(404, "BLOB_UNKNOWN"),
        "POST" if asked.target.contains("mount=") => {
            Answer::of(mount, "").with("location", "/upload?state=a%2Fb")
        }
        "POST" => {
            Answer::of(202, "").with("location", &format!("{}/upload?state=a%2Fb", asked.base))
        }
        "PUT" => Answer::of(201, ""),
        "DELETE" => Answer::of(204, ""),
        _ => Answer::of(200, BYTES),
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_where_the_blob_is() {
    let server = Server::new(|_| Answer::of(200, BYTES)).await;
    let (from, to) = (server.location("a"), server.location("b"));
    let sent = clients(&[])
        .registries
        .copy_blob((&from, &to), &blob(BYTES))
        .await;
    assert_eq!(sent, Ok(0));
    assert_eq!(
        server.lines(),
        [format!("HEAD /v2/b/blobs/{}", blob(BYTES).digest)]
    );
}

#[tokio::test(start_paused = true)]
async fn is_mounted_where_both_are_on_one_registry() {
    let server = Server::new(target(201)).await;
    let (from, to) = (server.location("a"), server.location("b"));
    let sent = clients(&[])
        .registries
        .copy_blob((&from, &to), &blob(BYTES))
        .await;
    assert_eq!(sent, Ok(0));
    let mount = format!(
        "POST /v2/b/blobs/uploads/?mount={}&from=a",
        blob(BYTES).digest
    );
    assert_eq!(server.lines()[1..], [mount]);
}

#[tokio::test(start_paused = true)]
async fn asks_for_both_repositories_to_mount() {
    let mut inner = target(201);
    let script = move |asked: &Asked| {
        if asked.target.starts_with("/token") {
            return Answer::of(200, r#"{"token": "t"}"#);
        }
        let realm = format!(r#"Bearer realm="{}/token""#, asked.base);
        match asked.header("authorization") {
            "" => Answer::error(401, "UNAUTHORIZED").with("www-authenticate", &realm),
            _ => inner(asked),
        }
    };
    let server = Server::new(script).await;
    let (from, to) = (server.location("a"), server.location("b"));
    let sent = clients(&[])
        .registries
        .copy_blob((&from, &to), &blob(BYTES))
        .await;
    assert_eq!(sent, Ok(0));
    let wanted =
        "GET /token?scope=repository%3Aa%3Apull&scope=repository%3Ab%3Apull%2Cpush".to_owned();
    assert!(server.lines().contains(&wanted), "{:?}", server.lines());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_mounted_is_uploaded_in_the_session_that_was_opened() {
    let server = Server::new(target(202)).await;
    let (from, to) = (server.location("a"), server.location("b"));
    let sent = clients(&[])
        .registries
        .copy_blob((&from, &to), &blob(BYTES))
        .await;
    assert_eq!(sent, Ok(10));
    let asked = server.asked();
    let methods: Vec<&str> = asked.iter().map(|it| it.method.as_str()).collect();
    assert_eq!(methods, ["HEAD", "POST", "GET", "PUT"]);
    let put = &asked[3];
    assert_eq!(
        put.target,
        format!("/upload?state=a%2Fb&digest={}", blob(BYTES).digest)
    );
    assert_eq!(
        (
            put.header("content-length"),
            put.header("transfer-encoding")
        ),
        ("10", "")
    );
    assert_eq!(put.body, BYTES);
}

#[tokio::test(start_paused = true)]
async fn a_mount_that_is_denied_is_no_reason_not_to_upload() {
    let mut inner = target(202);
    let script = move |asked: &Asked| match asked.target.contains("mount=") {
        true => Answer::error(403, "DENIED"),
        false => inner(asked),
    };
    let server = Server::new(script).await;
    let (from, to) = (server.location("a"), server.location("b"));
    let sent = clients(&[])
        .registries
        .copy_blob((&from, &to), &blob(BYTES))
        .await;
    assert_eq!(sent, Ok(10));
}

/// What becomes of a copy from a registry that answers so, and what the other one was asked.
async fn copied(answers: Vec<Answer>, size: &[u8]) -> (Result<u64, String>, Server) {
    let mut answers = answers.into_iter().cycle();
    let source = Server::new(move |_| answers.next().expect("it goes round")).await;
    let server = Server::new(target(202)).await;
    let (from, to) = (source.location("a"), server.location("b"));
    let sent = clients(&[])
        .registries
        .copy_blob((&from, &to), &blob(size))
        .await;
    (sent.map_err(|fault| told::<()>(Err(fault))), server)
}

#[tokio::test(start_paused = true)]
async fn a_copy_from_another_registry_starts_again_when_it_breaks() {
    let broken = Answer::of(200, &BYTES[..4]).missing(6);
    let (sent, server) = copied(vec![broken, Answer::of(200, BYTES)], BYTES).await;
    assert!(sent.is_ok_and(|it| (10..20).contains(&it)));
    let asked = server.asked();
    let methods: Vec<&str> = asked.iter().map(|it| it.method.as_str()).collect();
    // The first body broke off before its request was known.
    assert_eq!(methods.iter().filter(|it| **it == "POST").count(), 2);
    assert_eq!(methods.iter().filter(|it| **it == "DELETE").count(), 1);
    assert_eq!(asked.last().expect("one").body, BYTES);
}

#[tokio::test(start_paused = true)]
async fn a_blob_that_is_not_what_it_should_be_is_never_received_whole() {
    for (answer, why) in [
        (Answer::of(200, &BYTES[..4]).chunked(), "it ends early"),
        (Answer::of(200, &BYTES[..4]).missing(6), "no answer from"),
        (Answer::of(200, "012345678x"), "it is not what its digest"),
        (Answer::of(200, "0123456789x"), "it is not what its digest"),
        (Answer::error(404, "BLOB_UNKNOWN"), "BLOB_UNKNOWN"),
        (Answer::html(404), "404"),
    ] {
        let (sent, server) = copied(vec![answer], BYTES).await;
        let said = sent.expect_err(why);
        assert!(said.contains(why), "{said}");
        let asked = server.asked();
        assert!(
            asked
                .iter()
                .all(|it| it.method != "PUT" || it.body.is_empty())
        );
        let count = |method: &str| asked.iter().filter(|it| it.method == method).count();
        assert_eq!(count("POST"), count("DELETE"), "each upload is called off");
        assert!(count("POST") >= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_blob_is_copied_too() {
    let (sent, server) = copied(vec![Answer::of(200, "")], b"").await;
    assert_eq!(sent, Ok(0));
    let put = server.asked().last().expect("one").clone();
    assert_eq!(
        (put.method.as_str(), put.header("content-length")),
        ("PUT", "0")
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_elsewhere_learns_nothing_of_who_we_are() {
    let store = Server::new(|_| Answer::of(201, "")).await;
    let there = format!("http://{}/upload", store.host);
    let script = move |asked: &Asked| match (asked.method.as_str(), asked.header("authorization")) {
        (_, "") => Answer::error(401, "UNAUTHORIZED").with("www-authenticate", "Basic"),
        ("HEAD", _) => Answer::error(404, "BLOB_UNKNOWN"),
        _ => Answer::of(202, "").with("location", &there),
    };
    let server = Server::new(script).await;
    let source = Server::new(|_| Answer::of(200, BYTES)).await;
    let clients = clients(&[("RECONCILE_USER_X", "u"), ("RECONCILE_PASSWORD_X", "p")]);
    let to = server.location_with_login("b");
    let sent = clients
        .registries
        .copy_blob((&source.location("a"), &to), &blob(BYTES))
        .await;
    assert_eq!(sent, Ok(10));
    assert_eq!(store.asked()[0].header("authorization"), "");
    assert_eq!(source.asked()[0].header("authorization"), "");
}
