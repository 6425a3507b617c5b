//! What a registry serves and nobody may believe: pages of HTML, other bytes than were asked for, images that hold
//! themselves, far too much; and token services that are down.

use reconcile::report::State;
use serde_json::{Value, json};

use super::{condition, lab, place, shown, sources, tags, world};
use crate::cli::{Place, Run, finish};
use crate::hostile::told::tell;
use crate::wire::registry::{Answer, Asked, Server};

const FOREVER: u64 = 1_000_000;
const ONCE: [&str; 2] = ["--once", "--simulate=world.yaml"];

/// A repository whose `v1` is to be merged, and by a pattern at that, so that tags are listed.
fn struck(troubles: &[Value]) -> Place {
    let forever = |it: &Value| {
        let mut trouble = it.clone();
        trouble["times"] = json!(FOREVER);
        trouble
    };
    let troubles: Vec<Value> = troubles.iter().map(forever).collect();
    let world = world(&sources("v1", "r1"), json!({"troubles": troubles}));
    place("tags: [{pattern: 'v*'}]", &world)
}

#[test]
fn a_registry_that_answers_html_or_half_of_it_is_unknown_and_nothing_is_written() {
    // What a HEAD does not tell is asked by a GET.
    for actions in [
        vec!["HEAD manifest", "GET manifest"],
        vec!["GET manifest"],
        vec!["GET tags"],
    ] {
        for status in [json!(200), json!(502), json!(null)] {
            let trouble =
                |action: &&str| json!({"action": action, "fault": "garbage", "status": status});
            let troubles: Vec<Value> = actions.iter().map(trouble).collect();
            let told = tell(&struck(&troubles), &ONCE).exits(1);
            let about = format!("{actions:?} {status}: {}", told.text.stdout);
            assert_eq!(told.report["complete"], false, "{about}");
            assert!(!told.list("unknown").is_empty(), "{about}");
            assert!(told.list("actions").is_empty(), "{about}");
            assert_eq!(told.report["calls"]["writes"], 0, "{about}");
        }
    }
    let head = json!({"action": "HEAD manifest", "fault": "garbage", "status": 200});
    struck(&[head]).run(&ONCE).exits(0);
}

#[test]
fn a_token_service_that_is_down_makes_everything_unknown_and_nothing_private() {
    for fault in [
        json!({"fault": "status", "status": 503}),
        json!({"fault": "status", "status": 429, "seconds": 7}),
        json!({"fault": "garbage", "status": 200}),
        json!({"fault": "garbage", "status": 502}),
        json!({"fault": "dropBefore"}),
    ] {
        let mut trouble = fault.clone();
        trouble["action"] = json!("GET token");
        let told = tell(&struck(&[trouble]), &ONCE).exits(1);
        let said = &told.text.stdout;
        assert_eq!(told.report["complete"], false, "{fault}: {said}");
        assert!(!told.list("unknown").is_empty(), "{fault}: {said}");
        assert_eq!(told.report["calls"]["writes"], 0, "{fault}");
        assert!(
            !said.contains("denied") && !said.contains("private"),
            "{said}"
        );
    }
    // It is down for a moment only.
    let moment = json!([{"action": "GET token", "fault": "status", "status": 503, "times": 2}]);
    let world = world(&sources("v1", "r1"), json!({"troubles": moment}));
    place("tags: [v1]", &world).run(&ONCE).exits(0);
}

#[test]
fn a_source_that_holds_the_tag_itself_is_refused_and_the_tag_stays() {
    let manifests = json!([
        {"name": "a", "platform": "linux/amd64", "revision": "r1"},
        {"name": "b", "platform": "linux/arm64", "revision": "r1"},
        {"tags": ["v1"], "of": ["a", "b"]},
        {"tags": ["v1-amd64"], "of": ["v1"], "nested": true},
        {"tags": ["v1-arm64"], "platform": "linux/arm64", "revision": "r2"},
    ]);
    lab("tags: [v1]", world(&manifests, json!({}))).block_on(async |lab| {
        let before = tags(lab);
        let report = lab.converge(1).await;
        assert_eq!(tags(lab), before);
        assert_eq!(lab.writes(), 0, "{}", shown(&report));
        let app = report.resources.iter().find(|(id, _)| id.name == "app");
        assert_eq!(app.expect("it is declared").1.state, State::Stalled);
        let said = condition(&report, "Ready").expect("it is said");
        assert!(said.contains("v1-amd64"), "{said}");
    });
}

