//! Manifests: what proves that there is one, or none, and what is no manifest.

use reconcile::providers::registry::Head;
use reconcile::providers::registry::content::{
    DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST,
};
use reconcile::providers::registry::fault::{is_unsupported, refuses_artifacts};

use super::{Answer, index, lab, manifest, told};

#[tokio::test(start_paused = true)]
async fn a_head_is_asked_once_a_pass_and_for_all_types() {
    let (clients, server, at) = lab(|_| Answer::manifest(&index())).await;
    for _ in 0..3 {
        let head = clients
            .registries
            .head(&at, "v1")
            .await
            .expect("it is there");
        assert_eq!(*head, Some(index().head()));
    }
    clients.forget();
    let head = clients
        .registries
        .head(&at, "v1")
        .await
        .expect("it is there");
    assert_eq!(head.as_ref().as_ref().map(|it| it.size), Some(34));
    assert_eq!(server.lines(), ["HEAD /v2/example/app/manifests/v1"; 2]);
    for it in [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST] {
        assert!(server.asked()[0].header("accept").contains(it), "{it}");
    }
    let calls = clients.calls();
    assert_eq!(
        (calls.by_service["registry"], calls.reads, calls.writes),
        (2, 2, 0)
    );
}

/// What HEAD and GET of a tag are answered, and what is made of it.
async fn seen(head: Answer, get: Answer) -> Result<Option<Head>, String> {
    let script = move |asked: &super::Asked| match asked.method.as_str() {
        "HEAD" => head.clone(),
        _ => get.clone(),
    };
    let (clients, _, at) = lab(script).await;
    let outcome = clients.registries.head_now(&at, "v1").await;
    outcome.map_err(|fault| told::<()>(Err(fault)))
}

