//! What a daemon answers over HTTP: whether it is alive, whether it is ready, and its metrics. It takes nothing in.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::clock::{Clock, Timestamp};

use super::metrics::Metrics;

/// How many connections are held at once; others wait to be accepted.
const CONNECTIONS_MAX: usize = 32;
/// How long a client may take to say what it wants.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// A daemon that has not ended a pass for so long is stuck.
const PASS_MAX: Duration = Duration::from_secs(3600);

/// What is answered from.
#[derive(Clone, Debug)]
pub(super) struct Board {
    pub(super) metrics: Arc<Mutex<Metrics>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) started_at: Timestamp,
}

/// Answers until `stop` is done.
pub(super) async fn listen(
    listener: TcpListener,
    board: Board,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut stop = pin!(stop);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                // One connection that fails is the client's affair.
                let Ok((stream, _)) = accepted else { continue };
                let board = board.clone();
                let answer = service_fn(move |request| {
                    let answer = board.answer(&request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_MAX)
                    .serve_connection(TokioIo::new(stream), answer);
                connections.spawn(async move { drop(connection.await) });
            }
        }
    }
}

impl Board {
    fn answer<T>(&self, request: &http::Request<T>) -> Response<Full<Bytes>> {
        let metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let (status, text) = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/healthz") => self.health(&metrics),
            (&Method::GET | &Method::HEAD, "/readyz") => readiness(&metrics),
            (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, metrics.text()),
            (&Method::GET | &Method::HEAD, _) => {
                let text = "there is /healthz, /readyz and /metrics\n";
                (StatusCode::NOT_FOUND, text.to_owned())
            }
            _ => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        };
        let kind = match request.uri().path() {
            "/metrics" => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            _ => "text/plain; charset=utf-8",
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        let kind = http::HeaderValue::from_static(kind);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }

    fn health(&self, metrics: &Metrics) -> (StatusCode, String) {
        let since = metrics.passed_at.unwrap_or(self.started_at);
        let age = self.clock.now().since(since);
        if age > PASS_MAX {
            let text = format!("no pass has ended for {} s\n", age.as_secs());
            return (StatusCode::SERVICE_UNAVAILABLE, text);
        }
        (StatusCode::OK, "ok\n".to_owned())
    }
}

fn readiness(metrics: &Metrics) -> (StatusCode, String) {
    let why = match metrics.passed_at {
        None => "no pass has ended yet\n",
        Some(_) if !metrics.is_kept => "the status directory cannot be written\n",
        Some(_) => return (StatusCode::OK, "ok\n".to_owned()),
    };
    (StatusCode::SERVICE_UNAVAILABLE, why.to_owned())
}