/// The program, once, with one registry behind its name that answers by a script.
fn against(server: &Server, place: &Place, more: &[(&str, &str)]) -> Run {
    let registries = format!("ghcr.io=http://{}", server.host);
    let mut command = place.command(&["--once", "--status-dir", "status"]);
    command.env("RECONCILE_REGISTRIES", registries);
    finish(command.envs(more.iter().copied()))
}

/// Lets a script answer while the program runs.
fn with_server(
    script: impl FnMut(&Asked) -> Answer + Send + 'static,
    run: impl FnOnce(&Server) -> Run + Send + 'static,
) -> (Run, Vec<Asked>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime can be started").block_on(async {
        let server = Server::new(script).await;
        let asked = server.clone();
        let run = tokio::task::spawn_blocking(move || run(&server)).await;
        (run.expect("no test panics in there"), asked.asked())
    })
}

#[test]
fn a_manifest_of_a_hundred_megabytes_is_not_read() {
    for is_chunked in [false, true] {
        let script = move |asked: &Asked| {
            let (length, body) = match asked.method.as_str() {
                "HEAD" => (None, Vec::new()),
                _ => (Some(()), vec![b' '; 100 << 20]),
            };
            let digest = reconcile::ids::Digest::of(b"whatever");
            let answer = Answer::of(200, body)
                .with("content-type", "application/vnd.oci.image.index.v1+json")
                .with("docker-content-digest", digest.as_str());
            if is_chunked && length.is_some() {
                return answer.chunked();
            }
            answer
        };
        let place = place("tags: [v1]", &json!({}));
        let (run, asked) = with_server(script, move |server| against(server, &place, &[]));
        let run = run.exits(1);
        assert!(run.stdout.contains("more than 4194304 bytes"), "{run:?}");
        assert!(
            asked
                .iter()
                .all(|it| ["GET", "HEAD"].contains(&it.method.as_str()))
        );
    }
}

#[test]
fn credentials_are_sent_to_the_host_that_they_are_for_and_to_no_other() {
    let challenge = |_: &Asked| {
        let basic = r#"Basic realm="registry""#;
        Answer::error(401, "UNAUTHORIZED").with("www-authenticate", basic)
    };
    // `u:hunter2-password`, for each of two hosts.
    for (host, is_sent) in [("registry.example", true), ("other.example", false)] {
        let place = place("tags: [v1]", &json!({}));
        place.edit("state/app.yaml", "host: ghcr.io", "host: registry.example");
        let config = json!({"auths": {host: {"auth": "dTpodW50ZXIyLXBhc3N3b3Jk"}}});
        place.write("config.json", &config.to_string());
        let (run, asked) = with_server(challenge, move |server| {
            let registries = format!("registry.example=http://{}", server.host);
            let docker = place.path(".").display().to_string();
            let more = [
                ("RECONCILE_REGISTRIES", registries.as_str()),
                ("DOCKER_CONFIG", docker.as_str()),
                ("GITHUB_TOKEN", "ghp_of_nobody"),
            ];
            against(server, &place, &more)
        });
        assert!(!asked.is_empty(), "{run:?}");
        let sent: Vec<&str> = asked.iter().map(|it| it.header("authorization")).collect();
        let is_basic = |it: &&str| *it == "Basic dTpodW50ZXIyLXBhc3N3b3Jk";
        assert_eq!(sent.iter().any(is_basic), is_sent, "{host}: {sent:?}");
        assert!(
            sent.iter().all(|it| it.is_empty() || is_basic(it)),
            "{sent:?}"
        );
        let said = [run.stdout, run.stderr].concat();
        assert!(
            !said.contains("hunter2") && !said.contains("ghp_of"),
            "{said}"
        );
    }
}