#[tokio::test(start_paused = true)]
async fn only_what_a_registry_says_is_believed() {
    let gone = || Answer::error(404, "MANIFEST_UNKNOWN");
    let good = || Answer::manifest(&index());
    let never = Answer::default;
    for (head, get, expected) in [
        (gone(), never(), Ok(false)),
        (
            gone().without("docker-distribution-api-version"),
            gone(),
            Ok(false),
        ),
        (Answer::of(404, ""), gone(), Ok(false)),
        (
            Answer::html(404),
            Answer::error(404, "NAME_UNKNOWN"),
            Ok(false),
        ),
        (Answer::html(404), good(), Ok(true)),
        (good(), never(), Ok(true)),
        (good().without("docker-content-digest"), good(), Ok(true)),
        (
            Answer::html(404),
            Answer::html(404),
            Err("Unavailable: 404"),
        ),
        (
            Answer::of(404, ""),
            Answer::of(404, ""),
            Err("Unavailable: 404"),
        ),
        (
            Answer::html(404),
            Answer::error(404, "DENIED"),
            Err("Unavailable: 404"),
        ),
        (
            Answer::html(200),
            Answer::html(200),
            Err("Unavailable: 200"),
        ),
        (
            Answer::of(302, "").with("location", "https://x.example/login?a=b"),
            never(),
            Err("Unavailable: 302: it leads to https://x.example/login"),
        ),
        (
            Answer::error(401, "UNAUTHORIZED"),
            never(),
            Err("Denied: 401"),
        ),
        (Answer::html(403), never(), Err("Denied: 403")),
        (
            Answer::of(429, "").with("retry-after", "1"),
            never(),
            Err("Throttled: 429"),
        ),
        (Answer::of(503, ""), never(), Err("Unavailable: 503")),
        (never(), never(), Err("Unavailable: no answer")),
    ] {
        let what = format!("{head:?} {get:?}");
        match (seen(head, get).await, expected) {
            (Ok(head), Ok(is_there)) => {
                assert_eq!(head, is_there.then(|| index().head()), "{what}");
            }
            (Err(said), Err(start)) => assert!(said.starts_with(start), "{said} for {what}"),
            (outcome, _) => panic!("{outcome:?} for {what}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_is_read_once_whatever_passes() {
    let (clients, server, at) = lab(|_| Answer::manifest(&index())).await;
    for _ in 0..3 {
        let read = clients
            .registries
            .manifest(&at, &index().digest)
            .await
            .expect("it is there");
        assert_eq!(read.as_deref(), Some(&index()));
        clients.forget();
    }
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_manifest_is_on_disk_for_the_next_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let (clients, server, at) = lab(|_| Answer::manifest(&index())).await;
    clients.registries.keep_in(&folder.path().join("manifests"));
    clients
        .registries
        .manifest(&at, &index().digest)
        .await
        .expect("it is there");
    let next = super::clients(&[]);
    next.registries.keep_in(&folder.path().join("manifests"));
    let read = next
        .registries
        .manifest(&at, &index().digest)
        .await
        .expect("it is there");
    assert_eq!(read.as_deref(), Some(&index()));
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_manifest_is_refused() {
    let index = index();
    let typed = manifest(
        OCI_INDEX,
        r#"{"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json"}"#,
    );
    let torn = manifest(OCI_INDEX, r#"{"mediaType":"a/b\nc"}"#);
    let long = format!(r#"{{"mediaType":"{}"}}"#, "a".repeat(256));
    let long = manifest(OCI_INDEX, &long);
    let good = Answer::manifest(&index);
    for (wanted, answer, start) in [
        (
            &index,
            Answer::of(200, "{}").with("content-type", OCI_INDEX),
            "Unavailable: the answer is not what its digest says",
        ),
        (
            &index,
            good.clone()
                .with("docker-content-digest", typed.digest.as_str()),
            "Unavailable: the answer is not what its digest says",
        ),
        (
            &typed,
            Answer::manifest(&typed),
            "Invalid: the answer is called application/vnd.oci.image.index.v1+json, and calls itself",
        ),
        (
            &index,
            good.clone().without("content-type"),
            "Invalid: nothing says what it is",
        ),
        (
            &torn,
            Answer::manifest(&torn).without("content-type"),
            "Invalid: what it calls itself is no media type",
        ),
        (
            &long,
            Answer::manifest(&long),
            "Invalid: what it calls itself is no media type",
        ),
        (
            &index,
            good.clone().missing(100 << 20),
            "Invalid: the answer has more than 4194304 bytes",
        ),
        (
            &index,
            Answer::of(200, vec![b' '; 5 << 20]).chunked(),
            "Invalid: the answer has more than 4194304 bytes",
        ),
        (
            &index,
            good.clone().missing(10),
            "Unavailable: no answer from",
        ),
    ] {
        let (clients, _, at) = lab(move |_| answer.clone()).await;
        let said = told(clients.registries.manifest(&at, &wanted.digest).await);
        assert!(said.starts_with(start), "{said} instead of {start}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_says_itself_what_it_is_where_the_answer_does_not() {
    let typed = manifest(OCI_INDEX, &format!(r#"{{"mediaType":"{OCI_INDEX}"}}"#));
    for answer in [
        Answer::manifest(&typed).without("content-type"),
        Answer::manifest(&typed).with("content-type", &format!("{OCI_INDEX}; charset=utf-8")),
    ] {
        let (clients, _, at) = lab(move |_| answer.clone()).await;
        let read = clients
            .registries
            .manifest(&at, &typed.digest)
            .await
            .expect("it is there");
        assert_eq!(read.as_deref(), Some(&typed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_is_to_the_byte_and_forgets_what_was_seen() {
    let script = |asked: &super::Asked| match asked.method.as_str() {
        "PUT" => Answer::of(201, "").with("docker-content-digest", index().digest.as_str()),
        _ => Answer::error(404, "MANIFEST_UNKNOWN"),
    };
    let (clients, server, at) = lab(script).await;
    let registries = &clients.registries;
    assert_eq!(*registries.head(&at, "v1").await.expect("proven"), None);
    registries
        .put_manifest(&at, "v1", &index())
        .await
        .expect("it is written");
    assert_eq!(*registries.head(&at, "v1").await.expect("proven"), None);
    let put = &server.asked()[1];
    assert_eq!(
        (put.line().as_str(), put.header("content-type")),
        ("PUT /v2/example/app/manifests/v1", OCI_INDEX)
    );
    assert_eq!(put.body, index().bytes);
    assert_eq!(server.lines().len(), 3);
    assert_eq!(clients.calls().writes, 1);
}

#[tokio::test(start_paused = true)]
async fn refusals_of_writes_are_told_apart() {
    let acr = r#"{"errors":[{"code":"DENIED","message":"unknown manifest class for application/vnd.oci.empty.v1+json"}]}"#;
    let other = manifest(OCI_INDEX, "{}").digest;
    for (answer, start, is_artifact) in [
        (
            Answer::of(400, acr),
            "Invalid: 400: DENIED: unknown manifest class",
            true,
        ),
        (
            Answer::error(400, "MANIFEST_BLOB_UNKNOWN"),
            "NotYet: 400",
            false,
        ),
        (Answer::error(403, "DENIED"), "Denied: 403", false),
        (
            Answer::of(201, "").with("docker-content-digest", other.as_str()),
            "Bug: it was written as",
            false,
        ),
    ] {
        let (clients, _, at) = lab(move |_| answer.clone()).await;
        let outcome = clients.registries.put_manifest(&at, "v1", &index()).await;
        let fault = outcome.expect_err("it is refused");
        assert_eq!(refuses_artifacts(&fault), is_artifact);
        let said = told::<()>(Err(fault));
        assert!(said.starts_with(start), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_may_be_gone_already() {
    for (answer, start) in [
        (Answer::of(202, ""), ""),
        (Answer::error(404, "MANIFEST_UNKNOWN"), ""),
        (Answer::html(404), "Unavailable: 404"),
        (
            Answer::error(405, "UNSUPPORTED"),
            "Invalid: 405: UNSUPPORTED",
        ),
    ] {
        let (clients, server, at) = lab(move |_| answer.clone()).await;
        let outcome = clients
            .registries
            .delete_manifest(&at, &index().digest)
            .await;
        assert_eq!(
            outcome.as_ref().is_err_and(is_unsupported),
            start.contains("405")
        );
        match outcome {
            Ok(()) => assert_eq!(start, ""),
            Err(fault) => {
                let said = told::<()>(Err(fault));
                assert!(said.starts_with(start) && !start.is_empty(), "{said}");
            }
        }
        assert!(server.lines()[0].starts_with("DELETE /v2/example/app/manifests/sha256:"));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_by_a_name_that_is_none() {
    let (clients, server, _) = lab(|_| Answer::manifest(&index())).await;
    for (repository, reference) in [
        ("Example/app", "v1"),
        ("example/../app", "v1"),
        ("example/app", "v1?x"),
        ("example/app", "../../x"),
        ("example/app", ""),
        ("example/app", "sha256:12"),
    ] {
        let at = server.location(repository);
        let said = told(clients.registries.head(&at, reference).await);
        assert!(said.starts_with("Invalid: `"), "{said}");
    }
    assert_eq!(server.lines().len(), 0);
}

/// In real time: nothing goes on while requests wait for an answer that never comes.
#[tokio::test]
async fn a_registry_that_never_answers_keeps_nobody_from_another() {
    let (clients, _, at) = lab(|_| Answer::manifest(&index())).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let silent = silent.expect("a free port");
    let mut elsewhere = at.clone();
    elsewhere.site.host = silent.local_addr().expect("an address").to_string();
    let tags: Vec<String> = (0..20).map(|it| format!("v{it}")).collect();
    let hanging = tags
        .iter()
        .map(|tag| clients.registries.head_now(&elsewhere, tag));
    let hanging = futures_util::future::join_all(hanging);
    let served = async {
        // The others are sent first.
        tokio::task::yield_now().await;
        clients.registries.head_now(&at, "v1").await
    };
    let patience = std::time::Duration::from_secs(20);
    tokio::select! {
        biased;
        _ = hanging => panic!("nobody answers there"),
        served = tokio::time::timeout(patience, served) => {
            let head = served.expect("it does not wait for the other registry");
            assert!(head.expect("it is there").is_some());
        }
    }
}
