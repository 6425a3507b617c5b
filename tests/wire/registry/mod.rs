//! The client of registries against one that answers by a script, on loopback, in paused time.
#![expect(
    clippy::match_bool,
    reason = "what is answered to what reads as a table"
)]

mod auth;
mod blobs;
mod copies;
mod manifests;
mod tags;
pub(crate) mod warnings;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use reconcile::clock::{Timestamp, VirtualClock};
use reconcile::fault::Fault;
use reconcile::ids::Digest;
use reconcile::providers::registry::content::OCI_INDEX;
use reconcile::providers::registry::{Location, Login, Manifest, Registries, Site};
use reconcile::providers::{Clients, Settings, connect};
use tokio::net::TcpListener;

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The base URL of the server.
    pub(crate) base: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|it| it.to_str());
        value
            .transpose()
            .expect("headers are text")
            .unwrap_or_default()
    }

    /// Method and target, on one line.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What is answered; no status: the connection is closed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Bytes that are promised beyond the body and never come.
    missing: u64,
    is_chunked: bool,
}

impl Answer {
    pub(crate) fn of(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            ..Self::default()
        }
    }

    pub(crate) fn html(status: u16) -> Self {
        Self::of(status, "<html>no</html>").with("content-type", "text/html; charset=utf-8")
    }

    /// An error as the specification has it.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let body = serde_json::json!({"errors": [{"code": code, "message": code.to_lowercase()}]});
        let json = Self::of(status, body.to_string()).with("content-type", "application/json");
        json.with("docker-distribution-api-version", "registry/2.0")
    }

    /// A manifest as registries give it.
    pub(crate) fn manifest(manifest: &Manifest) -> Self {
        Self::of(200, manifest.bytes.clone())
            .with("content-type", &manifest.media_type)
            .with("docker-content-digest", manifest.digest.as_str())
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers
            .retain(|(it, _)| *it != name || name == "www-authenticate");
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(it, _)| *it != name);
        self
    }

    pub(crate) fn missing(self, missing: u64) -> Self {
        Self { missing, ..self }
    }

    pub(crate) fn chunked(self) -> Self {
        Self {
            is_chunked: true,
            ..self
        }
    }
}

/// A server that answers by a script.
#[derive(Clone)]
pub(crate) struct Server {
    /// As in `127.0.0.1:5000`.
    pub(crate) host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(crate) async fn new(script: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let server = Self {
            host: listener.local_addr().expect("an address").to_string(),
            asked: Arc::default(),
        };
        let script: Script = Arc::new(Mutex::new(script));
        tokio::spawn(server.clone().serve(listener, script));
        server
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics in there").clone()
    }

    /// Their methods and targets.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }

    /// A repository that is reached by its own name.
    pub(crate) fn location(&self, repository: &str) -> Location {
        Location {
            site: Site {
                host: self.host.clone(),
                insecure: true,
                login: None,
            },
            repository: repository.to_owned(),
        }
    }

    /// The same, with a user of its own.
    pub(crate) fn location_with_login(&self, repository: &str) -> Location {
        let mut at = self.location(repository);
        at.site.login = Some(Login {
            username_env: "RECONCILE_USER_X".to_owned(),
            password_env: "RECONCILE_PASSWORD_X".to_owned(),
        });
        at
    }

    async fn serve(self, listener: TcpListener, script: Script) {
        loop {
            let (stream, _) = listener.accept().await.expect("connections can be taken");
            let (server, script) = (self.clone(), Arc::clone(&script));
            tokio::spawn(async move {
                let service =
                    service_fn(move |request| answer(server.clone(), Arc::clone(&script), request));
                let http = hyper::server::conn::http1::Builder::new();
                // A connection that is cut off on purpose ends in an error.
                http.serve_connection(TokioIo::new(stream), service)
                    .await
                    .ok();
            });
        }
    }
}

type Script = Arc<Mutex<dyn FnMut(&Asked) -> Answer + Send>>;

