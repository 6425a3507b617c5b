//! Listings of tags: whole and sorted, or a fault.

use super::{Answer, Asked, lab, told};

fn page(tags: &[&str]) -> Answer {
    let body = serde_json::json!({"name": "example/app", "tags": tags});
    Answer::of(200, body.to_string()).with("content-type", "application/json")
}

async fn listed(
    script: impl FnMut(&Asked) -> Answer + Send + 'static,
) -> (Vec<String>, Vec<String>) {
    let (clients, server, at) = lab(script).await;
    let tags = clients.registries.tags(&at).await.expect("it is whole");
    clients
        .registries
        .tags(&at)
        .await
        .expect("it is remembered");
    (tags.items().to_vec(), server.lines())
}

#[tokio::test(start_paused = true)]
async fn follows_links_to_the_end_whatever_their_form() {
    for (first, second) in [
        ("/v2/example/app/tags/list?last=b&n=2", "?n=2&last=c"),
        (
            "http://BASE/v2/example/app/tags/list?last=b&n=2",
            "http://BASE/v2/x?y",
        ),
        // As behind a proxy that does not say its port.
        (
            "https://127.0.0.1/v2/example/app/tags/list?last=b&n=2",
            "/v2/example/app/tags/list?last=c",
        ),
    ] {
        let mut number = 0;
        let (tags, lines) = listed(move |asked| {
            number += 1;
            let link = |to: &str| {
                let to = to.replace("http://BASE", &asked.base);
                format!(r#"<{to}>; rel="next""#)
            };
            match number {
                1 => page(&["b", "a"]).with("link", &link(first)),
                2 => page(&["c", "b"]).with("link", &link(second)),
                _ => page(&["d"]),
            }
        })
        .await;
        assert_eq!(tags, ["a", "b", "c", "d"]);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], "GET /v2/example/app/tags/list?n=1000");
        assert_eq!(lines[1], "GET /v2/example/app/tags/list?last=b&n=2");
    }
}

/// As many tags, not in order.
fn many(from: usize, to: usize) -> Answer {
    let tags: Vec<String> = (from..to).rev().map(|it| format!("v{it}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    page(&tags)
}

#[tokio::test(start_paused = true)]
async fn asks_for_more_where_a_page_is_full_and_there_is_no_link() {
    let (tags, lines) = listed(|asked| match asked.target.contains("&last=v0") {
        false => many(0, 1000),
        true => many(1000, 1002),
    })
    .await;
    assert_eq!((tags.len(), lines.len()), (1002, 2));
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_ignores_how_many_are_asked_for_is_not_asked_for_ever() {
    for (count, requests) in [(1000, 2), (1500, 1), (999, 1), (0, 1)] {
        let (tags, lines) = listed(move |_| many(0, count)).await;
        assert_eq!((tags.len(), lines.len()), (count, requests));
    }
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_is_proven_not_to_be_there_has_none() {
    for answer in [
        Answer::error(404, "NAME_UNKNOWN"),
        Answer::of(200, r#"{"name": "example/app", "tags": null}"#),
        Answer::of(200, r#"{"name": "example/app"}"#),
    ] {
        let (tags, _) = listed(move |_| answer.clone()).await;
        assert!(tags.is_empty());
    }
}

type Script = Box<dyn FnMut(&Asked) -> Answer + Send>;

#[tokio::test(start_paused = true)]
async fn half_a_listing_is_none() {
    let next =
        |to: &'static str| move |_: &Asked| page(&["a"]).with("link", &format!("<{to}>; rel=next"));
    let mut number = 0;
    let mut endless = move |_: &Asked| {
        number += 1;
        page(&["a"]).with("link", &format!("</v2/x?{number}>; rel=next"))
    };
    let gone_later = |asked: &Asked| match asked.target.contains("?n=") {
        true => page(&["a"]).with("link", "</v2/x>; rel=next"),
        false => Answer::error(404, "NAME_UNKNOWN"),
    };
    let scripts: [(Script, &str); 10] = [
        (
            Box::new(next("/v2/x")),
            "leads back to a page that was read",
        ),
        (
            Box::new(next("https://evil.example/v2/x")),
            "not on the same registry",
        ),
        (
            Box::new(move |asked| endless(asked)),
            "more than 1000 pages",
        ),
        (Box::new(gone_later), "does not come from a registry"),
        (
            Box::new(|_| Answer::html(200)),
            "does not come from a registry",
        ),
        (
            Box::new(|_| Answer::html(404)),
            "does not come from a registry",
        ),
        (
            Box::new(|_| page(&["a", "../b"])),
            "`../b` is listed, which is no tag",
        ),
        (
            Box::new(|_| Answer::of(200, r#"{"tags": ["\u001b[31m\na"]}"#)),
            "`[31m a` is listed",
        ),
        (
            Box::new(|_| Answer::of(200, "\u{1b}[31mno")),
            "from a registry: [31mno",
        ),
        (
            Box::new(|_| Answer::of(200, r#"{"tags": [1]}"#)),
            "does not come from a registry",
        ),
    ];
    for (mut script, why) in scripts {
        let (clients, _, at) = lab(move |asked| script(asked)).await;
        let said = told(clients.registries.tags(&at).await);
        assert!(
            said.starts_with("Unavailable") && said.contains(why),
            "{said} instead of {why}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_has_more_tags_than_any_repository_is_not_kept() {
    let (clients, _, at) = lab(|_| many(0, 500_001)).await;
    let said = told(clients.registries.tags(&at).await);
    assert!(said.contains("more than 500000 tags"), "{said}");
}
