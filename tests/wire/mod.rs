//! The client of Alibaba Cloud against a server that answers by a script, on loopback, in paused time.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use reconcile::clock::{Clock, Timestamp, VirtualClock};
use reconcile::ids::RegionId;
use reconcile::providers::aliyun::Place;
use reconcile::providers::{Clients, Settings, connect};
use tokio::net::TcpListener;

mod codes;
mod github;
mod listing;
mod market;
mod memory;
mod refusal;
pub(crate) mod registry;
mod sending;
mod signature;
mod templates;

pub(crate) const KEY: &str = "testid";
pub(crate) const SECRET: &str = "testsecret";
pub(crate) const TOKEN: &str = "token/of+the=test";

/// The parameters of a request, decoded.
pub(crate) type Form = BTreeMap<String, String>;

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answers; `Date` is added unless there is one.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Promises a longer body than it sends, and closes the connection.
    CutOff(String),
    /// Closes the connection.
    HangUp,
    /// Never answers.
    Silence,
}

/// A body of JSON with status 200.
pub(crate) fn ok(body: &serde_json::Value) -> Reply {
    let mut body = body.clone();
    body["RequestId"] = "R-1".into();
    Reply::Answer(200, Vec::new(), body.to_string())
}

/// An error as ECS writes it.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Reply {
    let body = serde_json::json!({"RequestId": "R-2", "HostId": "ecs.aliyuncs.com", "Code": code, "Message": message});
    Reply::Answer(status, Vec::new(), body.to_string())
}

/// The clients, and the server that they talk to.
pub(crate) struct Cloud {
    pub(crate) clients: Clients,
    pub(crate) place: Place,
    pub(crate) clock: VirtualClock,
    requests: Arc<Mutex<Vec<Form>>>,
}

impl Cloud {
    /// Starts a server that answers the request of this number (from 1) and form.
    pub(crate) async fn new(script: impl FnMut(usize, &Form) -> Reply + Send + 'static) -> Self {
        Self::ahead(0, script).await
    }

    /// The same, with a clock of the server that is ahead by so many seconds.
    pub(crate) async fn ahead(
        seconds: i64,
        script: impl FnMut(usize, &Form) -> Reply + Send + 'static,
    ) -> Self {
        let start = Timestamp::parse("2026-11-21T02:00:00Z").expect("a valid time");
        let clock = VirtualClock::starting_at(start);
        let requests = Arc::default();
        let server = Server {
            requests: Arc::clone(&requests),
            script: Arc::new(Mutex::new(script)),
            date: Arc::new(move || {
                Timestamp::from_millis(clock.now().millis() + seconds * 1000).http_date()
            }),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(server.serve(listener));
        let named = [
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET),
            ("ALIBABA_CLOUD_SECURITY_TOKEN", TOKEN),
            ("ALIYUN_ECS_ENDPOINT", &base),
            ("ALIYUN_VPC_ENDPOINT", &base),
            ("ALIYUN_STS_ENDPOINT", &base),
        ];
        let settings = named.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings::new(settings.into());
        Self {
            clients: connect(&settings, Arc::new(clock), 7).expect("settings are valid"),
            place: Place {
                region: RegionId::new("cn-beijing"),
                endpoint: None,
            },
            clock,
            requests,
        }
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Form> {
        self.requests
            .lock()
            .expect("no test panics in there")
            .clone()
    }
}

struct Server<S> {
    requests: Arc<Mutex<Vec<Form>>>,
    script: Arc<Mutex<S>>,
    date: Arc<dyn Fn() -> String + Send + Sync>,
}

impl<S: FnMut(usize, &Form) -> Reply + Send + 'static> Server<S> {
    async fn serve(self, listener: TcpListener) {
        let server = Arc::new(self);
        loop {
            let (stream, _) = listener.accept().await.expect("connections can be taken");
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(Arc::clone(&server), request));
                let mut http = hyper::server::conn::http1::Builder::new();
                // A connection that is cut off on purpose ends in an error.
                http.auto_date_header(false)
                    .serve_connection(TokioIo::new(stream), service)
                    .await
                    .ok();
            });
        }
    }
}

async fn answer<S: FnMut(usize, &Form) -> Reply + Send>(
    server: Arc<Server<S>>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Scripted>, io::Error> {
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "/");
    let body = request
        .into_body()
        .collect()
        .await
        .map_err(io::Error::other)?
        .to_bytes();
    let form = decode(std::str::from_utf8(&body).expect("a form is text"));
    let reply = {
        let mut requests = server.requests.lock().expect("no test panics in there");
        requests.push(form.clone());
        let mut script = server.script.lock().expect("no test panics in there");
        script(requests.len(), &form)
    };
    let response = |status: u16, body| {
        let builder = hyper::Response::builder()
            .status(status)
            .header("date", (server.date)());
        builder.body(body).map_err(io::Error::other)
    };
    match reply {
        Reply::Answer(status, headers, body) => {
            let mut response = response(
                status,
                Scripted {
                    rest: Some(body),
                    missing: 0,
                },
            )?;
            for (name, value) in headers {
                response
                    .headers_mut()
                    .insert(name, value.parse().expect("a valid header"));
            }
            Ok(response)
        }
        Reply::CutOff(body) => response(
            200,
            Scripted {
                rest: Some(body),
                missing: 10,
            },
        ),
        Reply::HangUp => Err(io::Error::other("hang up")),
        Reply::Silence => std::future::pending().await,
    }
}

fn decode(form: &str) -> Form {
    let text = |encoded: &str| {
        let mut bytes = Vec::new();
        let mut rest = encoded.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            if byte == b'%' {
                let digits = std::str::from_utf8(&after[..2]).expect("two digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
                rest = &after[2..];
            } else {
                bytes.push(byte);
                rest = after;
            }
        }
        String::from_utf8(bytes).expect("UTF-8")
    };
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// A body that may end before its length.
struct Scripted {
    rest: Option<String>,
    missing: u64,
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match self.rest.take() {
            Some(text) => Some(Ok(Frame::data(Bytes::from(text)))),
            None if self.missing > 0 => Some(Err(io::Error::other("cut off"))),
            None => None,
        })
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.as_ref().map_or(0, String::len);
        SizeHint::with_exact(u64::try_from(rest).unwrap_or_default() + self.missing)
    }
}

/// Makes sure that the futures of the clients may move between threads.
pub(crate) fn assert_send<T: Send>(value: T) -> T {
    value
}