async fn answer(
    server: Server,
    script: Script,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Scripted>, io::Error> {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().expect("a path").to_string();
    let mut asked = Asked {
        method: parts.method.to_string(),
        target,
        headers: parts.headers,
        body: Vec::new(),
        base: format!("http://{}", server.host),
    };
    let number = {
        let mut all = server.asked.lock().expect("no test panics in there");
        all.push(asked.clone());
        all.len() - 1
    };
    // A body that breaks off is known by what came before.
    let body = body.collect().await.map_err(io::Error::other)?;
    asked.body = body.to_bytes().to_vec();
    server.asked.lock().expect("no test panics in there")[number]
        .body
        .clone_from(&asked.body);
    let answer = script.lock().expect("no test panics in there")(&asked);
    if answer.status == 0 {
        return Err(io::Error::other("hang up"));
    }
    let mut response = hyper::Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let body = Scripted {
        rest: Some(answer.body),
        missing: answer.missing,
        is_flushed: false,
        is_chunked: answer.is_chunked,
    };
    response.body(body).map_err(io::Error::other)
}

/// A body that may end before its length.
pub(crate) struct Scripted {
    rest: Option<Vec<u8>>,
    missing: u64,
    is_flushed: bool,
    is_chunked: bool,
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match self.rest.take() {
            Some(bytes) => Some(Ok(Frame::data(Bytes::from(bytes)))),
            None if self.missing > 0 && !self.is_flushed => {
                // What came so far is sent before the end.
                self.is_flushed = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            None if self.missing > 0 => Some(Err(io::Error::other("cut off"))),
            None => None,
        })
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_chunked {
            return SizeHint::new();
        }
        let rest = self.rest.as_ref().map_or(0, Vec::len);
        SizeHint::with_exact(u64::try_from(rest).unwrap_or_default() + self.missing)
    }
}

/// Clients with these settings.
pub(crate) fn clients(named: &[(&str, &str)]) -> Clients {
    let start = Timestamp::parse("2026-11-25T10:00:00Z").expect("a valid time");
    let clock = VirtualClock::starting_at(start);
    let named = named
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    connect(&Settings::new(named.collect()), Arc::new(clock), 7).expect("settings are valid")
}

/// A client without any setting, and a server for it.
pub(crate) async fn lab(
    script: impl FnMut(&Asked) -> Answer + Send + 'static,
) -> (Clients, Server, Location) {
    let server = Server::new(script).await;
    let at = server.location("example/app");
    (clients(&[]), server, at)
}

/// An index without children.
pub(crate) fn index() -> Manifest {
    manifest(OCI_INDEX, r#"{"schemaVersion":2,"manifests":[]}"#)
}

pub(crate) fn manifest(media_type: &str, text: &str) -> Manifest {
    Manifest {
        digest: Digest::of(text.as_bytes()),
        media_type: media_type.to_owned(),
        bytes: text.as_bytes().to_vec(),
    }
}

/// What failed, on one line.
pub(crate) fn told<T>(outcome: Result<T, Fault>) -> String {
    let fault = outcome.err().expect("it fails");
    format!("{}: {}", fault.class.name(), fault.answer())
}

/// Makes sure that the futures of the client may move between threads.
pub(crate) fn assert_send<'a, T: Send + 'a>(value: T) -> T {
    value
}

/// Makes sure that all calls may move between threads.
#[tokio::test(start_paused = true)]
async fn calls_may_move_between_threads() {
    let (clients, _, at) = lab(|_| Answer::error(404, "MANIFEST_UNKNOWN")).await;
    let registries: &Registries = &clients.registries;
    let digest = Digest::of(b"");
    let blob = reconcile::providers::registry::Blob {
        digest: digest.clone(),
        size: 0,
    };
    assert!(assert_send(registries.head_now(&at, "v1")).await.is_ok());
    assert!(assert_send(registries.manifest(&at, &digest)).await.is_ok());
    assert!(assert_send(registries.tags(&at)).await.is_ok());
    assert!(
        assert_send(registries.referrers(&at, &digest))
            .await
            .is_ok()
    );
    assert!(
        assert_send(registries.copy_blob((&at, &at), &blob))
            .await
            .is_err()
    );
    assert!(assert_send(registries.blob(&at, &blob)).await.is_err());
    assert!(
        assert_send(registries.put_manifest(&at, "v1", &index()))
            .await
            .is_err()
    );
}
